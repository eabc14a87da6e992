# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and changes roles, databases, grants and slots as a superuser. The decisions are in access.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access import (
    PUBLIC,
    Current,
    DatabaseFound,
    Desired,
    RoleFound,
    SlotFound,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

ROLES = """
SELECT r.rolname AS name, r.rolpassword AS verifier,
       concat_ws(' ', CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
                      CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
                      CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
                      CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
                      CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
                      CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END) AS attributes,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS member_of
FROM pg_authid r WHERE r.rolname = ANY(%s)
"""
GRANTEES = """
SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END AS grantee, privilege_type AS privilege
FROM {table}, aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) WHERE {name} = %s
"""
DATABASE_GRANTEES = GRANTEES.format(table="pg_database", acl="datacl", kind="d", owner="datdba", name="datname")
SCHEMA_GRANTEES = GRANTEES.format(table="pg_namespace", acl="nspacl", kind="n", owner="nspowner", name="nspname")
OWNERS = "SELECT datname AS name, pg_get_userbyid(datdba)::text AS owner FROM pg_database WHERE datname = ANY(%s)"
SLOTS = """
SELECT slot_name::text AS name, active, wal_status IS NOT DISTINCT FROM 'lost' AS lost
FROM pg_replication_slots WHERE slot_type = 'physical'
"""


def read(port: int, desired: Desired) -> Current:
    """What is there of what is desired. Raises EstateError when the server does not answer."""
    with client.connect(port, wait_s=60) as connection:
        standby = client.row(connection, "SELECT pg_is_in_recovery() AS standby")["standby"]
        slots = {slot["name"]: SlotFound(slot["active"], slot["lost"]) for slot in client.rows(connection, SLOTS)}
        pending = tuple(setting.name for setting in server.pending(connection))
        if standby:
            return Current(standby=True, slots=slots, pending_restart=pending)
        roles = {}
        for found in client.rows(connection, ROLES, [role.name for role in desired.roles]):
            roles[found["name"]] = RoleFound(found["attributes"], found["verifier"], tuple(found["member_of"]))
        names = [database.name for database in desired.databases]
        owners = {row["name"]: row["owner"] for row in client.rows(connection, OWNERS, names)}
        acls = {name: _acl(client.rows(connection, DATABASE_GRANTEES, name)) for name in owners}
    databases = {}
    for database in desired.databases:
        if database.name in owners:
            inside = _inside(port, database.name, database.immutable) if database.create is not None else {}
            databases[database.name] = DatabaseFound(owners[database.name], acls[database.name], **inside)
    return Current(roles=roles, databases=databases, slots=slots, pending_restart=pending)


def apply(port: int, changes: list[Change]) -> None:
    """Run the statements of these changes, in order; every one is its own transaction, a killed run goes on there."""
    connections: dict[str | None, Any] = {}
    try:
        for change in changes:
            database = change.data.database
            if database not in connections:
                connections[database] = client.connect(port, database)
            for sql in change.data.sql:
                client.execute(connections[database], sql, f"{change.action} {change.resource}")
    finally:
        for connection in connections.values():
            connection.close()


def _inside(port: int, database: str, functions: tuple[str, ...]) -> dict[str, Any]:
    """What can only be seen from within the database."""
    volatility = "SELECT provolatile = 'i' AS immutable FROM pg_proc WHERE oid = to_regprocedure(%s)"
    with client.connect(port, database) as connection:
        schema_acl = _acl(client.rows(connection, SCHEMA_GRANTEES, "public"))
        names = client.rows(connection, "SELECT extname::text AS name FROM pg_extension")
        extensions = frozenset(row["name"] for row in names)
        immutable = {
            function
            for function in functions
            if any(row["immutable"] for row in client.rows(connection, volatility, f"public.{function}"))
        }
    return {"schema_acl": schema_acl, "extensions": extensions, "immutable": frozenset(immutable)}


def _acl(grants: list[dict[str, Any]]) -> dict[str, frozenset[str]]:
    acl: dict[str, set[str]] = {PUBLIC: set()}
    for grant in grants:
        acl.setdefault(grant["grantee"], set()).add(grant["privilege"])
    return {grantee: frozenset(privileges) for grantee, privileges in acl.items()}
