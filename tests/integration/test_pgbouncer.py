# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo behind a pooler, in either mode, over a promotion, and without one again."""

from __future__ import annotations

import json
import shlex

import pytest

pytestmark = pytest.mark.drill

#: A client on the application host, with that host's libpq (17 on Debian 13). Options arrive on standard input.
CLIENT = """
import json, sys
import psycopg
given = json.load(sys.stdin)
def connect(database, **more):
    said = {**given["conninfo"], "dbname": database, **more}
    return psycopg.connect(password=given["password"], autocommit=True, prepare_threshold=None, **said)
"""
WHERE = "host(inet_server_addr())"
LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND query ILIKE 'listen %'"


class Pooled:
    """The lab with a pooler of some mode, as an operator and as a client on the application host see it."""

    def __init__(self, lab, mode):
        self.lab, self.mode = lab, mode
        self.app, self.members = lab.group("app")[0], lab.group("db")
        self.id, self.secrets = lab.spec()["id"], lab.secrets()
        self.addresses = {name: lab.hosts[name]["ansible_host"] for name in self.members}

    def play(self, name, *flags):
        """A playbook; the estate's file says which pooler there is."""
        spec = {**self.lab.spec(), "postgresql": {"pooler": self.mode}}
        return self.lab.playbook(name, "-e", json.dumps({"estate_spec": spec}), *flags)

    def sql(self, host, statement):
        """What a statement prints, as the superuser on the host."""
        command = f"cd / && runuser -u postgres -- psql -XqAt -d {self.id} -c {shlex.quote(statement)}"
        return self.lab.ssh(host, command).strip()

    def primary(self):
        """The member that takes writes."""
        (found,) = [host for host in self.members if self.sql(host, "SELECT pg_is_in_recovery()") == "f"]
        return found

    def client(self, code, members=None, **conninfo):
        """What a program prints that has `connect(database, **more)`, through the poolers of these members."""
        names = members or self.members
        said = {
            "host": ",".join(names),
            "hostaddr": ",".join(self.addresses[name] for name in names),
            "port": 6432,
            "user": f"{self.id}_application",
            "sslmode": "verify-full",
            "sslrootcert": "/run/estate-test-ca.pem",
            "target_session_attrs": "read-write",
            "connect_timeout": 5,
            **conninfo,
        }
        given = json.dumps({"conninfo": said, "password": self.secrets["postgresql_application"]})
        self.lab.ssh(self.app, "cat >/run/estate-test-ca.pem", stdin=self.secrets["ca_certificate"])
        return self.lab.ssh(self.app, f"python3 -c {shlex.quote(CLIENT + code)} 2>&1", stdin=given, check=False).strip()


@pytest.fixture(scope="module", params=["session", "transaction"])
def pooled(lab, request):
    """The estate with a pooler; without one afterwards, and nothing of it is left."""
    found = Pooled(lab, request.param)
    found.play("onboard")
    yield found
    lab.playbook("onboard")
    lab.ssh(found.app, "rm -f /run/estate-test-ca.pem")
    for host in found.members:
        units = lab.ssh(host, "systemctl is-active pgbouncer estate-pgbouncer.path; :", check=False).split()
        assert units == ["inactive", "inactive"]
        kept = (
            "ls -d /etc/estate/pgbouncer/* /etc/estate/tls/pgbouncer/* /etc/systemd/system/estate-pgbouncer.* "
            "/etc/systemd/system/pgbouncer.service.d/* /etc/systemd/system/postgresql@*.service.d/pgbouncer.conf "
            "/etc/systemd/system/*.wants/*pgbouncer* /run/pgbouncer 2>/dev/null; "
            "ss -tlnH | grep :6432; nft list ruleset | grep 6432; :"
        )
        assert lab.ssh(host, kept) == ""
        rules = "SELECT count(*) FROM pg_hba_file_rules WHERE '{}' = ANY (user_name) AND address = '{}'"
        of_app = rules.format(f"{found.id}_application", lab.hosts[found.app]["ansible_host"])
        assert found.sql(host, of_app) == "1"
    assert lab.playbook("onboard").changed_tasks() == []


