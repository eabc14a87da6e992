# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as its users get it: built, installed elsewhere, its playbooks run by name from there."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# A user has no configuration and no vault of ours, nor the collections and the loader that ansible-test brings.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHONPATH"))}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """(the artefact, the folder it was installed into)"""
    folder = tmp_path_factory.mktemp("galaxy")
    galaxy = [BIN / "ansible-galaxy", "collection"]
    subprocess.run(
        [*galaxy, "build", ROOT, "--output-path", folder], check=True, capture_output=True, cwd=folder, env=ENVIRONMENT
    )
    (artefact,) = folder.glob("retailerp-estate-*.tar.gz")
    install = [*galaxy, "install", artefact, "--collections-path", folder / "collections", "--offline"]
    subprocess.run(install, check=True, capture_output=True, cwd=folder, env=ENVIRONMENT)
    return artefact, folder / "collections"


def run(installed, folder, *arguments):
    (folder / "ansible.cfg").write_text("")
    env = {**ENVIRONMENT, "ANSIBLE_COLLECTIONS_PATH": str(installed[1]), "ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
    command = [BIN / "ansible-playbook", *arguments]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)


def test_the_artefact_holds_no_secret_and_nothing_of_the_workplace(installed):
    with tarfile.open(installed[0]) as artefact:
        names = artefact.getnames()
    assert "playbooks/onboard.yml" in names
    assert [name for name in names if name.endswith(("vault.yml", "images.yml", ".pyc")) and "tasks" not in name] == []
    assert [name for name in names if name.split("/")[0] in (".venv", ".lab", ".git", ".ci")] == []


@pytest.mark.parametrize("playbook", ["onboard", "verify", "new_retailer"])
def test_playbooks_run_by_name_from_the_installed_copy(installed, playbook, tmp_path):
    done = run(installed, tmp_path, "--syntax-check", "-i", "localhost,", f"retailerp.estate.{playbook}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_installed_copy_refuses_a_bad_estate_before_any_host_is_touched(installed, tmp_path):
    (tmp_path / "hosts.yml").write_text("{edge: {hosts: {nowhere: {ansible_host: 192.0.2.1}}}}\n")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("estate_spec: {id: Shop, colour: red}\n")
    done = run(installed, tmp_path, "-i", tmp_path / "hosts.yml", "retailerp.estate.onboard")
    assert done.returncode != 0
    assert "estate_spec.colour: is not an option" in done.stdout
    assert "estate_spec.id: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
