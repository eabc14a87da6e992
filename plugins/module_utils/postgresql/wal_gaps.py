# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""WAL that an archive lacks between its backups and its end. Pure: no I/O, no Ansible.

Names of segments are those of PostgreSQL's src/include/access/xlog_internal.h, for segments of 16 MiB, which ours have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import (
    SEGMENT_BYTES,
    SEGMENTS,
    lsn,
    parse_history,
    segment,
)

SEGMENT = re.compile(r"(?:^|/)([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Place:
    """One segment: its number, then its timeline, so that places are ordered as the log is."""

    number: int
    timeline: int

    @property
    def name(self) -> str:
        """Its file's name."""
        return f"{self.timeline:08X}{self.number // SEGMENTS:08X}{self.number % SEGMENTS:08X}"


@dataclass(frozen=True)
class Gap:
    """Segments that are missing, and how many. open: the newest backup needs them, so nothing later can be restored."""

    first: str
    last: str
    count: int
    open: bool


def place(name: str) -> Place:
    """The place of a segment's name."""
    return Place(segment(name), int(name[:8], 16))


def segments(listed: str) -> set[Place]:
    """What a recursive list of an archive holds; other files are no segments."""
    return {place(name) for name in SEGMENT.findall(listed)}


def branches(history: str, last: int) -> list[tuple[int, int]]:
    """Timelines up to the last, oldest first, each with the segment from which the next one goes on."""
    found = [(timeline, lsn(left) // SEGMENT_BYTES) for timeline, left in parse_history(history)]
    return [*found, (last, 1 << 62)]


def newest(held: set[Place]) -> int:
    """The timeline that goes on."""
    return max((one.timeline for one in held), default=1)


def find(held: set[Place], history: str, begins: Iterable[str]) -> list[Gap]:
    """The gaps on the newest timeline's path, oldest first.

    held: all segments of the archive. history: the file of the newest timeline, empty for the first. begins: each
    backup's first segment.
    """
    path = branches(history, newest(held))
    needed = sorted(begin for begin in map(place, begins) if _on(path, begin))
    if not needed:
        return []
    end = max((one.number for one in held if _on(path, one)), default=needed[0].number)
    missing = [
        wanted
        for number in range(needed[0].number, end + 1)
        if (wanted := Place(number, _timeline(path, number))) not in held
    ]
    return [_gap(run, needed[-1]) for run in _runs(missing)]


def unreached(held: set[Place], history: str) -> str | None:
    """Where a recovery to the end of the log ended before it, in an operator's words; None where it came to the end.

    PostgreSQL takes the first segment that it does not get for the end. held: all segments of the archives. history:
    the file of the timeline that the recovery began; its last line says which branch was followed, and to where.
    """
    parents = parse_history(history)
    if not parents:
        return None
    *before, (followed, left) = parents
    path = [*((timeline, lsn(end) // SEGMENT_BYTES) for timeline, end in before), (followed, 1 << 62)]
    # A place between two segments is the end of the first.
    last = (lsn(left) - 1) // SEGMENT_BYTES
    later = [one for one in held if one.number > last and _on(path, one)]
    if not later:
        return None
    wanted = [Place(number, _timeline(path, number)) for number in range(last + 1, max(later).number)]
    missing = next((one.name for one in wanted if one not in held), None)
    why = (
        f"segment {missing} is in no store"
        if missing
        else "none of them is missing now, so a store was away, or the log is damaged there"
    )
    return (
        f"recovery ended at {left}, in segment {Place(last, _timeline(path, last)).name}, and the stores hold more of "
        f"that log, to {max(later).name} (segments: {len(later)}): {why}"
    )


def _timeline(path: Sequence[tuple[int, int]], number: int) -> int:
    """Which timeline's segment of this number is on the path: the one in which a branch begins is the branch's."""
    return next(timeline for timeline, until in path if number < until)


def _on(path: Sequence[tuple[int, int]], one: Place) -> bool:
    return _timeline(path, one.number) == one.timeline


def _runs(missing: Sequence[Place]) -> list[list[Place]]:
    runs: list[list[Place]] = []
    for one in missing:
        if runs and runs[-1][-1].number + 1 == one.number:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _gap(run: Sequence[Place], last_backup: Place) -> Gap:
    return Gap(run[0].name, run[-1].name, len(run), run[-1] >= last_backup)
