# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of PostgreSQL and its voters: what is refused, what a voter is planned to be, who reaches it."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.estate import sizing
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Host


@pytest.fixture
def patroni(lab):
    """The lab with Patroni: both database hosts vote, ops1 is the witness."""
    lab.set("postgresql.shape", "patroni")
    for name in ("db1", "db2", "ops1"):
        lab.hosts[name]["groups"].append("etcd")
    return lab


def witness(case, name, address, **values):
    return case.host(name, groups=["etcd"], estate_address=address, **values)


def test_a_voter_is_planned(patroni):
    plan = patroni.plan()
    assert plan["hosts"]["db2"]["etcd"] == {
        "name": "db2",
        "address": "10.77.0.32",
        "client_port": 2379,
        "peer_port": 2380,
        "members": {"db1": "10.77.0.31", "db2": "10.77.0.32", "ops1": "10.77.0.51"},
        "token": "shop",
        "memory_mb": 128,
        "quota_mb": 64,
    }
    assert [name for name, host in plan["hosts"].items() if host["etcd"]] == ["db1", "db2", "ops1"]
    assert "etcd" in plan["hosts"]["ops1"]["tiers"]


def test_who_reaches_a_voter(patroni):
    flows = patroni.plan()["hosts"]["ops1"]["flows"]["in"]
    found = {flow["name"]: flow for flow in flows if flow["name"].startswith("etcd")}
    assert {name: (flow["ports"], flow["sources"]) for name, flow in found.items()} == {
        "etcd": ([2379], ["10.77.0.31/32", "10.77.0.32/32"]),
        "etcd_peers": ([2380], ["10.77.0.31/32", "10.77.0.32/32"]),
    }
    assert {flow["address"] for flow in found.values()} == {"10.77.0.51"}


def test_a_database_host_that_does_not_vote_is_a_client_only(patroni):
    patroni.hosts["db2"]["groups"].remove("etcd")
    witness(patroni, "wit1", "10.77.0.61", estate_memory_mb=512)
    flows = {flow["name"]: flow["sources"] for flow in patroni.plan()["hosts"]["wit1"]["flows"]["in"]}
    assert "10.77.0.32/32" in flows["etcd"]
    assert "10.77.0.32/32" not in flows["etcd_peers"]


def test_a_pure_witness_of_half_a_gibibyte_is_enough(patroni):
    patroni.hosts["ops1"]["groups"].remove("etcd")
    witness(patroni, "wit1", "10.77.0.61", estate_memory_mb=512, estate_cpus=1)
    plan = patroni.plan()["hosts"]["wit1"]
    assert (plan["tiers"], plan["etcd"]["memory_mb"], plan["docker"], plan["postgresql"]) == (["etcd"], 256, None, None)


def test_a_voter_takes_its_share_from_the_others_of_its_host():
    alone = sizing.budget(Host("db1", ("db",), "10.0.0.1", memory_mb=2048, cpus=2))
    voting = sizing.budget(Host("db1", ("db", "etcd"), "10.0.0.1", memory_mb=2048, cpus=2))
    assert (alone.db - voting.db, voting.etcd, voting.total) == (sizing.ETCD_MB, sizing.ETCD_MB, 2048)


def test_streaming_is_the_default_and_has_no_voters(lab):
    assert all(host["etcd"] is None for host in lab.plan()["hosts"].values())


def refusal(case, where):
    """What is said at this path."""
    assert where in case.refusals(), case.problems()
    return " ".join(case.refusals()[where])


def test_voters_without_patroni(patroni):
    said = refusal(patroni.set("postgresql.shape", "streaming"), "groups.etcd")
    assert all(
        word in said
        for word in (
            "db1, db2, ops1",
            "write patroni",
        )
    ), said


def test_patroni_without_voters(lab):
    said = refusal(lab.set("postgresql.shape", "patroni"), "groups.etcd")
    assert all(
        word in said
        for word in (
            "is absent or empty",
            "three voters",
            "witness",
        )
    ), said


def test_two_voters(patroni):
    patroni.hosts["ops1"]["groups"].remove("etcd")
    said = refusal(patroni, "groups.etcd")
    assert all(
        word in said
        for word in (
            "holds db1, db2 alone",
            "a witness",
        )
    ), said


def test_an_even_number_of_voters(patroni):
    witness(patroni, "wit1", "10.77.0.61")
    said = refusal(patroni, "groups.etcd")
    assert all(
        word in said
        for word in (
            "holds 4 hosts",
            "survive the loss of 1, as 3 do",
            "take one out, or add one",
        )
    ), said


def test_five_voters(patroni):
    witness(patroni, "wit1", "10.77.0.61")
    witness(patroni, "wit2", "10.77.0.62")
    assert len(patroni.plan()["hosts"]["wit2"]["etcd"]["members"]) == 5


def test_one_database_has_nothing_to_fail_over_to(patroni):
    patroni.hosts["db2"]["groups"].remove("db")
    said = refusal(patroni, "estate_spec.postgresql.shape")
    assert all(
        word in said
        for word in (
            "less than two hosts",
            "write streaming",
        )
    ), said


def test_a_recovery_time_is_patronis(lab):
    said = refusal(lab.set("postgresql.rto", "fast"), "estate_spec.postgresql.rto")
    assert "shape: patroni" in said


def test_the_ports_of_etcd_are_taken(patroni):
    said = refusal(patroni.set("postgresql.port", 2379), "estate_spec.postgresql.port")
    assert "2379 is also etcd clients on db1" in said


def test_another_service_on_a_port_of_etcd(patroni):
    patroni.hosts["ops1"]["estate_service_ports"] = [2380]
    assert "2380 is also etcd peers" in refusal(patroni, "hosts.ops1.estate_service_ports")
