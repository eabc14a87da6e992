# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a member's data directories go when the major version changes, and back, from wherever a run was cut short."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import upgrade, upgrade_client
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

BOTH = frozenset({"15", "17"})
RUNNING = upgrade.Found(
    live=("15",), role={"15": "primary"}, running=True, active=True, boots=frozenset({"15"}), installed=BOTH
)
STOPPED = replace(RUNNING, running=False, active=False, fenced=True, state="shut down")
STANDBY = replace(RUNNING, role={"15": "standby"})
UPGRADED = upgrade.Found(
    live=("17",),
    kept=("15",),
    role={"15": "primary", "17": "primary"},
    retired=frozenset({"15"}),
    boots=frozenset({"17"}),
    pristine=True,
    state="shut down",
    installed=BOTH,
)


def desired(state, **options):
    return upgrade.Desired(state=state, member="db1", to="17", **options)


def steps(found, state, **options):
    return [change.data[0] for change in upgrade.plan(found, desired(state, **options))]


def carry_out(found, changes, upto=None):
    """What the host looks like after the first steps of a plan."""
    for change in list(changes)[:upto]:
        step, *rest = change.data
        if step == "fence":
            found = replace(found, fenced=True)
        elif step == "unfence":
            found = replace(found, fenced=False)
        elif step == "stop":
            found = replace(found, running=False, active=False, state="shut down")
        elif step == "build":
            found = replace(found, built=True)
        elif step == "keep":
            found = replace(found, live=(), kept=(*found.kept, rest[0]))
        elif step == "place":
            role = {**found.role, "17": "primary"}
            found = replace(found, live=("17",), built=False, role=role, pristine=True)
        elif step == "undo":
            found = replace(found, live=(), undone=("17",))
        elif step == "restore":
            found = replace(found, live=(rest[0],), kept=())
        elif step == "retire":
            found = replace(found, boots=frozenset({rest[1]}), retired=frozenset({rest[0]}))
        elif step == "analyze":
            found = replace(found, analyzed=True)
    return found


def test_the_way_of_a_primary():
    assert steps(STOPPED, "upgraded") == ["build", "keep", "place", "retire", "unfence"]
    done = carry_out(STOPPED, upgrade.plan(STOPPED, desired("upgraded")))
    assert (done.live, done.kept, done.fenced) == (("17",), ("15",), False)
    assert steps(done, "upgraded") == []
    assert steps(done, "analyzed") == [], "it has not been started yet"
    assert steps(replace(done, running=True), "analyzed") == ["analyze"]


def test_the_way_of_a_standby():
    assert steps(STANDBY, "parked") == ["fence", "stop"]
    parked = carry_out(STANDBY, upgrade.plan(STANDBY, desired("parked")))
    assert steps(parked, "parked") == []
    assert steps(parked, "aside") == ["keep", "retire", "unfence"]
    bare = carry_out(parked, upgrade.plan(parked, desired("aside")))
    assert (bare.live, bare.kept) == ((), ("15",))
    assert steps(bare, "aside") == []
    # One that somebody started meanwhile stops first.
    assert steps(STANDBY, "aside") == ["fence", "stop", "keep", "retire", "unfence"]


def test_the_way_back():
    runs = replace(UPGRADED, running=True, active=True, pristine=False)
    assert steps(runs, "back") == ["fence", "stop", "undo", "restore", "retire", "unfence"]
    old = carry_out(runs, upgrade.plan(runs, desired("back")))
    assert (old.live, old.kept, old.undone) == (("15",), (), ("17",))
    assert steps(old, "back") == []
    assert steps(replace(RUNNING), "back") == [], "nothing was begun"


def test_nobody_goes_back_by_himself_once_the_new_server_ran():
    with pytest.raises(EstateError, match="may have taken writes"):
        steps(replace(UPGRADED, pristine=False), "back", automatic=True)
    assert steps(UPGRADED, "back", automatic=True)[-3:] == ["restore", "retire", "unfence"]


