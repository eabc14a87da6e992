# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls a member of the cluster is held to, judged on what its server says. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access import SLOT_PREFIX, slot_name
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY, Instance, Pending
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control


@dataclass(frozen=True)
class Status:
    """What a running server says. The keys of the mappings are the columns of the queries in status.py."""

    summary: Mapping[str, Any]
    vitals: Mapping[str, Any]
    replication: tuple[Mapping[str, Any], ...] = ()
    slots: tuple[Mapping[str, Any], ...] = ()
    receiver: Mapping[str, Any] | None = None
    pending: tuple[Pending, ...] = ()
    errors: tuple[str, ...] = ()
    rules_without_tls: int = 0
    durability: tuple[Mapping[str, str], ...] = ()

    @property
    def position(self) -> str | None:
        """How far a standby has received or replayed the log, whichever is more; None on a primary."""
        return self.summary["position"]


@dataclass(frozen=True)
class Limits:
    """Beyond these a control fails: above a `max_`, below a `min_`. The module's `limits` have each name and default.

    max_lag_bytes, max_lag_seconds: of each standby; four WAL segments of 16 MiB, and a wal_receiver_timeout.
    max_connections_percent: of max_connections; the last tenth is for people who look what is wrong.
    min_wal_free_bytes, min_wal_free_percent: of the file system that holds pg_wal; a full one stops the server.
    1 GiB is 64 segments.
    min_slot_bytes: WAL that may still be written before a slot loses what its standby needs; a quarter of the plan's
    max_slot_wal_keep_size.
    max_transaction_seconds, max_idle_seconds: the plan's statement_timeout and idle_in_transaction_session_timeout;
    what is older has escaped them.
    max_freeze_percent: of autovacuum_freeze_max_age (or its multixact twin). At 100 autovacuum begins, whatever else it
    has to do; half as much again means that it does not get through.
    max_wraparound_percent: of the 2^31 transactions after which the server stops taking writes. At 75
    (vacuum_failsafe_age) vacuum drops everything else; 50 leaves the time to find out why.
    """

    max_lag_bytes: int = 64 * 1024 * 1024
    max_lag_seconds: float = 30
    max_connections_percent: int = 90
    min_wal_free_bytes: int = 1024 * 1024 * 1024
    min_wal_free_percent: int = 10
    min_slot_bytes: int = 1024 * 1024 * 1024
    max_transaction_seconds: int = 3600
    max_idle_seconds: int = 600
    max_freeze_percent: int = 150
    max_wraparound_percent: int = 50


LIMITS = {field.name: {"type": field.type, "default": field.default} for field in fields(Limits)}
"""The limits as options of a module: annotations are text here, and named as Ansible names types."""
_ON = ("on", "true", "yes", "1")
DURABLE = {"fsync": _ON, "full_page_writes": _ON, "synchronous_commit": (*_ON, "remote_apply")}
"""The settings by which an acknowledged commit may be lost, and the values by which a standby has it on disk, too."""
ON_PRIMARY = ("local", "remote_write")
"""Values of synchronous_commit by which at least the primary has it on disk."""


def replicating(status: Status, standbys: tuple[str, ...]) -> bool:
    """Whether every link this member should have is up: all standbys on a primary, the receiver on a standby."""
    if status.summary["standby"]:
        return status.receiver is not None and status.receiver["status"] == "streaming"
    streaming = {row["member"] for row in status.replication if row["state"] == "streaming"}
    return streaming >= set(standbys)


def shortfalls(status: Status, *, synchronous: bool) -> list[str]:
    """Where a setting lets an acknowledged commit be lost in a crash or, with `synchronous`, with its primary."""
    enough = DURABLE if synchronous else {**DURABLE, "synchronous_commit": DURABLE["synchronous_commit"] + ON_PRIMARY}
    return [
        f"{said['name']} = {said['value']} ({said['place']})"
        for said in status.durability
        if said["value"].lower() not in enough[said["name"]]
    ]


