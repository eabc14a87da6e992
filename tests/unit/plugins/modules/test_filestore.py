# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""filestore_backup, filestore_backup_info, filestore_restore, odoo_neutralise and the drills, on stand-ins."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.drill.run import Run
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan, restic, take
from ansible_collections.retailerp.estate.plugins.module_utils.filestore.database import Place
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database, neutral
from ansible_collections.retailerp.estate.plugins.modules import (
    filestore_backup,
    filestore_backup_info,
    filestore_keeper_info,
    filestore_restore,
    odoo_neutralise,
    restore_drill,
    restore_drill_info,
)

TEXT = "content"
SUM = hashlib.sha1(TEXT.encode()).hexdigest()
ROWS = plan.attachments([(f"{SUM[:2]}/{SUM}", SUM)])
WHERE = {
    "hosts": {"db1": "10.0.0.31"},
    "name": "shop",
    "user": "shop_application",
    "password": "canary",
    "ca_file": "/ca.pem",
}


class Repository:
    """A store in memory."""

    def __init__(self, made=True):
        self.made, self.kept, self.texts = made, [], {}

    def there(self):
        return self.made

    def create(self):
        self.made = True

    def gate(self):
        return None

    def snapshots(self):
        return list(self.kept)

    def unlock(self):
        pass

    def backup(self, directory, host, tags, timeout_s):
        self.kept.append(plan.Snapshot(f"files{len(self.kept)}", time.time() - 1, tuple(tags), (directory,)))
        return restic.Taken(self.kept[-1].id, 1, len(TEXT), len(TEXT))

    def keep(self, text, name, host, tags):
        self.kept.append(plan.Snapshot(f"record{len(self.kept)}", time.time(), tuple(tags)))
        self.texts[self.kept[-1].id] = text

    def text(self, id, name):
        return self.texts[id]

    def names(self, id, below):
        return set(ROWS.files)

    def restore(self, id, target, names, timeout_s):
        (files,) = [one for one in self.kept if one.id == id]
        path = f"{target}{files.paths[0]}/{next(iter(ROWS.files))}"
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="utf-8") as file:
            file.write(TEXT)


class Database:
    """One attachment."""

    def __init__(self, options):
        pass

    def attachments(self):
        return ROWS

    @contextlib.contextmanager
    def paused(self, patience_s, longest_s):
        yield self

    def place(self):
        return Place("0/3FC9430", "000000010000000000000003", "2026-11-28 01:01:10+00")

    def about(self):
        return {"server_version": "17.6"}

    def still(self):
        pass


@pytest.fixture
def world(monkeypatch, tmp_path):
    """A store, and a filestore with its one file."""
    store = Repository(made=False)
    monkeypatch.setattr(restic, "Repository", lambda options: store)
    monkeypatch.setattr(restic, "ready", lambda options: True)
    monkeypatch.setattr(database, "IMPORT_ERROR", None)
    monkeypatch.setattr(System, "lock", lambda self, path, wait_s=0: open(os.devnull))  # noqa: SIM115
    monkeypatch.setattr(take, "versions", lambda system: {})
    monkeypatch.setattr(take, "certificates", lambda system, patterns: {})
    for module in (filestore_backup, filestore_restore):
        monkeypatch.setattr(module, "Filestore", Database)
    directory = tmp_path / "shop"
    (directory / SUM[:2]).mkdir(parents=True)
    (directory / SUM[:2] / SUM).write_text(TEXT)
    return store, directory


def run(module, capsys, check=False, **args):
    with patch_module_args({**args, "_ansible_check_mode": check}), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def taken(directory, name="one"):
    return {"name": name, "label": "20261128-005000F", "estate": "shop", "directory": str(directory), "database": WHERE}


