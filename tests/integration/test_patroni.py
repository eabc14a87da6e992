# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in Patroni's hands is broken under a writer; every acknowledged row is counted afterwards."""

from __future__ import annotations

import json
import statistics
import time

import pytest

from ansible_collections.retailerp.estate.tests import older as older_minor
from ansible_collections.retailerp.estate.tests.ledger import TABLE, Writer, spells
from ansible_collections.retailerp.estate.tests.members import DATA, VERSION, Members, cut, fill, small_disk

UNIT = f"patroni@{VERSION}-main"
RUNS = 10
pytestmark = pytest.mark.drill


class Cluster(Members):
    """The members as Patroni has them."""

    def patroni(self, host, path="cluster"):
        """What a member's REST API answers, asked with its own certificate."""
        tls = "/etc/estate/tls/postgresql"
        address = self.lab.hosts[host]["ansible_host"]
        program = (
            "import ssl, urllib.request as u\n"
            f"c = ssl.create_default_context(cafile='{tls}/ca.pem')\n"
            f"c.load_cert_chain('{tls}/cert.pem', '{tls}/key.pem')\n"
            f"print(u.urlopen('https://{address}:8008/{path}', context=c, timeout=5).read().decode())"
        )
        return json.loads(self.lab.ssh(host, f'python3 -c "{program}"'))

    def roles(self, host):
        """Role of each member that serves, as one of them sees it."""
        members = self.patroni(host)["members"]
        return {member["name"]: member["role"] for member in members if member["state"] in ("running", "streaming")}

    def synchronous(self, host):
        """A standby that commits wait for."""
        return next(name for name, role in self.roles(host).items() if role == "quorum_standby")

    def whole(self):
        """Whether every member serves, one leads and the others are waited for."""
        roles = self.roles(self.primary())
        return sorted(roles) == sorted(self.names) and sorted(roles.values()) == ["leader", *["quorum_standby"] * 2]

    def healthy(self):
        """Wait until it is whole; nothing is left to do then."""
        self.waiting("every member serves", self.whole, timeout=120)
        assert self.play("data").changed_tasks() == [], "the roles follow the cluster, nobody moves them back"


@pytest.fixture(scope="module")
def members(lab, waiting):
    """The cluster, with a table for the ledger."""
    if "etcd" not in lab.groups:
        pytest.skip("no voters: this estate has no Patroni")
    found = Cluster(lab, waiting)
    waiting("every member serves", found.whole, timeout=120)
    create = f"CREATE TABLE IF NOT EXISTS {TABLE} (number int PRIMARY KEY, member text)"
    found.sql(found.primary(), f"SET ROLE {lab.spec()['id']}_application; {create}")
    yield found
    found.sql(found.primary(), f"DROP TABLE {TABLE}")


ALL, REST, PINNED = 0, 8 * 10**8, 9 * 10**8


def free(members, base):
    """The first number of a writer's own hundred million that no row has."""
    taken = {number for number in members.rows(members.primary()) if base <= number < base + 10**8}
    return max(taken, default=base) + 1


def watchers(members, lab):
    """A writer as Odoo is one, and one on each member that tries to write there, all the time."""
    running = {"any": Writer(lab, members.names, free(members, ALL))}
    for index, name in enumerate(members.names, 1):
        running[name] = Writer(lab, [name], free(members, 10**8 * index), intruder=True)
    members.waiting("the first row", running["any"].acknowledged)
    return running


@pytest.fixture
def watch(members, lab):
    """Watchers that end with the test."""
    running = watchers(members, lab)
    yield running
    for writer in running.values():
        writer.stop()


def kept(members, watch):
    """The writer goes on; all that was promised is there, on every member. Everybody's ledger."""
    had = watch["any"].acknowledged()
    members.waiting("the writer goes on", lambda: watch["any"].acknowledged() > had + 20, timeout=60)
    ledgers = {name: writer.stop() for name, writer in watch.items()}
    # Nobody was promised what an intruder wrote.
    own = [ledger for name, ledger in ledgers.items() if name not in members.names]
    promised = {number for ledger in own for _at, _member, number in ledger.acks}
    members.waiting("every member serves", members.whole, timeout=180)
    for name in members.names:
        members.waiting(f"the rows on {name}", lambda name=name: promised <= members.rows(name))
    return ledgers


