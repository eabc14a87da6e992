# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every accepted plan and every refusal, on estates nobody thought of."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.estate import plan as planning
from ansible_collections.retailerp.estate.plugins.module_utils.estate import sizing
from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import read_hosts
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access import slot_name

# The same examples at each run: what a test asserts of a change must not depend on the day.
MANY = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
TIERS = ("edge", "app", "cache")


@st.composite
def estates(draw):
    """(changes to the specification, hosts): tiers spread over machines of any size, one to three databases."""
    count = draw(st.integers(1, 6))
    names = [f"h{index}" for index in range(count)]
    hosts = {
        name: {
            "groups": [],
            "estate_address": f"10.77.0.{10 + index}",
            "estate_memory_mb": draw(st.sampled_from([1024, 2048, 4096]) | st.integers(4096, 65536)),
            "estate_cpus": draw(st.integers(2, 32)),
        }
        for index, name in enumerate(names)
    }
    for tier in TIERS:
        hosts[draw(st.sampled_from(names))]["groups"].append(tier)
    for name in draw(st.sets(st.sampled_from(names), min_size=1, max_size=3)):
        hosts[name]["groups"].append("db")
    if draw(st.booleans()):
        hosts[draw(st.sampled_from(names))]["groups"].append("ops")
    for index, values in enumerate(hosts.values()):
        if "edge" in values["groups"]:
            values["estate_public_address"] = f"203.0.113.{10 + index}"
    changes = {
        "odoo.users": draw(st.integers(1, 200)),
        "odoo.cron_threads": draw(st.integers(1, 3)),
        "odoo.series": draw(st.sampled_from(["14.0", "16.0", "19.0"])),
        "postgresql.port": draw(st.sampled_from([5432, 6543])),
        "postgresql.pooler": draw(st.sampled_from(["none", "session", "transaction"])),
    }
    databases = [name for name in names if "db" in hosts[name]["groups"]]
    if len(names) >= 3 and len(databases) >= 2 and draw(st.booleans()):
        changes["postgresql.shape"] = "patroni"
        for name in draw(st.permutations(names))[:3]:
            hosts[name]["groups"].append("etcd")
    if draw(st.booleans()):
        changes["odoo.workers"] = draw(st.integers(1, 12))
    if draw(st.booleans()):
        changes["postgresql.max_connections"] = draw(st.integers(20, 900))
    if draw(st.booleans()):
        changes["redis.maxmemory_mb"] = draw(st.integers(16, 4096))
    return changes, hosts


def built(lab, drawn):
    """A fresh case of a drawn estate."""
    case = lab.copy()
    changes, case.hosts = drawn
    for path, value in changes.items():
        case.set(path, value)
    return case


def accepted(lab, drawn):
    """The case and its plan; estates that are refused are no example, but for a series that is planned to come."""
    case = built(lab, drawn)
    assume({problem.path for problem in case.problems()} <= {"estate_spec.odoo.series"})
    return case, case.draft()


@MANY
@given(drawn=estates())
def test_memory_is_shared_out_at_most_once(lab, drawn):
    case, plan = accepted(lab, drawn)
    for host in read_hosts(case.hosts)[0]:
        budget, parts = sizing.budget(host, case.spec.get("redis", {}).get("maxmemory_mb")), plan["hosts"][host.name]
        assert budget.total <= host.memory_mb
        if parts["odoo"]:
            caps = sum(container["memory_mb"] for container in parts["odoo"]["containers"].values())
            assert caps + sizing.idle_release(parts["odoo"]["workers"]) <= budget.app
            assert parts["odoo"]["workers"] >= 1
        if parts["redis"]:
            assert sizing.cache_need(parts["redis"]["maxmemory_mb"]) <= max(budget.cache, sizing.cache_need(16))
        if parts["postgresql"]:
            assert int(parts["postgresql"]["settings"]["shared_buffers"][:-2]) <= budget.db // 2
        if parts["traefik"]:
            assert parts["traefik"]["memory_mb"] <= budget.edge


