# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a new retailer's inventory from a few values: everything on one host, ready to be spread out. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem, address

#: What the operator must say → where it ends up in the specification or among the host's variables.
REQUIRED = {
    "id": "estate_spec.id",
    "domain": "estate_spec.domain",
    "address": "hosts.{host}.estate_address",
    "public_address": "hosts.{host}.estate_public_address",
    "memory_mb": "hosts.{host}.estate_memory_mb",
    "cpus": "hosts.{host}.estate_cpus",
    "odoo_series": "estate_spec.odoo.series",
    "odoo_image": "estate_spec.odoo.image",
    "traefik_image": "estate_spec.traefik.image",
    "tenant_id": "estate_spec.entra.tenant_id",
    "client_id": "estate_spec.entra.client_id",
}
#: What the operator may say.
OPTIONAL = {
    "private_network": "estate_spec.private_network",
    "purpose": "estate_spec.environment",
    "users": "estate_spec.odoo.users",
    "email": "estate_spec.acme.email",
    "acme_directory": "estate_spec.acme.directory",
    "authority": "estate_spec.entra.authority",
    "ca_file": "estate_spec.ca_file",
}
_NUMBERS = ("memory_mb", "cpus", "users")
_TIERS = ("edge", "app", "db", "cache")

_HOSTS = """\
---
# One host for everything. To spread the estate out, give each tier a host of its own and db two.
"""
_ESTATE = """\
---
# All an operator decides about this estate; `ansible-doc -t role retailerp.estate.estate` explains each value.
"""


def name_of(values: Mapping[str, Any]) -> Any:
    """The estate's id, if it can name a directory and a host, or None."""
    said = str(values.get("id", ""))
    return said if re.fullmatch(r"[a-z][a-z0-9]*", said) else None


def host_name(values: Mapping[str, Any]) -> str:
    """Inventory name of the first host."""
    return f"{name_of(values) or 'first'}1"


def specification(values: Mapping[str, Any]) -> dict:
    """The estate_spec for these values. One that is missing is missing there, so that the others can be judged."""
    spec: dict = {name: str(values[name]) for name in ("id", "domain") if name in values}
    network = _network_of(values.get("address"))
    if network:
        spec["private_network"] = network
    for name, path in {**REQUIRED, **OPTIONAL}.items():
        if not path.startswith("estate_spec.") or not (name in values or name in REQUIRED):
            continue
        *parents, last = path.split(".")[1:]
        here = spec
        for key in parents:
            here = here.setdefault(key, {})
        if name in values:
            here[last] = _number(values[name]) if name in _NUMBERS else str(values[name])
    if spec.get("environment", "production") == "production":
        # One host is what was asked for: its loss means restoring a backup, and the file says so.
        spec["postgresql"] = {"standby": "optional"}
    return spec


def host_variables(values: Mapping[str, Any]) -> dict:
    """Variables of the host, as far as they were given."""
    found = {}
    for name in ("address", "public_address", "memory_mb", "cpus"):
        if name in values:
            key = "ansible_host" if name == "address" else f"estate_{name}"
            found[key] = _number(values[name]) if name in _NUMBERS else str(values[name])
    return found


def files(values: Mapping[str, Any]) -> dict:
    """Path below the inventory's directory → text."""
    name, groups = host_name(values), {}
    for index, tier in enumerate(_TIERS):
        groups[tier] = {"hosts": {name: host_variables(values) if index == 0 else {}}}
    hosts = {"all": {"children": {**groups, "docker_hosts": {"children": {"edge": {}, "app": {}}}}}}
    return {
        "hosts.yml": _HOSTS + _yaml(hosts),
        "group_vars/all/estate.yml": _ESTATE + _yaml({"estate_spec": specification(values)}),
    }


def refusals(problems: Any, values: Mapping[str, Any]) -> list:
    """The problems, named by the values that the operator gave; what follows from a missing one is left out."""
    silent = {name for name in REQUIRED if name not in values}
    if "private_network" not in values and not _network_of(values.get("address")):
        silent.add("private_network")
    named = [_option_of(problem, values) for problem in sorted(set(problems))]
    return [problem for problem in named if problem.path not in silent]


def _option_of(problem: Problem, values: Mapping[str, Any]) -> Problem:
    for name, path in {**REQUIRED, **OPTIONAL}.items():
        if problem.path == path.format(host=host_name(values)):
            return Problem(name, problem.message)
    return problem


def _number(value: Any) -> Any:
    text = str(value).strip()
    return int(text) if text.isdigit() else text


def _network_of(own: Any) -> Any:
    """The /24 around an address, the usual size of a private network; None when it is no address."""
    one = address(str(own))
    return f"{str(one).rpartition('.')[0]}.0/24" if one else None


def _yaml(value: Any, indent: int = 0) -> str:
    """Nested mappings of plain values as YAML, by hand: no library of the host is needed, and the order stays."""
    lines = ""
    for key, item in value.items():
        pad = " " * indent
        if isinstance(item, dict) and item:
            lines += f"{pad}{key}:\n{_yaml(item, indent + 2)}"
        else:
            lines += f"{pad}{key}: {'{}' if item == {} else json.dumps(item)}\n"
    return lines
