# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups as they are planned, and every specification of them that is refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.estate import backup
from ansible_collections.retailerp.estate.plugins.module_utils.estate.schema import UNREADABLE
from ansible_collections.retailerp.estate.plugins.module_utils.host.trading_hours import DAYS

MANY = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
S3 = {
    "type": "s3",
    "bucket": "shop-backup",
    "region": "eu-test-1",
    "endpoint": "s3.lab.test",
    "access_key": "shophost",
    "keeper_access_key": "shopkeeper",
}
AZURE = {"type": "azure", "account": "shopbackup", "container": "shop-backup"}
POSIX = {"type": "posix", "path": "/srv/backup"}
TIMES = st.integers(0, 24 * 60 - 1).map(backup.clock)


def backed_up(case, *stores, **options):
    """The case with backups to these stores."""
    return case.set("backup", {"repositories": [dict(store) for store in stores or (S3,)], **options})


def test_without_the_section_there_are_none(lab):
    plan = lab.plan()
    assert all(host["backup"] is host["backup_keeper"] is None for host in plan["hosts"].values())
    assert "archive_mode" not in plan["hosts"]["db1"]["postgresql"]["settings"]


def test_one_value_is_enough_for_backups_to_azure(lab):
    plan = backed_up(lab, AZURE).plan()
    host, keeper = plan["hosts"]["db1"]["backup"], plan["hosts"]["ops1"]["backup_keeper"]
    assert keeper["members"] == {"db1": "10.77.0.31", "db2": "10.77.0.32"}
    assert keeper["schedule"] == {
        "full": "Sun *-*-* 22:30:00 UTC",
        "diff": "Mon,Tue,Wed,Thu,Fri,Sat *-*-* 22:30:00 UTC",
        "incr": "*-*-* 02:00:00 UTC",
    }
    assert host["repositories"][0]["options"]["path"] == "/shop"
    assert host["repositories"][0]["options"]["azure-endpoint"] == "blob.core.windows.net"
    settings_of_server = plan["hosts"]["db1"]["postgresql"]["settings"]
    assert settings_of_server["archive_mode"] == "on"
    assert settings_of_server["archive_timeout"] == "60s"


def test_the_two_identities_have_different_credentials(lab):
    plan = backed_up(lab, S3, AZURE).plan()
    host, keeper = plan["hosts"]["db1"]["backup"], plan["hosts"]["ops1"]["backup_keeper"]
    assert [store["secret"] for store in host["repositories"]] == ["backup_1_host", "backup_2_host"]
    assert [store["secret"] for store in keeper["repositories"]] == ["backup_1_keeper", "backup_2_keeper"]
    assert host["repositories"][0]["options"]["s3-key"] == "shophost"
    assert keeper["repositories"][0]["options"]["s3-key"] == "shopkeeper"


def test_only_the_keeper_may_read_the_members(lab):
    plan = backed_up(lab).plan()
    (flow,) = [flow for flow in plan["hosts"]["db2"]["flows"]["in"] if flow["name"] == "postgresql_backup"]
    assert flow["sources"] == ["10.77.0.51/32"]
    assert flow["ports"] == [backup.SERVER_PORT]


def test_a_directory_is_the_keepers_and_database_hosts_reach_it_through_a_server(lab):
    plan = backed_up(lab, S3, POSIX).plan()
    host, keeper = plan["hosts"]["db1"]["backup"], plan["hosts"]["ops1"]["backup_keeper"]
    assert host["repositories"][1]["options"] == {"host": "10.77.0.51", "host-type": "tls", "host-port": 8433}
    assert keeper["repositories"][1]["options"] == {"type": "posix", "path": "/srv/backup/database"}
    assert {store["repositories"][1]["secret"] for store in (host, keeper)} == {None}
    assert keeper["store_server"] == {"address": "10.77.0.51", "port": backup.STORE_PORT}
    (flow,) = [flow for flow in plan["hosts"]["ops1"]["flows"]["in"] if flow["name"] == "backup_store"]
    assert (flow["sources"], flow["ports"]) == (["10.77.0.31/32", "10.77.0.32/32"], [backup.STORE_PORT])
    assert backup.STORE_PORT != backup.SERVER_PORT, "a keeper may be a database host, too"


