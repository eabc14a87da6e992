# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that is a set's alone: what else lies in it is told, goes with a run, and comes back with the rest."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.host.options import config_spec
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError, diff_of

STRAYS = ("zz-stray.yml", "deep/er.yml", "link.yml", "folder-link")


def routes(workshop, **options):
    """A set that owns a directory with two files in it."""
    return workshop.spec(
        workshop.file("dynamic", state="directory", mode=0o755, exclusive=True),
        workshop.file("dynamic/routes.yml", "routes\n"),
        workshop.file("dynamic/secrets.yml", "hidden\n", secret=True),
        **options,
    )


def stray(workshop) -> list[str]:
    """Files and links that someone left there; their paths."""
    dynamic = workshop.etc / "dynamic"
    (dynamic / "deep").mkdir(parents=True)
    (workshop.etc / "elsewhere").mkdir()
    (workshop.etc / "elsewhere" / "kept.yml").write_text("kept\n")
    for name in STRAYS[:2]:
        (dynamic / name).write_text("password hunter2-secret\n")
    os.symlink(workshop.etc / "elsewhere" / "kept.yml", dynamic / "link.yml")
    os.symlink(workshop.etc / "elsewhere", dynamic / "folder-link")
    return sorted(str(dynamic / name) for name in STRAYS)


def test_what_is_not_the_sets_is_told_and_goes(workshop):
    workshop.converge(routes(workshop))
    (workshop.etc / "dynamic").rename(workshop.etc / "before")
    paths = stray(workshop)
    for name in ("routes.yml", "secrets.yml"):
        (workshop.etc / "before" / name).rename(workshop.etc / "dynamic" / name)
    capability = workshop.capability(routes(workshop), check_mode=True)
    current = capability.read()
    assert capability.controls(current)[0].observed == paths
    assert "hunter2" not in json.dumps(diff_of(capability.plan(current)))
    told = workshop.converge(routes(workshop))
    assert told == [*(f"delete file {path}" for path in paths), "restart unit app.service"]
    assert sorted(os.listdir(workshop.etc / "dynamic")) == ["deep", "routes.yml", "secrets.yml"]
    assert (workshop.etc / "elsewhere" / "kept.yml").read_text() == "kept\n"
    assert workshop.converge(routes(workshop)) == []


def test_a_run_that_fails_puts_it_back(workshop):
    stray(workshop)
    before = workshop.host.tree()
    with pytest.raises(EstateError, match="The old configuration is back"):
        workshop.converge(routes(workshop, checks=[["false"]]))
    assert workshop.host.tree() == before


def test_killed_before_any_step_the_next_run_reaches_the_same_state(new_workshop):
    def steps(workshop) -> int:
        stray(workshop)
        before = workshop.host.steps
        workshop.converge(routes(workshop))
        return workshop.host.steps - before

    for fuse in range(steps(new_workshop("count"))):
        workshop = new_workshop(fuse)
        stray(workshop)
        workshop.host.fuse = workshop.host.steps + fuse
        with pytest.raises(workshop.Killed):
            workshop.converge(routes(workshop))
        workshop.host.fuse = None
        workshop.converge(routes(workshop))
        assert sorted(os.listdir(workshop.etc / "dynamic")) == ["deep", "routes.yml", "secrets.yml"], f"step {fuse}"
        assert not os.path.exists(workshop.journal().path)
        assert workshop.converge(routes(workshop)) == []


def test_it_is_for_directories():
    file = {"path": "/etc/x", "state": "file", "content": "x", "owner": "root", "group": "root", "exclusive": True}
    params = {"name": "app", "files": [{**file, "secret": False}], "units": [], "commands": [], "validate": []}
    with pytest.raises(EstateError, match="/etc/x: exclusive is for a directory"):
        config_spec({**params, "probe": None, "rollback_after_s": None}, None)
