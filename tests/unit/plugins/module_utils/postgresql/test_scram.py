# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifiers: against one that PostgreSQL made, and as a property over passwords."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import scram
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

PASSWORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)

# Made by PostgreSQL 15 itself: ALTER ROLE … PASSWORD 'secret one', then SELECT rolpassword FROM pg_authid.
BY_THE_SERVER = (
    "SCRAM-SHA-256$4096:2Sgav1FTfJ74+ApCFvqQzQ==$GfGDdf/Fb1kHXyJg"
    "X59GxXJkk2lHtwOUomMF4E308A8=:WYETf6ef0WWbBRjvpW20EROteAYJTw6ETHZ47MWzWus="
)


def test_the_server_made_the_same_verifier():
    salt = base64.b64decode(BY_THE_SERVER.split("$")[1].split(":")[1])
    assert scram.verifier("secret one", salt) == BY_THE_SERVER
    assert scram.matches(BY_THE_SERVER, "secret one")


@settings(max_examples=20, deadline=None)
@given(PASSWORDS, PASSWORDS)
def test_only_the_same_password_matches(password, other):
    made = scram.verifier(password, iterations=1)
    assert scram.matches(made, password)
    assert scram.matches(made, other) == (password == other)


def test_each_verifier_has_its_own_salt():
    assert scram.verifier("same") != scram.verifier("same")


@pytest.mark.parametrize("stored", [None, "", "md5abc", "SCRAM-SHA-256$4096:x", "SCRAM-SHA-256$many:AA==$a:b", "a$b$c"])
def test_what_is_no_verifier_never_matches(stored):
    assert not scram.matches(stored, "secret one")


@pytest.mark.parametrize("password", ["", "pässword", "line\nbreak"])
def test_passwords_that_clients_may_send_differently_are_refused(password):
    with pytest.raises(EstateError):
        scram.verifier(password)
