# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A point is recorded when everything held, and not when anything did not."""

from __future__ import annotations

import contextlib
import json

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan, restic, take
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Place
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

A, B = "0030b44c24c51cc1dd3326118a07b129680c3287", "b7d0e0ec3a5d9f1b8a6c2a94bfa1b4ab5a4dfe71"
ROWS = plan.attachments([(f"00/{A}", A), (f"b7/{B}", B)])


class Held:
    """A pause, which can be lost."""

    def __init__(self, lost):
        self._lost = lost

    def place(self):
        return Place("0/3FC9430", "000000010000000000000003", "2026-11-28 01:01:10+00")

    def attachments(self):
        return ROWS

    def about(self):
        return {"server_version": "17.6"}

    def still(self):
        if self._lost:
            raise EstateError("the connection is gone")


class Database:
    def __init__(self, said, lost=False):
        self._said, self._lost = said, lost

    @contextlib.contextmanager
    def paused(self, patience_s, longest_s):
        self._said.append("pause")
        yield Held(self._lost)
        self._said.append("resume")


class Store:
    """A repository that keeps what it is given."""

    def __init__(self, said, held=None):
        self._said, self._held = said, ROWS.files if held is None else held
        self.kept = []

    def unlock(self):
        self._said.append("unlock")

    def backup(self, directory, host, tags, timeout_s):
        self._said.append("files")
        return restic.Taken("f1", 2, 100, 100)

    def names(self, id, below):
        return set(self._held)

    def keep(self, text, name, host, tags):
        self._said.append("record")
        self.kept.append((json.loads(text), tags))


@pytest.fixture
def wanted(tmp_path):
    """A point of a filestore with both files."""
    for name in ROWS.files:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x")
    return take.Wanted("one", "20261128-005000F", str(tmp_path), "shop", {"estate_file": "id: shop"})


def test_files_are_taken_while_the_collection_is_held_off_and_the_record_comes_last(wanted):
    said = []
    store = Store(said)
    lost = take.take(wanted, store, Database(said), lambda: {"versions": {"restic": "restic 0.18.0"}})
    assert said == ["unlock", "pause", "files", "record", "resume"], (
        "what a run left that was killed keeps nobody waiting"
    )
    assert not lost.files
    ((record, tags),) = store.kept
    assert record["database"]["lsn"] == "0/3FC9430"
    assert record["estate_file"] == "id: shop"
    assert record["versions"] == {"restic": "restic 0.18.0"}
    assert {"name=one", "files=f1", "label=20261128-005000F", "attachments=2", "missing=0"} < set(tags)


def test_a_file_that_vanished_meanwhile_makes_no_point(wanted):
    said = []
    with pytest.raises(EstateError, match="1 attachments vanished"):
        take.take(wanted, Store(said, held=[f"00/{A}"]), Database(said), dict)
    assert "record" not in said


def test_a_file_that_was_lost_before_is_told_and_keeps_no_point_away(wanted, tmp_path):
    (tmp_path / f"b7/{B}").unlink()
    store = Store([])
    lost = take.take(wanted, store, Database([]), dict)
    assert list(lost.files) == [f"b7/{B}"]
    assert "missing=1" in store.kept[0][1]
    assert store.kept[0][0]["filestore"]["lost"] == [f"b7/{B}"]


def test_a_pause_that_was_lost_makes_no_point(wanted):
    said = []
    with pytest.raises(EstateError, match="the connection is gone"):
        take.take(wanted, Store(said), Database(said, lost=True), dict)
    assert "record" not in said


def test_a_filestore_that_is_not_there_is_refused_before_anything_is_asked(wanted, tmp_path):
    said = []
    gone = take.Wanted("one", "20261128-005000F", str(tmp_path / "gone"), "shop")
    with pytest.raises(EstateError, match="is no directory"):
        take.take(gone, Store(said), Database(said), dict)
    assert said == []


def point(name="one", at=0.0, missing=0):
    return plan.Point(name, at, "record-1", "files-1", "/srv/shop", "label", "0/1", "0" * 24, 2, missing, 100)


def test_what_is_there_is_not_made_again(wanted):
    found = take.Found(True, (point(),))
    assert take.plan_of(wanted, found) == []
    assert take.plan_of(None, found) == []
    disputed = take.Found(True, (point("one.record-1"),))
    assert take.plan_of(wanted, disputed) == []


def test_a_bare_store_gets_a_repository_then_a_point(wanted):
    changes = take.plan_of(wanted, take.Found())
    assert [change.resource for change in changes] == ["filestore repository", "recovery point one"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": None, "label": None}, None),
        ({"name": "20261128t013000z", "label": "20261128-005000F_20261128-010000I"}, None),
        ({"name": "latest", "label": "x"}, "no name of a point"),
        ({"name": "A B", "label": "x"}, "no name of a point"),
        ({"name": "one", "label": "x,y"}, "not the name of a backup"),
    ],
)
def test_names_that_tags_cannot_hold_are_refused(options, words):
    refusal = take.refusal(options)
    assert refusal is None if words is None else words in refusal


def test_an_old_point_and_a_lost_file_fail_controls():
    states = {one.id: one.state for one in take.controls(take.Found(True, (point(missing=2),)), 27 * 3600, 26 * 3600)}
    assert states == {
        "filestore.repository": "pass",
        "filestore.point.age": "fail",
        "filestore.point.missing": "fail",
    }
    assert take.controls(take.Found(True, (point(),)), 3600, 7200)[1].state == "pass"
    assert take.controls(take.Found(), 3600, 7200)[1].observed is None
