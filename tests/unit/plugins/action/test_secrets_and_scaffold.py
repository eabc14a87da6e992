# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""estate_secrets and new_retailer: what they write can be planned, and nothing is written that should not be."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from ansible_collections.retailerp.estate.plugins.plugin_utils import specification
from ansible_collections.retailerp.estate.plugins.plugin_utils.vault import ISSUED

ROOT = Path(__file__).parents[4]
RIGHT = ("--vault-password-file", "right")
WRONG = ("--vault-password-file", "wrong")
SECRET = "dmQ8Q-fGhIjKlMn0pQrStUv"
VALUES = {
    "id": "boutique",
    "domain": "boutique.example.com",
    "address": "10.20.0.11",
    "public_address": "203.0.113.7",
    "memory_mb": "8192",
    "cpus": "4",
    "odoo_series": "14.0",
    "odoo_image": "registry.example.com/odoo@sha256:" + "a" * 64,
    "traefik_image": "registry.example.com/traefik@sha256:" + "b" * 64,
    "tenant_id": "1b9c0f9e-1111-4222-8333-944455556666",
    "client_id": "2b9c0f9e-1111-4222-8333-944455556666",
}


def scaffold(controller, *args, secret=SECRET, **values):
    given = [part for name, value in {**VALUES, **values}.items() if value for part in ("-e", f"{name}={value}")]
    return controller.run(str(ROOT / "playbooks/new_retailer.yml"), *given, *args, ENTRA_CLIENT_SECRET=secret)


def secrets(lab, *args, given=""):
    path = str(lab.inventory / "group_vars/all/vault.yml")
    return lab.play([{"retailerp.estate.estate_secrets": {"path": path, "id": "shop", "given": given or {}}}], *args)


def vault(lab):
    return lab.inventory / "group_vars/all/vault.yml"


def test_a_second_run_keeps_every_secret(lab):
    before = vault(lab).read_text()
    done = secrets(lab, *RIGHT)
    assert "changed=0" in done.stdout
    assert vault(lab).read_text() == before


def test_only_what_is_missing_is_added_and_comments_stay(lab):
    text = vault(lab).read_text()
    cut = re.sub(r"  redis_monitor: !vault \|\n(?:    .*\n)+", "  # a word of the operator\n", text)
    vault(lab).write_text(cut + "another: value\n")
    checked = secrets(lab, *RIGHT, "--check", "--diff")
    assert "+redis_monitor: (secret)" in checked.stdout
    assert vault(lab).read_text() == cut + "another: value\n"
    assert "changed=1" in secrets(lab, *RIGHT).stdout
    after = vault(lab).read_text()
    assert "redis_monitor: !vault |" in after
    assert "# a word of the operator" in after
    assert after.endswith("another: value\n")
    assert all(line in after for line in cut.splitlines())
    assert lab.plan(*RIGHT).returncode == 0


def test_the_vault_is_private_and_holds_no_plain_text(lab):
    assert stat.S_IMODE(vault(lab).stat().st_mode) == 0o600
    values = re.findall(r"^  \w+: (.*)$", vault(lab).read_text(), re.M)
    assert len(values) == len(specification.options()["estate_secrets"]["options"]) - len(ISSUED)
    assert set(values) == {"!vault |"}


@pytest.mark.parametrize(
    ("args", "change", "words"),
    [
        ((), str, "no vault password"),
        (WRONG, str, "does not open ca_certificate"),
        (RIGHT, lambda text: text + "  \n", None),
        (RIGHT, lambda text: text.replace("ca_private_key", "former_key", 1), "holds ca_certificate alone"),
        (RIGHT, lambda text: "$ANSIBLE_VAULT;1.1;AES256\n3132\n", "is encrypted as a whole"),
        (RIGHT, lambda text: text + "  redis_monitor: plain\n", "is in plain text"),
        (RIGHT, lambda text: "- a list\n", "is not a mapping"),
    ],
)
def test_a_vault_file_that_is_not_ours_is_left_alone(lab, args, change, words):
    vault(lab).write_text(change(vault(lab).read_text()))
    before = vault(lab).read_text()
    done = secrets(lab, *args)
    assert vault(lab).read_text() == before
    if words is None:
        assert done.returncode == 0
    else:
        assert done.returncode != 0
        assert words in " ".join(done.stdout.split())
        assert "Traceback" not in done.stdout + done.stderr


