# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keeper writes down of its turn, and how that is judged."""

from __future__ import annotations

import json

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import keep, plan
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

HOUR = 3600.0
NOW, OLDEST = 1000 * HOUR, 26 * HOUR
GOOD, BAD = {"ok": True, "points": 3}, {"ok": False, "error": "pack 1a7cb756 is damaged"}


def states(found):
    return {one.id.removeprefix("filestore."): one.state for one in plan.kept(found, NOW, OLDEST)}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (plan.Turns(None, NOW - 25 * HOUR), {"keeper.age": "exempt"}),
        (plan.Turns(None, NOW - 27 * HOUR), {"keeper.age": "fail"}),
        (plan.Turns(NOW - 25 * HOUR, 0, GOOD), {"keeper.age": "pass", "keeper.last": "pass"}),
        (plan.Turns(NOW - 27 * HOUR, 0, GOOD), {"keeper.age": "fail", "keeper.last": "pass"}),
        (plan.Turns(NOW - 1 * HOUR, 0, BAD), {"keeper.age": "pass", "keeper.last": "fail"}),
        (plan.Turns(NOW - 1 * HOUR, 0, {}), {"keeper.age": "pass", "keeper.last": "fail"}),
        (plan.Turns(NOW - 1 * HOUR, 0, {"ok": "no"}), {"keeper.age": "pass", "keeper.last": "fail"}),
    ],
)
def test_a_turn_that_is_overdue_or_found_something_is_told(found, said):
    assert states(found) == said


def test_what_the_keeper_found_is_told_in_its_own_words():
    (last,) = [one for one in plan.kept(plan.Turns(NOW, 0, BAD), NOW, OLDEST) if one.id == "filestore.keeper.last"]
    assert (last.observed, last.expected) == ("pack 1a7cb756 is damaged", "all held")


def test_that_a_second_store_gets_no_points_is_told():
    (one,) = [one for one in plan.kept(plan.Turns(NOW, 0, GOOD, 2), NOW, OLDEST) if one.state == "exempt"]
    assert (one.id, one.observed, one.expected) == ("filestore.points.stores", 1, 2)
    assert "first alone" in one.reason


@pytest.mark.parametrize(
    "trouble", [EstateError("is damaged"), OSError(28, "No space left on device"), ValueError("no JSON")]
)
def test_whatever_goes_wrong_takes_the_place_of_yesterdays_result(monkeypatch, tmp_path, capsys, trouble):
    def turn(repository, said, now):
        raise trouble

    monkeypatch.setattr(keep, "turn", turn)
    (tmp_path / "result.json").write_text('{"ok": true}')
    (tmp_path / "keeper.json").write_text(json.dumps({"result": str(tmp_path / "result.json")}))
    assert keep.main(str(tmp_path / "keeper.json")) == 1
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["ok"] is False
    assert str(trouble) in found["error"]
    assert json.loads(capsys.readouterr().out) == found


def test_a_turn_in_which_all_held_ends_well(monkeypatch, tmp_path):
    monkeypatch.setattr(keep, "turn", lambda repository, said, now: {"points": 3})
    (tmp_path / "keeper.json").write_text(json.dumps({"result": str(tmp_path / "result.json")}))
    assert keep.main(str(tmp_path / "keeper.json")) == 0
    assert json.loads((tmp_path / "result.json").read_text()) == {"ok": True, "points": 3}
