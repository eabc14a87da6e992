# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's minor and major upgrade under a writer: no acknowledged row is lost, and the way back works.

Debian has one version a release, so the pair runs the older release's for these tests: 15, of which the archive has two
minor versions, beside 17. The estate's own data lies aside meanwhile, and Odoo's containers are paused.
"""

from __future__ import annotations

import json

import pytest

from ansible_collections.retailerp.estate.tests.ledger import TABLE, Writer
from ansible_collections.retailerp.estate.tests.members import Members

pytestmark = pytest.mark.drill

OLD, NEW = "15", "17"
ASIDE = "/var/lib/estate-test-postgresql"
SOURCES = "sed s/trixie/bookworm/ /etc/apt/sources.list > /etc/apt/sources.list.d/estate-test.list"
PIN = "Package: *\nPin: release n=bookworm*\nPin-Priority: 100\n"
PAUSE = "docker.from_env().containers.list(filters={'status': '%s'})"


class Pair(Members):
    """The two database hosts, on a version of our choice."""

    def __init__(self, lab, waiting):
        super().__init__(lab, waiting)
        self.version, self.pooler = OLD, "none"

    def on(self, command, hosts=None, check=True):
        """What a command prints on each host."""
        return {host: self.lab.ssh(host, command, check=check, timeout=600).strip() for host in hosts or self.names}

    def spec(self):
        """Extra variables: the estate's file with this version and durability."""
        postgresql = {"durability": self.durability, "version": self.version, "pooler": self.pooler}
        return json.dumps({"estate_spec": {**self.lab.spec(), "postgresql": postgresql}})

    def upgrade(self, *extra, check=True):
        """The major upgrade, with what it must be told."""
        return self.play("pg_major_upgrade", f"to={NEW}", *extra, check=check)

    def serves(self):
        """The major version that each member runs."""
        return {self.sql(host, "SHOW server_version", check=False).split(".")[0] for host in self.names}


def containers(lab, verb, status):
    """Pause or unpause what runs on the application host; where there is no engine, there is nothing."""
    program = f"import docker\nfor c in {PAUSE % status}: c.{verb}()"
    lab.ssh(lab.group("app")[0], f'python3 -c "{program}"', check=False)


@pytest.fixture(scope="module")
def pair(lab, waiting):
    """An empty pair on the old version's older minor; afterwards the estate has its own data again."""
    if len(lab.group("db")) != 2:
        pytest.skip("one database host: this is about a pair")
    found = Pair(lab, waiting)
    if "yes" in found.on(f"[ ! -e {ASIDE} ] || echo yes").values():
        put_back(found)  # what a killed run left
    try:
        for host in found.names:
            lab.ssh(host, f"{SOURCES}; cat > /etc/apt/preferences.d/estate-test", stdin=PIN)
        found.on("apt-get update -q")
        offered = found.on(f"apt-cache madison postgresql-{OLD} | cut -d'|' -f2")[found.names[0]].split()
        if len(set(offered)) < 2:
            pytest.skip(f"the archive has one minor version of {OLD}: {offered}")
        containers(lab, "pause", "running")
        put_aside(found)
        oldest = f"postgresql-{OLD}={offered[-1]} postgresql-client-{OLD}={offered[-1]}"
        flags = "-qy --no-install-recommends --allow-downgrades --allow-change-held-packages"
        found.on(f"DEBIAN_FRONTEND=noninteractive apt-get install {flags} {oldest}")
        found.on(f"systemctl stop 'postgresql@*'; rm -rf /var/lib/postgresql/{OLD} /etc/postgresql/{OLD}")
        found.play("data")
        create = f"CREATE TABLE IF NOT EXISTS {TABLE} (number int PRIMARY KEY, member text)"
        found.sql(found.primary(), f"SET ROLE {lab.spec()['id']}_application; {create}")
        yield found
    finally:
        put_back(found)
        containers(lab, "unpause", "paused")


def put_aside(pair):
    """The estate's own clusters, standbys first, out of everybody's sight."""
    for host in sorted(pair.names, key=lambda host: host == pair.primary()):
        pair.on(
            f"systemctl stop 'postgresql@*'; mkdir -p {ASIDE}/data {ASIDE}/etc && "
            f"mv /var/lib/postgresql/* {ASIDE}/data/ && mv /etc/postgresql/* {ASIDE}/etc/",
            [host],
        )