def test_the_client_secret_is_issued_elsewhere(controller):
    controller.inventory.mkdir(parents=True)
    done = secrets(controller, *RIGHT)
    assert "entra_client_secret is issued elsewhere and must be given" in " ".join(done.stdout.split())
    assert not list(controller.inventory.rglob("*"))


def test_a_scaffold_can_be_planned_at_once(controller):
    done = scaffold(controller, *RIGHT)
    assert done.returncode == 0, done.stdout
    home = controller.home / "inventories" / "boutique"
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()) == [
        "group_vars/all/estate.yml",
        "group_vars/all/vault.yml",
        "hosts.yml",
    ]
    assert SECRET not in "".join(path.read_text() for path in home.rglob("*") if path.is_file())
    plan = controller.run(str(ROOT / "playbooks/plan.yml"), "-i", str(home), *RIGHT)
    assert plan.returncode == 0, plan.stdout
    again = scaffold(controller, *RIGHT)
    assert "changed=0" in again.stdout, again.stdout


def test_all_missing_values_are_named_at_once(controller):
    done = controller.run(str(ROOT / "playbooks/new_retailer.yml"), ENTRA_CLIENT_SECRET="")
    for name in VALUES:
        assert f"{name}: is missing; add -e {name}=" in done.stdout
    assert "no vault password" in done.stdout
    assert "entra_client_secret: is missing" in done.stdout
    assert not (controller.home / "inventories").exists()


def test_what_is_missing_hides_nothing_else(controller):
    """All at once: what is missing, what is nonsense, and nothing that only follows from the one or the other."""
    nonsense = {name: "?" for name in VALUES if name not in ("cpus", "address")}
    done = scaffold(controller, secret="short", **{**nonsense, "cpus": None, "address": "?"})
    told = re.findall(
        r"^ *([a-z_.]+): .*$", done.stdout.partition("fatal: ")[2].partition("nothing was written")[2], re.M
    )
    assert sorted(told) == sorted([*VALUES, "estate_secrets.entra_client_secret"])
    assert "cpus: is missing; add -e cpus=" in done.stdout
    assert "no vault password" in done.stdout


@pytest.mark.parametrize("place", ["/dev/null/x", "taken"])
def test_a_directory_that_cannot_be_made(controller, place):
    (controller.home / "taken").write_text("a file\n")
    done = scaffold(controller, *RIGHT, directory=place, odoo_series="12.0")
    assert re.search(r"directory: \S+ cannot be made, \S+ is not a directory", done.stdout), done.stdout
    assert "odoo_series: is 12.0; choose" in done.stdout
    assert "Errno" not in done.stdout


def test_what_the_plan_would_refuse_is_not_written(controller):
    done = scaffold(
        controller, *RIGHT, secret="short", odoo_image="odoo:17", odoo_series="17.0", memory_mb="1024", purpose="prod"
    )
    for words in (
        "odoo_image: is tagged, not pinned by digest",
        "odoo_series: 17.0 has no addon for signing in yet",
        "memory_mb: 1024 MiB leave",
        "purpose: is prod; choose production",
        "estate_secrets.entra_client_secret: is weak",
    ):
        assert words in done.stdout
    assert not (controller.home / "inventories").exists()


def test_check_mode_writes_nothing_and_shows_no_secret(controller):
    done = scaffold(controller, *RIGHT, "--check", "--diff", "-vvv")
    assert done.returncode == 0, done.stdout
    assert "odoo_master: (secret)" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert not (controller.home / "inventories").exists()


def test_files_of_the_operator_are_not_overwritten(controller):
    assert scaffold(controller, *RIGHT).returncode == 0
    done = scaffold(controller, *RIGHT, memory_mb="16384")
    assert done.returncode != 0
    assert "hosts.yml: is there and says something else" in " ".join(done.stdout.split())


def test_an_id_that_is_taken(controller):
    assert scaffold(controller, *RIGHT).returncode == 0
    done = scaffold(controller, *RIGHT, id="second")
    assert "domain: boutique.example.com is already the domain of inventories/boutique" in done.stdout
    assert not (controller.home / "inventories/second").exists()
