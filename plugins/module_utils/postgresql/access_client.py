# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and changes roles, databases, grants and slots as a superuser. The decisions are in access.py."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    PUBLIC,
    Current,
    Database,
    DatabaseFound,
    Desired,
    Held,
    RoleFound,
    SlotFound,
    Use,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change

ROLES = """
SELECT r.rolname::text AS name, CASE WHEN r.rolname = ANY(%s) THEN r.rolpassword END AS verifier,
       concat_ws(' ', CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
                      CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
                      CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
                      CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
                      CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
                      CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END) AS attributes,
       ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS member_of,
       (SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setrole = r.oid AND s.setdatabase = 0) AS settings
FROM pg_authid r WHERE r.rolname !~ '^pg_'
"""
GRANTEES = """
SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END AS grantee, privilege_type AS privilege
FROM {table}, aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) WHERE {name} = %s
"""
DATABASE_GRANTEES = GRANTEES.format(table="pg_database", acl="datacl", kind="d", owner="datdba", name="datname")
SCHEMA_GRANTEES = GRANTEES.format(table="pg_namespace", acl="nspacl", kind="n", owner="nspowner", name="nspname")
# What belongs to an extension is not judged: its grants are the extension's. A kind that nobody was granted anything on
# has a row without grantee, one that there is none of has no row.
TABLES = """
WITH relation AS (
  SELECT oid, relowner, relacl, CASE relkind WHEN 'S' THEN 'SEQUENCES' ELSE 'TABLES' END AS kind
  FROM pg_class WHERE relnamespace = to_regnamespace('public') AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'))
SELECT kind, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END AS grantee,
       privilege_type AS privilege,
       count(DISTINCT relation.oid) = (SELECT count(*) FROM relation AS every
         WHERE every.kind = relation.kind AND every.relowner IS DISTINCT FROM acl.grantee) AS everywhere
FROM relation LEFT JOIN LATERAL aclexplode(relacl) AS acl ON acl.grantee <> relowner
GROUP BY kind, grantee, privilege_type
"""
DEFAULTS = """
SELECT pg_get_userbyid(defaclrole)::text AS creator,
       CASE defaclobjtype WHEN 'S' THEN 'SEQUENCES' ELSE 'TABLES' END AS kind,
       CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END AS grantee, privilege_type AS privilege
FROM pg_default_acl, aclexplode(defaclacl)
WHERE defaclnamespace = to_regnamespace('public') AND defaclobjtype IN ('r', 'S')
"""
IMMUTABLE = """
SELECT function FROM unnest(%s::text[]) AS function
JOIN pg_proc ON oid = to_regprocedure('public.' || function) WHERE provolatile = 'i'
"""
# In the words of the wanted signature where one means the function, else in PostgreSQL's.
FUNCTIONS = """
SELECT coalesce(wanted.signature, p.oid::regprocedure::text) AS privilege, pg_get_userbyid(acl.grantee)::text AS grantee
FROM pg_proc p CROSS JOIN aclexplode(p.proacl) acl
LEFT JOIN unnest(%s::text[]) AS wanted(signature) ON to_regprocedure('pg_catalog.' || wanted.signature) = p.oid
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND pg_get_userbyid(acl.grantee) = ANY(%s)
"""
OWNERS = "SELECT datname AS name, pg_get_userbyid(datdba)::text AS owner FROM pg_database WHERE datname = ANY(%s)"
SLOTS = """
SELECT slot_name::text AS name, active, wal_status IS NOT DISTINCT FROM 'lost' AS lost
FROM pg_replication_slots WHERE slot_type = 'physical'
"""
# A session counts by who logged in, whatever role it has taken since.
SESSIONS = """
SELECT usename::text AS name, coalesce(host(client_addr), 'socket') AS address FROM pg_stat_activity
WHERE usename = ANY(%s) ORDER BY 1, 2
"""
OWNED = """
SELECT DISTINCT r.rolname::text AS name, d.datname::text AS database
FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND r.rolname = ANY(%s) ORDER BY 1, 2
"""


