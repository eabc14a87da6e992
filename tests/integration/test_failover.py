# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system of record is moved, lost and brought back under a writer; every acknowledged row is counted afterwards."""

from __future__ import annotations

import re
import time
import xmlrpc.client

import pytest

from ansible_collections.retailerp.estate.tests.ledger import TABLE, Writer, spells
from ansible_collections.retailerp.estate.tests.members import DATA, VERSION, Pair, cut, fill, small_disk
from ansible_collections.retailerp.estate.tests.people import Administrator

UNIT = f"postgresql@{VERSION}-main"
STATE = "/var/lib/retailerp-estate"
FENCE = f"{STATE}/postgresql.fenced"
IDLE_S = 1.1
"""One empty task on a host takes so long where docs/measurements.md has its seconds from."""


@pytest.fixture(scope="module")
def members(lab, waiting):
    """The pair under durability strict, with a table for the ledger; as they were afterwards."""
    if len(lab.group("db")) != 2:
        pytest.skip("one database host: nothing to fail over to")
    found = Pair(lab, waiting)
    first = found.primary()
    found.play("data")
    create = f"CREATE TABLE IF NOT EXISTS {TABLE} (number int PRIMARY KEY, member text)"
    found.sql(first, f"SET ROLE {lab.spec()['id']}_application; {create}")
    yield found
    if found.primary() != first:
        found.play("switchover", f"target={first}")
    found.sql(first, f"DROP TABLE {TABLE}")
    found.durability = "available"
    found.play("data")


@pytest.fixture
def writer(members, lab):
    """A writer as Odoo is one, that has had its first row acknowledged; numbers go on from test to test."""
    first = max({0, *members.rows(members.primary())}) + 1
    running = Writer(lab, members.names, first)
    members.waiting("the first row", running.acknowledged)
    yield running
    running.stop()


@pytest.fixture
def intruders(members, lab):
    """All the while somebody writes to each member that lets him; each was primary once, or never."""
    # Their rows are numbered from below, the writer's from above.
    least = min(members.rows(members.primary()), default=0)
    first = {host: least - 10**6 * (1 + index) for index, host in enumerate(members.names)}
    running = [Writer(lab, [host], first[host], intruder=True) for host in members.names]
    yield
    seen = spells(*(intruder.stop() for intruder in running))
    assert seen, "it never could"
    assert len(seen) == len(set(seen)), f"two primaries at a time: {seen}"


@pytest.fixture
def odoo_goes_on(lab, waiting):
    """Call it: Odoo, where the lab has one, answers from the database and writes there, and was never restarted."""
    app = lab.group("app")[0]
    started, spec = lab.started(app), lab.spec()
    if "odoo" not in started:
        return lambda: None
    api = Administrator(f"https://admin.{spec['domain']}", spec["id"], lab.secrets()["odoo_administrator"], lab.ca)

    def write():
        """Whether a record can be made, read and removed."""
        try:
            partner = api("res.partner", "create", {"name": "failover", "active": False})
            return api("res.partner", "unlink", [partner])
        except (xmlrpc.client.Error, OSError):
            return False

    def goes_on():
        page = f"https://{spec['domain']}/web/login"
        waiting("a page of Odoo", lambda: lab.get(page, timeout=5).status_code == 200, timeout=60)
        waiting("a record in Odoo", write, timeout=60)
        assert lab.started(app) == started

    return goes_on


def slowness(lab, host):
    """How many times longer than at a quiet hour everything takes now: twice at a slow one, and no more is borne."""
    begun = time.monotonic()
    lab.module(host, "ansible.builtin.ping", {})
    return min(2, max(1, (time.monotonic() - begun) / IDLE_S))


def settle(members, writer, primary):
    """Let the writer go on for a moment; every row it was promised is on the primary, and later on the standby."""
    had = writer.acknowledged()
    members.waiting("the writer goes on", lambda: writer.acknowledged() > had + 20)
    ledger = writer.stop()
    assert ledger.members()[-1] == primary
    promised = {number for _at, _member, number in ledger.acks}
    assert promised - members.rows(primary) == set()
    standby = members.standby(primary)
    if members.streams(primary, standby):
        members.waiting("the rows on the standby", lambda: promised <= members.rows(standby))
    return ledger


