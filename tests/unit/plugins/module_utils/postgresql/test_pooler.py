# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a pooler is held to, by what logins through it met."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import pooler

GOOD = pooler.Answer(server_tls="TLSv1.3", standby=False, told_standby=False)
REFUSED = "FATAL: SSL required"


def failing(logins, plain=REFUSED):
    """Id → observed of the controls that do not hold."""
    seen = pooler.Seen(logins, plain)
    return {control.id: control.observed for control in pooler.controls(seen) if control.state == "fail"}


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        pooler.Answer(server_tls="TLSv1.2", standby=True, told_standby=True),
        pooler.Answer(server_tls="TLSv1.3", standby=True, told_standby=None),
    ],
)
def test_a_pooler_before_either_kind_of_member_is_well(answer):
    assert failing({"shop": answer, "postgres": answer}) == {}


def test_each_defect_is_told_by_its_database():
    refused = pooler.Answer(error="connection refused")
    assert failing({"shop": GOOD, "postgres": refused}) == {"pgbouncer.login": {"postgres": "connection refused"}}
    assert failing({"shop": pooler.Answer(), "postgres": GOOD}) == {"pgbouncer.server_tls": ["shop"]}
    assert failing({"shop": GOOD}, plain=None) == {"pgbouncer.plain": "let in"}


def test_a_promotion_the_pooler_slept_through_is_told():
    slept = pooler.Answer(server_tls="TLSv1.3", standby=False, told_standby=True)
    assert failing({"shop": slept, "postgres": GOOD}) == {"pgbouncer.role": ["shop"]}


def test_a_plain_client_that_is_refused_for_another_reason_proves_nothing_about_tls():
    gone = pooler.Answer(error="connection refused")
    assert failing({"shop": gone}, plain="connection refused")["pgbouncer.login"] == {"shop": "connection refused"}


def test_a_host_without_psycopg_is_no_crash(monkeypatch):
    monkeypatch.setattr(pooler, "psycopg", None)
    seen = pooler.read({"databases": ["shop"], "unused": ["shop_application_next"]})
    assert "python3-psycopg" in seen.logins["shop"].error
    assert "python3-psycopg" in seen.used


def client(user, addr):
    """A row of what the pooler's console says of its clients."""
    return {"type": "C", "user": user, "database": "shop", "addr": addr}


def test_clients_of_a_login_that_is_to_go_are_told_with_their_addresses():
    second = "shop_application_next"
    rows = [client(second, "10.77.0.22"), client("shop_application", "10.77.0.21"), client("pgbouncer", "unix")]
    rows += [client(second, "10.77.0.21"), client(second, "10.77.0.22")]
    used = pooler.clients_of([second], rows)
    assert used == {second: {"10.77.0.21": 1, "10.77.0.22": 2}}
    assert pooler.clients_of([second], rows[1:3]) == {}
    seen = pooler.Seen({"shop": GOOD}, REFUSED, used)
    assert {control.id: control.state for control in pooler.controls(seen)}["pgbouncer.unused"] == "fail"


@pytest.mark.parametrize(("used", "states"), [(None, []), ({}, ["pass"]), ("no such directory", ["fail"])])
def test_a_login_counts_as_unused_only_if_the_pooler_was_asked(used, states):
    found = pooler.controls(pooler.Seen({"shop": GOOD}, REFUSED, used))
    assert [control.state for control in found if control.id == "pgbouncer.unused"] == states


def test_clients_that_leave_are_waited_for(monkeypatch):
    second = "shop_application_next"
    answers = [[client(second, "10.77.0.21")], [client(second, "10.77.0.21")], []]
    monkeypatch.setattr(pooler, "_clients", lambda params: answers.pop(0))
    monkeypatch.setattr(pooler.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(pooler, "_login", lambda *given, **more: GOOD)
    assert pooler.read({"databases": ["shop"], "unused": [second], "wait_s": 30}).used == {}
    assert answers == []
