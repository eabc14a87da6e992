# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version before: it must be as long as the one whose place it takes in a program."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.tests.older import number_before


@pytest.mark.parametrize(("number", "before"), [("17.12", "17.11"), ("17.10", "17.09"), ("18.3", "18.2")])
def test_the_minor_version_before(number, before):
    assert number_before(number) == before
