# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""sha_password: the stored form other programs read, and only for passwords that can bear it."""

from __future__ import annotations

import pytest

from ansible_collections.retailerp.estate.plugins.filter.sha_password import FilterModule

sha_password = FilterModule().filters()["sha_password"]


def test_it_is_what_htpasswd_writes():
    # htpasswd -nbs operator correct-horse-battery-staple
    assert sha_password("correct-horse-battery-staple") == "{SHA}3WBs1Ju70GtMJgb8JEn4+4eXV4Y="


def test_a_short_password_is_refused():
    with pytest.raises(ValueError, match="fewer than 20"):
        sha_password("x" * 19)