@pytest.mark.usefixtures("intruders")
def test_switchover_loses_nothing_and_takes_seconds(members, writer, lab, odoo_goes_on):
    old = members.primary()
    new = members.standby(old)
    slow = slowness(lab, old)
    foretold = members.play("switchover", "--check").changed_tasks()
    assert members.primary() == old
    done = members.play("switchover").changed_tasks()
    # Then the new primary proves that it waits for its standby, in the playbook's last play.
    assert foretold == [task for task in done if "to settled" not in task[1]]
    assert [task.rpartition(" ")[2] for _host, task in foretold] == ["fenced", "primary", "standby"]
    assert members.primary() == new
    ledger = settle(members, writer, new)
    assert ledger.members() == [old, new]
    assert ledger.longest_gap() <= 3 * slow, "seconds of refused writes"
    odoo_goes_on()
    members.healthy(new)
    assert members.play("switchover", f"target={new}").changed_tasks() == []


@pytest.mark.drill
@pytest.mark.parametrize("how", ["postmaster", "backend"])
@pytest.mark.usefixtures("intruders")
def test_a_killed_server_comes_back_by_itself(members, writer, how):
    primary = members.primary()
    pid = {
        "postmaster": f"head -n 1 {DATA}/postmaster.pid",
        "backend": f"pgrep -u postgres -f '{members.lab.spec()['id']}_application.*idle|INSERT' | head -n 1",
    }[how]
    members.lab.ssh(primary, f"kill -9 $({pid})")
    ledger = settle(members, writer, primary)
    assert set(ledger.members()) == {primary}
    members.healthy(primary)


@pytest.mark.drill
def test_failover_is_refused_in_each_unsafe_case(members, lab):
    old = members.primary()
    new = members.standby(old)
    assert "add -e confirm=" in members.play("failover", f"lost={old}", "confirm=other", check=False).output
    assert members.primary() == old
    # Nothing proves that it is off: it does not answer, and there is no switch.
    members.power("pause", old)
    try:
        unproven = members.play(
            "failover", f"lost={old}", members.confirm, '{"postgresql_fence_command": []}', check=False
        )
        assert unproven.code != 0
        assert "nothing proves that it takes no writes" in unproven.output
    finally:
        members.power("unpause", old)
    assert members.sql(new, "SELECT pg_is_in_recovery()") == "t"
    members.healthy(old)


@pytest.mark.drill
def test_a_primary_that_is_alive_is_not_fenced(members, writer, lab):
    old = members.primary()
    refused = members.play("failover", f"lost={old}", members.confirm, check=False)
    assert refused.code != 0
    assert "it is alive" in refused.output
    ledger = settle(members, writer, old)
    assert ledger.longest_gap() <= 1, "nothing was stopped"
    lab.ssh(old, f"test ! -e {FENCE}")
    members.healthy(old)


@pytest.mark.drill
def test_a_fence_that_serves_nothing_is_lifted_again(members, lab):
    """Available, and the standby lags: what only the old primary has is known once that is stopped."""
    members.durability = "available"
    members.play("data")
    old = members.primary()
    new = members.standby(old)
    # The standby runs and receives nothing.
    cut(lab, old, new, "in", "out")
    members.waiting("the link is gone", lambda: not members.sql(old, "SELECT 1 FROM pg_stat_replication"), timeout=60)
    try:
        members.sql(old, f"INSERT INTO {TABLE} VALUES (-2, '{old}')")
        refused = members.play("failover", f"lost={old}", members.confirm, check=False)
        assert refused.code != 0
        assert "Start the old primary again" in refused.output
        assert f"{old} was fenced for a moment and runs again" in refused.output
        assert members.sql(old, "SELECT pg_is_in_recovery()") == "f"
        assert members.sql(new, "SELECT pg_is_in_recovery()") == "t"
        lab.ssh(old, f"test ! -e {FENCE}")
    finally:
        lab.ssh(old, "nft delete table inet cut")
    members.sql(old, f"DELETE FROM {TABLE} WHERE number = -2")
    members.durability = "strict"
    members.play("data")
    members.healthy(old)


