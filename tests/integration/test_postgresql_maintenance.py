# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance of the lab's database: foretold, refused while the shop trades, done, and then nothing left."""

from __future__ import annotations

import json

import pytest

TASK = (
    "retailerp.estate.postgresql : Vacuum tables and rebuild indexes that need it (for an hour, unless told otherwise)"
)
# Always trading, whatever the time at which this runs. Roles see an extra variable before the plan's value.
TRADING = {
    "postgresql_trading_hours": {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "from": "00:00",
        "to": "24:00",
    }
}


class Primary:
    """The database host that takes writes."""

    def __init__(self, lab):
        self.lab = lab
        self.name = lab.primary()

    def sql(self, *statements, check=True):
        """What these statements print, run one by one as the superuser in the estate's database."""
        return self.lab.sql(self.name, *statements, check=check)


@pytest.fixture(scope="module")
def primary(lab):
    return Primary(lab)


@pytest.fixture
def neglected(primary):
    """A table of which nine rows in ten are gone, an invalid index, and what an interrupted rebuilding left of it."""
    primary.sql(
        "DROP TABLE IF EXISTS estate_neglected",
        "CREATE TABLE estate_neglected (id bigint PRIMARY KEY, same int) WITH (autovacuum_enabled = off)",
        "INSERT INTO estate_neglected SELECT number, 1 FROM generate_series(1, 1000000) AS number",
        "DELETE FROM estate_neglected WHERE id % 10 <> 0",
    )
    # Both fail over the rows that are alike; they leave an invalid index each.
    for statement in (
        "CREATE UNIQUE INDEX CONCURRENTLY estate_neglected_same ON estate_neglected (same)",
        "REINDEX INDEX CONCURRENTLY estate_neglected_same",
    ):
        assert "could not create unique index" in primary.sql(statement, check=False)
    # The filling of an index is read from its file.
    primary.sql("UPDATE estate_neglected SET same = id", "CHECKPOINT")
    yield primary
    primary.sql("DROP TABLE estate_neglected")


def steps(run, host):
    """(action, resource) of the steps that a run tells of the neglected table."""
    (result,) = (task["hosts"][host] for play in run.result["plays"] for task in play["tasks"] if task["name"] == TASK)
    found = [(change["action"], change["resource"]) for change in result["changes"]]
    return [step for step in found if "estate_neglected" in step[1]]


def test_neglect_is_foretold_refused_while_the_shop_trades_and_undone(lab, neglected):
    def seen():
        """Bytes of the primary key; invalid indexes and all of them."""
        own = "FROM pg_index WHERE indrelid = 'estate_neglected'::regclass"
        size = neglected.sql("SELECT pg_relation_size('estate_neglected_pkey')")
        return int(size), neglected.sql(f"SELECT count(*) FILTER (WHERE NOT indisvalid), count(*) {own}")

    trading, before = ("-e", json.dumps(TRADING)), seen()
    assert before[1] == "2|3"
    foretold = steps(lab.playbook("maintenance", *trading, "--check"), neglected.name)
    assert foretold == [
        ("delete", "index public.estate_neglected_same_ccnew in shop"),
        ("run", "table public.estate_neglected in shop"),
        ("run", "index public.estate_neglected_same in shop"),
        ("run", "index public.estate_neglected_pkey in shop"),
    ]

    for override in ([], ["-e", "maintenance_anyway=another"]):
        refused = lab.playbook("maintenance", *trading, *override, check=False)
        assert refused.code != 0
        assert "the shop trades until 24:00" in refused.output
    assert seen() == before

    anyway = (*trading, "-e", f"maintenance_anyway={lab.spec()['id']}")
    assert steps(lab.playbook("maintenance", *anyway), neglected.name) == foretold
    size, indexes = seen()
    assert size < before[0] / 3
    assert indexes == "0|2"

    assert set(lab.playbook("maintenance", *anyway).stats("changed").values()) == {0}
