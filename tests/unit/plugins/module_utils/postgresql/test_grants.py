# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Privileges within a database: on tables that are there, on tables to come, on functions of the system."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import grants
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    Database,
    DatabaseFound,
    Held,
)

MANAGED = {"application", "reporting", "audit"}
SHOP = Database("shop", connect={}, tables={"reporting": ("SELECT",)}, creators=("application",))
SELECT = frozenset({"SELECT"})
READS = {"reporting": Held(SELECT, SELECT)}
DEFAULTS = {
    ("application", "TABLES"): {"reporting": SELECT},
    ("application", "SEQUENCES"): {"reporting": SELECT},
}
FOUND = DatabaseFound("owner", tables={"TABLES": READS, "SEQUENCES": READS}, defaults=DEFAULTS)


def changes(found, database=SHOP):
    return list(grants.plan(found, database, MANAGED))


def statements(found, database=SHOP):
    assert {change.data.database for change in changes(found, database)} <= {"shop"}
    return [sql for change in changes(found, database) for sql in change.data.sql]


def holding(kind, **holders):
    return replace(FOUND, tables={**FOUND.tables, kind: {**READS, **holders}})


def test_what_stands_needs_nothing():
    assert statements(FOUND) == []


def test_a_new_database_has_default_privileges_and_no_table_to_grant_on():
    assert statements(DatabaseFound("owner")) == [
        'ALTER DEFAULT PRIVILEGES FOR ROLE "application" IN SCHEMA public GRANT SELECT ON TABLES TO "reporting"',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "application" IN SCHEMA public GRANT SELECT ON SEQUENCES TO "reporting"',
    ]


def test_tables_that_were_there_before_are_granted_after_those_to_come():
    found = statements(DatabaseFound("owner", tables={"TABLES": {}, "SEQUENCES": {}}))
    assert found[2:] == [
        'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "reporting"',
        'GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO "reporting"',
    ]


def test_one_table_without_the_grant_is_enough():
    found = holding("TABLES", reporting=Held(frozenset(), SELECT))
    (change,) = changes(found)
    assert (change.before, change.after) == ("SELECT on some", "SELECT")
    assert change.data.sql == ('GRANT SELECT ON ALL TABLES IN SCHEMA public TO "reporting"',)


def test_one_privilege_too_many_is_enough():
    found = holding("TABLES", reporting=Held(SELECT, frozenset({"SELECT", "INSERT"})))
    (change,) = changes(found)
    assert (change.before, change.after) == ("INSERT on some, SELECT", "SELECT")
    assert change.data.sql == ('REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM "reporting"',)


def test_public_and_roles_that_are_to_read_nothing_lose_what_they_hold():
    some = Held(frozenset(), SELECT)
    assert statements(holding("TABLES", audit=some, PUBLIC=some)) == [
        "REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM PUBLIC",
        'REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM "audit"',
    ]


def test_creators_and_roles_of_others_keep_what_they_hold():
    everything = Held(frozenset(), frozenset({"SELECT", "UPDATE"}))
    assert statements(holding("TABLES", application=everything, consultant=everything)) == []


def test_each_kind_gets_the_privileges_it_knows():
    shop = replace(SHOP, tables={"reporting": ("SELECT", "INSERT")})
    assert statements(FOUND, shop) == [
        'ALTER DEFAULT PRIVILEGES FOR ROLE "application" IN SCHEMA public GRANT INSERT ON TABLES TO "reporting"',
        'GRANT INSERT ON ALL TABLES IN SCHEMA public TO "reporting"',
    ]
    shop = replace(SHOP, tables={"reporting": ("SELECT", "USAGE")})
    assert all("SEQUENCES" in sql for sql in statements(FOUND, shop))


def test_default_privileges_of_our_roles_are_exact_and_those_of_others_are_left():
    defaults = {
        ("application", "TABLES"): {"reporting": frozenset({"SELECT", "DELETE"}), "consultant": SELECT},
        ("application", "SEQUENCES"): {"reporting": SELECT, "application": SELECT},
        ("audit", "TABLES"): {"PUBLIC": SELECT},
        ("consultant", "TABLES"): {"audit": SELECT},
    }
    assert statements(replace(FOUND, defaults=defaults)) == [
        'ALTER DEFAULT PRIVILEGES FOR ROLE "application" IN SCHEMA public REVOKE DELETE ON TABLES FROM "reporting"',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "audit" IN SCHEMA public REVOKE SELECT ON TABLES FROM PUBLIC',
    ]


def test_tables_are_left_alone_where_they_are_not_managed():
    found = holding("TABLES", audit=Held(SELECT, SELECT))
    assert statements(found, replace(SHOP, tables=None)) == []


def test_functions_of_the_system_are_granted_and_taken_exactly():
    shop = replace(SHOP, execute={"reporting": ("pg_ls_dir(text,boolean,boolean)", "pg_switch_wal()")})
    held = {
        "reporting": frozenset({"pg_switch_wal()", "pg_promote(boolean,integer)"}),
        "application": frozenset({"pg_switch_wal()"}),
        "consultant": frozenset({"pg_switch_wal()"}),
    }
    assert statements(replace(FOUND, execute=held), shop) == [
        'REVOKE EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() FROM "application"',
        'GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text,boolean,boolean) TO "reporting"',
        'REVOKE EXECUTE ON FUNCTION pg_catalog.pg_promote(boolean,integer) FROM "reporting"',
    ]
    assert statements(replace(FOUND, execute=held)) == []
