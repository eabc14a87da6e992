# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore beside everything else makes goes with it; what is somebody else's stays."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.drill import beside
from ansible_collections.retailerp.estate.plugins.module_utils.drill.plan import Restored
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import restic
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.plan import Point
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import neutral
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

FOUND = Restored(Point("p", 1000.0, "r1", "f1", "/srv/shop", "label", "0/1", "0" * 24), 4600.0, {})


class Mine(System):
    """Files belong to whoever runs the tests."""

    def write(self, path, content, *owner_and_mode):
        with open(path, "wb") as file:
            file.write(content)

    def run(self, argv, *rest):
        return 0, "", ""


@pytest.fixture
def made(tmp_path, monkeypatch):
    options = {
        "root": str(tmp_path / "root"),
        "database": "shop",
        "user": "shop_application",
        "uid": 0,
        "stanza": "shop",
    }
    monkeypatch.setattr(beside.Server, "size", lambda self, stanza: 4096)
    return beside.Beside(options, ".mark", Mine())


def test_a_directory_is_ours_by_its_mark_alone(made, tmp_path):
    made.refuse_others()
    made.make(FOUND)
    made.refuse_others()
    assert os.stat(made.root).st_mode & 0o777 == 0o711
    os.unlink(f"{made.root}/.mark")
    made.refuse_others()
    (tmp_path / "root/precious").touch()
    with pytest.raises(EstateError, match="may be removed"):
        made.refuse_others()


def test_what_a_run_left_that_was_killed_while_it_cleared_is_still_ours(made, monkeypatch):
    made.make(FOUND)
    os.makedirs(f"{made.root}/data/base")

    def killed(path, ignore_errors):
        raise KeyboardInterrupt(path)

    with monkeypatch.context() as here, pytest.raises(KeyboardInterrupt):
        here.setattr(beside.shutil, "rmtree", killed)
        made.clear()
    made.refuse_others()
    made.clear()
    assert not os.path.exists(made.root)


def test_what_the_keepers_disk_has_no_room_for_is_not_begun(made, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=1, f_frsize=4096))
    drilled = replace(FOUND, failed={})
    with pytest.raises(EstateError, match="nothing was copied"):
        made.make(drilled)
    assert "0.0 GiB free" in drilled.failed["database"]
    assert not os.path.exists(made.root)


def test_a_server_that_was_never_made_is_no_hindrance_to_clearing(made):
    made.make(FOUND)
    os.mkdir(f"{made.root}/data")
    with open(f"{made.root}/data/postmaster.pid", "w", encoding="utf-8"):
        pass
    made.clear()
    assert not os.path.exists(made.root)


def test_restored_files_are_for_their_owner_alone(made, monkeypatch):
    made.make(FOUND)
    made._options |= {"uid": os.getuid(), "longest_s": 60}
    for name in ("make", "await_log", "restore", "start"):
        monkeypatch.setattr(beside.Server, name, lambda self, *args: None)
    for name in ("attachments", "rows", "modules"):
        monkeypatch.setattr(beside.Filestore, name, lambda self: {})
    seen = SimpleNamespace(wanted=SimpleNamespace(files={}), damaged={})
    monkeypatch.setattr(beside.restore, "read", lambda *args: seen)
    monkeypatch.setattr(beside.restore, "carry_out", lambda *args: None)
    made.lay(replace(FOUND, phases={}, failed={}), None)
    assert os.stat(made.files).st_mode & 0o777 == 0o700


def test_a_turn_of_the_keeper_is_waited_for_and_not_for_ever(made, monkeypatch):
    waited, locked = [], [2]
    monkeypatch.setattr(Mine, "pause", lambda self, seconds: waited.append(seconds))

    def work():
        locked[0] -= 1
        if locked[0] >= 0:
            raise restic.RepositoryLocked("the repository is locked")

    made._when_free(work)
    assert len(waited) == 2
    locked[0] = 10_000
    with pytest.raises(restic.RepositoryLocked):
        made._when_free(work)
    assert sum(waited[2:]) == beside.LOCKED_S


def test_a_copy_that_still_acts_is_an_error(made, monkeypatch):
    class Copy:
        def __init__(self, options):
            assert set(options) == {"socket", "port", "name", "user"}

        def look(self):
            return neutral.Found({"webhooks": 2}, True, True, neutral.parameters("https://copy.invalid"))

        def stop(self, changes):
            pass

    monkeypatch.setattr(beside, "Copy", Copy)
    with pytest.raises(EstateError, match="still acts: webhooks"):
        made.neutralise("https://copy.invalid")


def test_a_phase_that_failed_says_why(made):
    with pytest.raises(EstateError), beside.timed(FOUND, "database"):
        raise EstateError("full")
    with beside.timed(FOUND, "filestore"):
        pass
    assert (FOUND.failed, set(FOUND.phases)) == ({"database": "full"}, {"filestore"})
