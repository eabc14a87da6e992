# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo` on the lab that is up: it ends with what a newcomer needs, and holds back what is secret.

Nothing is built or changed a second time, so this takes about a minute. LAB_RELEASE must be what the lab was made with.
"""

from __future__ import annotations

import re
import subprocess

import pytest

#: The time in which a demonstration is to stand when its images were built before.
LIMIT_S = 8 * 60
SECONDS = r"^  {} +(\d+) s\b"


@pytest.fixture(scope="module")
def demo(lab):
    """The finished script, run once: its exit code and all it printed."""
    if lab.inventory != lab.root / "inventories" / "lab":
        pytest.skip("the demonstration is of inventories/lab")
    return subprocess.run(
        [lab.root / "molecule/shared/demo.sh"],
        cwd=lab.root,
        env=lab.environment(ANSIBLE_CALLBACKS_ENABLED="retailerp.estate.report"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * LIMIT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def closing(demo):
    """What it says at its end."""
    assert demo.returncode == 0, demo.stdout[-6000:]
    return demo.stdout.partition("=== The estate stands.")[2]


def test_it_names_both_sites_and_they_answer(lab, closing):
    domain = lab.spec()["domain"]
    for site in (f"https://{domain}", f"https://admin.{domain}"):
        assert re.search(rf"{re.escape(site)}(?![\w.])", closing)
        assert lab.get(f"{site}/web/login").status_code == 200


def test_it_says_where_the_password_lies_and_not_what_it_is(lab, demo, closing):
    secrets = lab.secrets()
    assert [name for name, value in secrets.items() if value in demo.stdout] == []
    assert "inventories/lab/group_vars/all/vault.yml" in closing
    command = re.search(r"^ *(\.venv/bin/ansible .*\\\n.*)$", closing, re.M)[1]
    env = {name: value for name, value in lab.environment().items() if name != "ANSIBLE_VAULT_PASSWORD_FILE"}
    shown = subprocess.run(
        ["sh", "-c", command], cwd=lab.root, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert secrets["odoo_administrator"] in shown.stdout


def test_it_says_what_took_how_long_and_it_is_soon_enough(demo, closing):
    phases = {name: float(took) for took, name in re.findall(r"^ +(\d+\.\d) s  (\S.*)$", demo.stdout, re.M)}
    assert phases.get("Verify", 0) > 0, "the phases of onboard are not told"
    parts = ("images and bare hosts", "onboarding", "altogether")
    booting, onboarding, altogether = (int(re.search(SECONDS.format(part), closing, re.M)[1]) for part in parts)
    assert booting + onboarding == altogether
    assert phases["Verify"] <= onboarding
    assert altogether < LIMIT_S
