# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in by Entra: who gets in, with what, and everything that must not work."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from ansible_collections.retailerp.estate.tests.people import REFUSED, Person

LOCAL_PASSWORD = "a-password-set-by-hand"
ODOO_COM = "auth_oauth.provider_openerp"


@pytest.fixture
def person(lab):
    """Makes browsers: person() is a fresh one."""
    return lambda: Person(f"https://{lab.spec()['domain']}", lab.ca)


@pytest.fixture
def store(odoo, person):
    """A browser in which the store's account is signed in, with the rights this sets anew."""
    browser = person()
    assert browser.sign_in("store").headers["Location"].endswith("/web")
    return browser


@pytest.fixture
def unmapped(odoo):
    """While it lasts, the app role of store staff stands for nothing."""
    role = odoo.role("store")
    odoo("res.users.role", "write", [role], {"entra_app_role": "Nobody.Holds"})
    yield
    odoo("res.users.role", "write", [role], {"entra_app_role": "Store.Staff"})


def refused(answer):
    return answer.status_code == 303 and urlsplit(answer.headers["Location"]).path == "/web/login"


def test_a_person_holds_exactly_the_mapped_role(odoo, store):
    user = odoo.user("store")
    assert odoo.roles(user) == ["store"]
    assert set(user["groups_id"]) == odoo.conferred("store")
    assert user["share"] is False, "not an internal user"
    session = store.session()
    assert (session["uid"], session["is_system"]) == (user["id"], False)


@pytest.mark.parametrize("name", REFUSED)
def test_who_must_not_get_in_is_refused_told_and_not_made_a_user(odoo, person, name):
    browser = person()
    assert refused(browser.sign_in(name))
    assert browser.session() is None
    expected = "no role in this system is assigned" if name == "norole" else "was not accepted"
    assert expected in browser.message()
    assert odoo.user(name) is None


def test_every_press_of_the_button_has_its_own_state_nonce_and_challenge(person):
    browser = person()
    first, second = (parse_qs(urlsplit(browser.press()).query) for _press in range(2))
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
    assert first["response_type"] == ["code"]
    assert first["code_challenge_method"] == ["S256"]


def test_the_next_person_at_a_till_is_asked_who_they_are(store):
    """The provider still knows the person before."""
    assert store.identify(store.press(), "warehouse")


def test_an_answer_counts_once(store, person):
    browser = person()
    back = browser.identify(browser.press(), "store")
    assert not refused(browser.request("GET", back))
    assert refused(browser.request("GET", back))


def test_an_answer_counts_only_in_the_browser_that_asked(person):
    asking, other = person(), person()
    back = asking.identify(asking.press(), "store")
    other.press()
    assert refused(other.request("GET", back))
    assert other.session() is None
    assert "not started in this browser" in other.message()


def test_a_code_of_another_sign_in_is_refused(person):
    """Somebody else's code put into the answer to one's own attempt: the verifier does not fit it."""
    victim, thief = person(), person()
    stolen = parse_qs(urlsplit(victim.identify(victim.press(), "store")).query)["code"][0]
    back = thief.identify(thief.press(), "warehouse")
    own = parse_qs(urlsplit(back).query)["code"][0]
    assert refused(thief.request("GET", back.replace(quote(own, safe=""), quote(stolen, safe=""))))
    assert thief.session() is None


def test_a_changed_state_is_refused(person):
    browser = person()
    back = urlsplit(browser.identify(browser.press(), "store"))
    query = parse_qs(back.query)
    state = json.dumps({**json.loads(query["state"][0]), "r": "https://evil.example/"})
    answer = f"{back.scheme}://{back.netloc}{back.path}?code={quote(query['code'][0])}&state={quote(state)}"
    assert refused(browser.request("GET", answer))


