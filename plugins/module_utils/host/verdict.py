# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging a host by the results of tasks that ran in check mode. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LONGEST = 160


def findings(results: Any) -> tuple[list[str], list[dict]]:
    """What does not hold, a line each, and every control that was judged.

    results: registered results, in a list or by a name for each. One of our modules is judged by its controls and by
    the changes it would make, any other by `changed`. What was skipped is not judged.
    """
    by_name = results if isinstance(results, dict) else {f"task {place}": one for place, one in enumerate(results, 1)}
    lines: list[str] = []
    controls: list[dict] = []
    for name, result in by_name.items():
        for item in _flat(result):
            controls += item.get("controls") or []
            lines += _judge(name, item)
    return list(dict.fromkeys(lines)), controls


def _flat(result: Any) -> Iterator[dict]:
    """One result, or those of a loop."""
    if not isinstance(result, dict) or result.get("skipped"):
        return
    if isinstance(result.get("results"), list) and all(isinstance(item, dict) for item in result["results"]):
        for item in result["results"]:
            yield from _flat(item)
    else:
        yield result


def _judge(name: str, result: dict) -> Iterator[str]:
    if result.get("failed") or result.get("unreachable"):
        yield f"{name}: {_short(result.get('msg') or 'failed')}"
        return
    for control in result.get("controls") or []:
        if control["state"] == "fail":
            reason = f" ({control['reason']})" if control.get("reason") else ""
            told = f"observed {_short(control['observed'])}, expected {_short(control['expected'])}"
            yield f"{control['id']}: {told}{reason}"
    if not result.get("changed"):
        return
    changes = result.get("changes") or []
    for change in changes:
        yield f"{name}: would {change['action']} {change['resource']}"
    if not changes:
        yield f"{name}: would change{_what(result)}"


def _what(result: dict) -> str:
    """What an ordinary module tells of its change: its message, or the first changed line of its diff."""
    if result.get("msg"):
        return f": {_short(result['msg'])}"
    diffs = result.get("diff") or []
    for diff in diffs if isinstance(diffs, list) else [diffs]:
        for line in str(diff.get("prepared") or diff.get("after") or "").splitlines():
            if line.strip():
                return f": {_short(line.strip())}"
    return ""


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
