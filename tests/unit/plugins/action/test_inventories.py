# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks with an inventory that is not what the operator believes: none may end as if the estate were in order."""

from __future__ import annotations

from pathlib import Path

import pytest

PLAYBOOKS = Path(__file__).parents[4] / "playbooks"
RIGHT = ("--vault-password-file", "right")


def run(lab, playbook, *args):
    return lab.run(str(PLAYBOOKS / f"{playbook}.yml"), *RIGHT, *args)


def broken(lab):
    """One line a space too far to the left."""
    hosts = lab.inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("    app:", "   app:"))
    return lab.inventory, "holds no host; Ansible's warnings above say what it could not read"


def empty(lab):
    """The specification is there, and no host."""
    (lab.inventory / "hosts.yml").write_text("all: {}\n")
    return lab.inventory, "holds no host"


def mistyped(lab):
    return lab.inventory.with_name("labb"), "labb does not exist; give the retailer's with -i"


@pytest.mark.parametrize(
    ("spoil", "playbook"),
    [(broken, "verify"), (empty, "verify"), (mistyped, "verify"),
     (broken, "onboard"), (empty, "preflight"), (mistyped, "members")],
)  # fmt: skip
def test_an_inventory_without_hosts_is_refused(lab, spoil, playbook):
    inventory, words = spoil(lab)
    done = run(lab, playbook, "-i", str(inventory))
    assert done.returncode != 0, done.stdout
    assert f"inventory: {inventory}" in done.stdout
    assert words in done.stdout
    for tier in ("edge", "app", "db", "cache"):
        assert f"groups.{tier}: is absent or empty" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("spoil", [broken, mistyped])
def test_an_inventory_without_hosts_is_refused_with_a_limit_too(lab, spoil):
    """A limit takes the controller away; Ansible alone ends with `no hosts matched` and exit code 0."""
    inventory, _words = spoil(lab)
    done = run(lab, "verify", "-i", str(inventory), "--limit", "db")
    assert done.returncode != 0, done.stdout
    assert f"the inventory holds no host to limit the run to: {inventory}" in done.stderr


def test_a_limit_that_matches_nothing_is_refused(lab):
    assert run(lab, "verify", "-i", str(lab.inventory), "--limit", "dbb").returncode != 0


def test_the_controller_plans_only_where_there_is_no_host(lab):
    """With hosts, the plan is worked out for the first of them: what a value refers to is that host's."""
    whole = run(lab, "plan", "-i", str(lab.inventory))
    assert whole.returncode == 0, whole.stdout
    assert "ok: [edge1]" in whole.stdout
    assert "localhost" not in whole.stdout
    part = run(lab, "plan", "-i", str(lab.inventory), "--limit", "db2")
    assert part.returncode == 0, part.stdout
    assert "ok: [db2]" in part.stdout