def read(port: int, desired: Desired, settings: dict[str, str]) -> Current:
    """What is there of what is desired; `settings` as server.waiting() takes them.

    Raises EstateError when the server does not answer.
    """
    with client.connect(port, wait_s=60) as connection:
        standby = client.row(connection, "SELECT pg_is_in_recovery() AS standby")["standby"]
        slots = {slot["name"]: SlotFound(slot["active"], slot["lost"]) for slot in client.rows(connection, SLOTS)}
        pending = tuple(setting.name for setting in server.waiting(connection, settings))
        wanted = [role.name for role in desired.roles]
        roles = {role["name"]: _role(role) for role in client.rows(connection, ROLES, wanted)}
        if standby:
            return Current(standby=True, roles=roles, slots=slots, pending_restart=pending)
        names = [database.name for database in desired.databases]
        owners = {row["name"]: row["owner"] for row in client.rows(connection, OWNERS, names)}
        acls = {name: _acl(client.rows(connection, DATABASE_GRANTEES, name)) for name in owners}
        use = _use(connection, [name for name in desired.second if name in roles])
    databases = {}
    for database in desired.databases:
        if database.name in owners:
            inside = _inside(port, database, wanted)
            databases[database.name] = DatabaseFound(owners[database.name], acls[database.name], **inside)
    return Current(roles=roles, databases=databases, slots=slots, use=use, pending_restart=pending)


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


def _inside(port: int, database: Database, roles: list[str]) -> dict[str, Any]:
    """What can only be seen from within the database, as far as it is managed."""
    inside: dict[str, Any] = {}
    if database.create is database.tables is database.execute is None:
        return inside
    with client.connect(port, database.name) as connection:
        if database.create is not None:
            inside["schema_acl"] = _acl(client.rows(connection, SCHEMA_GRANTEES, "public"))
            names = client.rows(connection, "SELECT extname::text AS name FROM pg_extension")
            inside["extensions"] = frozenset(row["name"] for row in names)
            found = client.rows(connection, IMMUTABLE, list(database.immutable))
            inside["immutable"] = frozenset(row["function"] for row in found)
        if database.tables is not None:
            inside["tables"] = _held(client.rows(connection, TABLES))
            defaults: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for row in client.rows(connection, DEFAULTS):
                defaults.setdefault((row["creator"], row["kind"]), []).append(row)
            inside["defaults"] = {key: _acl(grants) for key, grants in defaults.items()}
        if database.execute is not None:
            signatures = sorted({signature for granted in database.execute.values() for signature in granted})
            inside["execute"] = _acl(client.rows(connection, FUNCTIONS, signatures, roles))
    return inside


def _held(grants: list[dict[str, Any]]) -> dict[str, dict[str, Held]]:
    kinds: dict[str, dict[str, tuple[set[str], set[str]]]] = {}
    for grant in grants:
        holders = kinds.setdefault(grant["kind"], {})
        if grant["grantee"] is not None:
            everywhere, somewhere = holders.setdefault(grant["grantee"], (set(), set()))
            somewhere.add(grant["privilege"])
            if grant["everywhere"]:
                everywhere.add(grant["privilege"])
    return {
        kind: {grantee: Held(*map(frozenset, privileges)) for grantee, privileges in holders.items()}
        for kind, holders in kinds.items()
    }


def _use(connection: Any, names: list[str]) -> dict[str, Use]:
    sessions: dict[str, list[str]] = {name: [] for name in names}
    owns_in: dict[str, list[str]] = {name: [] for name in names}
    for row in client.rows(connection, SESSIONS, names):
        sessions[row["name"]].append(row["address"])
    for row in client.rows(connection, OWNED, names):
        owns_in[row["name"]].append(row["database"])
    return {name: Use(tuple(sessions[name]), tuple(owns_in[name])) for name in names}


def _role(row: dict[str, Any]) -> RoleFound:
    settings = dict(setting.split("=", 1) for setting in row["settings"] or ())
    settings = {name.lower(): value for name, value in settings.items()}
    return RoleFound(row["attributes"], row["verifier"], tuple(row["member_of"]), settings)


def _acl(grants: list[dict[str, Any]]) -> dict[str, frozenset[str]]:
    acl: dict[str, set[str]] = {PUBLIC: set()}
    for grant in grants:
        acl.setdefault(grant["grantee"], set()).add(grant["privilege"])
    return {grantee: frozenset(privileges) for grantee, privileges in acl.items()}
