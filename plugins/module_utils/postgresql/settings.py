# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings differ from what a server runs with, as the server itself would compare them. Pure.

Units and booleans as in PostgreSQL's manual, section 20.1 "Setting Parameters".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_BYTES = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_MICROSECONDS = {"us": 1, "ms": 1000, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
_BOOLEANS = {"on": True, "true": True, "yes": True, "1": True, "off": False, "false": False, "no": False, "0": False}


def differs(found: Mapping[str, Any], wanted: str) -> bool:
    """Whether a setting would change. `found`: setting, unit and vartype of its row in pg_settings."""
    kind, unit = found["vartype"], found["unit"]
    if kind == "bool":
        return _BOOLEANS.get(wanted.lower()) is not _BOOLEANS.get(found["setting"].lower())
    if kind in ("integer", "real"):
        now, then = _number(found["setting"], unit), _number(wanted, unit)
        return then is None or abs(now - then) >= _step(unit)
    if kind == "enum":
        return wanted.lower() != found["setting"].lower()
    return wanted != found["setting"]


def text(value: Any) -> str:
    """As it stands in a file; YAML reads on and off as booleans."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _step(unit: str | None) -> float:
    """The server rounds to its own unit: what is less apart is the same."""
    return _scale(unit) if unit else 1e-9


def _scale(unit: str) -> float:
    """A unit such as 8kB or ms, in bytes or microseconds."""
    count, name = re.fullmatch(r"(\d*)([A-Za-z]+)", unit).groups()
    return int(count or 1) * {**_BYTES, **_MICROSECONDS}[name]


def _number(value: str, unit: str | None) -> float | None:
    """A number in bytes, microseconds or as it is; without a unit of its own it has the server's."""
    match = re.fullmatch(r"\s*([-+]?[\d.]+)\s*(B|kB|MB|GB|TB|us|ms|s|min|h|d)?\s*", value)
    if not match:
        return None
    number, said = float(match[1]), match[2]
    if number < 0 or not unit:
        return number
    return number * _scale(said or unit)
