# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in the cluster: roles, databases, extensions, grants, replication slots. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import scram
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

PUBLIC = "PUBLIC"
SLOT_PREFIX = "estate_"
"""Slots so named are the estate's, on whichever member is primary now; any other slot is left alone."""


@dataclass(frozen=True)
class Role:
    """A role as it is to be: it may log in (and stream), and nothing else but what its memberships give."""

    name: str
    password: str
    replication: bool = False
    member_of: tuple[str, ...] = ()

    def attributes(self) -> str:
        """What ALTER ROLE sets, in one order, so that two texts can be compared."""
        replication = "REPLICATION" if self.replication else "NOREPLICATION"
        return f"LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS {replication}"


@dataclass(frozen=True)
class Database:
    """A database as it is to be; None means that this side of it is not managed.

    owner: None for a database that is there anyway (postgres): it is never created.
    connect, create: grants on the database, and on its schema public, by role. PUBLIC keeps none on what is managed.
    immutable: functions of extensions, as signatures, that an index may use (Odoo: unaccent(text)).
    """

    name: str
    connect: Mapping[str, tuple[str, ...]]
    owner: str | None = None
    create: Mapping[str, tuple[str, ...]] | None = None
    extensions: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    encoding: str = "UTF8"
    collate: str = "C"
    ctype: str = "C.UTF-8"


@dataclass(frozen=True)
class Desired:
    """All of it; slots are names of physical replication slots, for a member that is primary."""

    roles: tuple[Role, ...] = ()
    databases: tuple[Database, ...] = ()
    slots: tuple[str, ...] = ()


@dataclass(frozen=True)
class RoleFound:
    """A role as it is: its attributes in Role.attributes' words, its verifier, its memberships."""

    attributes: str
    verifier: str | None
    member_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatabaseFound:
    """A database as it is; acl and schema_acl: privileges by grantee (PUBLIC by that name)."""

    owner: str
    acl: Mapping[str, frozenset[str]] = field(default_factory=dict)
    schema_acl: Mapping[str, frozenset[str]] = field(default_factory=dict)
    extensions: frozenset[str] = frozenset()
    immutable: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SlotFound:
    """A physical slot: in use now; lost when the WAL it kept was given up (max_slot_wal_keep_size)."""

    active: bool
    lost: bool = False


@dataclass(frozen=True)
class Current:
    """What is there. A bare host is `Current()`. On a standby only slots can be changed.

    pending_restart: names of settings that wait for one; reported, not planned for here.
    """

    standby: bool = False
    roles: Mapping[str, RoleFound] = field(default_factory=dict)
    databases: Mapping[str, DatabaseFound] = field(default_factory=dict)
    slots: Mapping[str, SlotFound] = field(default_factory=dict)
    pending_restart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """SQL for one Change: run in this database (None: postgres), each statement on its own."""

    sql: tuple[str, ...]
    database: str | None = None


@dataclass(frozen=True)
class Target:
    """What a privilege is on, in SQL, and the database to be in for it (None: postgres)."""

    name: str
    database: str | None = None


def plan(current: Current, desired: Desired) -> list[Change]:
    """What leads from one to the other; roles before the databases they own, grants last."""
    if current.standby:
        return _slots(current.slots, ())
    changes = []
    for role in desired.roles:
        changes += _role(current.roles.get(role.name), role)
    managed = {role.name for role in desired.roles}
    for database in desired.databases:
        changes += _database(current.databases.get(database.name), database, managed)
    return changes + _slots(current.slots, desired.slots)


def slot_name(member: str) -> str:
    """The slot of a member, on any other one that is primary. Slots know no hyphen."""
    return SLOT_PREFIX + member.lower().replace("-", "_").replace(".", "_")