def settle(members, watch):
    """The same, and no two members took writes at a time. The writer's ledger, and who took writes, in order."""
    ledgers = kept(members, watch)
    order = spells(*ledgers.values())
    assert len(order) == len(set(order)), "whoever took writes before another one did takes none any more"
    return ledgers["any"], order


def gap(ledger, since):
    """Seconds from then to the first row acknowledged by another member than before; None as long as there is none."""
    before = [member for at, member, _number in ledger.acks if at <= since][-1]
    return next((at - since for at, member, _number in ledger.acks if at > since and member != before), None)


def test_a_switchover_takes_seconds_and_loses_nothing(members, watch):
    old = members.primary()
    new = members.synchronous(old)
    foretold = members.play("switchover", "--check")
    assert [host for host, _task in foretold.changed_tasks()] == [new], "check mode tells of the move"
    assert members.primary() == old
    members.play("switchover")
    ledger, order = settle(members, watch)
    assert ledger.members() == order == [old, new]
    assert ledger.longest_refusal() <= 3, "seconds of refused writes"
    # Under strict a write that is taken again waits for a standby, which follows after Patroni's pause of two seconds.
    assert ledger.longest_gap() <= 6
    print("refused for", ledger.longest_refusal(), "s, acknowledged again after", ledger.longest_gap())
    members.healthy()


def test_an_operator_is_told_that_failover_is_not_for_him(members):
    leader = members.primary()
    refused = members.play("failover", f"lost={leader}", members.confirm, check=False)
    assert refused.code != 0
    assert "Patroni replaces a lost leader by itself" in refused.output
    assert members.primary() == leader


def test_a_standby_comes_back_and_goes_for_good(members, lab):
    """One whose data is no good is copied anew; one that is taken away stays down, and comes back by the playbook."""
    standby = next(name for name in members.names if name != members.primary())
    lab.ssh(standby, f"touch {DATA}/estate_mark")
    members.play("rejoin", f"member={standby}", "method=clone", members.confirm)
    assert lab.ssh(standby, f"ls {DATA}/estate_mark 2>/dev/null || true") == "", "it was copied, though it served"
    lab.ssh(standby, f"systemctl stop {UNIT} && rm -rf {DATA} && systemctl start {UNIT}")
    members.waiting("every member serves", members.whole, timeout=180)
    members.play("remove_standby", f"member={standby}", members.confirm)
    assert lab.ssh(standby, f"systemctl is-active {UNIT} || true").strip() == "inactive"
    members.play("add_standby")
    members.healthy()


def test_check_mode_tells_the_restarts_that_come(members, lab):
    """Up, standbys are restarted first; down, the primary is; nobody loses its place by it."""
    primary, spec = members.primary(), lab.spec()
    now = int(members.sql(primary, "SHOW max_connections"))
    for wanted in (now + 20, None):
        changed = {**spec, "postgresql": {**spec["postgresql"], **({"max_connections": wanted} if wanted else {})}}
        flags = ("-e", json.dumps({"estate_spec": changed}))
        foretold = lab.playbook("data", *flags, "--check").changed_tasks()
        assert {host for host, _task in foretold} == set(members.names)
        assert sorted(foretold) == sorted(lab.playbook("data", *flags).changed_tasks())
        assert {members.sql(host, "SHOW max_connections") for host in members.names} == {str(wanted or now)}
    assert members.primary() == primary
    members.healthy()


