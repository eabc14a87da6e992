# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store that was another keeper's directory is given to the users of this host; one that is theirs is left alone."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = {
    "postgresql_backup": ("__postgresql_backup_store_owned", "__postgresql_backup_user", "store"),
    "filestore_backup": ("__filestore_backup_store_owned", "__filestore_backup_user", "gate"),
}


@pytest.fixture
def chowned(tmp_path, monkeypatch):
    """What chown was called with; runuser runs what it is given as whoever we are."""
    told, programs = tmp_path / "told", tmp_path / "bin"
    programs.mkdir()
    for name, text in (("runuser", 'shift 3; exec "$@"'), ("chown", f'echo "$@" >>{told}')):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return lambda: told.read_text().splitlines() if told.exists() else []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("ours", [True, False])
def test_a_directory_with_other_numbers_is_given_to_its_user(tmp_path, chowned, role, ours):
    variable, user, entry = ROLES[role]
    place = tmp_path / "store"
    (place / "archive").mkdir(parents=True)
    # Of points the group decides, which has the user's name.
    mine = grp.getgrgid(os.getgid()).gr_name if role == "filestore_backup" else pwd.getpwuid(os.getuid()).pw_name
    name = mine if ours else "daemon"
    text = yaml.safe_load((ROOT / f"roles/{role}/vars/main.yml").read_text())[variable]
    known = {
        user: name,
        "__postgresql_backup_directories": [{"options": {"path": str(place)}}],
        "filestore_backup_gate": {"store": {"directory": str(place)}},
    }
    command = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text).render(known)
    subprocess.run(shlex.split(command), check=True)
    assert chowned() == ([] if ours else [f"-hR {name}:{name} {place}"])
    (task,) = [
        task["retailerp.estate.config_set"]
        for task in yaml.safe_load((ROOT / f"roles/{role}/tasks/{entry}.yml").read_text())
        if variable in str(task.get("retailerp.estate.config_set"))
    ]
    assert variable in task["commands"]
