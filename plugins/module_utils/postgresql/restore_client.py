# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restores a data directory on this host: pgBackRest, renames, recovery. restore.py decides."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from typing import Any

from ansible_collections.retailerp.estate.plugins.module_utils.host import room
from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE, System
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import (
    backup,
    client,
    member,
    restore,
    server,
    wal_gaps,
)
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.backup_client import CONFIGURATION, Client
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

NOTE = f"{STATE}/postgresql-restore.json"
AUTOMATIC = "postgresql.auto.conf"
RECOVERY = re.compile(
    r"^(restore_command|recovery_target\w*)\s*=|^# (Recovery settings generated|Removed) by pgBackRest"
)
"""Lines of ours, or of `pgbackrest restore` (its src/command/restore/restore.c), in that file."""
FENCED = "is being restored"
"""Words of a restore's fence, that tell it from a failover's."""
ASK_S = 120
START_S = 3600
"""A server that replays a week of WAL is not hurried; one that gives up is noticed at once."""


def staging(layout: server.Layout) -> str:
    """Where the new data is made. Not where clones are: what an interrupted clone left is removed by other runs."""
    return f"{layout.directory}.estate-restore"


def kept(layout: server.Layout) -> str:
    """Where the old data lies until the end is told."""
    return f"{layout.directory}.estate-before"


def gone(layout: server.Layout) -> str:
    """Where a directory goes that nobody wants back: what is cut short in its removal is in nobody's place."""
    return f"{layout.directory}.estate-gone"


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


def _forget_note() -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(NOTE)
    server.sync(os.path.dirname(NOTE))


def read(layout: server.Layout, name: str) -> restore.Current:
    """What is on the host. Changes nothing."""
    note, beside, aside = _note(), os.path.exists(staging(layout)), os.path.exists(kept(layout))
    return restore.Current(
        own=server.read_instance(layout, name),
        staged=beside and "to" in note,
        partial=beside and "to" not in note,
        kept=aside,
        hollow=aside and not os.listdir(kept(layout)),
        gone=os.path.exists(gone(layout)),
        asked=restore.Asked(note["to"], note.get("timeline"), note.get("store")) if "to" in note else None,
        done=bool(note.get("ended")),
        ended=note.get("ended"),
        unreached=note.get("unreached"),
        returning=bool(note.get("back")) and not aside,
        fenced=member.is_fenced(),
        ours=_fenced_by_us(),
        active=server.is_active(layout.unit),
    )


def _fenced_by_us() -> bool:
    try:
        with open(member.FENCE, encoding="utf-8") as file:
            return FENCED in file.read()
    except FileNotFoundError:
        return False


def _pgbackrest(stanza: str) -> Client:
    return Client(stanza, (), client.SYSTEM_USER, CONFIGURATION)


def _archive_get(stanza: str) -> str:
    return " ".join([*_pgbackrest(stanza).words, "archive-get", "%f", '"%p"'])


def stage(layout: server.Layout, stanza: str, asked: restore.Asked, processes: int, lock: int) -> None:
    """Restore into a directory of its own. The note names it once it is whole: what it does not name is begun anew."""
    directory = staging(layout)
    pgbackrest = _pgbackrest(stanza)
    # Which one it is, pgBackRest decides.
    largest = backup.largest(pgbackrest.told(), asked.store)
    room.refuse(os.path.dirname(directory), largest, room.used(directory))
    # That the old data was on its way back stays true until this copy takes its place.
    back = {key: value for key, value in _note().items() if key == "back"}
    if back:
        _write(back)
    else:
        _forget_note()
    server.fresh(directory)
    command = [*pgbackrest.words, f"--pg1-path={directory}", f"--process-max={processes}"]
    # It clears the queue of what is to be archived, and the server that serves meanwhile writes to its own.
    command += [f"--spool-path={directory}.spool"]
    # Its own would name the directory of now, which is renamed.
    command += [
        f"--recovery-option=restore_command={_archive_get(stanza)}",
        "--log-level-console=error",
        *asked.options(),
        "restore",
    ]
    try:
        server.run(command, "pgbackrest restore", (lock,))
    except EstateError as err:
        raise EstateError(pgbackrest.redacted(str(err))) from None
    _refuse_version(layout, directory)
    _write({**back, "to": asked.to, "timeline": asked.timeline, "store": asked.store})


def _refuse_version(layout: server.Layout, directory: str) -> None:
    """A backup of before a major upgrade: it would take the place of what serves, and no server here starts it."""
    with open(os.path.join(directory, "PG_VERSION"), encoding="ascii") as file:
        version = file.read().strip()
    if version == layout.version:
        return
    shutil.rmtree(directory)
    raise EstateError(
        f"that is a backup of PostgreSQL {version}, of before a major upgrade, and this server is {layout.version}; "
        "nothing was stopped, and the copy is removed. Restore to a moment after the upgrade's first backup; as long "
        "as the data of before the upgrade is kept, the way back to it is pg_major_upgrade "
        f"-e to={layout.version} -e back=true"
    )


def drop(layout: server.Layout) -> None:
    """Remove a copy beside the data that serves, whole or not."""
    _forget_note()
    shutil.rmtree(staging(layout))


