# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a keeper, a drill or an application host was, nothing that they were given is left to act with."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


def tasks(role, name):
    """The tasks of one entry that set or take away files."""
    return [
        task | task["retailerp.estate.config_set"]
        for task in read(f"roles/{role}/tasks/{name}.yml")
        if "retailerp.estate.config_set" in task
    ]


def laid(role, name, variable):
    """Files that an entry lays: path → whether it is a secret."""
    (task,) = [task for task in tasks(role, name) if variable in task.get("vars", {})]
    files = [one for one in task["vars"][variable] if one.get("state") != "directory"]
    return task, {one["path"]: one.get("secret", False) for one in files}


WAYS = [
    ("filestore_backup", "gate", "no_gate", "__filestore_backup_gate_files", "__filestore_backup_gate_absent"),
    ("filestore_backup", "main", "absent", "__filestore_backup_client_files", "__filestore_backup_absent"),
    ("restore_drill", "main", "absent", "__restore_drill_files", "__restore_drill_absent"),
]


@pytest.mark.parametrize(("role", "makes", "takes", "variable", "gone"), WAYS, ids=["gate", "client", "drill"])
def test_what_was_laid_goes_and_what_was_started_stops(role, makes, takes, variable, gone):
    known = read(f"roles/{role}/vars/main.yml")
    spelt = {f"{{{{ {name} }}}}": value for name, value in known.items() if name.endswith("_there")}
    made, files = laid(role, makes, variable)
    (taken,) = tasks(role, takes)
    assert taken["files"] == f"{{{{ {gone} }}}}"
    removed = {spelt.get(one["path"], one["path"]): one.get("secret", False) for one in known[gone]}
    assert {path for path in files if path not in removed} == set()
    assert {path for path, secret in files.items() if secret} <= {path for path, secret in removed.items() if secret}
    assert {unit["name"] for unit in made["units"]} <= {unit["name"] for unit in taken["units"]}
    assert {unit["action"] for unit in taken["units"]} == {"stop"}
    # A set of the same name finishes what a killed run of the other began.
    assert taken["name"] == made["name"]


@pytest.mark.parametrize(
    ("role", "takes", "gone"), [(way[0], way[2], way[4]) for way in WAYS], ids=["gate", "client", "drill"]
)
def test_a_host_without_a_trace_is_looked_at_once_and_the_trace_goes_last(role, takes, gone):
    look, take = read(f"roles/{role}/tasks/{takes}.yml")
    assert take["when"] == f"{look['register']}.stat.exists"
    assert look["ansible.builtin.stat"]["path"] == read(f"roles/{role}/vars/main.yml")[gone][-1]["path"]
    # A host that never had any of it has no secrets of it either: nothing may be asked of the vault.
    assert read(f"roles/{role}/meta/argument_specs.yml")["argument_specs"][takes]["options"] == {}


def test_the_gates_certificate_is_worth_nothing_afterwards():
    removed = {one["path"] for one in read("roles/filestore_backup/vars/main.yml")["__filestore_backup_gate_absent"]}
    assert "{{ __filestore_backup_tls }}/key.pem" in removed


def test_every_host_is_asked_for_the_one_or_the_other():
    _plan, keepers, adders = read("playbooks/filestore.yml")
    assert (keepers["hosts"], adders["hosts"]) == ("all", "app")
    wanted = [task["when"] for play in (keepers, adders) for task in play["tasks"]]
    for slice_ in ("filestore_gate", "restore_drill", "filestore"):
        asked = f"estate.hosts[inventory_hostname].{slice_}"
        assert {f"{asked} is none", f"{asked} is not none"} <= set(wanted)


def test_any_host_may_have_been_the_keeper_of_the_database():
    (play,) = [play for play in read("playbooks/backups.yml") if play["name"] == "No other keeper"]
    assert play["hosts"] == "all:!backup_keeper"
