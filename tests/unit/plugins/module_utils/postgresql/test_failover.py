# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A promotion is refused unless nothing else takes writes and nothing acknowledged is lost, or its price was named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import failover
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import Instance
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.failover import Fence, Seen, Situation
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import lsn, record_end

OLD = Seen(Instance("db1", "ready", "primary", False, "42", 1, "shut down"))
TARGET = Seen(Instance("db2", "ready", "standby", True, "42", 1, "in archive recovery"), "0/3000100", True)
THIRD = replace(TARGET, instance=replace(TARGET.instance, name="db3"))
OFF = {"db1": Fence("switched off")}


def refused(members=(OLD,), fences=None, durability="strict", target=TARGET, accept=None):
    known = OFF if fences is None else fences
    return " ".join(failover.refusals(Situation(target, tuple(members), known, durability), accept))


def test_strict_and_fenced_is_safe():
    assert refused() == ""
    assert refused((OLD, THIRD)) == ""


def test_a_primary_that_lives_is_not_replaced():
    alive = replace(OLD, instance=replace(OLD.instance, running=True))
    assert "switchover" in refused((alive,), {})


def test_one_that_was_not_reached_must_be_proven_to_be_off():
    assert "nothing proves" in refused((Seen(Instance("db1")),), {})
    assert refused((Seen(Instance("db1")),)) == ""


def test_a_stopped_one_must_be_fenced():
    assert "fenced first" in refused(fences={})


def test_what_a_running_ones_disk_will_tell_is_not_held_against_it_yet():
    """Before the fence: the end of the old primary's log is known once it is stopped."""
    pending = {"db1": Fence("would be stopped", pending=True)}
    assert refused(durability="available", fences=pending) == ""
    assert "did not wait" in refused(durability="available", fences={"db1": Fence("would be switched off")})
    # A stopped one has told already.
    assert "goes on to 0/3000180" in refused(durability="available", fences={"db1": Fence("stopped", "0/3000180")})


def test_who_has_more_goes_first():
    assert "-e target=db3" in refused((OLD, replace(THIRD, position="0/3000200")))
    later = replace(THIRD, instance=replace(THIRD.instance, timeline=2))
    assert "later timeline" in refused((OLD, later))


def test_a_standby_that_does_not_run_may_have_more():
    assert "start it" in refused((OLD, replace(THIRD, instance=replace(THIRD.instance, running=False))))


def test_available_names_its_price():
    answer = refused(durability="available")
    assert "accept_data_loss=0/3000100" in answer
    assert refused(durability="available", accept="0/3000100") == ""
    assert "is 0/3000000, but db2 has received up to 0/3000100" in refused(durability="available", accept="0/3000000")


def test_starting_the_old_one_again_comes_before_any_price():
    answer = refused(durability="available")
    assert answer.index("Start the old primary again") < answer.index("accept_data_loss=")


def test_before_the_fence_the_standby_may_go_on_receiving():
    """From a primary that the controller alone does not reach: its position stands still only once that is off."""
    situation = Situation(TARGET, (OLD,), OFF, "available")
    assert failover.refusals(situation, "0/3000000", foreseen=True) == []
    assert "but db2 has received up to 0/3000100" in failover.refusals(situation, "0/3000200", foreseen=True)[0]


def test_the_old_primarys_disk_is_proof_enough():
    assert refused(durability="available", fences={"db1": Fence("stopped", "0/30000C8")}) == ""
    assert "goes on to 0/3000180" in refused(durability="available", fences={"db1": Fence("stopped", "0/3000180")})


def test_a_standby_may_have_the_beginning_of_the_last_record_only():
    """What was sent may end with a page, in the middle of a commit that `available` has acknowledged."""
    begins = record_end("0/3001FC8", 16)
    end = record_end(begins, 64)
    target = replace(TARGET, position="0/3002000")
    assert lsn(begins) < lsn(target.position) < lsn(end)
    assert "goes on to 0/3002030" in refused(durability="available", fences={"db1": Fence("off", end)}, target=target)
    assert refused(durability="available", fences={"db1": Fence("off", "0/3002000")}, target=target) == ""


@pytest.mark.parametrize("durability", ["strict", "available"])
def test_a_standby_that_went_its_own_way_is_not_promoted(durability):
    """Somebody promoted it by hand: positions on two timelines do not compare, and the proof is of the first one."""
    forked = replace(TARGET, instance=replace(TARGET.instance, timeline=2), synchronous=False)
    read = {"db1": Fence("stopped", "0/3000080", 1)}
    expected = "db2 is on timeline 2, the log of the old primary ends on timeline 1"
    assert expected in refused(target=forked, fences=read, durability=durability)
    assert refused(fences=read, durability=durability) == ""


def test_a_proof_that_the_old_primarys_disk_belies_is_none():
    """Strict was given up while this standby was away: what took that back never reached it."""
    near, far = {"db1": Fence("stopped", "0/3FFFFFF", 1)}, {"db1": Fence("stopped", "0/9000000", 1)}
    assert refused(fences=near) == "", "what nobody was told of: commits that wait"
    assert "more than commits that wait leave behind" in refused(fences=far)
    assert refused(fences=far, accept="0/3000100") == ""


