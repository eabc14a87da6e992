# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places in PostgreSQL's write-ahead log, its records and branches. Pure: no I/O, no Ansible."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

PAGE_BYTES, SEGMENT_BYTES, SEGMENTS = 8192, 16 * 1024 * 1024, 256
"""What Debian builds PostgreSQL with, and initdb makes clusters with. Larger segments have fewer long headers."""


def lsn(position: str) -> int:
    """A position as a number of bytes. Raises EstateError for what is none."""
    high, slash, low = position.partition("/")
    try:
        if not slash:
            raise ValueError(position)
        return (int(high, 16) << 32) + int(low, 16)
    except ValueError as err:
        raise EstateError(f"{position} is no position in the write-ahead log; write it as 0/3000148") from err


def segment(name: str) -> int:
    """The number of a segment on its branch, by the name of its file: log and segment of 8 hexadecimal digits each."""
    return int(name[8:16], 16) * SEGMENTS + int(name[16:24], 16)


@dataclass(frozen=True)
class Record:
    """A record of the write-ahead log: where it begins, and the position just behind it."""

    begin: str
    end: str


def record_end(begin: str, length: int) -> str:
    """The position behind a record of so many bytes: one that crosses pages goes on behind each page's header.

    What a standby has received may end with a page, in the middle of a record (PostgreSQL's xlog_internal.h: headers
    of 24 bytes, of 40 where a segment begins; records are aligned to 8).
    """
    place, left = lsn(begin), -(-length // 8) * 8
    while left > (room := PAGE_BYTES - place % PAGE_BYTES):
        left, place = left - room, place + room
        place += 40 if place % SEGMENT_BYTES == 0 else 24
    place += left
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def beyond(position: str | None, record: str) -> bool:
    """Whether a standby at this position has the record that begins there."""
    return position is not None and lsn(position) > lsn(record)


def parse_history(text: str) -> tuple[tuple[int, str], ...]:
    """A timeline history file: a line for each parent, its number and where it was left."""
    lines = (line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return tuple((int(fields[0]), fields[1]) for fields in lines)
