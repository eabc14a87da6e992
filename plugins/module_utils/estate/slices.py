# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The slice of the plan that each tier's role takes."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.estate import backup, flows, patroni, sizing
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import in_tier, network, primary_of
from ansible_collections.retailerp.estate.plugins.module_utils.estate.series import BUSINESS_ROLES, SERIES

#: Ports inside Traefik's container: unprivileged, so it need not run as root.
_INSIDE = {"web": 8080, "websecure": 8443, "internal": 9443, "metrics": 9100}
_DUTIES = ("owner", "application", "reporting", "audit", "replication", "backup", "monitor")
#: Those whose password changes while they are used: for that time each has a second login.
_ROTATED = ("application", "reporting", "audit", "monitor")
_LOCALE = {"encoding": "UTF8", "collate": "C", "ctype": "C.UTF-8"}
#: What a physical backup calls on its own; the version 15 gave them these names.
_BACKUP = (
    "pg_backup_start(text,boolean)",
    "pg_backup_stop(boolean)",
    "pg_switch_wal()",
    "pg_create_restore_point(text)",
)
#: What pg_rewind calls on the primary, as its manual lists them for a role that is no superuser.
_REWIND = (
    "pg_ls_dir(text,boolean,boolean)",
    "pg_stat_file(text,boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text,bigint,bigint,boolean)",
)


def users(spec: dict) -> dict:
    """PostgreSQL roles of the estate: what each is for → its name."""
    return {duty: f"{spec['id']}_{duty}" for duty in _DUTIES}


def second_logins(spec: dict) -> dict:
    """Second logins for a rotation of passwords: what each is for → its name."""
    return {duty: f"{users(spec)[duty]}_next" for duty in _ROTATED}


def docker(spec: dict) -> dict:
    """Container networks. Every host uses the same ones: they never leave their host."""
    first, second = list(network(spec["docker"]["address_pool"]).subnets(new_prefix=24))[:2]
    return {
        "address_pool": spec["docker"]["address_pool"],
        "bridge": f"{first.network_address + 1}/24",
        "subnet": str(second),
        "gateway": str(second.network_address + 1),
        "network": "estate",
    }


def workers_of(spec: dict, hosts: list, host: Any) -> int:
    """HTTP workers of one app host: the operator's number, else what its people need."""
    said = spec["odoo"].get("workers")
    return said or sizing.workers_by_users(spec["odoo"]["users"], len(in_tier(hosts, "app")))


def connections(spec: dict, hosts: list) -> dict:
    """What the database server's connections are needed for, by use and in total."""
    each = [workers_of(spec, hosts, host) for host in in_tier(hosts, "app")]
    shared = spec["postgresql"].get("pooler") == "transaction"
    return sizing.connections(each, spec["odoo"]["cron_threads"], max(0, len(in_tier(hosts, "db")) - 1), shared)


def _named(hosts: list, tier: str) -> dict:
    return {host.name: host.address for host in in_tier(hosts, tier)}


def traefik(spec: dict, hosts: list, host: Any, budget: Any) -> dict:
    """The edge's slice."""
    ports, series, cache = spec["odoo"]["ports"], SERIES[spec["odoo"]["series"]], in_tier(hosts, "cache")[0]

    def urls(kind: str) -> list:
        return [f"http://{app.address}:{ports[f'{kind}_{slot}']}" for app in in_tier(hosts, "app") for slot in "ab"]

    return {
        "image": spec["traefik"]["image"],
        "acme": dict(spec["acme"]),
        "public_address": host.public_address,
        "private_address": host.address,
        "domain": spec["domain"],
        "admin_domain": spec["admin_domain"],
        "admin_networks": list(spec["admin_networks"]),
        "ports": dict(_INSIDE),
        "publish": [
            {"address": host.public_address, "port": 80, "container_port": _INSIDE["web"]},
            {"address": host.public_address, "port": 443, "container_port": _INSIDE["websecure"]},
            {"address": host.address, "port": 80, "container_port": _INSIDE["web"]},
            {"address": host.address, "port": 443, "container_port": _INSIDE["internal"]},
            {"address": host.address, "port": spec["traefik"]["metrics_port"], "container_port": _INSIDE["metrics"]},
        ],
        "services": {"web": urls("web"), "bus": urls("bus")},
        "health_path": series["health_path"],
        "health_interval_s": 5,
        "bus_path": series["bus"]["path"],
        "redis": {"host": cache.name, "address": cache.address, "port": spec["redis"]["port"], "user": "ratelimit"},
        "extra_hosts": _named(hosts, "cache"),
        "login_rate": {"average": 6, "period_s": 60, "burst": 5},
        # Odoo's management of databases: its pages, and the same service by XML-RPC.
        "forbidden_paths": ["/web/database", "/xmlrpc/db", "/xmlrpc/2/db"],
        # Traefik's own 60 s cut uploads short; Odoo's workers stop a request at 120 s, the bus holds one for longer.
        "timeouts": {"read_s": 600, "write_s": 0, "idle_s": 180},
        "memory_mb": min(budget.edge, 512),
    }