def kept_from_waiting(status: Status, degraded: bool) -> tuple[str, ...]:
    """What keeps commits from waiting for a standby, apart from what a failover did by itself."""
    unnamed = not degraded and not status.summary["synchronous_standby_names"]
    found = shortfalls(status, synchronous=True)
    return (*found, "synchronous_standby_names is empty") if unnamed else tuple(found)


def links(status: Status) -> dict[str, int]:
    """By standby that streams, the bytes it is behind."""
    return {row["member"]: row["lag_bytes"] for row in status.replication if row["state"] == "streaming"}


def controls(
    instance: Instance,
    status: Status | None,
    standbys: tuple[str, ...],
    limits: Limits,
    *,
    synchronous: bool = False,
    slot_prefix: str = SLOT_PREFIX,
) -> list[Control]:
    """What must hold before members are moved; `standbys` are the others, which must stream from it if it is primary.

    synchronous: a commit must wait for one of them. slot_prefix: what the names of their slots begin with.
    """
    here = instance.name
    title = f"PostgreSQL runs on {here}"
    if status is None:
        reason = "see /var/log/postgresql, start the unit" if instance.data == "ready" else "run the data playbook"
        return [Control("postgresql.server.running", title, "fail", instance.describe(), "running", reason)]
    found = [
        Control.check("postgresql.server.running", title, True, True),
        *_server(status, synchronous),
    ]
    if instance.role == PRIMARY:
        if synchronous:
            found.append(_synchronous(status))
        for standby in standbys:
            found += _standby_of_primary(status, standby, slot_name(standby, slot_prefix), limits)
        return found
    return found + _standby(status, here, limits)


def _server(status: Status, synchronous: bool) -> list[Control]:
    summary = status.summary
    pending = [setting.name for setting in status.pending]
    return [
        Control.check("postgresql.tls.enabled", "TLS is on", summary["ssl"], "on"),
        Control.check("postgresql.tls.only", "No pg_hba rule admits plain connections", status.rules_without_tls, 0),
        Control.check("postgresql.checksums", "Data pages carry checksums", summary["data_checksums"], "on"),
        Control.check("postgresql.scram", "New passwords are SCRAM", summary["password_encryption"], "scram-sha-256"),
        Control.check(
            "postgresql.configuration.valid", "The server accepts its configuration", list(status.errors), []
        ),
        Control.check(
            "postgresql.configuration.effective",
            "No setting waits for a restart",
            pending,
            [],
            "run the data playbook: it restarts standbys and primary in the right order",
        ),
        Control.check(
            "postgresql.durability",
            f"No setting acknowledges a commit before {'a standby' if synchronous else 'the disk'} has it",
            shortfalls(status, synchronous=synchronous),
            [],
            "take it out where it stands: a file (reload), ALTER SYSTEM RESET, ALTER DATABASE or ALTER ROLE … RESET",
        ),
    ]


def vitals(status: Status, limits: Limits) -> list[Control]:
    """What a person should know of a member, and what is no reason to leave it, or its cluster, as it is."""
    seen = status.vitals
    used = 100 * status.summary["connections"] // status.summary["max_connections"]
    longest, idle = seen["oldest_transaction"] or {}, seen["oldest_idle"] or {}
    slot = min(
        (row for row in status.slots if row["safe_wal_bytes"] is not None),
        key=lambda row: row["safe_wal_bytes"],
        default=None,
    )
    found = [
        _at_most("postgresql.connections", "Connections in use, per cent", used, limits.max_connections_percent),
        Control.check("postgresql.checksums.failures", "No page failed its checksum", seen["checksum_failures"], 0),
        _at_least(
            "postgresql.wal.free_bytes",
            "Bytes free where the WAL lies",
            seen["wal_free_bytes"],
            limits.min_wal_free_bytes,
        ),
        _at_least(
            "postgresql.wal.free_percent",
            "Free part of the file system where the WAL lies, per cent",
            seen["wal_free_percent"],
            limits.min_wal_free_percent,
        ),
        _at_most(
            "postgresql.transactions.oldest",
            "Age of the oldest transaction, seconds",
            longest.get("seconds", 0),
            limits.max_transaction_seconds,
            _session(longest),
        ),
        _at_most(
            "postgresql.transactions.idle",
            "Longest idling inside a transaction, seconds",
            idle.get("seconds", 0),
            limits.max_idle_seconds,
            _session(idle),
        ),
        _at_most(
            "postgresql.wraparound.freeze",
            "Age of the oldest row that is not frozen, per cent of where autovacuum begins",
            seen["freeze_percent"],
            limits.max_freeze_percent,
        ),
        _at_most(
            "postgresql.wraparound.stop",
            "The same age, per cent of where the server stops",
            seen["wraparound_percent"],
            limits.max_wraparound_percent,
        ),
    ]
    if slot:
        # Without a bound a slot loses nothing and the disk fills instead: that is another control's matter.
        title = "Bytes of WAL until a slot loses what its standby needs"
        found.append(
            _at_least("postgresql.wal.slots", title, slot["safe_wal_bytes"], limits.min_slot_bytes, slot["name"])
        )
    return found


