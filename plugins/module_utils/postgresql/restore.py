# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a backup to a server that takes writes, with the old data kept aside until the end is told. Pure: no I/O.

The new data is made beside the old one while that still serves; what stops it is two renames. So the state of a restore
is which directories there are, and a note of what was asked for. A directory that is given up leaves its place by a
rename, too, and is removed when nothing waits for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import ABSENT, READY, Instance
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

STAGED, RESTORED, BACK, FINISHED = "staged", "restored", "back", "finished"
LATEST = "latest"
LABEL = r"\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?"
PLACE = r"[0-9A-F]{1,8}/[0-9A-F]{1,8}"
OWN_TIMELINE = "--recovery-option=recovery_target_timeline=current"
"""A backup belongs to its own timeline; the newest one may have left it before that backup was made. pgBackRest 2.55
refuses its option of that name beside the type immediate."""
TIME = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}(:?\d{2})?)"
"""With its seconds: pgBackRest takes no other, and says so only when an earlier copy is gone."""


@dataclass(frozen=True)
class Asked:
    """What a restore is to end at: `to` is latest, a time with its offset from UTC, a backup's label, or a place in
    the log (LSN), which a recovery point has.

    timeline: which branch to follow where restores have made several; None for the newest. store: the one that the
    backup is read from; None for the first that has it. WAL comes from whichever has it.
    """

    to: str
    timeline: int | None = None
    store: int | None = None

    @property
    def kind(self) -> str:
        """latest, time, label or place. Raises EstateError for what is none of them."""
        if self.to == LATEST:
            return LATEST
        if re.fullmatch(LABEL, self.to):
            return "label"
        if re.fullmatch(PLACE, self.to):
            if self.timeline is None:
                raise EstateError(
                    f"{self.to} is a place on one branch of the log: say which (-e timeline=3), or name the recovery "
                    "point that it belongs to instead (-e point=<name>)"
                )
            return "place"
        if re.fullmatch(TIME, self.to):
            return "time"
        raise EstateError(
            f"{self.to} is neither latest, nor a time with seconds and its offset such as 2026-11-28 14:05:00+01, nor "
            "a backup's label such as 20261128-011636F (playbook backup_report lists them)"
        )

    def options(self) -> list[str]:
        """pgBackRest's options of it (pgbackrest.org/command.html, "Restore Command")."""
        kind = self.kind
        chosen = {
            LATEST: ["--type=default"],
            "time": ["--type=time", f"--target={self.to.replace('Z', '+00')}", "--target-action=promote"],
            "place": ["--type=lsn", f"--target={self.to}", "--target-action=promote"],
            "label": ["--type=immediate", f"--set={self.to}", "--target-action=promote", OWN_TIMELINE],
        }[kind]
        chosen += [f"--target-timeline={self.timeline}"] if self.timeline and kind != "label" else []
        return chosen + ([f"--repo={self.store}"] if self.store else [])


@dataclass(frozen=True)
class Current:
    """What is on the host. staged: new data is whole beside the old; partial: a copy beside it was cut short.

    kept: the old data lies aside; hollow: that is nothing, the host was bare. gone: given up, and still to be removed.
    asked: of the restore under way or not ended yet; done: its server came out of recovery, ended: when.
    unreached: what the stores hold beyond the place where that recovery ended, in words.
    returning: the old data is in its place again and has not come out of recovery. ours: the fence is a restore's.
    """

    own: Instance
    staged: bool = False
    partial: bool = False
    kept: bool = False
    hollow: bool = False
    gone: bool = False
    asked: Asked | None = None
    done: bool = False
    ended: str | None = None
    unreached: str | None = None
    returning: bool = False
    fenced: bool = False
    ours: bool = False
    active: bool = False


@dataclass(frozen=True)
class Desired:
    """What is wanted: staged (new data beside the old, nothing stops), restored, back (the old data serves again), or
    finished (the old data is removed)."""

    state: str
    directory: str
    unit: str
    asked: Asked | None = None


