# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every bad specification is refused at the right path, with words that help."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.estate.model import Problem
from ansible_collections.retailerp.estate.plugins.module_utils.estate.schema import UNREADABLE

DIGEST = "@sha256:" + "0d" * 32

#: dotted path set to a value → where it is refused, and words of the refusal
VALUES = [
    # the schema
    ("domian", "shop.lab.test", "estate_spec.domian", "did you mean domain?"),
    ("odoo.worker", 2, "estate_spec.odoo.worker", "did you mean workers?"),
    ("colour", "red", "estate_spec.colour", "is not an option; options here: id, environment"),
    ("odoo.users", "many", "estate_spec.odoo.users", "is the text 'many', not a whole number"),
    ("odoo.modules", "stock", "estate_spec.odoo.modules", "not a list"),
    ("odoo.modules", ["stock", 3], "estate_spec.odoo.modules[1]", "not text; quote it"),
    (
        "admin_networks",
        ["10.77.0.0/24", ""],
        "estate_spec.admin_networks[1]",
        "is empty (Networks (CIDR) that may use SSH",
    ),
    ("acme", "letsencrypt", "estate_spec.acme", "not a mapping"),
    ("odoo.series", 14.0, "estate_spec.odoo.series", "is 14.0 (float), not text; quote it"),
    ("odoo.series", "13.0", "estate_spec.odoo.series", "choose 14.0"),
    ("environment", "prod", "estate_spec.environment", "choose production, staging or test"),
    ("domain", "", "estate_spec.domain", "is empty (Name at which shoppers and staff reach Odoo)"),
    # values in themselves
    ("id", "Shop_1", "estate_spec.id", "lower-case letters and digits"),
    ("domain", "https://shop.lab.test/", "estate_spec.domain", "is not a domain name"),
    ("domain", "shop", "estate_spec.domain", "is not a domain name"),
    ("admin_domain", "shop.lab.test", "estate_spec.admin_domain", "is the public domain"),
    ("time_zone", "Europe/Berlni", "estate_spec.time_zone", "did you mean Europe/Berlin?"),
    ("trading_hours", {"to": 1320}, "estate_spec.trading_hours.to", "is 1320 (int), not text; quote it"),
    ("trading_hours", {"to": "25:00"}, "estate_spec.trading_hours.to", "25:00 is not a time such as 06:00"),
    ("trading_hours", {"from": "6:00"}, "estate_spec.trading_hours.from", "6:00 is not a time such as 06:00"),
    ("trading_hours", {"from": "18:00", "to": "02:00"}, "estate_spec.trading_hours.to", "02:00 is not after 18:00"),
    ("trading_hours", {"from": "22:00"}, "estate_spec.trading_hours.to", "22:00 is not after 22:00"),
    (
        "trading_hours",
        {"days": ["mon", "Sunday"]},
        "estate_spec.trading_hours.days[1]",
        "Sunday is not a day; write mon",
    ),
    ("trading_hours", {"days": []}, "estate_spec.trading_hours.days", "names no day; leave it out"),
    ("acme.directory", "http://acme.lab.test/dir", "estate_spec.acme.directory", "is not an https URL"),
    ("acme.email", "operator", "estate_spec.acme.email", "is not a mail address"),
    ("odoo.users", 0, "estate_spec.odoo.users", "is not between 1 and"),
    ("odoo.uid", 0, "estate_spec.odoo.uid", "0 is root"),
    ("odoo.language", "english", "estate_spec.odoo.language", "is not a language"),
    ("odoo.modules", ["auth_oidc", "Point-of-Sale"], "estate_spec.odoo.modules[1]", "is not the technical name"),
    ("odoo.database", "postgres", "estate_spec.odoo.database", "belongs to PostgreSQL"),
    # images
    ("odoo.image", "registry.lab.test:5000/odoo:14", "estate_spec.odoo.image", "is tagged, not pinned by digest"),
    ("odoo.image", "registry.lab.test:5000/odoo", "estate_spec.odoo.image", "not pinned by digest"),
    ("odoo.image", "registry.lab.test:5000/odoo@sha256:12", "estate_spec.odoo.image", "is not an image reference"),
    ("traefik.image", "traefik" + DIGEST, "estate_spec.traefik.image", "names no registry"),
    ("traefik.image", "library/traefik" + DIGEST, "estate_spec.traefik.image", "names no registry"),
    *(
        ("odoo.image", name + DIGEST, "estate_spec.odoo.image", words)
        for name, words in (
            ("https://registry.lab.test/odoo", "is not an image reference (no scheme"),
            ("registry.lab.test:99999/odoo", "99999 is not a port"),
            ("registry.lab.test:0/odoo", "0 is not a port"),
            ("registry.lab.test:5000/Odoo", "the name in lower case"),
            ("registry.lab.test/../odoo", "is not an image reference"),
            ("registry.lab.test/odoo..14", "is not an image reference"),
            ("registry.lab.test//odoo", "is not an image reference"),
            ("registry..test/odoo", "is not an image reference"),
            ("-registry.lab.test/odoo", "is not an image reference"),
            ("registry.lab.test/" + "o" * 256, "is not an image reference"),
        )
    ),
    # URLs
    *(
        (path, f"https://{site}{rest}", f"estate_spec.{path}", words)
        for path, rest in (("entra.authority", ""), ("acme.directory", "/dir"))
        for site, words in (
            ("user@login.lab.test", "names a user"),
            ("user:secret@login.lab.test", "names a user"),
            ("login.lab.test:https", "https after the colon is not a port"),
            ("login.lab.test:99999", "99999 after the colon is not a port"),
            ("login.lab.test:", "nothing after the colon is not a port"),
            ("login .lab.test", "holds a space"),
            ("login.lab.test\n", "holds a space"),
            ("-login.lab.test", "is not a host name"),
            ("10.77.0.256", "is not a host name or an IPv4 address"),
            ("", "is not an https URL"),
        )
    ),
    ("entra.authority", "https://login.lab.test?x=1", "estate_spec.entra.authority", "?x=1 is a query"),
    ("acme.directory", "https://acme.lab.test/dir#new", "estate_spec.acme.directory", "#new is a query or a fragment"),
    ("acme.directory", "https://acme.lab.test", "estate_spec.acme.directory", "has no path"),
    # networks and ports
    *(
        ("private_network", text, "estate_spec.private_network", "is not a private network (10/8, 172.16/12")
        for text in ("127.0.0.0/8", "192.0.2.0/24", "100.64.0.0/10", "172.0.0.0/8", "169.254.0.0/16")
    ),
    ("docker.address_pool", "198.18.0.0/15", "estate_spec.docker.address_pool", "is not a private network"),
    ("private_network", "10.77.0.5/24", "estate_spec.private_network", "is not an IPv4 network"),
    ("private_network", "8.8.8.0/24", "estate_spec.private_network", "is not a private network"),
    ("private_network", "10.78.0.0/24", "hosts.app1.estate_address", "outside estate_spec.private_network"),
    ("admin_networks", ["0.0.0.0/0"], "estate_spec.admin_networks[0]", "open to everybody"),
    ("admin_networks", ["172.30.5.0/24"], "estate_spec.docker.address_pool", "overlaps admin_networks[0]"),
    ("docker.address_pool", "10.77.0.0/16", "estate_spec.docker.address_pool", "overlaps private_network"),
    ("docker.address_pool", "10.77.0.0/16", "hosts.db1.estate_address", "lies in the container networks"),
    ("docker.address_pool", "172.30.0.0/24", "estate_spec.docker.address_pool", "/22 or larger"),
    ("odoo.ports", {"bus_a": 8069}, "estate_spec.odoo.ports.web_a", "8069 is also odoo.ports.bus_a"),
    ("redis.port", 443, "estate_spec.redis.port", "between 1024 and 65535"),
    # budgets
    ("odoo.workers", 40, "estate_spec.odoo.workers", "40 workers need"),
    ("odoo.users", 600, "estate_spec.odoo.users", "600 users need 100 workers, app1 holds"),
    ("redis.maxmemory_mb", 3000, "estate_spec.redis.maxmemory_mb", "need 4532 MiB"),
    (
        "postgresql.max_connections",
        40,
        "estate_spec.postgresql.max_connections",
        "is under the need of 63 (application 50",
    ),
    ("postgresql.pooler", "statement", "estate_spec.postgresql.pooler", "choose none, session or transaction"),
    (
        "postgresql",
        {"pooler": "session", "port": 6432},
        "estate_spec.postgresql.pooler",
        "6432 is also postgresql.port on db1",
    ),
    (
        "postgresql",
        {"pooler": "transaction", "max_connections": 40},
        "estate_spec.postgresql.max_connections",
        "is under the need of 46 (application 33",
    ),
    # databases and demo
    ("odoo.dbfilter", ".*", "estate_spec.odoo.dbfilter", "write ^shop$"),
    ("admin_networks", [], "estate_spec.admin_networks", "is empty"),
    ("odoo.dbfilter", "shop", "estate_spec.odoo.dbfilter", "may match other databases"),
    ("odoo.dbfilter", "^shop", "estate_spec.odoo.dbfilter", "may match other databases"),
    ("odoo.dbfilter", "^shop$|^other$", "estate_spec.odoo.dbfilter", "may match other databases"),
    ("odoo.dbfilter", "^%d$", "estate_spec.odoo.dbfilter", "may match other databases"),
    *(
        ("odoo.series", series, "estate_spec.odoo.series", f"{series} has no addon for signing in yet")
        for series in ("15.0", "16.0", "17.0", "18.0", "19.0")
    ),
    # Entra
    ("entra.tenant_id", "common", "estate_spec.entra.tenant_id", "lets people of any tenant in"),
    ("entra.tenant_id", "organizations", "estate_spec.entra.tenant_id", "lets people of any tenant in"),
    ("entra.tenant_id", "consumers", "estate_spec.entra.tenant_id", "lets people of any tenant in"),
    ("entra.tenant_id", "contoso.example", "estate_spec.entra.tenant_id", "is not a tenant id"),
    ("entra.tenant_id", "00000000-0000-0000-0000-000000000000", "estate_spec.entra.tenant_id", "is not a tenant id"),
    ("entra.client_id", "odoo", "estate_spec.entra.client_id", "is not a client id"),
    ("entra.authority", "http://login.lab.test", "estate_spec.entra.authority", "is not an https URL"),
    ("entra.authority", "https://login.lab.test/common", "estate_spec.entra.authority", "is the issuer of any tenant"),
    ("entra.authority", "https://login.lab.test/abc/v2.0", "estate_spec.entra.authority", "has a path"),
    ("entra.roles", {"Store.Staff": "cashier"}, "estate_spec.entra.roles.Store.Staff", "is not a business role"),
    ("entra.roles", {}, "estate_spec.entra.roles", "nobody could sign in"),
    ("entra.roles", {"Store Staff": "store"}, "estate_spec.entra.roles.Store Staff", "is not the value of an app role"),
    ("odoo.modules", ["base_user_role", "stock"], "estate_spec.odoo.modules", "lacks auth_oidc"),
    (
        "odoo.modules",
        ["auth_oidc", "base_user_role", "stock"],
        "estate_spec.odoo.modules",
        "the business role store needs",
    ),
]


