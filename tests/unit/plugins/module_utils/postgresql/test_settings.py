# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a value in a file is what the server runs with, though both write it in their own way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.postgresql.settings import differs, text


def row(setting, unit=None, vartype="integer"):
    """As pg_settings has it."""
    return {"setting": setting, "unit": unit, "vartype": vartype}


@pytest.mark.parametrize(
    ("found", "same", "other"),
    [
        (row("16384", "8kB"), ["128MB", "131072kB", "16384"], ["129MB", "1GB"]),
        (row("80"), ["80", " 80 "], ["81", "many"]),
        (row("3600000", "ms"), ["1h", "3600s", "3600000", "60min"], ["2h", "1d"]),
        (row("on", None, "bool"), ["on", "true", "YES", "1"], ["off", "no"]),
        (row("replica", None, "enum"), ["replica", "Replica"], ["logical"]),
        (row("/tmp", None, "string"), ["/tmp"], ["/TMP"]),
        (row("-1", "kB"), ["-1"], ["64kB"]),
        (row("0.5", None, "real"), ["0.5", "0.50"], ["0.6"]),
        (row("16", "MB"), ["16MB", "16"], ["1GB"]),
    ],
)
def test_units_and_spellings(found, same, other):
    assert [value for value in same if differs(found, value)] == []
    assert [value for value in other if not differs(found, value)] == []


@given(st.integers(min_value=1, max_value=10**6))
def test_megabytes_are_the_pages_they_make(megabytes):
    pages = row(str(megabytes * 128), "8kB")
    assert not differs(pages, f"{megabytes}MB")
    assert differs(pages, f"{megabytes + 1}MB")


def test_booleans_of_yaml_are_words():
    assert [text(True), text(False), text(5), text("1h")] == ["on", "off", "5", "1h"]
