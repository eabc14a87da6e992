# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make demo` says at its end, its two long parts replaced by quick ones; tests/integration runs it on the lab."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAID = '#!/bin/sh\necho "$0 $*"\n'


@pytest.fixture
def place(tmp_path):
    """A project of the script alone; what it runs says that it ran."""
    for path in ("molecule/shared/lab-up.sh", ".venv/bin/ansible-playbook", ".venv/bin/ansible"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SAID)
        file.chmod(0o755)
    shutil.copy(ROOT / "molecule/shared/demo.sh", tmp_path / "molecule/shared/demo.sh")
    return tmp_path


def demo(place):
    return subprocess.run([place / "molecule/shared/demo.sh"], capture_output=True, text=True, check=False, cwd="/")


def test_it_brings_up_the_lab_onboards_and_says_what_took_how_long(place):
    done = demo(place)
    assert done.returncode == 0, done.stderr
    up, onboard, _empty, closing = done.stdout.split("\n", 3)
    assert "lab-up.sh" in up
    assert "ansible-playbook -i inventories/lab retailerp.estate.onboard" in onboard
    assert closing.startswith("=== The estate stands.")
    assert "https://shop.lab.test " in closing
    assert "https://admin.shop.lab.test " in closing
    first, second, both = map(int, re.findall(r"^  \S.*\S +(\d+) s\b", closing, re.M))
    assert first + second == both


def test_the_command_that_shows_the_password_can_be_copied(place):
    command = re.search(r"^ *(\.venv/bin/ansible .*\\\n.*)$", demo(place).stdout, re.M)[1]
    done = subprocess.run(["sh", "-c", command], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == [
        *("-i", "inventories/lab", "localhost", "-m", "debug", "-a", "var=estate_secrets.odoo_administrator"),
        *("--vault-password-file", ".lab/vault_password"),
    ]


@pytest.mark.parametrize("part", ["molecule/shared/lab-up.sh", ".venv/bin/ansible-playbook"])
def test_a_part_that_fails_ends_it(place, part):
    (place / part).write_text("#!/bin/sh\nexit 3\n")
    done = demo(place)
    assert done.returncode == 3
    assert "The estate stands" not in done.stdout
