# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recovery kit alone is an inventory: what is opened plans the same estate, and makes the same kit again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

PLAYBOOK = Path(__file__).parents[4] / "playbooks/open_kit.yml"
SMALL = {"version": 2, "id": "shop", "hosts": ["one"], "secrets": {}, "files": {"hosts.yml": "all: {}\n"}}
RIGHT = ("--vault-password-file", "right")


def made(lab, name, inventory=None):
    """The kit of an inventory as open text, in a file."""
    text = "{{ lookup('retailerp.estate.recovery_kit') }}"
    task = {"ansible.builtin.copy": {"content": text, "dest": str(lab.home / name)}, "delegate_to": "localhost"}
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    done = lab.play([{**task, "vars": local}], "-i", str(inventory or lab.inventory), *RIGHT, hosts="ops1")
    assert done.returncode == 0, done.stdout
    return json.loads((lab.home / name).read_text())


def opened(lab, kit, *args):
    """Open it, with an age that shows a file as it is."""
    age = lab.home / "bin/age"
    age.parent.mkdir(exist_ok=True)
    age.write_text('#!/bin/sh\nexec cat "$4"\n')
    age.chmod(0o755)
    words = [f"kit={lab.home / kit}", "identity=key", f"directory={lab.home / 'new/shop'}"]
    path = f"{age.parent}:{os.environ['PATH']}"
    flags = [flag for word in words for flag in ("-e", word)]
    return lab.run(str(PLAYBOOK), *flags, *RIGHT, *args, PATH=path)


def planned(lab, inventory):
    copy = {"content": "{{ it.ansible_facts.estate | to_json }}", "dest": str(lab.home / "plan")}
    local = {"delegate_to": "localhost", "run_once": True, "vars": {"ansible_connection": "local"}}
    show = [
        {"retailerp.estate.estate_plan": {}, "register": "it", "run_once": True},
        {"ansible.builtin.copy": copy, **local},
    ]
    done = lab.play(show, "-i", str(inventory), *RIGHT, hosts="all")
    assert done.returncode == 0, done.stdout
    return json.loads((lab.home / "plan").read_text())


def test_the_kit_alone_plans_the_same_estate_and_makes_the_same_kit(lab):
    kit, before = made(lab, "kit"), planned(lab, lab.inventory)
    assert made(lab, "again") == kit, "nothing changed"
    assert "failed=0" in opened(lab, "kit", "--check").stdout
    assert not (lab.home / "new").exists()
    done = opened(lab, "kit")
    assert done.returncode == 0, done.stdout
    for value in kit["secrets"].values():
        assert value not in done.stdout + done.stderr
    shutil.rmtree(lab.inventory)
    shutil.rmtree(lab.home / ".lab")
    new = lab.home / "new/shop"
    hosts = yaml.safe_load((new / "hosts.yml").read_text())["all"]["children"]
    fence = hosts["db"]["hosts"]["db2"]["postgresql_fence_command"]
    assert fence == ["docker", "stop", "--time", "0", "estate-lab-db2"]
    assert hosts["edge"]["hosts"]["edge1"]["ansible_user"] == "ansible"
    assert list(hosts["docker_hosts"]["hosts"]) == ["edge1", "app1", "ops1"]
    after = planned(lab, new)
    for plan in (before, after):
        assert plan.pop("ca_file").endswith("ca.pem")
        assert plan.pop("sites_ca_file").endswith(".pem")
    assert after == before
    assert made(lab, "again", new) == kit


def test_a_variable_of_a_host_that_changed_makes_another_kit(lab):
    kit, hosts = made(lab, "kit"), lab.inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("10.77.1.51", "10.77.1.52"))
    assert made(lab, "again")["files"]["hosts.yml"] != kit["files"]["hosts.yml"]


def test_nothing_is_overwritten(lab):
    (lab.home / "kit").write_text(json.dumps(SMALL))
    there = lab.home / "new/shop/hosts.yml"
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    done = opened(lab, "kit")
    assert done.returncode
    assert "hosts.yml: is there" in done.stdout
    assert [path.name for path in there.parent.iterdir()] == ["hosts.yml"]
    assert there.read_text() == "mine"


@pytest.mark.parametrize("wrong", [{"version": 1}, {"files": {"../../.bashrc": "x"}}])
def test_what_the_collection_did_not_write_is_refused(lab, wrong):
    (lab.home / "kit").write_text(json.dumps({**SMALL, **wrong}))
    done = opened(lab, "kit")
    assert done.returncode
    assert "this collection did not write it" in done.stdout
    assert not (lab.home / "new").exists()
