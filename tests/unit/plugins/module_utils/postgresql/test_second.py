# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Second logins: the rights of their role, no stranger, dropped when that is said and nobody uses them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import access, scram, second
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    Current,
    Desired,
    Role,
    RoleFound,
    Use,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

PASSWORD, NEXT = "canary-password", "canary-password-next"
REPORTING = Role("shop_reporting", PASSWORD, member_of=("pg_monitor",), settings={"statement_timeout": "5min"})
SECOND = second.of(REPORTING, "shop_reporting_next", NEXT)
NAMES = {"shop_reporting_next": "shop_reporting"}
STEADY = Desired((REPORTING,), second=NAMES)
ROTATING = Desired((REPORTING, SECOND), second=NAMES)
ENDING = replace(STEADY, drop=True)
ALONE = Current(
    roles={
        "shop_reporting": RoleFound(
            REPORTING.attributes(), scram.verifier(PASSWORD), REPORTING.member_of, REPORTING.settings
        )
    }
)
BOTH = Current(
    roles={
        **ALONE.roles,
        "shop_reporting_next": RoleFound(SECOND.attributes(), scram.verifier(NEXT), SECOND.member_of, SECOND.settings),
    },
    use={"shop_reporting_next": Use()},
)


def used(*sessions, owns_in=()):
    return replace(BOTH, use={"shop_reporting_next": Use(sessions, owns_in)})


def statements(current, desired):
    return [(change.data.database, sql) for change in access.plan(current, desired) for sql in change.data.sql]


def test_a_second_login_is_a_member_of_its_role_and_takes_it_at_once():
    created, granted, *settings = [sql for _database, sql in statements(ALONE, ROTATING)]
    assert created.startswith('CREATE ROLE "shop_reporting_next" LOGIN NOSUPERUSER')
    assert NEXT not in created
    assert granted == 'GRANT "shop_reporting" TO "shop_reporting_next"'
    assert settings == [
        """ALTER ROLE "shop_reporting_next" SET "role" = 'shop_reporting'""",
        """ALTER ROLE "shop_reporting_next" SET "statement_timeout" = '5min'""",
    ]
    assert statements(BOTH, ROTATING) == []


@pytest.mark.parametrize("desired", [ROTATING, STEADY, ENDING])
def test_it_is_never_a_stranger(desired):
    assert access.strangers(BOTH, desired, exclusive=True).state == "pass"


def test_left_over_it_is_told_of_and_kept():
    """A host that is down now may come back with it."""
    assert statements(BOTH, STEADY) == []
    assert (second.left(BOTH, STEADY).state, second.left(BOTH, STEADY).observed) == ("fail", ["shop_reporting_next"])
    assert second.left(BOTH, ROTATING).state == second.left(ALONE, STEADY).state == "pass"


def test_it_is_dropped_when_nobody_uses_it_and_its_role_gets_what_it_made():
    given, (database, dropped) = statements(used(owns_in=("shop",)), ENDING)
    assert given == ("shop", 'REASSIGN OWNED BY "shop_reporting_next" TO "shop_reporting"')
    assert database is None
    assert "WHERE usename = 'shop_reporting_next') THEN RAISE" in dropped
    assert dropped.endswith('DROP ROLE "shop_reporting_next"; END $estate$')
    assert len(statements(BOTH, ENDING)) == 1
    assert statements(ALONE, ENDING) == []


def test_none_is_dropped_while_one_is_used():
    names = {**NAMES, "shop_audit_next": "shop_audit"}
    roles = {**BOTH.roles, "shop_audit_next": RoleFound(SECOND.attributes())}
    current = used("10.0.0.5", "10.0.0.5", "10.0.0.6")
    current = replace(current, roles=roles, use={**current.use, "shop_audit_next": Use()})
    with pytest.raises(EstateError) as refused:
        access.plan(current, replace(ENDING, second=names))
    told = str(refused.value)
    assert "shop_reporting_next has 3 sessions (2 from 10.0.0.5, 1 from 10.0.0.6)" in told
    assert "log in as shop_reporting, or end them" in told
    assert "shop_audit" not in told


@pytest.mark.parametrize("desired", [ROTATING, STEADY])
def test_one_that_is_used_disturbs_nothing_else(desired):
    assert statements(used("10.0.0.5"), desired) == []


def test_a_new_generation_changes_the_password_of_the_second_login_alone():
    newer = Desired((REPORTING, second.of(REPORTING, "shop_reporting_next", "canary-password-third")), second=NAMES)
    assert [change.resource for change in access.plan(BOTH, newer)] == ["role shop_reporting_next password"]


def test_a_standby_drops_none():
    assert statements(replace(used("10.0.0.5"), standby=True), ENDING) == []
