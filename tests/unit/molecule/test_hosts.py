# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine has room for one lab. Another checkout's, whose keys this one lacks, is not taken for ours, but whole."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FILES = Path(__file__).parents[3] / "molecule/shared/files"
#: An engine that has these containers (name and owner), forgets those it removes, and writes down what it is told.
ENGINE = """#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/told"
case "$1 $2" in
  "ps --all")
    case $* in
      *"{{.Names}} "*) cat "$here/up" ;;
      *"{{.Names}}"*) cut -d' ' -f1 "$here/up" ;;
      *) cut -d' ' -f2 "$here/up" ;;
    esac ;;
  "container inspect") for name; do :; done; grep -q "^$name " "$here/up" ;;
  "rm --force") sed -i "/^$4 /d" "$here/up" ;;
esac
"""


@pytest.fixture
def lab(tmp_path):
    """Runs a script of the lab where these containers are up; what it said and what the engine was told."""
    folder = tmp_path / ".lab"
    for name in ("hosts", "names"):
        (folder / name).mkdir(parents=True)
    engine = tmp_path / "docker"
    engine.write_text(ENGINE)
    engine.chmod(0o755)

    def run(script, up, *words):
        (tmp_path / "up").write_text("".join(f"estate-lab-{name} {owner}\n" for name, owner in up.items()))
        done = subprocess.run(
            [FILES / script, *words],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        )
        return done, (tmp_path / "told").read_text()

    run.folder, run.up = folder, tmp_path / "up"
    return run


def test_its_own_lab_is_brought_up_again(lab):
    done, told = lab("start_network.sh", {"db1": lab.folder}, "image", lab.folder)
    assert done.returncode == 0, done.stderr
    assert "start estate-lab-dns" in told


@pytest.mark.parametrize("owner", ["/elsewhere/.lab", ""])
def test_another_checkouts_lab_is_named_and_left_alone(lab, owner):
    done, told = lab("start_network.sh", {"db1": lab.folder, "db2": owner}, "image", lab.folder)
    assert done.returncode == 1
    assert f"that of {owner or 'an unknown checkout'};" in done.stderr
    assert "make lab-down" in done.stderr
    assert told.count("\n") == 1, "nothing but the question"


def test_another_checkouts_lab_goes_whole(lab):
    up = {"db1": "/elsewhere/.lab", "solo1": "/elsewhere/.lab", "ops1": "/elsewhere/.lab", "dns": "/elsewhere/.lab"}
    done, _told = lab("remove.sh", up, lab.folder, "db1", "db2")
    assert done.returncode == 0, done.stderr
    assert lab.up.read_text() == ""
    assert done.stdout.split("\n")[-2] == "last"


def test_another_scenarios_hosts_of_this_checkout_stay(lab):
    done, _told = lab("remove.sh", dict.fromkeys(("db1", "solo1", "ops1", "dns"), lab.folder), lab.folder, "db1", "db2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "removed db1\nstanding: estate-lab-solo1\n"
