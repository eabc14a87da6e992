# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls: each one fails for its own fault, and only then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import health, maintenance
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import Instance, Pending
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.health import Limits, Status
from ansible_collections.retailerp.estate.plugins.modules import postgresql_replication_info

ROLE = Path(__file__).parents[5] / "roles/postgresql"
SUMMARY = {
    "standby": False,
    "read_only": "off",
    "ssl": "on",
    "data_checksums": "on",
    "password_encryption": "scram-sha-256",
    "connections": 10,
    "max_connections": 80,
}
SESSION = {"seconds": 5000.0, "pid": 42, "role": "shop_application", "application": "odoo-7"}
VITALS = {
    "checksum_failures": 0,
    "wal_free_bytes": 1 << 34,
    "wal_free_percent": 40,
    "oldest_transaction": {**SESSION, "seconds": 3.0},
    "oldest_idle": None,
    "freeze_percent": 100,
    "wraparound_percent": 10,
}
LINK = {"member": "db2", "state": "streaming", "sync_state": "quorum", "ssl": True, "lag_bytes": 0, "lag_seconds": 0.0}
SLOT = {"name": "estate_db2", "active": True, "wal_status": "reserved", "safe_wal_bytes": 1 << 32}
RECEIVER = {"status": "streaming", "verify_full": True, "lag_bytes": 0}
PRIMARY = Status(SUMMARY, VITALS, (LINK,), (SLOT,))
STANDBY = Status({**SUMMARY, "standby": True, "read_only": "on"}, VITALS, receiver=RECEIVER)
LIMITS = Limits(max_lag_bytes=1000, max_lag_seconds=5, max_connections_percent=90)


def gates(status, role="primary", synchronous=False):
    instance = Instance("db1", "ready", role, status is not None, "42", 1, "in production")
    return health.controls(instance, status, ("db2",), LIMITS, synchronous=synchronous)


def judged(status, role="primary", synchronous=False):
    found = gates(status, role, synchronous) + (health.vitals(status, LIMITS) if status else [])
    assert len({control.id for control in found}) == len(found)
    return {control.id.removeprefix("postgresql."): control for control in found}


def failing(*args, **kwargs):
    return [id for id, control in judged(*args, **kwargs).items() if control.state == "fail"]


def test_a_healthy_pair_holds():
    assert failing(PRIMARY) == []
    assert failing(STANDBY, "standby") == []


def summary(**changed):
    return replace(PRIMARY, summary={**SUMMARY, **changed})


def vitals(**changed):
    return replace(PRIMARY, vitals={**VITALS, **changed})


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
        (vitals(checksum_failures=1), ["checksums.failures"]),
        (vitals(wal_free_bytes=(1 << 30) - 1), ["wal.free_bytes"]),
        (vitals(wal_free_percent=9), ["wal.free_percent"]),
        (vitals(oldest_transaction=SESSION), ["transactions.oldest"]),
        (vitals(oldest_idle={**SESSION, "seconds": 601}), ["transactions.idle"]),
        (vitals(freeze_percent=151), ["wraparound.freeze"]),
        (vitals(wraparound_percent=51), ["wraparound.stop"]),
        (slot(safe_wal_bytes=(1 << 30) - 1), ["wal.slots"]),
        (link(state="catchup"), ["replication.db2.streaming"]),
        (link(ssl=False), ["replication.db2.tls"]),
        (link(lag_bytes=1001), ["replication.db2.lag_bytes"]),
        (link(lag_seconds=5.1), ["replication.db2.lag_seconds"]),
        (slot(active=False), ["replication.db2.slot"]),
        (slot(wal_status="lost", safe_wal_bytes=None), ["replication.db2.slot"]),
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
        (replace(STANDBY, vitals={**VITALS, "wal_free_percent": 1}), ["wal.free_percent"]),
        (replace(STANDBY, receiver=None), ["standby.streaming", "standby.verified", "standby.lag_bytes"]),
    ],
)
def test_faults_of_a_standby(status, expected):
    assert failing(status, "standby") == expected


def test_a_member_that_is_not_well_is_moved_all_the_same():
    """A full disk, a failing one, too many connections: often why somebody runs the playbook."""
    unwell = {
        "checksum_failures": 1,
        "wal_free_bytes": 0,
        "wal_free_percent": 0,
        "oldest_transaction": SESSION,
        "oldest_idle": SESSION,
        "freeze_percent": 199,
        "wraparound_percent": 99,
    }
    status = replace(slot(safe_wal_bytes=0), vitals=unwell, summary={**SUMMARY, "connections": 80})
    assert [control.state for control in gates(status)] == ["pass"] * len(gates(PRIMARY))
    assert [control.state for control in health.vitals(status, LIMITS)] == ["fail"] * 9


