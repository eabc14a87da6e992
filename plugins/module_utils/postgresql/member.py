# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves a member between roles on its host: fence, permit, promotion, rewind. replication.py decides."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time

from ansible_collections.retailerp.estate.plugins.module_utils.host.system import STATE
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client, server, status
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import Record, parse_history, record_end
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

FENCE = f"{STATE}/postgresql.fenced"
"""Stands in the unit's ConditionPathExists: while it is there nothing starts the server, not even a boot."""
PERMIT = "/run/retailerp-estate/postgresql.permit"
"""For roles/postgresql/files/guard.py: this run has seen all members, so the primary need not ask them."""
PERMIT_S = 240
"""A little less than the guard's own limit, which counts when the server starts."""
PROMOTION_S = 60
CHECKPOINT_BYTES = 114
"""A shutdown's checkpoint: a record's header of 24 bytes, one of 2 for its data, and CheckPoint (pg_control.h)."""
LISTEN_S = 5
"""Two replies of a standby, and one second: the role sets wal_receiver_status_interval to 2 s."""
END_OF_LOG = (
    "invalid record length",
    "invalid magic number",
    "unexpected pageaddr",
    "incorrect prev-link",
    "incorrect resource manager data checksum",
    "could not find a valid record",
    "invalid resource manager ID",
    "invalid record offset",
    "invalid info bits",
    "invalid contrecord length",
    "no contrecord flag",
    "contrecord is requested",
    "out-of-sequence timeline ID",
    "too long",
)
"""What pg_waldump says where written log ends, in a segment that is new or was used before: recovery ends there, too.

From ValidXLogRecordHeader, XLogReaderValidatePageHeader and XLogDecodeNextRecord of PostgreSQL's xlogreader.c.
"""


def fence(reason: str) -> None:
    """Keep the server from starting, from now on."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(PERMIT)
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    with open(FENCE, "w", encoding="utf-8") as file:
        file.write(reason + "\n")
        file.flush()
        os.fsync(file.fileno())
    server.sync(STATE)


def unfence() -> None:
    """Let the server start again."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(FENCE)
    server.sync(STATE)


def is_fenced() -> bool:
    """Whether something of ours keeps the server from starting."""
    return os.path.exists(FENCE)


def permit() -> None:
    """Let the server start as primary without asking the others, for some minutes and until the next boot."""
    os.makedirs(os.path.dirname(PERMIT), mode=0o700, exist_ok=True)
    with open(PERMIT, "w", encoding="utf-8"):
        os.utime(PERMIT)


def is_permitted() -> bool:
    """Whether permit() was called just now."""
    try:
        return 0 <= time.time() - os.stat(PERMIT).st_mtime < PERMIT_S
    except OSError:
        return False


def _rewinding(layout: server.Layout) -> str:
    return f"{layout.directory}.estate-rewind"


def is_torn(layout: server.Layout) -> bool:
    """Whether a rewind was cut short: such a data directory is of no use, only a base backup helps."""
    return os.path.exists(_rewinding(layout))


