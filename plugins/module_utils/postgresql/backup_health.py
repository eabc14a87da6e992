# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of a cluster's archive and backups. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import backup
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.store_lock import Lock
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal_gaps import Gap
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control, EstateError

HOUR = 3600
BINDING = ("COMPLIANCE", "LOCKED")
"""Modes that no credential ends early: of S3's Object Lock, and of Azure's immutability policy once it is locked."""


@dataclass(frozen=True)
class Limits:
    """Thresholds. An operator's own replace them by name."""

    max_age_hours: float = 30
    """A day's backup, its jitter, its duration, and two hours for an attempt that had to be repeated."""
    max_full_age_days: float = 9
    """A week, and the two days in which a full backup that failed is made up for."""
    max_waiting_segments: int = 64
    """Segments (16 MiB) not archived yet: 1 GiB, long before the queue's cap."""
    max_archive_delay_s: float = 300
    """Since something was to be archived and nothing was: five times the default archive_timeout."""
    min_credential_days: float = 14
    """Until a store's credentials end: time for whoever issues new ones, a holiday included."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Limits:
        """With an operator's own; a name that is none is refused."""
        known = {one.name: one for one in fields(cls)}
        wrong = sorted(set(given) - set(known))
        if wrong:
            raise EstateError(f"limits: {', '.join(wrong)} is none of {', '.join(known)}")
        return cls(**{name: float(value) for name, value in given.items()})


@dataclass(frozen=True)
class Archiver:
    """The primary's archiver. Times since the epoch, None for never.

    waiting: segments that no store has taken yet; oldest_waiting_s: for how long the first of them.
    dropped: what the queue's cap has cost last; problem: what pgBackRest said of the one it could not store.
    """

    mode: str
    command: str
    archived: int | None = None
    failed: int | None = None
    last_failed: str | None = None
    waiting: int = 0
    oldest_waiting_s: float = 0
    dropped: str | None = None
    dropped_at: float = 0
    problem: str | None = None


@dataclass(frozen=True)
class Seen:
    """What was read on one host. archiver: None where no primary runs, as nobody else archives.

    keeper: it is the one that makes the backups, so that their age is its affair. gaps: store → what its archive lacks,
    of stores that were looked through.
    """

    account: backup.Account
    now: float
    archiver: Archiver | None = None
    locks: Mapping[int, Lock] = field(default_factory=dict)
    keeper: bool = False
    gaps: Mapping[int, Sequence[Gap]] = field(default_factory=dict)


def controls(seen: Seen, stores: Sequence[int], stanza: str, lock_days: Mapping[int, int]) -> list[Control]:
    """What must hold before anything else may go on: stores that answer, an archive that is on, the lock."""
    found = list(_stores(seen, stores))
    if seen.archiver:
        command = backup.archive_command(stanza)
        told = [seen.archiver.mode, seen.archiver.command]
        hint = "run data, which restarts in the right order"
        found.append(
            Control.check("backup.archive.on", "The server archives to this stanza", told, ["on", command], hint)
        )
    for number in stores:
        found += _lock(seen.locks.get(number), number, lock_days.get(number, 0))
    return found


def moments(stores: Sequence[int], given: Sequence[str]) -> dict[int, float]:
    """Store → when its credentials end, since the epoch; a store without such a time is left out."""
    found = {}
    for number, text in zip(stores, given):
        try:
            moment = datetime.fromisoformat(text) if text else None
        except ValueError:
            raise EstateError(f"credential_ends: {text} is no time such as 2030-01-31T00:00:00+00:00") from None
        if moment:
            found[number] = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    return found


def vitals(seen: Seen, stores: Sequence[int], limits: Limits, ends: Mapping[int, float]) -> list[Control]:
    """What shows in time: age, damage, credentials that end, and an archiver that does not get through.

    ends: store → when its credentials do.
    """
    found: list[Control] = []
    for number in stores if seen.keeper else ():
        found += _ages(seen, number, limits)
        damaged = sorted(one.label for one in seen.account.backups if one.store == number and one.damaged)
        hint = "pages failed their checksum while they were copied: see /var/log/estate-keeper, then make a full backup"
        title = f"No backup in store {number} has damaged pages"
        found.append(Control.check(f"backup.{number}.damaged", title, damaged, [], hint))
        found.append(_credential(number, ends.get(number), seen.now, limits))
    for number, gaps in sorted(seen.gaps.items()):
        hint = "no moment after it can be restored from this store: make a backup now (playbook backup)"
        title = f"The archive in store {number} goes on from the last backup without a gap"
        lost = [f"{gap.first} to {gap.last}" for gap in gaps if gap.open]
        found.append(Control.check(f"backup.{number}.gap", title, lost, [], hint))
    return found + ([*_archiver(seen.archiver, limits), _dropped(seen, stores)] if seen.archiver else [])


def _stores(seen: Seen, stores: Sequence[int]) -> Iterator[Control]:
    for number in stores:
        store = seen.account.of(number)
        answer = "ok" if store.code in (backup.OK, backup.NO_BACKUP) else " ".join(store.message.split())
        hint = "address, certificate, credentials, and the clock of this host; then run backups"
        title = f"Store {number} answers and knows this cluster"
        yield Control.check(f"backup.{number}.store", title, answer, "ok", hint)


