# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What host_baseline and host_baseline_info take, and the baseline that is made of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline import Baseline, Exemption, wanted_of
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

ARGUMENTS = {
    "controls": {"type": "list", "elements": "dict", "required": True},
    "level": {"type": "int", "choices": [1, 2], "default": 2},
    "engine": {"type": "bool", "default": False},
    "exemptions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {name: {"type": "str", "required": True} for name in ("id", "reason", "owner", "expires")},
    },
}


def baseline_of(params: dict[str, Any]) -> Baseline:
    """The baseline that a task asks for; refuses an exemption from a control that does not exist."""
    known = {one.get("id") for one in params["controls"]}
    exemptions = [Exemption(**one) for one in params["exemptions"]]
    strangers = sorted({one.id for one in exemptions} - known)
    if strangers:
        raise EstateError(f"exemptions: there is no control {', '.join(strangers)}")
    return Baseline(wanted_of(params["controls"], params["level"], params["engine"]), exemptions)
