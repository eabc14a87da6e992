# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a copy of a database must not do, in series that have other tables."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.odoo import neutral

URL = "https://copy.example.com"
ORIGINAL = {"name": "shop", "addresses": ["10.0.0.31", "10.0.0.32"], "url": "https://shop.example.com"}
DONE = neutral.Found(
    {"scheduled jobs": 0, "mail servers": 0},
    nowhere=True,
    flag=True,
    parameters={"web.base.url": URL, "web.base.url.freeze": "True", "other": "x"},
)


def test_a_neutral_copy_is_left_alone():
    assert neutral.plan(DONE, URL) == []
    assert {control.state for control in neutral.controls(DONE, URL)} == {"pass"}


def test_all_that_acts_is_stopped_and_told():
    fresh = neutral.Found(
        {"scheduled jobs": 14, "mail servers": 1, "webhooks": 0},
        nowhere=False,
        flag=False,
        parameters={"web.base.url": "https://shop.example.com"},
    )
    changes = neutral.plan(fresh, URL)
    assert [change.data for change in changes] == [
        ("rule", "scheduled jobs"),
        ("rule", "mail servers"),
        ("nowhere", neutral.NOWHERE),
        ("parameter", "web.base.url", URL),
        ("parameter", "web.base.url.freeze", "True"),
        ("flag", neutral.FLAG),
    ]
    assert {control.state for control in neutral.controls(fresh, URL)} == {"fail"}


@pytest.mark.parametrize(
    "changed",
    [{"nowhere": False}, {"flag": False}, {"parameters": {}}, {"acting": {"mails that wait": 3}}],
)
def test_each_thing_alone_is_found(changed):
    found = dataclasses.replace(DONE, **changed)
    assert neutral.plan(found, URL)
    assert "fail" in {control.state for control in neutral.controls(found, URL)}


def test_rules_are_those_that_a_series_has_tables_for():
    older = {"payment_acquirer": frozenset({"id", "state"}), "ir_act_server": frozenset({"id", "state"})}
    newer = {"payment_provider": frozenset({"state"}), "ir_act_server": frozenset({"state", "webhook_url"})}
    assert [rule.what for rule in neutral.applying(older)] == ["payment acquirers"]
    assert [rule.what for rule in neutral.applying(newer)] == ["webhooks", "payment providers"]


def test_every_rule_has_a_name_of_its_own_and_names_its_columns():
    assert len({rule.what for rule in neutral.RULES}) == len(neutral.RULES)
    for rule in neutral.RULES:
        assert all(column in rule.rows + rule.change for column in rule.needs), rule.what


@pytest.mark.parametrize(
    ("name", "address", "url", "words"),
    [
        ("shop", "10.0.0.32", URL, "is what the estate serves"),
        ("shop_copy", "10.0.0.31", "https://shop.example.com/", "is the original's"),
        ("shop_copy", "10.0.0.31", URL, None),
        ("shop", "10.0.0.39", URL, None),
    ],
)
def test_the_original_is_refused(name, address, url, words):
    refusal = neutral.refusal({"name": name, "hosts": {"db": address}}, url, ORIGINAL)
    assert refusal is None if words is None else words in refusal
