# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which recovery points there are, which are forgotten, and what a database makes of a filestore."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

DAY = 86400
NOW = 1_800_000_000.0
PLACE = {"label": "20261128-005000F", "lsn": "0/3FC9430", "wal": "000000010000000000000003"}
COUNTS = {"attachments": 192, "missing": 0, "bytes": 1887319}


def pair(name, at, *, files="f", record="r"):
    """The two snapshots of a point."""
    taken = plan.Snapshot(f"{files}{name}", at - 10, (plan.FILES, f"name={name}"), ("/srv/shop",))
    tags = plan.record_tags(name, taken.id, PLACE, COUNTS)
    return [taken, plan.Snapshot(f"{record}{name}", at, tuple(tags))]


def names(snapshots):
    return [point.name for point in plan.points(snapshots)]


def test_a_point_is_told_whole():
    (point,) = plan.points(pair("one", NOW))
    assert point.report() == {
        "name": "one",
        "at": "2027-01-15T08:00:00Z",
        "record": "rone",
        "files": "fone",
        "path": "/srv/shop",
        "timeline": 1,
        **PLACE,
        **COUNTS,
    }


@pytest.mark.parametrize("left", [0, 1])
def test_half_a_point_is_none(left):
    assert names([pair("one", NOW)[left]]) == []


@pytest.mark.parametrize(
    "tag", ["name=other", "name=../etc", "files=f", "label=", "lsn=", "wal=", "attachments=-1", "bytes=many"]
)
def test_a_record_that_is_not_as_ours_are_is_none(tag):
    files, record = pair("one", NOW)
    key = tag.partition("=")[0]
    tags = [tag if one.startswith(f"{key}=") else one for one in record.tags]
    assert names([files, dataclasses.replace(record, tags=tuple(tags))]) == []


def test_points_are_listed_oldest_first():
    assert names([*pair("b", NOW), *pair("a", NOW - 5), *pair("c", NOW + 5)]) == ["a", "b", "c"]


def test_a_second_record_of_a_name_hides_nothing():
    """Who broke into the application's host can write one that says it is older."""
    true, forged = pair("one", NOW), pair("one", NOW - DAY, files="x", record="y")
    assert names([*true, *forged]) == ["one.yone", "one.rone"]
    with pytest.raises(EstateError, match=r"recorded 2 times.*one\.yone or one\.rone"):
        plan.named(plan.points([*true, *forged]), "one")


def test_a_point_is_found_by_name():
    known = plan.points([*pair("a", NOW - 5), *pair("b", NOW)])
    assert plan.named(known, "a").name == "a"
    assert plan.named(known, "latest").name == "b"
    with pytest.raises(EstateError, match="no recovery point c; the newest are: a, b"):
        plan.named(known, "c")
    with pytest.raises(EstateError, match="newest are: none"):
        plan.named([], "latest")


def test_times_are_read_with_their_zone():
    listed = {"id": "x", "time": "2026-11-28T02:01:19.123456789+01:00", "tags": None, "paths": ["/srv"]}
    assert plan.iso(plan.snapshot(listed).at) == "2026-11-28T01:01:19Z"
    assert plan.snapshot({**listed, "time": "2026-11-28T01:01:19Z"}).at == plan.snapshot(listed).at
    with pytest.raises(EstateError, match="which is none"):
        plan.snapshot({**listed, "time": "yesterday"})


def test_old_points_go_and_the_newest_stay_whatever_their_age():
    everything = [*pair("a", NOW - 50 * DAY), *pair("b", NOW - 40 * DAY), *pair("c", NOW - 36 * DAY)]
    assert plan.expired(everything, NOW, 35 * DAY, 2) == ["fa", "ra"]
    assert plan.expired(everything, NOW, 35 * DAY, 3) == []


def test_what_was_cut_short_goes_after_a_day():
    files = pair("a", NOW)[0]
    assert plan.expired([dataclasses.replace(files, at=NOW - DAY / 2)], NOW, 35 * DAY, 3) == []
    assert plan.expired([dataclasses.replace(files, at=NOW - 2 * DAY)], NOW, 35 * DAY, 3) == ["fa"]


def test_what_is_not_ours_stays():
    assert plan.expired([plan.Snapshot("x", 0, ("holiday",), ("/home",))], NOW, DAY, 0) == []


@given(
    ages=st.lists(st.floats(-100, 100), min_size=1, max_size=12),
    forged=st.lists(st.tuples(st.floats(-5000, 5000), st.integers(0, 11)), max_size=8),
    least=st.integers(0, 4),
)
def test_nothing_that_is_added_makes_a_young_point_go(ages, forged, least):
    """The rule an intruder works against: whatever he adds, points younger than the limit stay, and are listed."""
    true = [one for index, age in enumerate(ages) for one in pair(f"p{index}", NOW - age * DAY)]
    false = [
        one
        for index, (age, of) in enumerate(forged)
        for one in pair(f"p{of}", NOW - age * DAY, files=f"x{index}", record=f"y{index}")
    ]
    gone = set(plan.expired([*true, *false], NOW, 35 * DAY, least))
    listed = {point.record for point in plan.points([one for one in [*true, *false] if one.id not in gone])}
    for index, age in enumerate(ages):
        if age <= 35:
            assert not {f"fp{index}", f"rp{index}"} & gone
            assert f"rp{index}" in listed


SHA = "b7d0e0ec3a5d9f1b8a6c2a94bfa1b4ab5a4dfe71"
OTHER = "0030b44c24c51cc1dd3326118a07b129680c3287"


def test_a_file_is_held_against_its_row():
    wanted = plan.attachments([(f"b7/{SHA}", SHA), (f"00/{OTHER}", None), ("old/name", "")])
    on_disk = {f"b7/{SHA}": OTHER, f"00/{OTHER}": OTHER, "old/name": SHA}
    assert plan.damaged(wanted, on_disk) == {f"b7/{SHA}": "another content"}
    assert plan.damaged(wanted, {**on_disk, "old/name": None})["old/name"] == "missing"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/./b", "", "a/\n"])
def test_a_name_that_leads_out_of_the_filestore_is_refused(name):
    with pytest.raises(EstateError, match="no path below a filestore"):
        plan.attachments([(name, SHA)])


def test_the_record_tells_what_it_is_of():
    text = plan.record("one", "f1", {"database": PLACE})
    assert json.loads(text) == {"version": 1, "name": "one", "files": "f1", "database": PLACE}