def refused(case, path, words):
    """Whether a case is refused at `path` with `words`."""
    return [message for message in case.refusals().get(path, []) if words in message]


def test_the_lab_is_accepted(lab):
    assert lab.problems() == []


@pytest.mark.parametrize(("path", "value", "where", "words"), VALUES, ids=[f"{row[0]}={row[1]}"[:60] for row in VALUES])
def test_bad_value(lab, path, value, where, words):
    assert refused(lab.set(path, value), where, words), lab.refusals()


@pytest.mark.parametrize(
    "path", ["id", "domain", "private_network", "odoo.image", "odoo.series", "traefik", "entra.tenant_id"]
)
def test_missing_value(lab, path):
    parents, _dot, last = path.rpartition(".")
    del (lab.spec[parents] if parents else lab.spec)[last]
    assert refused(lab, f"estate_spec.{path}", "is missing (")


def test_no_specification_at_all(lab):
    lab.spec = None
    assert refused(lab, "estate_spec", "not a mapping")


def test_what_follows_from_a_refused_value_is_not_refused_too(lab):
    """The database is named like the estate, the mail address is of its domain, the admin site below it."""
    assert list(lab.set("id", "?").set("domain", "?").refusals()) == ["estate_spec.domain", "estate_spec.id"]


def test_missing_tier(lab):
    del lab.hosts["cache1"]
    assert refused(lab, "groups.cache", "is absent or empty")


