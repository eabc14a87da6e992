# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restored recovery point and a drill of it are found to be, and what must hold. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.filestore.plan import Point, iso
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

RESTORING = ("archive", "database", "filestore", "neutral")
PHASES = (*RESTORING, "odoo", "judgement")
#: Rows are counted moments after the place in the log is taken, while people work.
ROWS_NEAR = 20
DAY_S = 86400
DEFAULTS = {
    "root": "/var/lib/retailerp-estate/drill",
    "evidence": "/var/lib/retailerp-estate/drills",
    "repositories": [1],
    "store": None,
}
"""Where a drill works and reads, and what it leaves, unless told otherwise: of the module and the timer's program."""


@dataclass
class Restored:
    """A recovery point as it is restored beside everything else. Times are seconds; began since 1970.

    point: None where there was none to restore; phases: phase → how long it took; failed: the phase that did not end
    well, and why; rows, modules: of the restored database; attachments: how many there are and which are damaged.
    """

    point: Point | None
    began: float
    record: Mapping[str, Any]
    phases: dict[str, float] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    attachments: int = 0
    damaged: tuple[str, ...] = ()


@dataclass
class Drill(Restored):
    """A drill as it goes on. odoo: what the running Odoo answered; store: the one that the database came from."""

    odoo: dict[str, Any] = field(default_factory=dict)
    store: int = 1

    @property
    def rto_s(self) -> float:
        """How long it took from nothing to an Odoo that was judged; waiting for the archive is no part of it."""
        return round(sum(took for phase, took in self.phases.items() if phase != "archive"), 1)

    @property
    def rpo_s(self) -> float | None:
        """What would be lost if the estate were lost when the drill began, and nothing but points were left."""
        return round(self.began - self.point.at, 1) if self.point else None

    def report(self) -> dict:
        """The evidence."""
        return {
            "point": self.point.report() if self.point else None,
            "store": self.store,
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
    check = Control.check
    missing = [phase for phase in PHASES if phase not in drill.phases]
    found = [
        check(
            "drill.phases",
            "Every phase of the drill ended well",
            {**drill.failed, "not begun": missing},
            {"not begun": []},
        ),
        *restored(drill, "drill"),
    ]
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


def restored(found: Restored, of: str) -> list[Control]:
    """What must hold of the restored pair, by what the point recorded. of: what the controls' names begin with."""
    check, recorded = Control.check, found.record.get("database", {})
    rows = {
        table: {"restored": found.rows.get(table), "recorded": count}
        for table, count in recorded.get("rows", {}).items()
        if found.rows.get(table) is None or abs(found.rows[table] - count) > ROWS_NEAR
    }
    known = recorded.get("modules", {})
    other = [list(one) for one in sorted(set(known.items()) ^ set(found.modules.items()))[:20]]
    damaged = list(found.damaged[:20])
    return [
        check(f"{of}.rows", "Tables hold as many rows as when the point was taken", rows, {}),
        check(f"{of}.modules", "Odoo's modules are those of the point", other, []),
        check(f"{of}.attachments", "Every attachment is on disk, with its content", damaged, []),
    ]


@dataclass(frozen=True)
class History:
    """Drills that were. at: when the last one wrote its evidence, None before the first; since: when the timer came;
    last: the last evidence of each store."""

    at: float | None
    since: float
    last: Sequence[Mapping[str, Any]]


def last_of_each(evidence: Sequence[Mapping[str, Any]], stores: Sequence[int]) -> list[Mapping[str, Any]]:
    """The last evidence of each of these stores; one that is gone answers for nothing. evidence: oldest first."""
    last = {one.get("store", 1): one for one in evidence}
    return [one for store, one in last.items() if store in stores]


def due(stores: Sequence[int], evidence: Sequence[Mapping[str, Any]]) -> int:
    """The store whose turn it is: one never drilled, otherwise the one that waits longest. evidence: oldest first."""
    drilled = [one.get("store", 1) for one in evidence]
    return min(stores, key=lambda store: len(drilled) - drilled[::-1].index(store) if store in drilled else 0)


def lately(found: History, now: float, oldest_d: float) -> list[Control]:
    """Whether there was a drill lately, and whether it went well."""
    age = round((now - (found.since if found.at is None else found.at)) / DAY_S, 1)
    told, title = f"at most {oldest_d:g}", "A restore was drilled lately, in days"
    if found.at is None and age <= oldest_d:
        waits = "none was due yet; the playbook restore_drill drills now"
        return [Control("drill.age", title, "exempt", "no drill yet", told, waits)]
    state = "pass" if found.at is not None and age <= oldest_d else "fail"
    observed = age if found.at is not None else "no drill yet"
    hint = "journalctl -u estate-restore-drill on the keeper; the playbook restore_drill drills now"
    controls = [Control("drill.age", title, state, observed, told, "" if state == "pass" else hint)]
    if found.at is not None:
        bad = [
            (one, [seen["title"] for seen in one.get("controls", []) if seen.get("state") == "fail"])
            for one in found.last
        ]
        failed = [f"store {one.get('store', 1)}: {title}" for one, titles in bad for title in titles]
        paths = ", ".join(str(one.get("path")) for one, titles in bad if titles)
        controls.append(Control.check("drill.last", "The last drill of each store went well", failed, [], paths))
    return controls
