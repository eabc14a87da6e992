# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a copy of an Odoo database for what would act, and stops it, in one transaction each."""

from __future__ import annotations

from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.odoo import neutral
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.database import Database
from ansible_collections.retailerp.estate.plugins.module_utils.result import Change, EstateError

COLUMNS = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
PARAMETER = (
    "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date) "
    "VALUES (%s, %s, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC') "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value, write_date = excluded.write_date"
)
#: Sessions of the same role: Odoo's, which would send what it finds.
OTHERS = "datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
#: Of a mail server that leads nowhere; a series takes those of its columns.
SERVER = {
    "name": "neutralised: no mail leaves this copy",
    "smtp_host": neutral.NOWHERE,
    "smtp_port": 1025,
    "smtp_encryption": "none",
    "smtp_authentication": "login",
    "sequence": 0,
    "active": True,
}


class Copy(Database):
    """A copy of a database, which nobody may serve before it is neutralised."""

    def look(self) -> neutral.Found:
        """What would act now."""
        with self._connection() as connection:
            rules = neutral.applying(_columns(connection))
            acting = {rule.what: _count(connection, f"{rule.table} WHERE {rule.rows}") for rule in rules}
            known = dict(connection.execute("SELECT key, value FROM ir_config_parameter").fetchall())
            nowhere = _count(connection, f"ir_mail_server WHERE active AND smtp_host = '{neutral.NOWHERE}'") > 0
            flag = known.get(neutral.FLAG) == "True"
            return neutral.Found(acting, nowhere, flag, known)

    def stop(self, changes: list[Change]) -> None:
        """All of it or nothing: a copy is never half neutralised."""
        with self._connection() as connection:
            others = _count(connection, f"pg_stat_activity WHERE {OTHERS}")
            if others:
                raise EstateError(
                    f"{others} sessions are at work in the copy; stop what serves it, it is not neutralised"
                )
            columns = _columns(connection)
            rules = {rule.what: rule for rule in neutral.applying(columns)}
            for kind, *named in (change.data for change in changes):
                if kind == "rule":
                    rule = rules[named[0]]
                    connection.execute(f"UPDATE {rule.table} SET {rule.change} WHERE {rule.rows}")
                elif kind == "nowhere":
                    _insert(connection, "ir_mail_server", SERVER, columns["ir_mail_server"])
                elif kind == "flag":
                    connection.execute(PARAMETER, [neutral.FLAG, "True"])
                else:
                    connection.execute(PARAMETER, named)


def _columns(connection: Any) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(COLUMNS).fetchall():
        found.setdefault(table, set()).add(column)
    return {table: frozenset(names) for table, names in found.items()}


def _count(connection: Any, what: str) -> int:
    return connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]


def _insert(connection: Any, table: str, row: dict[str, Any], columns: frozenset[str]) -> None:
    """A row with those of its values that the table has columns for. Names are ours, none is read from anywhere."""
    names = [name for name in row if name in columns]
    marks = ", ".join(["%s"] * len(names))
    connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", [row[name] for name in names])
