# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places in the log, records that cross pages, histories of branches."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql import wal
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError


def test_positions_are_numbers_of_bytes():
    assert wal.lsn("0/3000148") == 0x3000148
    assert wal.lsn("2/0") == 2 << 32
    for wrong in ("", "3000148", "0/xyz", "all"):
        with pytest.raises(EstateError, match="0/3000148"):
            wal.lsn(wrong)


def test_a_history_file_is_read_as_postgresql_writes_it():
    text = "1\t0/3000100\tno recovery target specified\n\n# a remark\n2\t1/0\tbefore 2026-11-24\n"
    assert wal.parse_history(text) == ((1, "0/3000100"), (2, "1/0"))


@pytest.mark.parametrize(
    ("begin", "length", "end"),
    [
        ("0/3000028", 54, "0/3000060"),  # aligned to 8
        ("0/3001FC8", 56, "0/3002000"),  # up to the end of its page
        ("0/3001FD8", 64, "0/3002030"),  # 40 bytes before the page ends, the rest behind a header of 24
        ("0/3FFFFE0", 64, "0/4000048"),  # a segment begins with a header of 40
        ("1/FFFFFFE0", 64, "2/48"),
        ("0/3000028", 20000, "0/3004E78"),  # two pages on
    ],
)
def test_a_record_ends_behind_the_headers_of_the_pages_it_crosses(begin, length, end):
    assert wal.record_end(begin, length) == end
