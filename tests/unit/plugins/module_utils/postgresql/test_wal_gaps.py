# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive lacks, on the path that its newest timeline took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import wal_gaps
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal_gaps import Gap, Place

#: As pg_wal has it: timeline 1 up to the middle of segment 12, then 2 up to the middle of 300.
HISTORY = "1\t0/C000060\tno recovery target specified\n\n2\t1/2C000028\tbefore 2026-11-28 12:00:00+01\n"


def name(number, timeline=1):
    return Place(number, timeline).name


def whole():
    """The path of HISTORY from segment 3 to 310, and what the branches left behind."""
    path = {Place(number, 1) for number in range(3, 12)} | {Place(number, 2) for number in range(12, 300)}
    left = {Place(12, 1), Place(13, 1), Place(300, 2)}
    return path | {Place(number, 3) for number in range(300, 311)} | left


def test_a_segments_name_is_its_place():
    assert name(0x1FF, 0x1A) == "0000001A00000001000000FF"
    assert wal_gaps.place(name(0x1FF, 0x1A)) == Place(0x1FF, 0x1A)


def test_only_segments_are_read_from_a_list():
    sum_ = "0" * 40
    listed = f"0000000100000000\n0000000100000000/{name(3)}-{sum_}.zst\n0000000100000000/{name(4)}-{sum_}\n"
    listed += f"0000000100000000/{name(5)}.partial-{sum_}.zst\n00000002.history\n"
    assert wal_gaps.segments(listed) == {Place(3, 1), Place(4, 1)}


def test_a_whole_archive_has_no_gap_over_two_branches():
    assert wal_gaps.find(whole(), HISTORY, [name(3), name(40, 2)]) == []


def test_what_lies_on_a_branch_that_was_left_is_not_missed():
    held = whole() - {Place(13, 1), Place(300, 2)}
    assert wal_gaps.find(held, HISTORY, [name(3)]) == []


@pytest.mark.parametrize(
    ("lost", "gap"),
    [
        # Between two backups, at the end of a branch, and after the last backup, which alone is open.
        ([Place(5, 1), Place(6, 1)], Gap(name(5), name(6), 2, False)),
        ([Place(11, 1)], Gap(name(11), name(11), 1, False)),
        ([Place(12, 2)], Gap(name(12, 2), name(12, 2), 1, False)),
        ([Place(40, 2)], Gap(name(40, 2), name(40, 2), 1, True)),
        ([Place(299, 2), Place(300, 3)], Gap(name(299, 2), name(300, 3), 2, True)),
    ],
)
def test_a_gap_is_named_by_its_segments(lost, gap):
    assert wal_gaps.find(whole() - set(lost), HISTORY, [name(3), name(40, 2)]) == [gap]


def test_a_backup_of_a_branch_that_was_left_needs_nothing_of_this_one():
    held = whole() - {Place(5, 1)}
    assert wal_gaps.find(held, HISTORY, [name(13, 1), name(40, 2)]) == []


def test_an_archive_without_segments_or_backups_has_no_gap():
    assert wal_gaps.find(set(), "", [name(3)]) == [Gap(name(3), name(3), 1, True)]
    assert wal_gaps.find(whole(), HISTORY, []) == []


#: What a recovery along HISTORY's branch 3 writes as that of branch 4, where it ended in segment 310, or at its end.
REACHED = f"{HISTORY}\n3\t1/36A00000\tno recovery target specified\n"
CLOSED = f"{HISTORY}\n3\t1/37000000\tno recovery target specified\n"


@pytest.mark.parametrize("history", [REACHED, CLOSED])
def test_a_recovery_to_the_end_of_its_branch_left_nothing(history):
    # The new branch's own segments, and those of a later one that somebody gave up, are none of what was followed.
    held = whole() | {Place(310, 4), Place(311, 4), Place(400, 2), Place(320, 5)}
    assert wal_gaps.unreached(held, history) is None
    # Nobody can tell of what was never archived.
    assert wal_gaps.unreached(held - {Place(310, 3), Place(309, 3)}, history) is None


@pytest.mark.parametrize("left", ["1/35FFFFE8", "1/36000000"], ids=["in its middle", "at its end"])
def test_a_hole_that_ended_recovery_is_told(left):
    history = f"{HISTORY}\n3\t{left}\tno recovery target specified\n"
    held = whole() | {Place(311, 3), Place(309, 4)}
    told = wal_gaps.unreached(held - {Place(310, 3)}, history)
    assert told == (
        f"recovery ended at {left}, in segment {name(309, 3)}, and the stores hold more of that log, to "
        f"{name(311, 3)} (segments: 1): segment {name(310, 3)} is in no store"
    )
    assert wal_gaps.unreached(held, history).endswith("or the log is damaged there")


def test_a_hole_before_the_branch_that_was_to_be_followed_is_told():
    # PostgreSQL notes the branch it was bound for, wherever it ended.
    history = f"{HISTORY}\n3\t0/27FFFF00\tno recovery target specified\n"
    told = wal_gaps.unreached(whole() - {Place(40, 2)}, history)
    assert f"in segment {name(39, 2)}, and the stores hold more of that log, to {name(310, 3)} (segments: 270)" in told
    assert told.endswith(f"segment {name(40, 2)} is in no store")


def test_without_a_branch_there_was_no_recovery():
    assert wal_gaps.unreached(whole(), "") is None


@given(st.sets(st.integers(3, 60), max_size=20), st.integers(3, 60))
def test_each_missing_segment_is_in_one_gap(lost, newest):
    held = {Place(number, 1) for number in range(3, 62) if number not in lost}
    found = wal_gaps.find(held, "", [name(3), name(newest)])
    told = [
        number
        for gap in found
        for number in range(wal_gaps.place(gap.first).number, wal_gaps.place(gap.last).number + 1)
    ]
    assert sorted(lost) == told
    assert sum(gap.count for gap in found) == len(lost)
    assert any(gap.open for gap in found) == any(number >= newest for number in lost)
