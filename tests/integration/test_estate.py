# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole estate, as its customers, its people and a stranger on the network meet it."""

from __future__ import annotations

import ipaddress
import re
import ssl
import time
import xmlrpc.client
from urllib.parse import urlsplit

import pytest

RETAIL_MODELS = ("product.product", "res.partner", "stock.quant", "pos.config")


@pytest.fixture(scope="module")
def site(lab):
    """The retailer's public site."""
    return f"https://{lab.spec()['domain']}"


@pytest.fixture(scope="module")
def admin(lab):
    """The site of the internal entry point."""
    return f"https://admin.{lab.spec()['domain']}"


@pytest.fixture(scope="module")
def odoo(lab, admin):
    """Calls Odoo's API as the administrator: odoo(model, method, *args, **kwargs)."""
    password = lab.secrets()["odoo_administrator"]
    database = lab.spec()["id"]
    context = ssl.create_default_context(cafile=lab.ca)
    common = xmlrpc.client.ServerProxy(f"{admin}/xmlrpc/2/common", context=context)
    uid = common.authenticate(database, "admin", password, {})
    assert uid, "the administrator's secret does not sign in"
    objects = xmlrpc.client.ServerProxy(f"{admin}/xmlrpc/2/object", context=context, allow_none=True)

    def call(model, method, *args, **kwargs):
        return objects.execute_kw(database, uid, password, model, method, list(args), kwargs)

    return call


def test_the_login_page_is_odoos(lab, site):
    page = lab.get(f"{site}/web/login")
    assert page.status_code == 200
    assert 'name="login"' in page.text
    assert "Odoo" in page.text


def test_odoos_own_retail_data_is_behind_it(odoo):
    counts = {model: odoo(model, "search_count", []) for model in RETAIL_MODELS}
    assert all(counts.values()), counts


def test_http_is_redirected_to_https(lab, site):
    answer = lab.get(site.replace("https:", "http:") + "/web/login")
    assert answer.status_code in (301, 308)
    assert urlsplit(answer.headers["Location"]).scheme == "https"


@pytest.mark.parametrize(
    "path",
    [
        "/web/database/manager",
        "/web/database/selector",
        "/web//database/manager",
        "/web/database/backup",
        "/api/rawdata",
    ],
)
def test_what_the_public_entry_point_refuses(lab, site, path):
    assert lab.get(site + path).status_code in (403, 404)


def test_the_admin_site_is_refused_from_the_public_entry_point(lab, site, admin):
    public = lab.hosts[lab.group("edge")[0]]["estate_public_address"]
    host = urlsplit(admin).hostname
    command = f"curl -sk -o /dev/null -w '%{{http_code}}' --resolve {host}:443:{public} {admin}/web/login"
    assert lab.local(command) in ("000", "403", "404", "421")


def test_the_api_answers_inside_to_those_who_may(lab, admin):
    assert lab.get(f"{admin}/api/rawdata").status_code == 401
    with_right = lab.get(f"{admin}/api/rawdata", auth=("operator", lab.secrets()["traefik_operator"]))
    assert with_right.status_code == 200
    assert "routers" in with_right.json()
    assert lab.get(f"{admin}/web/login").status_code == 200


def test_a_sales_order_is_on_the_standby_within_a_second(lab, odoo):
    if len(lab.group("db")) < 2:
        pytest.skip("this estate has no standby")
    standby = lab.group("db")[1]
    partner = odoo("res.partner", "search", [], limit=1)[0]
    order = odoo("sale.order", "create", {"partner_id": partner})
    written = time.monotonic()
    query = f"sudo -u postgres psql -XAtd {lab.spec()['id']} -c"
    found = ""
    while found != str(order) and time.monotonic() - written < 1:
        found = lab.ssh(standby, f'{query} "select id from sale_order where id = {order}"').strip()
    assert found == str(order)


def test_the_standby_refuses_writes_and_is_fed_over_tls(lab):
    if len(lab.group("db")) < 2:
        pytest.skip("this estate has no standby")
    primary, standby = lab.group("db")[:2]
    refused = lab.ssh(standby, "sudo -u postgres psql -XAtc 'create table t (a int)' 2>&1", check=False)
    assert "read-only transaction" in refused
    query = "select state, ssl from pg_stat_replication join pg_stat_ssl using (pid)"
    assert lab.ssh(primary, f'sudo -u postgres psql -XAtc "{query}"').split() == ["streaming|t"]


def test_flushing_redis_costs_a_login_and_nothing_else(lab, site, odoo):
    cache = lab.group("cache")[0]
    before = odoo("res.partner", "search_count", [])
    lab.ssh(cache, "systemctl restart redis-server")
    lab.redis_flush(cache)
    assert lab.get(f"{site}/web/login").status_code == 200
    assert odoo("res.partner", "search_count", []) == before


def planned_ports(plan: dict, host: str, address: str, source: str) -> set[int]:
    """The TCP ports that the plan opens on an address of a host to a source (exact, or 0.0.0.0/0, or its network)."""
    asker, ports = ipaddress.ip_address(source), set()
    own = plan["hosts"][host]
    for flow in own["flows"]["in"]:
        allowed = any(asker in ipaddress.ip_network(net) for net in flow["sources"])
        if flow["protocol"] == "tcp" and flow.get("address") in (None, address) and allowed:
            ports |= set(flow["ports"])
    if any(asker in ipaddress.ip_network(net) for net in own["flows"]["ssh_sources"]):
        ports.add(22)
    return ports


def open_ports(lab, addresses: list[str]) -> dict[str, set[int]]:
    """Every TCP port that accepts a connection, by address."""
    scan = f"nmap -Pn -n -p- --min-rate 20000 --max-retries 1 -oG - {' '.join(addresses)}"
    found: dict[str, set[int]] = {}
    for line in lab.local(scan, timeout=600).splitlines():
        if "Ports: " in line:
            found[line.split()[1]] = {int(port) for port in re.findall(r"(\d+)/open/tcp", line)}
    return found


def test_no_port_answers_but_those_planned(lab):
    plan = lab.plan()
    places = {
        seen: host for host, own in plan["hosts"].items() for seen in (own["address"], own["public_address"]) if seen
    }
    found = open_ports(lab, list(places))
    assert found.keys() == places.keys(), "an address was not scanned, or shows no open port at all"
    unplanned = {}
    for address, host in places.items():
        source = lab.local(f"ip -4 route get {address} | sed -nE 's/.* src ([0-9.]+).*/\\1/p'").strip()
        if extra := found[address] - planned_ports(plan, host, address, source):
            unplanned[f"{host} {address}"] = sorted(extra)
    assert unplanned == {}
