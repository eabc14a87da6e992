# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore_copy, restore_copy_info, restore_copy_database, restore_copy_files, odoo_neutralise_info, on stand-ins."""

from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.copies import files, make, packed, place_client, record
from ansible_collections.retailerp.estate.plugins.module_utils.drill import beside
from ansible_collections.retailerp.estate.plugins.module_utils.drill.server import Server
from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan, restic
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo import database, neutral
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.modules import (
    odoo_neutralise_info,
    restore_copy,
    restore_copy_database,
    restore_copy_files,
    restore_copy_info,
)

TEXT = "content"
SUM = hashlib.sha1(TEXT.encode()).hexdigest()
NAME = f"{SUM[:2]}/{SUM}"
ROWS = plan.attachments([(NAME, SUM), ("00/aa", "00")])
POINT = plan.Point("monday", 1000.0, "r1", "f1", "/srv/shop", "label", "0/1", "0" * 24, 2)
RECORDED = {
    "odoo": {"image": "registry/odoo@sha256:" + "0" * 64, "series": "14.0"},
    "database": {"server_version": "17.6", "rows": {"res_users": 7}, "modules": {"base": "14.0.1.3"}},
    "filestore": {"lost": ["00/aa"]},
}
WHERE = {
    "hosts": {"db1": "10.0.0.31"},
    "name": "shop",
    "user": "shop_application",
    "password": "canary",
    "ca_file": "/ca.pem",
}


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No lock of this machine, and a psycopg that need not be there."""
    monkeypatch.setattr(System, "lock", lambda self, path, wait_s=0: open(os.devnull))  # noqa: SIM115
    monkeypatch.setattr(database, "IMPORT_ERROR", None)


@pytest.fixture
def call(capsys):
    """Run a module; its result."""

    def run(module, check=False, **args):
        with patch_module_args({**args, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run


class Copy:
    """A neutral database that notes what is written."""

    def __init__(self, options=None):
        self.steps = []

    def write(self, steps, password):
        self.steps += steps

    def look(self):
        return neutral.Found({}, True, True, neutral.parameters("https://copy.example.com"))


@pytest.fixture
def keeper(monkeypatch, tmp_path):
    """A keeper whose point is restored at once: (options, the copy, what the database holds)."""
    copy, rows = Copy(), {"res_users": 7}

    def lay(self, found, repository):
        os.makedirs(f"{self.filestore}/{SUM[:2]}")
        with open(f"{self.filestore}/{NAME}", "w", encoding="utf-8") as file:
            file.write(TEXT)
        found.phases["filestore"] = 1.0
        found.rows, found.modules, found.attachments, found.damaged = rows, {"base": "14.0.1.3"}, 2, ("00/aa",)

    def dump(self, database, user, timeout_s):
        path = f"{os.path.dirname(self.socket)}/{record.DUMP}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{database} by {user}")
        return path

    monkeypatch.setattr(beside, "chosen", lambda options, repository: (POINT, RECORDED))
    monkeypatch.setattr(beside.Server, "size", lambda self, stanza: 0)
    monkeypatch.setattr(beside.Beside, "lay", lay)
    monkeypatch.setattr(beside.Beside, "neutralise", lambda self, url: copy)
    monkeypatch.setattr(Server, "dump", dump)
    monkeypatch.setattr(Server, "listed", lambda self, path: "2; 3079 16389 EXTENSION - pg_trgm\n")
    monkeypatch.setattr(restic, "Repository", lambda options: None)
    monkeypatch.setattr(System, "write", _write)
    said = {"estate": "shop", "stanza": "shop", "database": "shop", "user": "shop_application", "owner": os.getuid()}
    return {**said, "root": str(tmp_path / "root"), "directory": str(tmp_path / "out")}, copy, rows


def _write(self, path, content, *owner_and_mode):
    """As System.write, by whoever runs the tests."""
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, owner_and_mode[-1])


def test_a_copy_is_made_and_comes_in_where_it_may(call, keeper):
    options, copy, _rows = keeper
    out, root = options["directory"], options["root"]
    assert call(restore_copy, check=True, **options)["changes"][0]["resource"] == "copy of monday"
    assert not os.path.exists(out)
    made = call(restore_copy, **options)
    assert made["changed"]
    assert made["told"]["point"]["name"] == "monday"
    assert {step.name for step in copy.steps} == {"database.uuid", "database.secret"}
    assert sorted(os.listdir(out)) == [".restore-copy", "copy.json", "database.dump", "files.tar"]
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (out, f"{out}/copy.json")] == [0o700, 0o600]
    assert packed.Packed(f"{out}/files.tar").names("", "") == {NAME}
    assert not os.path.exists(root)
    target = {"environment": "test", "series": "14.0", "modules": ["base"], "extensions": ["pg_trgm"]}
    told = call(restore_copy_info, path=out, **target)
    assert told["told"]["id"] == made["told"]["id"]
    refused = call(restore_copy_info, path=out, **{**target, "environment": "production", "series": "15.0"})
    assert refused["failed"]
    assert "production" in refused["msg"]
    assert "15.0" in refused["msg"]


def test_nothing_is_left_where_none_is_wanted(call, keeper):
    options, _copy, _rows = keeper
    call(restore_copy, **options)
    first, second = (call(restore_copy, state="absent", **options) for _time in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert not os.path.exists(options["directory"])


def test_a_point_that_does_not_hold_is_not_handed_out(call, keeper):
    options, _copy, rows = keeper
    rows["res_users"] = 700
    result = call(restore_copy, **options)
    assert "Tables hold as many rows" in result["msg"]
    assert not os.path.exists(options["directory"])
    assert not os.path.exists(options["root"])


def test_what_is_somebody_elses_is_not_removed(call, keeper, tmp_path):
    options, _copy, _rows = keeper
    for place in ("out", "root"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "precious").touch()
        assert "may be removed" in call(restore_copy, **options)["msg"]
        (tmp_path / place / "precious").unlink()
    assert make.OURS.startswith(".")


def test_an_empty_directory_is_no_copy(call, tmp_path):
    result = call(restore_copy_info, path=str(tmp_path), environment="test", series="14.0")
    assert "copy.json is missing" in result["msg"]


def test_a_database_takes_its_place_in_check_mode(call, monkeypatch, tmp_path):
    monkeypatch.setattr(
        place_client.Server, "read", lambda self, wanted: place_client.place.Found(17, {"shop": ""}, False)
    )
    args = {"id": "aaaa", "directory": str(tmp_path), "server_version": "17.6", "version": "17"}
    args |= {"database": {"name": "shop", "owner": "shop_owner"}, "user": "shop_application", "password": "canary"}
    result = call(restore_copy_database, check=True, state="placed", **args)
    assert [change["resource"] for change in result["changes"]] == ["database shop_copy", "database shop"]
    assert result["through"] == {"value": False}
    assert "canary" not in json.dumps(result["changes"])


@pytest.fixture
def shop(monkeypatch, tmp_path):
    """A filestore of another database, the copy's archive, and whether Odoo serves."""
    source, directory, busy = tmp_path / "source", tmp_path / "shop", []
    (source / SUM[:2]).mkdir(parents=True)
    (source / NAME).write_text(TEXT)
    packed.pack(str(source), [NAME], str(tmp_path / "files.tar"))
    for name in ("bb/stray", "checklist/cc/note"):
        (directory / name).parent.mkdir(parents=True)
        (directory / name).touch()

    class Rows:
        def __init__(self, options):
            pass

        def attachments(self):
            return ROWS

        def alone(self):
            if busy:
                raise EstateError("sessions of Odoo are at work")

    monkeypatch.setattr(files, "Rows", Rows)
    args = {"archive": str(tmp_path / "files.tar"), "directory": str(directory), "database": WHERE, "lost": ["00/aa"]}
    return {**args, "owner": os.getuid(), "group": os.getgid()}, directory, busy