def _ages(seen: Seen, number: int, limits: Limits) -> Iterator[Control]:
    for name, kinds, limit, unit, most in (
        ("age", backup.TYPES, limits.max_age_hours * HOUR, HOUR, f"{limits.max_age_hours:g} h"),
        ("full_age", ("full",), limits.max_full_age_days * 24 * HOUR, 24 * HOUR, f"{limits.max_full_age_days:g} days"),
    ):
        newest = seen.account.newest(number, *kinds)
        what = "last full backup" if name == "full_age" else "last backup"
        age = seen.now - newest.ended if newest else None
        word = most.rpartition(" ")[2]
        yield Control(
            f"backup.{number}.{name}",
            f"The {what} in store {number} is recent",
            "pass" if age is not None and age <= limit else "fail",
            "none" if age is None else f"{age / unit:.1f} {word}",
            f"at most {most}",
            ""
            if age is not None and age <= limit
            else "run backup, and look at journalctl -u 'estate-backup@*' on the keeper",
        )


def _credential(number: int, end: float | None, now: float, limits: Limits) -> Control:
    """That they have ended is no reason to stop a run: the store tells that itself, and a run brings new ones."""
    name, title = f"backup.{number}.credential", f"The credentials of store {number} do not end soon"
    expected = f"at least {limits.min_credential_days:g} days"
    if end is None:
        reason = "keys and directories have no end; that of a stored access policy is to be watched in Azure"
        return Control(name, title, "exempt", "no end known", expected, reason)
    left, day = (end - now) / (24 * HOUR), f"{datetime.fromtimestamp(end, timezone.utc):%Y-%m-%d %H:%M} UTC"
    holds = left >= limits.min_credential_days
    hint = (
        f"archiving stops when they end: issue new SAS, write them into the vault (backup_{number}_host, "
        f"backup_{number}_keeper), run backups, then filestore"
    )
    observed = f"{left:.1f} days, until {day}" if left > 0 else f"ended {-left:.1f} days ago, {day}"
    return Control(name, title, "pass" if holds else "fail", observed, expected, "" if holds else hint)


def _archiver(archiver: Archiver, limits: Limits) -> Iterator[Control]:
    stuck = archiver.problem or (
        archiver.last_failed if archiver.failed and archiver.failed > (archiver.archived or 0) else None
    )
    yield Control.check(
        "backup.archive.failing",
        "The archiver gets through",
        stuck,
        None,
        "it tries again by itself: find out why the store does not take it",
    )
    most = int(limits.max_waiting_segments)
    yield Control(
        "backup.archive.waiting",
        "Few segments of WAL wait for the archive",
        "pass" if archiver.waiting <= most else "fail",
        archiver.waiting,
        f"at most {most}",
        "" if archiver.waiting <= most else "the store is away or slow; at wal_queue_mb WAL is dropped",
    )
    late = archiver.oldest_waiting_s > limits.max_archive_delay_s
    yield Control(
        "backup.archive.delay",
        "What waits for the archive has not waited long",
        "fail" if late else "pass",
        f"{archiver.oldest_waiting_s:.0f} s",
        f"at most {limits.max_archive_delay_s:g} s",
        "this is what a lost primary would cost now" if late else "",
    )


def _dropped(seen: Seen, stores: Sequence[int]) -> Control:
    """Over once every store has a backup that began later."""
    lost, at = seen.archiver.dropped, seen.archiver.dropped_at
    newest = [seen.account.newest(number) for number in stores]
    over = all(one is not None and one.began > at for one in newest)
    return Control.check(
        "backup.archive.dropped",
        "No WAL was dropped at the queue's cap",
        None if over else lost,
        None,
        "there is no restoring to a time after it and before the next backup: make one now (playbook backup)",
    )


def _lock(lock: Lock | None, number: int, wanted: int) -> Iterator[Control]:
    name, title = f"backup.{number}.lock", f"Store {number} lets nobody delete what was written"
    if lock is None:
        return
    told = f"{lock.mode}, {lock.days} days" if lock.mode else lock.error or "no lock"
    if not wanted:
        yield Control(name, title, "exempt", told, "not asked for", "the specification asks for no lock (lock_days)")
        return
    holds = lock.mode in BINDING and lock.days >= wanted
    hint = (
        "Object Lock with a default retention in mode COMPLIANCE, or a locked immutability policy; or write lock_days"
    )
    yield Control(name, title, "pass" if holds else "fail", told, f"at least {wanted} days", "" if holds else hint)


def summary(seen: Seen, stores: Sequence[int]) -> list[str]:
    """What an operator wants to know, a line each: every backup, newest first, the archive, the lock."""
    lines = []
    for number in stores:
        store = seen.account.of(number)
        if store.code not in (backup.OK, backup.NO_BACKUP):
            lines.append(f"store {number}: {' '.join(store.message.split())}")
        own = sorted((one for one in seen.account.backups if one.store == number), key=lambda one: -one.ended)
        lines += [
            f"store {number}: {one.type} {one.label}, {(seen.now - one.ended) / HOUR:.1f} h ago, took "
            f"{one.ended - one.began} s, {_bytes(one.stored)} of {_bytes(one.size)}{', damaged' if one.damaged else ''}"
            for one in own
        ] or [f"store {number}: no backup"]
        lines += [
            f"store {number}: WAL {archive['id']} from {archive['first']} to {archive['last']}"
            for archive in seen.account.archives.get(number, ())
        ]
        lines += [
            f"store {number}: {gap.count} segments of WAL are missing, {gap.first} to {gap.last}: no moment from these "
            f"to the next backup can be restored{', and there is none yet' if gap.open else ''}"
            for gap in seen.gaps.get(number, ())
        ]
        lock = seen.locks.get(number)
        if lock:
            said = f"{lock.mode}, {lock.days} days" if lock.mode else lock.error or "none"
            lines.append(f"store {number}: lock {said}")
    if seen.archiver:
        lines.append(
            f"archiver: {seen.archiver.waiting} segments wait, the oldest for {seen.archiver.oldest_waiting_s:.0f} s"
        )
    return lines + (["a backup runs"] if seen.account.busy else [])


def _bytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
