# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules between the values of a specification and its hosts. Each returns problems; none stops the others.

A rule looks only at values that are there and of the right type: what is missing or wrong was reported already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate import (
    rules_backup,
    rules_etcd,
    rules_names,
    rules_network,
    schema,
    sizing,
    slices,
)
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import (
    OPTIONAL_TIERS,
    TIERS,
    Problem,
    in_tier,
)
from ansible_collections.retailerp.estate.plugins.module_utils.estate.series import (
    BUSINESS_ROLES,
    SIGN_IN,
    with_brought,
)
from ansible_collections.retailerp.estate.plugins.module_utils.host.trading_hours import DAYS, TIME

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

#: path below estate_spec → (pattern the whole value must match, what it is)
_PATTERNS = {
    "id": (r"[a-z][a-z0-9]{1,19}", "2 to 20 lower-case letters and digits, a letter first"),
    "acme.email": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "a mail address"),
    "odoo.database": (r"[a-z][a-z0-9_]{1,30}", "2 to 31 lower-case letters, digits and underscores, a letter first"),
    "odoo.language": (r"[a-z]{2,3}(_[A-Z]{2,3})?(@[a-z]+)?", "a language such as en_US, de_DE or sr@latin"),
}
#: path below estate_spec → (least, most, hint)
_RANGES = {
    "odoo.users": (1, 10000, "people who work in Odoo at the same time"),
    "odoo.workers": (1, 256, "HTTP workers of an app host"),
    "odoo.cron_threads": (1, 8, "threads for scheduled jobs"),
    "odoo.uid": (1, 65533, "the number of an unprivileged user; 0 is root"),
    "baseline.level": (1, 2, "the level of the controls that are held"),
    "redis.maxmemory_mb": (16, 65536, "MiB"),
    "postgresql.max_connections": (20, 5000, "connections"),
    "backup.retention_days": (2, 3650, "days"),
    "backup.jitter_minutes": (0, 60, "minutes"),
    "backup.archive_timeout_s": (10, 3600, "seconds; it is what a lost primary may cost"),
    "backup.wal_queue_mb": (256, 1048576, "MiB"),
}
_ONLY_ONE = {
    "edge": "certificates are ordered by one edge host",
    "app": "several would need a shared filestore; use one larger host",
    "cache": "sessions live on one cache host",
}
#: Odoo modules that signing in by Entra is built on.
_NEEDED_MODULES = ("auth_oidc", "base_user_role")
_LEAST_DB_MB = 256


def of_spec(spec: dict, hosts: list) -> list:
    """All problems of a completed specification with its hosts."""
    found = [*_patterns(spec), *_tiers(hosts), *_entra(spec.get("entra", {}))]
    found += [*_trading_hours(spec.get("trading_hours", {})), *_odoo(spec), *_modules(spec), *_roles(hosts)]
    found += [*_standby(spec, hosts), *rules_etcd.of_etcd(spec, hosts), *rules_backup.of_backup(spec, hosts)]
    found += [*rules_names.of_names(spec, hosts), *rules_network.of_network(spec, hosts)]
    found += [*_memory(spec, hosts), *_connections(spec, hosts)]
    return found


def value_at(spec: dict, path: str) -> Any:
    """The value at a dotted path, or None."""
    for key in path.split("."):
        spec = spec.get(key) if isinstance(spec, dict) else None
    return spec


def _patterns(spec: dict) -> Iterator:
    # What is derived from a value that was refused is not refused once more.
    derived = {"odoo.database": spec.get("id"), "acme.email": f"hostmaster@{spec.get('domain')}"}
    for path, (pattern, meaning) in _PATTERNS.items():
        value = value_at(spec, path)
        if value is not None and value != derived.get(path) and not re.fullmatch(pattern, value):
            yield Problem(f"estate_spec.{path}", f"{value} is not {meaning}")
    for path, (least, most, hint) in _RANGES.items():
        value = value_at(spec, path)
        if value is not None and not least <= value <= most:
            yield Problem(f"estate_spec.{path}", f"{value} is not between {least} and {most} ({hint})")


def _trading_hours(hours: dict) -> Iterator:
    at = "estate_spec.trading_hours"
    for index, day in enumerate(hours.get("days", DAYS)):
        if day not in DAYS:
            yield Problem(f"{at}.days[{index}]", f"{day} is not a day; write {', '.join(DAYS)}")
    if not hours.get("days", DAYS):
        yield Problem(f"{at}.days", "names no day; leave it out for every day")
    times = {key: hours[key] for key in ("from", "to") if key in hours}
    wrong = [key for key, time in times.items() if not re.fullmatch(TIME, time)]
    for key in wrong:
        yield Problem(f"{at}.{key}", f"{times[key]} is not a time such as 06:00")
    if len(times) == 2 and not wrong and times["from"] >= times["to"]:
        yield Problem(f"{at}.to", f"{times['to']} is not after {times['from']}; trading hours lie within one day")


