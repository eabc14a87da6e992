# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, databases, grants and slots: the least that is to be done, and nothing to what is another's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import access, scram
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    Current,
    Database,
    DatabaseFound,
    Desired,
    Role,
    RoleFound,
    SlotFound,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError, diff_of

PASSWORD = "canary-password"
APPLICATION = Role("shop_application", PASSWORD)
MONITOR = Role("shop_monitor", PASSWORD, member_of=("pg_monitor",))
SHOP = Database(
    name="shop",
    owner="shop_owner",
    connect={"shop_application": ("CONNECT", "TEMPORARY")},
    create={"shop_application": ("USAGE", "CREATE")},
    extensions=("unaccent",),
    immutable=("unaccent(text)",),
)
DESIRED = Desired((APPLICATION, MONITOR), (SHOP,), ("estate_db2",))
CONVERGED = Current(
    roles={
        "shop_application": RoleFound(APPLICATION.attributes(), scram.verifier(PASSWORD)),
        "shop_monitor": RoleFound(MONITOR.attributes(), scram.verifier(PASSWORD), ("pg_monitor",)),
    },
    databases={
        "shop": DatabaseFound(
            owner="shop_owner",
            acl={
                "PUBLIC": frozenset(),
                "shop_owner": frozenset({"CREATE", "CONNECT", "TEMPORARY"}),
                "shop_application": frozenset({"CONNECT", "TEMPORARY"}),
                "auditor": frozenset({"CONNECT"}),
            },
            schema_acl={"shop_application": frozenset({"USAGE", "CREATE"})},
            extensions=frozenset({"plpgsql", "unaccent"}),
            immutable=frozenset({"unaccent(text)"}),
        )
    },
    slots={"estate_db2": SlotFound(active=True), "backup": SlotFound(active=False)},
)


def resources(current, desired=DESIRED):
    return [f"{change.action} {change.resource}" for change in access.plan(current, desired)]


def statements(current, desired=DESIRED):
    return [sql for change in access.plan(current, desired) for sql in change.data.sql]


def with_role(name, **changed):
    return replace(CONVERGED, roles={**CONVERGED.roles, name: replace(CONVERGED.roles[name], **changed)})


def with_database(**changed):
    return replace(CONVERGED, databases={"shop": replace(CONVERGED.databases["shop"], **changed)})


def test_what_stands_needs_nothing():
    assert resources(CONVERGED) == []


def test_a_bare_cluster_gets_everything_in_order():
    assert resources(Current()) == [
        "create role shop_application",
        "create role shop_monitor",
        "update role shop_monitor memberships",
        "create database shop",
        "create database shop extension unaccent",
        "update database shop function unaccent(text)",
        "update database shop grants to PUBLIC",
        "update database shop grants to shop_application",
        "update database shop schema public grants to PUBLIC",
        "update database shop schema public grants to shop_application",
        "create replication slot estate_db2",
    ]


def test_a_new_database_is_what_odoo_wants():
    made = next(sql for sql in statements(Current()) if sql.startswith("CREATE DATABASE"))
    assert made == (
        'CREATE DATABASE "shop" OWNER "shop_owner" TEMPLATE template0 '
        "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"
    )


def test_a_role_that_someone_made_superuser_is_put_back():
    found = with_role("shop_application", attributes=APPLICATION.attributes().replace("NOSUPERUSER", "SUPERUSER"))
    assert statements(found) == [f'ALTER ROLE "shop_application" {APPLICATION.attributes()}']


def test_a_rotated_password_is_sent_as_a_verifier_and_never_shown():
    changes = access.plan(with_role("shop_application", verifier=scram.verifier("the old one")), DESIRED)
    assert [change.resource for change in changes] == ["role shop_application password"]
    (sql,) = changes[0].data.sql
    assert sql.startswith('ALTER ROLE "shop_application" PASSWORD \'SCRAM-SHA-256$4096:')
    shown = str([change.report() for change in changes]) + str(diff_of(changes)) + sql
    assert PASSWORD not in shown
    assert "SCRAM" not in str(diff_of(changes))


def test_a_role_gets_a_password_when_it_has_none():
    assert resources(with_role("shop_application", verifier=None)) == ["update role shop_application password"]


OWNER = Role("shop_owner", login=False)


def test_a_role_that_may_not_log_in_is_made_without_a_password():
    assert statements(Current(), Desired(roles=(OWNER,))) == [f'CREATE ROLE "shop_owner" {OWNER.attributes()}']
    assert OWNER.attributes().startswith("NOLOGIN ")


def test_a_login_and_a_password_that_should_not_be_are_taken_away_and_never_shown():
    left = RoleFound(Role("shop_owner").attributes(), scram.verifier(PASSWORD))
    changes = access.plan(Current(roles={"shop_owner": left}), Desired(roles=(OWNER,)))
    assert [sql for change in changes for sql in change.data.sql] == [
        f'ALTER ROLE "shop_owner" {OWNER.attributes()}',
        'ALTER ROLE "shop_owner" PASSWORD NULL',
    ]
    assert changes[1].report() == {
        "resource": "role shop_owner password",
        "action": "update",
        "before": "(secret)",
        "after": None,
    }
    assert "SCRAM" not in str(diff_of(changes))


def test_a_password_for_a_role_that_may_not_log_in_is_refused():
    with pytest.raises(EstateError, match="role shop_owner has a password and may not log in"):
        access.plan(Current(), Desired(roles=(replace(OWNER, password=PASSWORD),)))


