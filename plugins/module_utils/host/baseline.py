# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline of a host: controls that came as data, judged and planned together. Pure: no I/O, no Ansible.

What a control's kind means is in baseline_kinds; what several controls write into one file, in baseline_files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host import baseline_files as own
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_kinds import KINDS
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_model import (
    Finding,
    Seen,
    Step,
    Wanted,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

OWED = "a run that was cut short left this to do"


@dataclass(frozen=True)
class Exemption:
    """A control that somebody answers for not holding, until a day (YYYY-MM-DD, inclusive)."""

    id: str
    reason: str
    owner: str
    expires: str


@dataclass(frozen=True)
class Baseline:
    """Which controls are meant for a host, and which of them somebody answers for."""

    wanted: list[Wanted]
    exemptions: list[Exemption] = field(default_factory=list)

    def exempted(self) -> dict[str, Exemption]:
        """The exemptions by the control's id."""
        return {one.id: one for one in self.exemptions}

    def in_force(self) -> list[Wanted]:
        """What is applied: an exemption that has expired is for people to decide, not a reason to change a host."""
        return [one for one in self.wanted if one.id not in self.exempted()]


def wanted_of(raw: list[dict[str, Any]], level: int, engine: bool) -> list[Wanted]:
    """The controls of a host from those of all hosts; refuses what is no control."""
    result = []
    for one in raw:
        kind = KINDS.get(one.get("kind", ""))
        if kind is None:
            raise EstateError(f"{one.get('id')}: {one.get('kind')!r} is no kind of control; there are {sorted(KINDS)}")
        missing = [name for name in kind.needed if name not in one]
        if missing:
            raise EstateError(f"{one['id']}: {one['kind']} needs {', '.join(missing)}")
        if one["level"] <= level and one.get("engine", engine) == engine:
            result.append(Wanted(one["id"], one["title"], one["kind"], one))
    return result


def finding_of(wanted: Wanted, seen: Seen) -> Finding:
    """How the host stands to one control."""
    finding = KINDS[wanted.kind].judge(wanted, seen)
    if finding.holds and not finding.cannot and wanted.get("facility") in seen.lacking:
        return Finding(finding.observed, finding.expected, True, seen.lacking[wanted.get("facility")])
    return finding


def plan(baseline: Baseline, seen: Seen) -> list[Change]:
    """Everything that leads from what was seen to what is wanted: packages, files, then what is alive."""
    wanted = baseline.in_force()
    packages = [change for one in wanted if one.kind == "package" for change in KINDS["package"].changes(one, seen)]
    files = own.plan(wanted, baseline.wanted, seen)
    alive: list[Change] = []
    for one in wanted:
        if one.kind != "package" and not finding_of(one, seen).holds:
            alive += KINDS[one.kind].changes(one, seen)
    written = {change.data.arguments[0] for change in files if isinstance(change.data, Step)}
    commands = own.commands(wanted, written, seen)
    owed = [argv for argv in seen.owed if argv not in commands]
    return [
        *packages,
        *files,
        *_once(alive),
        *(_command(argv, None) for argv in commands),
        *(_command(argv, OWED) for argv in owed),
    ]


def _once(changes: list[Change]) -> list[Change]:
    """Two controls may ask for the same step, as two options of one mount do."""
    return list({(change.resource, change.action): change for change in changes}.values())


def _command(argv: list[str], before: str | None) -> Change:
    return Change(f"command {' '.join(argv)}", "run", before, "done", data=Step("late", (argv,)))


def controls(baseline: Baseline, seen: Seen) -> list[Control]:
    """One for each control of this host, in the order of the data."""
    exempted = baseline.exempted()
    return [_control(one, finding_of(one, seen), exempted.get(one.id), seen.today) for one in baseline.wanted]


def _control(wanted: Wanted, finding: Finding, exemption: Exemption | None, today: str) -> Control:
    state, reason = "pass" if finding.holds else "fail", "" if finding.holds else finding.advice
    if exemption and exemption.expires < today:
        state = "fail"
        reason = f"the exemption of {exemption.owner} expired on {exemption.expires}; renew it or take it out"
    elif exemption:
        state, reason = "exempt", f"{exemption.reason} ({exemption.owner}, until {exemption.expires})"
    elif finding.cannot:
        state, reason = "exempt", finding.cannot
    return Control(wanted.id, wanted.title, state, finding.observed, finding.expected, reason)