def test_without_a_directory_there_is_no_server_and_no_way_to_one(lab):
    plan = backed_up(lab, S3, AZURE).plan()
    assert plan["hosts"]["ops1"]["backup_keeper"]["store_server"] is None
    assert "backup_store" not in {flow["name"] for host in plan["hosts"].values() for flow in host["flows"]["in"]}


def test_a_port_of_the_stores_server_is_not_somebody_elses(lab):
    case = backed_up(lab, POSIX, keeper="db1").set("postgresql.port", backup.STORE_PORT)
    assert case.refusals() == {"estate_spec.postgresql.port": ["8433 is also pgBackRest's store on db1"]}


@pytest.mark.parametrize(
    ("stores", "refused"),
    [
        ([POSIX], True),
        ([POSIX, {**POSIX, "path": "/mnt/backup"}], True),
        ([POSIX, {**S3, "lock_days": 0}], True),
        ([POSIX, S3], False),
        ([AZURE, POSIX], False),
        ([{**S3, "lock_days": 0}], False),
    ],
)
def test_in_production_a_directory_does_not_stand_alone(lab, stores, refused):
    assert backed_up(lab.copy(), *stores).problems() == []
    problems = backed_up(lab.set("environment", "production"), *stores).problems()
    assert [problem.path for problem in problems] == ["estate_spec.backup.repositories"] * refused


def test_production_asks_for_a_lock_as_long_as_the_oldest_full_backup_is_kept(lab):
    case = backed_up(lab.set("environment", "production"), S3, {**AZURE, "lock_days": 0}, retention_days=14)
    stores = case.plan()["hosts"]["ops1"]["backup_keeper"]["repositories"]
    assert [store["lock_days"] for store in stores] == [14 + 8, 0]


def test_the_longest_retention_has_a_lock_that_is_accepted(lab):
    assert backed_up(lab.set("environment", "production"), S3, retention_days=3650).problems() == []