@given(st.integers(min_value=0, max_value=6), st.sampled_from(["upgraded", "back"]))
def test_cut_short_anywhere_the_next_run_ends_in_the_same_state(cut, goal):
    """After so many steps of the upgrade, it is gone on with or taken back, and nothing is left to do."""
    half = carry_out(STOPPED, upgrade.plan(STOPPED, desired("upgraded")), cut)
    half = replace(half, role={**half.role, "15": "primary"})
    end = carry_out(half, upgrade.plan(half, desired(goal)))
    assert upgrade.plan(end, desired(goal)) == []
    assert end.live == (("17",) if goal == "upgraded" else ("15",))
    assert not end.fenced
    assert end.boots == frozenset(end.live)


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (RUNNING, "upgraded", "must be a primary that was stopped"),
        (replace(STOPPED, state="in production"), "upgraded", "not stopped in good order"),
        (replace(STOPPED, installed=frozenset({"15"})), "upgraded", "postgresql-17 is not installed"),
        (replace(RUNNING, live=("16",), role={"16": "primary"}), "rehearsed", "postgresql-16 is not installed"),
        (replace(RUNNING, live=("18",), role={"18": "primary"}), "rehearsed", "no way down to 17"),
        (replace(RUNNING, live=("15", "17")), "upgraded", "15 and 17 in place"),
        (UPGRADED, "rehearsed", "nothing to rehearse"),
        (replace(UPGRADED, kept=()), "back", "no way back"),
        (RUNNING, "parked", "is no standby"),
        (RUNNING, "finished", "does not run 17"),
    ],
)
def test_what_is_refused(found, state, words):
    with pytest.raises(EstateError, match=words):
        upgrade.plan(found, desired(state))


def test_the_end_removes_what_was_kept_and_other_programs():
    found = replace(UPGRADED, running=True, undone=("17",), leftovers=("/x",))
    assert [change.data for change in upgrade.plan(found, desired("finished"))] == [
        ("remove", "15", "kept"),
        ("remove", "17", "undone"),
        ("clean",),
        ("purge", "15"),
    ]
    assert steps(replace(found, kept=(), undone=(), leftovers=(), installed=frozenset({"17"})), "finished") == []


SITUATION = upgrade.Situation(
    extensions={"shop": ("plpgsql", "pg_trgm")},
    available=frozenset({"plpgsql", "pg_trgm"}),
    prepared=0,
    logical_slots=0,
    tablespaces=(),
    data_bytes=10 << 30,
    free_bytes=13 << 30,
    clone=False,
)


def test_a_cluster_that_can_be_upgraded_and_all_reasons_why_one_cannot():
    assert upgrade.refusals(SITUATION, "17") == []
    worst = replace(
        SITUATION, available=frozenset({"plpgsql"}), prepared=1, logical_slots=1, tablespaces=("fast",), free_bytes=0
    )
    assert [reason.split(":")[0].split(" (")[0] for reason in upgrade.refusals(worst, "17")] == [
        "PostgreSQL 17 lacks the extensions pg_trgm",
        "1 prepared transactions",
        "1 logical replication slots",
        "tablespaces",
        "0 MiB free beside the data, 12288 MiB needed",
    ]
    assert upgrade.refusals(replace(SITUATION, clone=True, free_bytes=2 << 30), "17") == []


def test_a_rehearsal_stands_for_the_same_packages_for_a_week():
    packages = {"postgresql-15": "15.18-1", "postgresql-17": "17.6-1"}
    made = {"from": "15", "to": "17", "packages": packages, "at": 1000}
    ask = upgrade.rehearsal_refusals
    assert ask([made], "15", "17", packages, 2000) == []
    assert ask([], "15", "17", packages, 2000) == ["none was made"]
    assert ask([made], "15", "17", packages, 1000 + 8 * 86400) == ["one is older than 7 days"]
    newer = {**packages, "postgresql-17": "17.7-1"}
    assert ask([made], "15", "17", newer, 2000)[0].endswith(
        "installed here: postgresql-15 15.18-1, postgresql-17 17.7-1"
    )
    assert ask([{**made, "to": "16"}], "15", "17", packages, 2000) == ["one was of 15 to 16"]
    assert ask([{**made, "to": "16"}, made], "15", "17", packages, 2000) == []


def test_what_an_upgrade_loses_is_named():
    before = {"shop": {"rows": 5, "triggers": 1}, "old": {}}
    assert upgrade.differences(before, before) == []
    assert upgrade.differences(before, {"shop": {"rows": 4, "triggers": 1}, "new": {}}) == [
        "database new is new",
        "database old is missing",
        "shop: rows 5 before, 4 after",
    ]


def test_a_new_cluster_is_put_in_place_only_if_the_old_one_wrote_nothing_since(tmp_path, monkeypatch):
    """A run was cut short, the old server served again, and the upgrade is begun anew."""
    monkeypatch.setattr(upgrade_client.server, "own", lambda path: None)
    folder = str(tmp_path)
    assert not upgrade_client.is_made_of(folder, "0/3000028")
    upgrade_client.mark(folder, "0/3000028")
    assert upgrade_client.is_made_of(folder, "0/3000028")
    assert not upgrade_client.is_made_of(folder, "0/5000028")