@MANY
@given(drawn=estates())
def test_connections_cover_the_workers(lab, drawn):
    plan = accepted(lab, drawn)[1]
    odoo = [host["odoo"] for host in plan["hosts"].values() if host["odoo"]]
    shared = drawn[0]["postgresql.pooler"] == "transaction"
    each = sizing.pooled_connections if shared else sizing.app_connections
    used = sum(each(one["workers"], one["cron_threads"]) for one in odoo)
    for host in plan["hosts"].values():
        if host["postgresql"]:
            settings_, need = host["postgresql"]["settings"], host["postgresql"]["connections"]
            assert used == need["application"]
            assert used + sizing.CONNECTIONS_SUPERUSER < need["total"] <= settings_["max_connections"]
            assert settings_["max_wal_senders"] > len(host["postgresql"]["standbys"])


@MANY
@given(drawn=estates())
def test_a_pooler_leaves_the_others_their_connections(lab, drawn):
    plan = accepted(lab, drawn)[1]
    mode = drawn[0]["postgresql.pooler"]
    for host in plan["hosts"].values():
        assert bool(host["pgbouncer"]) == (bool(host["postgresql"]) and mode != "none")
        if host["pgbouncer"]:
            server, pooler = host["postgresql"], host["pgbouncer"]
            need, pools = server["connections"], pooler["databases"]
            others = need["total"] - need["application"]
            held = sum(pool["connections"] for pool in pools.values())
            assert need["application"] <= held == server["settings"]["max_connections"] - others
            assert {pool["mode"] for pool in pools.values()} == {"session", mode}
            assert pools["postgres"]["mode"] == "session"
            assert all(pool["connections"] > 0 for pool in pools.values())
            assert pooler["clients"] > need["application"]


def lets_in(plan, server, source, port):
    """Whether `server` lets a packet from `source` (an address) in at a port of its private address."""
    host = plan["hosts"][server]
    return any(
        port in flow["ports"] and flow["address"] in (host["address"], None)
        and any(ipaddress.ip_address(source) in ipaddress.ip_network(seen) for seen in flow["sources"])
        for flow in host["flows"]["in"]
    )  # fmt: skip


def lets_out(plan, client, destination, port):
    """Whether containers of `client` may reach an address."""
    return any(
        port in flow["ports"]
        and any(ipaddress.ip_address(destination) in ipaddress.ip_network(net) for net in flow["destinations"])
        for flow in plan["hosts"][client]["flows"]["egress"]
    )


def needs(plan):
    """(client, server, port, whether the client is a container) of all that must talk."""
    for name, host in plan["hosts"].items():
        if host["traefik"]:
            for url in host["traefik"]["services"]["web"] + host["traefik"]["services"]["bus"]:
                (server,) = (other for other, address in plan["names"].items() if address == urlsplit(url).hostname)
                yield name, server, urlsplit(url).port, True
            yield name, host["traefik"]["redis"]["host"], host["traefik"]["redis"]["port"], True
        if host["odoo"]:
            for server in host["odoo"]["db"]["hosts"]:
                yield name, server, host["odoo"]["db"]["port"], True
            yield name, host["odoo"]["redis"]["host"], host["odoo"]["redis"]["port"], True
        if host["postgresql"] and host["postgresql"]["role"] == "standby":
            yield name, host["postgresql"]["primary"], host["postgresql"]["port"], False
            yield host["postgresql"]["primary"], name, host["postgresql"]["port"], False


@MANY
@given(drawn=estates())
def test_all_that_must_talk_may(lab, drawn):
    plan = accepted(lab, drawn)[1]
    for client, server, port, container in needs(plan):
        there = plan["names"][server]
        own = client == server
        seen = plan["hosts"][client]["docker"]["subnet"].split("/")[0] if own and container else plan["names"][client]
        assert lets_in(plan, server, seen, port), (client, server, port)
        if container:
            assert lets_out(plan, client, there, port), (client, server, port)


