# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tables are vacuumed and which indexes rebuilt. Pure: no I/O, no Ansible.

A run ends with the same question it began with, so whatever makes a step necessary must be gone as soon as the step is
done. VACUUM sets a table's last_vacuum at once, while dead rows that an open transaction still sees stay: a table rests
after its VACUUM, and so do its indexes, whose empty space only VACUUM brings to light. REINDEX leaves full pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control

MIB = 1024 * 1024
WORST = 10


@dataclass(frozen=True)
class Limits:
    """At these a step is planned. The module's `limits` have each name and default.

    max_dead_percent, min_dead_rows: dead rows of a table, both at least; half of autovacuum's scale factor of 20 %.
    max_age_percent: age of the oldest row that is not frozen, of autovacuum_freeze_max_age (or its multixact twin). At
    100 autovacuum begins by itself, in trading hours too, and does not give way.
    max_bloat_percent, min_bloat_bytes: empty space in an index, both at least. Of an index that grows at random a
    quarter is empty, of one with the widest keys a third right after REINDEX: less than 40 makes no sense.
    """

    max_dead_percent: int = 10
    min_dead_rows: int = 1000
    max_age_percent: int = 75
    max_bloat_percent: int = 50
    min_bloat_bytes: int = 16 * MIB


LIMITS = {field.name: {"type": field.type, "default": field.default} for field in fields(Limits)}
"""The limits as options of a module: annotations are text here, and named as Ansible names types."""


@dataclass(frozen=True)
class Table:
    """A table as its statistics have it. name: with schema, quoted.

    dead_entries: part of the dead rows that index entries point to; the others were updated in place. 0 to 1.
    vacuumed_s: seconds since a VACUUM that was no autovacuum; None without one.
    age_percent: see Limits.max_age_percent. vacuumed, analyzed: when last, by anybody; text for an operator.
    """

    database: str
    name: str
    live: int
    dead: int
    dead_entries: float = 1
    vacuumed_s: float | None = None
    age_percent: int = 0
    vacuumed: str | None = None
    analyzed: str | None = None

    @property
    def dead_percent(self) -> float:
        return 100 * self.dead / (self.live + self.dead) if self.dead else 0


@dataclass(frozen=True)
class Index:
    """An index. name, table: with schema, quoted; size in bytes.

    filled: how full its pages are, 1 being what REINDEX fills (its fillfactor); None where it was not looked at.
    leftover: an interrupted REINDEX or DROP left it, nobody needs it.
    """

    database: str
    name: str
    table: str
    size: int
    valid: bool = True
    leftover: bool = False
    filled: float | None = None

    def empty(self, removable: float = 0) -> float:
        """The part of it that holds nothing, once `removable` of its entries are gone. 0 to 1."""
        return 0 if self.filled is None else max(0.0, 1 - min(1, self.filled) * (1 - removable))


@dataclass(frozen=True)
class State:
    """All that was read. databases: name and age_percent of each, those that take no connections included."""

    databases: tuple[Mapping[str, Any], ...]
    tables: tuple[Table, ...]
    indexes: tuple[Index, ...]


@dataclass(frozen=True)
class Step:
    """One statement in one database. table: where the statement waits for transactions, lock it first, briefly."""

    database: str
    statement: str
    table: str | None = None


def plan(state: State, limits: Limits, rest_s: float) -> list[Change]:
    """The steps, the most important ones first; the data of each Change is its Step.

    rest_s: for so long after a VACUUM a table is left alone, and its indexes' empty space, too.
    """
    resting = {_key(table) for table in state.tables if table.vacuumed_s is not None and table.vacuumed_s < rest_s}
    awake = [table for table in state.tables if _key(table) not in resting]
    old = sorted((table for table in awake if _old(table, limits)), key=lambda table: -table.age_percent)
    dead = sorted(
        (table for table in awake if _dead(table, limits) and table not in old), key=lambda table: -table.dead
    )
    broken = [index for index in state.indexes if not index.valid]
    removable = {_key(table): table.dead_percent / 100 * table.dead_entries for table in [*old, *dead]}
    bloated = [
        (index, part)
        for index in state.indexes
        if index.valid and (index.database, index.table) not in resting
        if _bloated(index, limits, part := index.empty(removable.get((index.database, index.table), 0)))
    ]
    bloated.sort(key=lambda found: -found[0].size * found[1])
    return [
        *(_drop(index) for index in broken if index.leftover),
        *(_vacuum(table, "FREEZE, ANALYZE", f"age {table.age_percent} % of autovacuum's limit") for table in old),
        *(_vacuum(table, "ANALYZE", f"{table.dead} dead rows beside {table.live}") for table in dead),
        *(_reindex(index, "invalid") for index in broken if not index.leftover),
        *(_reindex(index, f"{part:.0%} of {index.size // MIB} MiB empty") for index, part in bloated),
    ]


