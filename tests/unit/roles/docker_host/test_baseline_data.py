# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controls as they are shipped: complete, of one form, and of one mind where several share a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import ansible_collections.retailerp.estate.plugins.module_utils.result as anchor
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_accounts import PROPERTIES
from ansible_collections.retailerp.estate.plugins.module_utils.host.baseline_kinds import KINDS
from ansible_collections.retailerp.estate.plugins.plugin_utils import specification

ROOT = Path(anchor.__file__).parents[2]
FILES = sorted((ROOT / "roles/docker_host/files/baseline").glob("*.yml"))
CONTROLS = [control for path in FILES for control in yaml.safe_load(path.read_text(encoding="utf-8"))]
COMMON = {"id", "title", "level", "references", "why", "kind", "engine", "run", "facility"}
OPTIONAL = {
    "sysctl": {"or"},
    "line": {"section", "mode", "check"},
    "text": {"mode"},
    "setting": {"separator"},
    "path": {"owner", "group", "make"},
    "package": {"or"},
    "unit": {"or"},
    "account": {"except"},
}
REFERENCES = {
    "cis_debian12": r"\d+(\.\d+){2,4}",
    "cis_debian13": r"\d+(\.\d+){2,4}",
    "cis_docker": r"[123](\.\d+){1,2}",
    "anssi_bp028": r"R\d{1,2}",
}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control["id"])
def test_a_control_says_what_it_is_and_why(control):
    kind = KINDS[control["kind"]]
    assert set(control) <= COMMON | set(kind.needed) | OPTIONAL.get(control["kind"], set())
    assert set(kind.needed) <= set(control)
    assert re.fullmatch(r"[a-z]+\.[a-z0-9_]+", control["id"])
    assert control["level"] in (1, 2)
    assert re.fullmatch(r"[^.]+[^.]", control["title"].replace(".", "", 3)), "a title has no full stop"
    assert control["why"].endswith(".")
    for name, ids in control.get("references", {}).items():
        assert all(re.fullmatch(REFERENCES[name], id) for id in ids), (name, ids)
    if control["kind"] == "account":
        assert control["property"] in PROPERTIES


def test_every_id_is_its_own_and_in_the_file_of_its_area():
    ids = [control["id"] for control in CONTROLS]
    assert len(ids) == len(set(ids))
    assert specification.controls() == frozenset(ids)
    for path in FILES:
        areas = {control["id"].split(".")[0] for control in yaml.safe_load(path.read_text(encoding="utf-8"))}
        assert areas == {path.stem.split("_")[0]}


def test_lines_of_one_file_agree_on_how_it_is_written():
    said: dict[str, set] = {}
    for control in CONTROLS:
        if control["kind"] == "line":
            said.setdefault(control["path"], set()).add(
                str([control.get(key) for key in ("mode", "check", "run", "facility")])
            )
    assert not [path for path, ways in said.items() if len(ways) > 1]


def test_the_baseline_writes_no_file_of_a_configuration_set():
    """SSH, the firewall and the engine's configuration go back by themselves; two writers would fight."""
    tasks = (ROOT / "roles/docker_host/tasks/main.yml").read_text(encoding="utf-8")
    variables = (ROOT / "roles/docker_host/vars/main.yml").read_text(encoding="utf-8")
    theirs = set(re.findall(r"/etc/[\w./-]+", tasks + variables)) | {"/etc/docker/daemon.json"}
    ours = {control["path"] for control in CONTROLS if control["kind"] in ("line", "text", "setting")}
    assert not ours & theirs
