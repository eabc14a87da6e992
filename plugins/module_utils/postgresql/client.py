# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to the local server, as its operating system user through the socket: peer, no password anywhere."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:  # a bare host in check mode has neither psycopg nor a server
    psycopg = None

MISSING = "the Python package psycopg 3 is missing on this host: install python3-psycopg"
SOCKET_DIRECTORY = "/var/run/postgresql"
SYSTEM_USER = "postgres"
QUIET = "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic"
"""Statements of ours may hold SCRAM verifiers: this session's text is kept out of the server's log."""
# Without a standby a synchronous commit would never return; what a run writes and loses, the next one writes again.
OPTIONS = f"{QUIET} -c synchronous_commit=local"


@contextlib.contextmanager
def acting_as(user: str) -> Iterator[None]:
    """The effective user of this process for a while: what `peer` authentication sees."""
    account = pwd.getpwnam(user)
    if os.geteuid() == account.pw_uid:
        yield
        return
    gid = os.getegid()
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)


def connect(
    port: int,
    database: str | None = None,
    wait_s: float = 0,
    socket: str = SOCKET_DIRECTORY,
    options: str = OPTIONS,
) -> Any:
    """A superuser's connection in autocommit. A server that is starting is waited for, up to `wait_s` seconds."""
    if psycopg is None:
        raise EstateError(MISSING)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with acting_as(SYSTEM_USER):
                return psycopg.connect(
                    host=socket,
                    port=port,
                    user=SYSTEM_USER,
                    dbname=database or "postgres",
                    application_name="retailerp.estate",
                    connect_timeout=10,
                    options=options,
                    autocommit=True,
                    row_factory=dict_row,
                )
        except psycopg.OperationalError as err:
            if time.monotonic() >= deadline:
                raise EstateError(f"PostgreSQL does not answer on {socket}, port {port}: {str(err).strip()}") from err
            time.sleep(0.2)


def rows(connection: Any, sql: str, *values: Any) -> list[dict[str, Any]]:
    """All rows of a query. Errors of the server become EstateError, without the statement's text."""
    try:
        return connection.execute(sql, values or None).fetchall()
    except psycopg.Error as err:
        raise EstateError(f"PostgreSQL refused a query: {err.diag.message_primary or type(err).__name__}") from err


def row(connection: Any, sql: str, *values: Any) -> dict[str, Any]:
    """The only row of a query that always has one."""
    return rows(connection, sql, *values)[0]


def execute(connection: Any, sql: str, what: str) -> None:
    """Run one statement; `what` names the resource in the error, in the statement's place."""
    try:
        connection.execute(sql)
    except psycopg.Error as err:
        raise EstateError(f"{what}: {err.diag.message_primary or type(err).__name__}") from err
