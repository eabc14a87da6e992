# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of modules that act on one member of a cluster and speak to the others."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.postgresql_member); the argument spec is C(ARGUMENTS) of postgresql/upstream.py."""

    DOCUMENTATION = r"""
options:
  member:
    description: This member's name in O(members).
    type: str
    required: true
  members:
    description: The address of each member, this one included, by name. The names are in their certificates.
    type: dict
    required: true
  replication_user:
    description: Role that may stream.
    type: str
    required: true
  replication_password:
    description: Its password.
    type: str
    required: true
  ca_file:
    description: The authority of the members' certificates, on this host.
    type: path
    required: true
"""
