# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""estate_plan as an operator meets it: real playbook runs, real vaults, no host."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.retailerp.estate.plugins.plugin_utils import specification
from ansible_collections.retailerp.estate.plugins.plugin_utils.vault import ISSUED

RIGHT = ("--vault-password-file", "right")
SHOW = [
    {"retailerp.estate.estate_plan": {}, "run_once": True},
    {
        "ansible.builtin.debug": {
            "msg": "{{ inventory_hostname }} is {{ ansible_facts['estate'].hosts[inventory_hostname].tiers }}"
        }
    },
    {"ansible.builtin.debug": {"var": "ansible_facts['estate']"}, "run_once": True},
]


def lines(done, prefix="estate_"):
    """The problems of a failed run, each once."""
    found = re.findall(rf"^ *({prefix}[\w.\[\]]*: .*)$", done.stdout, re.M)
    return sorted(set(found))


def show(lab, *args):
    return lab.play(SHOW, "-i", str(lab.inventory), *args, hosts="all")


def test_no_host_is_asked_and_every_host_knows_the_plan(lab):
    """The lab's hosts need not even exist."""
    done = show(lab, *RIGHT)
    assert done.returncode == 0, done.stdout
    assert "db2 is ['db']" in done.stdout
    assert "unreachable=1" not in done.stdout


def test_limit_does_not_narrow_the_plan(lab):
    done = show(lab, *RIGHT, "--limit", "cache1", "--check")
    assert done.returncode == 0, done.stdout
    assert "cache1 is ['cache']" in done.stdout
    assert "address: 10.77.0.21" in done.stdout  # app1 is planned all the same
    assert "changed=0" in done.stdout


def test_a_relative_ca_file_starts_at_the_inventory(lab):
    spec = lab.inventory / "group_vars/all/estate.yml"
    spec.write_text(spec.read_text().replace('"{{ inventory_dir }}/../../.lab/ca.pem"', "../../.lab/ca.pem"))
    done = show(lab, *RIGHT)
    assert f"ca_file: {lab.home}/.lab/ca.pem" in done.stdout
    (lab.home / ".lab/ca.pem").write_text("nothing")
    assert "estate_spec.ca_file: ../../.lab/ca.pem holds no PEM certificate" in lines(lab.plan(*RIGHT))


def test_the_sites_are_judged_by_roots_of_their_own_else_by_those_of_the_estate(lab):
    assert f"sites_ca_file: {lab.home}/.lab/root.pem" in show(lab, *RIGHT).stdout
    (lab.home / ".lab/root.pem").unlink()
    (refusal,) = lines(lab.plan(*RIGHT))
    assert refusal.startswith("estate_sites_ca_file: ")
    assert refusal.endswith("cannot be read on the controller: No such file or directory")
    (lab.inventory / "group_vars/all/sites.yml").unlink()
    assert f"sites_ca_file: {lab.home}/.lab/ca.pem" in show(lab, *RIGHT).stdout


def test_no_secret_is_shown_at_any_verbosity(lab):
    done = show(lab, *RIGHT, "-vvvv")
    assert done.returncode == 0
    assert "cNrY8Q" not in done.stdout + done.stderr
    assert "BEGIN PRIVATE KEY" not in done.stdout + done.stderr


@pytest.mark.parametrize("password", [(), ("--vault-password-file", "wrong")], ids=["no password", "wrong password"])
def test_a_locked_vault_is_one_problem_among_others(lab, password):
    done = lab.plan(*password, "-e", json.dumps({"estate_cpus": "many"}))
    found = lines(done)
    assert done.returncode != 0
    assert (
        "estate_secrets.odoo_master: is locked; give the vault password that opens it (--vault-password-file)" in found
    )
    made = set(specification.options()["estate_secrets"]["options"]) - set(ISSUED)
    assert len([line for line in found if "is locked" in line]) == len(made)
    assert "hosts.app1.estate_cpus: 'many' is not a whole number" in lines(done, "hosts")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_secret_behind_another_variable_is_locked_too(lab):
    secrets = lab.inventory / "group_vars/all/vault.yml"
    text = secrets.read_text().replace("  odoo_master: !vault", '  odoo_master: "{{ elsewhere }}"\nelsewhere: !vault')
    head, _mark, tail = text.partition("elsewhere: !vault")
    block, rest = re.match(r"( \|\n(?:    [^\n]*\n)+)(.*)", tail, re.S).groups()
    secrets.write_text(head + rest + "elsewhere: !vault" + block)
    assert lab.plan(*RIGHT).returncode == 0
    assert any(line.startswith("estate_secrets.odoo_master: is locked") for line in lines(lab.plan()))


