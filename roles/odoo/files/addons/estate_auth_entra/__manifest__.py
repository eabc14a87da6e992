# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: B018 - a manifest is one expression
{
    "name": "Estate: sign-in by Microsoft Entra",
    "summary": "Single-tenant OpenID Connect sign-in; a person holds exactly the roles Entra assigns",
    "version": "14.0.1.0.0",
    "license": "GPL-3 or any later version",
    "author": "The retailerp.estate authors",
    "website": "https://example.org/retailerp/estate",
    "category": "Hidden",
    "depends": ["auth_oidc", "base_user_role"],
    "external_dependencies": {"python": ["jose", "requests"]},
    "data": ["views/provider.xml", "views/role.xml"],
}
