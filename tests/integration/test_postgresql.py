# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL on the lab's database hosts: replication, refusals, drift, and what never loses data."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

CLONE = (
    "retailerp.estate.postgresql : "
    "Create, clone or keep the data directory (a base backup takes as long as copying the database)"
)
ACCESS = "retailerp.estate.postgresql : Roles, database, grants and slots"
CONFIGURATION = "retailerp.estate.postgresql : Configuration of PostgreSQL"
VERSION = "$(ls /usr/lib/postgresql)"
DATA = f"/var/lib/postgresql/{VERSION}/main"
UNIT = f"postgresql@{VERSION}-main"


class Cluster:
    """The pair of database hosts by what they are now."""

    def __init__(self, lab, waiting):
        self.lab = lab
        self.waiting = waiting
        self.members = lab.group("db")

    def sql(self, host, *statements, check=True):
        """What these statements print, run one by one as the superuser through the socket."""
        return self.lab.sql(host, *statements, check=check)

    @property
    def primary(self):
        return self.lab.primary()

    @property
    def standby(self):
        return next(host for host in self.members if self.sql(host, "SELECT pg_is_in_recovery()") == "t")

    def streaming(self, host):
        """The members that stream from this one."""
        return self.sql(host, "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'").split()

    def await_streaming(self, primary, standby):
        self.waiting(f"{standby} streams from {primary}", lambda: standby in self.streaming(primary))


@pytest.fixture(scope="module")
def cluster(lab, waiting):
    if len(lab.group("db")) != 2:
        pytest.skip("one database host: nothing to replicate to")
    return Cluster(lab, waiting)


@pytest.fixture
def table(cluster):
    """A table on the primary that is on the standby, too; gone afterwards."""
    primary, standby = cluster.primary, cluster.standby
    cluster.sql(primary, "CREATE TABLE estate_probe (id int PRIMARY KEY, at timestamptz, name text)")
    cluster.waiting("the table on the standby", lambda: cluster.sql(standby, "TABLE estate_probe") == "")
    yield primary, standby
    cluster.sql(primary, "DROP TABLE estate_probe")


def test_a_row_is_readable_on_the_standby_within_a_second(cluster, table):
    primary, standby = table
    look = (
        "DO $$ DECLARE written timestamptz; BEGIN LOOP SELECT at INTO written FROM estate_probe; EXIT WHEN FOUND; "
        "PERFORM pg_sleep(0.01); END LOOP; RAISE NOTICE '%', extract(epoch FROM clock_timestamp() - written); END $$"
    )
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(cluster.sql, standby, "SET statement_timeout = '60s'", look)
        reading = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND wait_event = 'PgSleep'"
        cluster.waiting("the reader", lambda: cluster.sql(standby, reading) == "1")
        cluster.sql(primary, "INSERT INTO estate_probe VALUES (1, clock_timestamp())")
        assert float(seen.result().rpartition(" ")[2]) < 1


def test_the_standby_refuses_writes(cluster, table):
    answer = cluster.sql(table[1], "INSERT INTO estate_probe VALUES (2)", check=False)
    assert "read-only transaction" in answer


def test_replication_is_encrypted_and_verified(cluster):
    primary, standby = cluster.primary, cluster.standby
    links = "SELECT application_name, ssl, version FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)"
    assert cluster.sql(primary, links) == f"{standby}|t|TLSv1.3"
    receiver = cluster.sql(standby, "SELECT slot_name, conninfo FROM pg_stat_wal_receiver")
    assert receiver.startswith(f"estate_{standby}|")
    assert "sslmode=verify-full" in receiver


def test_only_planned_flows_get_in(cluster, lab):
    primary, standby = cluster.primary, cluster.standby
    address = lab.hosts[primary]["ansible_host"]
    passfile = "PGPASSFILE=$(ls /etc/postgresql/*/main/replication.pgpass)"
    tls = "sslmode=verify-full sslrootcert=/etc/estate/tls/postgresql/ca.pem"
    target = f"host={primary} hostaddr={address} user=shop_replication"

    def attempt(options):
        command = (
            f"cd / && runuser -u postgres -- env {passfile} psql -XqAt '{target} {options}' -c IDENTIFY_SYSTEM 2>&1"
        )
        return lab.ssh(standby, command, check=False)

    assert "|" in attempt(f"replication=true {tls}")
    assert "no encryption" in attempt("replication=true sslmode=disable")
    assert "rejects connection" in attempt(f"dbname=shop {tls}")
    stranger = attempt(f"replication=true {tls}".replace("ca.pem", "cert.pem"))
    assert "certificate verify failed" in stranger


