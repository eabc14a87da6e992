# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a primary's archiver gets on, by the server's own views and by the queue of pgBackRest's second process."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.backup_health import Archiver

SPOOL = Path("/var/spool/pgbackrest/archive")
QUESTION = """
SELECT current_setting('archive_mode') AS mode, current_setting('archive_command') AS command,
  extract(epoch FROM last_archived_time)::bigint AS archived, extract(epoch FROM last_failed_time)::bigint AS failed,
  last_failed_wal AS last_failed,
  (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')::int AS waiting,
  (SELECT coalesce(extract(epoch FROM now() - min(modification)), 0) FROM pg_ls_archive_statusdir()
   WHERE name LIKE '%.ready')::float AS oldest_waiting_s
FROM pg_stat_archiver
"""


def read(port: int, stanza: str) -> Archiver:
    """The archiver of the server on this host. Raises EstateError when it cannot be asked."""
    with client.connect(port, wait_s=10) as connection:
        found = client.row(connection, QUESTION)
    problem, dropped = _queue(SPOOL / stanza / "out")
    return Archiver(**found, problem=problem, dropped=dropped)


def _queue(folder: Path) -> tuple[str | None, tuple[str, ...]]:
    """What the second process left for the archiver to read: a file for each segment, an error or ok with a warning.

    pgBackRest's src/command/archive/common.c says what is in them. An ok is read, and removed, by the next call.
    """
    problem, dropped = None, []
    for path in sorted(folder.glob("*")) if folder.is_dir() else ():
        try:
            said = " ".join(path.read_text(encoding="utf-8", errors="replace").split())
        except OSError:  # it was removed meanwhile
            continue
        if path.suffix == ".error" and time.time() - path.stat().st_mtime < 3600:
            problem = said[:500]
        elif path.suffix == ".ok" and "dropped" in said:
            dropped.append(path.stem)
    return problem, tuple(dropped)
