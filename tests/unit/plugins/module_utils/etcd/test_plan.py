# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who becomes a member of etcd, who stops being one, and when nothing may change."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.etcd.plan import (
    Member,
    Seen,
    Wanted,
    majority,
    may_wait,
    plan,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

ADDRESSES = {"db1": "10.0.0.1", "db2": "10.0.0.2", "ops1": "10.0.0.3", "ops2": "10.0.0.4", "ops3": "10.0.0.5"}
THREE = ("db1", "db2", "ops1")


def wanted(name="db1", members=THREE, found=None):
    found = dict.fromkeys(members, True) if found is None else found
    return Wanted(name, {member: ADDRESSES[member] for member in members}, 2380, found)


def url(name):
    return f"https://{ADDRESSES[name]}:2380"


def seen(members=THREE, healthy=None, **values):
    """A cluster of these members, all healthy unless said otherwise; this voter has data and runs."""
    listed = None if members is None else tuple(Member(f"id-{name}", name, url(name)) for name in members)
    healthy = members or () if healthy is None else healthy
    return Seen(
        **{"data": True, "leftover": True, "running": True, **values},
        members=listed,
        healthy=frozenset(map(url, healthy)),
    )


BARE = {"data": False, "leftover": False, "running": False}


def told(changes):
    return [(change.resource, change.action) for change in changes]


def refusal(*arguments):
    with pytest.raises(EstateError) as caught:
        plan(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("name", THREE)
def test_a_whole_cluster_stays_as_it_is(name):
    assert plan(wanted(name), seen()) == []


def test_a_new_cluster_while_nobody_has_data():
    changes = plan(wanted(found=dict.fromkeys(THREE, False)), seen(None, **BARE))
    assert told(changes) == [("admission to etcd", "create")]
    assert changes[0].data == ("admit", "new")
    assert changes[0].after == "new cluster of db1, db2, ops1"


def test_the_admission_is_given_once():
    assert plan(wanted(found=dict.fromkeys(THREE, False)), seen(None, **BARE, admission="new")) == []


def test_the_last_voter_of_a_new_cluster_is_one_of_the_first():
    """With the second one there is a majority that answers, and lists the third, which has no data yet."""
    changes = plan(wanted("ops1", found=dict.fromkeys(THREE, False)), seen(healthy=("db1", "db2"), **BARE))
    assert [change.data for change in changes] == [("admit", "new")]


def test_a_voter_that_was_not_looked_at_may_have_data():
    said = refusal(wanted(found={"db1": False, "db2": False}), seen(None, **BARE))
    assert "nobody looked at ops1" in said
    assert "without a limit" in said


def test_no_second_cluster_beside_one_that_lost_its_majority():
    said = refusal(wanted(found={"db1": False, "db2": False, "ops1": True}), seen(None, **BARE))
    assert "db1 has no data and no majority of etcd answers, but ops1 has data" in said


def test_a_voter_with_data_only_starts_when_nobody_answers():
    assert plan(wanted(), seen(None, running=False)) == []


def test_a_voter_that_lost_its_data_is_another_member():
    found = {"db1": True, "db2": True, "ops1": False}
    changes = plan(wanted("ops1", found=found), seen(healthy=("db1", "db2"), **BARE))
    assert told(changes) == [("etcd member ops1", "delete"), ("admission to etcd", "create")]
    assert changes[1].data == ("admit", "member")


def test_what_still_runs_is_stopped_and_what_is_left_is_kept():
    changes = plan(wanted("ops1"), seen(data=False, leftover=True, running=True))
    assert [change.action for change in changes] == ["delete", "stop", "move", "create"]


def test_a_run_that_was_cut_short_after_adding_goes_on():
    assert plan(wanted("ops1"), seen(healthy=("db1", "db2"), **BARE, admission="id-ops1")) == []


def test_an_admission_of_another_life_is_none():
    changes = plan(wanted("ops1"), seen(healthy=("db1", "db2"), **BARE, admission="id-before"))
    assert told(changes) == [("etcd member ops1", "delete"), ("admission to etcd", "create")]


def test_no_vote_is_given_anew_without_a_majority():
    said = refusal(wanted("ops1"), seen(healthy=("db1",), **BARE))
    assert "1 of 2 members are healthy, 2 are needed; not healthy: db2" in said


def test_a_voter_comes():
    five = (*THREE, "ops2", "ops3")
    changes = plan(wanted("ops2", five, {**dict.fromkeys(five, True), "ops2": False}), seen(**BARE))
    assert told(changes) == [("admission to etcd", "create")]


def test_a_voter_that_was_removed_comes_back_without_its_data():
    changes = plan(wanted("ops1"), seen(("db1", "db2"), data=True, running=False))
    assert [change.action for change in changes] == ["move", "create"]


def test_a_voter_leaves_before_another_comes():
    """A lost one would count towards the majority that adding needs."""
    members = ("db1", "db2", "ops2")
    found = {"db1": True, "db2": True, "ops2": False}
    changes = plan(wanted("ops2", members, found), seen(healthy=("db1", "db2"), **BARE))
    assert told(changes) == [("etcd member ops1", "delete"), ("admission to etcd", "create")]


def test_the_first_voter_removes_what_is_not_planned():
    changes = plan(wanted("db1"), seen((*THREE, "ops2", "ops3")))
    assert told(changes) == [("etcd member ops2", "delete"), ("etcd member ops3", "delete")]


def test_nobody_leaves_when_those_that_stay_are_no_majority():
    said = refusal(wanted("db1"), seen((*THREE, "ops2", "ops3"), healthy=("db1", "ops2", "ops3")))
    assert "1 of 3 members are healthy" in said
    assert "db2, ops1" in said


@pytest.mark.parametrize(("count", "half"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majority(count, half):
    assert majority(count) == half


@pytest.mark.parametrize(
    ("healthy", "answer"), [((), False), (("db2",), True), (("db2", "ops1"), True), (("db1",), False)]
)
def test_who_may_wait_for_its_own_health(healthy, answer):
    assert may_wait(wanted("db1"), seen(healthy=healthy)) is answer
