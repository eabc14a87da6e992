# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a data directory: never the loss of one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import cluster
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import (
    Current,
    Desired,
    Instance,
    Pending,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

BARE = Instance("db1", data="absent")
PRIMARY = Instance("db1", "ready", "primary", True, "42", 1, "in production")
STANDBY = replace(PRIMARY, role="standby", state="in archive recovery")


def peer(instance):
    return replace(instance, name="db2")


BARE_PEER = (peer(BARE),)


def steps(own, planned="primary", peers=BARE_PEER, **current):
    desired = Desired(planned, "/data", "postgresql@17-main.service", peers, restart="pending" in current)
    return [change.data for change in cluster.plan(Current(own, **current), desired)]


def test_a_bare_estate_gets_its_planned_roles():
    assert steps(BARE, "primary") == ["initialise"]
    assert steps(BARE, "standby") == ["clone"]


def test_a_lone_primary_needs_no_peer():
    assert steps(BARE, "primary", ()) == ["initialise"]


def test_data_is_left_alone():
    assert steps(PRIMARY, "primary", (peer(STANDBY),)) == []
    assert steps(STANDBY, "standby", (peer(PRIMARY),)) == []


def test_roles_follow_the_cluster_after_a_failover():
    assert steps(STANDBY, "primary", (peer(PRIMARY),)) == []
    assert steps(PRIMARY, "standby", (peer(STANDBY),)) == []


def test_a_bare_planned_primary_joins_the_primary_there_is():
    assert steps(BARE, "primary", (peer(PRIMARY),)) == ["clone"]


def test_no_new_cluster_while_a_peer_was_not_looked_at():
    with pytest.raises(EstateError, match=r"db2 \(unknown\).*--limit"):
        steps(BARE, "primary", (Instance("db2"),))


def test_no_new_cluster_over_a_standby_that_holds_the_data():
    with pytest.raises(EstateError, match=r"db1 is bare.*db2 \(standby"):
        steps(BARE, "primary", (peer(STANDBY),))


def test_two_primaries_are_named_and_left():
    with pytest.raises(EstateError, match=r"two primaries: db1 .*timeline 1.* and db2 .*timeline 2"):
        steps(PRIMARY, "primary", (peer(replace(PRIMARY, timeline=2)),))


def test_a_stopped_old_primary_is_not_started_again():
    stopped = replace(PRIMARY, running=False, state="shut down")
    with pytest.raises(EstateError, match=r"db1 \(primary.*stopped, shut down\) and db2"):
        steps(stopped, "primary", (peer(replace(PRIMARY, timeline=2)),))


def test_a_stopped_primary_is_not_started_before_the_others_were_seen():
    stopped = replace(PRIMARY, running=False, state="shut down")
    with pytest.raises(EstateError, match=r"db1 .* is not started while db2 \(unknown\)"):
        steps(stopped, "primary", (Instance("db2"),))
    assert steps(PRIMARY, "primary", (Instance("db2"),)) == []
    assert steps(stopped, "primary", (peer(STANDBY),)) == ["permit"]
    assert steps(stopped, "primary", (peer(STANDBY),), permitted=True) == []


def test_a_fenced_member_is_left_to_the_playbook_rejoin():
    with pytest.raises(EstateError, match="is fenced.*rejoin"):
        steps(replace(PRIMARY, running=False), "primary", (peer(STANDBY),), fenced=True)


def test_a_fence_with_no_data_behind_it_goes():
    """remove_standby stopped it, somebody wiped its disk, and it is added again."""
    assert steps(BARE, "standby", (peer(PRIMARY),), fenced=True) == ["unfence", "clone"]


def test_no_new_cluster_hides_one_that_an_upgrade_put_aside():
    """pg_major_upgrade was killed between putting the old cluster aside and the new one in place."""
    bare, kept = peer(BARE), replace(BARE, aside=True)
    for own, other in [(kept, bare), (BARE, peer(kept))]:
        with pytest.raises(EstateError, match="pg_major_upgrade put aside"):
            steps(own, "primary", (other,))
    assert steps(kept, "standby", (peer(PRIMARY),)) == ["clone"], "its primary has the new version already"


def test_a_primary_that_a_promotion_left_behind_is_refused():
    with pytest.raises(EstateError, match="is behind db2"):
        steps(PRIMARY, "primary", (peer(replace(STANDBY, timeline=2)),))


@pytest.mark.parametrize("own", [PRIMARY, STANDBY])
def test_another_cluster_is_refused(own):
    with pytest.raises(EstateError, match="different clusters"):
        steps(own, "standby", (peer(replace(PRIMARY, system_identifier="43")),))


def test_what_is_no_cluster_is_not_touched():
    with pytest.raises(EstateError, match="nothing is touched"):
        steps(Instance("db1", data="broken"), "standby")


def test_only_a_hopeless_standby_is_replaced():
    assert steps(STANDBY, "standby", (peer(PRIMARY),), hopeless=True) == ["replace"]
    assert steps(PRIMARY, "standby", (peer(STANDBY),), hopeless=True) == []


def test_leftovers_go_when_the_data_is_there():
    assert steps(PRIMARY, "primary", (peer(STANDBY),), leftovers=("/data.estate-new",)) == ["clean"]
    assert steps(BARE, "standby", leftovers=("/data.estate-new",)) == ["clone"]


GROWS = (Pending("max_connections", "80", "100"),)
SHRINKS = (Pending("max_connections", "100", "80"),)


def test_a_primary_restarts_for_either():
    assert steps(PRIMARY, pending=GROWS) == steps(PRIMARY, pending=SHRINKS) == ["restart"]


def test_a_standby_waits_until_the_primary_runs_with_less():
    peers = (peer(PRIMARY),)
    assert steps(STANDBY, "standby", peers, pending=GROWS, primary_settings={"max_connections": 80}) == ["restart"]
    assert steps(STANDBY, "standby", peers, pending=SHRINKS, primary_settings={"max_connections": 100}) == []
    assert steps(STANDBY, "standby", peers, pending=SHRINKS, primary_settings={"max_connections": 80}) == ["restart"]


INSTANCES = st.builds(
    Instance,
    name=st.just("db1"),
    data=st.sampled_from(["absent", "ready", "broken", "unknown"]),
    role=st.sampled_from(["primary", "standby"]),
    running=st.booleans(),
    system_identifier=st.sampled_from(["42", "43"]),
    timeline=st.integers(1, 3),
)


@given(
    INSTANCES.filter(lambda own: own.data != "unknown"),
    INSTANCES,
    INSTANCES,
    st.sampled_from(["primary", "standby"]),
    st.booleans(),
)
def test_whatever_is_found_no_data_is_lost_and_no_second_primary_made(own, second, third, planned, hopeless):
    peers = (replace(second, name="db2"), replace(third, name="db3"))
    try:
        done = steps(own, planned, peers, hopeless=hopeless)
    except EstateError:
        return
    if own.data == "ready" and own.role == "primary":
        assert done in ([], ["permit"])
        if done:
            assert not own.running
            assert "unknown" not in {one.data for one in peers}
        # One that a promotion left behind, and that does not run, keeps nobody from starting.
        rivals = [one for one in peers if one.data == "ready" and one.role == "primary"]
        assert not [one for one in rivals if one.running or one.timeline >= own.timeline]
    if "initialise" in done:
        assert own.data == "absent"
        assert {one.data for one in peers} == {"absent"}
    if "clone" in done:
        assert own.data == "absent"
