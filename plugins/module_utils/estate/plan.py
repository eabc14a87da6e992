# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a specification and an inventory to the plan of an estate, or to the list of reasons why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate import (
    backup,
    baseline,
    filestore,
    flows,
    rules,
    rules_backup,
    schema,
    sizing,
    slices,
)
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import read_hosts
from ansible_collections.retailerp.estate.plugins.module_utils.estate.rules_secrets import (
    of_next_secrets,
    of_secrets,
)


def complete(spec: Mapping[str, Any], hosts: list) -> dict:
    """Fill in what is derived from other values. Keys that were refused stay absent."""
    spec = {key: dict(value) if isinstance(value, Mapping) else value for key, value in spec.items()}
    odoo, postgresql = spec.get("odoo", {}), spec.get("postgresql", {})
    if "domain" in spec:
        spec.setdefault("admin_domain", f"admin.{spec['domain']}")
        spec.get("acme", {}).setdefault("email", f"hostmaster@{spec['domain']}")
    if "private_network" in spec:
        spec.setdefault("admin_networks", [spec["private_network"]])
    spec.setdefault("ca_file", None)
    if "id" in spec:
        odoo.setdefault("database", spec["id"])
    odoo.setdefault("demo", spec.get("environment") == "test")
    postgresql.setdefault("standby", "required" if spec.get("environment") == "production" else "optional")
    if "authority" in spec.get("entra", {}):
        spec["entra"]["authority"] = spec["entra"]["authority"].rstrip("/")
    if "backup" in spec:
        backup.complete(spec["backup"], spec, hosts)
    return spec


def problems(
    spec: Any,
    hosts: Mapping,
    secrets: Any,
    options: Mapping,
    *,
    next_secrets: Any = None,
    neighbours: Any = None,
    time_zones: Any = (),
    controls: Any = (),
) -> list:
    """Every reason to refuse, sorted by path; empty when `plan` may be called.

    spec, secrets, next_secrets: as the operator wrote them, unreadable leaves replaced by schema.UNREADABLE.
    hosts: see model.read_hosts. options: the options of the role's argument spec (estate_spec, estate_secrets).
    neighbours: other estates known to the controller: where they are → their spec as far as it can be read.
    time_zones, controls: the names and the ids the controller knows; none means they are not checked.
    """
    checked, found = schema.check(spec, options["estate_spec"]["options"], "estate_spec")
    known, more = read_hosts(hosts)
    found += more
    completed = complete(checked, known)
    found += rules.of_spec(completed, known)
    found += of_secrets(secrets, options["estate_secrets"]["options"])
    found += rules_backup.of_secrets(completed, secrets)
    found += of_next_secrets(next_secrets, secrets, options["estate_secrets_next"]["options"])
    found += rules.of_neighbours(checked, neighbours or {})
    found += rules.of_time_zone(checked, time_zones)
    found += baseline.of_baseline(checked, known, controls)
    return sorted(set(found))


def plan(spec: Mapping, hosts: Mapping, options: Mapping, secrets: Mapping) -> dict:
    """The plan of an estate whose `problems` are none. It holds no secret, only when some of them end."""
    known = read_hosts(hosts)[0]
    spec = complete(schema.check(spec, options["estate_spec"]["options"], "estate_spec")[0], known)
    backup.note_ends(spec, secrets)
    return {
        "id": spec["id"],
        "environment": spec["environment"],
        "domain": spec["domain"],
        "admin_domain": spec["admin_domain"],
        "time_zone": spec["time_zone"],
        "trading_hours": dict(spec["trading_hours"]),
        "private_network": spec["private_network"],
        "admin_networks": list(spec["admin_networks"]),
        "ca_file": spec["ca_file"],
        "names": {host.name: host.address for host in known},
        "hosts": {host.name: _host(spec, known, host) for host in known},
    }


def _host(spec: dict, hosts: list, host: Any) -> dict:
    docker = slices.docker(spec)
    share = sizing.budget(host, spec["redis"].get("maxmemory_mb"))
    return {
        "tiers": list(host.tiers),
        "address": host.address,
        "public_address": host.public_address,
        "memory_mb": host.memory_mb,
        "cpus": host.cpus,
        "flows": flows.of_host(spec, hosts, host, docker["subnet"]),
        "baseline": baseline.of_host(spec, host),
        "docker": docker if host.docker else None,
        "traefik": slices.traefik(spec, hosts, host, share) if "edge" in host.tiers else None,
        "odoo": slices.odoo(spec, hosts, host, share) if "app" in host.tiers else None,
        "postgresql": slices.postgresql(spec, hosts, host, share, docker["subnet"]) if "db" in host.tiers else None,
        "pgbouncer": slices.pgbouncer(spec, hosts, host) if "db" in host.tiers and flows.pooled(spec) else None,
        "backup": backup.of_host(spec, hosts, host),
        "backup_keeper": backup.of_keeper(spec, hosts, host),
        "filestore": filestore.of_app(spec, hosts, host),
        "filestore_gate": filestore.of_gate(spec, hosts, host),
        "restore_drill": filestore.of_drill(spec, hosts, host),
        "redis": slices.redis(spec, hosts, host, share) if "cache" in host.tiers else None,
        "etcd": slices.etcd(spec, hosts, host, share) if "etcd" in host.tiers else None,
    }
