# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's database, asked directly as the application's role: what is installed, and the few rows that must be ours."""

from __future__ import annotations

import contextlib
import os
import time
import traceback
from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.odoo.conf import hashed
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.modules import Found, Step
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

try:
    import psycopg
except ImportError:
    psycopg = None
    IMPORT_ERROR = traceback.format_exc()
else:
    IMPORT_ERROR = None

WHERE = {
    "hosts": {"type": "dict", "required": True},
    "port": {"type": "int", "default": 5432},
    "name": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "ca_file": {"type": "path", "required": True},
}
"""The options that `Database` takes, in a module's argument spec; documented by the fragment odoo_database."""

OVERDUE = "SELECT cron_name FROM ir_cron WHERE active AND nextcall < now() AT TIME ZONE 'UTC' - interval '1 hour'"
RIGHTS = ("rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls")
ADMINISTRATOR = "SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'user_admin'"


class Database:
    """One database on the primary of a cluster.

    options: hosts (name → address, in order), port, name, user, password, ca_file. The names are what the servers'
    certificates say; the addresses are where they are, so that the host's own resolver is not asked. Instead of hosts
    and ca_file a socket, the directory of one: of a drill's server, which listens to nothing else and asks for no
    password, or of this host's own.
    """

    def __init__(self, options: dict) -> None:
        self._options = options

    def answers(self, patience_s: float) -> bool:
        """Whether the database lets us in, tried again for some seconds. Raises when it refuses the password."""
        end = time.monotonic() + patience_s
        while True:
            try:
                with self._connection():
                    return True
            except EstateError:
                if time.monotonic() > end:
                    if patience_s:
                        raise
                    return False
                time.sleep(2)

    def read(self) -> Found:
        """Everything the plan needs, in one transaction. Tables that are not there yet count as empty."""
        with self._connection() as connection:
            rows = _Rows(connection)
            users = rows.of("res_users", f"SELECT login, password FROM res_users WHERE id = ({ADMINISTRATOR})")
            flags = rows.all(f"SELECT {', '.join(RIGHTS)} FROM pg_roles WHERE rolname = current_user")[0]
            keys = "SELECT key, value FROM ir_config_parameter WHERE key LIKE 'web.base.url%'"
            modules = "SELECT name, state FROM ir_module_module WHERE state NOT IN ('uninstalled', 'uninstallable')"
            return Found(
                modules=dict(rows.of("ir_module_module", modules)),
                administrator=users[0] if users else None,
                parameters=dict(rows.of("ir_config_parameter", keys)),
                languages=frozenset(code for (code,) in rows.of("res_lang", "SELECT code FROM res_lang WHERE active")),
                overdue=tuple(sorted(name or "" for (name,) in rows.of("ir_cron", OVERDUE))),
                rights=tuple(name for name, flag in zip(RIGHTS, flags) if flag),
                # Not by pg_stat_ssl: a second login, which acts as another role, does not see its own session there.
                tls=bool(connection.pgconn.ssl_in_use),
            )

    def write(self, steps: list[Step], administrator_password: str) -> None:
        """Set the password and the parameters in one transaction, and have running workers forget what they cached."""
        with self._connection() as connection:
            for step in steps:
                if step.kind == "password":
                    digest = hashed(administrator_password, os.urandom(16))
                    query = f"UPDATE res_users SET password = %s WHERE id = ({ADMINISTRATOR})"
                    changed = connection.execute(query, [digest])
                    if changed.rowcount != 1:
                        raise EstateError("the database has no administrator (base.user_admin); is it one of Odoo's?")
                if step.kind == "login":
                    connection.execute(f"UPDATE res_users SET login = %s WHERE id = ({ADMINISTRATOR})", [step.name])
                if step.kind == "parameter":
                    connection.execute(
                        "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date) "
                        "VALUES (%s, %s, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC') "
                        "ON CONFLICT (key) DO UPDATE SET value = excluded.value, write_date = excluded.write_date",
                        [step.name, step.value],
                    )
            # One sequence in the older series, one for each cache in the newer ones.
            connection.execute(
                "SELECT nextval(oid::regclass) FROM pg_class "
                "WHERE relkind = 'S' AND relname LIKE 'base_cache_signaling%'"
            )

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """A transaction on whichever host is the primary now; no error quotes the password."""
        said = self._options
        where = f"database {said['name']} on {said.get('socket') or ', '.join(said['hosts'])}"
        try:
            connection = psycopg.connect(
                **_server(said),
                port=said["port"],
                dbname=said["name"],
                user=said["user"],
                target_session_attrs="read-write",
                connect_timeout=5,
                application_name="retailerp.estate odoo_modules",
                # A pooler may give the next transaction another server connection, which knows nothing prepared here.
                prepare_threshold=None,
            )
        except psycopg.Error as err:
            raise EstateError(f"{where} does not let {said['user']} in: {' '.join(str(err).split())}") from None
        try:
            with connection:
                yield connection
        except psycopg.Error as err:
            raise EstateError(f"{where}: {' '.join(str(err).split())}") from None
        finally:
            connection.close()


def _server(said: dict) -> dict:
    """Where the server is and who it must prove to be, in libpq's words."""
    if said.get("socket"):
        return {"host": said["socket"], "password": said.get("password")}
    return {
        "host": ",".join(said["hosts"]),
        "hostaddr": ",".join(said["hosts"].values()),
        "password": said["password"],
        "sslmode": "verify-full",
        "sslrootcert": said["ca_file"],
    }


class _Rows:
    """Reads within one transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def all(self, query: str) -> list[tuple]:
        return self._connection.execute(query).fetchall()

    def of(self, table: str, query: str) -> list[tuple]:
        """The query's rows, none while the table is not there: an installation may have been cut short anywhere."""
        there = self._connection.execute("SELECT to_regclass(%s)", [f"public.{table}"]).fetchone()[0]
        return self.all(query) if there else []
