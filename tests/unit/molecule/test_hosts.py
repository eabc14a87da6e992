# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts of another checkout's lab, whose keys this one lacks, are named and left alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "molecule/shared/files/start_host.sh"
#: An engine that has the host already, with the given label, and does whatever else it is told.
ENGINE = '#!/bin/sh\necho "$*" >>"$0.told"\ncase $* in "container inspect"*) echo "{}" ;; esac\n'


@pytest.fixture
def start(tmp_path):
    """Runs the script where the host stands with some label; what it said and what the engine was told."""
    folder = tmp_path / ".lab"
    for name in ("hosts", "names"):
        (folder / name).mkdir(parents=True)
    (folder / "docker_options").touch()
    (folder / "ssh_key.pub").write_text("a key\n")
    engine = tmp_path / "docker"

    def run(owner):
        engine.write_text(ENGINE.format(owner))
        engine.chmod(0o755)
        done = subprocess.run(
            [SCRIPT, folder, "db1", "image", "10.77.0.31", "-"],
            capture_output=True,
            text=True,
            check=False,
            input="10.77.0.31 db1\n",
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        )
        return done, (tmp_path / "docker.told").read_text()

    run.folder = folder
    return run


def test_its_own_host_is_started_again(start):
    done, told = start(start.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "start estate-lab-db1" in told
    assert "create" not in told


@pytest.mark.parametrize(("owner", "said"), [("/elsewhere/.lab", "/elsewhere/.lab"), ("", "another checkout")])
def test_another_checkouts_host_is_not_taken(start, owner, said):
    done, told = start(owner)
    assert done.returncode == 1
    assert f"db1 is up already, in the lab of {said}" in done.stderr
    assert "make lab-down" in done.stderr
    assert "start" not in told
