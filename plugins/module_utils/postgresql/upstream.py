# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member's view of the others, over TLS as the replication role: who is primary, and does it still have our WAL."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import client
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.replication import Leader
from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.wal import parse_history
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

try:
    from psycopg import pq
except ImportError:
    pq = None

ARGUMENTS = {
    "member": {"type": "str", "required": True},
    "members": {"type": "dict", "required": True},
    "replication_user": {"type": "str", "required": True},
    "replication_password": {"type": "str", "required": True, "no_log": True},
    "ca_file": {"type": "path", "required": True},
}
"""As every module that speaks to other members takes them (documented in doc_fragments/postgresql_member.py)."""
ANSWER_S = 15
GONE = "has already been removed"
"""The end of the primary's message about WAL it no longer has; the role sets lc_messages to C."""


@dataclass(frozen=True)
class Upstream:
    """How the other members are reached. members: address by name; the names are in their certificates."""

    member: str
    members: Mapping[str, str]
    port: int
    user: str
    password: str
    ca_file: str

    def conninfo(self) -> str:
        """Whichever other member is primary, its certificate verified; without the password."""
        others = {name: address for name, address in self.members.items() if name != self.member}
        return (
            f"host={','.join(others)} hostaddr={','.join(others.values())} port={self.port} user={self.user} "
            f"sslmode=verify-full sslrootcert={self.ca_file} ssl_min_protocol_version=TLSv1.2 "
            f"application_name={self.member} target_session_attrs=read-write connect_timeout=5"
        )

    @contextlib.contextmanager
    def passfile(self) -> Iterator[int]:
        """The password as a pgpass in memory, for postgres only: no file that a killed run would leave."""
        account = pwd.getpwnam(client.SYSTEM_USER)
        descriptor = os.memfd_create("pgpass", 0)
        try:
            os.fchmod(descriptor, 0o600)
            os.fchown(descriptor, account.pw_uid, account.pw_gid)
            secret = self.password.replace("\\", "\\\\").replace(":", "\\:")
            os.write(descriptor, f"*:*:*:{self.user}:{secret}\n".encode())
            yield descriptor
        finally:
            os.close(descriptor)

    def identify(self) -> str:
        """The system identifier of the primary. Raises EstateError when no member is one that answers."""
        with self._connection() as connection:
            return _row(connection, b"IDENTIFY_SYSTEM")[0]

    def leader(self) -> Leader:
        """The primary's cluster, timeline and history. Raises EstateError when no member is one that answers."""
        with self._connection() as connection:
            identity = _row(connection, b"IDENTIFY_SYSTEM")
            timeline = int(identity[1])
            text = _row(connection, f"TIMELINE_HISTORY {timeline}".encode())[1] if timeline > 1 else ""
        return Leader(identity[0], timeline, parse_history(text))

    def settings(self, names: Iterable[str]) -> dict[str, int]:
        """What the primary runs with now."""
        with self._connection() as connection:
            return {name: int(_row(connection, f"SHOW {name}".encode())[0]) for name in names}

    def has_wal(self, position: str, timeline: int) -> bool:
        """Whether the primary can go on streaming from there; other errors than missing WAL raise EstateError."""
        with self._connection() as connection:
            start = f"START_REPLICATION PHYSICAL {_segment_start(position)} TIMELINE {timeline}"
            result = connection.exec_(start.encode())
            if result.status != pq.ExecStatus.COPY_BOTH:
                return _judge(_text(result.error_message))
            deadline = time.monotonic() + ANSWER_S
            while time.monotonic() < deadline:
                size, _data = connection.get_copy_data(1)
                if size > 0:
                    return True
                if size < 0:
                    return _judge(_text(connection.get_result().error_message))
                time.sleep(0.1)
                connection.consume_input()
        return True

    @contextlib.contextmanager
    def _connection(self) -> Iterator[pq.PGconn]:
        if pq is None:
            raise EstateError(client.MISSING)
        secret = self.password.replace("\\", "\\\\").replace("'", "\\'")
        # In this process's memory only; a child gets it by passfile().
        options = f"{self.conninfo()} password='{secret}' replication=true"
        connection = pq.PGconn.connect(options.encode())
        try:
            if connection.status != pq.ConnStatus.OK:
                raise EstateError(f"no member is a primary that answers: {_text(connection.error_message)}")
            yield connection
        finally:
            connection.finish()


def of(params: dict) -> Upstream:
    """From the options of a module (ARGUMENTS and server.ARGUMENTS)."""
    return Upstream(
        member=params["member"],
        members=params["members"],
        port=params["port"],
        user=params["replication_user"],
        password=params["replication_password"],
        ca_file=params["ca_file"],
    )


def _judge(message: str) -> bool:
    if GONE in message:
        return False
    raise EstateError(f"the primary cannot stream to this standby: {message}")


def _row(connection: pq.PGconn, command: bytes) -> list[str]:
    result = connection.exec_(command)
    if result.status != pq.ExecStatus.TUPLES_OK:
        raise EstateError(f"the primary refused {command.decode()}: {_text(result.error_message)}")
    return [(result.get_value(0, column) or b"").decode() for column in range(result.nfields)]


def _segment_start(position: str, segment: int = 16 * 1024 * 1024) -> str:
    """A standby asks from the start of the segment it is in."""
    high, low = (int(part, 16) for part in position.split("/"))
    return f"{high:X}/{low - low % segment:X}"


def _text(message: bytes | None) -> str:
    return (message or b"").decode(errors="replace").strip()