@pytest.mark.drill
@pytest.mark.usefixtures("intruders")
def test_a_server_that_does_not_stop_is_killed_and_replaced(members, writer, lab):
    """A postmaster that was halted answers nobody and obeys no signal but one."""
    old = members.primary()
    new = members.standby(old)
    lab.ssh(old, "pkill -STOP -u postgres")
    begun = time.monotonic()
    members.play("failover", f"lost={old}", members.confirm)
    assert time.monotonic() - begun < 60
    ledger = settle(members, writer, new)
    assert ledger.members() == [old, new]
    members.play("rejoin", f"member={old}", "method=rewind", members.confirm)
    members.healthy(new)


@pytest.mark.drill
def test_a_broken_disk_leaves_it_to_the_power_switch_and_check_mode_foretells_it(members, writer, lab):
    old = members.primary()
    new = members.standby(old)
    members.power("pause", old)
    try:
        foretold = members.play("failover", f"lost={old}", members.confirm, "--check")
    finally:
        members.power("unpause", old)
    assert f"{new} would be primary; {old} would be switched off" in foretold.output
    assert members.primary() == old
    # No fence can be written, and the server goes on; the standby is out of its sight, else it would be alive.
    lab.ssh(old, f"mount --bind {STATE} {STATE} && mount -o remount,bind,ro {STATE}")
    cut(lab, old, new, "in", "out")
    members.play("failover", f"lost={old}", members.confirm)
    ledger = settle(members, writer, new)
    assert ledger.members() == [old, new]
    members.power("start", old)
    members.waiting("SSH", lambda: lab.ssh(old, "true") == "")
    members.play("rejoin", f"member={old}", "method=rewind", members.confirm)
    members.healthy(new)


@pytest.mark.usefixtures("intruders")
def test_a_lost_host_is_replaced_and_comes_back_as_a_standby(members, writer, lab, odoo_goes_on):
    old = members.primary()
    new = members.standby(old)
    limit = 10 * slowness(lab, old)
    members.power("kill", old)
    begun = time.monotonic()
    members.play("failover", f"lost={old}", members.confirm)
    writable = members.waiting("a row on the new primary", lambda: writer.ledger.first(new), timeout=2 * limit)
    print(f"writable after {writable - begun:.1f} s of {limit:.1f} s")
    assert writable - begun <= limit, "from the start of the playbook to writable"
    odoo_goes_on()
    ledger = settle(members, writer, new)
    assert ledger.members() == [old, new]

    # The old primary comes back: it asks, and does not come up writable. Asserted by trying to write, all the time.
    intruder = Writer(lab, [old], first=10**9, intruder=True)
    members.power("start", old)
    refusal = "PostgreSQL is not started as primary"
    members.waiting(
        "the guard's refusal", lambda: refusal in lab.ssh(old, f"journalctl --no-pager -u {UNIT}"), timeout=90
    )
    told = members.play("data", check=False)
    assert told.code != 0
    assert "rejoin" in told.output
    members.rejoin(old)
    members.healthy(new)
    time.sleep(1)
    assert intruder.stop().acks == []


@pytest.mark.drill
def test_a_primary_that_went_its_own_way_is_rewound_only_when_told(members, lab):
    """Available: the primary acknowledged what the standby never got. The price is named, the loss is exactly that."""
    members.durability = "available"
    members.play("data")
    old = members.primary()
    new = members.standby(old)
    lab.ssh(new, f"systemctl stop {UNIT}")
    members.sql(old, f"INSERT INTO {TABLE} VALUES (-1, '{old}')")
    members.power("kill", old)
    lab.ssh(new, f"systemctl start {UNIT}")
    refused = members.play("failover", f"lost={old}", members.confirm, check=False)
    assert refused.code != 0
    assert "accept_data_loss=" in refused.output
    position = refused.output.partition("accept_data_loss=")[2].split()[0].strip('".,')
    members.play("failover", f"lost={old}", members.confirm, f"accept_data_loss={position}")
    assert members.primary() == new
    members.power("start", old)
    members.waiting("SSH", lambda: lab.ssh(old, "true") == "")
    asked = members.play("rejoin", f"member={old}", check=False)
    assert "which the primary never had" in asked.output
    members.play("rejoin", f"member={old}", "method=rewind", members.confirm)
    members.durability = "strict"
    members.play("data")
    members.healthy(new)
    assert -1 not in members.rows(old) | members.rows(new)