def test_a_second_run_changes_nothing_and_everything_holds(pooled):
    assert pooled.play("data").changed_tasks() == []
    pooled.play("verify")


def test_odoo_answers_through_it_over_tls(pooled, lab, site, odoo):
    assert lab.get(f"{site}/web/login").status_code == 200
    assert odoo("res.partner", "search_count", [])
    seen = pooled.sql(
        pooled.primary(),
        "SELECT DISTINCT host(client_addr), ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
        f"WHERE usename = '{pooled.id}_application'",
    )
    assert seen == f"{pooled.addresses[pooled.primary()]}|t"


def test_the_bus_listens_and_hears(pooled):
    assert int(pooled.sql(pooled.primary(), LISTENERS)) >= 1
    code = (
        "ear, mouth = connect('postgres'), connect('postgres')\n"
        "ear.execute('LISTEN estate_test')\nmouth.execute(\"NOTIFY estate_test, 'hello'\")\n"
        "print([note.payload for note in ear.notifies(timeout=5, stop_after=1)])"
    )
    assert pooled.client(code) == "['hello']"


def test_strangers_are_refused(pooled):
    only = [pooled.primary()]
    attempt = f"connect('{pooled.id}')"
    assert "SSL required" in pooled.client(attempt, only, sslmode="disable")
    assert "certificate verify failed" in pooled.client(attempt, only, sslrootcert="/etc/ssl/certs/ca-certificates.crt")
    assert "authentication failed" in pooled.client(attempt, only, user=f"{pooled.id}_reporting")
    assert "authentication failed" in pooled.client(attempt, only, user="postgres")
    assert "no such database" in pooled.client("connect('template1')", only)
    assert "not allowed" in pooled.client("connect('pgbouncer')", only)
    past = pooled.client(attempt, only, port=5432)
    assert "failed" in past
    assert "FATAL" not in past, "the firewall lets it through to the server"


def test_a_restart_costs_a_retry(pooled, lab, site, waiting):
    lab.ssh(pooled.primary(), "systemctl restart pgbouncer")
    assert waiting("Odoo", lambda: lab.get(f"{site}/web/login").status_code == 200, timeout=20)
    assert waiting("the bus", lambda: int(pooled.sql(pooled.primary(), LISTENERS)) >= 1, timeout=90)


def test_it_is_shut_in_and_its_secret_is_its_own(pooled, lab):
    for host in pooled.members:
        pid = lab.ssh(host, "systemctl show -P MainPID pgbouncer").strip()
        status = dict(
            line.split(":", 1) for line in lab.ssh(host, f"cat /proc/{pid}/status").splitlines() if ":" in line
        )
        assert (status["NoNewPrivs"].strip(), int(status["CapBnd"].strip(), 16)) == ("1", 0)
        assert lab.ssh(host, f"stat -c %U /proc/{pid}").strip() == "pgbouncer"
        modes = lab.ssh(host, "stat -c '%a %U' /etc/estate/pgbouncer/userlist.txt /etc/estate/tls/pgbouncer/key.pem")
        assert modes.split("\n")[:2] == ["600 pgbouncer"] * 2


def test_clients_find_the_primary_before_and_after_a_promotion(pooled, lab, site, waiting):
    if len(pooled.members) != 2:
        pytest.skip("one database host: nothing to promote")
    old = pooled.primary()
    new = next(host for host in pooled.members if host != old)
    ask = f"print(connect('{pooled.id}').execute('SELECT {WHERE}').fetchone()[0])"
    # The standby's pooler has seen a client by now, and has told it that there are no writes here.
    assert pooled.client(ask, [new, old]) == pooled.addresses[old]
    try:
        pooled.play("switchover", "-e", f"target={new}")
        waiting("the new primary", lambda: pooled.client(ask) == pooled.addresses[new], timeout=20)
        waiting("Odoo", lambda: lab.get(f"{site}/web/login").status_code == 200, timeout=60)
        pooled.play("verify")
    finally:
        if pooled.primary() != old:
            pooled.play("switchover", "-e", f"target={old}")
    waiting("the old primary", lambda: pooled.client(ask) == pooled.addresses[old], timeout=20)
