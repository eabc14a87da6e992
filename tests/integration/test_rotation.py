# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of the database change under writers, people and integrations, and none of them notices.

Cut short anywhere, a rotation goes on. It is two releases of Odoo, some minutes; so all of it is a drill.
"""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import scram
from ansible_collections.retailerp.estate.tests.clients import Bench, Stream, Writer
from ansible_collections.retailerp.estate.tests.ledger import TABLE
from ansible_collections.retailerp.estate.tests.people import Administrator

pytestmark = pytest.mark.drill

DUTIES = ("application", "reporting", "audit", "replication", "monitor")
ROTATED = {f"postgresql_{duty}" for duty in DUTIES}
# Where a controller dies: what it says last, and how often it has said it then.
AFTER = {
    "both generations are let in": ("PLAY [Odoo]", 1),
    "the next one is adopted": ("PLAY [Logins on the primary]", 2),
    "the roles have the new passwords": ("PLAY [Odoo]", 2),
}


class Estate:
    """The estate under load: what is done to it, and what its clients saw meanwhile."""

    def __init__(self, lab, site):
        self.lab, self.id, self.site = lab, lab.spec()["id"], site
        self.confirm = ("-e", f"confirm={self.id}")
        self.application, self.second = f"{self.id}_application", f"{self.id}_application_next"
        self.clients, self.partner = [], None

    def sql(self, *statements):
        """What these statements print on the primary, as the superuser, in the estate's database."""
        return self.lab.sql(self.lab.primary(), *statements)

    def writer(self, waiting, *login):
        """A writer that has had its first row acknowledged."""
        started = Writer(self.lab, 1 + 10_000_000 * len(self.clients), *login)
        self.clients.append(started)
        waiting("the first row", lambda: started.acks)
        return started

    def bench(self, waiting, *login):
        """pgbench that has begun."""
        started = Bench(self.lab, *login)
        self.clients.append(started)
        waiting("pgbench", lambda: started.done)
        return started

    def streams(self, waiting):
        """People on the public site, an integration on the internal one: both ask for what is in the database."""
        internal, secret = f"https://admin.{self.lab.spec()['domain']}", self.lab.secrets()["odoo_administrator"]
        api = Administrator(internal, self.id, secret, self.lab.ca)
        partner = self.partner or api("res.partner", "create", {"name": "rotation", "active": False})
        self.partner = partner

        def read():
            self.lab.get(f"{self.site}/web/login").raise_for_status()

        def write():
            api("res.partner", "write", [partner], {"comment": "rotation"})

        for ask, pause in ((read, 0.2), (write, 0.5)):
            started = Stream(ask, pause)
            self.clients.append(started)
            waiting("the first answer", lambda started=started: started.done)

    def stop(self):
        """End all clients: what failed, of all of them."""
        for client in self.clients:
            client.stop()
        return [error for client in self.clients for error in client.errors]

    def second_logins(self):
        """Names of those that are there."""
        return self.sql("SELECT rolname FROM pg_roles WHERE rolname ~ '_next$'").split()

    def takes(self, secrets):
        """The duties whose role has the password that is among these secrets."""
        rows = self.sql("SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL").splitlines()
        verifiers = dict(row.split("|") for row in rows)
        return {duty for duty in DUTIES if scram.matches(verifiers[f"{self.id}_{duty}"], secrets[f"postgresql_{duty}"])}

    def ended(self, before):
        """A rotation came to its end, from these secrets: one generation, the new one, and nothing left to do."""
        now = self.lab.secrets()
        assert {name for name in now if now[name] != before[name]} == ROTATED
        assert (self.takes(before), self.takes(now)) == (set(), set(DUTIES))
        assert self.lab.next_secrets() == {}
        assert self.second_logins() == []
        assert self.lab.playbook("onboard").changed_tasks() == []


