# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one member's data directory becomes: created, cloned, replaced, left, or refused. Pure: no I/O, no Ansible."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

ABSENT, READY, BROKEN, UNKNOWN = "absent", "ready", "broken", "unknown"
PRIMARY, STANDBY = "primary", "standby"

NEVER_LESS_THAN_PRIMARY = (
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
)
"""A standby whose value of one of these is below the primary's does not start."""


@dataclass(frozen=True)
class Instance:
    """One member as it was found.

    data: absent (no directory, or an empty one), ready, broken (something that is no cluster), unknown (not looked at).
    role: primary or standby by what the data directory says, stopped or not; None without data.
    state: the control file's own word ("in production", "shut down", …).
    aside: nothing is in place, but a cluster that pg_major_upgrade put aside.
    """

    name: str
    data: str = UNKNOWN
    role: str | None = None
    running: bool = False
    system_identifier: str | None = None
    timeline: int | None = None
    state: str | None = None
    aside: bool = False

    @classmethod
    def of(cls, name: str, found: dict[str, Any] | None) -> Instance:
        """From what postgresql_replication_info returned for that member; unknown without it."""
        known = {key: value for key, value in (found or {}).items() if key in cls.__dataclass_fields__}
        return cls(**{**known, "name": name})

    def describe(self) -> str:
        """For an operator: who, what, on which timeline."""
        if self.data != READY:
            return f"{self.name} ({self.data})"
        running = "running" if self.running else f"stopped, {self.state}"
        return f"{self.name} ({self.role}, timeline {self.timeline}, system {self.system_identifier}, {running})"


@dataclass(frozen=True)
class Pending:
    """A setting that waits for a restart: its value now and in the files, as text."""

    name: str
    now: str
    then: str


@dataclass(frozen=True)
class Current:
    """What the module read on this host.

    leftovers: directories of an interrupted run of ours, beside the data directory.
    hopeless: the primary said it no longer has the WAL this standby needs next.
    pending: settings that wait for a restart.
    primary_settings: the primary's values of NEVER_LESS_THAN_PRIMARY, as replayed into the control file.
    fenced: a switchover or failover stopped it for good; permitted: it may start as primary without asking the others.
    rival: Patroni runs here, though systemd is to start the server.
    """

    own: Instance
    leftovers: tuple[str, ...] = ()
    hopeless: bool = False
    pending: tuple[Pending, ...] = ()
    primary_settings: dict[str, int] = field(default_factory=dict)
    fenced: bool = False
    permitted: bool = False
    rival: bool = False


@dataclass(frozen=True)
class Desired:
    """What the plan wants of this member.

    role: what a bare member becomes while no other member holds data; reality rules afterwards.
    restart: carry out the restart that pending settings wait for.
    patroni: Patroni starts the server and says who is primary; one that a promotion left behind is its business.
    """

    role: str
    directory: str
    unit: str
    peers: tuple[Instance, ...] = ()
    restart: bool = False
    patroni: bool = False


def role_of(own: Instance, peers: tuple[Instance, ...], planned: str, patroni: bool = False) -> str:
    """The role this member has, or gets when it is bare. Raises EstateError where acting could cost data.

    Roles follow the cluster: after a failover the plan's first choice of a primary no longer matters.
    """
    _refuse_broken(own)
    holders = [peer for peer in peers if peer.data == READY]
    primaries = [peer for peer in holders if peer.role == PRIMARY]
    if own.data == READY:
        _refuse_strangers(own, holders)
        if not patroni:
            _refuse_rivals(own, peers)
        return own.role or PRIMARY
    if len(primaries) > 1:
        raise EstateError(f"two primaries: {_names(primaries)}; fence one and rejoin it before another member is added")
    if primaries:
        return STANDBY
    if holders:
        raise EstateError(
            f"{own.name} is bare and no member is primary, but {_names(holders)} holds the data: "
            "promote it (playbook failover) or restore; a new, empty cluster would hide it"
        )
    doubtful = [peer for peer in peers if peer.data != ABSENT]
    kept = [one.name for one in (own, *peers) if one.aside]
    if kept:
        raise EstateError(
            f"{own.name} is bare, but {', '.join(kept)} has a cluster that pg_major_upgrade put aside: run that "
            "playbook again, with the same words or with -e back=true; a new, empty cluster would hide it"
        )
    if planned == PRIMARY and doubtful:
        raise EstateError(
            f"{own.name} is bare; before a new cluster is made on it, {_names(doubtful)} must be seen to be bare too: "
            "run without --limit, with every database host reachable"
        )
    return planned


