# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore, wherever it was cut short: the old data is never given up before the end is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import restore
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.cluster import (
    ABSENT,
    PRIMARY,
    READY,
    Instance,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.restore import Asked, Current, Desired
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

RUNNING = Instance("db1", READY, PRIMARY, True, "1", 1, "in production")
STOPPED = replace(RUNNING, running=False, state="in archive recovery")
NOTHING = Instance("db1", ABSENT)
NOON, LATEST = Asked("2026-11-28 12:00:00+01"), Asked("latest")


def desired(state="restored", asked=NOON):
    return Desired(state, "/var/lib/postgresql/17/main", "postgresql@17-main.service", asked)


def steps(current, state="restored", asked=NOON):
    return [change.data for change in restore.plan(current, desired(state, asked))]


WHOLE = ["stage", "fence", "stop", "place", "unfence", "start", "recover"]


def test_the_copy_is_made_while_the_old_server_goes_on():
    assert steps(Current(RUNNING), "staged") == ["stage"]
    assert steps(Current(RUNNING, staged=True, asked=NOON), "staged") == []
    assert steps(Current(RUNNING, staged=True, asked=NOON)) == WHOLE[1:]


def test_in_one_go():
    assert steps(Current(RUNNING)) == WHOLE


def test_a_copy_for_another_time_is_made_anew():
    assert steps(Current(RUNNING, staged=True, asked=LATEST)) == WHOLE


def test_a_host_that_lost_everything_is_restored_as_well():
    assert steps(Current(NOTHING)) == ["stage", "fence", "place", "unfence", "start", "recover"]


@pytest.mark.parametrize(
    ("current", "left"),
    [
        (Current(STOPPED, staged=True, asked=NOON, fenced=True), ["place", "unfence", "start", "recover"]),
        # Between the two renames.
        (Current(NOTHING, staged=True, kept=True, asked=NOON, fenced=True), ["place", "unfence", "start", "recover"]),
        (Current(STOPPED, kept=True, asked=NOON, fenced=True), ["unfence", "start", "recover"]),
        (Current(STOPPED, kept=True, asked=NOON), ["start", "recover"]),
        (Current(RUNNING, kept=True, asked=NOON), ["recover"]),
        (Current(RUNNING, kept=True, asked=NOON, done=True), []),
    ],
)
def test_cut_short_anywhere_it_goes_on(current, left):
    assert steps(current) == left
    assert steps(current, "staged") == []


def test_one_that_never_came_out_of_recovery_may_be_followed_by_another():
    """What it had put in place is given up, and removed when the server serves."""
    current = Current(STOPPED, kept=True, asked=NOON, active=True)
    assert steps(current, asked=LATEST) == [*WHOLE, "sweep"]


def test_two_are_never_given_up_at_once():
    with pytest.raises(EstateError, match="restore to 2026-11-28 12:00:00"):
        steps(Current(RUNNING, kept=True, asked=NOON, done=True), asked=LATEST)


@pytest.mark.parametrize(
    ("current", "left"),
    [
        (
            Current(RUNNING, kept=True, asked=NOON, done=True),
            ["fence", "stop", "unplace", "unfence", "start", "return", "sweep"],
        ),
        (
            Current(STOPPED, kept=True, asked=NOON, fenced=True, ours=True),
            ["unplace", "unfence", "start", "return", "sweep"],
        ),
        # Between the renames.
        (
            Current(NOTHING, kept=True, gone=True, fenced=True, ours=True),
            ["sweep", "unplace", "unfence", "start", "return"],
        ),
        # After them, and while it recovers.
        (
            Current(STOPPED, returning=True, gone=True, fenced=True, ours=True),
            ["sweep", "unfence", "start", "return"],
        ),
        (Current(STOPPED, returning=True), ["start", "return"]),
        (Current(RUNNING, returning=True), ["return"]),
        (Current(RUNNING), []),
    ],
)
def test_the_way_back_ends_on_a_timeline_of_its_own_wherever_it_was_cut_short(current, left):
    assert steps(current, "back") == left


def test_a_copy_that_did_not_take_the_datas_place_is_given_up_by_the_way_back():
    assert steps(Current(RUNNING, staged=True, asked=NOON), "back") == ["drop"]
    assert steps(Current(RUNNING, partial=True), "back") == ["drop"]
    stopped = Current(STOPPED, staged=True, asked=NOON, fenced=True, ours=True)
    assert steps(stopped, "back") == ["unfence", "start", "serve", "drop"]
    assert steps(Current(RUNNING, partial=True, kept=True), "back")[-3:] == ["return", "drop", "sweep"]


def test_a_fence_of_a_failover_is_not_the_way_backs():
    assert steps(Current(STOPPED, fenced=True), "back") == []
    assert steps(Current(STOPPED, fenced=True, partial=True), "back") == ["drop"]


def test_a_host_that_was_bare_has_nothing_to_go_back_to():
    with pytest.raises(EstateError, match="held no data before"):
        steps(Current(RUNNING, kept=True, hollow=True, asked=NOON, done=True), "back")


def test_the_end_removes_the_old_data():
    assert steps(Current(RUNNING, kept=True, asked=NOON, done=True), "finished") == ["finish", "sweep"]
    assert steps(Current(RUNNING), "finished") == []
    # Cut short after the rename, and while it removed.
    assert steps(Current(RUNNING, gone=True, asked=NOON, done=True), "finished") == ["sweep", "finish"]
    assert steps(Current(RUNNING, gone=True), "finished") == ["sweep"]


@pytest.mark.parametrize(
    "current",
    [
        Current(STOPPED, kept=True, asked=NOON),
        Current(RUNNING, staged=True, asked=NOON),
        # A second restore was cut short while it copied: the note of the first is gone, its old data is not.
        Current(STOPPED, kept=True, partial=True),
        Current(STOPPED, returning=True),
    ],
)
def test_the_end_comes_only_after_a_restore_that_is_through(current):
    with pytest.raises(EstateError, match="not through"):
        steps(current, "finished")


def test_what_moves_the_server_stops_the_others_first():
    def moves(current, state):
        return restore.moves(restore.plan(current, desired(state)))

    assert moves(Current(RUNNING, kept=True, asked=NOON, done=True), "back")
    assert moves(Current(STOPPED, returning=True), "back")
    assert not moves(Current(RUNNING), "back")
    assert not moves(Current(RUNNING, staged=True, asked=NOON), "back")
    assert not moves(Current(RUNNING, kept=True, asked=NOON, done=True), "restored")


@pytest.mark.parametrize(
    ("asked", "options"),
    [
        (LATEST, ["--type=default"]),
        (Asked("latest", 3), ["--type=default", "--target-timeline=3"]),
        (Asked("latest", None, 2), ["--type=default", "--repo=2"]),
        (
            Asked("2026-11-28 12:00:00Z"),
            ["--type=time", "--target=2026-11-28 12:00:00+00", "--target-action=promote"],
        ),
        (
            Asked("0/3000148", 4),
            ["--type=lsn", "--target=0/3000148", "--target-action=promote", "--target-timeline=4"],
        ),
        (
            Asked("20261128-011636F_20261128-012710D", 3),
            [
                "--type=immediate",
                "--set=20261128-011636F_20261128-012710D",
                "--target-action=promote",
                "--recovery-option=recovery_target_timeline=current",
            ],
        ),
    ],
)
def test_what_pgbackrest_is_told(asked, options):
    assert asked.options() == options


@pytest.mark.parametrize(
    "to",
    [
        "",
        "yesterday",
        "2026-11-28 12:00:00",
        "2026-11-28 12:00+01",
        "2026-11-28",
        "20261128-011636",
        "latest; rm",
    ],
)
def test_what_is_no_target_is_refused(to):
    with pytest.raises(EstateError, match="neither latest"):
        steps(Current(RUNNING), asked=Asked(to))


def test_a_place_is_on_one_branch():
    with pytest.raises(EstateError, match="point=<name>"):
        steps(Current(RUNNING), asked=Asked("0/3000148"))
