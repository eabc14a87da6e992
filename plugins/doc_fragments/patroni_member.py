# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say how this host's Patroni is reached."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.patroni_member); the argument spec is C(ARGUMENTS) of patroni/api.py."""

    DOCUMENTATION = r"""
options:
  member:
    description: This member's name.
    type: str
    required: true
  address:
    description: Address of this member's REST API.
    type: str
    required: true
  api_port:
    description: Its TCP port.
    type: int
    default: 8008
  tls_directory:
    description: Directory with C(ca.pem), C(cert.pem) and C(key.pem); Patroni asks for a certificate, too.
    type: path
    required: true
"""
