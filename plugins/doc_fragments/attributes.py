# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes every module of this collection has."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.attributes)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Says what it would change, on bare, drifted and converged hosts, and changes nothing.
    support: full
  diff_mode:
    description: Returns exactly what changes, with secrets replaced by a note that they differ.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""
