# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore drill finds, and what must hold of it. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.filestore.plan import Point, iso
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

PHASES = ("database", "filestore", "neutral", "odoo", "judgement")
#: Rows are counted moments after the place in the log is taken, while people work.
ROWS_NEAR = 20


@dataclass
class Drill:
    """A drill as it goes on. Times are seconds; began since 1970.

    phases: phase → how long it took; failed: the phase that did not end well, and why; rows, modules: of the restored
    database; attachments: how many there are and which are damaged; odoo: what the running Odoo answered.
    """

    point: Point
    began: float
    record: Mapping[str, Any]
    phases: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    attachments: int = 0
    damaged: tuple[str, ...] = ()
    odoo: dict[str, Any] = field(default_factory=dict)

    @property
    def rto_s(self) -> float:
        """How long it took from nothing to an Odoo that answers and was judged."""
        return round(sum(self.phases.values()), 1)

    @property
    def rpo_s(self) -> float:
        """What would be lost if the estate were lost when the drill began, and nothing but points were left."""
        return round(self.began - self.point.at, 1)

    def report(self) -> dict:
        """The evidence."""
        return {
            "point": self.point.report(),
            "began": iso(self.began),
            "rto_s": self.rto_s,
            "rpo_s": self.rpo_s,
            "phases": {phase: round(self.phases[phase], 1) for phase in PHASES if phase in self.phases},
            "failed": dict(self.failed),
            "rows": dict(self.rows),
            "modules": len(self.modules),
            "attachments": self.attachments,
            "damaged": list(self.damaged),
            "odoo": dict(self.odoo),
        }


def controls(drill: Drill, longest_s: float) -> list[Control]:
    """What must hold of a drill; one that did not come to a phase fails what that phase would have shown."""
    check, recorded = Control.check, drill.record.get("database", {})
    missing = [phase for phase in PHASES if phase not in drill.phases]
    found = [
        check(
            "drill.phases",
            "Every phase of the drill ended well",
            {**drill.failed, "not begun": missing},
            {"not begun": []},
        )
    ]
    rows = {
        table: {"restored": drill.rows.get(table), "recorded": count}
        for table, count in recorded.get("rows", {}).items()
        if drill.rows.get(table) is None or abs(drill.rows[table] - count) > ROWS_NEAR
    }
    found.append(check("drill.rows", "Tables hold as many rows as when the point was taken", rows, {}))
    known = recorded.get("modules", {})
    other = sorted(set(known.items()) ^ set(drill.modules.items()))
    found.append(check("drill.modules", "Odoo's modules are those of the point", [list(one) for one in other[:20]], []))
    found.append(
        check("drill.attachments", "Every attachment is on disk, with its content", list(drill.damaged[:20]), [])
    )
    for key, title in (
        ("login", "The restored Odoo lets its administrator in"),
        ("order", "An order can be made and confirmed in it"),
        ("attachment", "It hands out an attachment's content"),
    ):
        found.append(check(f"drill.odoo.{key}", title, drill.odoo.get(key), True))
    state = "pass" if not missing and drill.rto_s <= longest_s else "fail"
    found.append(
        Control("drill.rto", "The estate is back in time, in seconds", state, drill.rto_s, f"at most {longest_s:g}")
    )
    return found
