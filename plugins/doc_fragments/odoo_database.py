# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of Odoo's databases is meant, and how a host reaches it."""

from __future__ import annotations


class ModuleDocFragment:
    """Names C(retailerp.estate.odoo_database); the suboptions are C(WHERE) of odoo/database.py."""

    DOCUMENTATION = r"""
options:
  database:
    description: The database and how to reach it.
    type: dict
    required: true
    suboptions:
      hosts:
        description: Server names as their certificates have them, each with its address, in order.
        type: dict
        required: true
      port: {description: "The servers' port.", type: int, default: 5432}
      name: {description: "The database.", type: str, required: true}
      user: {description: "The application's role.", type: str, required: true}
      password: {description: "Its password.", type: str, required: true}
      ca_file: {description: "A file on the host, what signs the servers' certificates.", type: path, required: true}
"""