@pytest.mark.drill
@pytest.mark.parametrize("method", ["rewind", "clone"])
def test_a_standby_that_went_its_own_way_is_no_successor_and_comes_back_when_told(members, lab, method):
    """Somebody promoted it by hand, with no link to its primary, and made it a standby again."""
    old = members.primary()
    new = members.standby(old)
    cut(lab, new, old, "in", "out")
    members.waiting("the link is gone", lambda: not members.sql(old, "SELECT 1 FROM pg_stat_replication"), timeout=60)
    members.sql(new, "SELECT pg_promote()")
    members.sql(new, f"SET synchronous_commit = local; INSERT INTO {TABLE} VALUES (-5, '{new}')")
    lab.ssh(new, f"systemctl stop {UNIT} && touch {DATA}/standby.signal && chown postgres: {DATA}/standby.signal")
    lab.ssh(new, f"nft delete table inet cut; systemctl start {UNIT}")
    members.waiting("it answers", lambda: members.sql(new, "SELECT pg_is_in_recovery()", check=False) == "t")

    refused = members.play("failover", f"lost={old}", members.confirm, check=False)
    assert refused.code != 0
    assert "Nothing was changed" in refused.output
    assert re.search(rf"{new} is on timeline \d+, the log of the old primary ends on timeline \d+", refused.output)
    assert members.primary() == old
    told = members.play("rejoin", f"member={new}", check=False)
    assert told.code != 0
    assert "which the primary never had" in told.output
    members.play("rejoin", f"member={new}", f"method={method}", members.confirm)
    members.healthy(old)
    assert -5 not in members.rows(old) | members.rows(new)


@pytest.mark.drill
@pytest.mark.parametrize("directions", [["in"], ["out"], ["in", "out"]], ids="-".join)
@pytest.mark.usefixtures("intruders")
def test_a_cut_between_the_members_stalls_writes_and_loses_none(members, writer, lab, directions):
    primary = members.primary()
    cut(lab, primary, members.standby(primary), *directions)
    try:
        time.sleep(2)
        had = writer.acknowledged()
        time.sleep(3)
        assert writer.acknowledged() == had, "strict: without the standby nothing is acknowledged"
    finally:
        lab.ssh(primary, "nft delete table inet cut")
    ledger = settle(members, writer, primary)
    assert set(ledger.members()) == {primary}
    members.healthy(primary)


@pytest.mark.drill
@pytest.mark.parametrize("reached", ["by nobody", "by its clients"])
def test_a_primary_cut_off_from_its_standby_is_fenced_and_replaced(members, writer, lab, reached):
    """The operator reaches it still, and so may the application: it takes writes then that no standby has."""
    old = members.primary()
    new = members.standby(old)
    for peer in (new, *([lab.group("app")[0]] if reached == "by nobody" else [])):
        cut(lab, old, peer, "in", "out")
    intruder = Writer(lab, [old], first=10**9, intruder=True)
    if reached == "by its clients":
        members.waiting("a row that nobody else has", intruder.acknowledged)
    members.play("failover", f"lost={old}", members.confirm)
    ledger = settle(members, writer, new)
    assert ledger.members() == [old, new]
    lab.ssh(old, "nft delete table inet cut")
    lab.ssh(old, f"systemctl start {UNIT}", check=False)
    time.sleep(3)
    assert lab.ssh(old, f"systemctl is-active {UNIT} || true").strip() in ("inactive", "failed"), "the fence holds"
    local = intruder.stop()
    assert spells(ledger, local) == [old, new]
    assert bool(local.acks) == (reached == "by its clients")
    if local.acks:
        assert "which the primary never had" in members.play("rejoin", f"member={old}", check=False).output
    members.rejoin(old)
    members.healthy(new)


