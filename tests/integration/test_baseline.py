# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseline on real hosts: every control is broken by its kind, named by the audit, repaired, and then stable.

Broken an area at a time: the audit names exactly what was broken, and each control is judged by itself.
They need an estate that writes estate_spec.baseline and was onboarded with it. They bring it to no other, as the drills
after them would then run on hosts that nobody asked for. There, one test looks that nothing of it arrived.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "roles/docker_host/files/baseline").glob("*.yml"))
CONTROLS = [control for path in FILES for control in yaml.safe_load(path.read_text(encoding="utf-8"))]
BREAK = (Path(__file__).parent / "baseline_break.py").read_text(encoding="utf-8")
# Written by another configuration set of the role, which repairs them.
TOLD = ("sshd", "daemon")
# An audit names them, and leaves it to people whose the account is.
LEFT_ALONE = {
    *("only_root_is_root", "root_group_is_roots", "one_group_zero", "groups_exist", "shadow_group_is_empty"),
    *("unique_numbers", "unique_names", "unique_group_numbers", "unique_group_names", "password_changed_in_the_past"),
}
# The first line of every file that the baseline has to itself.
HEADER = "# Baseline of the estate: retailerp.estate puts this file back."
# Kinds of which nothing is left to break where the host cannot do them.
ALIVE_ONLY = ("sysctl", "mount", "path", "package", "unit")


class Round:
    """One area on one host: broken, audited, repaired."""

    def __init__(self, lab, plan: dict, area: str, host: str, engine: bool) -> None:
        self._lab, self._plan, self._host, self._engine = lab, plan, host, engine
        self.container = lab.ssh(host, "test -e /run/systemd/container && echo yes", check=False).strip() == "yes"
        self.before = self.judge("host_baseline_info")[0]
        self.controls = [one for one in CONTROLS if area_of(one) == area and one["id"] in self.before]
        self.broken = [one for one in self.controls if self._can_be_broken(one)]
        try:
            self._on_host("break", self.broken)
            self.named = self.judge("host_baseline_info")[0]
            if {one["kind"] for one in self.broken} & set(TOLD):
                lab.playbook("hosts", "--limit", host)
            self.repaired, self.changed = self.judge("host_baseline")
            self.stable = not self.judge("host_baseline")[1]
        finally:
            self._on_host("clean", self.broken)

    def _can_be_broken(self, control: dict) -> bool:
        if self.container and control["kind"] == "sysctl" and not control["key"].startswith("net."):
            return False
        if control["id"] in {one["id"] for one in self._plan["exemptions"]}:
            return False
        return self.before[control["id"]]["state"] == "pass" or control["kind"] not in ALIVE_ONLY

    def judge(self, module: str) -> tuple[dict[str, dict], bool]:
        """Every control that the estate holds this host to, by its id, and whether anything was changed."""
        path = self._lab.root / ".lab/artefacts/controls.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"baseline_controls": CONTROLS}))
        options = {"controls": "{{ baseline_controls }}", "engine": self._engine, **self._plan}
        result, shown = self._lab.module(self._host, f"retailerp.estate.{module}", options, "-e", f"@{path}")
        assert not result["failed"], shown
        return {one["id"]: one for one in result["controls"]}, result["changed"]

    def _on_host(self, verb: str, controls: list[dict]) -> None:
        self._lab.ssh(self._host, f"python3 -c {shlex.quote(BREAK)} {verb}", stdin=json.dumps(controls))


def area_of(control: dict) -> str:
    return control["id"].split(".")[0]


def host_of(lab, control: dict) -> tuple[str, bool]:
    """Where a control is tried, and whether an engine is there."""
    engine = control.get("engine", True)
    return lab.group("app" if engine else "db")[0], engine


@pytest.fixture(scope="module")
def slices(lab) -> dict[str, dict]:
    """What the plan says of the baseline, by host."""
    if lab.spec().get("baseline") is None:
        pytest.skip("this estate has no baseline: write estate_spec.baseline in its file and onboard it")
    return {name: host["baseline"] for name, host in lab.plan()["hosts"].items()}


@pytest.fixture(scope="module")
def rounds(lab, slices):
    """The round that a control is part of, gone through once."""
    known: dict[tuple, Round] = {}

    def of(control: dict) -> Round:
        area, (host, engine) = area_of(control), host_of(lab, control)
        key = (area, host, engine)
        if key not in known:
            known[key] = Round(lab, slices[host], *key)
        return known[key]

    return of


def test_an_estate_that_does_not_write_it_gets_nothing_of_it(lab):
    if lab.spec().get("baseline") is not None:
        pytest.skip("this estate has a baseline")
    assert {host["baseline"] for host in lab.plan()["hosts"].values()} == {None}
    for host in sorted({lab.group("app")[0], lab.group("db")[0]}):
        assert lab.ssh(host, f"grep -rlF {shlex.quote(HEADER)} /etc || true") == ""
        assert "ok installed" not in lab.ssh(
            host, "dpkg-query -W -f '${Status}' unattended-upgrades 2>/dev/null || true"
        )


def test_every_host_is_at_the_baseline(lab, slices):
    for host in sorted({lab.group("app")[0], lab.group("db")[0]}):
        engine = host in lab.group("app")
        judged = _Looking(lab, slices[host], host, engine).judge("host_baseline_info")[0].values()
        assert [one for one in judged if one["state"] == "fail"] == []
        assert [one["id"] for one in judged if one["state"] == "exempt" and not one["reason"]] == []


class _Looking(Round):
    """A host that is only looked at."""

    def __init__(self, lab, plan: dict, host: str, engine: bool) -> None:
        self._lab, self._plan, self._host, self._engine = lab, plan, host, engine


@pytest.mark.drill
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control["id"])
def test_what_is_broken_is_named_repaired_and_stable(rounds, control):
    it, id = rounds(control), control["id"]
    if id not in it.before:
        pytest.skip("beyond the level that this estate holds")
    assert it.before[id]["state"] != "fail", it.before[id]
    if control not in it.broken:
        assert it.before[id]["state"] == "pass" or it.before[id]["reason"], "what a host cannot do, it says"
        return
    assert it.named[id]["state"] == "fail"
    if control.get("property") in LEFT_ALONE:
        assert it.repaired[id]["state"] == "fail"
        return
    assert it.repaired[id]["state"] == it.before[id]["state"], it.repaired[id]
    assert it.stable


@pytest.mark.drill
@pytest.mark.parametrize("control", {area_of(one): one for one in CONTROLS}.values(), ids=area_of)
def test_the_audit_names_what_was_broken_and_nothing_else(rounds, control):
    it = rounds(control)
    named = {id for id, one in it.named.items() if one["state"] == "fail"}
    assert named == {one["id"] for one in it.broken}
