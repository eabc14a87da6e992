# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filestore gets back what its database names, and nothing else is touched."""

from __future__ import annotations

import fnmatch
import hashlib
import os

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan, restore
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

TEXTS = ("one", "two", "three")
SUMS = {text: hashlib.sha1(text.encode()).hexdigest() for text in TEXTS}
NAMES = {text: f"{SUMS[text][:2]}/{SUMS[text]}" for text in TEXTS}
ROWS = plan.attachments([(NAMES[text], SUMS[text]) for text in TEXTS])
POINT = plan.Point("p", 0.0, "r1", "f1", "/srv/shop", "label", "0/1", "0" * 24)
ME = (os.getuid(), os.getgid())


class Repository:
    """Holds the files of TEXTS, but for those left out."""

    def __init__(self, without=()):
        self.texts = [text for text in TEXTS if text not in without]
        self.asked, self.times, self.beside = None, 0, []

    def snapshots(self):
        tags = plan.record_tags(
            "p", "f1", {"label": "l", "lsn": "0/1", "wal": "0" * 24}, {"attachments": 3, "missing": 0, "bytes": 1}
        )
        files = plan.Snapshot("f1", 0, (plan.FILES, "name=p"), ("/srv/shop",))
        return [files, plan.Snapshot("r1", 1, tuple(tags))]

    def names(self, id, below):
        return {NAMES[text] for text in self.texts}

    def restore(self, id, target, names, timeout_s):
        self.asked, self.times = names, self.times + 1
        self.beside.append(sorted(os.listdir(target)))
        for text in self.texts:
            if names and not any(fnmatch.fnmatch(f"/srv/shop/{NAMES[text]}", f"{name}*") for name in names):
                continue
            path = f"{target}/srv/shop/{NAMES[text]}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


def lay(directory, text, content=None):
    path = directory / NAMES[text]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if content is None else content)
    return path


def test_what_is_whole_is_not_looked_for(tmp_path):
    for text in TEXTS:
        lay(tmp_path, text)
    found = restore.read(Repository(), "latest", str(tmp_path), ROWS)
    assert restore.plan_of(found, str(tmp_path)) == []
    assert restore.controls(found)[0].state == "pass"


def test_missing_and_broken_files_come_back_and_others_stay(tmp_path):
    directory = tmp_path / "shop"
    kept, other = lay(directory, "one"), directory / "checklist/xx/yy"
    other.parent.mkdir(parents=True)
    other.touch()
    lay(directory, "two", "broken")
    before = kept.stat().st_ino
    repository = Repository()
    found = restore.read(repository, "p", str(directory), ROWS)
    (change,) = restore.plan_of(found, str(directory))
    assert change.before == {"missing": 1, "another content": 1}
    restore.carry_out(repository, change.data, str(directory), ME, 10)
    assert sorted(repository.asked) == sorted(f"/srv/shop/{NAMES[text]}" for text in ("two", "three"))
    assert kept.stat().st_ino == before
    assert other.exists()
    assert restore.plan_of(restore.read(repository, "p", str(directory), ROWS), str(directory)) == []
    assert not (tmp_path / "shop.restoring").exists()


def test_what_the_point_has_not_is_told_and_is_no_change(tmp_path):
    for text in ("one", "two"):
        lay(tmp_path, text)
    found = restore.read(Repository(without=["three"]), "p", str(tmp_path), ROWS)
    assert restore.plan_of(found, str(tmp_path)) == []
    (control,) = restore.controls(found)
    assert control.state == "fail"
    assert control.observed["first"] == [f"{NAMES['three']} (missing)"]


def test_many_files_into_an_empty_filestore_are_fetched_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(restore, "BY_NAME", 2)
    repository = Repository()
    found = restore.read(repository, "p", str(tmp_path / "shop"), ROWS)
    restore.carry_out(repository, found, str(tmp_path / "shop"), ME, 10)
    assert repository.asked is None
    assert sorted(path.read_text() for path in (tmp_path / "shop").glob("*/*")) == sorted(TEXTS)


def test_many_files_beside_others_are_fetched_in_parts_that_fit_beside_them(tmp_path, monkeypatch):
    """The disk may have no room for the whole filestore a second time."""
    monkeypatch.setattr(restore, "BY_NAME", 1)
    directory = tmp_path / "shop"
    lay(directory, "one")
    repository = Repository()
    restore.carry_out(repository, restore.read(repository, "p", str(directory), ROWS), str(directory), ME, 10)
    assert repository.asked == [f"/srv/shop/{max(NAMES['two'], NAMES['three'])[0]}*"]
    assert repository.beside == [[], []], "what was asked for before is gone by then"
    assert sorted(path.read_text() for path in directory.glob("*/*")) == sorted(TEXTS)
    assert not (tmp_path / "shop.restoring").exists()


def test_a_snapshot_that_gives_less_than_it_listed_is_an_error(tmp_path):
    repository = Repository()
    found = restore.Found(POINT, ROWS, {NAMES["one"]: "missing"}, frozenset({NAMES["one"]}))
    repository.texts = []
    with pytest.raises(EstateError, match="did not give"):
        restore.carry_out(repository, found, str(tmp_path / "shop"), ME, 10)


def test_what_lies_above_a_filestore_is_its_owners_whatever_the_umask(tmp_path, monkeypatch):
    """A timer's umask is strict, and who reads is another user."""
    owned = []
    monkeypatch.setattr(os, "chown", lambda path, *owner: owned.append(str(path)))
    before = os.umask(0o077)
    try:
        directory = str(tmp_path / "data/filestore/shop")
        found = restore.read(Repository(), "latest", directory, ROWS)
        restore.carry_out(Repository(), found, directory, ME, 60)
    finally:
        os.umask(before)
    for path in (tmp_path / "data", tmp_path / "data/filestore", tmp_path / "data/filestore/shop"):
        assert str(path) in owned
        assert path.stat().st_mode & 0o777 == 0o755