@MANY
@given(drawn=estates())
def test_only_the_edge_is_open_to_anybody(lab, drawn):
    plan = accepted(lab, drawn)[1]
    for host in plan["hosts"].values():
        for flow in host["flows"]["in"]:
            if "0.0.0.0/0" in flow["sources"]:
                assert host["traefik"]
                assert set(flow["ports"]) <= {80, 443}
                assert flow["address"] == host["public_address"]
        assert "0.0.0.0/0" not in host["flows"]["ssh_sources"]


@MANY
@given(drawn=estates())
def test_a_login_rule_for_each_flow_to_postgresql(lab, drawn):
    plan = accepted(lab, drawn)[1]
    for host in plan["hosts"].values():
        if host["postgresql"]:
            flows = [flow for flow in host["flows"]["in"] if flow["name"].startswith("postgresql")]
            # A pooler and Patroni come from this very host, for which no firewall is in the way.
            own = {f"{host['address']}/32"} if host["pgbouncer"] or host["postgresql"]["patroni"] else set()
            assert {row["address"] for row in host["postgresql"]["hba"]} == own | {
                src for flow in flows for src in flow["sources"]
            }
            assert {row["type"] for row in host["postgresql"]["hba"]} == {"hostssl"}


@MANY
@given(drawn=estates())
def test_who_is_let_in_may_connect_and_who_may_connect_over_the_network_is_let_in(lab, drawn):
    """But for backups, which have no flow yet, and for what there is no other host to come from."""
    plan = accepted(lab, drawn)[1]
    for host in filter(None, (host["postgresql"] for host in plan["hosts"].values())):
        rules = {(row["user"].removeprefix("+"), name) for row in host["hba"] for name in row["database"].split(",")}
        granted = {(user, one["name"]) for one in host["databases"] for user in one["connect"]}
        streaming = {(host["users"]["replication"], "replication")}
        assert rules - streaming <= granted
        missing = granted - rules
        assert {user for user, _database in missing} - {host["users"]["backup"]} <= {
            host["users"][duty] for duty in ("reporting", "audit", "monitor", "replication")
        }
        if host["standbys"]:
            assert (host["users"]["replication"], "postgres") in rules


@MANY
@given(drawn=estates())
def test_reporting_and_audit_come_from_the_ops_hosts_only(lab, drawn):
    plan = accepted(lab, drawn)[1]
    ops = {f"{host['address']}/32" for host in plan["hosts"].values() if "ops" in host["tiers"]}
    for host in plan["hosts"].values():
        if host["postgresql"]:
            users, own = host["postgresql"]["users"], host["postgresql"]["database"]
            let_in = {duty: [] for duty in users}
            for row in host["postgresql"]["hba"]:
                (duty,) = [duty for duty, name in users.items() if name == row["user"].removeprefix("+")]
                let_in[duty].append(row)
            assert let_in["owner"] == let_in["backup"] == []
            assert {row["database"] for row in let_in["reporting"]} <= {own}
            assert {row["database"] for row in let_in["audit"]} <= {f"{own},postgres"}
            for duty in ("reporting", "audit"):
                seen = {row["address"] for row in let_in[duty]}
                # Containers of this very host, where it is an ops host, too.
                assert {address for address in seen if address.endswith("/32")} == ops


@MANY
@given(drawn=estates())
def test_one_service_a_port(lab, drawn):
    plan = accepted(lab, drawn)[1]
    for host in plan["hosts"].values():
        taken = [(entry["address"], entry["port"]) for entry in (host["traefik"] or {}).get("publish", [])]
        if host["odoo"]:
            taken += [(host["address"], port) for slot in host["odoo"]["slots"].values() for port in slot.values()]
        taken += [(host["address"], host[tier]["port"]) for tier in ("postgresql", "redis") if host[tier]]
        assert len(taken) == len(set(taken))


