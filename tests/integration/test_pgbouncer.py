# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo behind a pooler, in either mode, over a promotion, and without one again."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import shlex
import time
import uuid
import xmlrpc.client

import pytest
import requests

from ansible_collections.retailerp.estate.tests.clients import Stream, Writer
from ansible_collections.retailerp.estate.tests.ledger import TABLE

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


class Pooled:
    """The lab with a pooler of some mode, as an operator and as a client on the application host see it."""

    def __init__(self, lab, mode):
        self.lab, self.mode = lab, mode
        self.app, self.members = lab.group("app")[0], lab.group("db")
        self.id = lab.spec()["id"]
        self.application, self.second = f"{self.id}_application", f"{self.id}_application_next"
        self.confirm = ("-e", f"confirm={self.id}")
        self.addresses = {name: lab.hosts[name]["ansible_host"] for name in self.members}

    def told(self):
        """Options that say what the estate's file would: which pooler there is."""
        return "-e", json.dumps({"estate_spec": {**self.lab.spec(), "postgresql": {"pooler": self.mode}}})

    def play(self, name, *flags, check=True):
        """A playbook with such a file."""
        return self.lab.playbook(name, *self.told(), *flags, check=check)

    def pids(self):
        """The process of each pooler: another one was restarted."""
        return {host: self.lab.ssh(host, "systemctl show -P MainPID 'pgbouncer@*'") for host in self.members}

    def let_in(self):
        """By host, the names of those whom the pooler lets in."""
        names = "cut -d'\"' -f2 /etc/estate/pgbouncer/userlist.txt"
        return {host: self.lab.ssh(host, names).split() for host in self.members}

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
        secrets = self.lab.secrets()
        given = json.dumps({"conninfo": said, "password": secrets["postgresql_application"]})
        self.lab.ssh(self.app, "cat >/run/estate-test-ca.pem", stdin=secrets["ca_certificate"])
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
        assert lab.ssh(host, "systemctl list-units -q 'pgbouncer*' estate-pgbouncer.path") == ""
        kept = (
            "ls -d /etc/estate/pgbouncer/* /etc/estate/tls/pgbouncer/* /etc/systemd/system/estate-pgbouncer.* "
            "/etc/systemd/system/pgbouncer@* /etc/systemd/system/postgresql@*.service.d/pgbouncer.conf "
            "/etc/systemd/system/*.wants/*pgbouncer* /run/pgbouncer 2>/dev/null; "
            "ss -tlnH | grep :6432; nft list ruleset | grep 6432; :"
        )
        assert lab.ssh(host, kept) == ""
        rules = "SELECT count(*) FROM pg_hba_file_rules WHERE '{}' = ANY (user_name) AND address = '{}'"
        of_app = rules.format(f"+{found.id}_application", lab.hosts[found.app]["ansible_host"])
        assert lab.sql(host, of_app) == "1"
    assert lab.playbook("onboard").changed_tasks() == []


def test_a_second_run_changes_nothing_and_everything_holds(pooled):
    assert pooled.play("data").changed_tasks() == []
    pooled.play("verify")


def test_odoo_answers_through_it_over_tls(pooled, lab, site, odoo):
    assert lab.get(f"{site}/web/login").status_code == 200
    assert odoo("res.partner", "search_count", [])
    seen = pooled.lab.sql(
        pooled.lab.primary(),
        "SELECT DISTINCT host(client_addr), ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
        f"WHERE usename = '{pooled.id}_application'",
    )
    assert seen == f"{pooled.addresses[pooled.lab.primary()]}|t"


def heard(lab, site, odoo):
    """Whether somebody who waits at Odoo's bus hears what another process of Odoo then sends."""
    channel = f"estate-test-{uuid.uuid4()}"
    question = {"jsonrpc": "2.0", "params": {"channels": [channel], "last": 0}}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ear = pool.submit(requests.post, f"{site}/longpolling/poll", json=question, verify=lab.ca, timeout=10)
        time.sleep(2)  # the first who waits makes the bus listen
        with contextlib.suppress(xmlrpc.client.Fault):  # it is sent; "nothing", what the method returns, cannot be
            odoo("bus.bus", "sendone", channel, "hello")
        try:
            return [note["message"] for note in ear.result().json()["result"]] == ["hello"]
        except requests.ReadTimeout:  # left to itself the bus looks every 50 s
            return False


def test_the_bus_listens_and_hears(pooled, lab, site, odoo):
    assert heard(lab, site, odoo)
    code = (
        "ear, mouth = connect('postgres'), connect('postgres')\n"
        "ear.execute('LISTEN estate_test')\nmouth.execute(\"NOTIFY estate_test, 'hello'\")\n"
        "print([note.payload for note in ear.notifies(timeout=5, stop_after=1)])"
    )
    assert pooled.client(code) == "['hello']"


