# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a backup to a server that takes writes, with the old data kept aside until the end is told. Pure: no I/O.

The new data is made beside the old one while that still serves; what stops it is two renames. So the state of a restore
is which directories there are, and a note of what was asked for.
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
TIME = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}(:?\d{2})?)"


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
            return "place"
        if re.fullmatch(TIME, self.to):
            return "time"
        raise EstateError(
            f"{self.to} is neither latest, nor a time with its offset such as 2026-11-28 14:05:00+01, nor a backup's "
            "label such as 20261128-011636F (playbook backup_report lists them)"
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
    """What is on the host. staged: new data is whole beside the old; kept: the old data lies aside.

    asked: of the restore under way or not ended yet; done: its server came out of recovery.
    recovering: the server that runs replays WAL.
    """

    own: Instance
    staged: bool = False
    kept: bool = False
    asked: Asked | None = None
    done: bool = False
    fenced: bool = False
    recovering: bool = False
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
    if desired.state in (FINISHED, BACK):
        return list((_finish if desired.state == FINISHED else _back)(current, desired))
    if desired.asked is None or not desired.asked.kind:
        raise EstateError("what to restore to is not said")
    if current.kept and current.done and current.asked != desired.asked:
        raise EstateError(
            f"the data of before the restore to {current.asked.to if current.asked else 'somewhere'} is still kept; "
            "end that one first (-e finish=true), so that never two are given up at once"
        )
    if current.kept and current.done:
        return []
    return list(_restore(current, desired))


def _restore(current: Current, desired: Desired) -> Iterable[Change]:
    data, asked = f"data directory {desired.directory}", desired.asked
    placed = current.kept and not current.staged and current.own.data == READY and current.asked == asked
    if not placed:
        if not (current.staged and current.asked == asked):
            yield Change(f"copy beside {data}", "create", None, f"restored to {asked.to}", data="stage")
        if desired.state == STAGED:
            return
        if not current.fenced:
            yield Change(f"fence of {current.own.name}", "create", None, "the server does not start", data="fence")
        if current.own.running or current.active:
            yield Change(f"service {desired.unit}", "stop", "running", "stopped", data="stop")
        before = None if current.own.data == ABSENT else "as it is, kept aside"
        yield Change(data, "update", before, f"restored to {asked.to}", data="place")
    elif desired.state == STAGED:
        return
    if not placed or current.fenced:
        yield Change(f"fence of {current.own.name}", "delete", "the server does not start", None, data="unfence")
    if not placed or not current.own.running:
        yield Change(f"service {desired.unit}", "start", "stopped", "running", data="start")
    yield Change(f"recovery of {current.own.name}", "run", None, f"ended at {asked.to}, takes writes", data="recover")


def _back(current: Current, desired: Desired) -> Iterable[Change]:
    """The old data takes its place again. What was written since the restore goes with what was restored."""
    if not current.kept:
        # It is there again already, or nothing was ever restored.
        if current.fenced or not current.own.running:
            yield from _up(current, desired)
        return
    if not current.fenced:
        yield Change(f"fence of {current.own.name}", "create", None, "the server does not start", data="fence")
    if current.own.running or current.active:
        yield Change(f"service {desired.unit}", "stop", "running", "stopped", data="stop")
    yield Change(f"data directory {desired.directory}", "update", "restored", "as before the restore", data="unplace")
    yield from _up(current, desired, fenced=True)


def _up(current: Current, desired: Desired, fenced: bool = False) -> Iterable[Change]:
    if current.fenced or fenced:
        yield Change(f"fence of {current.own.name}", "delete", "the server does not start", None, data="unfence")
    yield Change(f"service {desired.unit}", "start", "stopped", "running", data="start")
    yield Change(f"server of {current.own.name}", "run", None, "takes writes", data="serve")


def _finish(current: Current, desired: Desired) -> Iterable[Change]:
    if current.asked is not None and not current.done:
        raise EstateError(
            f"the restore to {current.asked.to} is not through: run it again with the same words; nothing was removed"
        )
    if current.kept:
        yield Change(f"data of before the restore, beside {desired.directory}", "delete", "kept", None, data="finish")
