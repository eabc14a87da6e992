# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for a database of Odoo, in every state a first installation can be left in."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.odoo import modules
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.conf import hashed
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

WANTED = modules.Wanted(["base", "stock"], "en_US", "https://shop.example.com", "right")
DONE = modules.Found(
    modules={"base": "installed", "stock": "installed", "other": "installed"},
    administrator=("admin", hashed("right", b"salt", 10)),
    parameters={"web.base.url": "https://shop.example.com", "web.base.url.freeze": "True"},
    languages=frozenset({"en_US", "fr_FR"}),
)


def found(**changed):
    """A finished database, with something changed."""
    return dataclasses.replace(DONE, **changed)


def steps(state):
    """What is planned, as (kind, name)."""
    return [(change.data.kind, change.data.name) for change in modules.plan(WANTED, state)]


def test_a_finished_database_is_left_alone():
    assert steps(DONE) == []
    assert {control.state for control in modules.controls(WANTED, DONE)} == {"pass"}


def test_an_empty_one_gets_everything_modules_first():
    assert steps(modules.Found()) == [
        ("install", "base"),
        ("install", "stock"),
        ("language", "en_US"),
        ("password", "admin"),
        ("parameter", "web.base.url"),
        ("parameter", "web.base.url.freeze"),
    ]


@pytest.mark.parametrize(
    ("states", "arguments"),
    [
        ({"base": "to install"}, ["--init=stock,base"]),
        ({"base": "installed", "stock": "to install"}, ["--init=stock"]),
        ({"base": "installed", "stock": "to upgrade"}, ["--update=stock"]),
        ({"base": "installed", "stock": "installed", "other": "to upgrade"}, ["--update=other"]),
    ],
)
def test_what_was_cut_short_is_completed(states, arguments):
    assert modules.arguments(modules.plan(WANTED, found(modules=states))) == arguments


def test_a_removal_somebody_began_is_not_finished_behind_their_back():
    states = {"base": "installed", "stock": "installed", "other": "to remove"}
    with pytest.raises(EstateError, match="marked for removal in Odoo: other"):
        modules.plan(WANTED, found(modules=states))


def test_nothing_is_run_for_settings_alone():
    changes = modules.plan(WANTED, found(parameters={}, administrator=("admin", None)))
    assert changes
    assert modules.arguments(changes) == []


@pytest.mark.parametrize("stored", [None, "admin", hashed("admin", b"salt", 10)])
def test_a_default_or_lost_password_is_replaced_and_never_shown(stored):
    (change,) = modules.plan(WANTED, found(administrator=("admin", stored)))
    assert change.data.kind == "password"
    assert "right" not in repr(change)
    assert set(change.report().values()) >= {"(secret)"}


def test_the_administrators_login_is_put_back():
    """Access is set up under this name; a run must not be locked out by who changed it."""
    changed = found(administrator=("somebody@example.com", DONE.administrator[1]))
    assert steps(changed) == [("login", "admin")]


def test_an_address_that_odoo_rewrote_is_put_back():
    changed = found(parameters={"web.base.url": "http://10.0.0.1", "web.base.url.freeze": "True"})
    assert steps(changed) == [("parameter", "web.base.url")]


@pytest.mark.parametrize(
    ("changed", "control"),
    [
        ({"modules": {"base": "installed"}}, "odoo.modules.installed"),
        ({"modules": {**DONE.modules, "x": "to upgrade"}}, "odoo.modules.pending"),
        ({"administrator": ("admin", hashed("admin", b"salt", 10))}, "odoo.administrator.password"),
        ({"rights": ("rolcreatedb",)}, "odoo.database.rights"),
        ({"tls": False}, "odoo.database.tls"),
        ({"overdue": ("Scheduler",)}, "odoo.cron.punctual"),
        ({"reachable": False}, "odoo.database.reachable"),
        ({"parameters": {}}, "odoo.base_url"),
    ],
)
def test_each_control_fails_for_its_own_reason(changed, control):
    failed = [one.id for one in modules.controls(WANTED, found(**changed)) if one.state == "fail"]
    assert failed == [control]
