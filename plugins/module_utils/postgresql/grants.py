# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which privileges are given and taken: on a database, its schema public and what is in it, functions of the system.

Pure. Managed roles and PUBLIC hold exactly what is wanted; all others keep what they hold, owners what owning gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    PUBLIC,
    Database,
    DatabaseFound,
    Held,
    Statement,
    ident,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

KINDS = {
    "TABLES": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}),
    "SEQUENCES": frozenset({"SELECT", "UPDATE", "USAGE"}),
}
"""What is granted on, in SQL, and the privileges each kind knows."""


@dataclass(frozen=True)
class Target:
    """What privileges are on, in SQL; the database to be in (None: postgres); what comes before GRANT or REVOKE."""

    name: str
    database: str | None = None
    prefix: str = ""


def plan(found: DatabaseFound, database: Database, managed: set[str]) -> Iterator[Change]:
    """What makes the privileges on one database, and in it, those that are wanted."""
    resource = f"database {database.name}"
    everybody = managed | {PUBLIC}
    target = Target(f"DATABASE {ident(database.name)}")
    yield from _exact(resource, target, found.acl, database.connect, everybody - {found.owner})
    if database.create is not None:
        target = Target("SCHEMA public", database.name)
        yield from _exact(f"{resource} schema public", target, found.schema_acl, database.create, everybody)
    if database.tables is not None:
        # First what is to come: a table that is made meanwhile is not forgotten between the two.
        yield from _defaults(resource, found, database, everybody)
        yield from _tables(resource, found, database, everybody - set(database.creators))
    if database.execute is not None:
        yield from _execute(resource, found, database, managed)


def _exact(
    resource: str,
    target: Target,
    found: Mapping[str, frozenset[str]],
    wanted: Mapping[str, tuple[str, ...]],
    grantees: set[str],
) -> Iterator[Change]:
    for grantee, have, want in _differing(found, wanted, grantees):
        sql = _sql(target, grantee, want - have, have - want)
        data = Statement(sql, target.database)
        yield Change(f"{resource} grants to {grantee}", "update", listed(have), listed(want), data=data)


def _defaults(resource: str, found: DatabaseFound, database: Database, grantees: set[str]) -> Iterator[Change]:
    former = {creator for creator, _kind in found.defaults if creator in grantees}
    for creator in sorted(former | set(database.creators)):
        for kind in KINDS:
            wanted = _known(database.tables, kind) if creator in database.creators else {}
            have = found.defaults.get((creator, kind), {})
            prefix = f"ALTER DEFAULT PRIVILEGES FOR ROLE {ident(creator)} IN SCHEMA public "
            target = Target(kind, database.name, prefix)
            yield from _exact(
                f"{resource} {kind.lower()} to come by {creator}", target, have, wanted, grantees - {creator}
            )


def _tables(resource: str, found: DatabaseFound, database: Database, grantees: set[str]) -> Iterator[Change]:
    for kind, holders in found.tables.items():
        wanted = _known(database.tables, kind)
        for grantee in sorted(grantees | set(wanted)):
            held, want = holders.get(grantee, Held()), frozenset(wanted.get(grantee, ()))
            missing, surplus = want - held.everywhere, held.somewhere - want
            if missing or surplus:
                words = (word if word in held.everywhere else f"{word} on some" for word in held.somewhere)
                sql = _sql(Target(f"ALL {kind} IN SCHEMA public"), grantee, missing, surplus)
                data = Statement(sql, database.name)
                name = f"{resource} {kind.lower()} grants to {grantee}"
                yield Change(name, "update", listed(words), listed(want), data=data)


def _execute(resource: str, found: DatabaseFound, database: Database, grantees: set[str]) -> Iterator[Change]:
    """One privilege on many things, where the others are many privileges on one."""
    for grantee, have, want in _differing(found.execute, database.execute, grantees):
        sql = []
        if want - have:
            sql.append(f"GRANT EXECUTE ON FUNCTION {_functions(want - have)} TO {ident(grantee)}")
        if have - want:
            sql.append(f"REVOKE EXECUTE ON FUNCTION {_functions(have - want)} FROM {ident(grantee)}")
        data = Statement(tuple(sql), database.name)
        yield Change(f"{resource} functions granted to {grantee}", "update", listed(have), listed(want), data=data)


def _differing(
    found: Mapping[str, frozenset[str]], wanted: Mapping[str, tuple[str, ...]], grantees: set[str]
) -> Iterator[tuple[str, frozenset[str], frozenset[str]]]:
    """Each grantee with what it has and is to have, where that differs; roles of others are not among them."""
    for grantee in sorted(grantees | set(wanted)):
        have, want = found.get(grantee, frozenset()), frozenset(wanted.get(grantee, ()))
        if have != want:
            yield grantee, have, want


def _sql(target: Target, grantee: str, missing: Iterable[str], surplus: Iterable[str]) -> tuple[str, ...]:
    who = grantee if grantee == PUBLIC else ident(grantee)
    given = f"{target.prefix}GRANT {listed(missing)} ON {target.name} TO {who}"
    taken = f"{target.prefix}REVOKE {listed(surplus)} ON {target.name} FROM {who}"
    return (*((given,) if missing else ()), *((taken,) if surplus else ()))


def _known(tables: Mapping[str, tuple[str, ...]], kind: str) -> dict[str, tuple[str, ...]]:
    """The privileges that this kind knows: INSERT, for one, is nothing to a sequence."""
    return {role: tuple(word for word in words if word in KINDS[kind]) for role, words in tables.items()}


def _functions(signatures: Iterable[str]) -> str:
    return ", ".join(f"pg_catalog.{signature}" for signature in sorted(signatures))


def listed(words: Iterable[str]) -> str:
    """The words in one order, so that two texts can be compared."""
    return ", ".join(sorted(words))
