# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What access is made of: roles and databases as they are to be, as they are, and the SQL between. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PUBLIC = "PUBLIC"


@dataclass(frozen=True)
class Role:
    """A role as it is to be: it may log in (and stream), and nothing else but what its memberships give.

    password: a role that may log in has one, any other has none. settings: its defaults in all databases.
    """

    name: str
    password: str | None = None
    login: bool = True
    replication: bool = False
    member_of: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def attributes(self) -> str:
        """What ALTER ROLE sets, in one order, so that two texts can be compared."""
        login = "LOGIN" if self.login else "NOLOGIN"
        replication = "REPLICATION" if self.replication else "NOREPLICATION"
        return f"{login} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS {replication}"


@dataclass(frozen=True)
class Database:
    """A database as it is to be; None means that this side of it is not managed.

    owner: None for a database that is there anyway (postgres): it is never created.
    connect, create: grants on the database, and on its schema public, by role. PUBLIC keeps none on what is managed.
    immutable: functions of extensions, as signatures, that an index may use (Odoo: unaccent(text)).
    tables: privileges on all tables and sequences of schema public, by role; creators: roles that make more of them.
    execute: functions of pg_catalog, as signatures, that a role may call although they are the superuser's.
    """

    name: str
    connect: Mapping[str, tuple[str, ...]]
    owner: str | None = None
    create: Mapping[str, tuple[str, ...]] | None = None
    extensions: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    tables: Mapping[str, tuple[str, ...]] | None = None
    creators: tuple[str, ...] = ()
    execute: Mapping[str, tuple[str, ...]] | None = None
    encoding: str = "UTF8"
    collate: str = "C"
    ctype: str = "C.UTF-8"

    @classmethod
    def of(cls, option: Mapping[str, Any]) -> Database:
        """From an item of the option `databases` of module postgresql_access; what is left out is not managed."""
        by_role = {side: option.get(side) for side in ("connect", "create", "tables", "execute")}
        sides = {
            side: None if given is None else {role: tuple(words) for role, words in given.items()}
            for side, given in by_role.items()
        }
        lists = {key: tuple(option.get(key) or ()) for key in ("extensions", "immutable", "creators")}
        sides["connect"] = sides["connect"] or {}
        return cls(name=option["name"], owner=option.get("owner"), **sides, **lists, **(option.get("locale") or {}))


@dataclass(frozen=True)
class Desired:
    """All of it; slots are names of physical replication slots, for a member that is primary.

    second: name of the second login of a role → the role's name, whether that login is to be there or not.
    drop: whether second logins that are not among `roles` are dropped.
    """

    roles: tuple[Role, ...] = ()
    databases: tuple[Database, ...] = ()
    slots: tuple[str, ...] = ()
    second: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False

    def left_over(self) -> dict[str, str]:
        """Second logins that are not to be there, each with the role it stands for."""
        wanted = {role.name for role in self.roles}
        return {name: role for name, role in self.second.items() if name not in wanted}


@dataclass(frozen=True)
class RoleFound:
    """A role as it is: its attributes in Role.attributes' words, its verifier (of strangers None), its memberships."""

    attributes: str
    verifier: str | None = None
    member_of: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """What a login is used for: where its sessions come from, one entry each; databases where it owns something."""

    sessions: tuple[str, ...] = ()
    owns_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """What a role holds on the tables or the sequences: privileges on every one of them, and on some or all."""

    everywhere: frozenset[str] = frozenset()
    somewhere: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DatabaseFound:
    """A database as it is. Privileges are by grantee, PUBLIC by that name.

    acl, schema_acl: on the database and on its schema public.
    tables: on what there is, by kind (TABLES, SEQUENCES); a kind that there is none of is left out.
    defaults: on what is to come, by creator and kind.
    execute: functions of pg_catalog, not privileges.
    """

    owner: str
    acl: Mapping[str, frozenset[str]] = field(default_factory=dict)
    schema_acl: Mapping[str, frozenset[str]] = field(default_factory=dict)
    extensions: frozenset[str] = frozenset()
    immutable: frozenset[str] = frozenset()
    tables: Mapping[str, Mapping[str, Held]] = field(default_factory=dict)
    defaults: Mapping[tuple[str, str], Mapping[str, frozenset[str]]] = field(default_factory=dict)
    execute: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class SlotFound:
    """A physical slot: in use now; lost when the WAL it kept was given up (max_slot_wal_keep_size)."""

    active: bool
    lost: bool = False


@dataclass(frozen=True)
class Current:
    """What is there. A bare host is `Current()`. On a standby only slots can be changed.

    roles: all but PostgreSQL's own, whether they are desired or not. use: of second logins, by name.
    pending_restart: names of settings that wait for one; reported, not planned for here.
    """

    standby: bool = False
    roles: Mapping[str, RoleFound] = field(default_factory=dict)
    databases: Mapping[str, DatabaseFound] = field(default_factory=dict)
    slots: Mapping[str, SlotFound] = field(default_factory=dict)
    use: Mapping[str, Use] = field(default_factory=dict)
    pending_restart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """SQL for one Change: run in this database (None: postgres), each statement on its own."""

    sql: tuple[str, ...]
    database: str | None = None


def ident(name: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string, quoted (standard_conforming_strings is on)."""
    return "'" + text.replace("'", "''") + "'"
