# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module owes: a test that runs it, a place in the action group, the attributes every module of ours has."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__")
# The plan itself, the maker of what it reads, and parts of playbooks that began with it.
HEADLESS = ("plan", "new_retailer", "judge", "logins", "generation", "keeper", "open_kit")
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


def sources(*folders: str) -> str:
    """The text of all tests, task files and playbooks below some folders."""
    files = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yml"))
    return "\n".join(path.read_text() for path in files if path.name != Path(__file__).name)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_named_by_a_test(module):
    assert module in sources("tests"), f"no test names {module}"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_documents_check_mode_and_is_in_the_action_group(module):
    text = (ROOT / "plugins/modules" / f"{module}.py").read_text()
    documented = yaml.safe_load(text.split('DOCUMENTATION = r"""')[1].split('"""')[0])
    fragments = documented.get("extends_documentation_fragment", [])
    assert "attributes" in documented or "retailerp.estate.attributes" in fragments
    assert module in yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["estate"]


@pytest.mark.parametrize("playbook", [name for name in PLAYBOOKS if name not in HEADLESS])
def test_every_playbook_begins_with_the_plan(playbook):
    """Or with a playbook that does."""
    while playbook != "plan":
        first = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())[0]
        assert "ansible.builtin.import_playbook" in first, playbook
        playbook = first["ansible.builtin.import_playbook"].removesuffix(".yml")