@pytest.mark.parametrize("tier", ["edge", "app", "cache"])
def test_one_host_a_tier(lab, tier):
    lab.host("more", groups=[tier], ansible_host="10.77.0.99", estate_public_address="10.77.1.99")
    assert refused(lab, f"groups.{tier}", "holds 2 hosts, one is allowed")


def test_two_primaries(lab):
    lab.host("db1", postgresql_initial_role="primary").host("db2", postgresql_initial_role="primary")
    assert refused(lab, "groups.db", "has two primaries (db1, db2)")


def test_no_primary(lab):
    lab.host("db1", postgresql_initial_role="standby").host("db2", postgresql_initial_role="standby")
    assert refused(lab, "groups.db", "has no primary")


def test_production_wants_a_standby_or_a_word(lab):
    lab.set("environment", "production")
    assert lab.problems() == []
    del lab.hosts["db2"]
    assert refused(lab, "estate_spec.postgresql.standby", "add a second one, or write standby: optional")
    assert lab.set("postgresql.standby", "optional").problems() == []


def test_a_streaming_pair_is_two(lab):
    lab.hosts["db3"] = {**lab.hosts["db2"], "ansible_host": "10.77.0.33"}
    assert refused(lab, "groups.db", "holds 3 hosts; an operator moves the primary of a pair")


