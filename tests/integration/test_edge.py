# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge as its neighbours see it: what is open to whom, with which certificate, how often, and what a change costs.

Odoo need not be there: where a page of its own is asked for, Traefik's 503 counts as let through.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

LET_THROUGH = {200, 303, 400, 404, 405, 415, 503}


@pytest.fixture(scope="session")
def edge(lab) -> str:
    """The edge's host."""
    return lab.group("edge")[0]


@pytest.fixture(scope="session")
def plan(lab, edge) -> dict:
    """The edge's slice of the plan."""
    return lab.plan()["hosts"][edge]["traefik"]


@pytest.fixture
def operator(lab) -> tuple[str, str]:
    """The sign-in of the API."""
    return ("operator", lab.secrets()["traefik_operator"])


def proxy(lab, edge) -> dict:
    """The proxy's container as the engine reports it."""
    code = (
        "import docker, json; d = docker.from_env();"
        "f = {'label': ['retailerp.estate.container=proxy']};"
        "print(json.dumps([c.attrs for c in d.containers.list(all=True, filters=f)]))"
    )
    found = json.loads(lab.ssh(edge, f'/usr/bin/python3 -c "{code}"'))
    assert len(found) == 1
    return found[0]


def handshake(address: str, port: int, name: str | None, **options) -> ssl.SSLSocket:
    """A TLS connection; certificates unchecked unless `cafile` is given."""
    context = ssl.create_default_context(cafile=options.get("cafile"))
    if "cafile" not in options:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "maximum" in options:
        context.maximum_version = options["maximum"]
        context.minimum_version = options["maximum"]
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context.wrap_socket(socket.create_connection((address, port), timeout=10), server_hostname=name)


def sign_in(lab, plan, path="/web/login", method="POST", **headers) -> int:
    """Send a sign-in to the public site; its status."""
    answer = requests.request(method, f"https://{plan['domain']}{path}", verify=lab.ca, headers=headers, timeout=20)
    return answer.status_code


@pytest.mark.parametrize("site", ["domain", "admin_domain"])
def test_http_redirects_but_acme_is_answered(lab, plan, site):
    answer = lab.get(f"http://{plan[site]}/shop?a=b")
    assert (answer.status_code in (301, 308), answer.headers["Location"]) == (True, f"https://{plan[site]}/shop?a=b")
    challenge = lab.get(f"http://{plan[site]}/.well-known/acme-challenge/none")
    assert (challenge.status_code, "Location" in challenge.headers) == (404, False)


@pytest.mark.parametrize("site", ["domain", "admin_domain"])
@pytest.mark.parametrize(
    "path",
    ["/web/database", "/web/database/manager", "/web//database/drop", "//web/database", "/web/./database"]
    + ["/web/x/../database/create", "/web/%64atabase/manager", "/web%2Fdatabase/manager", "/web%5Cdatabase"]
    + ["/xmlrpc/db", "/xmlrpc/2/db", "/fr/xmlrpc/2/db", "/xmlrpc//2/%64b", "/xmlrpc/2/x/../db"],
)
def test_closed_paths_stay_closed_however_they_are_written(lab, plan, site, path):
    address, port = (plan["public_address"], 443) if site == "domain" else (plan["private_address"], 443)
    connection = http.client.HTTPSConnection(plan[site], port, context=ssl.create_default_context(cafile=lab.ca))
    connection.sock = handshake(address, port, plan[site], cafile=lab.ca)
    connection.request("GET", path)  # as it is written: nothing tidies the path before it is sent
    assert connection.getresponse().status in (400, 404)


@pytest.mark.parametrize("site", ["domain", "admin_domain"])
def test_the_service_of_databases_is_closed_and_the_others_are_not(lab, plan, site):
    """As XML-RPC calls them; without Odoo the others are let through all the same."""
    call = "<?xml version='1.0'?><methodCall><methodName>{}</methodName><params/></methodCall>"
    for path, method in (("/xmlrpc/db", "list"), ("/xmlrpc/2/db", "server_version"), ("/fr/xmlrpc/2/db", "list")):
        answer = requests.post(f"https://{plan[site]}{path}", data=call.format(method), verify=lab.ca, timeout=20)
        assert (answer.status_code, "methodResponse" in answer.text) == (404, False), path
    other = f"https://{plan['admin_domain']}/xmlrpc/2/common"  # there, sign-ins are not limited
    answer = requests.post(other, data=call.format("version"), verify=lab.ca, timeout=20)
    assert answer.status_code in LET_THROUGH - {404}


