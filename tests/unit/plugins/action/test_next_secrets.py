# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next generation of passwords in the vault: made once, kept, adopted in one step, never in plain text."""

from __future__ import annotations

import re
import stat

import pytest
import yaml

RIGHT = ("--vault-password-file", "right")
WRONG = ("--vault-password-file", "wrong")
ROTATED = [f"postgresql_{duty}" for duty in ("application", "reporting", "audit", "replication", "monitor")]


def vault(lab):
    return lab.inventory / "group_vars/all/vault.yml"


def generation(lab, which, *args, **more):
    task = {"path": str(vault(lab)), "id": "shop", "generation": which, **more}
    return lab.play([{"retailerp.estate.estate_secrets": task}], *(args or RIGHT))


def values(lab, name):
    """The secrets of a variable, opened by Ansible itself."""
    task = {"ansible.builtin.copy": {"content": "{{ " + name + " | default({}) | to_json }}", "dest": "opened.json"}}
    done = lab.play([{"ansible.builtin.include_vars": str(vault(lab))}, task], *RIGHT)
    assert done.returncode == 0, done.stdout
    return yaml.safe_load((lab.home / "opened.json").read_text())


def test_a_rotation_from_beginning_to_end(lab):
    before, old = vault(lab).read_text(), values(lab, "estate_secrets")
    made = generation(lab, "next", *RIGHT, "--diff", "-vvv")
    assert "changed=1" in made.stdout, made.stdout
    assert "+next value of postgresql_application: (secret)" in made.stdout
    following = values(lab, "estate_secrets_next")
    assert list(following) == ROTATED
    assert not set(following.values()) & set(old.values())
    assert vault(lab).read_text().startswith(before)
    assert not [value for value in following.values() if value in made.stdout + made.stderr + vault(lab).read_text()]
    assert lab.plan(*RIGHT).returncode == 0
    text = vault(lab).read_text()
    assert "changed=0" in generation(lab, "next").stdout, "a generation that is there is kept"
    assert "changed=0" in generation(lab, "next", names=["postgresql_audit"]).stdout
    assert vault(lab).read_text() == text

    adopted = generation(lab, "adopted", *RIGHT, "--diff", "-vvv")
    assert "changed=1" in adopted.stdout, adopted.stdout
    assert values(lab, "estate_secrets") == {**old, **following}
    assert values(lab, "estate_secrets_next") == {}
    assert "estate_secrets_next" not in vault(lab).read_text()
    assert stat.S_IMODE(vault(lab).stat().st_mode) == 0o600
    assert "changed=0" in generation(lab, "adopted").stdout
    assert lab.plan(*RIGHT).returncode == 0


def test_chosen_names_alone(lab):
    assert "changed=1" in generation(lab, "next", names=["postgresql_monitor"]).stdout
    assert re.findall(r"^  (\w+): !vault", vault(lab).read_text().partition("estate_secrets_next:")[2], re.M) == [
        "postgresql_monitor"
    ]


def test_check_mode_tells_and_writes_nothing(lab):
    before = vault(lab).read_text()
    told = generation(lab, "next", *RIGHT, "--check", "--diff").stdout
    assert "+next value of postgresql_monitor: (secret)" in told
    assert vault(lab).read_text() == before
    generation(lab, "next")
    before = vault(lab).read_text()
    told = generation(lab, "adopted", *RIGHT, "--check", "--diff").stdout
    assert "+new value of postgresql_monitor: (secret)" in told
    assert vault(lab).read_text() == before


@pytest.mark.parametrize(
    ("more", "args", "change", "words"),
    [
        ({}, ("--diff",), str, "no vault password"),
        ({}, WRONG, str, "does not open"),
        ({"names": ["odoo_master"]}, RIGHT, str, "odoo_master is not one of the secrets that are rotated"),
        ({}, RIGHT, lambda text: "", "has no postgresql_application; is this the estate's vault file?"),
        ({}, RIGHT, lambda text: text + "estate_secrets_next:\n  postgresql_audit: plain\n", "is in plain text"),
        ({}, RIGHT, lambda text: text + "estate_secrets_next: [a]\n", "is not a mapping with estate_secrets_next"),
    ],
)
def test_what_is_refused_leaves_the_file_as_it_is(lab, more, args, change, words):
    vault(lab).write_text(change(vault(lab).read_text()))
    before = vault(lab).read_text()
    done = generation(lab, "next", *args, **more)
    assert done.returncode != 0
    assert words in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr
    assert vault(lab).read_text() == before


def test_a_locked_next_generation_is_named_by_its_path(lab):
    generation(lab, "next")
    told = lab.plan(*WRONG).stdout
    assert "estate_secrets_next.postgresql_audit: is locked" in " ".join(told.split())