@pytest.mark.parametrize(
    ("stores", "options", "path"),
    [
        ([], {}, "repositories"),
        ([S3, AZURE, POSIX], {}, "repositories"),
        ([S3, {**S3, "path": "/other"}], {}, "repositories[1]"),
        ([{**S3, "type": "gcs"}], {}, "repositories[0].type"),
        ([{key: value for key, value in S3.items() if key != "bucket"}], {}, "repositories[0].bucket"),
        ([{**S3, "colour": "red"}], {}, "repositories[0].colour"),
        ([{**S3, "bucket": "Shop"}], {}, "repositories[0].bucket"),
        ([{**S3, "endpoint": "https://s3.lab.test"}], {}, "repositories[0].endpoint"),
        ([{**S3, "endpoint": "10.77.0.51"}], {}, "repositories[0].endpoint"),
        ([{**S3, "keeper_access_key": "shophost"}], {}, "repositories[0].keeper_access_key"),
        ([{**S3, "port": 0}], {}, "repositories[0].port"),
        ([{**S3, "account": "x"}], {}, "repositories[0].account"),
        ([{**S3, "path": "/a/../b"}], {}, "repositories[0].path"),
        ([{**AZURE, "account": "Shop"}], {}, "repositories[0].account"),
        ([{**AZURE, "lock_days": -1}], {}, "repositories[0].lock_days"),
        ([{"type": "posix"}], {}, "repositories[0].path"),
        ([{**POSIX, "path": "/"}], {}, "repositories[0].path"),
        ([{**POSIX, "path": "srv"}], {}, "repositories[0].path"),
        ([{**POSIX, "bucket": "shop"}], {}, "repositories[0].bucket"),
        ([{**POSIX, "lock_days": 3}], {}, "repositories[0].lock_days"),
        ([S3], {"keeper": "ops2"}, "keeper"),
        ([S3], {"at": "12:00"}, "at"),
        ([S3], {"at": "24:00"}, "at"),
        ([S3], {"incremental_at": "21:59"}, "incremental_at"),
        ([S3], {"full_day": "sunday"}, "full_day"),
        ([S3], {"retention_days": 1}, "retention_days"),
        ([S3], {"jitter_minutes": 61}, "jitter_minutes"),
        ([S3], {"archive_timeout_s": 5}, "archive_timeout_s"),
        ([S3], {"wal_queue_mb": 10}, "wal_queue_mb"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(lab, stores, options, path):
    assert list(lab.set("backup", {"repositories": stores, **options}).refusals()) == [f"estate_spec.backup.{path}"]


def test_a_section_without_stores_is_refused(lab):
    assert list(lab.set("backup", {}).refusals()) == ["estate_spec.backup.repositories"]


def test_a_database_host_is_no_keeper_in_production(lab):
    case = backed_up(lab.set("environment", "production"), keeper="db2")
    assert "could delete every backup" in case.refusals()["estate_spec.backup.keeper"][0]


def test_without_an_ops_host_the_keeper_must_be_named(lab):
    del lab.hosts["ops1"]
    assert "name the host" in backed_up(lab).refusals()["estate_spec.backup.keeper"][0]
    assert backed_up(lab, keeper="cache1").plan()["hosts"]["cache1"]["backup_keeper"] is not None


def test_the_secrets_of_a_store_are_asked_for_once_it_is_written(lab):
    for name in ("backup_passphrase", "backup_1_host", "backup_1_keeper", "backup_2_host", "backup_2_keeper"):
        del lab.secrets[name]
    assert lab.problems() == []
    assert sorted(backed_up(lab, S3, POSIX).refusals()) == [
        "estate_secrets.backup_1_host",
        "estate_secrets.backup_1_keeper",
        "estate_secrets.backup_passphrase",
    ]


def test_what_is_no_signature_is_refused_before_it_is_used(lab):
    lab.secrets.update(backup_1_host="rTusx96ETcgmv9seRPqM", backup_1_keeper="se=2036-11-01&sp=rcwdl&sig=x%3D")
    assert backed_up(lab, AZURE).refusals() == {
        "estate_secrets.backup_1_host": ["is no shared access signature, such as sv=...&se=...&sig=..."]
    }


@pytest.mark.parametrize(
    ("who", "signature", "more"),
    [
        ("host", "se=2036-11-01&sp=rcl&sv=2021-12-02&sr=c&sig=x%3D", ""),
        ("host", "sp=rcwl&se=2036-11-01&sig=x%3D", "w"),
        ("host", "?sp=rcdl&se=2036-11-01&sig=x%3D", "d"),
        ("host", "se=2036-11-01&sp=rclx&sig=x%3D", "x"),
        # y deletes for ever, i sets and lifts locks, m moves away.
        ("host", "se=2036-11-01&sp=rclyim&sig=x%3D", "yim"),
        # What a policy of the container permits is not in the signature; and its letters are no permissions.
        ("host", "sv=2021-12-02&si=writedx&sr=c&sig=wdx%3D", ""),
        ("keeper", "se=2036-11-01&sp=rcwdl&sig=x%3D", ""),
        ("keeper", "se=2036-11-01&sp=rl&sig=x%3D", ""),
        ("keeper", "se=2036-11-01&sp=rcwdxlyi&sig=x%3D", "xyi"),
    ],
)
def test_a_signature_permits_no_more_than_its_holder_needs(lab, who, signature, more):
    lab.secrets.update(backup_1_host="se=2036-11-01&sp=rcl&sig=y%3D", backup_1_keeper="se=2036-11-01&sp=rcwdl&sig=z%3D")
    lab.secrets[f"backup_1_{who}"] = signature
    refusals = backed_up(lab, AZURE).refusals()
    assert list(refusals) == [f"estate_secrets.backup_1_{who}"] * bool(more)
    for (message,) in refusals.values():
        assert message.startswith(f"permits more (sp, {more}) than ")
        assert message.endswith({"host": "make one with sp=rcl", "keeper": "make one with sp=rcwdl"}[who])


@pytest.mark.parametrize(
    ("signature", "refused"),
    [
        ("sp=rcl&se=2036-11-01T12%3A00%3A00Z&sig=x%3D", False),
        ("sp=rcl&sig=x%3D&sv=2021-12-02", True),
        ("sp=rcl&se=in+ten+years&sig=x%3D", True),
        # Its end is in the policy, or may be.
        ("si=hosts&sv=2021-12-02&sig=x%3D", False),
    ],
)
def test_a_signature_says_when_it_ends(lab, signature, refused):
    lab.secrets.update(backup_1_host=signature, backup_1_keeper=f"{signature}y")
    told = backed_up(lab, AZURE).refusals()
    assert list(told) == ["estate_secrets.backup_1_host", "estate_secrets.backup_1_keeper"] * refused
    assert all("make one with se=" in message for (message,) in told.values())


def test_all_that_is_wrong_with_a_signature_is_told_at_once(lab):
    lab.secrets["backup_1_host"] = "sp=rcwdl&sv=2021-12-02&sig=x%3D"
    assert len(backed_up(lab, AZURE).refusals()["estate_secrets.backup_1_host"]) == 2


def test_a_locked_signature_is_not_judged(lab):
    lab.secrets["backup_1_host"] = UNREADABLE
    assert backed_up(lab, AZURE).problems() == []


def test_the_plan_knows_the_first_end_of_a_stores_credentials(lab):
    lab.secrets["backup_2_host"] = "sp=rcl&se=2036-11-01T12%3A00%3A00Z&sig=x%3D"
    lab.secrets["backup_2_keeper"] = "sp=rcwdl&se=2035-01-31&sig=y%3D"
    plan = backed_up(lab, S3, AZURE).plan()
    for slice_ in (plan["hosts"]["db1"]["backup"], plan["hosts"]["ops1"]["backup_keeper"]):
        assert [store["credential_end"] for store in slice_["repositories"]] == [None, "2035-01-31T00:00:00+00:00"]


def test_under_a_stored_access_policy_no_end_is_known(lab):
    lab.secrets.update(backup_1_host="si=hosts&sv=2021-12-02&sig=x%3D", backup_1_keeper="si=keeper&sv=1&sig=y%3D")
    (store,) = backed_up(lab, AZURE).plan()["hosts"]["ops1"]["backup_keeper"]["repositories"]
    assert store["credential_end"] is None


@pytest.mark.parametrize("store", [S3, AZURE], ids=["s3", "azure"])
def test_the_keepers_secret_is_not_the_hosts(lab, store):
    lab.secrets["backup_2_keeper"] = lab.secrets["backup_2_host"]
    told = ["is the same as estate_secrets.backup_2_host; every secret opens one door"]
    assert backed_up(lab, POSIX, store).refusals() == {"estate_secrets.backup_2_keeper": told}


@MANY
@given(begin=TIMES, end=TIMES, days=st.sets(st.sampled_from(DAYS), min_size=1))
def test_derived_times_are_accepted_and_outside_trading_hours(lab, begin, end, days):
    case = backed_up(lab.copy())
    case.set("trading_hours", {"from": min(begin, end), "to": max(begin, end), "days": sorted(days, key=DAYS.index)})
    if begin == end:
        return
    plan = case.plan()["hosts"]["ops1"]["backup_keeper"]["schedule"]
    hours = {"from": min(begin, end), "to": max(begin, end)}
    for moment in plan.values():
        assert not backup.trades_at(hours, moment.split()[2][:5])
    named = plan["full"].split()[0].split(",") + plan["diff"].split()[0].split(",")
    assert sorted(named) == sorted(day.capitalize() for day in DAYS)
    free = [day for day in DAYS if day not in days]
    assert not free or plan["full"].split()[0].lower() in free


def test_a_shop_that_never_closes_is_backed_up_at_night(lab):
    case = backed_up(lab.set("trading_hours", {"from": "00:00", "to": "24:00"}))
    assert case.plan()["hosts"]["ops1"]["backup_keeper"]["schedule"]["full"] == "Sun *-*-* 03:00:00 UTC"
