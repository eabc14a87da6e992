# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: B018 - a manifest is one expression
{
    "name": "Sessions in Redis",
    "summary": "Keeps people's sessions in Redis, so that any worker of any host can serve anybody",
    "version": "1.0.0",
    "category": "Hidden",
    "author": "The retailerp.estate authors",
    "license": "GPL-3",
    "depends": ["base"],
    "external_dependencies": {"python": ["redis"]},
    "installable": True,
    "auto_install": False,
}