def put_back(pair):
    """The estate as it was, with the packages that it had."""
    pair.on("systemctl stop 'postgresql@*'; rm -f /var/lib/retailerp-estate/postgresql[.-]*", check=False)
    pair.on("rm -f /etc/apt/sources.list.d/estate-test.list /etc/apt/preferences.d/estate-test; apt-get update -q")
    purge = f"apt-get purge -qy --allow-change-held-packages postgresql-{OLD} postgresql-client-{OLD}"
    pair.on(f"DEBIAN_FRONTEND=noninteractive {purge}", check=False)
    pair.on(
        f"if [ -e {ASIDE} ]; then rm -rf /var/lib/postgresql/* /etc/postgresql/*; "
        f"mv {ASIDE}/data/* /var/lib/postgresql/ && mv {ASIDE}/etc/* /etc/postgresql/ && rm -r {ASIDE}; "
        "systemctl daemon-reload; fi"
    )
    pair.lab.playbook("data")


@pytest.fixture
def writer(pair, lab):
    """A writer as Odoo is one, that has had its first row acknowledged; numbers go on from test to test."""
    first = max(pair.rows(pair.primary()), default=0) + 1
    running = Writer(lab, pair.names, first)
    pair.waiting("the first row", running.acknowledged)
    yield running
    running.stop()


def settle(pair, writer):
    """Let the writer go on for a moment; every row it was promised is on both members."""
    had = writer.acknowledged()
    pair.waiting("the writer goes on", lambda: writer.acknowledged() > had + 20, timeout=120)
    ledger = writer.stop()
    promised = {number for _at, _member, number in ledger.acks}
    for host in pair.names:
        pair.waiting(f"the rows on {host}", lambda host=host: promised <= pair.rows(host))
    print(f"nothing was acknowledged for {ledger.longest_gap():.1f} s")
    return ledger


def test_a_minor_upgrade_moves_the_primary_and_takes_seconds(pair, writer):
    before = pair.primary()
    pid = pair.on(f"head -n 1 /var/lib/postgresql/{OLD}/main/postmaster.pid")
    foretold = pair.play("pg_minor_upgrade", "--check")
    assert {host for host, _task in foretold.changed_tasks()} == set(pair.names)
    assert f"service postgresql@{OLD}-main.service" in foretold.output
    assert pair.on(f"head -n 1 /var/lib/postgresql/{OLD}/main/postmaster.pid") == pid
    assert "do not offer" in pair.play("pg_minor_upgrade", "to=15.999", check=False).output
    pair.play("pg_minor_upgrade")
    assert pair.primary() != before
    ledger = settle(pair, writer)
    assert ledger.longest_gap() <= 6, "one switchover"
    assert len(set(pair.on("apt-mark showhold | grep -c postgresql").values())) == 1
    assert pair.play("pg_minor_upgrade").changed_tasks() == []
    assert pair.play("data").changed_tasks() == []


def test_a_minor_upgrade_that_was_cut_short_is_finished(pair, writer):
    """Cut after the packages and before the restart: the old program runs, the new one is there."""
    host = next(name for name in pair.names if name != pair.primary())
    pair.on(f"apt-get install -qy --reinstall --allow-change-held-packages postgresql-{OLD}", [host], check=False)
    program = f"/usr/lib/postgresql/{OLD}/bin/postgres"
    pair.on(f"cp -p {program} {program}.new && mv {program}.new {program}", [host])
    told = pair.play("pg_minor_upgrade")
    assert {name for name, _task in told.changed_tasks()} == {host}
    settle(pair, writer)


def test_a_major_upgrade_is_refused_unconfirmed_and_unrehearsed(pair):
    assert "add -e confirm=" in pair.upgrade(check=False).output
    assert "run with -e rehearse=true" in pair.upgrade(pair.confirm, check=False).output
    assert pair.serves() == {OLD}


def test_a_rehearsal_touches_nothing(pair, writer):
    pid = pair.on(f"head -n 1 /var/lib/postgresql/{OLD}/main/postmaster.pid")
    assert "base_backup:" in pair.upgrade("rehearse=true").output
    assert pair.on(f"head -n 1 /var/lib/postgresql/{OLD}/main/postmaster.pid") == pid
    assert pair.on("ls /var/lib/postgresql") == dict.fromkeys(pair.names, OLD)
    assert settle(pair, writer).longest_gap() <= 5