@pytest.fixture
def estate(lab, site, odoo):
    """The estate with a table for the writers; whatever a test left of a rotation is ended."""
    found = Estate(lab, site)
    # Not with the rows of a run that was killed.
    create = f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (number int PRIMARY KEY, member text)"
    found.sql(f"SET ROLE {found.application}", create)
    yield found
    found.stop()
    if lab.next_secrets() or found.second_logins():
        lab.playbook("rotate_secrets", *found.confirm)
    found.sql(f"DROP TABLE {TABLE}")
    if found.partner:
        odoo("res.partner", "unlink", [found.partner])


def test_nothing_fails_while_passwords_change(lab, estate, waiting):
    before = lab.secrets()
    old = estate.writer(waiting, estate.application, before["postgresql_application"])
    fresh = estate.writer(waiting)
    estate.streams(waiting)
    bench = estate.bench(waiting, estate.application, before["postgresql_application"])
    lab.playbook("rotate_secrets", *estate.confirm)
    counts = [client.done for client in estate.clients[2:4]]
    acked = len(old.acks)
    waiting("the connection of the old generation goes on", lambda: len(old.acks) > acked + 20)
    assert estate.stop() == []
    assert fresh.logins() == [estate.application, estate.second, estate.application]
    assert min(*counts, bench.done) > 50, "a stream of requests and transactions, all the time"
    promised = {number for number, _login in old.acks + fresh.acks}
    assert promised <= {int(line) for line in estate.sql(f"SELECT number FROM {TABLE}").split()}
    estate.ended(before)
    refused = Writer(lab, 1, estate.application, before["postgresql_application"])
    estate.clients.append(refused)
    assert refused.refused(), "the old password lets nobody in"


@pytest.mark.parametrize("after", AFTER)
def test_a_rotation_that_is_cut_short_goes_on(lab, estate, waiting, after):
    before = lab.secrets()
    estate.writer(waiting)
    estate.streams(waiting)
    lab.killed(*AFTER[after], "rotate_secrets", *estate.confirm)
    chosen = lab.next_secrets() or lab.secrets()
    # Somebody runs something else meanwhile: it does no harm.
    if lab.next_secrets():
        assert lab.playbook("onboard").changed_tasks() == []
    else:
        lab.playbook("data")
    assert len(estate.second_logins()) == 4
    lab.playbook("rotate_secrets", *estate.confirm)
    assert estate.stop() == []
    estate.ended(before)
    assert {name: lab.secrets()[name] for name in ROTATED} == {name: chosen[name] for name in ROTATED}


def test_a_second_login_that_is_used_is_not_dropped(lab, estate, waiting):
    before = lab.secrets()
    estate.streams(waiting)
    lab.killed(*AFTER["both generations are let in"], "rotate_secrets", *estate.confirm)
    session = estate.writer(waiting, estate.second, lab.next_secrets()["postgresql_application"])
    address = lab.hosts[lab.group("app")[0]]["ansible_host"]
    refused = lab.playbook("rotate_secrets", *estate.confirm, check=False)
    assert refused.code != 0
    told = " ".join(refused.output.split())
    assert f"{estate.second} has 1 session (1 from {address})" in told
    assert f"let these clients log in as {estate.application}" in told
    assert len(estate.second_logins()) == 4, "all of them or none"
    assert estate.takes(lab.secrets()) == set(DUTIES)
    verified = lab.playbook("verify", check=False)
    assert verified.code != 0
    assert "postgresql.access.rotation" in verified.output
    session.stop()
    lab.playbook("rotate_secrets", *estate.confirm)
    assert estate.stop() == []
    estate.ended(before)


def test_half_a_rotation_and_a_wrong_confirmation_are_refused(lab, estate):
    before, vault = lab.secrets(), (lab.inventory / "group_vars/all/vault.yml").read_text()
    for words in (["-e", "confirm=other"], [*estate.confirm, "--limit", "db"], [*estate.confirm, "--tags", "db"]):
        assert lab.playbook("rotate_secrets", *words, check=False).code != 0
    foretold = lab.playbook("rotate_secrets", *estate.confirm, "--check", "--diff")
    assert "+next value of postgresql_application: (secret)" in foretold.output
    assert (lab.inventory / "group_vars/all/vault.yml").read_text() == vault
    assert (lab.secrets(), estate.second_logins()) == (before, [])
