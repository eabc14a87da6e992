# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a primary's archiver gets on: the views of the server, pgBackRest's second process, the note of its caller."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.backup_health import Archiver

SPOOL = Path("/var/spool/pgbackrest")
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
    return Archiver(**found, **_dropped(SPOOL / "dropped"), problem=_problem(SPOOL / "archive" / stanza / "out"))


def _dropped(note: Path) -> dict[str, Any]:
    """What pgbackrest-archive noted when the cap was reached last."""
    try:
        return {"dropped": note.read_text(encoding="utf-8").strip(), "dropped_at": note.stat().st_mtime}
    except FileNotFoundError:
        return {}


def _problem(folder: Path) -> str | None:
    """What the second process left for the archiver to read of the last segment that it could not store.

    pgBackRest's src/command/archive/common.c says what is in these files.
    """
    problem = None
    for path in sorted(folder.glob("*.error")) if folder.is_dir() else ():
        try:
            if time.time() - path.stat().st_mtime < 3600:
                problem = " ".join(path.read_text(encoding="utf-8", errors="replace").split())[:500]
        except OSError:  # it was removed meanwhile
            continue
    return problem
