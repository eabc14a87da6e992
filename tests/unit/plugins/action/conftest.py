# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs real playbooks on the controller: what an operator types, and what an operator reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
LAB = ROOT / "inventories" / "lab"
CLIENT_SECRET = "cNrY8Q-7fjkd93lsWq2xTz5uBv"


def collections():
    """The directory that holds ansible_collections/retailerp/estate."""
    known = [*os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":"), *sys.path]
    return next(path for path in known if path and (Path(path) / "ansible_collections/retailerp/estate").exists())


class Controller:
    """A directory with an inventory and vault passwords, and ansible-playbook in it."""

    def __init__(self, home):
        self.home = home
        self.inventory = home / "inventories" / "lab"
        (home / "right").write_text("right password\n")
        (home / "wrong").write_text("wrong password\n")

    def lab(self):
        """A copy of the lab's inventory whose images are known and whose trusted roots exist."""
        shutil.copytree(LAB, self.inventory, ignore=shutil.ignore_patterns("images.yml", "vault.yml"))
        images = {part: f"registry.lab.test:5000/{part}@sha256:{'0d' * 32}" for part in ("odoo", "traefik")}
        (self.inventory / "group_vars/all/images.yml").write_text(json.dumps({"lab_images": images}))
        (self.home / ".lab").mkdir()
        for roots in ("ca.pem", "root.pem"):
            (self.home / ".lab" / roots).write_text("-----BEGIN CERTIFICATE-----\n")
        return self

    def secrets(self):
        """The lab with a vault made by the collection itself."""
        done = self.play(
            [{"retailerp.estate.estate_secrets": {
                "path": str(self.inventory / "group_vars/all/vault.yml"), "id": "shop",
                "given": {"entra_client_secret": CLIENT_SECRET}}}],
            "--vault-password-file", "right",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return self

    def play(self, tasks, *args, hosts="localhost"):
        """Run tasks given as data."""
        play = [{"hosts": hosts, "gather_facts": False, "tasks": tasks}]
        (self.home / "play.json").write_text(json.dumps(play))
        return self.run("play.json", *args)

    def plan(self, *args):
        """Plan the inventory as every playbook of the collection does."""
        return self.run(str(ROOT / "playbooks" / "plan.yml"), "-i", str(self.inventory), *args)

    def run(self, playbook, *args, **environment):
        """ansible-playbook, with nothing of the caller's Ansible settings."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        env.update(ANSIBLE_COLLECTIONS_PATH=collections(), ANSIBLE_NOCOLOR="1", ANSIBLE_HOME=str(self.home / "ansible"))
        env.update(ANSIBLE_CALLBACK_RESULT_FORMAT="yaml", ANSIBLE_LOCALHOST_WARNING="0", **environment)
        beside = Path(sys.executable).with_name("ansible-playbook")
        command = [str(beside) if beside.exists() else shutil.which("ansible-playbook"), playbook, *args]
        return subprocess.run(command, cwd=self.home, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def controller(tmp_path):
    return Controller(tmp_path)


@pytest.fixture(scope="session")
def _ready(tmp_path_factory):
    """Made once: encrypting thirteen values takes a while."""
    return Controller(tmp_path_factory.mktemp("ready")).lab().secrets().home


@pytest.fixture
def lab(_ready, tmp_path):
    """The lab with its vault, a copy for each test."""
    home = tmp_path / "lab"
    shutil.copytree(_ready, home)
    return Controller(home)
