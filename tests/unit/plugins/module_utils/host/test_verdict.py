# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify makes of registered results."""

from __future__ import annotations

from ansible_collections.retailerp.estate.plugins.module_utils.host.verdict import findings

GOOD = {"id": "redis.tls", "title": "t", "state": "pass", "observed": 1, "expected": 1, "reason": ""}
BAD = {**GOOD, "id": "redis.acl", "state": "fail", "observed": ["default"], "expected": [], "reason": "run again"}
EXEMPT = {**GOOD, "id": "host.audit", "state": "exempt", "reason": "no audit in containers"}


def test_what_holds_gives_no_line_and_all_controls():
    lines, controls = findings({"redis": {"changed": False, "controls": [GOOD, EXEMPT]}})
    assert lines == []
    assert [control["id"] for control in controls] == ["redis.tls", "host.audit"]


def test_failing_controls_and_planned_changes_are_named():
    result = {
        "changed": True,
        "controls": [GOOD, BAD],
        "changes": [{"resource": "file /etc/redis/users.acl", "action": "update", "before": None, "after": None}],
    }
    assert findings({"redis": result})[0] == [
        "redis.acl: observed ['default'], expected [] (run again)",
        "redis: would update file /etc/redis/users.acl",
    ]


def test_ordinary_modules_are_judged_by_changed_and_failed():
    results = [
        {"changed": False},
        {"changed": True, "msg": "would install nftables"},
        {"changed": True, "diff": {"prepared": "\nThe following NEW packages will be installed:\n  nftables\n"}},
        {"changed": True, "diff": [{"before": "", "after": "hold"}]},
        {"changed": False, "failed": True, "msg": "no such\nhost"},
        {"changed": False, "unreachable": True, "msg": "timed out"},
    ]
    assert findings(results)[0] == [
        "task 2: would change: would install nftables",
        "task 3: would change: The following NEW packages will be installed:",
        "task 4: would change: hold",
        "task 5: no such host",
        "task 6: timed out",
    ]


def test_skipped_results_are_not_judged_and_loops_are_taken_apart():
    loop = {
        "changed": True,
        "results": [{"changed": True, "msg": "one"}, {"changed": True, "skipped": True}, {"changed": False}],
    }
    assert findings({"gone": {"skipped": True, "changed": True}, "absent": {}, "loop": loop})[0] == [
        "loop: would change: one"
    ]


def test_long_values_are_cut():
    line = findings([{"changed": False, "controls": [{**BAD, "observed": "x" * 5000}]}])[0][0]
    assert len(line) < 400