def test_demo_data_stays_out_of_production(lab):
    lab.set("environment", "production").set("odoo.demo", True)
    assert refused(lab, "estate_spec.odoo.demo", "cannot be taken out again")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("estate_memory_mb", None, "is missing; budgets are planned from it"),
        ("estate_memory_mb", "much", "is not a whole number"),
        ("estate_memory_mb", 256, "is too small; at least 512 MiB"),
        ("estate_memory_mb", 1024, "MiB for Odoo, which needs"),
        ("estate_cpus", None, "is missing"),
        ("estate_cpus", 0, "is too small"),
        ("ansible_host", None, "is missing"),
        ("ansible_host", "app1.example.com", "is not an IPv4 address"),
        ("ansible_host", "10.77.0.255", "is the first or last address"),
        ("ansible_host", "10.77.0.31", "is also hosts.db1.estate_address"),
        ("estate_service_ports", [8072], "8072 is also odoo.ports.bus_a"),
        ("estate_service_ports", "8443", "is not a list of TCP ports"),
    ],
)
def test_bad_host_variable(lab, key, value, words):
    hosts = {name: lab.hosts[name] for name in ("db1", "edge1", "db2", "cache1", "app1")}
    lab.hosts = hosts
    lab.host("app1", **{key: value})
    at = "estate_address" if key == "ansible_host" else key
    assert refused(lab, f"hosts.app1.{at}", words), lab.refusals()


def test_edge_without_a_public_address(lab):
    lab.host("edge1", estate_public_address=None)
    assert refused(lab, "hosts.edge1.estate_public_address", "is missing")


def test_edge_with_one_address_for_both_sides(lab):
    lab.host("edge1", estate_public_address="10.77.0.11")
    assert refused(lab, "hosts.edge1.estate_public_address", "both serve 80 and 443")


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "169.254.1.1", "224.0.0.9", "255.255.255.255"])
def test_a_public_address_nobody_reaches(lab, address):
    lab.host("edge1", estate_public_address=address)
    assert refused(lab, "hosts.edge1.estate_public_address", f"{address} is not an address at which people reach")


@pytest.mark.parametrize("name", ["cache 1;rm", "cache_1", "-cache", "cache.", "c" * 64, "cache\n1"])
def test_a_host_whose_name_is_none(lab, name):
    lab.hosts[name] = lab.hosts.pop("cache1")
    assert refused(lab, f"hosts.{name!r}", "is not a host name")


def test_a_host_may_be_named_in_full(lab):
    lab.hosts["Cache-1.eu.example.com"] = lab.hosts.pop("cache1")
    assert lab.problems() == []


def test_a_password_in_a_url_is_not_repeated(lab):
    lab.set("entra.authority", "https://user:k3Jx9Lw2@login.lab.test")
    assert "k3Jx9Lw2" not in "".join(map(str, lab.problems()))


@pytest.mark.parametrize(
    "name",
    ["registry.lab.test:5000/odoo", "localhost/a/b-c/d_e__f.g", "10.77.0.51:5000/odoo", "REGISTRY.lab.test/odoo"],
)
def test_an_image_as_registries_name_it(lab, name):
    assert lab.set("odoo.image", name + DIGEST).set("traefik.image", f"{name}:3.6{DIGEST}").problems() == []


@pytest.mark.parametrize("url", ["https://login.lab.test", "https://login.lab.test:8443/", "https://10.77.0.51"])
def test_an_authority_that_is_one(lab, url):
    assert lab.set("entra.authority", url).problems() == []


def test_ports_meet_on_a_shared_host_only(lab, request):
    lab.set("redis.port", 5432)
    assert lab.problems() == []
    solo = request.getfixturevalue("solo")
    assert refused(solo, "estate_spec.redis.port", "5432 is also postgresql.port on solo1")


