# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trading hours: nobody sells before the next opening, whatever the clock does meanwhile."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.retailerp.estate.plugins.module_utils.host.trading_hours import DAYS, TradingHours
from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

BERLIN = ZoneInfo("Europe/Berlin")
WORKDAYS = TradingHours(DAYS[:5], "08:00", "20:00")
TIMES = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
# The days around both changes of the clock, and any other.
MOMENTS = st.one_of(
    st.datetimes(datetime(2026, 3, 28), datetime(2026, 3, 30)),
    st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 26)),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
).map(lambda moment: moment.replace(tzinfo=timezone.utc))


@pytest.mark.parametrize(
    ("day", "at", "sells"),
    [(23, "07:59", False), (23, "08:00", True), (23, "19:59", True), (23, "20:00", False), (28, "12:00", False)],
)
def test_on_workdays(day, at, sells):
    """The 23rd of November 2026 is a Monday."""
    now = datetime(2026, 11, day, *map(int, at.split(":")), tzinfo=BERLIN)
    assert WORKDAYS.open_at(now) is sells


def test_the_end_of_the_day_is_midnight():
    always = TradingHours(DAYS, "00:00", "24:00")
    assert always.open_at(datetime(2026, 11, 23, 0, 0, tzinfo=BERLIN))
    assert always.open_at(datetime(2026, 11, 23, 23, 59, 59, tzinfo=BERLIN))


def test_the_next_opening_is_after_the_weekend():
    friday = datetime(2026, 11, 27, 8, 0, tzinfo=BERLIN)
    assert WORKDAYS.next_opening(friday) == datetime(2026, 11, 30, 8, 0, tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize("hours", [((), "08:00", "20:00"), (DAYS, "20:00", "08:00"), (DAYS, "8:00", "20:00")])
def test_no_hours_at_all_are_refused(hours):
    with pytest.raises(EstateError, match="trading hours from"):
        TradingHours(*hours)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(days=st.sets(st.sampled_from(DAYS), min_size=1), begin=TIMES, end=TIMES | st.just("24:00"), moment=MOMENTS)
def test_nobody_sells_between_closing_and_the_next_opening(days, begin, end, moment):
    assume(begin < end)
    hours, now = TradingHours(tuple(days), begin, end), moment.astimezone(BERLIN)
    opening = hours.next_opening(now)
    assert now.timestamp() < opening <= now.timestamp() + 8 * 24 * 3600 + 3600
    if hours.open_at(now):
        return
    last = min(opening, now.timestamp() + 30 * 3600)
    for seconds in range(int(now.timestamp()) + 1, int(last), 60):
        assert not hours.open_at(datetime.fromtimestamp(seconds, BERLIN))
