# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving a member between roles: fenced, promoted, brought back. Pure: no I/O, no Ansible.

A position is a place in the write-ahead log as PostgreSQL writes it ("0/3000148"). `last_record` is where the last
whole record on the disk of a stopped member begins: whoever has replayed beyond it has all that member ever wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access import slot_name
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import (
    PRIMARY,
    READY,
    STANDBY,
    Instance,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import lsn
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

FENCED, RESUMED, SETTLED = "fenced", "resumed", "settled"
NEVER, REWIND, CLONE, ANEW = "never", "rewind", "clone", "anew"
LAG_BYTES = 16 * 1024 * 1024
"""A standby further behind than one WAL segment would keep everybody waiting in a switchover."""


@dataclass(frozen=True)
class Own:
    """This host's member. fenced: its unit may not start; active: its unit runs, or is about to start.

    history: (timeline, position at which it was left), oldest first, of the timelines before its own.
    torn: a rewind of its data directory was cut short; links: by standby that streams from it, bytes it is behind;
    before the fence of a lost primary those that were heard just now.
    slots: names of the replication slots it has; position: how far a running standby has received the log.
    degraded: it waits for no standby although durability is strict; proven: the timeline for which a commit that a
    standby acknowledged says that strict is in force; shortfalls: what else keeps commits from waiting, in words.
    """

    instance: Instance
    fenced: bool = False
    active: bool = False
    last_record: str | None = None
    position: str | None = None
    history: tuple[tuple[int, str], ...] = ()
    slots: frozenset[str] = frozenset()
    torn: bool = False
    links: Mapping[str, int] = field(default_factory=dict)
    degraded: bool = False
    proven: int | None = None
    shortfalls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Leader:
    """The primary as another member sees it; history as in Own."""

    system_identifier: str
    timeline: int
    history: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Desired:
    """What this member is to become.

    state: fenced (stopped, and not started by anything but a later order), resumed (as it was, without the fence),
    primary (promoted), standby (follows the leader), settled (in the role it has, with what belongs to that).
    others: names of the other members; each has a slot on a primary.
    rejoin: what may be done to a data directory that went its own way: never, rewind, clone.
    successor: the standby that is to take over from a running primary before that is fenced.
    strict: commits of a primary wait for a standby; lost: this is about the loss of a primary; alone: which left no
    standby to wait for.
    """

    state: str
    unit: str
    directory: str
    others: tuple[str, ...] = ()
    rejoin: str = NEVER
    successor: str | None = None
    strict: bool = False
    lost: bool = False
    alone: bool = False


def diverged(own: Own, leader: Leader) -> str | None:
    """Where the leader's history leaves this member's, if the member has written beyond that; None when it can follow.

    Raises EstateError for another cluster, and for a member whose log could not be read to its end.
    """
    member = own.instance
    if member.system_identifier != leader.system_identifier:
        raise EstateError(
            f"{member.describe()} is another cluster than the primary's (system {leader.system_identifier}); "
            "nothing is changed"
        )
    for (timeline, left), (theirs, they_left) in zip(
        [*own.history, (member.timeline, None)], [*leader.history, (leader.timeline, None)]
    ):
        if timeline != theirs:
            return left or they_left or "0/0"
        if left == they_left:
            continue
        if left is not None:
            # This member changed its timeline where the leader did not: it was promoted by itself.
            return left if they_left is None or lsn(left) < lsn(they_left) else they_left
        if member.running:
            return they_left if own.position is not None and lsn(own.position) > lsn(they_left) else None
        if own.last_record is None:
            raise EstateError(f"{member.describe()}: the end of its log cannot be read, so nobody knows what it wrote")
        return they_left if lsn(own.last_record) >= lsn(they_left) else None
    return None


def plan(own: Own, desired: Desired, leader: Leader | None = None) -> list[Change]:
    """The steps, in order; the data of each Change names it for apply(). EstateError where one could cost data."""
    if own.instance.data != READY:
        raise EstateError(f"{own.instance.describe()} holds no cluster; the playbook data makes or clones one")
    steps = {FENCED: _fence, RESUMED: _resume, PRIMARY: _promote, STANDBY: _follow, SETTLED: _settle}[desired.state]
    return list(steps(own, desired, leader))


def _fence(own: Own, desired: Desired, leader: Leader | None) -> Iterable[Change]:
    """The fence first: a server that stops or dies between the two steps stays down.

    A unit that is about to start has passed its conditions already: it is stopped, too. Of a lost primary nothing is
    waited for. The detail `refused` tells a refusal from a host that is broken.
    """
    if desired.lost and own.instance.role == STANDBY and own.instance.running:
        raise EstateError(
            f"{own.instance.name} is a standby that runs, not a lost primary; it leaves by the playbook remove_standby",
            refused=True,
        )
    if desired.lost and own.links:
        raise EstateError(
            f"{own.instance.name} is not lost, it is alive: {', '.join(sorted(own.links))} streams from it; use the "
            "playbook switchover",
            refused=True,
        )
    lag = own.links.get(desired.successor or "")
    if desired.successor and own.instance.running and own.instance.role == PRIMARY and (lag is None or lag > LAG_BYTES):
        how = "does not stream from it" if lag is None else f"is {lag} bytes behind, more than {LAG_BYTES}"
        raise EstateError(f"{own.instance.name} goes on as primary: {desired.successor} {how}")
    if not own.fenced:
        yield Change(f"fence of {own.instance.name}", "create", None, "the server does not start", data="fence")
    if own.instance.running or own.active:
        how = "halt" if desired.lost else "stop"
        yield Change(f"service {desired.unit}", "stop", "running", "stopped", data=how)


def _resume(own: Own, desired: Desired, leader: Leader | None) -> Iterable[Change]:
    if own.fenced:
        yield Change(f"fence of {own.instance.name}", "delete", "the server does not start", None, data="unfence")
    if not own.instance.running:
        if desired.lost:
            # It ran until the run that stopped it, and nobody was promoted: a member that is down may not keep it down.
            yield Change(f"start of {desired.unit}", "run", None, "permitted: no other is primary", data="permit")
        yield Change(f"service {desired.unit}", "start", "stopped", "running", data="start")


def _promote(own: Own, desired: Desired, leader: Leader | None) -> Iterable[Change]:
    if own.instance.role == STANDBY:
        if not own.instance.running or own.fenced:
            raise EstateError(f"{own.instance.describe()} does not run: only a running standby can be promoted")
        yield Change(f"member {own.instance.name}", "update", STANDBY, PRIMARY, data="promote")
    elif not own.instance.running:
        raise EstateError(f"{own.instance.describe()} is stopped; the playbook data starts it, or refuses for a reason")
    elif desired.lost and own.proven == own.instance.timeline:
        raise EstateError(
            f"{own.instance.name} is primary and its writes wait for a standby, as the estate's file says: nothing was "
            "lost; to go on without one write durability: available and run data"
        )
    missing = sorted({slot_name(name) for name in desired.others} - own.slots)
    if missing:
        yield Change("replication slots", "create", None, ", ".join(missing), data="slots")
    if desired.strict and desired.alone and not own.links and not own.degraded:
        # Nobody is left to wait for: the estate goes on, and is strict again as soon as a standby is back.
        yield Change("durability", "update", "strict", "available until a standby is back", data="degrade")


def _settle(own: Own, desired: Desired, leader: Leader | None) -> Iterable[Change]:
    """That strict is in force is written, for this timeline, by a commit that a standby has acknowledged.

    It is what a later failover trusts: a promotion begins another timeline, for which the last proof does not count.
    """
    if own.instance.role != PRIMARY:
        return
    if desired.strict and own.degraded and own.links:
        yield Change("durability", "update", "available until a standby is back", "strict", data="restore")
    if not desired.strict or own.shortfalls:
        if own.proven is not None:
            yield Change("proof of durability", "delete", f"timeline {own.proven}", None, data="revoke")
    elif own.links and own.proven != own.instance.timeline:
        yield Change("proof of durability", "update", own.proven, f"timeline {own.instance.timeline}", data="prove")


def _follow(own: Own, desired: Desired, leader: Leader | None) -> Iterable[Change]:
    if leader is None:
        raise EstateError(f"{own.instance.describe()} has nobody to follow: no other member is primary")
    if own.instance.role == PRIMARY and own.instance.running:
        raise EstateError(f"{own.instance.describe()} takes writes; fence it before it follows another primary")
    if own.active and not own.instance.running:
        # Its guard refuses it every few seconds; a start under way now would be taken for ours, and so its refusal.
        yield Change(f"service {desired.unit}", "stop", "starting", "stopped", data="stop")
    anew = desired.rejoin == ANEW
    fork = None if anew else "an unknown position" if own.torn else diverged(own, leader)
    parts = anew or fork is not None
    if parts:
        steps = list(_part(own, desired, leader, fork))
        if own.instance.running:
            yield Change(f"service {desired.unit}", "stop", "running", "stopped", data="stop")
        yield from steps
    # A clone is a standby already; whatever is done again here does no harm.
    if own.instance.role == PRIMARY or parts:
        yield Change(f"member {own.instance.name}", "update", own.instance.role, STANDBY, data="follow")
    if own.fenced:
        yield Change(f"fence of {own.instance.name}", "delete", "the server does not start", None, data="unfence")
    if not own.instance.running or parts:
        yield Change(f"service {desired.unit}", "start", "stopped", "running", data="start")
    if kept := sorted({slot_name(name) for name in desired.others} & own.slots):
        # Nobody streams from a standby: its slots would keep WAL for ever.
        yield Change("replication slots", "delete", ", ".join(kept), None, data="drop_slots")


def _part(own: Own, desired: Desired, leader: Leader, fork: str | None) -> Iterable[Change]:
    """What to do with a data directory that holds what the primary never had, or is made anew whatever it holds."""
    if desired.rejoin == ANEW:
        before = f"as it is, timeline {own.instance.timeline}"
        yield Change(f"data directory {desired.directory}", "update", before, "base backup of the primary", data=CLONE)
        return
    if own.torn and desired.rejoin != CLONE:
        raise EstateError(
            f"{own.instance.name}: a rewind was cut short and its data is of no use; run with -e method=clone"
        )
    extra = f"timeline {own.instance.timeline} beyond {fork}, which the primary never had"
    if desired.rejoin == NEVER:
        raise EstateError(
            f"{own.instance.describe()} wrote {extra} (its last record is at {own.last_record}); to give that up, run "
            "the playbook rejoin with -e method=rewind (copies what differs) or -e method=clone (copies everything)"
        )
    how = {REWIND: "rewound to the primary's history", CLONE: "base backup of the primary"}[desired.rejoin]
    yield Change(f"data directory {desired.directory}", "update", extra, how, data=desired.rejoin)