def test_the_application_may_use_its_database_and_nothing_else(cluster):
    act = "SET ROLE shop_application"
    primary = cluster.primary
    index = "CREATE INDEX ON estate_own (lower(unaccent(name)))"
    cluster.sql(primary, act, "CREATE TABLE estate_own (name text)", index, "DROP TABLE estate_own")
    for forbidden in ("CREATE DATABASE stolen", "CREATE ROLE stolen", "ALTER DATABASE shop SET work_mem = '1GB'"):
        answer = cluster.sql(primary, act, forbidden, check=False)
        assert "permission denied" in answer or "must be owner" in answer
    public = (
        "SELECT has_database_privilege('public', 'shop', 'CONNECT'), has_schema_privilege('public', 'public', 'USAGE')"
    )
    assert cluster.sql(primary, public) == "f|f"
    assert cluster.sql(primary, "SHOW data_checksums", "SHOW ssl") == "on\non"


def test_the_owner_and_the_backup_role_do_not_log_in(cluster):
    kept = "SELECT count(*) FROM pg_authid WHERE rolname IN ('shop_owner', 'shop_backup')"
    assert cluster.sql(cluster.primary, f"{kept} AND NOT rolcanlogin AND rolpassword IS NULL") == "2"


def test_reporting_reads_every_table_and_changes_none(cluster):
    primary, act = cluster.primary, "SET SESSION AUTHORIZATION shop_reporting"
    before = cluster.sql(primary, act, "SELECT count(*) > 0 FROM res_partner")
    assert before == "t"
    made = ("SET ROLE shop_application", "CREATE TABLE estate_new (id serial)", "RESET ROLE")
    try:
        cluster.sql(primary, *made)
        assert cluster.sql(primary, act, "SELECT count(*) FROM estate_new", "TABLE estate_new_id_seq")
        for forbidden in ("INSERT INTO estate_new VALUES (1)", "CREATE TABLE stolen ()", "DELETE FROM res_partner"):
            assert "permission denied" in cluster.sql(primary, act, forbidden, check=False)
    finally:
        cluster.sql(primary, "DROP TABLE IF EXISTS estate_new")
    kept = "SELECT array_to_string(setconfig, ' ') FROM pg_db_role_setting WHERE setrole = 'shop_reporting'::regrole"
    assert cluster.sql(primary, kept) == "default_transaction_read_only=on statement_timeout=5min"


def test_audit_reads_grants_and_settings_and_no_business_data(cluster):
    primary, act = cluster.primary, "SET SESSION AUTHORIZATION shop_audit"
    readable = (
        "SELECT count(*) > 0 FROM pg_auth_members",
        "SELECT count(*) > 0 FROM pg_class WHERE relname = 'res_partner' AND relacl IS NOT NULL",
        "SELECT setting <> '' FROM pg_settings WHERE name = 'data_directory'",
    )
    assert set(cluster.sql(primary, act, *readable).split()) == {"t"}
    hidden = (
        "SELECT count(*) FROM pg_stat_activity WHERE query <> '' AND query NOT LIKE '<%' AND pid <> pg_backend_pid()"
    )
    assert cluster.sql(primary, act, hidden) == "0"
    assert "permission denied" in cluster.sql(primary, act, "TABLE public.res_partner", check=False)


def test_a_stranger_is_told_of_and_stays(cluster, lab):
    cluster.sql(cluster.primary, "CREATE ROLE consultant LOGIN", "GRANT pg_read_all_data TO consultant")
    try:
        told = lab.playbook("verify", check=False)
        assert told.code != 0
        assert "consultant: login, pg_read_all_data" in told.output
        assert cluster.sql(cluster.primary, "SELECT count(*) FROM pg_roles WHERE rolname = 'consultant'") == "1"
    finally:
        cluster.sql(cluster.primary, "DROP ROLE consultant")


