# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which privileges are given and taken: on a database, its schema public and functions of the system. Pure.

Managed roles and PUBLIC hold exactly what is wanted, all others keep what they hold, owners what they have by owning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    PUBLIC,
    Database,
    DatabaseFound,
    Statement,
    ident,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change


@dataclass(frozen=True)
class Target:
    """What a privilege is on, in SQL, and the database to be in for it (None: postgres)."""

    name: str
    database: str | None = None


def plan(found: DatabaseFound, database: Database, managed: set[str]) -> Iterator[Change]:
    """What makes the privileges on one database, and in it, those that are wanted."""
    resource = f"database {database.name}"
    target = Target(f"DATABASE {ident(database.name)}")
    for grantee, have, want in _differing(found.acl, database.connect, {PUBLIC} | managed - {found.owner}):
        yield _grant(resource, target, grantee, have, want)
    if database.create is not None:
        target = Target("SCHEMA public", database.name)
        for grantee, have, want in _differing(found.schema_acl, database.create, {PUBLIC} | managed):
            yield _grant(f"{resource} schema public", target, grantee, have, want)
    if database.execute is not None:
        for grantee, have, want in _differing(found.execute, database.execute, managed):
            yield _execute(resource, database.name, grantee, have, want)


def _differing(
    found: Mapping[str, frozenset[str]], wanted: Mapping[str, tuple[str, ...]], grantees: set[str]
) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """Each grantee with what it has and is to have, where that differs; roles of others are not among them."""
    for grantee in sorted(grantees | set(wanted)):
        have, want = found.get(grantee, frozenset()), frozenset(wanted.get(grantee, ()))
        if have != want:
            yield grantee, have, want


def _grant(resource: str, target: Target, grantee: str, have: frozenset[str], want: frozenset[str]) -> Change:
    who = grantee if grantee == PUBLIC else ident(grantee)
    sql = []
    if want - have:
        sql.append(f"GRANT {listed(want - have)} ON {target.name} TO {who}")
    if have - want:
        sql.append(f"REVOKE {listed(have - want)} ON {target.name} FROM {who}")
    statement = Statement(tuple(sql), target.database)
    return Change(f"{resource} grants to {grantee}", "update", listed(have), listed(want), data=statement)


def _execute(resource: str, database: str, grantee: str, have: frozenset[str], want: frozenset[str]) -> Change:
    """One privilege on many things, where _grant() is many privileges on one."""
    sql = []
    if want - have:
        sql.append(f"GRANT EXECUTE ON FUNCTION {_functions(want - have)} TO {ident(grantee)}")
    if have - want:
        sql.append(f"REVOKE EXECUTE ON FUNCTION {_functions(have - want)} FROM {ident(grantee)}")
    statement = Statement(tuple(sql), database)
    return Change(f"{resource} functions granted to {grantee}", "update", listed(have), listed(want), data=statement)


def _functions(signatures: Iterable[str]) -> str:
    return ", ".join(f"pg_catalog.{signature}" for signature in sorted(signatures))


def listed(words: Iterable[str]) -> str:
    """The words in one order, so that two texts can be compared."""
    return ", ".join(sorted(words))
