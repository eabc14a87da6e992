# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pooler changes in the plan: one port in place of another, and whose logins the server takes."""

from __future__ import annotations

import pytest


def ports(flows, name):
    """The ports of the flows of that name."""
    return [flow["ports"] for flow in flows if flow["name"] == name]


def application_rules(host):
    """Where the application's role comes from, as the server sees it."""
    user = host["postgresql"]["users"]["application"]
    return [row["address"] for row in host["postgresql"]["hba"] if row["user"] == f"+{user}"]


def test_without_a_pooler_nobody_hears_of_one(lab):
    said = lab.set("postgresql.pooler", "none").plan()
    assert said == lab.set("postgresql", {}).plan()
    assert "6432" not in str(said)
    assert said["hosts"]["db1"]["pgbouncer"] is None


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_odoo_comes_through_the_pooler_and_not_past_it(lab, mode):
    plan = lab.set("postgresql.pooler", mode).plan()
    app, db = plan["hosts"]["app1"], plan["hosts"]["db2"]
    assert app["odoo"]["db"]["port"] == 6432
    assert ports(app["flows"]["egress"], "odoo_pgbouncer") == [[6432]]
    assert ports(app["flows"]["egress"], "odoo_postgresql") == []
    assert ports(db["flows"]["in"], "pgbouncer") == [[6432]]
    assert ports(db["flows"]["in"], "postgresql") == []
    assert ports(db["flows"]["in"], "postgresql_monitor") == [[5432]]
    assert application_rules(db) == ["10.77.0.32/32"]
    assert db["pgbouncer"]["databases"]["postgres"]["mode"] == "session"
    assert db["pgbouncer"]["databases"]["shop"]["mode"] == mode


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_two_users_together_leave_the_others_their_connections(lab, mode):
    db = lab.set("postgresql.pooler", mode).plan()["hosts"]["db1"]
    server, pooler = db["postgresql"], db["pgbouncer"]
    assert pooler["second_user"] == server["second_logins"]["application"]
    held = sum(pool["connections"] for pool in pooler["databases"].values())
    others = server["connections"]["total"] - server["connections"]["application"]
    assert held == server["settings"]["max_connections"] - others


def test_on_one_machine_containers_come_through_it_too(solo):
    solo.set("postgresql", {"pooler": "session"})
    host = solo.plan()["hosts"]["solo1"]
    assert application_rules(host) == ["10.77.0.61/32"]
    assert [flow["sources"] for flow in host["flows"]["in"] if flow["name"] == "pgbouncer"] == [
        ["10.77.0.61/32", host["docker"]["subnet"]]
    ]


def test_shared_transactions_need_fewer_connections(lab):
    need = {}
    for mode in ("none", "session", "transaction"):
        host = lab.copy().set("postgresql.pooler", mode).plan()["hosts"]["db1"]
        need[mode] = host["postgresql"]["connections"]["application"]
    assert need["session"] == need["none"] > need["transaction"]


@pytest.mark.parametrize("host", ["app1", "edge1", "cache1"])
def test_only_database_hosts_have_one(lab, host):
    assert lab.set("postgresql.pooler", "session").plan()["hosts"][host]["pgbouncer"] is None
