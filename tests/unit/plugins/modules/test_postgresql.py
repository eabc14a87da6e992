# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as Ansible calls them: on a host without PostgreSQL, and from options to what the plans get."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    access,
    access_client,
    cluster,
    health,
    member,
    server,
    status,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import Current, RoleFound, Use
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.health import Status
from ansible_collections.retailerp.estate.plugins.modules import (
    postgresql_access,
    postgresql_cluster,
    postgresql_replication,
    postgresql_replication_info,
)

NOWHERE = "99"
"""A version that no machine has: a bare host."""
MEMBER = {
    "member": "db2",
    "members": {"db1": "10.0.0.1", "db2": "10.0.0.2"},
    "role": "standby",
    "version": NOWHERE,
    "replication_user": "shop_replication",
    "replication_password": "canary-password",
    "ca_file": "/ca.pem",
}
ACCESS = {
    "version": NOWHERE,
    "roles": [{"name": "shop_application", "password": "canary-password"}],
    "databases": [
        {
            "name": "shop",
            "owner": "shop_owner",
            "connect": {"shop_application": ["CONNECT"]},
            "create": {"shop_application": ["USAGE"]},
        },
        {"name": "postgres", "connect": {"shop_application": ["CONNECT"]}},
    ],
    "standbys": ["db-2"],
}


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """A host of its own: this machine may have a cluster."""
    monkeypatch.setattr(server, "LIBRARY", str(tmp_path))
    return tmp_path


@pytest.fixture
def call(capsys):
    """Run a module in check mode; its result."""

    def run(module, **options):
        with patch_module_args({**options, "_ansible_check_mode": True}), pytest.raises(SystemExit):
            module.main()
        printed = capsys.readouterr().out
        assert "canary-password" not in printed
        return json.loads(printed)

    return run


def test_cluster_foretells_the_base_backup_of_a_bare_standby(call):
    result = call(postgresql_cluster, **MEMBER)
    assert result["changed"]
    assert [(change["action"], change["resource"]) for change in result["changes"]] == [
        ("create", f"data directory {server.LIBRARY}/{NOWHERE}/main")
    ]


def test_cluster_refuses_two_primaries_by_name(call, monkeypatch):
    own = cluster.Instance("db2", "ready", "primary", False, "42", 2, "shut down")
    monkeypatch.setattr(server, "read_instance", lambda layout, name: own)
    found = {
        "name": "db1",
        "data": "ready",
        "role": "primary",
        "running": True,
        "system_identifier": "42",
        "timeline": 3,
    }
    result = call(postgresql_cluster, **MEMBER, found=[found])
    assert result["failed"]
    assert "two primaries: db2 (primary, timeline 2, system 42, stopped, shut down) and db1" in result["msg"]


def test_cluster_makes_no_primary_beside_a_member_nobody_looked_at(call):
    result = call(postgresql_cluster, **{**MEMBER, "role": "primary"})
    assert result["failed"]
    assert "db1 (unknown)" in result["msg"]


def test_access_foretells_everything_on_a_bare_host(call):
    result = call(postgresql_access, **ACCESS)
    made = [change["resource"] for change in result["changes"] if change["action"] == "create"]
    assert made == ["role shop_application", "database shop", "replication slot estate_db_2"]
    assert result["pending_restart"] == []


def test_access_says_that_a_stopped_server_cannot_be_read(call, monkeypatch):
    stopped = cluster.Instance("db1", "ready", "primary", False, "42", 1, "shut down")
    monkeypatch.setattr(server, "read_instance", lambda layout, name: stopped)
    result = call(postgresql_access, **ACCESS)
    assert not result["changed"]
    assert [control["state"] for control in result["controls"]] == ["fail"]


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ({"name": "shop_application"}, "password"),
        (
            {"name": "shop_owner", "login": False, "password": "canary-password"},
            "shop_owner has a password and may not",
        ),
    ],
)
def test_access_wants_a_password_for_those_who_log_in_and_for_nobody_else(call, role, said):
    result = call(postgresql_access, **{**ACCESS, "roles": [role]})
    assert result["failed"]
    assert said in result["msg"]


def test_access_judges_strangers_as_exclusive_says(call, monkeypatch):
    found = Current(standby=True, roles={"consultant": RoleFound("LOGIN NOSUPERUSER")})
    ready = cluster.Instance("db1", "ready", "standby", True, "42", 1, "in archive recovery")
    monkeypatch.setattr(server, "read_instance", lambda layout, name: ready)
    monkeypatch.setattr(access_client, "read", lambda port, desired, settings: found)
    states = [call(postgresql_access, **ACCESS, exclusive=value)["controls"][0]["state"] for value in (True, False)]
    assert states == ["fail", "exempt"]


REPORTING = {"name": "shop_reporting", "password": "canary-password", "second": "shop_reporting_next"}