def says(name, value, place="in force"):
    return {"name": name, "value": value, "place": place}


SAFE = (says("fsync", "on"), says("full_page_writes", "on"), says("synchronous_commit", "on"))
WAITING = replace(PRIMARY, durability=SAFE, summary={**SUMMARY, "synchronous_standby_names": "ANY 1 (db2)"})


@pytest.mark.parametrize("value", ["on", "TRUE", "yes", "1", "remote_apply"])
def test_commits_that_wait_for_the_disk_of_a_standby(value):
    status = replace(WAITING, durability=(*SAFE, says("synchronous_commit", value, "role shop_reporting")))
    assert failing(status, synchronous=True) == failing(status) == []


@pytest.mark.parametrize(
    "place", ["in force", "/etc/own.conf:3", "database shop", "database shop, role x", "every role"]
)
@pytest.mark.parametrize(
    ("name", "value", "without_standby"),
    [
        ("synchronous_commit", "off", ["durability"]),
        ("synchronous_commit", "False", ["durability"]),
        ("synchronous_commit", "local", []),
        ("synchronous_commit", "remote_write", []),
        ("fsync", "off", ["durability"]),
        ("full_page_writes", "off", ["durability"]),
    ],
)
def test_a_setting_that_lets_commits_be_lost_is_found_wherever_it_stands(name, value, without_standby, place):
    status = replace(WAITING, durability=(*SAFE, says(name, value, place)))
    assert failing(status, synchronous=True) == ["durability"]
    assert judged(status, synchronous=True)["durability"].observed == [f"{name} = {value} ({place})"]
    assert failing(status) == without_standby
    standby = replace(STANDBY, durability=status.durability)
    assert failing(standby, "standby", synchronous=True) == ["durability"], "it may be promoted, and holds commits"


def test_an_old_transaction_is_told_with_its_session():
    reason = judged(vitals(oldest_transaction=SESSION))["transactions.oldest"].reason
    assert reason == "pid 42, role shop_application, application 'odoo-7'"


def test_slots_without_a_bound_are_the_disks_matter():
    assert "wal.slots" not in judged(slot(safe_wal_bytes=None))


def test_a_lost_slot_beside_one_in_danger():
    lost = {**SLOT, "name": "estate_db3", "wal_status": "lost", "safe_wal_bytes": None}
    near = {**SLOT, "safe_wal_bytes": 5}
    control = judged(replace(PRIMARY, slots=(lost, near)))["wal.slots"]
    assert (control.state, control.observed, control.reason) == ("fail", 5, "estate_db2")


@pytest.mark.parametrize(
    ("names", "sync_state", "holds"),
    [
        ("ANY 1 (db2)", "quorum", True),
        ("FIRST 1 (db2)", "sync", True),
        ("FIRST 1 (db3, db2)", "potential", False),
        ("ANY 1 (db3)", "async", False),
        ("", "async", False),
        ("", "quorum", False),
    ],
)
def test_with_synchronous_replication_somebody_is_waited_for(names, sync_state, holds):
    status = replace(link(sync_state=sync_state), summary={**SUMMARY, "synchronous_standby_names": names})
    assert failing(status, synchronous=True) == ([] if holds else ["replication.synchronous"])
    assert failing(status, synchronous=False) == []


def test_a_standby_waits_for_nobody():
    assert failing(STANDBY, "standby", synchronous=True) == []


def test_the_limits_are_those_of_module_and_role():
    documented = yaml.safe_load(postgresql_replication_info.DOCUMENTATION)["options"]["limits"]["suboptions"]
    assert {name: {key: option[key] for key in ("type", "default")} for name, option in documented.items()} == (
        health.LIMITS
    )
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    given = specs["main"]["options"]["postgresql_limits"]["options"]
    for options, limits in ((given.pop("maintenance")["options"], maintenance.LIMITS), (given, health.LIMITS)):
        assert {name: option["type"] for name, option in options.items()} == {
            name: option["type"] for name, option in limits.items()
        }


def test_waiting_ends_when_every_link_is_up():
    assert health.replicating(PRIMARY, ("db2",))
    assert health.replicating(PRIMARY, ())
    assert not health.replicating(PRIMARY, ("db2", "db3"))
    assert not health.replicating(link(state="catchup"), ("db2",))
    assert health.replicating(STANDBY, ("db2",))
    assert not health.replicating(replace(STANDBY, receiver=None), ("db2",))
