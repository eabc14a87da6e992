# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to whom: what each host lets in, and what containers on it may reach.

Seen from another host, a container has its host's address. Seen from its own host, it has an address of the container
subnet: so two tiers on one machine are joined by flows whose source is that subnet.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate.backup import SERVER_PORT as BACKUP_PORT
from ansible_collections.retailerp.estate.plugins.module_utils.estate.backup import STORE_PORT, served
from ansible_collections.retailerp.estate.plugins.module_utils.estate.filestore import GATE_PORT, keeper_of
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import ANYWHERE, in_tier
from ansible_collections.retailerp.estate.plugins.module_utils.estate.patroni import API_PORT

#: etcd's registered ports. Nothing else on an estate's hosts wants them, so they are no options.
ETCD_CLIENTS, ETCD_PEERS = 2379, 2380
_DEFAULT_PORT = {"https": 443, "http": 80}
#: PgBouncer's, in front of the server of the same host.
POOLER_PORT = 6432


def url_port(url: str) -> int:
    """The port a URL leads to."""
    scheme, said = re.match(r"(https?)://[^/:]+(?::(\d+))?", url).groups()
    return int(said) if said else _DEFAULT_PORT[scheme]


def app_ports(ports: dict) -> list:
    """The four ports of an app host, in order."""
    return sorted(ports[key] for key in ("web_a", "bus_a", "web_b", "bus_b"))


def pooled(spec: dict) -> bool:
    """Whether Odoo goes through a pooler."""
    return spec["postgresql"].get("pooler", "none") != "none"


def database_port(spec: dict) -> int:
    """The port at which Odoo finds its database."""
    return POOLER_PORT if pooled(spec) else spec["postgresql"]["port"]


def host_ports(spec: dict, host: Any) -> list:
    """(name, address kind, port) of every TCP port the estate itself opens on this host."""
    ports = []
    # What cannot be moved comes first: what meets it is told of where it is written.
    if "etcd" in host.tiers:
        ports += [("etcd clients", "private", ETCD_CLIENTS), ("etcd peers", "private", ETCD_PEERS)]
    if spec.get("backup", {}).get("keeper") == host.name and served(spec):
        ports.append(("pgBackRest's store", "private", STORE_PORT))
    if "edge" in host.tiers:
        ports += [
            ("public web", "public", 80),
            ("public websecure", "public", 443),
            ("private web", "private", 80),
            ("private internal", "private", 443),
            ("traefik.metrics_port", "private", spec["traefik"]["metrics_port"]),
        ]
    if "app" in host.tiers:
        ports += [(f"odoo.ports.{key}", "private", port) for key, port in spec["odoo"]["ports"].items()]
    if "db" in host.tiers:
        ports.append(("postgresql.port", "private", spec["postgresql"]["port"]))
        if spec["postgresql"].get("shape") == "patroni":
            ports.append(("Patroni", "private", API_PORT))
        if pooled(spec):
            ports.append(("postgresql.pooler", "private", POOLER_PORT))
        if "backup" in spec:
            ports.append(("pgBackRest", "private", BACKUP_PORT))
    if spec.get("backup", {}).get("keeper") == host.name:
        ports.append(("gate of the recovery points", "private", GATE_PORT))
    if "cache" in host.tiers:
        ports.append(("redis.port", "private", spec["redis"]["port"]))
    return ports


def sources(clients: Any, server: Any, subnet: str) -> list:
    """Addresses (CIDR) under which `clients` appear at `server`: on one machine, its own and that of its containers."""
    own = {subnet for client in clients if client.name == server.name}
    return sorted(own | {f"{client.address}/32" for client in clients})