def test_a_point_is_taken_once(world, capsys):
    _store, directory = world
    planned = run(filestore_backup, capsys, check=True, **taken(directory))
    assert [change["resource"] for change in planned["changes"]] == ["filestore repository", "recovery point one"]
    first, second = (run(filestore_backup, capsys, **taken(directory)) for _time in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert [point["name"] for point in second["points"]] == ["one"]
    assert "canary" not in json.dumps(first["changes"])


def test_without_a_name_the_repository_is_looked_after(world, capsys):
    store, directory = world
    result = run(filestore_backup, capsys, estate="shop", directory=str(directory))
    assert result["changed"]
    assert store.made
    assert {one["id"]: one["state"] for one in result["controls"]}["filestore.point.age"] == "fail"


def test_a_point_needs_a_label_and_a_database(world, capsys):
    result = run(filestore_backup, capsys, name="one", estate="shop", directory="/srv")
    assert result["failed"]
    assert "label" in result["msg"]


def test_points_are_told_with_a_record(world, capsys):
    _store, directory = world
    run(filestore_backup, capsys, **taken(directory))
    result = run(filestore_backup_info, capsys, name="latest")
    assert result["record"]["database"]["label"] == "20261128-005000F"
    assert run(filestore_backup_info, capsys, name="other")["msg"].startswith("there is no recovery point other")


def test_a_bare_host_has_no_points(world, capsys, monkeypatch):
    monkeypatch.setattr(restic, "ready", lambda options: False)
    assert run(filestore_backup_info, capsys)["points"] == []
    _store, directory = world
    assert run(filestore_backup, capsys, check=True, **taken(directory))["changed"]


def test_a_lost_file_comes_back(world, capsys):
    _store, directory = world
    run(filestore_backup, capsys, **taken(directory))
    path = directory / SUM[:2] / SUM
    path.unlink()
    args = {
        "name": "latest",
        "directory": str(directory),
        "owner": os.getuid(),
        "group": os.getgid(),
        "database": WHERE,
    }
    planned = run(filestore_restore, capsys, check=True, **args)
    assert planned["changed"]
    assert not path.exists()
    first, second = (run(filestore_restore, capsys, **args) for _time in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert path.read_text() == TEXT
    assert first["controls"][0]["state"] == "pass"


def test_a_copy_is_neutralised_once(world, capsys, monkeypatch):
    class Copy:
        found = neutral.Found({"scheduled jobs": 3}, nowhere=False, flag=False, parameters={})

        def __init__(self, options):
            pass

        def look(self):
            return Copy.found

        def stop(self, changes):
            known = neutral.parameters("https://copy.example.com")
            Copy.found = neutral.Found({"scheduled jobs": 0}, nowhere=True, flag=True, parameters=known)

    monkeypatch.setattr(odoo_neutralise, "Copy", Copy)
    original = {"name": "shop", "addresses": ["10.0.0.31"], "url": "https://shop.example.com"}
    args = {"database": {**WHERE, "name": "copy"}, "url": "https://copy.example.com", "original": original}
    assert run(odoo_neutralise, capsys, check=True, **args)["changed"]
    first, second = (run(odoo_neutralise, capsys, **args) for _time in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert "is what the estate serves" in run(odoo_neutralise, capsys, **{**args, "database": WHERE})["msg"]


def test_a_drill_is_planned_and_refuses_a_directory_of_somebody_elses(world, capsys, tmp_path):
    _store, directory = world
    run(filestore_backup, capsys, **taken(directory), parts={"odoo": {"image": "registry/odoo@sha256:" + "0" * 64}})
    args = {"stanza": "shop", "database": "shop", "user": "shop_application", "uid": 101, "addons": "/srv/addons"}
    args |= {"root": str(tmp_path / "root"), "evidence": str(tmp_path / "evidence")}
    assert run(restore_drill, capsys, check=True, **args)["changes"][0]["resource"] == "restore drill of one"
    assert "there is no store 3; name 1" in run(restore_drill, capsys, check=True, **args, store=3)["msg"]
    assert not (tmp_path / "evidence").exists()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/precious").touch()
    result = run(restore_drill, capsys, **args)
    assert "not of a run" in result["msg"]
    assert (tmp_path / "root/precious").exists()
    (kept,) = (tmp_path / "evidence").iterdir()
    assert "not of a run" in json.loads(kept.read_text())["failed"]["beginning"]


def test_the_store_whose_turn_it_is_is_the_one_that_is_read(world, tmp_path):
    for number, store in enumerate((1, 2, 1)):
        (tmp_path / f"2026010{number}t000000z-a.json").write_text(json.dumps({"store": store}))
    said = {"stanza": "shop", "database": "shop", "user": "shop_application", "root": str(tmp_path / "root")}
    drill = Run({**said, "evidence": str(tmp_path), "repositories": [1, 2], "store": None})
    assert drill._params["store"] == drill._beside._options["store"] == 2


@pytest.mark.parametrize("locked", [True, False])
def test_a_drill_that_cannot_begin_leaves_evidence(world, capsys, tmp_path, monkeypatch, locked):
    """No point, or nobody who hands one out: the last drill of that store did not go well."""
    store, _directory = world

    def refuse():
        raise restic.RepositoryLocked("the repository is locked")

    if locked:
        monkeypatch.setattr(store, "snapshots", refuse)
    why = "is locked" if locked else "no recovery point"
    args = {"stanza": "shop", "database": "shop", "user": "shop_application", "uid": 101, "addons": "/srv/addons"}
    args |= {"root": str(tmp_path / "root"), "evidence": str(tmp_path / "evidence")}
    assert why in run(restore_drill, capsys, check=True, **args)["msg"]
    assert not (tmp_path / "evidence").exists()
    assert why in run(restore_drill, capsys, **args)["msg"]
    (kept,) = (tmp_path / "evidence").iterdir()
    found = json.loads(kept.read_text())
    assert why in found["failed"]["point"]
    assert (found["point"], found["rpo_s"]) == (None, None)
    judged = run(restore_drill_info, capsys, evidence=args["evidence"], configuration=str(tmp_path / "none"))
    assert {one["id"]: one["state"] for one in judged["controls"]} == {"drill.age": "pass", "drill.last": "fail"}


def test_the_newest_evidence_is_read_and_a_broken_one_is_told(world, capsys, tmp_path):
    args = {"evidence": str(tmp_path), "configuration": str(tmp_path / "none")}
    assert run(restore_drill_info, capsys, **args)["last"] == {}
    (tmp_path / "20260101t000000z-a.json").write_text("{")
    broken = run(restore_drill_info, capsys, **args)
    assert "is no evidence" in str([one for one in broken["controls"] if one["state"] == "fail"])
    (tmp_path / "20260102t000000z-b.json").write_text(json.dumps({"rto_s": 3.0, "controls": []}))
    result = run(restore_drill_info, capsys, **args)
    assert result["last"]["rto_s"] == 3.0
    assert {one["state"] for one in result["controls"]} == {"pass"}


def test_what_the_keeper_found_is_read_and_a_broken_result_is_told(world, capsys, tmp_path):
    args = {"result": str(tmp_path / "result.json"), "configuration": str(tmp_path / "none"), "stores": 2}
    states = {one["id"]: one["state"] for one in run(filestore_keeper_info, capsys, check=True, **args)["controls"]}
    assert states == {"filestore.keeper.age": "exempt", "filestore.points.stores": "exempt"}
    for text in ("{", "[]", '{"ok": false, "error": "pack 1a7c is damaged"}'):
        (tmp_path / "result.json").write_text(text)
        broken = run(filestore_keeper_info, capsys, **args)
        assert not broken["changed"]
        (failed,) = [one for one in broken["controls"] if one["state"] == "fail"]
        assert failed["id"] == "filestore.keeper.last"
        assert failed["observed"] == broken["last"]["error"]
    (tmp_path / "result.json").write_text(json.dumps({"ok": True, "points": 3}))
    result = run(filestore_keeper_info, capsys, **{**args, "stores": 1})
    assert result["last"]["points"] == 3
    assert {one["state"] for one in result["controls"]} == {"pass"}
    os.utime(tmp_path / "result.json", (time.time() - 27 * 3600,) * 2)
    overdue = run(filestore_keeper_info, capsys, **{**args, "stores": 1})
    assert [one["id"] for one in overdue["controls"] if one["state"] == "fail"] == ["filestore.keeper.age"]