def plan(current: Current, desired: Desired) -> list[Change]:
    """The steps for this member, in order; the data of each Change names it for apply()."""
    role = role_of(current.own, desired.peers, desired.role, desired.patroni)
    if current.rival:
        raise EstateError(
            f"{current.own.describe()} is run by Patroni, and the specification says shape: streaming; nothing is "
            "changed: write shape: patroni, or take it out of Patroni's hands first (roles/postgresql/README.md)"
        )
    bare = current.own.data == ABSENT
    if current.fenced and not bare:
        raise EstateError(
            f"{current.own.describe()} is fenced: a switchover or failover stopped it for good; "
            "bring it back by the playbook rejoin"
        )
    resource = f"data directory {desired.directory}"
    changes = []
    if current.fenced:
        # Of a member that was removed, and its data with it. First, since afterwards it would count.
        changes.append(Change(f"fence of {current.own.name}", "delete", "no data behind it", None, data="unfence"))
    if bare and role == PRIMARY:
        changes.append(Change(resource, "create", None, "primary: new cluster", data="initialise"))
    elif bare:
        changes.append(Change(resource, "create", None, "standby: base backup of the primary", data="clone"))
    elif role == STANDBY and current.hopeless:
        before = "standby whose next WAL the primary no longer has"
        changes.append(Change(resource, "update", before, "standby: base backup of the primary", data="replace"))
    elif current.leftovers:
        changes.append(Change("leftovers of an interrupted run", "delete", ", ".join(current.leftovers), data="clean"))
    own = current.own
    starts_as_primary = own.data == READY and own.role == PRIMARY and not own.running
    if starts_as_primary and not current.permitted and not desired.patroni:
        # role_of() has seen every member: the server need not ask them again, some of which may not run yet.
        changes.append(Change(f"start of {desired.unit}", "run", None, "permitted: no other is primary", data="permit"))
    if desired.restart and current.pending and _restart_allowed(role, current):
        now = {setting.name: setting.now for setting in current.pending}
        then = {setting.name: setting.then for setting in current.pending}
        changes.append(Change(f"service {desired.unit}", "restart", now, then, data="restart"))
    return changes


def _restart_allowed(role: str, current: Current) -> bool:
    """Whether it would start again: a standby waits until the primary runs with the smaller value."""
    if role == PRIMARY:
        return True
    return all(
        int(setting.then) >= current.primary_settings.get(setting.name, 0)
        for setting in current.pending
        if setting.name in NEVER_LESS_THAN_PRIMARY
    )


def _refuse_broken(own: Instance) -> None:
    if own.data == BROKEN:
        raise EstateError(
            f"{own.name}: what lies below /var/lib/postgresql is no cluster of this version, and not nothing either; "
            "nothing is touched: write its version as estate_spec.postgresql.version, or upgrade it by the playbook "
            "pg_major_upgrade, or move it away once nobody needs it"
        )


def _refuse_strangers(own: Instance, holders: list[Instance]) -> None:
    strangers = [peer for peer in holders if peer.system_identifier != own.system_identifier]
    if strangers:
        raise EstateError(
            f"{own.describe()} and {_names(strangers)} are different clusters; nothing is changed: "
            "find out which one holds the estate's data and move the other's directory away"
        )


def _refuse_rivals(own: Instance, peers: tuple[Instance, ...]) -> None:
    """A primary beside another one, or behind a promotion."""
    holders = [peer for peer in peers if peer.data == READY]
    primaries = [peer for peer in holders if peer.role == PRIMARY]
    if own.role != PRIMARY:
        return
    # One that a promotion left behind, and that does not run, keeps nobody from starting.
    primaries = [peer for peer in primaries if peer.running or (peer.timeline or 0) >= (own.timeline or 0)]
    if primaries:
        raise EstateError(
            f"two primaries: {own.describe()} and {_names(primaries)}; nothing is changed: "
            "fence the one that must not be written to and bring it back by the playbook rejoin"
        )
    unseen = [peer for peer in peers if peer.data == UNKNOWN]
    if unseen and not own.running:
        raise EstateError(
            f"{own.describe()} is not started while {_names(unseen)} may have been promoted: run without --limit, "
            "with every database host reachable"
        )
    newer = [peer for peer in holders if (peer.timeline or 0) > (own.timeline or 0)]
    if newer:
        raise EstateError(
            f"{own.describe()} is behind {_names(newer)}: a promotion happened elsewhere; nothing is changed: "
            "fence it and bring it back by the playbook rejoin"
        )


def _names(instances: list[Instance]) -> str:
    return ", ".join(instance.describe() for instance in instances)