def test_a_lost_host_is_replaced_by_itself(members, lab, site, waiting):
    """Ten times: from the host's end to the first acknowledged row elsewhere; Odoo answers again, never restarted."""
    started = lab.started(lab.group("app")[0])
    took, seen, answered = [], [], []
    for run in range(RUNS):
        old = members.primary()
        watch = watchers(members, lab)
        writer = watch["any"]
        waiting("rows", lambda writer=writer: writer.acknowledged() > 50)
        # Hosts are lost at any moment: here at ten of the leader's loop, as evenly as its clock of whole seconds tells.
        loop, first = members.patroni(old, "config")["loop_wait"], free(members, REST)
        due = members.patroni(old, "patroni")["dcs_last_seen"] + 0.5 + loop * (1 + run / RUNS)
        time.sleep(max(0.0, due - time.time()))
        lost = time.monotonic()
        members.power("kill", old)
        # A client of all waits two seconds at the lost one, again and again: one of the rest sees when rows are taken.
        rest = Writer(lab, [name for name in members.names if name != old], first)
        watch["rest"] = rest
        waiting("a row elsewhere", rest.acknowledged)
        took.append(rest.ledger.acks[0][0] - lost)
        seen.append(waiting("a row of a client of all", lambda w=writer, t=lost: gap(w.ledger, t)))
        waiting("Odoo", lambda: lab.get(f"{site}/web/login", timeout=5).status_code == 200, timeout=60)
        answered.append(time.monotonic() - lost)
        members.power("start", old)
        _ledger, order = settle(members, watch)
        assert len(order) == 2, "the lost one, then another one"
    found = {"writable_s": took, "client_of_all_s": seen, "odoo_s": answered}
    print({name: [round(one, 1) for one in values] for name, values in found.items()})
    (lab.root / ".lab/artefacts/failover-patroni.json").write_text(json.dumps(found))
    assert statistics.median(took) <= 20
    assert max(took) <= 25
    assert lab.started(lab.group("app")[0]) == started, "Odoo found the new primary without a restart"
    members.healthy()


@pytest.mark.parametrize("how", ["postmaster", "patroni", "backend"])
def test_a_killed_process_costs_seconds(members, watch, how):
    old = members.primary()
    pid = {
        "postmaster": f"head -n 1 {DATA}/postmaster.pid",
        "patroni": "pgrep -u postgres -f /usr/bin/patroni",
        "backend": f"pgrep -u postgres -f '{members.lab.spec()['id']}_application.*idle|INSERT' | head -n 1",
    }[how]
    members.lab.ssh(old, f"kill -9 $({pid})")
    time.sleep(8)
    ledger, _order = settle(members, watch)
    assert ledger.longest_gap() <= 10
    if how == "patroni":
        assert ledger.members() == [old], "the server goes on, Patroni comes back"
    members.healthy()


@pytest.mark.parametrize("directions", [["in"], ["out"], ["in", "out"]], ids="-".join)
def test_a_leader_that_is_cut_off_is_replaced_and_acknowledges_nothing(members, watch, lab, directions):
    """Cut from voters and members; people reach it still, and no row of theirs is acknowledged there."""
    old = members.primary()
    others = [host for host in {*members.names, *lab.group("etcd")} if host != old]
    for peer in others:
        cut(lab, old, peer, *directions)
    cut_at = time.monotonic()
    try:
        members.waiting("a row elsewhere", lambda: watch["any"].ledger.members()[-1] != old, timeout=60)
        time.sleep(5)
    finally:
        lab.ssh(old, "nft delete table inet cut")
    intruder = watch[old].ledger
    elsewhere = next(at for at, member, _n in watch["any"].ledger.acks if at > cut_at and member != old)
    assert [ack for ack in intruder.acks if ack[0] > elsewhere] == []
    settle(members, watch)
    members.healthy()


def test_a_minority_of_the_voters_is_not_missed(members, watch, lab):
    leader = members.primary()
    voter = next(host for host in lab.group("etcd") if host != leader)
    lab.ssh(voter, "systemctl kill -s KILL etcd; systemctl stop etcd")
    time.sleep(30)
    lab.ssh(voter, "systemctl start etcd")
    ledger, _order = settle(members, watch)
    assert ledger.members() == [leader]
    assert ledger.longest_gap() <= 12
    members.healthy()


def test_without_a_majority_of_the_voters_the_leader_goes_on_as_long_as_all_members_agree(members, watch, lab):
    leader = members.primary()
    down = lab.group("etcd")[:2]
    for voter in down:
        lab.ssh(voter, "systemctl stop etcd")
    try:
        time.sleep(40)
        had = watch["any"].acknowledged()
        members.waiting("rows without voters", lambda: watch["any"].acknowledged() > had + 20, timeout=20)
        # A member that does not answer may be on the other side of a cut, with the voters: now nobody may write.
        lost = next(name for name in members.names if name not in (leader, members.names[-1]))
        members.power("pause", lost)
        try:
            time.sleep(45)
            had = watch["any"].acknowledged()
            time.sleep(3)
            assert watch["any"].acknowledged() == had
        finally:
            members.power("unpause", lost)
    finally:
        for voter in down:
            lab.ssh(voter, "systemctl start etcd")
    settle(members, watch)
    members.healthy()