def ident(name: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string, quoted (standard_conforming_strings is on)."""
    return "'" + text.replace("'", "''") + "'"


def _role(found: RoleFound | None, role: Role) -> list[Change]:
    resource, name = f"role {role.name}", ident(role.name)
    changes = []
    if found is None:
        sql = f"CREATE ROLE {name} {role.attributes()} PASSWORD {literal(scram.verifier(role.password))}"
        changes.append(Change(resource, "create", None, role.attributes(), data=Statement((sql,))))
    else:
        if found.attributes != role.attributes():
            sql = f"ALTER ROLE {name} {role.attributes()}"
            changes.append(Change(resource, "update", found.attributes, role.attributes(), data=Statement((sql,))))
        if not scram.matches(found.verifier, role.password):
            sql = f"ALTER ROLE {name} PASSWORD {literal(scram.verifier(role.password))}"
            before = None if found.verifier is None else "password"
            change = Change(f"{resource} password", "update", before, "password", secret=True, data=Statement((sql,)))
            changes.append(change)
    member_of = set(found.member_of) if found else set()
    granted = [f"GRANT {ident(group)} TO {name}" for group in role.member_of if group not in member_of]
    revoked = [f"REVOKE {ident(group)} FROM {name}" for group in sorted(member_of - set(role.member_of))]
    if granted or revoked:
        before, after = ", ".join(sorted(member_of)), ", ".join(sorted(role.member_of))
        statement = Statement((*granted, *revoked))
        changes.append(Change(f"{resource} memberships", "update", before, after, data=statement))
    return changes


def _database(found: DatabaseFound | None, database: Database, managed: set[str]) -> list[Change]:
    resource, name = f"database {database.name}", ident(database.name)
    changes = []
    if found is None and database.owner is not None:
        sql = (
            f"CREATE DATABASE {name} OWNER {ident(database.owner)} TEMPLATE template0 "
            f"ENCODING {literal(database.encoding)} LC_COLLATE {literal(database.collate)} "
            f"LC_CTYPE {literal(database.ctype)}"
        )
        after = f"owner {database.owner}, {database.encoding}, {database.collate}, {database.ctype}"
        changes.append(Change(resource, "create", None, after, data=Statement((sql,))))
    elif found is not None and database.owner is not None and found.owner != database.owner:
        sql = f"ALTER DATABASE {name} OWNER TO {ident(database.owner)}"
        before, after = f"owner {found.owner}", f"owner {database.owner}"
        changes.append(Change(resource, "update", before, after, data=Statement((sql,))))
    found = found or _fresh(database)
    changes += _extensions(found, database)
    grantees = managed - {found.owner}
    for grantee, privileges in _grants(found.acl, database.connect, grantees).items():
        changes.append(_grant(resource, Target(f"DATABASE {name}"), grantee, *privileges))
    if database.create is not None:
        target = Target("SCHEMA public", database.name)
        for grantee, privileges in _grants(found.schema_acl, database.create, managed).items():
            changes.append(_grant(f"{resource} schema public", target, grantee, *privileges))
    return changes


def _fresh(database: Database) -> DatabaseFound:
    """What PostgreSQL 15 and later give a new database."""
    acl = {PUBLIC: frozenset({"CONNECT", "TEMPORARY"})}
    return DatabaseFound(owner=database.owner or "", acl=acl, schema_acl={PUBLIC: frozenset({"USAGE"})})


def _extensions(found: DatabaseFound, database: Database) -> list[Change]:
    changes = []
    for extension in database.extensions:
        if extension not in found.extensions:
            statement = Statement((f"CREATE EXTENSION {ident(extension)} SCHEMA public",), database.name)
            resource = f"database {database.name} extension {extension}"
            changes.append(Change(resource, "create", None, extension, data=statement))
    for function in database.immutable:
        if function not in found.immutable:
            statement = Statement((f"ALTER FUNCTION public.{function} IMMUTABLE",), database.name)
            resource = f"database {database.name} function {function}"
            changes.append(Change(resource, "update", "stable", "immutable", data=statement))
    return changes


def _grants(
    found: Mapping[str, frozenset[str]], wanted: Mapping[str, tuple[str, ...]], managed: set[str]
) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """What each grantee has and is to have, where that differs; roles of others keep what they hold."""
    differing = {}
    for grantee in sorted({PUBLIC} | managed | set(wanted)):
        have, want = found.get(grantee, frozenset()), frozenset(wanted.get(grantee, ()))
        if have != want:
            differing[grantee] = (have, want)
    return differing


def _grant(resource: str, target: Target, grantee: str, have: frozenset[str], want: frozenset[str]) -> Change:
    who = grantee if grantee == PUBLIC else ident(grantee)
    sql = []
    if want - have:
        sql.append(f"GRANT {_list(want - have)} ON {target.name} TO {who}")
    if have - want:
        sql.append(f"REVOKE {_list(have - want)} ON {target.name} FROM {who}")
    statement = Statement(tuple(sql), target.database)
    return Change(f"{resource} grants to {grantee}", "update", _list(have), _list(want), data=statement)


def _slots(found: Mapping[str, SlotFound], wanted: Iterable[str]) -> list[Change]:
    """Slots keep WAL for a standby; a forgotten one fills the disk. One that is in use is never dropped."""
    changes = []
    wanted = set(wanted)
    drop = "SELECT pg_drop_replication_slot({})"
    create = "SELECT pg_create_physical_replication_slot({}, true)"
    for name in sorted(wanted):
        text = literal(name)
        slot = found.get(name)
        if slot is None:
            statement = Statement((create.format(text),))
            changes.append(Change(f"replication slot {name}", "create", None, "physical", data=statement))
        elif slot.lost and not slot.active:
            statement = Statement((drop.format(text), create.format(text)))
            changes.append(Change(f"replication slot {name}", "update", "lost its WAL", "physical", data=statement))
    for name, slot in sorted(found.items()):
        if name.startswith(SLOT_PREFIX) and name not in wanted and not slot.active:
            statement = Statement((drop.format(literal(name)),))
            changes.append(Change(f"replication slot {name}", "delete", "physical", None, data=statement))
    return changes


def _list(privileges: Iterable[str]) -> str:
    return ", ".join(sorted(privileges))