def test_the_api_needs_the_inside_and_the_operator(lab, edge, plan, operator):
    public, internal = f"https://{plan['domain']}", f"https://{plan['admin_domain']}"
    outside = lab.get(f"{public}/api/rawdata", auth=operator)
    assert "routers" not in outside.text
    assert lab.get(f"{internal}/api/rawdata").status_code == 401
    assert lab.get(f"{internal}/api/rawdata", auth=("operator", "wrong")).status_code == 401
    assert "routers" in lab.get(f"{internal}/api/rawdata", auth=operator).json()
    assert (lab.get(f"{internal}/ping").status_code, lab.get(f"{internal}/ping", auth=operator).text) == (401, "OK")


def test_the_admin_site_is_for_the_admin_networks(lab, edge, plan):
    # The edge's own requests come from the container network's gateway, which is in no admin network.
    said = {"X-Forwarded-For": plan["private_address"]}
    code = f"""
import ssl, urllib.request, urllib.error
request = urllib.request.Request("https://{plan["admin_domain"]}/", headers={said})
try:
    # A host does not know the ACME authority's root; what is asked here is who may, not who answers.
    print(urllib.request.urlopen(request, timeout=10, context=ssl._create_unverified_context()).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
    assert lab.ssh(edge, "/usr/bin/python3 -", stdin=code).strip() == "403"
    assert lab.get(f"https://{plan['admin_domain']}/web/login").status_code == 200
    with handshake(plan["public_address"], 443, plan["domain"], cafile=lab.ca) as raw:
        raw.sendall(f"GET / HTTP/1.1\r\nHost: {plan['admin_domain']}\r\nConnection: close\r\n\r\n".encode())
        assert b" 404 " in raw.recv(100)


def test_metrics_are_for_the_monitoring_host_only(lab, plan):
    url = f"http://{plan['private_address']}:9100/metrics"
    monitor = lab.group("ops")[0]
    read = f"import urllib.request; print(urllib.request.urlopen('{url}', timeout=10).read().decode())"
    assert "traefik_config_reloads_total" in lab.ssh(monitor, f'/usr/bin/python3 -c "{read}"')
    for address in (plan["private_address"], plan["public_address"]):
        with pytest.raises(OSError), socket.create_connection((address, 9100), timeout=3):
            pass


def test_security_headers_are_on_every_answer(lab, plan):
    for url in (
        f"https://{plan['domain']}/",
        f"https://{plan['domain']}/web/database",
        f"https://{plan['admin_domain']}/",
    ):
        headers = lab.get(url).headers
        assert int(headers["Strict-Transport-Security"].partition("max-age=")[2].split(";")[0]) >= 31536000
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert "geolocation=(self)" in headers["Permissions-Policy"]
        assert not headers.keys() & {"Server", "X-Powered-By"}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
@pytest.mark.parametrize("site", ["domain", "admin_domain"])
def test_the_certificate_is_the_authoritys(lab, plan, site):
    address = plan["public_address" if site == "domain" else "private_address"]
    with handshake(address, 443, plan[site], cafile=lab.ca) as connection:
        certificate = connection.getpeercert()
    assert ("DNS", plan[site]) in certificate["subjectAltName"]
    with pytest.raises(ssl.SSLError, match="(?i)protocol.version"):
        handshake(address, 443, plan[site], maximum=ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("name", [None, "other.example"])
def test_who_asks_for_another_name_gets_no_certificate(plan, name):
    for address in (plan["public_address"], plan["private_address"]):
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
            handshake(address, 443, name)


def test_an_unknown_host_is_not_served(lab, plan):
    assert lab.get(f"http://{plan['public_address']}/", headers={"Host": "other.example"}).status_code == 404
    assert lab.get(f"https://{plan['domain']}/", headers={"Host": "other.example"}).status_code in (404, 421)


def test_sign_ins_are_limited_and_the_bucket_is_in_redis(lab, plan):
    burst = plan["login_rate"]["burst"]
    time.sleep(plan["login_rate"]["period_s"] / plan["login_rate"]["average"] * 1.1)
    with ThreadPoolExecutor(1) as one:
        tries = [
            ("/web/login", "POST"),
            ("/fr/web/login", "PUT"),
            ("/jsonrpc", "POST"),
            ("/fr/web/session/authenticate", "POST"),
        ]
        # What a client says about its address makes no second bucket.
        told = list(
            one.map(
                lambda n: sign_in(lab, plan, *tries[n % 4], **{"X-Forwarded-For": f"192.0.2.{n}"}), range(burst + 5)
            )
        )
    assert told.count(429) >= 3, told
    assert {status for status in told if status != 429} <= LET_THROUGH
    assert lab.get(f"https://{plan['domain']}/web/login").status_code == 200

    private, public = plan["private_address"], plan["public_address"]
    mine = [lab.local(f"ip -o route get {address}").split(" src ")[1].split()[0] for address in (public, private)]
    keys = " ".join(f"'rate:login-rate@file:{address}'" for address in mine)
    command = (
        "read -r REDISCLI_AUTH; export REDISCLI_AUTH; for key in " + keys + "; do redis-cli --no-auth-warning --tls "
        f"--cacert /etc/estate/tls/redis/ca.pem -h {plan['redis']['address']} -p {plan['redis']['port']} "
        f"--user {plan['redis']['user']} hgetall $key; done"
    )
    bucket = lab.ssh(plan["redis"]["host"], command, stdin=lab.secrets()["redis_ratelimit"] + "\n")
    assert {"last", "tokens"} <= set(bucket.split()), bucket


def test_without_redis_sign_ins_are_refused_soon_and_pages_are_not(lab, plan, waiting):
    cache = plan["redis"]["host"]
    lab.ssh(cache, "systemctl stop redis-server")
    try:
        started = time.monotonic()
        assert sign_in(lab, plan) == 500
        assert time.monotonic() - started < 8
        assert lab.get(f"https://{plan['domain']}/web/database").status_code == 404
        with handshake(plan["public_address"], 443, plan["domain"], cafile=lab.ca) as raw:
            raw.sendall(f"GET /robots.txt HTTP/1.1\r\nHost: {plan['domain']}\r\nConnection: close\r\n\r\n".encode())
            assert b"could not insert" not in raw.recv(2000).lower()
    finally:
        lab.ssh(cache, "systemctl start redis-server")
    waiting("sign-ins are let through again", lambda: sign_in(lab, plan) != 500)


def test_nothing_secret_lies_open(lab, edge):
    inspected = json.dumps(proxy(lab, edge))
    files = lab.ssh(edge, "cat /etc/estate/traefik/*/* /etc/estate/traefik-dynamic/routes.yml")
    log = lab.ssh(edge, f"cat {proxy(lab, edge)['LogPath']}")
    secrets = lab.secrets()
    for name in ("redis_ratelimit", "traefik_operator"):
        assert not [where for where in (inspected, files, log) if secrets[name] in where], name
    modes = lab.ssh(edge, "stat -c '%u %a' /etc/estate/traefik-dynamic/secrets.yml /var/lib/estate/traefik/acme.json")
    assert modes.split() == ["65532", "400", "65532", "600"]


def test_queries_and_cookies_are_in_no_log(lab, edge, plan):
    lab.get(f"https://{plan['domain']}/auth?code=canary-query", headers={"Cookie": "session_id=canary-cookie"})
    lab.get(f"https://{plan['domain']}/", headers={"Authorization": "canary-bearer", "Referer": "https://x/canary-ref"})
    time.sleep(1)
    log = lab.ssh(edge, f"tail -n 50 {proxy(lab, edge)['LogPath']}")
    assert plan["domain"] in log
    assert "canary" not in log


def test_a_second_run_changes_nothing(lab):
    assert set(lab.playbook("edge").stats().values()) == {0}
    assert set(lab.playbook("edge", "--check", "--diff").stats().values()) == {0}


def test_a_proxy_that_dies_is_started_again(lab, edge, plan, waiting):
    before = proxy(lab, edge)
    lab.ssh(edge, f"kill -9 {before['State']['Pid']}")
    waiting("another process", lambda: proxy(lab, edge)["State"]["Pid"] not in (0, before["State"]["Pid"]))
    waiting("the site", lambda: lab.get(f"https://{plan['domain']}/web/database").status_code == 404)
    assert proxy(lab, edge)["Id"] == before["Id"]


def changed(plan: dict, **leaves) -> list[str]:
    """Arguments that give the role another slice than the planned one."""
    return ["-e", json.dumps({"traefik_plan": {**plan, **leaves}})]


def test_another_route_drops_no_connection(lab, edge, plan, waiting):
    before = proxy(lab, edge)["Id"]
    raw = handshake(plan["public_address"], 443, plan["domain"], cafile=lab.ca)
    connection = http.client.HTTPSConnection(plan["domain"])
    connection.sock = raw

    def ask() -> int:
        connection.request("GET", "/web/database")
        answer = connection.getresponse()
        answer.read()
        assert connection.sock is raw, "the connection was closed"
        return answer.status

    assert ask() == 404
    run = lab.playbook("edge", *changed(plan, forbidden_paths=["/web/database", "/canary"]))
    try:
        assert [name for _host, name in run.changed_tasks()] == ["retailerp.estate.traefik : Configuration of Traefik"]
        assert ask() == 404
        waiting("the new route", lambda: lab.get(f"https://{plan['domain']}/canary").text == "Not Found")
        assert proxy(lab, edge)["Id"] == before
    finally:
        lab.playbook("edge")


def test_a_stray_route_is_named_by_verify_and_removed_by_the_next_run(lab, edge, plan, waiting):
    stray = "/etc/estate/traefik-dynamic/zz-stray.yml"
    route = {
        "entryPoints": ["websecure"],
        "rule": f"Host(`{plan['domain']}`) && Path(`/stray`)",
        "priority": 2000,
        "middlewares": ["stray"],
        "service": "noop@internal",
        "tls": {},
    }
    away = {"redirectRegex": {"regex": ".*", "replacement": "https://stray.example/"}}
    lab.ssh(
        edge, f"cat >{stray}", stdin=json.dumps({"http": {"routers": {"s": route}, "middlewares": {"stray": away}}})
    )

    def astray() -> bool:
        return "stray.example" in lab.get(f"https://{plan['domain']}/stray").headers.get("Location", "")

    try:
        waiting("the stray route", astray)
        verified = lab.playbook("verify", "--limit", edge, check=False)
        assert verified.code != 0
        assert stray in verified.output
        assert [name for _host, name in lab.playbook("edge").changed_tasks()] == [
            "retailerp.estate.traefik : Configuration of Traefik"
        ]
        waiting("the stray route to be gone", lambda: not astray())
    finally:
        lab.ssh(edge, f"rm -f {stray}")


def test_a_release_that_fails_leaves_the_old_one_serving(lab, edge, plan, waiting):
    before = proxy(lab, edge)["Id"]
    broken = {**plan["timeouts"], "read_s": "no-number-of-"}
    run = lab.playbook("edge", *changed(plan, timeouts=broken), check=False)
    assert run.code
    assert "this serves as before" in run.output
    assert "no-number-of-" in run.output, "the container's own words"
    assert proxy(lab, edge)["Id"] == before
    # It judges Odoo's health anew, which takes it some seconds.
    waiting("the old release", lambda: lab.get(f"https://{plan['domain']}/web/login").status_code == 200)
    assert lab.get(f"https://{plan['domain']}/web/database").status_code == 404
    assert set(lab.playbook("edge").stats().values()) == {0}
