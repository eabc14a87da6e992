# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves between roles: what each asks for, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import replication
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import Instance
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.replication import Desired, Leader, Own
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

RUNNING = Own(Instance("db1", "ready", "primary", True, "42", 1, "in production"))
STOPPED = Own(replace(RUNNING.instance, running=False, state="shut down"), fenced=True, last_record="0/3000028")
STANDBY = Own(Instance("db2", "ready", "standby", True, "42", 1, "in archive recovery"))
LEADER = Leader("42", 2, ((1, "0/3000100"),))


def steps(own, state, leader=None, **desired):
    wanted = Desired(state, "postgresql@17-main.service", "/data", ("db9",), **desired)
    return [change.data for change in replication.plan(own, wanted, leader)]


def test_the_fence_stands_before_the_server_stops():
    assert steps(RUNNING, "fenced") == ["fence", "stop"]
    assert steps(replace(RUNNING, fenced=True), "fenced") == ["stop"]
    assert steps(STOPPED, "fenced") == []


def test_a_unit_that_is_about_to_start_is_stopped_too():
    starting = replace(STOPPED, fenced=False, active=True)
    assert steps(starting, "fenced") == ["fence", "stop"]
    assert steps(replace(starting, fenced=True), "fenced") == ["stop"]


def test_a_start_that_is_under_way_is_not_taken_for_ours():
    """Its guard refuses a primary that came back, every few seconds."""
    refused = replace(STOPPED, fenced=False, active=True)
    assert steps(refused, "standby", LEADER) == ["stop", "follow", "start"]
    assert steps(replace(refused, active=False), "standby", LEADER) == ["follow", "start"]


def test_a_lost_primary_is_not_waited_for():
    assert steps(RUNNING, "fenced", lost=True) == ["fence", "halt"]


def test_a_primary_that_a_standby_streams_from_is_not_lost():
    with pytest.raises(
        EstateError, match=r"db1 is not lost, it is alive: db2 streams from it; .*switchover"
    ) as refused:
        steps(replace(RUNNING, links={"db2": 0}), "fenced", lost=True)
    assert refused.value.details == {"refused": True}
    assert steps(replace(RUNNING, links={"db2": 0}), "fenced") == ["fence", "stop"], "what no failover asks for"


def test_a_standby_is_no_lost_primary():
    with pytest.raises(EstateError, match="remove_standby") as refused:
        steps(STANDBY, "fenced", lost=True)
    assert refused.value.details == {"refused": True}
    assert steps(STANDBY, "fenced") == ["fence", "stop"]


def test_a_primary_whose_standby_is_away_has_lost_nothing():
    """It waits, as strict says; degraded behind the standby's back it would break what the standby believes."""
    waits = replace(RUNNING, slots=frozenset({"estate_db9"}), proven=1)
    with pytest.raises(EstateError, match="durability: available"):
        steps(waits, "primary", strict=True, lost=True, alone=True)
    cut_short = replace(waits, proven=0)
    assert steps(cut_short, "primary", strict=True, lost=True, alone=True) == ["degrade"]


def test_a_primary_is_not_fenced_for_a_successor_that_is_not_with_it():
    with pytest.raises(EstateError, match="db2 does not stream"):
        steps(RUNNING, "fenced", successor="db2")
    with pytest.raises(EstateError, match="db2 is 99999999 bytes behind"):
        steps(replace(RUNNING, links={"db2": 99999999}), "fenced", successor="db2")
    assert steps(replace(RUNNING, links={"db2": 0}), "fenced", successor="db2") == ["fence", "stop"]
    assert steps(STOPPED, "fenced", successor="db2") == [], "a handover that was cut short goes on"


def test_resumed_is_what_it_was():
    assert steps(STOPPED, "resumed") == ["unfence", "start"]
    assert steps(RUNNING, "resumed") == []
    assert steps(STOPPED, "resumed", lost=True) == ["unfence", "permit", "start"], "a dead member does not keep it down"
    assert steps(RUNNING, "resumed", lost=True) == []


def test_a_promotion_makes_the_slots_of_all_others():
    assert steps(STANDBY, "primary") == ["promote", "slots"]
    assert steps(replace(RUNNING, slots=frozenset({"estate_db9"})), "primary") == []


def test_strict_goes_on_alone_and_is_strict_again_with_a_standby():
    alone = replace(RUNNING, slots=frozenset({"estate_db9"}))
    assert steps(STANDBY, "primary", strict=True, alone=True) == ["promote", "slots", "degrade"]
    assert steps(replace(alone, degraded=True), "primary", strict=True, alone=True) == []
    back = replace(alone, degraded=True, links={"db9": 0})
    assert steps(back, "settled", strict=True) == ["restore", "prove"]
    assert steps(replace(back, degraded=False, proven=1), "settled", strict=True) == []
    assert steps(replace(back, degraded=False, proven=0), "settled", strict=True) == ["prove"], "of an earlier timeline"
    assert steps(alone, "settled", strict=True) == [], "nobody to prove it"
    assert steps(back, "settled") == [], "available has nothing to prove"
    assert steps(replace(back, proven=1), "settled") == ["revoke"]
    assert steps(STANDBY, "settled", strict=True) == []


