# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pooler as its one client meets it: logins through it, and what the server behind it says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

try:
    import psycopg
except ImportError:  # a bare host in check mode
    psycopg = None

# What the server sees: whether the pooler came to it over TLS, and whether it takes writes.
QUESTION = "SELECT ssl, version, pg_is_in_recovery() FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
PATIENCE_S = 5


@dataclass(frozen=True)
class Answer:
    """One login: why it failed, or by which protocol the pooler reached the server (None without TLS).

    standby: what the server is; told_standby: what the pooler told of it when it let the client in (None: nothing).
    """

    error: str | None = None
    server_tls: str | None = None
    standby: bool = False
    told_standby: bool | None = None


@dataclass(frozen=True)
class Seen:
    """Each database's login over verified TLS, and what a client without TLS is told (None: it is let in)."""

    logins: Mapping[str, Answer]
    plain: str | None


def read(params: Mapping[str, Any]) -> Seen:
    """Log in to each database, then once without TLS. Reads only."""
    logins = {database: _login(params, database) for database in params["databases"]}
    return Seen(logins, _login(params, params["databases"][0], tls=False).error)


def _login(params: Mapping[str, Any], database: str, tls: bool = True) -> Answer:
    if psycopg is None:
        return Answer(error="the Python package psycopg 3 is missing on this host: install python3-psycopg")
    try:
        with psycopg.connect(
            host=params["host"],
            hostaddr=params["address"],
            port=params["port"],
            dbname=database,
            user=params["user"],
            password=params["password"],
            sslmode="verify-full" if tls else "disable",
            sslrootcert=params["ca_file"],
            connect_timeout=PATIENCE_S,
            application_name="retailerp.estate pgbouncer_info",
            prepare_threshold=None,
        ) as connection:
            ssl, version, standby = connection.execute(QUESTION).fetchone()
            told = connection.info.parameter_status("in_hot_standby")
    except psycopg.Error as err:
        return Answer(error=" ".join(str(err).split()))
    return Answer(None, version if ssl else None, standby, None if told is None else told == "on")


def controls(seen: Seen) -> list[Control]:
    """What must hold of a pooler, whatever member it stands before. Pure."""
    refused = {name: login.error for name, login in seen.logins.items() if login.error}
    let_in = {name: login for name, login in seen.logins.items() if not login.error}
    stale = [name for name, login in let_in.items() if login.told_standby not in (None, login.standby)]
    return [
        Control.check(
            "pgbouncer.login",
            "The pooler answers on TLS, as itself, and the server behind it lets the application in",
            refused,
            {},
            "see journalctl -u pgbouncer",
        ),
        Control.check(
            "pgbouncer.plain",
            "A client without TLS is refused",
            "let in" if seen.plain is None else "refused",
            "refused",
        ),
        Control.check(
            "pgbouncer.server_tls",
            "The pooler reaches its server over TLS",
            sorted(name for name, login in let_in.items() if not login.server_tls),
            [],
        ),
        Control.check(
            "pgbouncer.role",
            "The pooler tells its clients rightly whether the server takes writes",
            sorted(stale),
            [],
            "clients pass by a primary, or stay with a standby: systemctl start estate-pgbouncer",
        ),
    ]
