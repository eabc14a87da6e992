# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of who may sign in, and what the module does with Odoo's answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.access import (
    PARAMETERS,
    Current,
    Desired,
    FoundRole,
    Role,
    controls,
    plan,
)
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.access_store import Access
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.client import OdooUnreachable
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError, diff_of

SECRET = "c4nary-secret"
OIDC = {
    "tenant_id": "11111111-2222-3333-4444-555555555555",
    "client_id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "client_secret": SECRET,
    "issuer": "https://login.test/t/v2.0",
    "authorize": "https://login.test/t/authorize",
    "token": "https://login.test/t/token",
    "jwks": "https://login.test/t/keys",
    "redirect": "https://shop.test/auth_oauth/signin",
}
STORE = Role("store", "Store.Staff", ("base.group_user", "pos.group_user"))
STOCK = Role("warehouse", "Warehouse.Staff", ("base.group_user", "stock.group_user"))
GROUPS = {"base.group_user": 1, "pos.group_user": 2, "stock.group_user": 3}


@pytest.fixture
def desired():
    return Desired(OIDC, (STORE, STOCK))


@pytest.fixture
def converged(desired):
    """An Odoo in which all of it holds."""
    return Current(
        provider={"id": 9, "client_secret": SECRET, **desired.provider()},
        roles={
            "store": FoundRole(21, 31, "store", "Store.Staff", frozenset({1, 2})),
            "warehouse": FoundRole(22, 32, "warehouse", "Warehouse.Staff", frozenset({1, 3})),
        },
        parameters=dict(PARAMETERS),
        groups=GROUPS,
    )


def steps(changes):
    return [(change.action, change.resource) for change in changes]


def failing(current, desired):
    return {control.id for control in controls(current, desired) if control.state != "pass"}


def test_what_holds_plans_to_nothing(converged, desired):
    assert plan(converged, desired) == []
    assert failing(converged, desired) == set()


def test_a_fresh_odoo_is_closed_first_and_opened_last(desired):
    fresh = Current(strangers={4: "Odoo.com Accounts"}, groups=GROUPS)
    assert steps(plan(fresh, desired)) == [
        ("create", "parameter auth_signup.invitation_scope"),
        ("create", "parameter auth_signup.reset_password"),
        ("update", "sign-in provider Odoo.com Accounts"),
        ("create", "role store"),
        ("create", "role warehouse"),
        ("create", "sign-in provider Entra"),
        ("create", "client secret of Entra"),
    ]


def test_an_absent_odoo_is_planned_whole_and_fails_its_controls(desired):
    assert ("create", "role store") in steps(plan(None, desired))
    assert "odoo.access.provider" in failing(None, desired)


def test_groups_odoo_does_not_have_are_refused_together(converged, desired):
    lacking = replace(converged, groups={"base.group_user": 1})
    with pytest.raises(EstateError, match=r"pos\.group_user \(role store\), stock\.group_user \(role warehouse\)"):
        plan(lacking, desired)


@pytest.mark.parametrize("double", [replace(STOCK, app_role="Store.Staff"), replace(STOCK, name="store")])
def test_roles_that_overlap_are_refused(converged, double):
    with pytest.raises(EstateError, match="once only"):
        plan(converged, Desired(OIDC, (STORE, double)))


@pytest.mark.parametrize(
    "drift",
    [
        {"groups": frozenset({1, 2, 3})},
        {"groups": frozenset({1})},
        {"app_role": "Other.Staff"},
        {"name": "shop floor"},
    ],
)
def test_a_drifted_role_is_set_back_and_fails_its_control_meanwhile(converged, desired, drift):
    drifted = replace(converged, roles={**converged.roles, "store": replace(converged.roles["store"], **drift)})
    assert steps(plan(drifted, desired)) == [("update", "role store")]
    assert failing(drifted, desired) == {"odoo.access.roles"}


def test_the_diff_of_a_role_names_groups(converged, desired):
    drifted = replace(converged, roles={**converged.roles, "store": replace(converged.roles["store"], groups={1, 3})})
    (entry,) = diff_of(plan(drifted, desired))
    assert "  - stock.group_user\n" in entry["before"]
    assert "  - pos.group_user\n" in entry["after"]


def test_a_role_no_longer_wanted_goes_before_others_come(converged):
    manager = Role("manager", "Store.Manager", ("base.group_user",))
    changes = plan(converged, Desired(OIDC, (STORE, manager)))
    assert steps(changes) == [("delete", "role warehouse"), ("create", "role manager")]


