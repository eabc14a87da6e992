# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in the cluster: roles, databases, extensions, grants, replication slots. Pure: no I/O, no Ansible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import grants, scram, second
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
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, Control, EstateError

SLOT_PREFIX = "estate_"
"""Slots so named are the estate's, on whichever member is primary now; any other slot is left alone."""
SYSTEM_ROLE = "postgres"


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
    return changes + _slots(current.slots, desired.slots) + second.drops(current, desired)


def fresh(database: Database) -> list[Change]:
    """What makes a database that is not there, with its extensions and grants; roles and other databases stay."""
    managed = {*database.connect, *(database.create or {}), *(database.tables or {})}
    return _database(None, database, managed)


def slot_name(member: str, prefix: str = SLOT_PREFIX) -> str:
    """The slot of a member, on any other one that is primary. Slots know no hyphen. Patroni's have no prefix."""
    return prefix + member.lower().replace("-", "_").replace(".", "_")


def strangers(current: Current, desired: Desired, exclusive: bool) -> Control:
    """Who could get in or has powers and is not desired. Never dropped: only an operator knows what it is for."""
    known = {SYSTEM_ROLE} | {role.name for role in desired.roles} | set(desired.second)
    found = []
    for name, role in sorted(current.roles.items()):
        powers = [word.lower() for word in role.attributes.split() if word in ("LOGIN", "SUPERUSER")]
        powers += sorted(group for group in role.member_of if group.startswith("pg_"))
        if name not in known and powers:
            found.append(f"{name}: {', '.join(powers)}")
    title = "Only the estate's roles log in, are superuser or have powers of the system"
    if found and not exclusive:
        return Control("postgresql.access.strangers", title, "exempt", found, [], "roles of others are allowed here")
    reason = "drop these roles, or take their login and memberships away; no run does that"
    return Control.check("postgresql.access.strangers", title, found, [], reason)


def _role(found: RoleFound | None, role: Role) -> list[Change]:
    resource, name = f"role {role.name}", ident(role.name)
    if role.password is not None and not role.login:
        raise EstateError(f"{resource} has a password and may not log in: leave one of the two out")
    changes = []
    if found is None:
        password = "" if role.password is None else f" PASSWORD {literal(scram.verifier(role.password))}"
        sql = f"CREATE ROLE {name} {role.attributes()}{password}"
        changes.append(Change(resource, "create", None, role.attributes(), data=Statement((sql,))))
        found = RoleFound(role.attributes())
    else:
        if found.attributes != role.attributes():
            sql = f"ALTER ROLE {name} {role.attributes()}"
            changes.append(Change(resource, "update", found.attributes, role.attributes(), data=Statement((sql,))))
        changes += _password(resource, found, role)
    granted = [f"GRANT {ident(group)} TO {name}" for group in role.member_of if group not in found.member_of]
    revoked = [f"REVOKE {ident(group)} FROM {name}" for group in sorted(set(found.member_of) - set(role.member_of))]
    if granted or revoked:
        before, after = grants.listed(found.member_of), grants.listed(role.member_of)
        statement = Statement((*granted, *revoked))
        changes.append(Change(f"{resource} memberships", "update", before, after, data=statement))
    if found.settings != role.settings:
        before, after = _shown(found.settings), _shown(role.settings)
        statement = Statement(tuple(_settings(name, found.settings, role.settings)))
        changes.append(Change(f"{resource} settings", "update", before, after, data=statement))
    return changes


def _password(resource: str, found: RoleFound, role: Role) -> Iterator[Change]:
    if found.verifier is None if role.password is None else scram.matches(found.verifier, role.password):
        return
    before = None if found.verifier is None else "password"
    after = None if role.password is None else "password"
    verifier = "NULL" if role.password is None else literal(scram.verifier(role.password))
    statement = Statement((f"ALTER ROLE {ident(role.name)} PASSWORD {verifier}",))
    yield Change(f"{resource} password", "update", before, after, secret=True, data=statement)


def _settings(name: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    for setting, value in sorted(wanted.items()):
        if found.get(setting) != value:
            yield f"ALTER ROLE {name} SET {ident(setting)} = {literal(value)}"
    for setting in sorted(found.keys() - wanted.keys()):
        yield f"ALTER ROLE {name} RESET {ident(setting)}"


def _shown(settings: Mapping[str, str]) -> str:
    return grants.listed(f"{name} = {value}" for name, value in settings.items())


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