def test_a_leader_whose_clock_is_an_hour_ahead_is_replaced_like_any_other(members, watch, lab):
    """Hosts of the lab share one clock: Patroni alone is told another time. What it goes by are the voters' leases."""
    old = members.primary()
    folder = f"/run/systemd/system/{UNIT}.service.d"
    ahead = "[Service]\\nEnvironment=LD_PRELOAD=$(dpkg -L libfaketime | grep libfaketime.so.1) FAKETIME=+1h\\n"
    lab.ssh(old, "apt-get -qq update && apt-get install -qqy --no-install-recommends libfaketime")
    lab.ssh(old, f'mkdir -p {folder} && printf "{ahead}" > {folder}/clock.conf && systemctl daemon-reload')
    # Patroni alone comes back; the server goes on, and stays the leader's.
    lab.ssh(old, "kill -9 $(pgrep -u postgres -f /usr/bin/patroni)")
    try:
        members.waiting("another time", lambda: members.patroni(old, "patroni")["dcs_last_seen"] - time.time() > 3000)
        members.waiting("every member serves", members.whole, timeout=60)
        assert members.primary() == old
        members.power("kill", old)
        members.waiting("a row elsewhere", lambda: watch["any"].ledger.members()[-1] != old, timeout=40)
        members.power("start", old)  # /run is new: the clock is right again
    finally:
        lab.local(f"docker start estate-lab-{old}")
    settle(members, watch)
    members.healthy()


def versions(members):
    """What each member's server says it is."""
    return {host: members.sql(host, "SHOW server_version").split()[0] for host in members.names}


def pids(members):
    """The servers' processes: another one has been restarted."""
    return {host: members.lab.ssh(host, f"head -n 1 {DATA}/postmaster.pid").strip() for host in members.names}


@pytest.fixture
def older(members, lab):
    """All members run the minor version before the one that their sources offer; both numbers."""
    leader = members.primary()
    for host in sorted(members.names, key=lambda host: host == leader):
        numbers = older_minor.install(lab, host)
        order = f"patronictl -c /etc/patroni/{VERSION}-main.yml restart {lab.spec()['id']} {host} --force"
        lab.ssh(host, f"cd / && runuser -u postgres -- {order}")
        members.waiting("every member serves", members.whole, timeout=120)
    assert set(versions(members).values()) == {numbers[0]}
    return numbers


def test_a_minor_upgrade_restarts_the_standbys_and_then_moves_the_leader(members, older, watch):
    """Foretold to the word by check mode; at no moment is a commit without a standby to wait for."""
    before, running = members.primary(), pids(members)
    foretold = members.play("pg_minor_upgrade", "--check").changed_tasks()
    assert {host for host, _task in foretold} == set(members.names)
    assert (pids(members), members.primary()) == (running, before)
    assert sorted(members.play("pg_minor_upgrade").changed_tasks()) == sorted(foretold)
    assert members.primary() != before
    assert set(versions(members).values()) == {older[1]}
    ledger, order = settle(members, watch)
    assert len(order) == 2, "one switchover"
    print("nothing was acknowledged for", ledger.longest_gap(), "s, refused for", ledger.longest_refusal())
    assert ledger.longest_gap() <= 10
    assert members.play("pg_minor_upgrade").changed_tasks() == []
    members.healthy()


def test_a_minor_upgrade_is_refused_while_a_member_is_missing(members, lab):
    running = pids(members)
    standby = next(name for name in members.names if name != members.primary())
    lab.ssh(standby, f"systemctl stop {UNIT}")
    refused = members.play("pg_minor_upgrade", check=False)
    lab.ssh(standby, f"systemctl start {UNIT}")
    assert refused.code != 0
    assert refused.changed_tasks() == []
    members.waiting("every member serves", members.whole, timeout=120)
    assert {**pids(members), standby: ""} == {**running, standby: ""}