def test_an_upgrade_that_fails_leaves_the_old_version_serving(pair, writer):
    host = pair.primary()
    pair.on(f"chmod -x /usr/lib/postgresql/{NEW}/bin/pg_upgrade", [host])
    failed = pair.upgrade(pair.confirm, check=False)
    pair.on(f"chmod +x /usr/lib/postgresql/{NEW}/bin/pg_upgrade", [host])
    assert failed.code != 0
    assert f"PostgreSQL {OLD} serves again, nothing was lost" in failed.output
    settle(pair, writer)
    assert pair.serves() == {OLD}
    assert pair.play("data").changed_tasks() == []


@pytest.fixture
def poolers(pair):
    """A pooler before each member; none afterwards."""
    limit = "--limit=app,db"  # Odoo is paused: only the firewalls have to know
    pair.pooler = "session"
    pair.play("hosts", limit)
    pair.play("data")
    yield lambda: pair.on("systemctl list-units -q --plain --state=running 'pgbouncer@*' | cut -d' ' -f1")
    pair.pooler = "none"
    pair.play("hosts", limit)
    pair.play("data")


def test_each_version_has_a_pooler_there_and_back(pair, lab, poolers):
    first = max(pair.rows(pair.primary()), default=0) + 1
    for flags, serves in (((), NEW), (("back=true",), OLD)):
        writer = Writer(lab, pair.names, first, port=6432)
        pair.waiting("the first row through the pooler", writer.acknowledged)
        pair.upgrade(*flags, pair.confirm)
        assert pair.serves() == {serves}
        assert poolers() == dict.fromkeys(pair.names, f"pgbouncer@{serves}-main.service")
        had = writer.acknowledged()
        pair.waiting("the writer goes on", lambda writer=writer, had=had: writer.acknowledged() > had + 20)
        numbers = [number for _at, _member, number in writer.stop().acks]
        # Going back gives up what was written since the upgrade, and nothing else.
        assert set(numbers if serves == NEW else numbers[had:]) <= pair.rows(pair.primary())
        first = numbers[-1] + 1_000
    assert pair.play("data").changed_tasks() == []


@pytest.fixture(
    params=[
        ("strict", "Member upgraded"),
        # The new cluster is in place, its server has not been started yet.
        ("available", "Configuration of PostgreSQL"),
    ]
)
def cut_short(request, pair):
    """What the estate's file says of durability, and the task at which the run is killed."""
    pair.durability, task = request.param
    pair.play("data")
    yield f"TASK [retailerp.estate.postgresql : {task}]"
    pair.durability = "strict"
    pair.play("data")


def test_an_upgrade_that_was_cut_short_is_finished_and_can_be_taken_back(pair, writer, lab, cut_short):
    told = ("-e", pair.spec(), "-e", f"to={NEW}", "-e", pair.confirm)
    lab.killed(cut_short, 1, "pg_major_upgrade", *told)
    pair.upgrade(pair.confirm)
    assert pair.serves() == {NEW}
    promised = {number for _at, _member, number in settle(pair, writer).acks}
    assert pair.upgrade(pair.confirm).changed_tasks() == []
    assert "estate_spec.postgresql.version" in pair.play("data", check=False).output

    pair.sql(pair.primary(), f"INSERT INTO {TABLE} VALUES (-1, 'new')")
    assert "gives up everything written" in pair.upgrade("back=true", check=False).output
    pair.upgrade("back=true", pair.confirm)
    assert pair.serves() == {OLD}
    pair.waiting("the standby", lambda: pair.play("data").changed_tasks() == [])
    left = pair.rows(pair.primary())
    assert -1 not in left, "what was written since the upgrade is given up"
    assert {number for number in promised if number < min(promised) + 20} <= left, "what was written before is there"


def test_the_end_removes_the_old_version(pair, writer):
    pair.upgrade(pair.confirm)
    ledger = settle(pair, writer)
    assert len(ledger.members()) == 1
    pair.version = NEW
    assert pair.play("data").changed_tasks() == []
    pair.upgrade("finish=true", pair.confirm)
    assert pair.on("ls /var/lib/postgresql/* | grep estate || true") == dict.fromkeys(pair.names, "")
    assert pair.on("ls /usr/lib/postgresql") == dict.fromkeys(pair.names, NEW)
    assert "no way back" in pair.upgrade("back=true", pair.confirm, check=False).output
    assert pair.upgrade("finish=true", pair.confirm).changed_tasks() == []
    assert pair.play("data").changed_tasks() == []