@pytest.mark.parametrize("redirect", ["https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_signing_in_never_ends_on_another_site(person, redirect):
    location = urlsplit(person().sign_in("store", redirect).headers["Location"])
    assert (location.netloc in ("", urlsplit(person().site).netloc), location.path) == (True, "/web")


def test_a_page_asked_for_before_signing_in_comes_after_it(person):
    location = person().sign_in("store", "/web?debug=0").headers["Location"]
    assert location.endswith("/web?debug=0")


def test_a_federated_person_has_no_password(odoo, person, store):
    user = odoo.user("store")
    odoo("res.users", "write", [user["id"]], {"password": LOCAL_PASSWORD})
    login = {"db": odoo.database, "login": user["login"], "password": LOCAL_PASSWORD}
    answer = person().request("POST", "/web/session/authenticate", json={"jsonrpc": "2.0", "params": login})
    assert "AccessDenied" in answer.text
    assert not odoo.authenticate(user["login"], LOCAL_PASSWORD), "the API takes it"


def test_rights_given_by_hand_end_with_the_next_sign_in(odoo, person, store):
    user = odoo.user("store")
    odoo("res.users", "write", [user["id"]], {"role_line_ids": [(0, 0, {"role_id": odoo.role("administrator")})]})
    assert odoo.record("base.group_system") in odoo.user("store")["groups_id"]
    person().sign_in("store")
    after = odoo.user("store")
    assert odoo.roles(after) == ["store"]
    assert set(after["groups_id"]) == odoo.conferred("store")
    assert store.session() is None, "a session opened with other roles goes on"


def test_who_loses_every_role_loses_every_right_and_every_session(odoo, person, store, unmapped):
    again = person()
    assert refused(again.sign_in("store"))
    assert "no role in this system is assigned" in again.message()
    after = odoo.user("store")
    assert (odoo.roles(after), after["groups_id"]) == ([], [])
    assert store.session() is None


def test_a_role_that_comes_back_gives_its_rights_back(odoo, person):
    person().sign_in("store")
    assert odoo.roles(odoo.user("store")) == ["store"]


def test_an_archived_user_stays_out(odoo, person, store):
    user = odoo.user("store")
    odoo("res.users", "write", [user["id"]], {"active": False})
    try:
        browser = person()
        assert refused(browser.sign_in("store"))
        assert "closed" in browser.message()
    finally:
        odoo("res.users", "write", [user["id"]], {"active": True})


def test_a_local_user_of_the_same_name_and_mail_is_not_taken_over(odoo, person):
    odoo.forget("finance")
    mail = "finance@shop.lab.test"
    local = odoo("res.users", "create", {"name": "Local", "login": mail, "email": mail})
    try:
        assert not refused(person().sign_in("finance"))
        federated = odoo.user("finance")
        assert federated["id"] != local
        assert federated["login"] == federated["oauth_uid"]
        kept = odoo("res.users", "read", [local], ["name", "oauth_uid", "role_line_ids"])[0]
        assert (kept["name"], kept["oauth_uid"], kept["role_line_ids"]) == ("Local", False, [])
    finally:
        odoo("res.users", "unlink", [local])
        odoo.forget("finance")


def test_two_first_sign_ins_at_once_make_one_user(odoo, person):
    odoo.forget("support")
    browsers = [person(), person()]
    backs = [browser.identify(browser.press(), "support") for browser in browsers]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda pair: pair[0].request("GET", pair[1]), zip(browsers, backs, strict=True)))
    assert all(answer.status_code == 303 for answer in answers)
    assert any(not refused(answer) for answer in answers)
    assert odoo.roles(odoo.user("support")) == ["support"]


def test_a_disabled_provider_is_not_served(odoo, person):
    """Odoo itself asks any provider whose id is named, enabled or not."""
    provider = odoo.record(ODOO_COM)
    state = quote(json.dumps({"d": odoo.database, "p": provider, "r": "/web"}))
    answer = person().request("GET", f"/auth_oauth/signin?access_token=x&state={state}")
    assert answer.headers["Location"].endswith("oauth_error=3")


def test_what_was_opened_by_hand_is_closed_again_and_nothing_else(lab, odoo):
    """Check mode tells exactly the drift, a run ends it, and the next one finds nothing."""
    odoo("res.users.role", "write", [odoo.role("store")], {"implied_ids": [(4, odoo.record("base.group_system"))]})
    odoo("auth.oauth.provider", "write", [odoo.record(ODOO_COM)], {"enabled": True})
    odoo("ir.config_parameter", "set_param", "auth_signup.invitation_scope", "b2c")
    told = lab.playbook("access", "--check", "--diff")
    assert sum(told.stats().values()) == 1
    for line in ("-  - base.group_system", "-enabled", "+disabled", "-b2c", "+b2b"):
        assert line in told.output
    assert told.output.count("+++ after") == 3
    assert odoo("auth.oauth.provider", "read", [odoo.record(ODOO_COM)], ["enabled"])[0]["enabled"], "check mode wrote"
    assert sum(lab.playbook("access").stats().values()) == 1
    assert odoo.record("base.group_system") not in odoo.conferred("store")
    assert sum(lab.playbook("access").stats().values()) == 0


def test_a_role_taken_out_of_the_specification_ends_its_holders_rights(lab, odoo, store):
    fields = ["id", "name", "entra_app_role", "implied_ids/id"]
    made = odoo("res.users.role", "load", fields, [["estate.role_gone", "gone", "Gone.Staff", "base.group_no_one"]])
    user = odoo.user("store")
    odoo("res.users", "write", [user["id"]], {"role_line_ids": [(0, 0, {"role_id": made["ids"][0]})]})
    given = odoo.conferred("gone") - odoo.conferred("store")
    assert given <= set(odoo.user("store")["groups_id"])
    assert sum(lab.playbook("access").stats().values()) == 1
    after = odoo.user("store")
    assert odoo.roles(after) == ["store"]
    assert set(after["groups_id"]) == odoo.conferred("store")
    assert not odoo("res.groups", "search", [("id", "in", list(given)), ("name", "=", "gone")])