@pytest.mark.parametrize("play", ["Standbys, one by one", "A standby takes the primary's place", "The former primary"])
def test_a_minor_upgrade_that_was_cut_short_is_finished(members, older, watch, lab, play):
    """Killed two seconds into each of its plays; the next run ends where one run would have."""
    lab.killed(f"PLAY [{play}]", 1, "pg_minor_upgrade", first=lambda: time.sleep(2))
    members.play("pg_minor_upgrade")
    assert set(versions(members).values()) == {older[1]}
    ledger, order = settle(members, watch)
    assert len(order) == 2, "one switchover"
    assert ledger.longest_gap() <= 10
    assert members.play("pg_minor_upgrade").changed_tasks() == []
    members.healthy()


@pytest.mark.parametrize("where", ["leader", "standby"])
def test_a_program_that_was_replaced_is_let_serve(members, watch, lab, where):
    """Cut between the packages and the restart, or changed by somebody else: the old program runs on."""
    leader = members.primary()
    host = leader if where == "leader" else next(name for name in members.names if name != leader)
    program = f"/usr/lib/postgresql/{VERSION}/bin/postgres"
    lab.ssh(host, f"cp -p {program} {program}.new && mv {program}.new {program}")
    running = pids(members)
    foretold = members.play("pg_minor_upgrade", "--check").changed_tasks()
    assert sorted(members.play("pg_minor_upgrade").changed_tasks()) == sorted(foretold)
    assert {name for name, pid in pids(members).items() if pid != running[name]} == {host}
    assert (members.primary() == leader) is (where == "standby")
    settle(members, watch)
    assert members.play("pg_minor_upgrade").changed_tasks() == []


def test_a_major_upgrade_is_refused(members):
    refused = members.play("pg_major_upgrade", "to=99", "rehearse=true", check=False)
    assert refused.code != 0
    assert "in Patroni's hands" in refused.output
    assert refused.changed_tasks() == []


@pytest.mark.parametrize("where", ["primary", "standby"])
def test_a_full_disk_loses_nothing(members, lab, where):
    primary = members.primary()
    host = next(name for name in members.names if name != primary)
    with small_disk(lab, host, UNIT):
        members.waiting("every member serves", members.whole, timeout=120)
        now = members.primary()
        if where == "primary":
            # By hand: the playbook would judge the small disk.
            order = (
                f"patronictl -c /etc/patroni/{VERSION}-main.yml switchover --leader {now} --candidate {host} --force"
            )
            lab.ssh(host, f"runuser -u postgres -- {order}")
            now = members.primary()
        assert (now == host) is (where == "primary")
        members.waiting("every member serves", members.whole, timeout=120)
        watch, began = watchers(members, lab), int(time.time())
        fill(members, host, now)
        told = f"journalctl --no-pager -u {UNIT} --since @{began}"
        members.waiting("a full disk", lambda: "No space left on device" in lab.ssh(host, told), timeout=60)
        time.sleep(20)
        lab.ssh(host, f"rm -f {DATA}/pg_wal/filler")
        _ledger, order = settle(members, watch)
        assert order[0] == now
    members.healthy()


def test_a_leader_that_was_frozen_acknowledges_nothing_when_it_wakes(members, lab):
    """Its Patroni slept, too: until that has seen that another one leads, the server takes what nobody confirms."""
    old = members.primary()
    writer = Writer(lab, members.names, free(members, ALL))
    pinned, first = Writer(lab, [old], free(members, PINNED)), free(members, REST)
    members.waiting("rows of both", lambda: writer.acknowledged() and pinned.acknowledged())
    members.power("pause", old)
    try:
        # Its kernel is awake and confirms what it receives: whoever was connected waits until the server answers.
        rest = Writer(lab, [name for name in members.names if name != old], first)
        members.waiting("another leader", rest.acknowledged, timeout=60)
    finally:
        members.power("unpause", old)
    ledgers = kept(members, {"any": writer, "pinned": pinned, "rest": rest})
    since = ledgers["rest"].acks[0][0]
    late = [number for ledger in ledgers.values() for at, member, number in ledger.acks if at > since and member == old]
    # A commit of each that its standby had before: who was told so late was told the truth.
    assert len(late) <= 2, "the old one takes nothing new"
    members.healthy()
