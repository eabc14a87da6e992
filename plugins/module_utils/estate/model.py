# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words the plan is written in: problems, hosts, tiers, secrets.

Everything in this package is pure: dictionaries in, dictionaries out, no Ansible, no file, no host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Inventory groups that make up an estate; each must hold a host, except those in OPTIONAL_TIERS.
TIERS = ("edge", "app", "db", "cache", "etcd", "ops")
OPTIONAL_TIERS = ("etcd", "ops")
#: Tiers whose hosts run a container engine.
DOCKER_TIERS = ("edge", "app", "ops")
#: Variables of a host that the plan reads.
HOST_VARS = (
    "estate_address",
    "ansible_host",
    "estate_public_address",
    "estate_memory_mb",
    "estate_cpus",
    "estate_service_ports",
    "postgresql_initial_role",
)

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, order=True)
class Problem:
    """One reason to refuse a spec: where it is (a YAML path) and what to do about it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True)
class Host:
    """One inventory host as far as the plan knows it. Memory in MiB."""

    name: str
    tiers: tuple
    address: str
    public_address: Any = None
    memory_mb: int = 0
    cpus: int = 0
    initial_role: Any = None
    service_ports: tuple = field(default_factory=tuple)

    @property
    def docker(self) -> bool:
        """Whether this host runs a container engine."""
        return any(tier in DOCKER_TIERS for tier in self.tiers)


def network(text: Any) -> Any:
    """An IPv4 network from its text, or None when it is none (host bits set count as none)."""
    try:
        return ipaddress.IPv4Network(text) if isinstance(text, str) else None
    except ValueError:
        return None


def address(text: Any) -> Any:
    """An IPv4 address from its text, or None when it is none."""
    try:
        return ipaddress.IPv4Address(text) if isinstance(text, str) else None
    except ValueError:
        return None


def whole(value: Any) -> Any:
    """A whole number from an int or from digits (INI inventories give text), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return None


def in_tier(hosts: Any, tier: str) -> list:
    """The hosts of one tier, in inventory order."""
    return [host for host in hosts if tier in host.tiers]


def primary_of(hosts: Any) -> Any:
    """The host that starts as PostgreSQL primary: the one that says so, else the first of group `db`."""
    databases = in_tier(hosts, "db")
    said = [host for host in databases if host.initial_role == "primary"]
    free = [host for host in databases if host.initial_role != "standby"]
    return (said or free or databases or [None])[0]


def read_hosts(raw: Mapping[str, Mapping[str, Any]]) -> tuple:
    """Turn host variables into Host objects.

    `raw` maps an inventory name to its groups and HOST_VARS. Returns (hosts, problems); a host with a problem is still
    returned, with what could be read of it, so that later rules can speak too.
    """
    hosts, problems = [], []
    for name, values in raw.items():
        tiers = tuple(tier for tier in TIERS if tier in values.get("groups", ()))
        if not tiers:
            continue
        host, found = _read_host(name, tiers, values)
        hosts.append(host)
        problems.extend(found)
    return hosts, problems


def _read_host(name: str, tiers: tuple, values: Mapping[str, Any]) -> tuple:
    problems = []

    def at(key: str, message: str) -> None:
        problems.append(Problem(f"hosts.{name}.{key}", message))

    own = values.get("estate_address") or values.get("ansible_host")
    if own is None:
        at("estate_address", "is missing; write the host's address in estate_spec.private_network")
    elif address(own) is None:
        at("estate_address", f"{own} is not an IPv4 address")
    public = values.get("estate_public_address")
    if public is not None and address(public) is None:
        at("estate_public_address", f"{public} is not an IPv4 address")
    if public is None and "edge" in tiers:
        at("estate_public_address", "is missing; an edge host needs the address shoppers and staff reach it at")
    sizes = {}
    for key, least, unit in (("estate_memory_mb", 512, "MiB"), ("estate_cpus", 1, "CPU")):
        sizes[key] = whole(values.get(key))
        if values.get(key) is None:
            at(key, f"is missing; budgets are planned from it (whole number of {unit})")
        elif sizes[key] is None:
            at(key, f"{values[key]!r} is not a whole number")
        elif sizes[key] < least:
            at(key, f"{sizes[key]} is too small; at least {least} {unit}")
    role = values.get("postgresql_initial_role")
    if role not in (None, "primary", "standby"):
        at("postgresql_initial_role", f"{role} is neither primary nor standby")
    ports = values.get("estate_service_ports") or []
    if not isinstance(ports, (list, tuple)) or not all(whole(port) and 0 < whole(port) < 65536 for port in ports):
        at("estate_service_ports", "is not a list of TCP ports")
        ports = []
    host = Host(
        name=name,
        tiers=tiers,
        address=str(own) if own else "",
        public_address=str(public) if public else None,
        memory_mb=sizes["estate_memory_mb"] or 0,
        cpus=sizes["estate_cpus"] or 0,
        initial_role=role,
        service_ports=tuple(sorted(whole(port) for port in ports)),
    )
    return host, problems