def whole(layout: server.Layout) -> None:
    """The data directory is in one piece again."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_rewinding(layout))


def last_record(layout: server.Layout) -> Record | None:
    """The last whole record on the disk of a stopped member; None when its log cannot be read to its end.

    Until the first checkpoint after a promotion, the control file names the timeline before it: the newest one that has
    records counts, read from where it began.
    """
    control = server.control_data(layout)
    if not control:
        return None
    if control.get("Database cluster state") == "shut down":
        # In good order: its last word is this checkpoint.
        begin = control["Latest checkpoint location"]
        return Record(begin, record_end(begin, CHECKPOINT_BYTES))
    checkpoint = int(control["Latest checkpoint's TimeLineID"])
    starts = {checkpoint: control["Latest checkpoint location"]}
    for timeline in server.begun_timelines(layout):
        if timeline > checkpoint:
            starts[timeline] = history(layout, timeline)[-1][1]
    for timeline in sorted(starts, reverse=True):
        found, whole_log = _read_log(layout, timeline, starts[timeline])
        if not whole_log:
            return None
        if found:
            return found
    return None


def _read_log(layout: server.Layout, timeline: int, start: str) -> tuple[Record | None, bool]:
    """The last record from there on, and whether reading ended where the log ends."""
    wal = f"{layout.directory}/pg_wal"
    command = [layout.program("pg_waldump"), "--path", wal, "--timeline", str(timeline), "--start", start]
    last, message = None, ""
    # Read as it comes: the log since the last checkpoint may be a gigabyte.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env={"LC_ALL": "C"}
    ) as running:
        for line in running.stdout or ():
            record = re.search(r"len \(rec/tot\): *\d+/ *(\d+),.*\blsn: ([0-9A-F]+/[0-9A-F]+)", line)
            if record:
                last = Record(record[2], record_end(record[2], int(record[1])))
            else:
                message = line
    missing = re.search(r'could not find file "([0-9A-F]{24})"', message)
    if missing:
        return last, not any(name[:8] == missing[1][:8] and name > missing[1] for name in os.listdir(wal))
    return last, any(words in message for words in END_OF_LOG)


def history(layout: server.Layout, timeline: int) -> tuple[tuple[int, str], ...]:
    """The timelines before this one, each with the position at which it was left."""
    try:
        with open(f"{layout.directory}/pg_wal/{timeline:08X}.history", encoding="utf-8") as file:
            return parse_history(file.read())
    except FileNotFoundError:
        return ()


def followers(port: int) -> frozenset[str]:
    """Standbys that a running primary hears just now; of a server that does not answer, nobody.

    A link that was cut looks whole until wal_sender_timeout: what counts is a reply that comes meanwhile. When it was
    sent is by the standby's clock, so it is compared with itself only.
    """
    query = """
    SELECT application_name AS member, reply_time::text AS replied FROM pg_stat_replication
    WHERE state = 'streaming' AND application_name <> 'pg_basebackup'
    """
    deadline = time.monotonic() + LISTEN_S
    with contextlib.suppress(EstateError), client.connect(port) as connection:
        before = {row["member"]: row["replied"] for row in client.rows(connection, query)}
        while before and time.monotonic() < deadline:
            time.sleep(0.2)
            now = {row["member"]: row["replied"] for row in client.rows(connection, query)}
            heard = frozenset(name for name, replied in now.items() if before.get(name) != replied)
            if heard:
                return heard
    return frozenset()


def promote(layout: server.Layout, port: int) -> None:
    """Make a running standby primary, and wait until it takes writes. The order does not outlive a failure."""
    with client.connect(port) as connection:
        done = client.row(connection, "SELECT pg_promote(true, %s) AS done", PROMOTION_S)["done"]
    if not done:
        server.systemctl("restart", layout.unit)
        raise EstateError(f"the standby was told to become primary and is not after {PROMOTION_S} s; see its log")


def slots(layout: server.Layout) -> frozenset[str]:
    """Names of the replication slots, whether the server runs or not."""
    return frozenset(os.listdir(f"{layout.directory}/pg_replslot"))


def make_slots(port: int, names: frozenset[str]) -> None:
    """Make these physical slots; they keep WAL from now on."""
    with client.connect(port) as connection:
        for name in sorted(names):
            client.rows(connection, "SELECT pg_create_physical_replication_slot(%s, true)", name)


def drop_slots(port: int, names: frozenset[str]) -> None:
    """Drop these slots, which nobody uses."""
    with client.connect(port) as connection:
        for name in sorted(names):
            client.rows(connection, "SELECT pg_drop_replication_slot(%s)", name)


def _degraded(layout: server.Layout) -> str:
    return f"/etc/postgresql/{layout.version}/{layout.name}/conf.d/zz-estate-degraded.conf"


def is_degraded(layout: server.Layout) -> bool:
    """Whether the server waits for no standby because a failover left none."""
    return os.path.exists(_degraded(layout))


def degrade(layout: server.Layout, port: int) -> None:
    """Acknowledge writes without a standby."""
    path = _degraded(layout)
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "# A failover left no standby to wait for; rejoin or data ends this.\nsynchronous_standby_names = ''\n"
        )
        file.flush()
        os.fsync(file.fileno())
    server.own(path)
    reload(port)


def restore(layout: server.Layout, port: int) -> None:
    """Wait for a standby again."""
    undegrade(layout)
    reload(port)


def undegrade(layout: server.Layout) -> None:
    """Take the setting away that a failover made; the next start or reload goes by it."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_degraded(layout))


def reload(port: int) -> None:
    """Let the server read its configuration again, and wait until its processes have."""
    with client.connect(port) as connection:
        before = client.row(connection, "SELECT pg_conf_load_time() AS at, pg_reload_conf()")["at"]
        deadline = time.monotonic() + 10
        while client.row(connection, "SELECT pg_conf_load_time() AS at")["at"] == before:
            if time.monotonic() > deadline:
                raise EstateError("the server does not read its configuration again; see its log")
            time.sleep(0.05)


def prove(port: int) -> None:
    """Write, by a commit that waits for a standby, that commits do on this timeline. A failover reads it there."""
    with client.connect(port) as connection:
        # Commits wait once the checkpointer has read the setting; it does so before it begins.
        client.execute(connection, "CHECKPOINT", "proof of durability")
        if not client.row(connection, "SELECT current_setting('synchronous_standby_names') AS names")["names"]:
            raise EstateError("strict is not proven: synchronous_standby_names is empty, by a file of your own")
        client.execute(connection, "SET synchronous_commit = on", "proof of durability")
        timeline = client.row(connection, status.TIMELINE)["timeline"]
        client.execute(
            connection, f"ALTER DATABASE postgres SET estate.proven_timeline = '{timeline}'", "proof of durability"
        )


def revoke(port: int) -> None:
    """Commits do not wait any more: no standby is to believe it."""
    with client.connect(port) as connection:
        client.execute(connection, "ALTER DATABASE postgres RESET estate.proven_timeline", "proof of durability")


def follow(layout: server.Layout) -> None:
    """Make the data directory a standby's."""
    path = os.path.join(layout.directory, "standby.signal")
    with open(path, "a", encoding="ascii"):
        pass
    server.own(path)
    server.sync(layout.directory)


def rewind(layout: server.Layout, source: str, passfile: int, lock: int) -> None:
    """Take the data directory back to the primary's history. `source` is a conninfo without password."""
    with open(_rewinding(layout), "w", encoding="ascii") as file:
        os.fsync(file.fileno())
    server.sync(layout.directory)
    configuration = f"/etc/postgresql/{layout.version}/{layout.name}/postgresql.conf"
    server.run(
        [
            *(layout.program("pg_rewind"), "--target-pgdata", layout.directory, "--config-file", configuration),
            *("--source-server", f"{source} dbname=postgres passfile=/proc/self/fd/{passfile}"),
        ],
        "pg_rewind",
        (lock, passfile),
    )
    follow(layout)
    whole(layout)
