# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restores a data directory on this host: pgBackRest, renames, recovery. restore.py decides."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE, System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, member, restore, server
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

NOTE = f"{STATE}/postgresql-restore.json"
PROGRAM = "/usr/bin/pgbackrest"
AUTOMATIC = "postgresql.auto.conf"
START_S = 3600
"""A server that replays a week of WAL is not hurried; one that gives up is noticed at once."""


def staging(layout: server.Layout) -> str:
    """Where the new data is made. Not where clones are: what an interrupted clone left is removed by other runs."""
    return f"{layout.directory}.estate-restore"


def kept(layout: server.Layout) -> str:
    """Where the old data lies until the end is told."""
    return f"{layout.directory}.estate-before"


def _note() -> dict[str, Any]:
    try:
        with open(NOTE, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def _write(note: dict[str, Any]) -> None:
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    System().write(f"{NOTE}.new", json.dumps(note).encode(), 0, 0, 0o600)
    System().rename(f"{NOTE}.new", NOTE)


def read(layout: server.Layout, name: str, port: int) -> restore.Current:
    """What is on the host. Changes nothing."""
    note, own = _note(), server.read_instance(layout, name)
    return restore.Current(
        own=own,
        staged=bool(note) and os.path.exists(staging(layout)),
        kept=os.path.exists(kept(layout)),
        asked=restore.Asked(note["to"], note.get("timeline"), note.get("store")) if note else None,
        done=bool(note.get("done")),
        fenced=member.is_fenced(),
        recovering=own.running and _recovering(port) is True,
        active=server.is_active(layout.unit),
    )


def stage(layout: server.Layout, stanza: str, asked: restore.Asked, processes: int, lock: int) -> None:
    """Restore into a directory of its own. The note is written once it is whole: what has none is begun anew."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NOTE)
    directory = staging(layout)
    server.fresh(directory)
    archive = f'{PROGRAM} --stanza={stanza} archive-get %f "%p"'
    command = [PROGRAM, f"--stanza={stanza}", f"--pg1-path={directory}", f"--process-max={processes}"]
    # Its own would name the directory of now, which is renamed.
    command += [
        f"--recovery-option=restore_command={archive}",
        "--log-level-console=error",
        *asked.options(),
        "restore",
    ]
    server.run(command, "pgbackrest restore", (lock,))
    _write({"to": asked.to, "timeline": asked.timeline, "store": asked.store})


def place(layout: server.Layout) -> None:
    """Let the new data take the old one's place. The first old data is kept: a restore that failed is none."""
    if os.path.isdir(layout.directory) and os.listdir(layout.directory):
        if os.path.exists(kept(layout)):
            shutil.rmtree(layout.directory)
        else:
            os.rename(layout.directory, kept(layout))
    elif os.path.isdir(layout.directory):
        os.rmdir(layout.directory)
    os.makedirs(kept(layout), mode=0o700, exist_ok=True)
    os.rename(staging(layout), layout.directory)
    server.sync(os.path.dirname(layout.directory))


def unplace(layout: server.Layout) -> None:
    """The old data in its place again. A host that had none is bare again."""
    shutil.rmtree(layout.directory, ignore_errors=True)
    if os.listdir(kept(layout)):
        os.rename(kept(layout), layout.directory)
    else:
        os.rmdir(kept(layout))
    server.sync(os.path.dirname(layout.directory))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NOTE)


def recover(layout: server.Layout, port: int) -> None:
    """Wait until the server takes writes, then forget how it came there. Fails in the server's own words."""
    end = time.monotonic() + START_S
    while (state := _recovering(port)) is not False:
        if state is None and not server.is_running(layout):
            # systemd starts it again; what stopped it stays the same.
            time.sleep(2)
            if not server.is_running(layout):
                raise EstateError(f"the server gave recovery up: {_last_words(layout)}")
        if time.monotonic() > end:
            raise EstateError(f"recovery is still under way after {START_S} s; run this again, which goes on waiting")
        time.sleep(0.5)
    _forget(layout)
    member.reload(port)
    with client.connect(port) as connection:
        waiting = server.pending(connection)
    if waiting:
        # The target of recovery is a setting that only a restart takes out; nobody has come back yet.
        member.permit()
        server.restart(layout, port)
    _write({**_note(), "done": True})


def _recovering(port: int) -> bool | None:
    """Whether it replays WAL; None while it does not answer."""
    try:
        with client.connect(port) as connection:
            return client.row(connection, "SELECT pg_is_in_recovery() AS recovering")["recovering"]
    except EstateError:
        return None


def _forget(layout: server.Layout) -> None:
    """Take pgBackRest's recovery settings out: they would count again if this server ever became a standby."""
    path = os.path.join(layout.directory, AUTOMATIC)
    System().write(f"{path}.new", b"", *_owner(layout), 0o600)
    System().rename(f"{path}.new", path)


def _owner(layout: server.Layout) -> tuple[int, int]:
    seen = os.stat(layout.directory)
    return seen.st_uid, seen.st_gid


def _last_words(layout: server.Layout) -> str:
    path = f"/var/log/postgresql/postgresql-{layout.version}-{layout.name}.log"
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read()[-20000:].splitlines()
    except OSError:
        return f"see {path}"
    told = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
    return next((words for words in reversed(told) if "the database system is" not in words), f"see {path}")


def finish(layout: server.Layout) -> None:
    """Remove the old data and the note."""
    shutil.rmtree(kept(layout))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NOTE)
