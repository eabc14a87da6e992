# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the addon estate_auth_entra demands of a sign-in: attempts, claims, redirects."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from pathlib import Path

import pytest

import ansible_collections.retailerp.estate.plugins.module_utils.result as anchor

# The addon belongs to Odoo: its package imports odoo, this file of it nothing but the standard library.
SOURCE = Path(anchor.__file__).parents[2] / "roles/odoo/files/addons/estate_auth_entra/tokens.py"
SPEC = importlib.util.spec_from_file_location("estate_auth_entra_tokens", SOURCE)
tokens = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tokens)

NOW = 1_800_000_000
EXPECTED = {
    "iss": "https://login.test/11111111-2222-3333-4444-555555555555/v2.0",
    "tid": "11111111-2222-3333-4444-555555555555",
    "aud": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "nonce": "the-nonce",
}
OID = "99999999-8888-7777-6666-555555555555"


def claims(**changed):
    good = {**EXPECTED, "ver": "2.0", "oid": OID, "iat": NOW, "nbf": NOW, "exp": NOW + 3600}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def refusal(call, *args):
    with pytest.raises(tokens.Refused) as refused:
        call(*args)
    return refused.value


def test_a_good_token_is_accepted():
    assert tokens.check_claims(claims(), EXPECTED, NOW)["oid"] == OID


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://login.test/common/v2.0"},
        {"iss": EXPECTED["iss"] + "/"},
        {"iss": None},
        {"tid": "22222222-2222-3333-4444-555555555555"},
        {"tid": None},
        {"aud": "other"},
        {"aud": [EXPECTED["aud"]]},
        {"aud": None},
        {"ver": "1.0"},
        {"nonce": "another"},
        {"nonce": ""},
        {"nonce": None},
        {"exp": NOW - 61},
        {"exp": None},
        {"exp": str(NOW + 3600)},
        {"exp": True},
        {"iat": NOW + 61},
        {"iat": None},
        {"nbf": NOW + 61},
        {"nbf": "soon"},
        {"oid": None},
        {"oid": ""},
        {"oid": "store@shop.test"},
        {"oid": 7},
    ],
    ids=str,
)
def test_a_bad_token_is_refused(changed):
    assert refusal(tokens.check_claims, claims(**changed), EXPECTED, NOW).code == "token"


@pytest.mark.parametrize("changed", [{"exp": NOW - 59}, {"nbf": NOW + 59}, {"iat": NOW + 59}, {"nbf": None}], ids=str)
def test_clocks_may_differ_by_a_minute(changed):
    assert tokens.check_claims(claims(**changed), EXPECTED, NOW)["oid"] == OID


@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_provider_that_pins_nothing_accepts_nothing(name):
    empty = {**EXPECTED, name: ""}
    assert refusal(tokens.check_claims, claims(**{name: ""}), empty, NOW).code == "token"


def test_what_a_token_says_is_logged_short_and_on_one_line():
    said = refusal(tokens.check_claims, claims(tid="x\nFAKE LOG LINE\x1b" + "y" * 500), EXPECTED, NOW).detail
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 300


def test_a_person_has_one_spelling():
    assert tokens.person({"oid": OID.upper()}) == OID


def test_app_roles_are_distinct_names():
    assert tokens.app_roles({"roles": ["B", "A", "B"]}) == ["A", "B"]
    assert tokens.app_roles({}) == []


@pytest.mark.parametrize("roles", ["Store.Staff", [["Store.Staff"]], {"Store.Staff": 1}])
def test_roles_of_another_shape_are_refused(roles):
    assert refusal(tokens.app_roles, {"roles": roles}).code == "token"


def attempt(made=NOW, provider=1):
    new = tokens.new_attempt(provider, "/web", made)
    return {**new, "state": f'{{"s": "{new["key"]}"}}'}


def test_attempts_share_nothing():
    first, second = attempt(), attempt()
    assert all(first[name] != second[name] for name in ("key", "nonce", "verifier"))


def test_the_challenge_is_that_of_rfc_7636():
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert tokens.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    made = attempt()["verifier"]
    assert 43 <= len(made) <= 128
    digest = base64.urlsafe_b64encode(hashlib.sha256(made.encode()).digest()).decode().rstrip("=")
    assert tokens.challenge(made) == digest


def test_an_answer_finds_its_attempt_by_the_whole_state():
    one, two = attempt(), attempt()
    kept = tokens.keep(tokens.keep(None, one), two)
    assert tokens.take(kept, one["state"], NOW) == one
    for wrong in (None, "", one["key"], one["state"] + " ", one["state"][:-1]):
        assert refusal(tokens.take, kept, wrong, NOW).code == "state"
    assert refusal(tokens.take, None, one["state"], NOW).code == "state"


@pytest.mark.parametrize("late", [tokens.ATTEMPT_LIFETIME_S + 1, -1])
def test_an_attempt_does_not_live_for_ever(late):
    one = attempt()
    assert refusal(tokens.take, tokens.keep(None, one), one["state"], NOW + late).code == "expired"


def test_a_session_keeps_the_newest_attempts_only():
    made = [attempt(NOW + second) for second in range(tokens.ATTEMPTS_PER_SESSION + 3)]
    kept = None
    for each in made:
        kept = tokens.keep(kept, each)
    assert [each["made"] for each in kept.values()] == [each["made"] for each in made[-tokens.ATTEMPTS_PER_SESSION :]]


@pytest.mark.parametrize("path", ["/web", "/web?debug=1#action=3", "/shop/cart"])
def test_a_path_of_this_site_is_kept(path):
    assert tokens.local_path(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "",
        "web",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/x\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
    ],
)
def test_any_other_redirect_becomes_the_start_page(elsewhere):
    assert tokens.local_path(elsewhere) == "/web"