@pytest.mark.parametrize(("more", "roles"), [({}, 1), ({"second_password": "canary-password-next"}, 2)])
def test_access_makes_a_second_login_where_it_has_a_password(call, more, roles):
    result = call(postgresql_access, version=NOWHERE, roles=[{**REPORTING, **more}])
    made = [change["resource"] for change in result["changes"] if change["action"] == "create"]
    assert made == ["role shop_reporting", "role shop_reporting_next"][:roles]
    assert result["second_logins"] == []


def test_access_takes_no_password_of_a_login_without_a_name(call):
    role = {"name": "shop_reporting", "password": "canary-password", "second_password": "canary-password-next"}
    result = call(postgresql_access, version=NOWHERE, roles=[role])
    assert result["failed"]
    assert "second_password" in result["msg"]


@pytest.mark.parametrize(("sessions", "drop"), [((), False), ((), True), (("10.0.0.5",), True)])
def test_access_tells_of_second_logins_and_drops_them_when_told(call, monkeypatch, sessions, drop):
    left = RoleFound("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION")
    role = {**REPORTING, "login": False, "password": None}
    own = RoleFound("NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION")
    found = Current(
        roles={"shop_reporting": own, "shop_reporting_next": left}, use={"shop_reporting_next": Use(sessions)}
    )
    ready = cluster.Instance("db1", "ready", "primary", True, "42", 1, "in production")
    monkeypatch.setattr(server, "read_instance", lambda layout, name: ready)
    monkeypatch.setattr(access_client, "read", lambda port, desired, settings: found)
    result = call(postgresql_access, version=NOWHERE, roles=[role], drop_second=drop)
    if sessions:
        assert result["failed"]
        assert "shop_reporting_next has 1 session (1 from 10.0.0.5)" in result["msg"]
        return
    assert [change["action"] for change in result["changes"]] == (["delete"] if drop else [])
    assert result["second_logins"] == ["shop_reporting_next"]
    states = {control["id"]: control["state"] for control in result["controls"]}
    assert states == {"postgresql.access.strangers": "pass", "postgresql.access.rotation": "fail"}


def test_access_takes_settings_as_yaml_reads_them(call, monkeypatch):
    seen = []
    monkeypatch.setattr(access, "plan", lambda current, desired: seen.append(desired) or [])
    settings = {"default_transaction_read_only": True, "TimeZone": "UTC", "work_mem": 4096, "jit": False}
    call(postgresql_access, version=NOWHERE, roles=[{"name": "a", "login": False, "settings": settings}])
    assert seen[0].roles[0].settings == {
        "default_transaction_read_only": "on",
        "timezone": "UTC",
        "work_mem": "4096",
        "jit": "off",
    }


def test_access_leaves_unmanaged_what_is_left_out(call, monkeypatch):
    seen = []
    monkeypatch.setattr(access, "plan", lambda current, desired: seen.append(desired) or [])
    call(postgresql_access, **ACCESS)
    shop, postgres = seen[0].databases
    assert (shop.owner, dict(shop.create)) == ("shop_owner", {"shop_application": ("USAGE",)})
    assert (postgres.owner, postgres.create, postgres.tables, postgres.execute) == (None, None, None, None)


def test_info_tells_of_a_bare_host(call):
    result = call(postgresql_replication_info, member="db1", version=NOWHERE, standbys=["db2"])
    assert not result["changed"]
    assert result["instance"]["data"] == "absent"
    assert result["status"] == {}
    assert [(control["id"], control["state"]) for control in result["controls"]] == [
        ("postgresql.server.running", "fail")
    ]


SAID = Status(
    {
        "standby": False,
        "ssl": "on",
        "data_checksums": "on",
        "password_encryption": "scram-sha-256",
        "connections": 50,
        "max_connections": 100,
        "synchronous_standby_names": "",
    },
    {
        "checksum_failures": 0,
        "wal_free_bytes": 0,
        "wal_free_percent": 50,
        "oldest_transaction": None,
        "oldest_idle": None,
        "freeze_percent": 1,
        "wraparound_percent": 1,
    },
)


def test_info_tells_vitals_apart_and_takes_limits(call, monkeypatch):
    own = cluster.Instance("db1", "ready", "primary", True, "42", 1, "in production")
    monkeypatch.setattr(status, "read", lambda layout, member, port: (own, SAID))

    def failing(**limits):
        result = call(postgresql_replication_info, member="db1", version=NOWHERE, limits=limits)
        return [[one["id"] for one in result[kind] if one["state"] == "fail"] for kind in ("controls", "vitals")]

    assert failing() == [[], ["postgresql.wal.free_bytes"]]
    assert failing(min_wal_free_bytes=0, max_connections_percent=49) == [[], ["postgresql.connections"]]
    refused = call(postgresql_replication_info, member="db1", version=NOWHERE, limits={"max_connection_percent": 49})
    assert refused["failed"]
    assert "max_connection_percent" in refused["msg"]