def odoo(spec: dict, hosts: list, host: Any, budget: Any) -> dict:
    """An app host's slice."""
    own, series = spec["odoo"], SERIES[spec["odoo"]["series"]]
    workers, ports = workers_of(spec, hosts, host), spec["odoo"]["ports"]
    cache = in_tier(hosts, "cache")[0]
    return {
        "image": own["image"],
        "series": own["series"],
        "uid": own["uid"],
        "gid": own["uid"],
        "address": host.address,
        "database": own["database"],
        "modules": list(own["modules"]),
        "demo": own["demo"],
        "language": own["language"],
        "url": f"https://{spec['domain']}",
        "proxy_mode": True,
        "workers": workers,
        "cron_threads": own["cron_threads"],
        "limits": dict(sizing.WORKER_LIMITS),
        "db_maxconn": sizing.CONNECTIONS_BUS,
        "containers": sizing.containers(budget.app, workers, own["cron_threads"]),
        # First installations and upgrades run alone, before or beside a release that is idle.
        "maintenance_memory_mb": budget.app - sizing.idle_release(workers),
        "db": {
            "hosts": [primary_of(hosts).name, *(db.name for db in in_tier(hosts, "db") if db != primary_of(hosts))],
            "port": flows.database_port(spec),
            "name": own["database"],
            "user": users(spec)["application"],
            "second_user": second_logins(spec)["application"],
        },
        "redis": {
            "host": cache.name,
            "address": cache.address,
            "port": spec["redis"]["port"],
            "user": "sessions",
            "db": 0,
        },
        "slots": {slot: {"web": ports[f"web_{slot}"], "gevent": ports[f"bus_{slot}"]} for slot in "ab"},
        "health_path": series["health_path"],
        "bus": dict(series["bus"]),
        "extra_hosts": {**_named(hosts, "db"), **_named(hosts, "cache")},
        "business_roles": business_roles(spec),
        "oidc": oidc(spec),
    }


def business_roles(spec: dict) -> list:
    """Each Entra app role, the business role it stands for and the Odoo groups that one holds."""
    return [
        {"name": name, "app_role": app_role, "groups": list(BUSINESS_ROLES[name])}
        for app_role, name in spec["entra"]["roles"].items()
    ]


def oidc(spec: dict) -> dict:
    """The single-tenant endpoints of Entra's v2.0 and what a token must say."""
    entra = spec["entra"]
    root = f"{entra['authority']}/{entra['tenant_id']}"
    return {
        "authority": entra["authority"],
        "tenant_id": entra["tenant_id"],
        "client_id": entra["client_id"],
        "issuer": f"{root}/v2.0",
        "authorize": f"{root}/oauth2/v2.0/authorize",
        "token": f"{root}/oauth2/v2.0/token",
        "jwks": f"{root}/discovery/v2.0/keys",
        "redirect": f"https://{spec['domain']}/auth_oauth/signin",
    }


def postgresql(spec: dict, hosts: list, host: Any, budget: Any, subnet: str) -> dict:
    """A database host's slice."""
    primary, need = primary_of(hosts), connections(spec, hosts)
    standbys = [db.name for db in in_tier(hosts, "db") if db != primary]
    others = ", ".join(f'"{db.name}"' for db in in_tier(hosts, "db") if db != host)
    allowed = _max_connections(spec, need)
    strict = spec["postgresql"]["durability"] == "strict"
    settings = {
        "port": spec["postgresql"]["port"],
        "max_connections": allowed,
        **sizing.server_settings(budget.db, allowed, host.cpus),
        "max_wal_senders": 10,
        "max_replication_slots": 10,
        # A standby that is away for long may not fill the primary's disk.
        "max_slot_wal_keep_size": "4096MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **backup.settings(spec),
    }
    if spec["postgresql"]["shape"] == "patroni":
        voters = [f"{voter.address}:{flows.ETCD_CLIENTS}" for voter in in_tier(hosts, "etcd")]
        managed = patroni.plan(spec, settings, voters)
    else:
        managed = None
        # Whichever member is primary: a commit waits until one of the others has it on disk.
        settings["synchronous_standby_names"] = f"ANY 1 ({others})" if strict else ""
    return {
        "version": spec["postgresql"].get("version"),
        "role": "primary" if host == primary else "standby",
        "primary": primary.name,
        "standbys": standbys,
        "address": host.address,
        "port": spec["postgresql"]["port"],
        "database": spec["odoo"]["database"],
        "durability": spec["postgresql"]["durability"],
        "locale": dict(_LOCALE),
        "users": users(spec),
        "second_logins": second_logins(spec),
        "databases": _databases(spec),
        "connections": need,
        "memory_mb": budget.db,
        "settings": settings,
        "patroni": managed,
        "hba": _hba(spec, hosts, host, subnet),
    }


def _max_connections(spec: dict, need: dict) -> int:
    return spec["postgresql"].get("max_connections") or sizing.max_connections(need["total"])


