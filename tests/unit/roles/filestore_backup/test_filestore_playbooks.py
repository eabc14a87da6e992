# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a keeper, a drill or an application host was, nothing is left to act with; what playbooks refuse and skip."""

from __future__ import annotations

from pathlib import Path

import jinja2.nativetypes
import pytest
import yaml

ROOT = Path(__file__).parents[4]


def read(path):
    return yaml.safe_load((ROOT / path).read_text())


def filled(text, known):
    """A template as Ansible fills it in."""
    engine = jinja2.nativetypes.NativeEnvironment(undefined=jinja2.StrictUndefined)
    engine.filters["bool"] = bool
    return engine.from_string(text).render(known)


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
    _plan, keepers, others, adders = read("playbooks/filestore.yml")
    assert (keepers["hosts"], others["hosts"], adders["hosts"]) == ("all", "all", "app")
    assert "any_errors_fatal" not in others
    wanted = [task["when"] for play in (keepers, others, adders) for task in play["tasks"]]
    for slice_ in ("filestore_gate", "restore_drill", "filestore"):
        asked = f"estate.hosts[inventory_hostname].{slice_}"
        assert {f"{asked} is none", f"{asked} is not none"} <= set(wanted)


def test_any_host_may_have_been_the_keeper_of_the_database():
    (play,) = [play for play in read("playbooks/backups.yml") if play["name"] == "No other keeper"]
    assert play["hosts"] == "all:!backup_keeper"


@pytest.mark.parametrize(
    ("asked", "points", "restorable"), [(False, None, True), (True, [], False), (True, [{"name": "first"}], True)]
)
def test_only_who_accepts_a_loss_goes_on_without_a_point(asked, points, restorable):
    """Nobody who wants files back is told that all is well."""
    play = read("playbooks/restore_files.yml")[-1]
    told = next(task for task in play["tasks"] if task["name"] == "Say that all files are lost")
    assert told["when"] == "not restorable"
    assert "lost" in told["ansible.builtin.debug"]["msg"]
    known = {"accept_lost": asked} | ({"filestore_backup_found": {"points": points}} if points is not None else {})
    assert filled(play["vars"]["restorable"], known) is restorable


@pytest.mark.parametrize(
    ("known", "first"),
    [({}, True), ({"first_point": False}, False), ({"__filestore_backup_repository_set": {"points": [1]}}, False)],
)
def test_a_first_point_is_taken_where_there_is_something_to_take(known, first):
    task = read("playbooks/filestore.yml")[-1]["tasks"][-1]
    known = {"__filestore_backup_repository_set": {"points": []}, **known}
    assert filled(task["vars"]["filestore_backup_first"], known) is first


def test_in_a_disaster_no_point_comes_before_the_files():
    (where,) = [one for one in read("playbooks/disaster.yml") if one.get("name") == "Where recovery points are"]
    assert where["vars"] == {"first_point": False}


@pytest.mark.parametrize("playbook", ["points", "point", "restore_files"])
def test_an_estate_without_backups_is_refused_in_words(playbook):
    refusal = read(f"playbooks/{playbook}.yml")[-1]["tasks"][0]["ansible.builtin.assert"]
    that = refusal["that"] if isinstance(refusal["that"], list) else [refusal["that"]]
    assert that[0] == "estate.hosts[inventory_hostname].filestore is not none"
    known = {"estate": {"hosts": {"app1": {"filestore": None}}}, "inventory_hostname": "app1"}
    assert "has no backups (estate_spec.backup)" in str(filled(refusal["fail_msg"], known))


@pytest.mark.parametrize(("said", "asked"), [({}, ""), ({"point": "latest"}, "latest"), ({"point": "first"}, "first")])
def test_a_points_record_is_read_where_one_was_named_the_newest_too(said, asked):
    (play,) = [play for play in read("playbooks/points.yml") if "tasks" in play]
    (named,) = [task["vars"] for task in play["tasks"] if task["name"] == "Read the repository"]
    point = filled(named["filestore_backup_point"], said)
    (task,) = read("roles/filestore_backup/tasks/points.yml")
    name = task["retailerp.estate.filestore_backup_info"]["name"]
    assert filled(name, {"filestore_backup_point": point, "omit": ""}) == asked


def test_no_point_at_all_is_no_error_of_the_question_whether_there_is_one():
    (play,) = [play for play in read("playbooks/restore_files.yml") if "tasks" in play]
    (task,) = [task for task in play["tasks"] if task["name"] == "See whether there is any point"]
    assert task["vars"] == {"filestore_backup_point": ""}
