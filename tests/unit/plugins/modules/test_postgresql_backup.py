# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_backup, postgresql_backup_info and postgresql_restore as Ansible calls them, on hosts made of files."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    backup_client,
    client,
    member,
    restore_client,
    server,
)
from ansible_collections.retailerp.estate.plugins.modules import (
    postgresql_backup,
    postgresql_backup_info,
    postgresql_restore,
)


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    """A host of its own: this machine may have a cluster, and programs."""
    monkeypatch.setattr(server, "LIBRARY", str(tmp_path))
    monkeypatch.setattr(server, "is_active", lambda unit: False)
    monkeypatch.setattr(backup_client, "PROGRAM", str(tmp_path / "pgbackrest"))
    monkeypatch.setattr(restore_client, "NOTE", str(tmp_path / "note.json"))
    monkeypatch.setattr(member, "FENCE", str(tmp_path / "fenced"))
    monkeypatch.setattr(client, "psycopg", None)
    return tmp_path


@pytest.fixture
def call(capsys):
    """Run a module; its result."""

    def run(module, check_mode=True, **options):
        with patch_module_args({**options, "_ansible_check_mode": check_mode}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run


def test_on_a_bare_host_check_mode_foretells_the_stanza(call, tmp_path):
    result = call(postgresql_backup, stanza="shop", repositories=[1, 2], configuration=str(tmp_path))
    assert result["changed"] is True
    assert result["changes"][0]["after"] == "in store 1 and 2"
    assert result["controls"] == []


def test_without_a_primary_no_stanza_is_made(call, tmp_path, monkeypatch):
    monkeypatch.setattr("ansible_collections.retailerp.estate.plugins.module_utils.runner.STATE", str(tmp_path))
    result = call(postgresql_backup, check_mode=False, stanza="shop", configuration=str(tmp_path))
    assert "no primary runs" in result["msg"]


def test_backups_that_are_not_there_are_controls_that_fail(call, tmp_path):
    options = {"member": "ops1", "stanza": "shop", "version": "17", "keeper": True, "configuration": str(tmp_path)}
    result = call(postgresql_backup_info, **options)
    assert result["changed"] is False
    assert [control["id"] for control in result["controls"] if control["state"] == "fail"] == ["backup.1.store"]
    assert {control["id"] for control in result["vitals"] if control["state"] == "fail"} == {
        "backup.1.age",
        "backup.1.full_age",
    }
    assert result["summary"] == ["store 1: missing stanza path", "store 1: no backup"]


def test_the_end_of_credentials_is_judged_by_store(call, tmp_path):
    options = {"member": "ops1", "stanza": "shop", "version": "17", "keeper": True, "configuration": str(tmp_path)}
    result = call(
        postgresql_backup_info, **options, repositories=[1, 2], credential_ends=["", "2020-01-31T00:00:00+00:00"]
    )
    states = {one["id"]: one["state"] for one in result["vitals"] if one["id"].endswith(".credential")}
    assert states == {"backup.1.credential": "exempt", "backup.2.credential": "fail"}
    assert {one["id"] for one in result["controls"]} == {"backup.1.store", "backup.2.store"}, "an end stops no run"


def test_an_end_that_is_none_is_refused(call):
    result = call(postgresql_backup_info, member="db1", stanza="shop", version="17", credential_ends=["soon"])
    assert "soon is no time such as" in result["msg"]


def test_an_unknown_limit_is_refused(call):
    result = call(postgresql_backup_info, member="db1", stanza="shop", version="17", limits={"max_age": 1})
    assert "max_age is none of" in result["msg"]


def test_check_mode_foretells_a_restore_of_a_host_that_lost_everything(call):
    result = call(postgresql_restore, member="db1", stanza="shop", state="restored", version="17")
    assert [change["action"] for change in result["changes"]] == [
        "create",
        "create",
        "update",
        "delete",
        "start",
        "run",
    ]
    assert result["restore"]["through"] is False


def test_what_is_no_target_is_refused_before_anything_is_copied(call):
    result = call(postgresql_restore, member="db1", stanza="shop", state="staged", version="17", to="yesterday")
    assert "neither latest, nor a time" in result["msg"]