def test_undefined_and_circular_values_are_named(lab):
    (lab.inventory / "group_vars/all/images.yml").unlink()
    spec = lab.inventory / "group_vars/all/estate.yml"
    spec.write_text(spec.read_text() + '  time_zone: "{{ estate_spec.time_zone }}"\n')
    found = lines(lab.plan(*RIGHT))
    assert "estate_spec.odoo.image: cannot be resolved: 'lab_images' is undefined" in found
    assert "estate_spec.time_zone: cannot be resolved: it refers to itself" in found


def test_all_problems_at_once_a_line_each(lab):
    spec = lab.inventory / "group_vars/all/estate.yml"
    text = spec.read_text().replace("domain:", "domian:").replace("14.0", "12.0").replace("id: shop", "id: Shop")
    spec.write_text(text.replace("tenant_id: 1111", "tenant_id: 2"))
    done = lab.plan(*RIGHT)
    assert "5 problems in the specification; no host was touched:" in done.stdout
    assert [line.split(": ")[0] for line in lines(done, "estate_spec")] == [
        "estate_spec.domain",
        "estate_spec.domian",
        "estate_spec.entra.tenant_id",
        "estate_spec.id",
        "estate_spec.odoo.series",
    ]


def test_numbers_are_called_by_plain_names(lab):
    spec = lab.inventory / "group_vars/all/estate.yml"
    spec.write_text(spec.read_text().replace('"14.0"', "14.0").replace("id: shop", "id: 7"))
    assert lines(lab.plan(*RIGHT)) == [
        "estate_spec.id: is 7 (int), not text; quote it",
        "estate_spec.odoo.series: is 14.0 (float), not text; quote it",
    ]


def test_a_key_that_stands_twice(lab):
    """Ansible takes the last one and warns, far above what people read."""
    spec = lab.inventory / "group_vars/all/estate.yml"
    spec.write_text(spec.read_text().replace("  id: shop\n", "  id: store\n  id: shop\n"))
    (found,) = lines(lab.plan(*RIGHT))
    assert found == f"estate_spec.id: stands twice in {spec}, lines 6 and 7"


def test_an_inventory_beside_this_one_holds_the_id(lab):
    other = lab.inventory.parent / "other" / "group_vars" / "all"
    other.mkdir(parents=True)
    (other / "estate.yml").write_text("estate_spec: {id: shop, domain: x.lab.test, odoo: {image: !vault '3'}}\n")
    assert lines(lab.plan(*RIGHT)) == ["estate_spec.id: shop is already the id of inventories/other"]


def test_two_specifications_in_one_inventory(lab):
    (lab.inventory / "host_vars").mkdir()
    (lab.inventory / "host_vars/db2.yml").write_text("estate_spec: {id: second}\n")
    found = lines(lab.plan(*RIGHT))
    assert found == [
        "estate_spec: differs between edge1 and db2; one inventory holds one estate; write it in group_vars/all alone"
    ]


def test_nothing_at_all(lab):
    for name in ("estate.yml", "vault.yml"):
        (lab.inventory / "group_vars/all" / name).unlink()
    found = lines(lab.plan())
    assert "estate_secrets: is missing; retailerp.estate.estate_secrets makes all of them" in found
    assert any(line.startswith("estate_spec: is ") for line in found)


def test_the_role_reports_as_the_action_does(lab):
    task = {"ansible.builtin.import_role": {"name": "retailerp.estate.estate", "rolespec_validate": False}}
    done = lab.play([task], "-i", str(lab.inventory), hosts="all")
    assert "is locked" in done.stdout
    assert "argument_errors" not in done.stdout
