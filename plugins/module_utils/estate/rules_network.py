# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of networks, addresses and ports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate import flows
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem, address, network

#: RFC 1918. Ipaddress calls more networks private: loopback, documentation, benchmarks.
_PRIVATE = tuple(network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
#: Unspecified, loopback, link-local, multicast, reserved: nobody else reaches a host there.
_NOWHERE = tuple(network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))


def of_network(spec: dict, hosts: list) -> list:
    """All problems of networks, addresses and ports."""
    return [*_networks(spec), *_addresses(spec, hosts), *_port_values(spec), *_ports(spec, hosts)]


def _networks(spec: dict) -> Iterator:
    """Each is a network, the private one private, the administrators' not everybody, the containers' apart."""
    found = {}
    if not spec.get("admin_networks", ["derived"]):
        yield Problem("estate_spec.admin_networks", "is empty; name the networks that administrators come from")
    for path, text in _said_networks(spec):
        found[path] = network(text)
        if found[path] is None:
            yield Problem(
                f"estate_spec.{path}",
                f"{text} is not an IPv4 network such as 10.20.0.0/24 (address of the network/bits)",
            )
    private, pool = found.get("private_network"), found.get("docker.address_pool")
    if private is not None and not _is_private(private):
        yield Problem(
            "estate_spec.private_network", f"{private} is not a private network (10/8, 172.16/12 or 192.168/16)"
        )
    if pool is not None and (pool.prefixlen > 22 or not _is_private(pool)):
        yield Problem(
            "estate_spec.docker.address_pool",
            f"{pool} is not a private network (10/8, 172.16/12 or 192.168/16) of /22 or larger",
        )
    for path, one in found.items():
        if path.startswith("admin_networks") and one is not None and one.prefixlen < 8:
            yield Problem(f"estate_spec.{path}", f"{one} is open to everybody; name the administrators' networks")
        if (
            one is not None
            and pool is not None
            and path != "docker.address_pool"
            and one.prefixlen >= 8
            and one.overlaps(pool)
        ):
            yield Problem("estate_spec.docker.address_pool", f"{pool} overlaps {path} {one}; choose another pool")


def _is_private(one: Any) -> bool:
    return any(one.subnet_of(private) for private in _PRIVATE)


def _said_networks(spec: dict) -> Iterator:
    if "private_network" in spec:
        yield "private_network", spec["private_network"]
    admin = spec.get("admin_networks", [])
    if admin != [spec.get("private_network")]:
        for index, text in enumerate(admin):
            yield f"admin_networks[{index}]", text
    if "address_pool" in spec.get("docker", {}):
        yield "docker.address_pool", spec["docker"]["address_pool"]


def _addresses(spec: dict, hosts: list) -> Iterator:
    private, pool = network(spec.get("private_network")), network(spec.get("docker", {}).get("address_pool"))
    owners: dict = {}
    for host in hosts:
        own, public, at = address(host.address), address(host.public_address), f"hosts.{host.name}"
        if public is not None and any(public in nowhere for nowhere in _NOWHERE):
            yield Problem(f"{at}.estate_public_address", f"{public} is not an address at which people reach a host")
        for kind, one in (("estate_address", own), ("estate_public_address", public)):
            if one is None:
                continue
            if one in owners:
                hint = (
                    "; the public and the private side both serve 80 and 443"
                    if owners[one].startswith(f"{at}.")
                    else ""
                )
                yield Problem(f"{at}.{kind}", f"{one} is also {owners[one]}{hint}")
            owners.setdefault(one, f"{at}.{kind}")
            if pool is not None and one in pool:
                yield Problem(
                    f"{at}.{kind}", f"{one} lies in the container networks {pool}; choose another docker.address_pool"
                )
        if own is not None and private is not None:
            if own not in private:
                yield Problem(f"{at}.estate_address", f"{own} is outside estate_spec.private_network {private}")
            elif private.prefixlen < 31 and own in (private.network_address, private.broadcast_address):
                yield Problem(f"{at}.estate_address", f"{own} is the first or last address of {private}, not a host's")


def _configured_ports(spec: dict) -> Iterator:
    if "metrics_port" in spec.get("traefik", {}):
        yield "traefik.metrics_port", spec["traefik"]["metrics_port"]
    for key, port in spec.get("odoo", {}).get("ports", {}).items():
        yield f"odoo.ports.{key}", port
    for part in ("postgresql", "redis"):
        if "port" in spec.get(part, {}):
            yield f"{part}.port", spec[part]["port"]


def _port_values(spec: dict) -> Iterator:
    for path, port in _configured_ports(spec):
        if not 1024 <= port <= 65535:
            yield Problem(f"estate_spec.{path}", f"{port} is not a port between 1024 and 65535")


def _ports(spec: dict, hosts: list) -> Iterator:
    """No two services of a host on one port of one address; Odoo's four are apart even before hosts are known."""
    if set(spec.get("odoo", {}).get("ports", {})) < {"web_a", "bus_a", "web_b", "bus_b"}:
        return
    for part, key in (("traefik", "metrics_port"), ("postgresql", "port"), ("redis", "port")):
        if key not in spec.get(part, {}):
            return
    pairs: set = set()
    for key, port in spec["odoo"]["ports"].items():
        pairs |= {(other, key, port) for other, same in spec["odoo"]["ports"].items() if same == port and other < key}
    for first, second, port in sorted(pairs):
        yield Problem(f"estate_spec.odoo.ports.{second}", f"{port} is also odoo.ports.{first}")
    for host in hosts:
        yield from _on_host(host, flows.host_ports(spec, host))


def _on_host(host: Any, ports: list) -> Iterator:
    taken: dict = {("private", 22): "SSH", ("public", 22): "SSH"}
    for name, kind, port in ports:
        other = taken.get((kind, port))
        if other and not (other.startswith("odoo.ports.") and name.startswith("odoo.ports.")):
            yield Problem(f"estate_spec.{name}", f"{port} is also {other} on {host.name}")
        taken.setdefault((kind, port), name)
    for port in host.service_ports:
        other = taken.get(("private", port)) or taken.get(("public", port))
        if other:
            yield Problem(f"hosts.{host.name}.estate_service_ports", f"{port} is also {other}")
