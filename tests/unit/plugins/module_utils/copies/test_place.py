# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy's way to its place, cut short anywhere: the name leads to the old database or to the new one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.copies import place
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

WANTED = place.Wanted("shop", "aaaa", place.STAGED, "17.6")
MARK = WANTED.mark


def found(**comments):
    return place.Found(17, comments)


def steps(state, seen, **changed):
    return [change.data for change in place.plan(seen, replace(WANTED, state=state, **changed))]


def carry_out(seen, step):
    """What a step leaves."""
    kind, name = step
    comments = dict(seen.comments)
    if kind == "drop":
        del comments[name]
    elif kind == "load":
        comments[name] = MARK
    elif kind == "swap":
        if "shop" in comments:
            comments["shop_before"] = comments.pop("shop")
        comments["shop"] = comments.pop("shop_copy")
    return replace(seen, comments=comments, dump=seen.dump and kind != "forget")


def test_loaded_beside_then_exchanged_then_dropped():
    seen = replace(found(shop=""), dump=True)
    assert steps("staged", seen) == [("load", "shop_copy")]
    assert steps("placed", seen) == [("load", "shop_copy"), ("swap", "")]
    for state, todo in (
        ("staged", ["load"]),
        ("placed", ["swap"]),
        ("finished", ["forget", "drop"]),
    ):
        assert [step[0] for step in steps(state, seen)] == todo
        for step in steps(state, seen):
            seen = carry_out(seen, step)
        assert steps(state, seen) == []
        assert place.through(seen, WANTED) == (state == "finished")
    assert seen.comments == {"shop": MARK}
    assert [steps(state, seen) for state in place.STATES] == [[], [], []]


@pytest.mark.parametrize("times", range(5))
def test_cut_short_after_any_step_the_next_run_ends_the_same(times):
    def run(seen, budget):
        for state in place.STATES:
            for step in steps(state, seen):
                if not budget:
                    return seen
                seen, budget = carry_out(seen, step), budget - 1
        return seen

    cut = run(replace(found(shop=""), dump=True), times)
    assert "shop" in cut.comments
    assert run(cut, 99).comments == {"shop": MARK}


def test_what_was_loaded_in_part_or_is_another_copy_is_begun_anew():
    for comment in ("", "retailerp.estate copy bbbb"):
        assert steps("staged", found(shop="", shop_copy=comment)) == [("drop", "shop_copy"), ("load", "shop_copy")]


def test_another_copy_takes_the_place_of_one_that_was_not_brought_to_its_end():
    seen = found(shop="retailerp.estate copy bbbb", shop_before="", shop_copy=MARK)
    assert steps("placed", seen) == [("drop", "shop_before"), ("swap", "")]


def test_only_what_serves_is_finished():
    with pytest.raises(EstateError, match="does not hold this copy"):
        steps("finished", found(shop="", shop_copy=MARK))


def test_an_older_server_does_not_read_a_newer_ones_dump():
    with pytest.raises(EstateError, match="PostgreSQL 18"):
        steps("staged", found(shop=""), server_version="18.1")
    assert steps("staged", found(shop=""), server_version="15.4") == [("load", "shop_copy")]
