# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pooler as its one client meets it: logins through it, and what the server behind it says of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client
from ansible_collections.retailerp.estate.plugins.module_utils.result import Control

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:  # a bare host in check mode
    psycopg = None

# What the server sees: whether the pooler came to it over TLS, and whether it takes writes.
QUESTION = "SELECT ssl, version, pg_is_in_recovery() FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
PATIENCE_S = 5
CONSOLE = "pgbouncer"
"""The console's database and user, and the system user the pooler runs as: he is let in by peer, nobody else is."""


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
    """Each database's login over verified TLS, and what a client without TLS is told (None: it is let in).

    used: logins that are to be unused and are not → their clients' addresses, each with how many; a text when the
    pooler could not be asked, None when it was not.
    """

    logins: Mapping[str, Answer]
    plain: str | None
    used: Mapping[str, Mapping[str, int]] | str | None = None


def read(params: Mapping[str, Any]) -> Seen:
    """Log in to each database, then once without TLS, and look who else is there. Reads only."""
    logins = {database: _login(params, database) for database in params["databases"]}
    used = _used(params) if params.get("unused") else None
    return Seen(logins, _login(params, params["databases"][0], tls=False).error, used)


def _login(params: Mapping[str, Any], database: str, tls: bool = True) -> Answer:
    if psycopg is None:
        return Answer(error=client.MISSING)
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


def _used(params: Mapping[str, Any]) -> Mapping[str, Mapping[str, int]] | str:
    if psycopg is None:
        return client.MISSING
    end = time.monotonic() + params["wait_s"]
    while True:
        try:
            used = clients_of(params["unused"], _clients(params))
        except (KeyError, OSError, psycopg.Error) as err:
            return " ".join(str(err).split()) or type(err).__name__
        if not used or time.monotonic() >= end:
            return used
        time.sleep(1)


def _clients(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everybody who is logged in, by the pooler's own console. It knows no transactions and nothing prepared."""
    with client.acting_as(CONSOLE):
        connection = psycopg.connect(
            host=params["socket"],
            port=params["port"],
            user=CONSOLE,
            dbname=CONSOLE,
            connect_timeout=PATIENCE_S,
            autocommit=True,
            prepare_threshold=None,
            row_factory=dict_row,
        )
    with connection:
        return connection.execute("SHOW CLIENTS").fetchall()


def clients_of(logins: Iterable[str], clients: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Each of the logins that somebody uses → where from, and how many each. Pure."""
    used: dict[str, Counter] = {}
    for row in clients:
        if row["user"] in logins:
            used.setdefault(row["user"], Counter())[row["addr"]] += 1
    return {name: dict(sorted(addresses.items())) for name, addresses in sorted(used.items())}


def controls(seen: Seen) -> list[Control]:
    """What must hold of a pooler, whatever member it stands before. Pure."""
    refused = {name: login.error for name, login in seen.logins.items() if login.error}
    let_in = {name: login for name, login in seen.logins.items() if not login.error}
    stale = [name for name, login in let_in.items() if login.told_standby not in (None, login.standby)]
    found = [
        Control.check(
            "pgbouncer.login",
            "The pooler answers on TLS, as itself, and the server behind it lets the application in",
            refused,
            {},
            "see journalctl -u 'pgbouncer@*'",
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
    if seen.used is not None:
        found.append(
            Control.check(
                "pgbouncer.unused",
                "Nobody is logged in by a login that is to be dropped",
                seen.used,
                {},
                "none was dropped; both passwords are the same by now: let these clients log in by the role's own "
                "name, or end them, then run this again",
            )
        )
    return found