def _tiers(hosts: list) -> Iterator:
    for tier in TIERS:
        count = len(in_tier(hosts, tier))
        if not count and tier not in OPTIONAL_TIERS:
            yield Problem(
                f"groups.{tier}", "is absent or empty; put one host in it (one host may be in several groups)"
            )
        if count > 1 and tier in _ONLY_ONE:
            yield Problem(f"groups.{tier}", f"holds {count} hosts, one is allowed: {_ONLY_ONE[tier]}")


def _roles(hosts: list) -> Iterator:
    databases = in_tier(hosts, "db")
    primaries = [host.name for host in databases if host.initial_role == "primary"]
    if len(primaries) > 1:
        yield Problem(
            "groups.db", f"has two primaries ({', '.join(primaries)}); postgresql_initial_role: primary fits one host"
        )
    if databases and all(host.initial_role == "standby" for host in databases):
        yield Problem("groups.db", "has no primary; every host says postgresql_initial_role: standby")


def _standby(spec: dict, hosts: list) -> Iterator:
    if len(in_tier(hosts, "db")) > 2 and value_at(spec, "postgresql.shape") == "streaming":
        yield Problem(
            "groups.db",
            f"holds {len(in_tier(hosts, 'db'))} hosts; an operator moves the primary of a pair: keep two, or write "
            "estate_spec.postgresql.shape: patroni",
        )
    if len(in_tier(hosts, "db")) == 1 and value_at(spec, "postgresql.durability") == "strict":
        yield Problem(
            "estate_spec.postgresql.durability",
            "is strict, but group db holds one host: every write would wait for a standby; add one, or write available",
        )
    if len(in_tier(hosts, "db")) == 1 and value_at(spec, "postgresql.standby") == "required":
        yield Problem(
            "estate_spec.postgresql.standby",
            "is required, but group db holds one host; add a second one, or write "
            "standby: optional to accept that losing it means restoring a backup",
        )


def _odoo(spec: dict) -> Iterator:
    odoo = spec.get("odoo", {})
    if odoo.get("series", SIGN_IN[0]) not in SIGN_IN:
        yield Problem(
            "estate_spec.odoo.series",
            f"{odoo['series']} has no addon for signing in yet, so nobody could; write {' or '.join(SIGN_IN)}",
        )
    database, said = odoo.get("database"), odoo.get("dbfilter")
    if database and said is not None:
        inner = re.fullmatch(r"\^(.*)(?:\$|\\Z)", said, re.S)
        if not inner or inner[1] not in (database, re.escape(database)):
            yield Problem(
                "estate_spec.odoo.dbfilter", f"{said} may match other databases than {database}; write ^{database}$"
            )
    if database in ("postgres", "template0", "template1"):
        yield Problem("estate_spec.odoo.database", f"{database} belongs to PostgreSQL; choose another name")
    if odoo.get("demo") and spec.get("environment") == "production":
        yield Problem("estate_spec.odoo.demo", "is true in production; demonstration data cannot be taken out again")


def _modules(spec: dict) -> Iterator:
    modules, path = value_at(spec, "odoo.modules"), "estate_spec.odoo.modules"
    if modules is None:
        return
    for index, name in enumerate(modules):
        if not re.fullmatch(r"[a-z][a-z0-9_]{1,63}", name):
            yield Problem(
                f"{path}[{index}]", f"{name} is not the technical name of a module (lower-case letters, digits, _)"
            )
    for name in _NEEDED_MODULES:
        if name not in modules:
            yield Problem(path, f"lacks {name}, which signing in by Entra needs")
    present, said = with_brought(modules), value_at(spec, "entra.roles") or {}
    for business in sorted({str(name) for name in said.values()} & set(BUSINESS_ROLES)):
        for group in BUSINESS_ROLES[business]:
            if group.split(".")[0] not in present:
                yield Problem(path, f"lacks {group.split('.')[0]}, which the business role {business} needs ({group})")


def _entra(entra: dict) -> Iterator:
    tenant, client = entra.get("tenant_id"), entra.get("client_id")
    at = "estate_spec.entra"
    if tenant in rules_names.MANY_TENANTS:
        yield Problem(f"{at}.tenant_id", f"{tenant} lets people of any tenant in; write the id of your own tenant")
    elif tenant is not None and not _one_uuid(tenant):
        yield Problem(f"{at}.tenant_id", f"{tenant} is not a tenant id (a UUID)")
    if client is not None and not _one_uuid(client):
        yield Problem(f"{at}.client_id", f"{client} is not a client id (a UUID)")
    roles = entra.get("roles")
    if roles is not None and not roles:
        yield Problem(f"{at}.roles", "is empty, so nobody could sign in; leave it out for the default map")
    for app_role, business in (roles or {}).items():
        if not re.fullmatch(r"[A-Za-z0-9][\w.:-]{0,119}", str(app_role)):
            yield Problem(f"{at}.roles.{app_role}", "is not the value of an app role (letters, digits, . _ : -)")
        if str(business) not in BUSINESS_ROLES:
            yield Problem(
                f"{at}.roles.{app_role}", f"{business} is not a business role; choose {', '.join(BUSINESS_ROLES)}"
            )