def test_strangers_are_refused(pooled):
    only = [pooled.lab.primary()]
    attempt = f"connect('{pooled.id}')"
    assert "SSL required" in pooled.client(attempt, only, sslmode="disable")
    assert "certificate verify failed" in pooled.client(attempt, only, sslrootcert="/etc/ssl/certs/ca-certificates.crt")
    assert "authentication failed" in pooled.client(attempt, only, user=f"{pooled.id}_reporting")
    assert "authentication failed" in pooled.client(attempt, only, user="postgres")
    assert "no such database" in pooled.client("connect('template1')", only)
    assert "not allowed" in pooled.client("connect('pgbouncer')", only)
    assert "timeout expired" in pooled.client(attempt, only, port=5432), "the firewall drops what goes past it"


def test_a_restart_costs_a_retry(pooled, lab, site, odoo, waiting):
    lab.ssh(pooled.lab.primary(), "systemctl restart 'pgbouncer@*'")
    assert waiting("Odoo", lambda: lab.get(f"{site}/web/login").status_code == 200, timeout=20)
    assert waiting("the bus", lambda: heard(lab, site, odoo), timeout=90)


def test_it_is_shut_in_and_its_secret_is_its_own(pooled, lab):
    for host in pooled.members:
        pid = lab.ssh(host, "systemctl show -P MainPID 'pgbouncer@*'").strip()
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
    old = pooled.lab.primary()
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
        if pooled.lab.primary() != old:
            pooled.play("switchover", "-e", f"target={old}")
    waiting("the old primary", lambda: pooled.client(ask) == pooled.addresses[old], timeout=20)


@pytest.fixture
def ledger(pooled, lab):
    """Starts writers that go through the poolers; whatever a test left of a rotation is ended."""
    make = f"SET ROLE {pooled.application}; CREATE TABLE IF NOT EXISTS {TABLE} (number int PRIMARY KEY, member text)"
    pooled.lab.sql(pooled.lab.primary(), make)
    running = []

    def start(*login):
        running.append(Writer(lab, 1 + 10_000_000 * len(running), *login, port=6432))
        return running[-1]

    yield start
    for writer in running:
        writer.stop()
    if lab.next_secrets() or pooled.second in pooled.lab.sql(pooled.lab.primary(), "SELECT rolname FROM pg_roles"):
        pooled.play("rotate_secrets", *pooled.confirm)
    pooled.lab.sql(pooled.lab.primary(), f"DROP TABLE {TABLE}")


def test_nothing_fails_while_passwords_change(pooled, lab, site, ledger, waiting):
    before, pids = lab.secrets(), pooled.pids()
    writers = ledger(pooled.application, before["postgresql_application"]), ledger(None, None)
    page = Stream(lambda: lab.get(f"{site}/web/login").raise_for_status(), 0.2)
    for writer in writers:
        waiting("the first row", lambda writer=writer: writer.acks)
    pooled.play("rotate_secrets", *pooled.confirm)
    acked = len(writers[0].acks)
    waiting("the connection of the old generation goes on", lambda: len(writers[0].acks) > acked + 20)
    for client in (*writers, page):
        client.stop()
    assert [writer.errors for writer in writers] == [[], []]
    assert page.errors == []
    assert writers[1].logins() == [pooled.application, pooled.second, pooled.application]
    promised = {number for writer in writers for number, _login in writer.acks}
    assert promised <= {int(row) for row in pooled.lab.sql(pooled.lab.primary(), f"SELECT number FROM {TABLE}").split()}
    assert (pooled.pids(), pooled.let_in()) == (pids, dict.fromkeys(pooled.members, [pooled.application]))
    refused = ledger(pooled.application, before["postgresql_application"])
    assert refused.refused(), "the old password lets nobody in"
    assert pooled.play("onboard").changed_tasks() == []


@pytest.mark.parametrize("times", [1, 2], ids=["before the second login", "before the new password"])
def test_a_rotation_cut_short_before_the_poolers_goes_on(pooled, lab, ledger, waiting, times):
    writer = ledger(None, None)
    waiting("the first row", lambda: writer.acks)
    lab.killed("PLAY [Poolers]", times, "rotate_secrets", *pooled.told(), *pooled.confirm)
    pooled.play("data")
    assert pooled.let_in() == dict.fromkeys(pooled.members, [pooled.application, pooled.second])
    pooled.play("rotate_secrets", *pooled.confirm)
    writer.stop()
    assert writer.errors == []
    assert pooled.let_in() == dict.fromkeys(pooled.members, [pooled.application])


def test_a_second_login_that_is_used_is_not_dropped(pooled, lab, ledger, waiting):
    lab.killed("PLAY [Odoo]", 1, "rotate_secrets", *pooled.told(), *pooled.confirm)
    session = ledger(pooled.second, lab.next_secrets()["postgresql_application"])
    waiting("the first row", lambda: session.acks)
    refused = pooled.play("rotate_secrets", *pooled.confirm, check=False)
    assert refused.code != 0
    assert pooled.second in refused.output
    assert lab.hosts[pooled.app]["ansible_host"] in refused.output, "the client's address, not the pooler's"
    assert pooled.let_in() == dict.fromkeys(pooled.members, [pooled.application, pooled.second])
    session.stop()
    assert session.errors == []
    pooled.play("rotate_secrets", *pooled.confirm)