def test_settings_of_a_role_are_exact():
    role = replace(APPLICATION, settings={"statement_timeout": "5min", "work_mem": "8MB"})
    found = with_role("shop_application", settings={"work_mem": "1GB", "jit": "off"})
    (change,) = access.plan(found, replace(DESIRED, roles=(role, MONITOR)))
    assert (change.before, change.after) == (
        "jit = off, work_mem = 1GB",
        "statement_timeout = 5min, work_mem = 8MB",
    )
    assert change.data.sql == (
        'ALTER ROLE "shop_application" SET "statement_timeout" = \'5min\'',
        'ALTER ROLE "shop_application" SET "work_mem" = \'8MB\'',
        'ALTER ROLE "shop_application" RESET "jit"',
    )


def test_memberships_are_exact():
    found = with_role("shop_monitor", member_of=("pg_read_all_data",))
    assert statements(found) == [
        'GRANT "pg_monitor" TO "shop_monitor"',
        'REVOKE "pg_read_all_data" FROM "shop_monitor"',
    ]


def test_what_public_and_our_roles_hold_too_much_is_taken_away_and_others_keep_theirs():
    acl = {**CONVERGED.databases["shop"].acl, "PUBLIC": frozenset({"CONNECT"}), "shop_monitor": frozenset({"CREATE"})}
    assert statements(with_database(acl=acl)) == [
        'REVOKE CONNECT ON DATABASE "shop" FROM PUBLIC',
        'REVOKE CREATE ON DATABASE "shop" FROM "shop_monitor"',
    ]


def test_grants_on_the_schema_are_made_inside_the_database():
    (change,) = access.plan(with_database(schema_acl={}), DESIRED)
    assert change.data.database == "shop"
    assert change.data.sql == ('GRANT CREATE, USAGE ON SCHEMA public TO "shop_application"',)


def test_a_database_of_another_owner_is_given_back():
    assert resources(with_database(owner="postgres")) == ["update database shop"]


def test_a_database_without_owner_is_never_made_and_its_schema_is_left_alone():
    desired = Desired(databases=(Database("postgres", connect={"shop_application": ("CONNECT",)}),))
    found = Current(
        databases={"postgres": DatabaseFound("postgres", acl={"PUBLIC": frozenset({"CONNECT", "TEMPORARY"})})}
    )
    assert resources(Current(), desired) == resources(found, desired)
    assert statements(found, desired) == [
        'REVOKE CONNECT, TEMPORARY ON DATABASE "postgres" FROM PUBLIC',
        'GRANT CONNECT ON DATABASE "postgres" TO "shop_application"',
    ]


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        ({}, ["create replication slot estate_db2"]),
        ({"estate_db2": SlotFound(active=False, lost=True)}, ["update replication slot estate_db2"]),
        ({"estate_db2": SlotFound(active=False)}, []),
        (
            {"estate_db2": SlotFound(active=True), "estate_db3": SlotFound(active=False)},
            ["delete replication slot estate_db3"],
        ),
        ({"estate_db2": SlotFound(active=True), "estate_db3": SlotFound(active=True)}, []),
        ({"estate_db2": SlotFound(active=True), "backup": SlotFound(active=False)}, []),
    ],
)
def test_slots(slots, expected):
    assert resources(replace(CONVERGED, slots=slots)) == expected


def test_a_standby_only_gives_up_slots_nobody_uses():
    slots = {"estate_db2": SlotFound(active=False), "backup": SlotFound(active=False)}
    assert resources(Current(standby=True, slots=slots)) == ["delete replication slot estate_db2"]
    assert resources(Current(standby=True)) == []


STRANGERS = {
    "postgres": RoleFound("LOGIN SUPERUSER CREATEDB CREATEROLE BYPASSRLS REPLICATION"),
    "consultant": RoleFound("LOGIN NOSUPERUSER NOREPLICATION", member_of=("shop_application", "pg_read_all_data")),
    "dba": RoleFound("NOLOGIN SUPERUSER NOREPLICATION"),
    "watchers": RoleFound("NOLOGIN NOSUPERUSER", member_of=("pg_monitor",)),
    "readers": RoleFound("NOLOGIN NOSUPERUSER NOREPLICATION", member_of=("shop_monitor",)),
}


def test_strangers_with_access_are_named_and_kept():
    found = replace(CONVERGED, roles={**CONVERGED.roles, **STRANGERS})
    assert resources(found) == []
    control = access.strangers(found, DESIRED, exclusive=True)
    assert (control.id, control.state) == ("postgresql.access.strangers", "fail")
    assert control.observed == ["consultant: login, pg_read_all_data", "dba: superuser", "watchers: pg_monitor"]
    assert control.reason


def test_strangers_are_only_told_of_where_roles_of_others_are_allowed():
    found = replace(CONVERGED, roles={**CONVERGED.roles, **STRANGERS})
    control = access.strangers(found, DESIRED, exclusive=False)
    assert (control.state, len(control.observed)) == ("exempt", 3)
    assert control.reason


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("found", [Current(), CONVERGED])
def test_without_strangers_the_control_passes(found, exclusive):
    assert access.strangers(found, DESIRED, exclusive).state == "pass"


def test_names_are_quoted():
    role = Role('a"; DROP ROLE b; --', PASSWORD)
    assert statements(Current(), Desired(roles=(role,)))[0].startswith('CREATE ROLE "a""; DROP ROLE b; --" LOGIN')
    assert access.slot_name("db-2.Example") == "estate_db_2_example"