def test_a_host_too_small_for_all_tiers(solo):
    solo.host("solo1", estate_memory_mb=2048)
    assert refused(solo, "hosts.solo1.estate_memory_mb", "for Odoo, which needs")


def test_id_and_domain_of_a_neighbour(lab):
    lab.neighbours = {"inventories/other": {"id": "shop", "domain": "shop.lab.test"}, "inventories/far": {"id": "far"}}
    assert refused(lab, "estate_spec.id", "shop is already the id of inventories/other")
    assert refused(lab, "estate_spec.domain", "is already the domain of inventories/other")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "is missing (Odoo's master password"),
        ("admin", "is a default password"),
        ("Password123!", "is a default password"),
        ("k3Jx9", "is weak: shorter than 16 characters"),
        ("abababababababababab", "is weak: fewer than 8 different"),
        ("odoo-admin-2026-xyz", "is weak: built around a default"),
        ("k3Jx9Lw2ZrQ7p5Tn\n", "white space or control characters"),
        (1234567890123456, "is not text"),
    ],
)
def test_weak_secret(lab, value, words):
    lab.secrets["odoo_master"] = value
    assert refused(lab, "estate_secrets.odoo_master", words)
    assert not [problem for problem in lab.problems() if value and str(value) in problem.message.split()]


def test_secret_used_twice(lab):
    lab.secrets["redis_sessions"] = lab.secrets["postgresql_reporting"]
    assert refused(lab, "estate_secrets.redis_sessions", "is the same as estate_secrets.postgresql_reporting")


def test_a_secret_that_is_no_longer_used(lab):
    """The owner of the database does not log in any more."""
    lab.secrets["postgresql_owner"] = "k3Jx9Lw2ZrQ7p5Tn"
    assert refused(lab, "estate_secrets.postgresql_owner", "is not an option")


def test_unknown_secret_and_no_pem(lab):
    lab.secrets.update(odoo_mater="x", ca_private_key="k3Jx9Lw2ZrQ7p5Tn")
    assert refused(lab, "estate_secrets.odoo_mater", "did you mean odoo_master?")
    assert refused(lab, "estate_secrets.ca_private_key", "is not PEM")


def test_unreadable_values_are_not_reported_again(lab):
    """Locked and undefined values were reported by who read them; the rest is still judged."""
    lab.set("odoo.image", UNREADABLE).set("private_network", UNREADABLE).set("id", "X")
    lab.secrets["odoo_master"] = UNREADABLE
    assert list(lab.refusals()) == ["estate_spec.id"]


def test_no_secrets_at_all(lab):
    lab.secrets = None
    assert refused(lab, "estate_secrets", "is missing")


def test_a_problem_reads_as_one_line():
    assert str(Problem("estate_spec.id", "is missing")) == "estate_spec.id: is missing"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"postgresql_monitor": "k3Jx9"}, "is weak: shorter"),
        ({"postgresql_monitor": 1234567890123456}, "is not text"),
        (
            {"postgresql_monitor": "postgresql_audit-sig=9f3KxQ7Lw2Zr&se=2036-11-01"},
            "is the same as estate_secrets.postgresql_audit",
        ),
        (
            {"postgresql_monitr": "k3Jx9Lw2ZrQ7p5Tn"},
            "is not a secret that is rotated; did you mean postgresql_monitor?",
        ),
        ({"odoo_master": "k3Jx9Lw2ZrQ7p5Tn"}, "is not a secret that is rotated"),
    ],
)
def test_a_next_generation_is_judged_like_the_current_one(lab, value, words):
    lab.next_secrets = value
    assert refused(lab, f"estate_secrets_next.{next(iter(value))}", words)


def test_two_next_secrets_are_two(lab):
    lab.next_secrets = dict.fromkeys(("postgresql_monitor", "postgresql_audit"), "k3Jx9Lw2ZrQ7p5Tn")
    assert refused(lab, "estate_secrets_next.postgresql_audit", "is the same as estate_secrets_next.postgresql_monitor")


def test_a_next_generation_is_a_mapping(lab):
    lab.next_secrets = "k3Jx9Lw2ZrQ7p5Tn"
    assert refused(lab, "estate_secrets_next", "is not a mapping")


@pytest.mark.parametrize(
    "value", [None, {}, {"postgresql_monitor": "k3Jx9Lw2ZrQ7p5Tn"}, {"postgresql_audit": UNREADABLE}]
)
def test_a_next_generation_that_is_right(lab, value):
    lab.next_secrets = value
    assert lab.problems() == []
