# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole estate, as its customers, its people and a stranger on the network meet it."""

from __future__ import annotations

import ipaddress
import re
import time

import pytest

from ansible_collections.retailerp.estate.tests.people import Person

RETAIL_MODELS = ("product.product", "res.partner", "stock.quant", "pos.config")
CONTAINERS = """
for c in engine.containers.list():
    host = c.attrs["HostConfig"]
    rights = host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"], host["Memory"] > 0
    print(c.name, c.attrs["Config"]["User"], *rights)
"""


def test_the_login_page_is_odoos(lab, site):
    page = lab.get(f"{site}/web/login")
    assert page.status_code == 200
    assert 'name="login"' in page.text
    assert "Odoo" in page.text


def test_odoos_own_retail_data_is_behind_it(odoo):
    counts = {model: odoo(model, "search_count", []) for model in RETAIL_MODELS}
    assert all(counts.values()), counts


def test_the_bus_answers_on_the_public_site(site, lab):
    """Only the bus process can: a web worker says that it has no bus."""
    person = Person(site, lab.ca)
    question = {"jsonrpc": "2.0", "params": {"channels": [], "last": 0, "options": {"peek": True}}}
    answer = person.request("POST", "/longpolling/poll", json=question).json()
    assert "result" in answer, answer


def test_odoos_containers_have_no_rights_and_its_secrets_one_reader(lab):
    host = lab.group("app")[0]
    uid = lab.plan()["hosts"][host]["odoo"]["uid"]
    lines = [line for line in lab.docker(host, CONTAINERS).splitlines() if "-odoo-" in line]
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(rf"\S+-odoo-(web|gevent|cron)-[ab] {uid}:\d+ True \['ALL'\] (None|\[\]) True", line), line
    modes = lab.ssh(host, "stat -c '%a %u' /etc/estate/odoo/*/odoo.conf").split("\n")
    assert set(filter(None, modes)) == {f"400 {uid}"}


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
    took = time.monotonic() - written
    odoo("sale.order", "unlink", [order])
    assert found == str(order)
    assert took < 1


def test_flushing_redis_costs_a_login_and_nothing_else(lab, site, odoo, waiting):
    cache = lab.group("cache")[0]
    person = Person(site, lab.ca)
    person.sign_in("store")  # whoever comes for the first time becomes a partner
    before = odoo("res.partner", "search_count", [])
    someone = person.session()["uid"]
    lab.ssh(cache, "systemctl restart redis-server")
    assert waiting("a session that outlives a restart", person.session, timeout=20)["uid"] == someone
    lab.redis_flush(cache)
    waiting("the login page", lambda: lab.get(f"{site}/web/login").status_code == 200, timeout=20)
    assert person.session() is None
    person.sign_in("store")
    assert person.session()["uid"] == someone
    assert odoo("res.partner", "search_count", []) == before


def planned_ports(plan: dict, host: str, address: str, source: str) -> set[int]:
    """The TCP ports that the plan opens on an address of a host to a source."""
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
    places = {own[kind]: host for host, own in plan["hosts"].items() for kind in ("address", "public_address")}
    places.pop(None, None)
    found = open_ports(lab, list(places))
    assert found.keys() == places.keys(), "an address was not scanned, or shows no open port at all"
    edge = plan["hosts"][lab.group("edge")[0]]["public_address"]
    assert found[edge] >= {80, 443}, "the scan loses answers: what it does not find may be open all the same"
    unplanned = {}
    for address, host in places.items():
        source = lab.local(f"ip -4 route get {address} | sed -nE 's/.* src ([0-9.]+).*/\\1/p'").strip()
        if extra := found[address] - planned_ports(plan, host, address, source):
            unplanned[f"{host} {address}"] = sorted(extra)
    assert unplanned == {}