def _one_uuid(text: str) -> bool:
    return bool(_UUID.fullmatch(text)) and set(text) - set("0-") != set()


def _memory(spec: dict, hosts: list) -> Iterator:
    """Budgets of every host hold what it is to run."""
    maxmemory = value_at(spec, "redis.maxmemory_mb")
    for host in hosts:
        if not host.memory_mb or not host.cpus:
            continue
        share, at = sizing.budget(host, maxmemory), f"hosts.{host.name}.estate_memory_mb"
        if (
            "cache" in host.tiers
            and maxmemory
            and (sizing.cache_need(maxmemory) > share.cache or share.total > host.memory_mb)
        ):
            yield Problem(
                "estate_spec.redis.maxmemory_mb",
                f"{maxmemory} MiB of data need {sizing.cache_need(maxmemory)} MiB of "
                f"memory, more than {host.name} has to spare",
            )
            continue
        if share.total > host.memory_mb:
            yield Problem(at, f"{host.memory_mb} MiB do not hold the tiers {', '.join(host.tiers)}")
            continue
        if "db" in host.tiers and share.db < _LEAST_DB_MB:
            yield Problem(at, f"{host.memory_mb} MiB leave {share.db} MiB for PostgreSQL, which needs {_LEAST_DB_MB}")
        if "app" in host.tiers:
            yield from _workers(spec, host, share.app, len(in_tier(hosts, "app")))


def _workers(spec: dict, host: Any, share: int, app_hosts: int) -> Iterator:
    """Workers the operator asks for, or the users do, fit the host's share of memory for Odoo."""
    threads, at = value_at(spec, "odoo.cron_threads") or 1, f"hosts.{host.name}.estate_memory_mb"
    said, users = value_at(spec, "odoo.workers"), value_at(spec, "odoo.users")
    fits, least = sizing.workers_by_memory(share, threads), sizing.app_need(sizing.LEAST_WORKERS, threads)
    if fits < sizing.LEAST_WORKERS:
        yield Problem(
            at,
            f"{host.memory_mb} MiB leave {share} MiB for Odoo, which needs {least} for {sizing.LEAST_WORKERS} workers",
        )
        fits = 0
    if said is not None:
        if said > fits:
            yield Problem(
                "estate_spec.odoo.workers",
                f"{said} workers need {sizing.app_need(said, threads)} MiB, {host.name} has "
                f"{share} MiB for Odoo: at most {fits}",
            )
    elif users and users > 0:
        need, cpus = sizing.workers_by_users(users, app_hosts), sizing.workers_by_cpus(host.cpus)
        if need > sizing.LEAST_WORKERS and need > min(fits, cpus):
            yield Problem(
                "estate_spec.odoo.users",
                f"{users} users need {need} workers, {host.name} holds {min(fits, cpus)} (memory "
                f"{fits}, processors {cpus}); declare a larger host, or write odoo.workers to choose",
            )


def _connections(spec: dict, hosts: list) -> Iterator:
    said, users = value_at(spec, "postgresql.max_connections"), value_at(spec, "odoo.users")
    if said is None or not users or value_at(spec, "odoo.cron_threads") is None:
        return
    need = slices.connections(spec, hosts)
    if said < need["total"]:
        parts = ", ".join(f"{name} {count}" for name, count in need.items() if name != "total" and count)
        yield Problem(
            "estate_spec.postgresql.max_connections", f"{said} is under the need of {need['total']} ({parts})"
        )


def of_neighbours(spec: dict, neighbours: dict) -> list:
    """An id or a domain belongs to one estate. `neighbours`: where another spec lies → that spec."""
    found = []
    for where, other in neighbours.items():
        for key in ("id", "domain"):
            if spec.get(key) and isinstance(other, dict) and other.get(key) == spec[key]:
                found.append(Problem(f"estate_spec.{key}", f"{spec[key]} is already the {key} of {where}"))
    return found


def of_time_zone(spec: dict, known: Any) -> list:
    """The time zone is one of the names in `known`."""
    zone = spec.get("time_zone")
    if not known or zone is None or zone in known:
        return []
    return [
        Problem(
            "estate_spec.time_zone",
            f"{zone} is not a time zone such as Europe/Berlin{schema.near(zone, sorted(known))}",
        )
    ]
