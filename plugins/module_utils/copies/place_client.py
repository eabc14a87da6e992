# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a copy's dump on the primary and lets it take its place. place.py decides.

The dump is loaded as the application's own role, by its password through the socket: what came along in a database of
another estate - functions, checks, indexes on expressions - runs as nobody who could do more than that role.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.copies import place, record
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import System
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.neutral_store import Copy
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import access, access_client, client, server
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.access_model import (
    Database,
    ident,
    literal,
)
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

READ = """
SELECT datname::text AS name, coalesce(shobj_description(oid, 'pg_database'), '') AS comment FROM pg_database
WHERE datname = ANY(%s)
"""
STANDING = "SELECT pg_is_in_recovery() AS standby, current_setting('server_version_num')::int / 10000 AS major"
SEND_AWAY = "SELECT pg_terminate_backend(pid) AS gone FROM pg_stat_activity WHERE datname = ANY(%s)"
#: Who comes back at once, a pooler or monitoring, is sent away so often; each renaming waits 5 seconds by itself.
TRIES = 6


class Server:
    """The primary of the estate that the copy comes into."""

    def __init__(self, layout: server.Layout, port: int, directory: str) -> None:
        """directory: the database's own on this host, where the dump lies; it goes when the copy is through."""
        self._layout, self._port, self._directory, self._system = layout, port, directory, System()

    def read(self, wanted: place.Wanted) -> place.Found:
        """The databases that a copy knows by name, with their comments."""
        with client.connect(self._port, wait_s=60) as connection:
            state = client.row(connection, STANDING)
            if state["standby"]:
                raise EstateError("this member is a standby; a copy is loaded on the primary, and standbys follow")
            rows = client.rows(connection, READ, [wanted.name, wanted.new, wanted.old])
        comments = {row["name"]: row["comment"] for row in rows}
        return place.Found(state["major"], comments, os.path.isdir(self._directory))

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with client.connect(self._port) as connection:
            client.execute(connection, f"DROP DATABASE IF EXISTS {ident(name)} WITH (FORCE)", f"drop database {name}")

    def load(self, wanted: place.Wanted, database: Database, user: str, password: str, timeout_s: float) -> None:
        """Make the database beside, load the dump, see that it acts on nobody, then say that it is whole."""
        access_client.apply(self._port, access.fresh(database))
        self._restore(wanted.new, user, password, timeout_s)
        where = {"socket": client.SOCKET_DIRECTORY, "port": self._port, "name": wanted.new}
        _refuse_acting(Copy({**where, "user": user, "password": password}))
        with client.connect(self._port, wanted.new) as connection:
            client.execute(connection, "SET statement_timeout = 0", f"database {wanted.new}")
            client.execute(connection, "ANALYZE", f"statistics of {wanted.new}")
            comment = f"COMMENT ON DATABASE {ident(wanted.new)} IS {literal(wanted.mark)}"
            client.execute(connection, comment, f"database {wanted.new}")

    def _restore(self, name: str, user: str, password: str, timeout_s: float) -> None:
        program, dump = self._layout.program("pg_restore"), f"{self._directory}/{record.DUMP}"
        contents = self._as_postgres([program, "--list", dump], "the dump cannot be read", 600)
        self._write("contents", record.to_load(contents))
        self._write("pgpass", f"*:*:*:*:{password.replace(chr(92), chr(92) * 2).replace(':', chr(92) + ':')}\n")
        said = f"host={client.SOCKET_DIRECTORY} port={self._port} dbname={name} user={user}"
        said += f" passfile={self._directory}/pgpass options='-c synchronous_commit=local'"
        words = [program, f"--dbname={said}", "--no-password", "--no-owner", "--no-privileges", "--exit-on-error"]
        words += [f"--use-list={self._directory}/contents", f"--jobs={max(1, (os.cpu_count() or 1) // 2)}", dump]
        try:
            what = f"the copy could not be loaded into {name}; if the server does not let {user} in, run playbook data"
            self._as_postgres(words, what, timeout_s)
        finally:
            self._system.remove(f"{self._directory}/pgpass")

    def swap(self, wanted: place.Wanted) -> None:
        """Let the copy take the place, in one transaction, as soon as nobody is connected."""
        for left in reversed(range(TRIES)):
            try:
                self._swap(wanted)
                return
            except EstateError:
                if not left:
                    raise
                self._system.pause(1)

    def _swap(self, wanted: place.Wanted) -> None:
        with client.connect(self._port) as connection:
            what = f"database {wanted.name} takes the copy"
            names = [row["name"] for row in client.rows(connection, READ, [wanted.name])]
            client.rows(connection, SEND_AWAY, [wanted.name, wanted.new])
            with connection.transaction():
                for name in names:
                    client.execute(connection, f"ALTER DATABASE {ident(name)} RENAME TO {ident(wanted.old)}", what)
                rename = f"ALTER DATABASE {ident(wanted.new)} RENAME TO {ident(wanted.name)}"
                client.execute(connection, rename, what)

    def forget(self) -> None:
        """Remove the dump and all that came with it."""
        shutil.rmtree(self._directory)

    def _write(self, name: str, text: str) -> None:
        uid, gid = self._system.uid(client.SYSTEM_USER), self._system.gid(client.SYSTEM_USER)
        self._system.write(f"{self._directory}/{name}", text.encode(), uid, gid, 0o600)

    def _as_postgres(self, words: list[str], what: str, timeout_s: float) -> str:
        code, out, err = self._system.run(["runuser", "-u", client.SYSTEM_USER, "--", *words], None, timeout_s)
        if code != 0:
            raise EstateError(f"{what} (pg_restore ended with {code}): {' '.join(err.split())[-600:]}")
        return out


def _refuse_acting(copy: Any) -> None:
    """A copy is neutral before it leaves the keeper; one that is not never takes a place."""
    found = copy.look()
    acting = sorted(what for what, count in found.acting.items() if count)
    acting += [] if found.nowhere else ["mail, which leads somewhere"]
    acting += [] if found.flag else ["no mark of a neutralised copy"]
    if acting:
        raise EstateError(f"the copy acts: {', '.join(acting)}; playbook copy_out makes none like that")
