# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls: each one fails for its own fault, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import health
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import Instance, Pending
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.health import Limits, Status

SUMMARY = {
    "standby": False,
    "read_only": "off",
    "ssl": "on",
    "data_checksums": "on",
    "password_encryption": "scram-sha-256",
    "connections": 10,
    "max_connections": 80,
}
LINK = {"member": "db2", "state": "streaming", "ssl": True, "lag_bytes": 0, "lag_seconds": 0.0}
SLOT = {"name": "estate_db2", "active": True, "wal_status": "reserved"}
RECEIVER = {"status": "streaming", "verify_full": True, "lag_bytes": 0}
PRIMARY = Status(SUMMARY, (LINK,), (SLOT,))
STANDBY = Status({**SUMMARY, "standby": True, "read_only": "on"}, receiver=RECEIVER)


def failing(status, role="primary"):
    instance = Instance("db1", "ready", role, status is not None, "42", 1, "in production")
    found = health.controls(instance, status, ("db2",), Limits(lag_bytes=1000, lag_seconds=5, connections_percent=90))
    assert len({control.id for control in found}) == len(found)
    return [control.id.removeprefix("postgresql.") for control in found if control.state == "fail"]


def test_a_healthy_pair_holds():
    assert failing(PRIMARY) == []
    assert failing(STANDBY, "standby") == []


def summary(**changed):
    return replace(PRIMARY, summary={**SUMMARY, **changed})


def link(**changed):
    return replace(PRIMARY, replication=({**LINK, **changed},))


def slot(**changed):
    return replace(PRIMARY, slots=({**SLOT, **changed},))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, ["server.running"]),
        (summary(ssl="off"), ["tls.enabled"]),
        (summary(data_checksums="off"), ["checksums"]),
        (summary(password_encryption="md5"), ["scram"]),
        (summary(connections=75), ["connections"]),
        (replace(PRIMARY, rules_without_tls=1), ["tls.only"]),
        (replace(PRIMARY, errors=("pg_hba.conf:3: no such method",)), ["configuration.valid"]),
        (replace(PRIMARY, pending=(Pending("max_connections", "80", "90"),)), ["configuration.effective"]),
        (link(state="catchup"), ["replication.db2.streaming"]),
        (link(ssl=False), ["replication.db2.tls"]),
        (link(lag_bytes=1001), ["replication.db2.lag_bytes"]),
        (link(lag_seconds=5.1), ["replication.db2.lag_seconds"]),
        (slot(active=False), ["replication.db2.slot"]),
        (slot(wal_status="lost"), ["replication.db2.slot"]),
        (replace(PRIMARY, slots=()), ["replication.db2.slot"]),
    ],
)
def test_faults_of_a_primary(status, expected):
    assert failing(status) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (replace(STANDBY, summary={**STANDBY.summary, "read_only": "off"}), ["standby.read_only"]),
        (replace(STANDBY, receiver={**RECEIVER, "status": "waiting"}), ["standby.streaming"]),
        (replace(STANDBY, receiver={**RECEIVER, "verify_full": False}), ["standby.verified"]),
        (replace(STANDBY, receiver={**RECEIVER, "lag_bytes": 1001}), ["standby.lag_bytes"]),
        (replace(STANDBY, receiver=None), ["standby.streaming", "standby.verified", "standby.lag_bytes"]),
    ],
)
def test_faults_of_a_standby(status, expected):
    assert failing(status, "standby") == expected


def test_waiting_ends_when_every_link_is_up():
    assert health.replicating(PRIMARY, ("db2",))
    assert health.replicating(PRIMARY, ())
    assert not health.replicating(PRIMARY, ("db2", "db3"))
    assert not health.replicating(link(state="catchup"), ("db2",))
    assert health.replicating(STANDBY, ("db2",))
    assert not health.replicating(replace(STANDBY, receiver=None), ("db2",))