def test_strict_is_not_proven_while_a_setting_undoes_it():
    undone = replace(RUNNING, links={"db9": 0}, shortfalls=("synchronous_commit = off (role x)",))
    assert steps(undone, "settled", strict=True) == []
    assert steps(replace(undone, proven=1), "settled", strict=True) == ["revoke"]
    assert steps(replace(undone, proven=1, links={}), "settled", strict=True) == ["revoke"], "nobody need see it"
    assert steps(replace(undone, degraded=True), "settled", strict=True) == ["restore"]


def test_only_a_running_standby_is_promoted():
    for own in (replace(STANDBY, fenced=True), Own(replace(STANDBY.instance, running=False)), STOPPED):
        with pytest.raises(EstateError):
            steps(own, "primary")


def test_a_primary_that_wrote_nothing_of_its_own_just_follows():
    assert steps(STOPPED, "standby", LEADER) == ["follow", "unfence", "start"]


@pytest.mark.parametrize("method", ["rewind", "clone"])
def test_one_that_went_its_own_way_does_so_only_when_told(method):
    apart = replace(STOPPED, last_record="0/3000100")
    with pytest.raises(EstateError, match=r"timeline 1 beyond 0/3000100.*method=rewind"):
        steps(apart, "standby", LEADER)
    assert steps(apart, "standby", LEADER, rejoin=method) == [method, "follow", "unfence", "start"]


def test_two_that_were_promoted_apart_went_their_own_ways():
    both_two = replace(
        STOPPED, instance=replace(STOPPED.instance, timeline=2), history=((1, "0/3000080"),), last_record="0/3000090"
    )
    assert replication.diverged(both_two, LEADER) == "0/3000080"
    assert replication.diverged(replace(both_two, history=LEADER.history), LEADER) is None


def test_a_torn_directory_is_only_cloned():
    torn = replace(STOPPED, torn=True, last_record=None)
    for method in ("never", "rewind"):
        with pytest.raises(EstateError, match="method=clone"):
            steps(torn, "standby", LEADER, rejoin=method)
    assert steps(torn, "standby", LEADER, rejoin="clone") == ["clone", "follow", "unfence", "start"]


def test_a_copy_that_is_asked_for_is_made_whatever_the_member_holds():
    """Broken pages, for one: it follows, and so nothing else would be done."""
    follows = replace(RUNNING, instance=replace(RUNNING.instance, role="standby"), history=())
    assert steps(follows, "standby", LEADER, rejoin="clone") == []
    assert steps(follows, "standby", LEADER, rejoin="anew") == ["stop", "clone", "follow", "start"]
    assert steps(STOPPED, "standby", LEADER, rejoin="anew") == ["clone", "follow", "unfence", "start"]
    stranger = replace(STOPPED, instance=replace(STOPPED.instance, system_identifier="of another cluster"))
    assert steps(stranger, "standby", LEADER, rejoin="anew") == ["clone", "follow", "unfence", "start"]


def test_nobody_follows_itself_a_stranger_or_nobody():
    with pytest.raises(EstateError, match="takes writes"):
        steps(RUNNING, "standby", LEADER)
    with pytest.raises(EstateError, match="another cluster"):
        steps(STOPPED, "standby", replace(LEADER, system_identifier="43"))
    with pytest.raises(EstateError, match="nobody to follow"):
        steps(STOPPED, "standby")


def test_a_standby_keeps_no_slots():
    kept = replace(STOPPED, slots=frozenset({"estate_db9", "of_somebody_else"}))
    assert steps(kept, "standby", LEADER) == ["follow", "unfence", "start", "drop_slots"]


def test_a_standby_that_follows_is_left_alone():
    assert steps(STANDBY, "standby", LEADER) == []


HISTORIES = st.lists(st.integers(1, 9), max_size=3).map(
    lambda gaps: tuple((index + 1, f"0/{sum(gaps[: index + 1]):X}") for index in range(len(gaps)))
)


@given(HISTORIES, HISTORIES, st.integers(0, 40))
def test_who_follows_wrote_nothing_the_leader_lacks(own_history, leader_history, last):
    """Against the definition: every place this member wrote is on the leader's timeline for that place."""
    own = Own(
        replace(STOPPED.instance, timeline=len(own_history) + 1),
        last_record=f"0/{max([last, *(int(left[2:], 16) for _t, left in own_history)]):X}",
        history=own_history,
    )
    leader = Leader("42", len(leader_history) + 1, leader_history)
    wrote = int(own.last_record[2:], 16)

    def timeline_at(history, place):
        return 1 + sum(int(left[2:], 16) <= place for _timeline, left in history)

    same = all(timeline_at(own_history, place) == timeline_at(leader_history, place) for place in range(wrote + 1))
    assert (replication.diverged(own, leader) is None) == same


def test_a_running_standby_that_went_its_own_way_is_told_so_and_stopped_first():
    """It was promoted by hand and made a standby again: it runs, and follows nobody."""
    forked = replace(STANDBY, instance=replace(STANDBY.instance, timeline=2), history=((1, "0/3000080"),))
    leader = Leader("42", 1)
    with pytest.raises(EstateError, match="which the primary never had"):
        steps(forked, "standby", leader)
    assert steps(forked, "standby", leader, rejoin="rewind") == ["stop", "rewind", "follow", "start"]
    # Behind a promotion elsewhere: it has received what the new primary never had, or can go on.
    ahead = replace(STANDBY, position="0/3000100")
    promoted = Leader("42", 2, ((1, "0/3000080"),))
    assert steps(ahead, "standby", promoted, rejoin="clone") == ["stop", "clone", "follow", "start"]
    assert steps(replace(ahead, position="0/3000080"), "standby", promoted) == []