def inbound(spec: dict, hosts: list, host: Any, subnet: str) -> list:
    """What `host` lets in beyond SSH, established connections, loopback and ICMP."""
    flows = []

    def add(name: str, ports: list, seen: list, where: Any, container: bool) -> None:
        if seen and ports:
            flows.append(
                {
                    "name": name,
                    "protocol": "tcp",
                    "ports": sorted(set(ports)),
                    "sources": seen,
                    "address": where,
                    "container": container,
                }
            )

    def containers_too(name: str, ports: list, seen: list) -> None:
        """A published port; from containers of its own host it may arrive untranslated, so both ways are let in."""
        add(name, ports, seen, host.address, True)
        if subnet in seen:
            add(f"{name}_own", ports, [subnet], host.address, False)

    ops = in_tier(hosts, "ops")
    if "edge" in host.tiers:
        add("edge_public", [80, 443], [ANYWHERE], host.public_address, True)
        add("edge_acme", [80], [spec["private_network"]], host.address, True)
        add("edge_admin", [80, 443], sorted(spec["admin_networks"]), host.address, True)
        containers_too("edge_metrics", [spec["traefik"]["metrics_port"]], sources(ops, host, subnet))
    if "app" in host.tiers:
        containers_too("odoo", app_ports(spec["odoo"]["ports"]), sources(in_tier(hosts, "edge"), host, subnet))
    if "db" in host.tiers:
        port = [spec["postgresql"]["port"]]
        peers = [peer for peer in in_tier(hosts, "db") if peer.name != host.name]
        # Either way in, not both: past the pooler nobody counts.
        name = "pgbouncer" if pooled(spec) else "postgresql"
        add(name, [database_port(spec)], sources(in_tier(hosts, "app"), host, subnet), host.address, False)
        add("postgresql_replication", port, sources(peers, host, subnet), host.address, False)
        if spec["postgresql"]["shape"] == "patroni":
            add("patroni", [API_PORT], sources(peers, host, subnet), host.address, False)
        if "backup" in spec:
            keeper = [one for one in hosts if one.name == spec["backup"]["keeper"]]
            add("postgresql_backup", [BACKUP_PORT], [f"{one.address}/32" for one in keeper], host.address, False)
        add("postgresql_monitor", port, sources(ops, host, subnet), host.address, False)
    if keeper_of(spec, hosts) == host:
        add("filestore_gate", [GATE_PORT], sources(in_tier(hosts, "app"), host, subnet), host.address, False)
        if served(spec):
            members = [f"{member.address}/32" for member in in_tier(hosts, "db")]
            add("backup_store", [STORE_PORT], members, host.address, False)
    if "cache" in host.tiers:
        port = [spec["redis"]["port"]]
        clients = in_tier(hosts, "app") + in_tier(hosts, "edge")
        add("redis", port, sources(clients, host, subnet), host.address, False)
        add("redis_monitor", port, sources(ops, host, subnet), host.address, False)
    if "etcd" in host.tiers:
        voters = [voter for voter in in_tier(hosts, "etcd") if voter.name != host.name]
        # Patroni runs on the database hosts, votes or not; what voters ask each other as clients is their health.
        clients = {client.name: client for client in [*voters, *in_tier(hosts, "db")] if client.name != host.name}
        add("etcd", [ETCD_CLIENTS], [f"{client.address}/32" for client in clients.values()], host.address, False)
        add("etcd_peers", [ETCD_PEERS], [f"{voter.address}/32" for voter in voters], host.address, False)
    add("services", list(host.service_ports), [spec["private_network"]] if host.service_ports else [], None, False)
    return flows


def egress(spec: dict, hosts: list, host: Any) -> list:
    """What containers on `host` may reach; all else they may not."""
    if not host.docker:
        return []
    flows = [
        {"name": "dns", "protocol": "udp", "ports": [53], "destinations": [ANYWHERE]},
        {"name": "dns_tcp", "protocol": "tcp", "ports": [53], "destinations": [ANYWHERE]},
    ]

    def to(name: str, tier: str, ports: list) -> None:
        flows.append(
            {
                "name": name,
                "protocol": "tcp",
                "ports": ports,
                "destinations": sorted(f"{server.address}/32" for server in in_tier(hosts, tier)),
            }
        )

    def anywhere(name: str, url: str) -> None:
        """By name, so the address is not known when the plan is made: the port is allowed to any."""
        flows.append({"name": name, "protocol": "tcp", "ports": [url_port(url)], "destinations": [ANYWHERE]})

    if "edge" in host.tiers:
        to("edge_odoo", "app", app_ports(spec["odoo"]["ports"]))
        anywhere("edge_acme", spec["acme"]["directory"])
    if "app" in host.tiers:
        to("odoo_pgbouncer" if pooled(spec) else "odoo_postgresql", "db", [database_port(spec)])
        anywhere("odoo_entra", spec["entra"]["authority"])
    if "app" in host.tiers or "edge" in host.tiers:
        to("redis", "cache", [spec["redis"]["port"]])
    return flows


def of_host(spec: dict, hosts: list, host: Any, subnet: str) -> dict:
    """The flows of one host, as the plan states them."""
    return {
        "in": inbound(spec, hosts, host, subnet),
        "egress": egress(spec, hosts, host),
        "ssh_sources": sorted(spec["admin_networks"]),
    }