def _session(session: Mapping[str, Any]) -> str:
    return f"pid {session['pid']}, role {session['role']}, application {session['application']!r}" if session else ""


def _synchronous(status: Status) -> Control:
    """With nobody to wait for, PostgreSQL either does not wait or waits for ever; neither is what was asked for."""
    named = bool(status.summary["synchronous_standby_names"])
    waited_for = [row["member"] for row in status.replication if row["sync_state"] in ("sync", "quorum")]
    observed = f"waits for {', '.join(waited_for)}" if named and waited_for else "nobody waited for"
    return Control(
        "postgresql.replication.synchronous",
        "A commit waits for a standby",
        "pass" if named and waited_for else "fail",
        observed,
        "at least one standby waited for",
        "" if named and waited_for else "bring a standby back" if named else "synchronous_standby_names is empty",
    )


def _standby_of_primary(status: Status, standby: str, slot_of_it: str, limits: Limits) -> list[Control]:
    key = f"postgresql.replication.{standby}"
    link = next((row for row in status.replication if row["member"] == standby), {})
    slot = next((row for row in status.slots if row["name"] == slot_of_it), {})
    return [
        Control.check(f"{key}.streaming", f"{standby} streams from here", link.get("state"), "streaming"),
        Control.check(f"{key}.tls", f"{standby} streams over TLS", link.get("ssl"), True),
        Control.check(f"{key}.slot", f"The slot of {standby} is in use and has its WAL", _slot(slot), "active"),
        _at_most(f"{key}.lag_bytes", f"Bytes {standby} is behind", link.get("lag_bytes"), limits.max_lag_bytes),
        _at_most(f"{key}.lag_seconds", f"Seconds {standby} is behind", link.get("lag_seconds"), limits.max_lag_seconds),
    ]


def _standby(status: Status, here: str, limits: Limits) -> list[Control]:
    receiver = status.receiver or {}
    lag = receiver.get("lag_bytes")
    return [
        Control.check("postgresql.standby.read_only", f"{here} refuses writes", status.summary["read_only"], "on"),
        Control.check("postgresql.standby.streaming", f"{here} receives WAL", receiver.get("status"), "streaming"),
        Control.check("postgresql.standby.verified", f"{here} verifies the primary", receiver.get("verify_full"), True),
        _at_most("postgresql.standby.lag_bytes", f"Bytes {here} has yet to replay", lag, limits.max_lag_bytes),
    ]


def _slot(slot: Mapping[str, Any]) -> str:
    if not slot:
        return "missing"
    if slot["wal_status"] == "lost":
        return "lost"
    return "active" if slot["active"] else "inactive"


def _at_most(id: str, title: str, observed: float | None, limit: float, reason: str = "") -> Control:
    holds = observed is not None and observed <= limit
    return Control(id, title, "pass" if holds else "fail", observed, f"at most {limit}", "" if holds else reason)


def _at_least(id: str, title: str, observed: float, limit: float, reason: str = "") -> Control:
    holds = observed >= limit
    return Control(id, title, "pass" if holds else "fail", observed, f"at least {limit}", "" if holds else reason)
