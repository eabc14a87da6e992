# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the Odoo series 14 to 19, and which Odoo groups a business role holds."""

from __future__ import annotations

#: To 15 the bus is long polling on `longpolling_port`; from 16 it is a websocket on `gevent_port`.
_LONGPOLLING = {"port_option": "longpolling_port", "path": "/longpolling/"}
_WEBSOCKET = {"port_option": "gevent_port", "path": "/websocket"}

#: 14 has no health route: its sign-in page is the cheapest GET that proves the database answers.
SERIES = {
    "14.0": {"bus": _LONGPOLLING, "health_path": "/web/login"},
    "15.0": {"bus": _LONGPOLLING, "health_path": "/web/health"},
    "16.0": {"bus": _WEBSOCKET, "health_path": "/web/health"},
    "17.0": {"bus": _WEBSOCKET, "health_path": "/web/health"},
    "18.0": {"bus": _WEBSOCKET, "health_path": "/web/health"},
    "19.0": {"bus": _WEBSOCKET, "health_path": "/web/health"},
}

#: The series whose sign-in addon (roles/odoo/files/addons/estate_auth_entra) is written; the others are planned.
SIGN_IN = ("14.0",)

#: Business roles and the Odoo groups each holds; duties are kept apart: no role sells and keeps the books.
BUSINESS_ROLES = {
    "store": ["base.group_user", "point_of_sale.group_pos_user", "sales_team.group_sale_salesman"],
    "warehouse": ["base.group_user", "stock.group_stock_user"],
    "finance": ["base.group_user", "account.group_account_invoice"],
    "support": ["base.group_user", "base.group_partner_manager"],
    "integration": ["base.group_user", "sales_team.group_sale_salesman_all_leads", "stock.group_stock_user"],
    "administrator": ["base.group_user", "base.group_system"],
}

#: What an installed application brings along, as far as the groups above are concerned.
BRINGS = {
    "point_of_sale": ("stock", "account"),
    "sale_management": ("sale", "sales_team", "account"),
    "sale": ("sales_team", "account"),
    "sale_stock": ("sale", "sales_team", "stock", "account"),
    "purchase": ("account",),
    "purchase_stock": ("purchase", "stock", "account"),
    "crm": ("sales_team",),
}


def with_brought(modules: list) -> set:
    """The Odoo modules named, and those they bring along."""
    return {"base", "web", *modules, *(more for name in modules for more in BRINGS.get(name, ()))}
