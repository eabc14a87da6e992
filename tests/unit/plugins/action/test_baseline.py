# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline's way from an estate's file to the role's task and to verify. No host is asked: the task only tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import ansible_collections.retailerp.estate.plugins.module_utils.result as anchor
from ansible_collections.retailerp.estate.plugins.plugin_utils import specification

ROOT = Path(anchor.__file__).parents[2]
ROLE = ROOT / "roles/docker_host"
MODULE = "retailerp.estate.host_baseline"
HOSTS = ["app1", "cache1", "db1", "db2", "edge1", "ops1"]


def tasks(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def the_task():
    """The task of the role, which tells what it would call the module with."""
    (task,) = [one for one in tasks(ROLE / "tasks/main.yml") if MODULE in one]
    asked = task.pop(MODULE)
    count = asked["controls"].replace("}}", "| length }}")
    told = f"{{{{ inventory_hostname }}}} holds {count} controls at level {asked['level']}, but {asked['exemptions']}"
    return {**task, "ansible.builtin.debug": {"msg": told}}


def run(lab, section=""):
    """What an estate with this section in its file runs on each host, and what verify says of it."""
    spec = lab.inventory / "group_vars/all/estate.yml"
    spec.write_text(spec.read_text().replace("estate_spec:\n", f"estate_spec:\n{section}"))
    files = [ROLE / "defaults/main.yml", ROLE / "vars/main.yml"]
    known = {"role_path": str(ROLE), **{key: value for path in files for key, value in tasks(path).items()}}
    steps = [
        {"retailerp.estate.estate_plan": {}, "run_once": True},
        {**the_task(), "vars": known},
        {
            "retailerp.estate.verify": {"results": {"baseline": f"{{{{ {the_task()['register']} }}}}"}},
            "register": "judged",
        },
        {"ansible.builtin.debug": {"msg": "{{ judged.msg }}"}},
    ]
    done = lab.play(steps, "-i", str(lab.inventory), "--vault-password-file", "right", hosts="all")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_role_has_one_task_of_it():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "roles").glob("*/tasks/*.yml"))
    assert text.count(MODULE) == 1


def test_an_estate_that_does_not_write_it_runs_nothing_of_it(lab):
    said = run(lab)
    assert sorted(re.findall(r"^skipping: \[(\w+)\]", said, re.M)) == HOSTS
    assert "holds" not in said
    assert sorted(re.findall(r"(\w+): 0 controls hold", said)) == HOSTS


@pytest.mark.parametrize(("section", "level"), [("  baseline: {}\n", 2), ("  baseline: {level: 1}\n", 1)])
def test_an_estate_that_writes_it_runs_it_on_every_host(lab, section, level):
    said = run(lab, section)
    assert "skipping:" not in said
    words = rf"(\w+) holds {len(specification.controls())} controls at level {level}, but \[\]"
    assert sorted(re.findall(words, said)) == HOSTS
