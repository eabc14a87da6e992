# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a member may start as primary, by what the others say."""

from __future__ import annotations

import importlib.util
import itertools
import json
from pathlib import Path

import pytest

import ansible_collections.retailerp.estate.plugins.module_utils.result as anchor

SOURCE = Path(anchor.__file__).parents[2] / "roles/postgresql/files/guard.py"
SPEC = importlib.util.spec_from_file_location("postgresql_guard", SOURCE)
guard = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(guard)

OWN = {"system": "42", "timeline": 1}
FOLLOWS = {"system": "42", "timeline": 1, "standby": True}


def verdict(**answers):
    return guard.decide(OWN, answers)[0]


def test_alone_or_with_its_standbys_it_starts():
    assert verdict() == "start"
    assert verdict(db2=FOLLOWS, db3=FOLLOWS) == "start"


@pytest.mark.parametrize(
    "other", [{"standby": False}, {"timeline": 2}, {"system": "43"}, {"standby": False, "timeline": 2}]
)
def test_replaced_it_does_not(other):
    for silent in ({}, {"db3": "no answer"}, {"db3": FOLLOWS}):
        assert verdict(db2={**FOLLOWS, **other}, **silent) == "refuse"


def test_as_long_as_one_is_silent_it_waits():
    assert verdict(db2="connection refused") == "wait"
    assert verdict(db2=FOLLOWS, db3="connection refused") == "wait"


def test_an_older_standby_is_no_reason():
    assert guard.decide({"system": "42", "timeline": 3}, {"db2": FOLLOWS})[0] == "start"


def test_it_never_starts_beside_a_primary_or_a_later_timeline():
    states = [*({"system": "42", "timeline": t, "standby": s} for t in (1, 2, 3) for s in (True, False)), "silent"]
    for timeline, first, second in itertools.product((1, 2, 3), states, states):
        started = guard.decide({"system": "42", "timeline": timeline}, {"db2": first, "db3": second})[0] == "start"
        safe = all(one != "silent" and one["standby"] and one["timeline"] <= timeline for one in (first, second))
        assert started == safe


@pytest.mark.parametrize("marker", ["permit", "nothing"])
def test_a_fence_that_was_set_meanwhile_holds(tmp_path, monkeypatch, marker):
    """systemd looked at the unit's condition before this program ran."""
    monkeypatch.setattr(guard, "own_state", lambda settings: OWN)
    (tmp_path / "permit").touch()
    names = {"data": str(tmp_path), "permit": str(tmp_path / marker), "fence": str(tmp_path / "fence"), "peers": {}}
    file = tmp_path / "guard.json"
    file.write_text(json.dumps(names))
    assert guard.main(str(file)) == 0
    (tmp_path / "fence").touch()
    assert guard.main(str(file)) == 1