def test_passwords_are_nowhere_to_be_read(cluster, lab):
    found = lab.secrets()
    canaries = [found[f"postgresql_{role}"] for role in ("application", "reporting", "audit", "replication", "monitor")]
    places = "cat /var/log/postgresql/* /proc/[0-9]*/cmdline /proc/[0-9]*/environ; journalctl --no-pager"
    places = f"{{ {places}; }} 2>/dev/null"
    for host in cluster.members:
        assert len(lab.ssh(host, f"{places} | wc -c")) > 4
        assert lab.ssh(host, f"{places} | grep -caF -f /dev/stdin || true", stdin="\n".join(canaries)).strip() == "0"
        assert lab.ssh(host, "grep -c 'SCRAM-SHA-256[$]' /var/log/postgresql/*.log || true").strip() == "0"
        assert cluster.sql(host, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%SCRAM-SHA-256$4%'") in "01"
        assert lab.ssh(host, "stat -c '%a %U' /etc/postgresql/*/main/replication.pgpass").split() == ["600", "postgres"]


def test_drift_is_told_exactly_and_put_back(cluster, lab):
    primary, standby = cluster.primary, cluster.standby
    lab.ssh(standby, "sed -i s/log_lock_waits/#log_lock_waits/ /etc/postgresql/*/main/conf.d/estate.conf")
    cluster.sql(
        primary,
        "ALTER ROLE shop_application CREATEDB PASSWORD 'another'",
        "GRANT CONNECT ON DATABASE shop TO PUBLIC",
        "SELECT pg_create_physical_replication_slot('estate_gone', true)",
        "SELECT pg_create_physical_replication_slot('of_somebody_else', true)",
    )
    try:
        foretold = lab.playbook("data", "--check")
        assert sorted(foretold.changed_tasks()) == sorted([(primary, ACCESS), (standby, CONFIGURATION)])
        done = lab.playbook("data")
        assert done.changed_tasks() == foretold.changed_tasks()
        assert cluster.sql(primary, "SELECT rolcreatedb FROM pg_roles WHERE rolname = 'shop_application'") == "f"
        slots = cluster.sql(primary, "SELECT slot_name FROM pg_replication_slots ORDER BY 1").split()
        assert slots == [f"estate_{standby}", "of_somebody_else"]
    finally:
        cluster.sql(primary, "SELECT pg_drop_replication_slot('of_somebody_else')", check=False)


def test_a_second_run_changes_nothing(lab):
    assert set(lab.playbook("data").stats("changed").values()) == {0}


def forget(cluster, host):
    """Stop a member and lose its disk."""
    cluster.lab.ssh(host, f"systemctl stop {UNIT} && rm -rf {DATA}")


@pytest.mark.drill
def test_a_killed_base_backup_is_done_again(cluster, lab):
    primary, standby = cluster.primary, cluster.standby
    forget(cluster, standby)
    catch = (
        'end=$(($(date +%s) + 300)); until pid=$(pgrep -x pg_basebackup | head -n 1) && [ -n "$pid" ]; do '
        "[ $(date +%s) -lt $end ] || exit 1; done; kill -9 $(ps -o ppid= -p $pid) $pid"
    )
    with ThreadPoolExecutor() as pool:
        killer = pool.submit(lab.ssh, standby, catch, timeout=400)
        assert lab.playbook("data", check=False).code != 0
        killer.result()
    assert lab.ssh(standby, f"ls -d {DATA} {DATA}.estate-new 2>/dev/null || true").split()[0].endswith(".estate-new")
    lab.playbook("data")
    cluster.await_streaming(primary, standby)
    assert lab.ssh(standby, f"ls -d {DATA}* | wc -l").strip() == "1"


@pytest.mark.drill
def test_a_standby_whose_wal_is_gone_is_cloned_again(cluster, lab):
    primary, standby = cluster.primary, cluster.standby
    lab.ssh(standby, f"systemctl stop {UNIT}")
    cluster.waiting("the slot is free", lambda: cluster.streaming(primary) == [])
    cluster.sql(primary, f"SELECT pg_drop_replication_slot('estate_{standby}')")
    for _segment in range(20):
        cluster.sql(primary, "SELECT pg_logical_emit_message(false, 'estate', 'x')", "SELECT pg_switch_wal()")
    cluster.sql(primary, "CHECKPOINT")
    lab.ssh(standby, f"systemctl start {UNIT}")
    starving = "SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'startup'"
    cluster.waiting("the standby waits", lambda: "Retrieve" in cluster.sql(standby, starving))
    run = lab.playbook("data")
    assert (standby, CLONE) in run.changed_tasks()
    cluster.await_streaming(primary, standby)


@pytest.mark.drill
def test_after_a_promotion_nothing_is_harmed_and_roles_follow(cluster, lab):
    old, new = cluster.primary, cluster.standby
    lab.ssh(old, f"systemctl stop {UNIT}")
    cluster.sql(new, "SELECT pg_promote()")
    refused = lab.playbook("data", check=False)
    assert refused.code != 0
    assert "two primaries" in refused.output
    assert lab.ssh(old, f"systemctl is-active {UNIT} || true").strip() == "inactive"
    forget(cluster, old)
    lab.playbook("data")
    cluster.await_streaming(new, old)
    assert cluster.primary == new
    assert set(lab.playbook("data").stats("changed").values()) == {0}
    # And back, so that the lab is as it was.
    lab.ssh(new, f"systemctl stop {UNIT}")
    cluster.sql(old, "SELECT pg_promote()")
    forget(cluster, new)
    lab.playbook("data")
    cluster.await_streaming(old, new)


@pytest.mark.drill
def test_settings_that_need_a_restart_never_stop_the_standby(cluster, lab):
    """Up, the standby is restarted first; down, the primary is: either way replication goes on, and check mode knew."""
    primary, standby = cluster.primary, cluster.standby
    plan = "{{ estate.hosts[inventory_hostname].postgresql | combine(larger, recursive=True) }}"
    larger = json.dumps({"postgresql_plan": plan, "larger": {"settings": {"max_connections": 120}}})
    for args in (["-e", larger], []):
        foretold = lab.playbook("data", *args, "--check")
        assert foretold.changed_tasks() == lab.playbook("data", *args).changed_tasks()
        shown = [cluster.sql(host, "SHOW max_connections") for host in (primary, standby)]
        assert shown[0] == shown[1]
        assert (shown[0] == "120") == bool(args)
        cluster.await_streaming(primary, standby)