def _key(table: Table) -> tuple[str, str]:
    return table.database, table.name


def _old(table: Table, limits: Limits) -> bool:
    return table.age_percent >= limits.max_age_percent


def _dead(table: Table, limits: Limits) -> bool:
    return table.dead >= limits.min_dead_rows and table.dead_percent >= limits.max_dead_percent


def _bloated(index: Index, limits: Limits, part: float) -> bool:
    return 100 * part >= limits.max_bloat_percent and index.size * part >= limits.min_bloat_bytes


def _label(thing: Table | Index) -> str:
    return f"{thing.name} in {thing.database}"


def _vacuum(table: Table, options: str, why: str) -> Change:
    statement = f"VACUUM ({options})"
    step = Step(table.database, f"{statement} {table.name}")
    return Change(f"table {_label(table)}", "run", why, statement, data=step)


def _reindex(index: Index, why: str) -> Change:
    step = Step(index.database, f"REINDEX INDEX CONCURRENTLY {index.name}", index.table)
    return Change(f"index {_label(index)}", "run", why, "REINDEX INDEX CONCURRENTLY", data=step)


def _drop(index: Index) -> Change:
    step = Step(index.database, f"DROP INDEX CONCURRENTLY {index.name}", index.table)
    return Change(f"index {_label(index)}", "delete", "invalid, left by a statement that was cut short", data=step)


def names(changes: list[Change]) -> list[str]:
    """Steps in words of an operator."""
    return [f"{change.after or 'DROP INDEX CONCURRENTLY'}: {change.resource} ({change.before})" for change in changes]


def report(state: State) -> dict[str, Any]:
    """What an operator looks at: every database's age, and the worst tables and indexes, limits or not."""
    dead = sorted((table for table in state.tables if table.dead), key=lambda table: -table.dead)
    aged = sorted(state.tables, key=lambda table: -table.age_percent)
    empty = [index for index in state.indexes if index.filled is not None]
    empty.sort(key=lambda index: -index.size * index.empty())
    return {
        "databases": [dict(database) for database in state.databases],
        "dead_rows": [
            {
                "table": _label(table),
                "dead": table.dead,
                "live": table.live,
                "vacuumed": table.vacuumed,
                "analyzed": table.analyzed,
            }
            for table in dead[:WORST]
        ],
        "ages": [{"table": _label(table), "age_percent": table.age_percent} for table in aged[:WORST]],
        "bloat": [
            {"index": _label(index), "bytes": index.size, "empty_percent": round(100 * index.empty())}
            for index in empty[:WORST]
        ],
        "invalid_indexes": [_label(index) for index in state.indexes if not index.valid],
    }


def controls(state: State, limits: Limits) -> list[Control]:
    """What should hold once everything is done, resting or not."""
    held = "where VACUUM does not help, an open transaction, a slot or a prepared transaction still needs those rows"
    dead = [_label(table) for table in state.tables if _dead(table, limits)]
    old = [_label(table) for table in state.tables if _old(table, limits)]
    empty = [_label(index) for index in state.indexes if index.valid and _bloated(index, limits, index.empty())]
    invalid = [_label(index) for index in state.indexes if not index.valid]
    area, later = "postgresql.maintenance", "it is rebuilt once its table has rested"
    return [
        Control.check(f"{area}.dead_rows", "No table is full of dead rows", dead, [], held),
        Control.check(f"{area}.wraparound", "No table comes near to wraparound", old, [], held),
        Control.check(f"{area}.bloat", "No index is mostly empty", empty, [], later),
        Control.check(f"{area}.invalid_indexes", "Every index is valid", invalid, [], "it serves no query: run again"),
    ]