def place(layout: server.Layout) -> None:
    """Let the new data take the old one's place. The first old data is kept: a restore that failed is none."""
    _vacate(layout, gone(layout) if os.path.exists(kept(layout)) else kept(layout))
    os.makedirs(kept(layout), mode=0o700, exist_ok=True)
    os.rename(staging(layout), layout.directory)
    server.sync(os.path.dirname(layout.directory))


def _vacate(layout: server.Layout, aside: str) -> None:
    if os.path.isdir(layout.directory) and os.listdir(layout.directory):
        os.rename(layout.directory, aside)
    elif os.path.isdir(layout.directory):
        os.rmdir(layout.directory)


def unplace(layout: server.Layout, stanza: str) -> None:
    """The old data in its place again, to be recovered onto a timeline of its own, which no archive has yet."""
    _write({"back": True})
    _lead_on(kept(layout), stanza)
    _vacate(layout, gone(layout))
    os.rename(kept(layout), layout.directory)
    server.sync(os.path.dirname(layout.directory))


def _lead_on(directory: str, stanza: str) -> None:
    """Let a server recover along the timeline it is on, to the end of what it has, before it takes writes.

    It asks the archive which timelines there are, and takes one above them all.
    """
    # The data of a member that was a standby serves as well, and follows nobody.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, "standby.signal"))
    own = _settings(directory)
    _set(directory, [*own, f"restore_command = '{_archive_get(stanza)}'", "recovery_target_timeline = 'current'"])
    System().write(os.path.join(directory, "recovery.signal"), b"", *_owner(directory), 0o600)
    server.sync(directory)


def sweep(layout: server.Layout) -> None:
    """Remove what was given up."""
    if os.path.exists(gone(layout)):
        shutil.rmtree(gone(layout))


def recover(layout: server.Layout, stanza: str, port: int) -> None:
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
    # They would count again if this server ever became a standby.
    _set(layout.directory, _settings(layout.directory))
    member.reload(port)
    with client.connect(port) as connection:
        waiting = server.pending(connection)
    if waiting:
        # The target of recovery is a setting that only a restart takes out; nobody has come back yet.
        member.permit()
        server.restart(layout, port)
    _tell_branches(layout, stanza)


def _tell_branches(layout: server.Layout, stanza: str) -> None:
    """Have the histories of the branches that were passed over when this timeline was numbered.

    A standby that is still on the one before asks the primary for each of them (WalRcvFetchTimeLineHistoryFiles in
    PostgreSQL's walreceiver.c), and does not follow without. Where the archive has none either, it is copied anew.
    """
    newest = max(server.begun_timelines(layout), default=1)
    before = member.history(layout, newest)
    for timeline in range(before[-1][0] + 1 if before else newest, newest):
        path = f"{layout.directory}/pg_wal/{timeline:08X}.history"
        if not os.path.exists(path):
            System().run([*_pgbackrest(stanza).argv("archive-get"), os.path.basename(path), path], None, ASK_S)


def unreached(layout: server.Layout, stanza: str) -> str | None:
    """What the stores hold beyond the place where recovery ended, and nobody replayed; None where it came to the end.

    A segment comes from whichever store has it. One that does not answer is passed over: its own control tells it.
    """
    pgbackrest = _pgbackrest(stanza)
    with open(f"{layout.directory}/pg_wal/{max(server.begun_timelines(layout)):08X}.history", encoding="utf-8") as file:
        history = file.read()
    try:
        account = pgbackrest.told()
        held = set().union(*(pgbackrest.held(account, number) for number in account.archives))
    except EstateError as err:
        return f"whether the stores hold more than was replayed could not be read ({err})"
    return wal_gaps.unreached(held, history)


def end(unreached_: str | None) -> None:
    """Note that a restore is through, when, and what it did not come to."""
    said = {key: value for key, value in _note().items() if key != "back"}
    _write({**said, "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "unreached": unreached_})


def end_back() -> None:
    """Nothing of the restore is left, but a copy beside, if there was one."""
    _forget_note()


def _recovering(port: int) -> bool | None:
    """Whether it replays WAL; None while it does not answer."""
    try:
        with client.connect(port) as connection:
            return client.row(connection, "SELECT pg_is_in_recovery() AS recovering")["recovering"]
    except EstateError:
        return None


def _settings(directory: str) -> list[str]:
    """The lines of the server's own settings file that are not about recovery."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(directory, AUTOMATIC), encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if not RECOVERY.match(line)]
    return []


def _set(directory: str, lines: list[str]) -> None:
    path = os.path.join(directory, AUTOMATIC)
    System().write(f"{path}.new", "".join(f"{line}\n" for line in lines).encode(), *_owner(directory), 0o600)
    System().rename(f"{path}.new", path)


def _owner(directory: str) -> tuple[int, int]:
    seen = os.stat(directory)
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
    """Give the old data up, and forget the restore."""
    if os.path.exists(kept(layout)):
        os.rename(kept(layout), gone(layout))
        server.sync(os.path.dirname(layout.directory))
    _forget_note()
