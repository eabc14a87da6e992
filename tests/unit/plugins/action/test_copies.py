# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy that is not named, or does not belong here, is refused on the controller: no host is read or touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.copies import packed, record

PLAYBOOKS = Path(__file__).parents[4] / "playbooks"


@pytest.fixture
def run(lab):
    """A playbook on the lab's inventory, which must be refused; what it says."""

    def run(playbook, *args):
        playbook = str(PLAYBOOKS / f"{playbook}.yml")
        done = lab.run(playbook, "--vault-password-file", "right", "-i", str(lab.inventory), *args)
        assert done.returncode != 0, done.stdout
        assert "UNREACHABLE" not in done.stdout
        assert "Read the member" not in done.stdout
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    return run


def written(directory, **changed):
    """A copy of a shop that has hardly any module."""
    for name in record.PARTS:
        (directory / name).write_text(name)
    said = {
        "version": record.VERSION,
        "estate": "other",
        "point": {"name": "monday", "at": "2026-11-28T01:30:00Z"},
        "made": "2026-11-28T09:12:44Z",
        "odoo": {"image": "registry/odoo@sha256:0", "series": "16.0"},
        "database": {"server_version": "17.6", "extensions": ["pg_trgm", "postgis"], "modules": {"base": "1"}},
        "filestore": {"attachments": 3, "lost": []},
        "parts": {name: packed.told(str(directory / name)) for name in record.PARTS},
    }
    (directory / record.RECORD).write_text(json.dumps({**said, **changed}))
    return directory


def test_a_copy_goes_nowhere_without_a_directory(run, tmp_path):
    assert "name a directory of this controller" in run("copy_out")
    (tmp_path / "full").mkdir()
    held = run("copy_out", "-e", f"into={written(tmp_path / 'full')}")
    assert "holds a copy already" in held
    assert "has no backups" in run("copy_out", "-e", f"into={tmp_path / 'new'}")


def test_a_copy_comes_in_by_name_alone(run, tmp_path):
    assert "add -e confirm=shop" in run("copy_in", "-e", f"from={tmp_path}")
    assert "name the directory that playbook copy_out filled" in run("copy_in", "-e", "confirm=shop")
    assert "copy.json is missing" in run("copy_in", "-e", "confirm=shop", "-e", f"from={tmp_path}")


def test_all_that_is_wrong_with_a_copy_is_told_at_once(run, tmp_path):
    directory = written(tmp_path)
    (directory / record.DUMP).write_text("cut short")
    said = run("copy_in", "-e", "confirm=shop", "-e", f"from={directory}")
    for words in ("database.dump is not what", "Odoo 16.0", "lacks modules", "postgis"):
        assert words in said