@pytest.mark.drill
def test_a_primary_whose_clock_is_an_hour_ahead_loses_nothing(members, lab, waiting):
    """Hosts of the lab share one clock: the server alone is told another time. Before the writer, as it restarts."""
    old = members.primary()
    new = members.standby(old)
    environment = f"/etc/postgresql/{VERSION}/main/environment"
    ahead = "LD_PRELOAD = '$(dpkg -L libfaketime | grep libfaketime.so.1)'\\nFAKETIME = '+1h'\\n"
    lab.ssh(old, "apt-get -qq update && apt-get install -qqy --no-install-recommends libfaketime")
    lab.ssh(old, f'test ! -e {environment} && printf "{ahead}" > {environment} && systemctl restart {UNIT}')
    try:
        waiting("both", lambda: members.streams(old, new))
        assert float(members.sql(old, "SELECT extract(epoch FROM clock_timestamp())")) - time.time() > 3000
        writer = Writer(lab, members.names, max({0, *members.rows(old)}) + 1)
        waiting("rows", lambda: writer.acknowledged() > 50)
        members.play("switchover")
        waiting("rows on the new primary", lambda: writer.ledger.members() == [old, new])
        promised = {number for _at, _member, number in writer.stop().acks}
        assert promised <= members.rows(new)
    finally:
        lab.ssh(old, f"rm -f {environment} && systemctl restart {UNIT}")
    members.healthy(new)


@pytest.mark.drill
@pytest.mark.parametrize("where", ["primary", "standby"])
@pytest.mark.usefixtures("intruders")
def test_a_full_disk_stops_writes_and_loses_none(members, lab, waiting, where):
    primary = members.primary()
    host = primary if where == "primary" else members.standby(primary)
    with small_disk(lab, host, UNIT):
        members.waiting("replication", lambda: members.streams(primary, members.standby(primary)))
        writer = Writer(lab, members.names, max({0, *members.rows(primary)}) + 1)
        try:
            waiting("the first row", writer.acknowledged)
            fill(members, host, primary)
            time.sleep(3)
            had = writer.acknowledged()
            time.sleep(3)
            assert writer.acknowledged() == had, "nothing is acknowledged that one of the two cannot keep"
            lab.ssh(host, f"rm {DATA}/pg_wal/filler")
            waiting("both again", lambda: members.streams(primary, members.standby(primary)), timeout=120)
            settle(members, writer, primary)
        finally:
            writer.stop()
    members.healthy(primary)


@pytest.mark.drill
@pytest.mark.usefixtures("intruders")
def test_a_switchover_that_was_cut_short_is_finished_by_the_next(members, writer, lab):
    old = members.primary()
    new = members.standby(old)
    assert "must name one of" in members.play("switchover", "target=db9", check=False).output
    lab.killed("TASK [retailerp.estate.postgresql : Promote]", 1, "switchover", "-e", members.spec())
    assert members.sql(new, "SELECT pg_is_in_recovery()") == "t"
    members.play("switchover")
    ledger = settle(members, writer, new)
    assert ledger.members() == [old, new]
    members.healthy(new)


@pytest.mark.drill
@pytest.mark.parametrize(("words", "times"), [("Promote] ", 2), ("Move the member to primary] ", 1)])
@pytest.mark.usefixtures("intruders")
def test_a_failover_that_was_cut_short_is_finished_by_the_next(members, writer, lab, words, times):
    """Between the fence and the promotion, which was foretold once before; and while it promotes."""
    old = members.primary()
    new = members.standby(old)
    lost = ("failover", f"lost={old}", members.confirm)
    lab.ssh(old, "pkill -STOP -u postgres")
    extra = [word for value in (members.spec(), *lost[1:]) for word in ("-e", value)]
    lab.killed(f"TASK [retailerp.estate.postgresql : {words}", times, lost[0], *extra)
    members.play(*lost)
    ledger = settle(members, writer, new)
    assert ledger.members() == [old, new]
    members.play("rejoin", f"member={old}", "method=rewind", members.confirm)
    members.healthy(new)
