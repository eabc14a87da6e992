# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A standby leaves the pair, by order or by death; the estate lives without it, and one takes its place."""

from __future__ import annotations

import shutil
import time

import pytest
import yaml

from ansible_collections.retailerp.estate.tests.ledger import TABLE, Writer
from ansible_collections.retailerp.estate.tests.members import DATA, VERSION, Members, Pair

pytestmark = pytest.mark.drill

# Not the whole lab: a scenario may have booted the database's hosts only.
SOME = "--limit=localhost,db,app"
UNIT = f"postgresql@{VERSION}-main"
STARTED = "SELECT pg_postmaster_start_time()"


@pytest.fixture
def pair(lab, waiting):
    """The pair under durability strict; as the estate's file says afterwards."""
    if len(lab.group("db")) != 2:
        pytest.skip("one database host: no standby")
    found = Pair(lab, waiting)
    found.play("data")
    create = f"CREATE TABLE IF NOT EXISTS {TABLE} (number int PRIMARY KEY, member text)"
    found.sql(found.primary(), f"SET ROLE {lab.spec()['id']}_application; {create}")
    yield found
    found.sql(found.primary(), f"DROP TABLE {TABLE}")
    lab.playbook("data")


@pytest.fixture
def without(lab):
    """Call it with a host: the lab by an inventory that does not know the host; that inventory is gone afterwards."""
    # Not beside the lab's own: two retailers of one id are refused.
    folder = lab.root / ".ansible/lab-without-a-host"

    def lab_without(host):
        shutil.copytree(lab.inventory, folder)
        hosts = yaml.safe_load((folder / "hosts.yml").read_text())
        for group in hosts["all"]["children"].values():
            (group.get("hosts") or {}).pop(host, None)
        (folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
        return type(lab)(folder)

    yield lab_without
    shutil.rmtree(folder, ignore_errors=True)


def test_a_standby_goes_for_good_and_another_takes_its_place(pair, lab, without):
    primary = pair.primary()
    standby, started = pair.standby(primary), pair.sql(primary, STARTED)
    leave = ("remove_standby", f"member={standby}", pair.confirm)
    refused = pair.play(*leave, check=False)
    assert refused.code != 0
    assert "write durability: available" in refused.output
    pair.durability = "available"
    try:
        pair.play("data")
        pair.play(*leave)
        assert lab.ssh(standby, f"systemctl is-active {UNIT} || true").strip() != "active"
        alone = Members(without(standby), pair.waiting)
        alone.durability = "available"
        slots = "SELECT count(*) FROM pg_replication_slots"
        assert pair.sql(primary, slots) == "1"
        alone.play("data")
        assert pair.sql(primary, slots) == "0", "no WAL is kept for one that is gone"
        assert alone.play("data").changed_tasks() == []
        lab.ssh(standby, f"rm -rf {DATA}")
        pair.play("add_standby", SOME)
    finally:
        pair.durability = "strict"
    pair.play("data")
    pair.healthy(primary)
    assert pair.sql(primary, STARTED) == started, "the primary serves all the while"


def test_a_standby_that_serves_is_copied_anew_when_told(pair, lab):
    """Broken pages, for one: it follows, and so nothing else would mend it."""
    primary = pair.primary()
    standby = pair.standby(primary)
    lab.ssh(standby, f"touch {DATA}/estate_mark")
    pair.play("rejoin", f"member={standby}", "method=clone", pair.confirm)
    assert lab.ssh(standby, f"ls {DATA}/estate_mark 2>/dev/null || true") == ""
    pair.healthy(primary)


def test_writes_that_wait_for_a_dead_standby_go_on_when_the_operator_says_so(pair, lab):
    """README of the role, "One host is gone", first row."""
    primary = pair.primary()
    standby = pair.standby(primary)
    writer = Writer(lab, pair.names)
    pair.waiting("the first row", writer.acknowledged)
    pair.power("kill", standby)
    try:
        pair.waiting("writes stall", lambda: stalled(writer), timeout=60)
        pair.durability = "available"
        told = pair.play("data", f"--limit=!{standby}", check=False)
        had = writer.acknowledged()
        pair.waiting("the writer goes on", lambda: writer.acknowledged() > had + 20)
        assert told.code != 0, "the standby is still planned"
        assert "postgresql.replication" in told.output
    finally:
        pair.power("start", standby)
        pair.waiting("SSH", lambda: lab.ssh(standby, "true") == "")
    lab.ssh(standby, f"systemctl stop {UNIT}")
    pair.durability = "strict"
    early = pair.play("data", check=False)
    assert early.code != 0
    assert "Leave estate_spec.postgresql.durability at available" in early.output
    assert early.changed_tasks() == []
    for pair.durability in ("available", "strict"):
        pair.play("data")
    promised = {number for _at, _member, number in writer.stop().acks}
    pair.healthy(primary)
    for host in pair.names:
        assert promised <= pair.rows(host)


def stalled(writer):
    """Whether nothing was acknowledged for two seconds."""
    had = writer.acknowledged()
    time.sleep(2)
    return writer.acknowledged() == had


def alone_again(pair, without, primary, standby):
    """The pair as README has it for a primary whose standby is dead: another inventory, `available`, and `data`."""
    alone = Members(without(standby), pair.waiting)
    alone.durability = "available"
    pair.lab.ssh(primary, f"systemctl stop {UNIT}")
    assert "is not started while" in pair.play("data", f"--limit={primary}", check=False).output
    alone.play("data")
    assert alone.primary() == primary
    return alone


def comes_back(pair, standby):
    """The dead host boots, is entered again, and is waited for again; nobody waits for its base backup."""
    pair.power("start", standby)
    pair.waiting("SSH", lambda: pair.lab.ssh(standby, "true") == "")
    writer = Writer(pair.lab, pair.names, 10**6)
    pair.waiting("the first row", writer.acknowledged)
    for pair.durability, play in (("available", ("add_standby", SOME)), ("strict", ("data",))):
        pair.play(*play)
    assert writer.stop().longest_gap() < 3


def test_a_primary_that_boots_alone_serves_once_the_other_one_is_given_up(pair, lab, without):
    """The same, second row: its guard asks a standby that is dead."""
    primary = pair.primary()
    standby = pair.standby(primary)
    pair.power("kill", standby)
    try:
        pair.power("kill", primary)
        pair.power("start", primary)
        refusal = f"{standby} does not answer"
        pair.waiting(
            "the guard's refusal",
            lambda: refusal in lab.ssh(primary, f"journalctl --no-pager -b -u {UNIT}", check=False),
            timeout=90,
        )
        alone = alone_again(pair, without, primary, standby)
        alone.sql(primary, f"INSERT INTO {TABLE} VALUES (-7, '{primary}')")
        assert alone.play("data").changed_tasks() == []
    finally:
        comes_back(pair, standby)
    pair.healthy(primary)
    assert -7 in pair.rows(standby)


def test_a_switchover_whose_target_dies_in_the_middle_says_what_to_do(pair, lab, without):
    """Its primary is stopped for good by then, and nobody can know that the other one was not promoted."""
    primary = pair.primary()
    standby = pair.standby(primary)
    writer = Writer(lab, pair.names)
    pair.waiting("the first row", writer.acknowledged)
    try:
        stopped = f"changed: [{standby} -> {primary}"
        told = lab.disturbed(stopped, 1, lambda: pair.power("kill", standby), "switchover", "-e", pair.spec())
        assert told.code != 0
        assert f"{primary} does not run" in told.output
        assert "One host is gone" in told.output
        had = writer.acknowledged()
        alone_again(pair, without, primary, standby)
        pair.waiting("the writer goes on", lambda: writer.acknowledged() > had)
    finally:
        comes_back(pair, standby)
    promised = {number for _at, _member, number in writer.stop().acks}
    pair.healthy(primary)
    for host in pair.names:
        assert promised <= pair.rows(host)
