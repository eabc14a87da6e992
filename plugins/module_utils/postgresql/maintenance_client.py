# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads tables and indexes of all databases, and runs the steps. The decisions are in maintenance.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.maintenance import Index, State, Step, Table
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

DATABASES = """
SELECT datname::text AS name, datallowconn AS connects, ceil(100 * greatest(
    age(datfrozenxid) / current_setting('autovacuum_freeze_max_age')::float,
    mxid_age(datminmxid) / current_setting('autovacuum_multixact_freeze_max_age')::float))::int AS age_percent
FROM pg_database ORDER BY 1
"""
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name, s.n_live_tup AS live, s.n_dead_tup AS dead,
       CASE WHEN s.n_tup_upd + s.n_tup_del = 0 THEN 1
            ELSE 1 - s.n_tup_hot_upd::float / (s.n_tup_upd + s.n_tup_del) END::float AS dead_entries,
       extract(epoch FROM now() - s.last_vacuum)::float AS vacuumed_s,
       date_trunc('second', greatest(s.last_vacuum, s.last_autovacuum))::text AS vacuumed,
       date_trunc('second', greatest(s.last_analyze, s.last_autoanalyze))::text AS analyzed,
       ceil(100 * greatest(
           greatest(age(c.relfrozenxid), age(t.relfrozenxid)) / current_setting('autovacuum_freeze_max_age')::float,
           greatest(mxid_age(c.relminmxid), mxid_age(t.relminmxid))
           / current_setting('autovacuum_multixact_freeze_max_age')::float))::int AS age_percent
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_stat_all_tables s ON s.relid = c.oid
     LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' ORDER BY 1
"""
SAMPLES = 400
"""At most so many pages of an index are looked at, at least half, evenly spread: within five points of the truth."""
INDEXES = f"""
WITH found AS (
    SELECT c.oid, format('%%I.%%I', n.nspname, c.relname) AS name, format('%%I.%%I', tn.nspname, t.relname) AS "table",
           coalesce(pg_relation_size(c.oid), 0) AS size, i.indisvalid AS valid, a.amname,
           NOT i.indislive OR NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AS leftover,
           pg_relation_filepath(c.oid) AS path,
           coalesce((SELECT option_value::int FROM pg_options_to_table(c.reloptions)
                     WHERE option_name = 'fillfactor'), 90) AS fillfactor
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
         JOIN pg_am a ON a.oid = c.relam
    WHERE c.relkind = 'i' AND t.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND NOT i.indisexclusion
      AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p
                      WHERE p.datname = current_database() AND p.relid = i.indrelid)
), size AS (
    SELECT current_setting('block_size')::bigint AS block, pg_size_bytes(current_setting('segment_size')) AS segment
)
SELECT f.name, f."table", f.size, f.valid, f.leftover, s.used * 100 / f.fillfactor AS filled
FROM found f LEFT JOIN LATERAL (
    SELECT sum(special - 24 - (upper - lower))::float / sum(special - 24) AS used FROM (
        SELECT get_byte(head, 12) + 256 * get_byte(head, 13) AS lower,
               get_byte(head, 14) + 256 * get_byte(head, 15) AS upper,
               get_byte(head, 16) + 256 * get_byte(head, 17) AS special
        FROM size, generate_series(
                 block, CASE WHEN f.amname = 'btree' AND f.valid AND f.size >= %s THEN f.size ELSE 0 END - 1,
                 block * (f.size / block / {SAMPLES} + 1)
             ) AS start,
             LATERAL (SELECT pg_read_binary_file(
                 f.path || CASE WHEN start < segment THEN '' ELSE '.' || start / segment END,
                 start %% segment, 18, true
             ) AS head) AS page
        WHERE length(head) = 18
    ) AS pages WHERE upper > 0
) AS s ON true ORDER BY 1
"""
"""The head of a page (24 bytes) says where its free space begins and ends, and where the access method's own part is.
Reading it from the file touches neither the server's cache nor any lock; it is as of the last checkpoint, and a page of
zeros is not written yet. Indexes of the catalogue and of exclusion constraints cannot be rebuilt concurrently; one that
somebody is building is invalid for good reason."""


def read(port: int, min_bytes: int, lock_s: float) -> State:
    """All tables and indexes of every database that takes connections; the filling of indexes from `min_bytes` on.

    lock_s: for how many seconds an index that is being changed is waited for.
    """
    with client.connect(port, wait_s=30) as connection:
        databases = client.rows(connection, DATABASES)
    tables: list[Table] = []
    indexes: list[Index] = []
    for name in (database["name"] for database in databases if database.pop("connects")):
        with client.connect(port, name) as connection:
            client.execute(connection, f"SET lock_timeout = {int(1000 * lock_s)}", f"database {name}")
            tables += [Table(name, **row) for row in client.rows(connection, TABLES)]
            indexes += [Index(name, **row) for row in client.rows(connection, INDEXES, min_bytes)]
    return State(tuple(databases), tuple(tables), tuple(indexes))


@dataclass(frozen=True)
class Times:
    """When to stop.

    over: whether no step is begun any more; left_s: for how many seconds one may still run, None for as long as it
    takes. lock_s, transactions_s: for how many seconds a table's lock and other people's transactions are waited for.
    """

    over: Callable[[], bool]
    left_s: Callable[[], float | None]
    lock_s: float
    transactions_s: float


def apply(port: int, changes: list[Change], times: Times) -> None:
    """Run the steps in order until times.over(); those not begun by then are taken out of `changes`.

    One that fails stops no other; the EstateError at the end has all reasons.
    """
    reasons = []
    for position, change in enumerate(changes):
        if times.over():
            del changes[position:]
            break
        try:
            with client.connect(port, change.data.database) as connection:
                _run(connection, change.resource, change.data, times)
        except EstateError as err:
            cut = ": trading begins; the next run clears up and begins again" if "statement timeout" in str(err) else ""
            reasons.append(f"{err}{cut}")
    if reasons:
        raise EstateError("; ".join(reasons))


def _run(connection: Any, what: str, step: Step, times: Times) -> None:
    client.execute(connection, f"SET lock_timeout = {int(1000 * times.lock_s)}", what)
    if step.table:
        # Whether the lock can be had is found out at once. After that the statement waits for transactions that may use
        # the old index; nobody waits behind it meanwhile, and giving up early would leave another invalid index.
        with connection.transaction():
            client.execute(connection, f"LOCK TABLE {step.table} IN SHARE UPDATE EXCLUSIVE MODE", what)
        client.execute(connection, f"SET lock_timeout = {int(1000 * times.transactions_s)}", what)
    # The plan ends a statement after an hour; rebuilding a large index may take longer, but not into trading hours.
    left_s = times.left_s()
    client.execute(connection, f"SET statement_timeout = {0 if left_s is None else max(1, int(1000 * left_s))}", what)
    client.execute(connection, step.statement, what)