def test_a_filestore_holds_the_copys_files_and_no_others(call, shop):
    args, directory, _busy = shop
    planned = call(restore_copy_files, check=True, **args)
    assert [change["action"] for change in planned["changes"]] == ["update", "delete"]
    assert (directory / "bb/stray").exists()
    first, second = (call(restore_copy_files, **args) for _time in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert (directory / NAME).read_text() == TEXT
    assert not (directory / "bb/stray").exists()
    assert (directory / "checklist/cc/note").exists()
    assert second["controls"][0]["state"] == "pass"


def test_nothing_is_exchanged_under_an_odoo_that_serves(call, shop):
    args, directory, busy = shop
    busy.append("web")
    assert "at work" in call(restore_copy_files, **args)["msg"]
    assert (directory / "bb/stray").exists()


def test_any_database_is_judged(call, monkeypatch):
    monkeypatch.setattr(odoo_neutralise_info, "Copy", Copy)
    result = call(odoo_neutralise_info, database=WHERE, url="https://copy.example.com")
    assert {one["state"] for one in result["controls"]} == {"pass"}
    result = call(odoo_neutralise_info, database=WHERE, url="https://other.example.com")
    assert {one["id"] for one in result["controls"] if one["state"] == "fail"} == {"odoo.copy.url"}