def plan(current: Current, desired: Desired) -> list[Change]:
    """The steps, in order; the data of each Change names it for apply()."""
    steps = {FINISHED: _finish, BACK: _back}.get(desired.state, _restore)
    planned = list(steps(current, desired))
    sweep = Change(f"data that was given up, beside {desired.directory}", "delete", "put aside", None, data="sweep")
    # First what a run that was cut short left: its name, and its room, are needed.
    before = [sweep] if current.gone else []
    return before + planned + ([sweep] if _gives_up(current, planned) else [])


def moves(changes: Iterable[Change]) -> bool:
    """Whether these steps stop, replace or start the server: the other members are stopped before them."""
    return bool({change.data for change in changes} - {"stage", "drop", "finish", "sweep"})


def _gives_up(current: Current, planned: list[Change]) -> bool:
    """Whether a step puts a directory aside that nobody wants back."""
    steps, there = {change.data for change in planned}, current.own.data != ABSENT
    return current.kept and ("finish" in steps or (there and bool(steps & {"place", "unplace"})))


def _restore(current: Current, desired: Desired) -> Iterable[Change]:
    data, asked = f"data directory {desired.directory}", desired.asked
    if asked is None or not asked.kind:
        raise EstateError("what to restore to is not said")
    if current.kept and current.done:
        if current.asked == asked:
            return
        raise EstateError(
            f"the data of before the restore to {current.asked.to if current.asked else 'somewhere'} is still kept; "
            "end that one first (-e finish=true), so that never two are given up at once"
        )
    placed = current.kept and not current.staged and current.own.data == READY and current.asked == asked
    if not placed:
        if not (current.staged and current.asked == asked):
            yield Change(f"copy beside {data}", "create", None, f"restored to {asked.to}", data="stage")
        if desired.state == STAGED:
            return
        yield from _down(current, desired)
        before = None if current.own.data == ABSENT else "as it is, kept aside"
        yield Change(data, "update", before, f"restored to {asked.to}", data="place")
    elif desired.state == STAGED:
        return
    yield from _up(current, desired, moved=not placed)
    yield Change(f"recovery of {current.own.name}", "run", None, f"ended at {asked.to}, takes writes", data="recover")


def _back(current: Current, desired: Desired) -> Iterable[Change]:
    """The old data takes its place again, on a timeline above all that the archive has.

    On its own one it would not be the newest: a later restore to latest would follow the branch that is given up here,
    and lose what is written from now on. What was written since the restore goes with what was restored.
    """
    if current.hollow:
        raise EstateError(f"{current.own.name} held no data before the restore: there is nothing to go back to")
    if current.kept:
        yield from _down(current, desired)
        yield Change(
            f"data directory {desired.directory}", "update", "restored", "as before the restore", data="unplace"
        )
    if current.kept or current.returning:
        yield from _up(current, desired, moved=current.kept)
        yield Change(f"recovery of {current.own.name}", "run", None, "on a new timeline, takes writes", data="return")
    elif current.ours and current.own.data == READY:
        # Stopped for a copy that did not take its place any more.
        yield from _up(current, desired)
        yield Change(f"server of {current.own.name}", "run", None, "takes writes", data="serve")
    if current.staged or current.partial:
        yield Change(f"copy beside data directory {desired.directory}", "delete", "restored", None, data="drop")


def _down(current: Current, desired: Desired) -> Iterable[Change]:
    if not current.fenced:
        yield Change(f"fence of {current.own.name}", "create", None, "the server does not start", data="fence")
    if current.own.running or current.active:
        yield Change(f"service {desired.unit}", "stop", "running", "stopped", data="stop")


def _up(current: Current, desired: Desired, moved: bool = False) -> Iterable[Change]:
    """moved: a step before has fenced and stopped it."""
    if moved or current.fenced:
        yield Change(f"fence of {current.own.name}", "delete", "the server does not start", None, data="unfence")
    if moved or not current.own.running:
        yield Change(f"service {desired.unit}", "start", "stopped", "running", data="start")


def _finish(current: Current, desired: Desired) -> Iterable[Change]:
    if (current.kept or current.asked or current.returning) and not current.done:
        what = f"the restore to {current.asked.to}" if current.asked else "the last restore, or the way back,"
        raise EstateError(
            f"{what} is not through: run it again with the same words, or go back (-e back=true); nothing was removed"
        )
    if current.kept or current.asked:
        yield Change(f"data of before the restore, beside {desired.directory}", "delete", "kept", None, data="finish")
