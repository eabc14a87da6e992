# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which app role of Entra a role of Odoo stands for."""

from odoo import fields, models


class ResUsersRole(models.Model):
    _inherit = "res.users.role"

    entra_app_role = fields.Char(
        string="Entra app role",
        help="Value of the app role in Entra. Whoever holds it gets this role at sign-in; who does not, loses it.",
    )

    _sql_constraints = [
        ("entra_app_role_unique", "unique (entra_app_role)", "An app role of Entra stands for one role only."),
    ]
