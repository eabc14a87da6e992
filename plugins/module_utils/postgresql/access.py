# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in the cluster: roles, databases, extensions, grants, replication slots. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import grants, scram
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    PUBLIC,
    Current,
    Database,
    DatabaseFound,
    Desired,
    Role,
    RoleFound,
    SlotFound,
    Statement,
    ident,
    literal,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

SLOT_PREFIX = "estate_"
"""Slots so named are the estate's, on whichever member is primary now; any other slot is left alone."""


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
    return changes + list(grants.plan(found, database, managed))


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