@pytest.mark.parametrize(
    ("field", "value"),
    [("entra_issuer", "https://login.test/common/v2.0"), ("enabled", False), ("flow", "access_token")],
)
def test_a_drifted_provider_is_set_back(converged, desired, field, value):
    drifted = replace(converged, provider={**converged.provider, field: value})
    assert steps(plan(drifted, desired)) == [("update", "sign-in provider Entra")]
    assert failing(drifted, desired) == {"odoo.access.provider"}


def test_another_secret_is_told_and_never_shown(converged, desired):
    changes = plan(replace(converged, provider={**converged.provider, "client_secret": "0ld-canary"}), desired)
    assert steps(changes) == [("update", "client secret of Entra")]
    told = str([change.report() for change in changes]) + str(diff_of(changes))
    assert SECRET not in told
    assert "0ld-canary" not in told


def test_the_providers_own_change_does_not_tell_the_secret(desired):
    changes = plan(Current(groups=GROUPS), desired)
    assert SECRET not in str([change.report() for change in changes]) + str(diff_of(changes))


def test_people_with_groups_but_no_role_fail_their_control(converged, desired):
    odd = replace(converged, unaccounted=("eve@shop.test",))
    assert plan(odd, desired) == []
    assert failing(odd, desired) == {"odoo.access.people"}


class FakeOdoo:
    """As much of a client as reading and changing access needs."""

    user_groups = "groups_id"

    def __init__(self, installed="installed"):
        self.installed = installed
        self.data = [("base", "group_user", "res.groups", 1), ("estate", "role_old", "res.users.role", 5)]
        self.done = []

    def search_read(self, model, domain, fields, context=None):
        if model == "ir.module.module":
            return [{"id": 1, "state": self.installed}] if self.installed else []
        if model == "ir.model.data":
            rows = [row for row in self.data if row[2] == domain[0][2]]
            return [{"module": module, "name": name, "res_id": record} for module, name, _model, record in rows]
        if model == "res.users.role":
            found = {"id": 5, "name": "old", "group_id": [6, "old"], "entra_app_role": False, "implied_ids": [1]}
            return [found] if 5 in domain[0][2] else []
        if model == "auth.oauth.provider":
            return [{"id": 2, **dict.fromkeys(fields, False), "name": "Google", "enabled": True}]
        return []

    def call(self, model, method, ids=None, **named):
        self.done.append((model, method, ids))
        if (model, method) == ("res.users.role", "unlink"):
            self.data = [row for row in self.data if row[2] != "res.users.role"]

    def load(self, model, values, context=None):
        self.done.append((model, "load", values))

    def write(self, model, ids, values):
        self.done.append((model, "write", ids, values))


def access(odoo, bare_allowed=False):
    def connect():
        if odoo is None:
            raise OdooUnreachable("nobody answers")
        return odoo

    clerk = Role("clerk", "Clerk", ("base.group_user",))
    return Access(Desired(OIDC, (clerk,)), connect, bare_allowed)


def test_changes_reach_odoo_in_the_planned_order():
    odoo = FakeOdoo()
    capability = access(odoo)
    capability.apply(capability.plan(capability.read()))
    assert [step[:2] for step in odoo.done] == [
        ("ir.config_parameter", "set_param"),
        ("ir.config_parameter", "set_param"),
        ("auth.oauth.provider", "write"),
        ("res.users.role", "unlink"),
        ("res.groups", "unlink"),
        ("res.users.role", "load"),
        ("auth.oauth.provider", "load"),
        ("auth.oauth.provider", "load"),
    ]
    assert odoo.done[2][2:] == ([2], {"enabled": False})
    assert odoo.done[4][2] == [6]
    assert odoo.done[5][2]["implied_ids/.id"] == "1"
    assert odoo.done[7][2] == {"id": "estate.provider_entra", "client_secret": SECRET}


@pytest.mark.parametrize("state", ["uninstalled", "to upgrade", None])
def test_an_odoo_without_the_addon_is_refused_but_counts_as_bare_in_check_mode(state):
    with pytest.raises(EstateError, match="estate_auth_entra is not installed"):
        access(FakeOdoo(state)).read()
    assert access(FakeOdoo(state), bare_allowed=True).read() is None


def test_a_silent_odoo_is_an_error_but_counts_as_bare_in_check_mode():
    with pytest.raises(OdooUnreachable):
        access(None).read()
    assert access(None, bare_allowed=True).read() is None
