# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill found is judged by what its point recorded."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.drill import plan
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.plan import Point

POINT = Point("p", 1000.0, "r1", "f1", "/srv/shop", "label", "0/1", "0" * 24, 3)
RECORD = {
    "database": {"rows": {"res_users": 7, "ir_attachment": 192}, "modules": {"base": "14.0.1.3", "web": "14.0.1.0"}}
}


def drill(**changed):
    """One that went well, with something changed."""
    good = {
        "phases": dict.fromkeys(plan.PHASES, 10.0),
        "rows": {"res_users": 7, "ir_attachment": 192},
        "modules": {"base": "14.0.1.3", "web": "14.0.1.0"},
        "attachments": 192,
        "odoo": {"login": True, "order": True, "attachment": True},
    }
    return plan.Drill(POINT, 4600.0, RECORD, **{**good, **changed})


def failing(found, longest_s=60):
    return {one.id for one in plan.controls(found, longest_s) if one.state == "fail"}


def test_a_drill_that_went_well_holds_in_full():
    assert failing(drill()) == set()
    assert (drill().rto_s, drill().rpo_s) == (50.0, 3600.0)
    assert drill().report()["phases"]["odoo"] == 10.0


@pytest.mark.parametrize(
    ("changed", "ids"),
    [
        ({"rows": {"res_users": 7}}, {"drill.rows"}),
        ({"rows": {"res_users": 7, "ir_attachment": 100}}, {"drill.rows"}),
        ({"rows": {"res_users": 7, "ir_attachment": 195}}, set()),
        ({"modules": {"base": "14.0.1.3"}}, {"drill.modules"}),
        ({"damaged": ("00/aa",)}, {"drill.attachments"}),
        ({"odoo": {"login": False}}, {"drill.odoo.login", "drill.odoo.order", "drill.odoo.attachment"}),
        ({"odoo": {"login": True, "order": True, "attachment": False}}, {"drill.odoo.attachment"}),
    ],
)
def test_each_thing_that_is_otherwise_fails_its_control(changed, ids):
    assert failing(drill(**changed)) == ids


def test_a_drill_that_is_too_slow_fails():
    assert failing(drill(), longest_s=49) == {"drill.rto"}


def test_a_drill_that_was_cut_short_passes_nothing_by_silence():
    short = drill(phases={"database": 5.0}, failed={"filestore": "full"}, rows={}, modules={}, odoo={})
    assert {"drill.phases", "drill.rto", "drill.rows", "drill.modules", "drill.odoo.login"} <= failing(short)
    assert "full" in str(short.report())


DAY = 86400.0
GOOD = {"store": 1, "controls": []}
FAILED = {"store": 1, "path": "/e.json", "controls": [{"title": "Tables hold as many rows", "state": "fail"}]}


@pytest.mark.parametrize(
    ("found", "states"),
    [
        (plan.History(None, 100 * DAY, []), {"drill.age": "exempt"}),
        (plan.History(None, 90 * DAY, []), {"drill.age": "fail"}),
        (plan.History(98 * DAY, 0, [GOOD]), {"drill.age": "pass", "drill.last": "pass"}),
        (plan.History(98 * DAY, 0, [FAILED]), {"drill.age": "pass", "drill.last": "fail"}),
        (plan.History(98 * DAY, 0, [FAILED, {**GOOD, "store": 2}]), {"drill.age": "pass", "drill.last": "fail"}),
        (plan.History(90 * DAY, 0, [GOOD]), {"drill.age": "fail", "drill.last": "pass"}),
    ],
)
def test_a_drill_that_is_overdue_or_went_wrong_is_told(found, states):
    assert {one.id: one.state for one in plan.lately(found, 101 * DAY, 9)} == states


@pytest.mark.parametrize(
    ("drilled", "turn"), [([], 1), ([1], 2), ([2], 1), ([1, 2], 1), ([1, 2, 1], 2), ([1, 1, 2, 2], 1)]
)
def test_stores_take_turns_and_each_answers_for_its_last_drill(drilled, turn):
    evidence = [{"store": store, "began": number} for number, store in enumerate(drilled)]
    assert plan.due([1, 2], evidence) == turn
    last = {one["store"]: one["began"] for one in plan.last_of_each(evidence, [1, 2])}
    assert last == {store: max(n for n, one in enumerate(drilled) if one == store) for store in set(drilled)}


def test_a_store_that_is_gone_answers_for_nothing():
    gone = {**FAILED, "store": 2}
    assert plan.last_of_each([GOOD, gone], [1, 2]) == [GOOD, gone]
    assert plan.last_of_each([GOOD, gone], [1]) == [GOOD]


def test_waiting_for_the_archive_is_no_part_of_a_restore():
    assert drill(phases={"archive": 60.0, "database": 5.0}).rto_s == 5.0
