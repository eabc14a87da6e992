# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls a member of the cluster is held to, judged on what its server says. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access import slot_name
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import PRIMARY, Instance, Pending
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control


@dataclass(frozen=True)
class Status:
    """What a running server says. The keys of the mappings are the columns of the queries in status.py."""

    summary: Mapping[str, Any]
    replication: tuple[Mapping[str, Any], ...] = ()
    slots: tuple[Mapping[str, Any], ...] = ()
    receiver: Mapping[str, Any] | None = None
    pending: tuple[Pending, ...] = ()
    errors: tuple[str, ...] = ()
    rules_without_tls: int = 0

    @property
    def position(self) -> str | None:
        """How far a standby has received or replayed the log, whichever is more; None on a primary."""
        return self.summary["position"]


@dataclass(frozen=True)
class Limits:
    """Above these a control fails: bytes and seconds of lag, per cent of the connections in use."""

    lag_bytes: int = 64 * 1024 * 1024
    lag_seconds: float = 30
    connections_percent: int = 90


def replicating(status: Status, standbys: tuple[str, ...]) -> bool:
    """Whether every link this member should have is up: all standbys on a primary, the receiver on a standby."""
    if status.summary["standby"]:
        return status.receiver is not None and status.receiver["status"] == "streaming"
    streaming = {row["member"] for row in status.replication if row["state"] == "streaming"}
    return streaming >= set(standbys)


def controls(instance: Instance, status: Status | None, standbys: tuple[str, ...], limits: Limits) -> list[Control]:
    """All controls of this member; `standbys` are the other members, which must stream from it if it is primary."""
    here = instance.name
    title = f"PostgreSQL runs on {here}"
    if status is None:
        reason = "see /var/log/postgresql, start the unit" if instance.data == "ready" else "run the data playbook"
        return [Control("postgresql.server.running", title, "fail", instance.describe(), "running", reason)]
    found = [
        Control.check("postgresql.server.running", title, True, True),
        *_server(status, limits),
    ]
    if instance.role == PRIMARY:
        for standby in standbys:
            found += _standby_of_primary(status, standby, limits)
        return found
    return found + _standby(status, here, limits)


def _server(status: Status, limits: Limits) -> list[Control]:
    summary = status.summary
    used = 100 * summary["connections"] // summary["max_connections"]
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
        _at_most("postgresql.connections", "Connections in use, per cent", used, limits.connections_percent),
    ]


def _standby_of_primary(status: Status, standby: str, limits: Limits) -> list[Control]:
    key = f"postgresql.replication.{standby}"
    link = next((row for row in status.replication if row["member"] == standby), {})
    slot = next((row for row in status.slots if row["name"] == slot_name(standby)), {})
    return [
        Control.check(f"{key}.streaming", f"{standby} streams from here", link.get("state"), "streaming"),
        Control.check(f"{key}.tls", f"{standby} streams over TLS", link.get("ssl"), True),
        Control.check(f"{key}.slot", f"The slot of {standby} is in use and has its WAL", _slot(slot), "active"),
        _at_most(f"{key}.lag_bytes", f"Bytes {standby} is behind", link.get("lag_bytes"), limits.lag_bytes),
        _at_most(f"{key}.lag_seconds", f"Seconds {standby} is behind", link.get("lag_seconds"), limits.lag_seconds),
    ]


def _standby(status: Status, here: str, limits: Limits) -> list[Control]:
    receiver = status.receiver or {}
    lag = receiver.get("lag_bytes")
    return [
        Control.check("postgresql.standby.read_only", f"{here} refuses writes", status.summary["read_only"], "on"),
        Control.check("postgresql.standby.streaming", f"{here} receives WAL", receiver.get("status"), "streaming"),
        Control.check("postgresql.standby.verified", f"{here} verifies the primary", receiver.get("verify_full"), True),
        _at_most("postgresql.standby.lag_bytes", f"Bytes {here} has yet to replay", lag, limits.lag_bytes),
    ]


def _slot(slot: Mapping[str, Any]) -> str:
    if not slot:
        return "missing"
    if slot["wal_status"] == "lost":
        return "lost"
    return "active" if slot["active"] else "inactive"


def _at_most(id: str, title: str, observed: float | None, limit: float) -> Control:
    holds = observed is not None and observed <= limit
    return Control(id, title, "pass" if holds else "fail", observed, f"at most {limit}")
