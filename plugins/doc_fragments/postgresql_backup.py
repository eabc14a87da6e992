# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that speak to pgBackRest."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.postgresql_backup); the argument spec is C(ARGUMENTS) of postgresql/backup_client.py."""

    DOCUMENTATION = r"""
options:
  stanza:
    description: Name of the stanza.
    type: str
    required: true
  repositories:
    description: Numbers of the stores.
    type: list
    elements: int
    default: [1]
  user:
    description: System user that pgBackRest runs as.
    type: str
    default: postgres
  configuration:
    description: Folder with C(pgbackrest.conf) and C(conf.d).
    type: path
    default: /etc/pgbackrest
"""
