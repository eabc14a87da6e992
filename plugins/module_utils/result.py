# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every capability reports: the changes it makes and the controls it holds to. Pure: no I/O, no Ansible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HIDDEN = "(secret)"


@dataclass(frozen=True)
class Change:
    """One step of a plan.

    resource: what is changed, as an operator names it ("file /etc/redis/redis.conf", "role shop_application").
    action: create, update, delete, start, restart or run.
    before, after: the state on either side: a string for text, otherwise a plain value; None where there is nothing.
    secret: both sides are hidden in every output; only that they differ is told.
    data: what apply() needs and no report shows.
    """

    resource: str
    action: str
    before: Any = None
    after: Any = None
    secret: bool = False
    data: Any = None

    def report(self) -> dict:
        """The change as it is returned to the operator, without secrets."""
        sides = {"before": self.before, "after": self.after}
        if self.secret:
            sides = {side: None if value is None else HIDDEN for side, value in sides.items()}
        return {"resource": self.resource, "action": self.action, **sides}


@dataclass(frozen=True)
class Control:
    """One thing that must hold.

    id: short and stable ("postgresql.replication.tls"); title: a sentence; state: pass, fail or exempt;
    observed, expected: plain values without secrets; reason: why it is exempt or what to do.
    """

    id: str
    title: str
    state: str
    observed: Any = None
    expected: Any = None
    reason: str = ""

    @classmethod
    def check(cls, id: str, title: str, observed: Any, expected: Any, reason: str = "") -> Control:
        """A control that passes when what is observed equals what is expected."""
        state = "pass" if observed == expected else "fail"
        return cls(id, title, state, observed, expected, reason if state != "pass" else "")

    def report(self) -> dict:
        """The control as it is returned to the operator."""
        return dict(vars(self))


class EstateError(Exception):
    """A refusal or failure an operator can act on: what is wrong, where, what to do. The runner makes it fail_json."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


def diff_of(changes: list[Change]) -> list[dict]:
    """Ansible's diff for these changes, an entry each: whole texts for text, one line otherwise."""
    return [_diff_entry(change) for change in changes]


def _diff_entry(change: Change) -> dict:
    report = change.report()
    sides = {}
    for side in ("before", "after"):
        value = report[side]
        text = "" if value is None else value if isinstance(value, str) else repr(value)
        if change.secret and side == "after" and value is not None and report["before"] is not None:
            text = f"{HIDDEN}, differs"
        sides[side] = text if not text or text.endswith("\n") else text + "\n"
    header = f"{change.resource} ({change.action})"
    return {"before_header": header, "after_header": header, **sides}
