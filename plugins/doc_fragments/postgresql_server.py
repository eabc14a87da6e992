# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which server on the host is meant."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.postgresql_server); the argument spec is C(ARGUMENTS) of postgresql/server.py."""

    DOCUMENTATION = r"""
options:
  version:
    description: Major version of the server. Without it the one that the distribution packages.
    type: str
  port:
    description: TCP port, which also names the socket.
    type: int
    default: 5432
  manager:
    description: What starts and stops the server, systemd or Patroni.
    type: str
    choices: [systemd, patroni]
    default: systemd
"""
