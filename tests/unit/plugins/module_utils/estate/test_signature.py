# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When shared access signatures end, in every way in which Azure lets one say it."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.estate import signature


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("2036-11-01", "2036-11-01T00:00:00+00:00"),
        ("2036-11-01T12:30Z", "2036-11-01T12:30:00+00:00"),
        ("2036-11-01T12%3A30%3A15Z", "2036-11-01T12:30:15+00:00"),
        ("2036-11-01T12:30:15", "2036-11-01T12:30:15+00:00"),
        ("2036-11-01T12%3A30%3A15.1234567Z", "2036-11-01T12:30:15+00:00"),
        ("2036-11-01T00:30%2B02:00", "2036-10-31T22:30:00+00:00"),
        ("", None),
        ("soon", None),
        ("2036-11-31", None),
        ("01.11.2036", None),
        ("2036-11-01 12:30", None),
        ("9999-12-31T23:59-23:59", None),
    ],
)
def test_the_end_is_read_in_utc(said, end):
    found = signature.end(f"?sv=2021-12-02&se={said}&sr=c&sig=x%3D")
    assert (found and found.isoformat()) == end


def test_without_se_there_is_none():
    assert signature.end("sv=2021-12-02&sig=se=2036-11-01") is None


@given(st.text())
def test_whatever_it_says_is_an_end_or_none(said):
    found = signature.end(f"se={urllib.parse.quote(said)}&sig=x")
    assert found is None or found.utcoffset().total_seconds() == 0
