# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Odoo's database says of its attachments, and a pause of their collection.

Odoo 14 to 19 removes files of a filestore in one place only, ir.attachment's _gc_file_store, which the scheduled job
base.autovacuum_job runs (odoo/addons/base/models/ir_attachment.py, ir_autovacuum.py). A worker takes a job by locking
its row, FOR UPDATE NOWAIT in 14 and SKIP LOCKED from 15 on, and leaves one that is locked for a later minute
(ir_cron.py). So who holds the row pauses the collection, as another worker would: nothing is written, no writer waits,
and when the holder dies, the server lets go. NO KEY UPDATE is enough for that, and other tables may go on referring to
the job.

Not LOCK TABLE ir_attachment: the collection would wait for it, and every writer behind the collection.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.filestore import plan
from ansible_collections.retailerp.estate.plugins.module_utils.odoo.database import Database
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

HOLD = (
    "SELECT job.id FROM ir_cron job JOIN ir_model_data data ON data.res_id = job.id "
    "WHERE data.module = 'base' AND data.name = 'autovacuum_job' AND data.model = 'ir.cron' "
    "FOR NO KEY UPDATE OF job"
)
ROWS = "SELECT DISTINCT store_fname, checksum FROM ir_attachment WHERE store_fname IS NOT NULL"
PLACE = "SELECT pg_current_wal_insert_lsn()::text, pg_walfile_name(pg_current_wal_insert_lsn()), now()::text"
MODULES = "SELECT name, latest_version FROM ir_module_module WHERE state = 'installed' ORDER BY name"
COUNTS = ("res_users", "res_partner", "ir_attachment")


@dataclass(frozen=True)
class Place:
    """A place in the database's log: everything committed before it belongs to the point."""

    lsn: str
    wal: str
    at: str


class Filestore(Database):
    """The database of a filestore, as the application's role sees it."""

    def attachments(self) -> plan.Attachments:
        """The files that rows name now."""
        with self._connection() as connection:
            return plan.attachments(connection.execute(ROWS).fetchall())

    def rows(self) -> dict[str, int]:
        """Rows of some tables, by which a restored database is held against its point."""
        with self._connection() as connection:
            return _rows(connection)

    def modules(self) -> dict[str, str]:
        """Odoo's installed modules and their versions."""
        with self._connection() as connection:
            return dict(connection.execute(MODULES).fetchall())

    @contextlib.contextmanager
    def paused(self, patience_s: int, longest_s: int) -> Iterator[Held]:
        """Hold the collection of attachments off. One that is under way is waited for.

        patience_s: how long that may take; longest_s: after so long a pause the server ends it, whatever hangs here.
        """
        with self._connection() as connection:
            limits = {
                "lock_timeout": f"{patience_s}s",
                "idle_in_transaction_session_timeout": f"{longest_s}s",
                "statement_timeout": f"{max(patience_s, 600)}s",
                # Of a host that is gone without a word the server hears nothing: it asks.
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            }
            for name, value in limits.items():
                connection.execute("SELECT set_config(%s, %s, true)", [name, value])
            if not connection.execute(HOLD).fetchall():
                raise EstateError(
                    "the database has no job base.autovacuum_job, so what removes its attachments is unknown here; "
                    "is it one of Odoo's?"
                )
            yield Held(connection)


class Held:
    """A pause that lasts as long as its transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def place(self) -> Place:
        """Where the database's log ends now."""
        return Place(*self._connection.execute(PLACE).fetchone())

    def attachments(self) -> plan.Attachments:
        """The files that rows name now."""
        return plan.attachments(self._connection.execute(ROWS).fetchall())

    def about(self) -> dict:
        """What the database is: the server's version, Odoo's modules, rows of some tables."""
        version = self._connection.execute("SHOW server_version").fetchone()[0]
        return {
            "server_version": version,
            "modules": dict(self._connection.execute(MODULES).fetchall()),
            "rows": _rows(self._connection),
        }

    def still(self) -> None:
        """Raises EstateError when the pause was lost meanwhile: with the connection its lock is gone."""
        self._connection.execute("SELECT 1")


def _rows(connection: Any) -> dict[str, int]:
    return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COUNTS}
