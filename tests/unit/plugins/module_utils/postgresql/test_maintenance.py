# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance: what is planned, in which order, and that a run leaves nothing to do."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, maintenance, maintenance_client
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.maintenance import Index, Limits, State, Table
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError
from ansible_collections.retailerp.estate.plugins.modules import postgresql_maintenance

LIMITS = Limits()
HOUR = 3600
MIB = maintenance.MIB
CLEAN = Table("shop", "public.t", live=100_000, dead=0)
FULL = replace(CLEAN, dead=20_000)
INDEX = Index("shop", "public.t_pkey", "public.t", 100 * MIB, filled=1.0)


def planned(*things):
    """Statements, in order."""
    tables = tuple(thing for thing in things if isinstance(thing, Table))
    indexes = tuple(thing for thing in things if isinstance(thing, Index))
    changes = maintenance.plan(State((), tables, indexes), LIMITS, HOUR)
    return [change.data.statement for change in changes]


@pytest.mark.parametrize(
    ("table", "statements"),
    [
        (CLEAN, []),
        (FULL, ["VACUUM (ANALYZE) public.t"]),
        (replace(FULL, live=1_000_000), []),
        (replace(CLEAN, live=0, dead=999), []),
        (replace(CLEAN, live=0, dead=1000), ["VACUUM (ANALYZE) public.t"]),
        (replace(CLEAN, age_percent=74), []),
        (replace(CLEAN, age_percent=75), ["VACUUM (FREEZE, ANALYZE) public.t"]),
        (replace(FULL, age_percent=75), ["VACUUM (FREEZE, ANALYZE) public.t"]),
        (replace(FULL, age_percent=75, vacuumed_s=3599.9), []),
        (replace(FULL, vacuumed_s=3600.0), ["VACUUM (ANALYZE) public.t"]),
    ],
)
def test_tables(table, statements):
    assert planned(table) == statements


REINDEX = "REINDEX INDEX CONCURRENTLY public.t_pkey"
DROP = "DROP INDEX CONCURRENTLY public.t_pkey"


@pytest.mark.parametrize(
    ("index", "statements"),
    [
        (INDEX, []),
        (replace(INDEX, filled=0.5), [REINDEX]),
        (replace(INDEX, filled=0.51), []),
        (replace(INDEX, filled=0.1, size=17 * MIB), []),
        (replace(INDEX, filled=None), []),
        (replace(INDEX, filled=1.1), []),
        (replace(INDEX, valid=False, filled=None), [REINDEX]),
        (replace(INDEX, valid=False, leftover=True, filled=None), [DROP]),
    ],
)
def test_indexes(index, statements):
    assert planned(CLEAN, index) == statements
    assert planned(replace(CLEAN, vacuumed_s=10), index) == [one for one in statements if not index.valid]


def test_what_vacuum_will_clear_counts_as_space():
    gone = replace(CLEAN, live=100, dead=900_000)
    assert planned(gone, INDEX) == ["VACUUM (ANALYZE) public.t", REINDEX]
    # Rows updated in place leave nothing in an index.
    assert planned(replace(gone, dead_entries=0.1), INDEX) == ["VACUUM (ANALYZE) public.t"]
    # A database of the same names is another one.
    assert planned(gone, replace(INDEX, database="other")) == ["VACUUM (ANALYZE) public.t"]


def test_the_most_important_comes_first():
    things = [
        replace(INDEX, name="i_small", filled=0.4),
        replace(INDEX, name="i_large", filled=0.4, size=200 * MIB),
        replace(INDEX, name="i_invalid", valid=False),
        replace(INDEX, name="i_ccnew", valid=False, leftover=True),
        replace(FULL, name="some", database="a"),
        replace(FULL, name="many", database="a", dead=50_000),
        replace(CLEAN, name="old", age_percent=80),
        replace(CLEAN, name="older", age_percent=90),
    ]
    assert planned(*things) == [
        "DROP INDEX CONCURRENTLY i_ccnew",
        "VACUUM (FREEZE, ANALYZE) older",
        "VACUUM (FREEZE, ANALYZE) old",
        "VACUUM (ANALYZE) many",
        "VACUUM (ANALYZE) some",
        "REINDEX INDEX CONCURRENTLY i_invalid",
        "REINDEX INDEX CONCURRENTLY i_large",
        "REINDEX INDEX CONCURRENTLY i_small",
    ]


