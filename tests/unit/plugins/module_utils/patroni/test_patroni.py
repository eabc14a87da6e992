# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Patroni cluster is told and held to, from what its members say of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.patroni import plan
from ansible_collections.retailerp.estate.plugins.module_utils.patroni.plan import Current, Desired, Member
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

SETTINGS = {"ttl": 20, "postgresql": {"parameters": {"max_connections": 80}}}
NAMES = ("db1", "db2", "db3")
WHOLE = Current(
    answering=True,
    members=(
        Member("db1", "leader", "running", 3),
        Member("db2", "quorum_standby", "streaming", 3, 0),
        Member("db3", "replica", "streaming", 3, 0),
    ),
    settings=SETTINGS,
    watchdog=True,
)


def with_member(name, **changed):
    """The whole cluster, one member of it changed."""
    return replace(WHOLE, members=tuple(replace(m, **changed) if m.name == name else m for m in WHOLE.members))


def steps(current, name, **desired):
    """The names of the steps."""
    return [change.data for change in plan.plan(current, Desired(name, **desired))]


def failing(current, name="db1"):
    """Ids of the controls that fail."""
    return [control.id for control in plan.controls(current, name, NAMES, SETTINGS) if control.state == "fail"]


def test_a_member_is_read_from_what_the_api_says():
    told = {"name": "db2", "role": "replica", "state": "streaming", "timeline": 2, "lag": "unknown"}
    assert Member.of(told) == Member("db2", "replica", "streaming", 2, None, False)


def test_nothing_is_done_to_a_cluster_as_it_should_be():
    assert steps(WHOLE, "db2", settings=SETTINGS) == []
    assert steps(WHOLE, "db1", state="leader") == []


def test_settings_are_written_whole():
    (change,) = plan.plan(WHOLE, Desired("db1", {**SETTINGS, "ttl": 30}))
    assert (change.action, change.data) == ("update", "configure")
    assert '"ttl": 20' in change.before
    assert '"ttl": 30' in change.after
    (change,) = plan.plan(replace(WHOLE, settings=None), Desired("db1", SETTINGS))
    assert (change.action, change.before) == ("create", None)


def test_only_the_standby_that_commits_wait_for_may_lead():
    assert steps(WHOLE, "db2", state="leader") == ["lead"]
    with pytest.raises(EstateError, match=r"wait for db2, not for db3.*target=db2"):
        steps(WHOLE, "db3", state="leader")


@pytest.mark.parametrize(
    ("current", "name", "state", "said"),
    [
        (replace(WHOLE, answering=False), "db1", "settled", "does not answer on db1"),
        (replace(WHOLE, paused=True), "db2", "leader", "paused"),
        (WHOLE, "db9", "leader", "no member"),
        (with_member("db1", role="replica"), "db2", "leader", "nobody leads"),
        (with_member("db2", state="stopped"), "db2", "leader", "does not follow db1"),
        (WHOLE, "db1", "cloned", "leads the cluster"),
        (with_member("db1", role="replica"), "db2", "cloned", "no leader"),
    ],
)
def test_refusals_say_why(current, name, state, said):
    with pytest.raises(EstateError, match=said):
        steps(current, name, state=state)


def test_a_member_is_copied_when_told_whether_it_follows_or_not():
    assert steps(WHOLE, "db2", state="cloned") == ["clone"]
    assert steps(with_member("db3", state="start failed"), "db3", state="cloned") == ["clone"]
    assert steps(with_member("db3", timeline=2), "db3", state="cloned") == ["clone"]


def test_settled_is_serving_under_a_leader():
    assert plan.settled(WHOLE, "db3")
    assert not plan.settled(with_member("db3", state="creating replica"), "db3")
    assert not plan.settled(with_member("db1", role="replica"), "db3")


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (WHOLE, []),
        (replace(WHOLE, answering=False), ["patroni.answers"]),
        (replace(WHOLE, isolated=True), ["patroni.voters"]),
        (replace(WHOLE, paused=True), ["patroni.paused"]),
        (replace(WHOLE, members=WHOLE.members[:2]), ["patroni.members"]),
        (with_member("db3", state="stopped"), ["patroni.states"]),
        (with_member("db2", role="replica"), ["patroni.synchronous"]),
        (with_member("db2", pending_restart=True), ["patroni.restart"]),
        (replace(WHOLE, settings=None), ["patroni.settings"]),
    ],
)
def test_each_control_fails_for_its_own_reason(current, expected):
    assert failing(current) == expected


def test_a_member_on_another_timeline_fails_its_own_control():
    assert failing(with_member("db3", timeline=2), "db3") == ["patroni.timeline"]


def test_a_host_without_watchdog_is_exempt_with_that_reason():
    (found,) = [c for c in plan.controls(replace(WHOLE, watchdog=False), "db1", NAMES, SETTINGS) if c.state == "exempt"]
    assert (found.id, found.reason) == ("patroni.watchdog", "the host has no /dev/watchdog")


def test_a_standby_restarts_while_commits_can_wait_for_all_others():
    assert plan.uncounted(WHOLE) == ["db3"]
    assert plan.may_restart(WHOLE, "db3"), "it is the one that is missing"
    assert not plan.may_restart(WHOLE, "db2"), "nobody would be left"
    assert plan.may_restart(with_member("db3", role="quorum_standby"), "db2")
    assert not plan.may_restart(with_member("db3", role="quorum_standby"), "db9"), "no member"
    assert not plan.may_restart(with_member("db1", role="replica"), "db3"), "nobody leads"
    assert not plan.may_restart(Current(answering=False), "db3")


def test_a_leader_is_not_restarted():
    with pytest.raises(EstateError, match="db1 leads the cluster by now, and only a standby is restarted"):
        plan.may_restart(WHOLE, "db1")


def test_a_standby_is_back_when_commits_wait_for_it():
    assert plan.counted(WHOLE, "db2")
    assert not plan.counted(WHOLE, "db3")
    assert not plan.counted(with_member("db2", state="starting"), "db2")
    assert not plan.counted(with_member("db1", role="replica"), "db2"), "nobody leads"