@MANY
@given(drawn=estates())
def test_exactly_one_primary_with_a_slot_for_each_standby(lab, drawn):
    plan = accepted(lab, drawn)[1]
    databases = {name: host["postgresql"] for name, host in plan["hosts"].items() if host["postgresql"]}
    primaries = [name for name, one in databases.items() if one["role"] == "primary"]
    assert len(primaries) == 1
    for one in databases.values():
        assert one["primary"] == primaries[0]
        assert set(one["standbys"]) == set(databases) - set(primaries)
        assert len({slot_name(name) for name in databases}) == len(databases)


DEFECTS = [
    ("odoo.image", "registry.lab.test/odoo:14"),
    ("entra.tenant_id", "common"),
    ("odoo.dbfilter", ".*"),
    ("acme.directory", "http://acme.lab.test"),
    ("time_zone", "Mars/Olympus"),
    ("docker.address_pool", "10.77.0.0/16"),
    ("odoo.users", 0),
    ("domian", "x"),
    ("odoo.language", "english"),
    ("admin_domain", "shop.lab.test"),
    ("postgresql.max_connections", 20),
]


@MANY
@given(first=st.sampled_from(DEFECTS), second=st.sampled_from(DEFECTS))
def test_two_defects_are_told_at_once(lab, first, second):
    def told(*defects):
        case = lab.copy()
        for path, value in defects:
            case.set(path, value)
        return set(case.problems())

    # Without people there is no need of connections to be under.
    assume({first[0], second[0]} != {"odoo.users", "postgresql.max_connections"})
    assert told(first) | told(second) <= told(first, second)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
PATHS = [
    "id",
    "domain",
    "private_network",
    "admin_networks",
    "acme",
    "acme.directory",
    "docker.address_pool",
    "traefik.image",
    "odoo",
    "odoo.ports",
    "odoo.ports.web_a",
    "odoo.users",
    "odoo.workers",
    "odoo.modules",
    "odoo.image",
    "odoo.series",
    "odoo.cron_threads",
    "odoo.database",
    "odoo.dbfilter",
    "postgresql",
    "postgresql.max_connections",
    "postgresql.pooler",
    "redis.maxmemory_mb",
    "entra",
    "entra.roles",
    "entra.authority",
    "entra.tenant_id",
    "ca_file",
    "time_zone",
    "trading_hours",
    "trading_hours.days",
    "trading_hours.from",
    "trading_hours.to",
]
HOST_KEYS = [
    "ansible_host",
    "estate_address",
    "estate_public_address",
    "estate_memory_mb",
    "estate_cpus",
    "estate_service_ports",
    "postgresql_initial_role",
]


@settings(MANY, max_examples=200)
@given(
    change=st.tuples(st.sampled_from(PATHS), ANYTHING),
    variable=st.tuples(st.sampled_from(["edge1", "app1", "db1"]), st.sampled_from(HOST_KEYS), ANYTHING),
)
@example(change=("acme", {"\n": None}), variable=("edge1", "ansible_host", None))
def test_no_input_makes_it_crash(lab, change, variable):
    """Whatever stands in the file, the answer is a list of problems, and a plan exactly when there are none."""
    (path, value), (name, key, host_value) = change, variable
    case = lab.copy()
    case.set(path, value).host(name, **{key: host_value})
    found = case.problems()
    if not found:
        assert planning.plan(case.spec, case.hosts, case.options, case.secrets)["id"] == case.spec["id"]
    assert all("\n" not in problem.path for problem in found)


@pytest.mark.parametrize("workers", [2, 3, 7, 40])
def test_memory_and_workers_are_inverse(workers):
    need = sizing.app_need(workers)
    assert sizing.workers_by_memory(need) == workers
    assert sizing.workers_by_memory(need - 1) == workers - 1
