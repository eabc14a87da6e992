# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that the keeper's timers start: the type of backup a store gets, and that each store is on its own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).parents[4] / "roles/postgresql_backup/files/backup.py"
spec = importlib.util.spec_from_file_location("postgresql_backup_program", PATH)
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)

NOW = 1_800_000_000
HOUR = 3600


def account(*backups):
    """pgBackRest's account of backups, each (store, type, hours ago) or with damage as a fourth."""
    return [
        {
            "backup": [
                {
                    "database": {"repo-key": store},
                    "type": kind,
                    "timestamp": {"stop": NOW - hours * HOUR},
                    "error": bool(rest),
                }
                for store, kind, hours, *rest in backups
            ]
        }
    ]


@pytest.mark.parametrize(
    ("asked", "backups", "due"),
    [
        ("incr", [], "full"),
        ("diff", [(2, "full", 1)], "full"),
        ("diff", [(1, "full", 24)], "diff"),
        ("diff", [(1, "full", 24, "damaged")], "full"),
        ("diff", [(1, "full", 8 * 24 + 1)], "full"),
        ("incr", [(1, "full", 72), (1, "diff", 4)], "incr"),
        ("incr", [(1, "full", 72), (1, "diff", 30), (1, "incr", 20)], "diff"),
        ("full", [(1, "full", 1)], "full"),
    ],
)
def test_what_failed_before_is_made_up_for(asked, backups, due):
    assert program.due(asked, 1, account(*backups), NOW) == due


@pytest.mark.parametrize(
    ("told", "again", "options"),
    [
        ("pgBackRest 2.55.1", False, ["--repo2-block", "--backup-standby=prefer"]),
        ("pgBackRest 2.55.1", True, ["--repo2-block", "--backup-standby=prefer"]),
        ("pgBackRest 2.46", False, ["--repo2-block", "--backup-standby"]),
        # Debian 12: both options would end each of its backups with an error.
        ("pgBackRest 2.45", False, ["--backup-standby"]),
        ("pgBackRest 2.45", True, []),
        ("", True, []),
    ],
)
def test_a_release_is_given_the_options_it_knows(told, again, options):
    assert program.words(program.version(told), 2, True, again) == options


def test_where_there_is_one_member_no_standby_is_asked_for():
    assert program.words((2, 55), 1, False, False) == ["--repo1-block"]


def test_on_an_old_release_the_primary_is_read_where_no_standby_streams(tmp_path, monkeypatch):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"stanza": "shop", "configuration": "/etc/k", "repositories": [1], "standby": True}))
    tried = []

    def run(command):
        if command[-1] != "backup":
            return 0, {"info": "[]", "version": "pgBackRest 2.45"}[command[-1]]
        tried.append("--backup-standby" in command)
        return (56 if tried[-1] else 0), ""

    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(program.time, "sleep", lambda _seconds: None)
    monkeypatch.setattr("sys.argv", ["postgresql-backup", str(settings), "diff"])
    assert program.main() == 0
    assert tried == [True, False]


def test_a_store_out_of_reach_does_not_keep_the_other_from_its_backup(tmp_path, monkeypatch, capsys):
    settings = tmp_path / "settings.json"
    settings.write_text(
        json.dumps({"stanza": "shop", "configuration": "/etc/k", "repositories": [1, 2], "standby": True})
    )
    made, waited = [], []

    def run(command):
        if command[-1] == "info":
            return 0, "[]"
        if command[-1] == "version":
            return 0, "pgBackRest 2.55.1"
        made.append(next(word for word in command if word.startswith("--repo=")))
        return (56, "") if "--repo=1" in command else (0, "")

    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(program.time, "sleep", waited.append)
    monkeypatch.setattr("sys.argv", ["postgresql-backup", str(settings), "incr"])
    assert program.main() == 1
    assert made == ["--repo=1", "--repo=2", "--repo=1"], "what failed is tried once more"
    assert waited == [program.AGAIN_S]
    said = capsys.readouterr().out
    assert "store 1: failed" in said
    assert "store 2: done" in said