def test_nobody_waits_for_a_standby_that_is_not_named_or_by_a_setting():
    named = replace(SAID, summary={**SAID.summary, "synchronous_standby_names": "ANY 1 (db2)"})
    weak = ({"name": "synchronous_commit", "value": "local", "place": "database shop"},)
    told = health.kept_from_waiting
    assert told(named, False) == told(SAID, True) == ()
    assert told(SAID, False) == ("synchronous_standby_names is empty",)
    assert told(replace(named, durability=weak), False) == ("synchronous_commit = local (database shop)",)
    assert told(replace(SAID, durability=weak), True) == ("synchronous_commit = local (database shop)",)


def test_a_cluster_of_another_version_is_not_hidden_by_a_new_one(call, library):
    """The distribution was upgraded under it."""
    (library / "15" / "main" / "global").mkdir(parents=True)
    (library / "15" / "main" / "global" / "pg_control").write_bytes(b"")
    assert call(postgresql_replication_info, member="db2", version=NOWHERE)["instance"]["data"] == "broken"
    refused = call(postgresql_cluster, **{**MEMBER, "role": "primary"})
    assert refused["failed"]
    assert "no cluster of this version, and not nothing either" in refused["msg"]


def test_a_data_disk_that_was_kept_is_read_once_the_server_is_installed(call, library):
    """A new system on it has no pg_controldata yet."""
    (library / NOWHERE / "main" / "global").mkdir(parents=True)
    (library / NOWHERE / "main" / "global" / "pg_control").write_bytes(b"")
    told = call(postgresql_replication_info, member="db2", version=NOWHERE)["instance"]
    assert (told["data"], told["role"]) == ("unknown", "primary")


@pytest.mark.parametrize("streams", [True, False])
def test_replication_refuses_to_fence_a_lost_primary_that_a_standby_streams_from(call, monkeypatch, library, streams):
    (library / NOWHERE / "main" / "pg_replslot").mkdir(parents=True)
    alive = cluster.Instance("db2", "ready", "primary", True, "42", 1, "in production")
    monkeypatch.setattr(server, "read_instance", lambda layout, name: alive)
    monkeypatch.setattr(server, "is_active", lambda unit: True)
    monkeypatch.setattr(member, "followers", lambda port: frozenset({"db1"} if streams else ()))
    options = {name: value for name, value in MEMBER.items() if name != "role"}
    result = call(postgresql_replication, state="fenced", failover={}, **options)
    if streams:
        assert result["refused"]
        assert "db1 streams from it" in result["msg"]
    else:
        assert [change["action"] for change in result["changes"]] == ["create", "stop"]


def test_replication_foretells_that_a_primary_will_follow_its_successor(call, monkeypatch, library):
    (library / NOWHERE / "main" / "pg_replslot" / "estate_db1").mkdir(parents=True)
    # It was promoted before: its log has a history.
    (library / NOWHERE / "main" / "pg_wal").mkdir()
    (library / NOWHERE / "main" / "pg_wal" / "00000002.history").write_text("1\t0/3000080\tno recovery target\n")
    primary = cluster.Instance("db2", "ready", "primary", True, "42", 2, "in production")
    monkeypatch.setattr(status, "read", lambda layout, name, port: (primary, None))
    monkeypatch.setattr(server, "is_active", lambda unit: True)
    options = {name: value for name, value in MEMBER.items() if name != "role"}
    result = call(postgresql_replication, state="standby", successor="db1", **options)
    assert [(change["action"], change["after"]) for change in result["changes"]] == [
        ("update", "standby"),
        ("delete", None),
        ("start", "running"),
        ("delete", None),
    ]
    assert "no member is a primary" in call(postgresql_replication, state="standby", **options)["msg"], "not by itself"


def test_replication_in_check_mode_leaves_open_what_the_fence_will_tell(call, monkeypatch, library):
    (library / NOWHERE / "main" / "pg_replslot").mkdir(parents=True)
    standby = cluster.Instance("db2", "ready", "standby", True, "42", 1, "in archive recovery")
    said = {"position": "0/3000100", "proven_timeline": None, "standby": True, "synchronous_standby_names": ""}
    seen = status.Status(summary=said, vitals={})
    monkeypatch.setattr(status, "read", lambda layout, name, port: (standby, seen))
    monkeypatch.setattr(server, "is_active", lambda unit: True)
    options = {name: value for name, value in MEMBER.items() if name != "role"}
    fences = {"db1": {"proof": "would be stopped and fenced", "log_end": None, "pending": True}}
    known = {"found": [], "fences": fences, "accept_data_loss": "0/3000000"}
    result = call(postgresql_replication, state="primary", failover=known, **options)
    assert [change["after"] for change in result["changes"]][0] == "primary"
    known = {"found": [], "fences": {"db1": {"proof": "would be switched off"}}}
    result = call(postgresql_replication, state="primary", failover=known, **options)
    assert "accept_data_loss=0/3000100" in result["msg"]
