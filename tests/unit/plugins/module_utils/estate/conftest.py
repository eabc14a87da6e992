# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own specification and hosts as the case that tests bend."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from ansible_collections.retailerp.estate.plugins.module_utils.estate import plan as planning

ROOT = Path(__file__).parents[5]
LAB = ROOT / "inventories" / "lab"
IMAGES = {
    "odoo": "registry.lab.test:5000/odoo@sha256:" + "0d" * 32,
    "traefik": "registry.lab.test:5000/traefik@sha256:" + "7a" * 32,
}
ABSENT = object()


@lru_cache
def _text(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read(path):
    """A YAML file of this repository; parsed once, copied for each test."""
    return copy.deepcopy(_text(path))


def inventory(path):
    """Hosts of a hosts.yml with their variables and groups, as the action plugin hands them to the plan."""
    hosts = {}
    for group, content in read(path)["all"]["children"].items():
        if "hosts" not in content:
            continue
        for name, values in content["hosts"].items():
            hosts.setdefault(name, {"groups": []}).update(values or {})
            hosts[name]["groups"].append(group)
    return hosts


class Case:
    """A specification with hosts and secrets; `set` and `host` bend it, `problems` and `plan` judge it."""

    def __init__(self, spec, hosts):
        self.options = _text(ROOT / "roles/estate/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
        self.spec = copy.deepcopy(spec)
        self.hosts = copy.deepcopy(hosts)
        # What an object store issues may be a signature, which ends.
        names = self.options["estate_secrets"]["options"]
        self.secrets = {name: f"{name}-sig=9f3KxQ7Lw2Zr&se=2036-11-01" for name in names}
        self.secrets["ca_certificate"] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        self.secrets["ca_private_key"] = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"
        self.next_secrets = None
        self.neighbours = {}

    def copy(self):
        """A case of its own with the same values; the schema is shared, nothing changes it."""
        return Case(self.spec, self.hosts)

    def set(self, path, value):
        """Set a value of the specification by its dotted path; ABSENT removes it."""
        *parents, last = path.split(".")
        here = self.spec
        for key in parents:
            here = here.setdefault(key, {})
        if value is ABSENT:
            here.pop(last, None)
        else:
            here[last] = value
        return self

    def host(self, name, **values):
        """Set variables of a host; a new name makes a new host."""
        self.hosts.setdefault(name, {"groups": [], "estate_memory_mb": 4096, "estate_cpus": 2}).update(values)
        return self

    def problems(self, time_zones=("UTC", "Europe/Berlin")):
        more = {"next_secrets": self.next_secrets, "neighbours": self.neighbours, "time_zones": time_zones}
        more["controls"] = ("sudo.log", "sudo.pty")
        return planning.problems(self.spec, self.hosts, self.secrets, self.options, **more)

    def refusals(self):
        """Problems as path → messages."""
        found = {}
        for problem in self.problems():
            found.setdefault(problem.path, []).append(problem.message)
        return found

    def plan(self):
        assert [str(problem) for problem in self.problems()] == []
        return self.draft()

    def draft(self):
        """The plan, whether or not it may be carried out: series are planned before people can sign in to them."""
        return planning.plan(self.spec, self.hosts, self.options, self.secrets)


@pytest.fixture
def lab():
    """The lab, as committed."""
    spec = read(LAB / "group_vars/all/estate.yml")["estate_spec"]
    spec["ca_file"] = "/lab/root.pem"
    for part, image in IMAGES.items():
        spec[part]["image"] = image
    return Case(spec, inventory(LAB / "hosts.yml"))


@pytest.fixture
def solo(lab):
    """The same on one machine of 4 GiB, with the lab's ops host outside."""
    lab.set("id", "solo").set("domain", "solo.lab.test")
    ops = lab.hosts["ops1"]
    lab.hosts = {
        "solo1": {
            "groups": ["edge", "app", "db", "cache"],
            "ansible_host": "10.77.0.61",
            "estate_public_address": "10.77.1.61",
            "estate_memory_mb": 4096,
            "estate_cpus": 2,
        },
        "ops1": ops,
    }
    return lab


@pytest.fixture
def case_of():
    """Any of the inventories in this repository, by the name of its directory."""

    def build(name):
        home = ROOT / "inventories" / name
        return Case(read(home / "group_vars/all/estate.yml")["estate_spec"], inventory(home / "hosts.yml"))

    return build