def pgbouncer(spec: dict, hosts: list, host: Any) -> dict:
    """A database host's pooler: what of the server's connections it may hold, and how many clients share them."""
    need, mode = connections(spec, hosts), spec["postgresql"]["pooler"]
    workers, threads = [workers_of(spec, hosts, app) for app in in_tier(hosts, "app")], spec["odoo"]["cron_threads"]
    # All the server has but what monitoring, replication, an upgrade and the superuser need.
    servers = _max_connections(spec, need) - (need["total"] - need["application"])
    listeners = sum(sizing.listeners(each, threads) for each in workers)
    return {
        "address": host.address,
        "port": flows.POOLER_PORT,
        "server_port": spec["postgresql"]["port"],
        "user": users(spec)["application"],
        "second_user": second_logins(spec)["application"],
        # Odoo listens for its bus and cron in `postgres`: a session keeps its connection there, whatever the mode. Each
        # database has a part of its own: while passwords change two users share it, whom no limit of a user's counts.
        "databases": {
            spec["odoo"]["database"]: {"mode": mode, "connections": servers - listeners},
            "postgres": {"mode": "session", "connections": listeners},
        },
        # A client costs kilobytes, one too many a request.
        "clients": 2 * sum(sizing.app_connections(each, threads) for each in workers),
    }


def _databases(spec: dict) -> list:
    """The databases of a cluster and who may do what in them, as the module postgresql_access takes them."""
    names = users(spec)

    def connecting(*duties: str) -> dict:
        return {names[duty]: ["CONNECT"] for duty in duties}

    own = {
        "name": spec["odoo"]["database"],
        "owner": names["owner"],
        "locale": dict(_LOCALE),
        "extensions": ["pg_trgm", "unaccent"],
        "immutable": ["unaccent(text)"],
        "connect": {names["application"]: ["CONNECT", "TEMPORARY"], **connecting("reporting", "audit", "monitor")},
        "create": {names["application"]: ["USAGE", "CREATE"], names["reporting"]: ["USAGE"]},
        "tables": {names["reporting"]: ["SELECT"]},
        "creators": [names["application"]],
    }
    # Odoo listens for its bus and cron there; monitoring reads statistics, an audit the grants on functions, backups
    # are begun and ended there, and a member that comes back rewinds from there.
    shared = {
        "name": "postgres",
        "connect": connecting("application", "audit", "replication", "backup", "monitor"),
        "execute": {names["replication"]: list(_REWIND), names["backup"]: list(_BACKUP)},
    }
    return [own, shared]


def _hba(spec: dict, hosts: list, host: Any, subnet: str) -> list:
    """Who may log in over the network; everything but TLS with SCRAM is refused. Superusers stay local; the owner and
    the backup role do not log in at all. A plus means the role and its members, its second login among them."""
    names, database = users(spec), spec["odoo"]["database"]
    names.update({duty: f"+{names[duty]}" for duty in _ROTATED})

    def rows(databases: list, user: str, seen_as: list) -> list:
        return [
            {
                "type": "hostssl",
                "database": ",".join(databases),
                "user": user,
                "address": seen,
                "method": "scram-sha-256",
            }
            for seen in seen_as
        ]

    def of(clients: list) -> list:
        return flows.sources(clients, host, subnet)

    peers = of([peer for peer in in_tier(hosts, "db") if peer != host])
    if spec["postgresql"]["shape"] == "patroni":
        # It asks its own server, too, where it is in the log.
        peers.append(f"{host.address}/32")
    # A pooler on this very host speaks for the app hosts, and they do not come past it.
    odoo = [f"{host.address}/32"] if flows.pooled(spec) else of(in_tier(hosts, "app"))
    # Odoo's bus and its scheduled jobs listen on the database `postgres`, pg_rewind reads the primary's files there.
    return [
        *rows([database, "postgres"], names["application"], odoo),
        *rows(["replication"], names["replication"], peers),
        *rows(["postgres"], names["replication"], peers),
        *rows([database], names["reporting"], of(in_tier(hosts, "ops"))),
        *rows([database, "postgres"], names["audit"], of(in_tier(hosts, "ops"))),
        *rows([database, "postgres"], names["monitor"], of(in_tier(hosts, "ops"))),
    ]


def redis(spec: dict, hosts: list, host: Any, budget: Any) -> dict:
    """The cache host's slice."""
    maxmemory_mb = spec["redis"].get("maxmemory_mb") or sizing.cache_data(budget.cache)
    return {
        "address": host.address,
        "port": spec["redis"]["port"],
        "maxmemory_mb": maxmemory_mb,
        "memory_mb": sizing.cache_need(maxmemory_mb),
        "users": {
            "sessions": {"keys": ["session:*"]},
            "ratelimit": {"keys": ["rate:*"]},
            "monitor": {"keys": []},
        },
    }


def etcd(spec: dict, hosts: list, host: Any, budget: Any) -> dict:
    """A voter's slice."""
    return {
        "name": host.name,
        "address": host.address,
        "client_port": flows.ETCD_CLIENTS,
        "peer_port": flows.ETCD_PEERS,
        "members": _named(hosts, "etcd"),
        "token": spec["id"],
        "memory_mb": min(budget.etcd, 256),
        "quota_mb": sizing.ETCD_QUOTA_MB,
    }