def test_strict_in_the_file_is_not_strict_on_the_server():
    assert "no proof that the old primary waited" in refused(target=replace(TARGET, synchronous=False))


def test_strict_with_a_standby_unseen_is_no_proof():
    switched_off = {**OFF, "db3": Fence("switched off")}
    assert "db1 and db3 were not seen to run" in refused((OLD, Seen(Instance("db3"))), switched_off)
    assert refused((OLD, Seen(Instance("db3"))), switched_off, accept="0/3000100") == ""
    read = {"db1": Fence("stopped", "0/30000C8"), "db3": Fence("stopped", "0/3000050")}
    assert refused((OLD, Seen(Instance("db3"))), read) == "", "their disks say that they have no more"


def test_a_standby_that_was_taken_out_of_the_inventory_may_hold_what_was_acknowledged():
    """The server still waited for it: data has not run since."""
    waited = replace(TARGET, waits_for=frozenset({"db1", "db3"}))
    assert "db1 and db3 were not seen to run" in refused(target=waited)
    assert refused((OLD, THIRD), target=waited) == ""
    assert refused(target=replace(TARGET, waits_for=frozenset({"db1"}))) == ""
    assert "db1 and db3" in refused(target=waited, fences={"db1": Fence("stopped", "0/30000C8")})


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("", set()),
        ('ANY 1 ("db1", "db-3")', {"db1", "db-3"}),
        ("FIRST 1 (db1)", {"db1"}),
        ("2 (db1, db3)", {"db1", "db3"}),
        ("db1, db3", {"db1", "db3"}),
        ("*", {"*"}),
    ],
)
def test_whom_a_commit_could_wait_for_is_read_as_postgresql_writes_it(setting, names):
    assert failover.names(setting) == names


def test_only_a_running_standby_takes_over():
    assert "no running standby" in refused(target=replace(TARGET, instance=replace(TARGET.instance, running=False)))


def test_what_was_read_becomes_a_situation():
    own = {"instance": vars(TARGET.instance), "status": {"position": "0/1", "synchronous_standby_names": "ANY 1 (db1)"}}
    seen = {"instance": vars(THIRD.instance), "status": {}}
    made = failover.situation(own, [seen], ["db1", "db3"], {"db1": {"proof": "switched off"}}, "available")
    assert made.target.position == "0/1"
    assert not made.target.synchronous
    assert made.target.waits_for == {"db1"}
    for proven, synchronous in ((1, True), (0, False), (2, False)):
        own["status"]["proven_timeline"] = proven
        assert failover.situation(own, [], ["db1"], {}, "strict").target.synchronous == synchronous
    own["status"].update(proven_timeline=1, shortfalls=["synchronous_commit = off (role x)"])
    assert not failover.situation(own, [], ["db1"], {}, "strict").target.synchronous, "whatever the proof says"
    assert [one.instance.data for one in made.members] == ["unknown", "ready"]
    assert made.fences == OFF


MEMBERS = st.builds(
    Seen,
    st.builds(
        Instance,
        name=st.just("db3"),
        data=st.sampled_from(["absent", "ready", "unknown", "broken"]),
        role=st.sampled_from(["primary", "standby"]),
        running=st.booleans(),
        system_identifier=st.sampled_from(["42", "43"]),
        timeline=st.integers(1, 2),
    ),
    st.sampled_from(["0/3000000", "0/3000100", "0/3000200"]),
    st.booleans(),
)


@given(MEMBERS, st.sampled_from(["strict", "available"]), st.booleans())
def test_whatever_is_seen_nothing_unfenced_writes_and_nothing_further_is_passed_over(other, durability, price):
    members = (OLD, other)
    accept = TARGET.position if price else None
    if failover.refusals(Situation(TARGET, members, OFF, durability), accept):
        return
    instance = other.instance
    assert instance.data == "absent" or (instance.data == "ready" and instance.role == "standby" and instance.running)
    if instance.data == "ready":
        assert lsn(other.position) <= lsn(TARGET.position)
    assert price or durability == "strict"


@given(
    st.sets(st.sampled_from(["db1", "db3", "db4", "db5"])),
    st.sets(st.sampled_from(["db3", "db4"])),
    st.sets(st.sampled_from(["db3", "db4"])),
)
def test_nobody_who_could_alone_have_an_acknowledged_row_goes_unseen(waits_for, planned, running):
    """Strict, no price named: of all whom a commit could have waited for one is missing at most, the old primary."""
    others = [
        replace(THIRD, instance=replace(THIRD.instance, name=name)) if name in running else Seen(Instance(name))
        for name in sorted(planned)
    ]
    fences = {name: Fence("switched off") for name in ["db1", *planned - running]}
    target = replace(TARGET, waits_for=frozenset(waits_for))
    missing = ({"db1"} | waits_for | planned) - (planned & running)
    assert (refused((OLD, *others), fences, target=target) == "") == (missing == {"db1"})


@pytest.mark.parametrize("proof", [{}, {"db9": Fence("switched off")}])
def test_a_fence_counts_for_its_member_alone(proof):
    assert "nothing proves" in refused((Seen(Instance("db1")),), proof)