TABLES = st.builds(
    Table,
    database=st.sampled_from(["shop", "postgres"]),
    name=st.sampled_from(["a", "b", "c"]),
    live=st.integers(0, 10**6),
    dead=st.integers(0, 10**6),
    dead_entries=st.floats(0, 1),
    vacuumed_s=st.none() | st.floats(0, 2 * HOUR),
    age_percent=st.integers(0, 200),
)
INDEXES = st.builds(
    Index,
    database=st.sampled_from(["shop", "postgres"]),
    name=st.sampled_from(["i", "j", "k", "l"]),
    table=st.sampled_from(["a", "b", "c"]),
    size=st.integers(0, 10**9),
    valid=st.booleans(),
    leftover=st.booleans(),
    filled=st.none() | st.floats(0, 1.2),
)


def carried_out(state, changes, held, seconds):
    """What the server tells after these steps: `held` rows cannot go yet, VACUUM brought empty space to light."""
    done = {(change.data.database, change.data.statement) for change in changes}
    tables = []
    for table in state.tables:
        vacuumed = [statement for database, statement in done if database == table.database]
        if any(one.startswith("VACUUM") and one.endswith(f" {table.name}") for one in vacuumed):
            table = replace(table, vacuumed_s=seconds, dead=table.dead if held else 0)  # noqa: PLW2901
        elif table.vacuumed_s is not None:
            table = replace(table, vacuumed_s=table.vacuumed_s + seconds)  # noqa: PLW2901
        tables.append(table)
    resting = {(table.database, table.name) for table in tables if table.vacuumed_s == seconds}
    indexes = []
    for index in state.indexes:
        if (index.database, f"DROP INDEX CONCURRENTLY {index.name}") in done:
            continue
        if (index.database, f"REINDEX INDEX CONCURRENTLY {index.name}") in done:
            index = replace(index, valid=True, filled=0.7)  # noqa: PLW2901
        elif (index.database, index.table) in resting and index.filled:
            index = replace(index, filled=index.filled / 3)  # noqa: PLW2901
        indexes.append(index)
    return State(state.databases, tuple(tables), tuple(indexes))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    tables=st.lists(TABLES, max_size=6, unique_by=lambda table: (table.database, table.name)),
    indexes=st.lists(INDEXES, max_size=6, unique_by=lambda index: (index.database, index.name)),
    held=st.booleans(),
)
def test_a_run_leaves_nothing_to_do(tables, indexes, held):
    # A table that stops resting during the run is the next one's: its time is over when the run's is.
    tables = [replace(table, vacuumed_s=None) if (table.vacuumed_s or 0) > HOUR // 2 else table for table in tables]
    state = State((), tuple(tables), tuple(indexes))
    changes = maintenance.plan(state, LIMITS, HOUR)
    assert len({(change.data.database, change.resource) for change in changes}) == len(changes)
    assert maintenance.plan(carried_out(state, changes, held, HOUR / 2 - 1), LIMITS, HOUR) == []


def test_controls_and_report_name_what_is_wrong():
    state = State(
        ({"name": "shop", "age_percent": 80},),
        (FULL, replace(CLEAN, name="public.old", age_percent=80)),
        (replace(INDEX, filled=0.2), replace(INDEX, name="public.bad", valid=False)),
    )
    wrong = {control.id.rpartition(".")[2]: control.observed for control in maintenance.controls(state, LIMITS)}
    assert wrong == {
        "dead_rows": ["public.t in shop"],
        "wraparound": ["public.old in shop"],
        "bloat": ["public.t_pkey in shop"],
        "invalid_indexes": ["public.bad in shop"],
    }
    told = maintenance.report(state)
    assert told["bloat"][0] == {"index": "public.t_pkey in shop", "bytes": 100 * MIB, "empty_percent": 80}
    assert told["ages"][0] == {"table": "public.old in shop", "age_percent": 80}
    assert [control.state for control in maintenance.controls(State((), (), ()), LIMITS)] == ["pass"] * 4


def test_the_limits_are_the_options_of_the_module():
    documented = yaml.safe_load(postgresql_maintenance.DOCUMENTATION)["options"]["limits"]["suboptions"]
    assert {name: {key: option[key] for key in ("type", "default")} for name, option in documented.items()} == (
        maintenance.LIMITS
    )


class Connection:
    """Notes what is run in which database; statements with `broken` in them fail."""

    def __init__(self, database, ran):
        self.database, self.ran = database, ran

    def transaction(self):
        return contextlib.nullcontext()


@pytest.fixture
def ran(monkeypatch):
    """(database, statement) of all that was run."""
    found = []

    def execute(connection, sql, what):
        found.append((connection.database, sql))
        for words, reason in (("broken", "lock timeout"), ("too_long", "statement timeout")):
            if words in sql:
                raise EstateError(f"{what}: canceling statement due to {reason}")

    monkeypatch.setattr(
        client, "connect", lambda port, database=None: contextlib.nullcontext(Connection(database, found))
    )
    monkeypatch.setattr(client, "execute", execute)
    return found


def times(over=lambda: False, left_s=lambda: None):
    return maintenance_client.Times(over, left_s, 5, 600)


def changes_of(*names):
    return maintenance.plan(State((), tuple(replace(FULL, name=name) for name in names), ()), LIMITS, HOUR)


def test_a_step_that_fails_stops_no_other(ran):
    with pytest.raises(EstateError) as failure:
        maintenance_client.apply(5432, changes_of("broken1", "fine", "broken2"), times())
    assert str(failure.value).count("lock timeout") == 2
    assert "table broken1 in shop" in str(failure.value)
    assert ("shop", "VACUUM (ANALYZE) fine") in ran


def test_no_step_begins_once_the_time_is_over(ran):
    changes, clock = changes_of("a", "b", "c"), iter([False, True])
    maintenance_client.apply(5432, changes, times(lambda: next(clock)))
    assert [change.data.statement for change in changes] == ["VACUUM (ANALYZE) a"]
    assert [sql for _database, sql in ran if "VACUUM" in sql] == ["VACUUM (ANALYZE) a"]


def test_rebuilding_finds_out_at_once_whether_it_may_and_then_waits(ran):
    state = State((), (CLEAN,), (replace(INDEX, filled=0.1),))
    maintenance_client.apply(5432, maintenance.plan(state, LIMITS, HOUR), times())
    assert [sql for _database, sql in ran] == [
        "SET lock_timeout = 5000",
        "LOCK TABLE public.t IN SHARE UPDATE EXCLUSIVE MODE",
        "SET lock_timeout = 600000",
        "SET statement_timeout = 0",
        REINDEX,
    ]


def test_a_step_may_run_until_trading_begins(ran):
    left = iter([90.5, 0.0002, -3.0])
    maintenance_client.apply(5432, changes_of("a", "b", "c"), times(left_s=lambda: next(left)))
    limits = [sql for _database, sql in ran if "statement_timeout" in sql]
    assert limits == [f"SET statement_timeout = {number}" for number in (90500, 1, 1)], "0 would be no limit"


def test_a_step_that_trading_cuts_short_says_so(ran):
    with pytest.raises(EstateError, match=r"too_long in shop: .*: trading begins; the next run clears up"):
        maintenance_client.apply(5432, changes_of("too_long"), times())
