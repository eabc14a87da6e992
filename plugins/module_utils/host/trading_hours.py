# SPDX-FileCopyrightText: 2026 The retailerp.estate authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When people sell, and when they begin again. Pure: the time is given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from ansible_collections.retailerp.estate.plugins.module_utils.result import EstateError

TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class TradingHours:
    """Days of the week, and from when to when on each ("HH:MM", the end excluded; "24:00" is midnight)."""

    days: tuple[str, ...]
    begin: str
    end: str

    def __post_init__(self) -> None:
        wrong = [text for text in (self.begin, self.end) if not re.fullmatch(TIME, text)]
        if wrong or not self.days or self.begin >= self.end:
            raise EstateError(f"trading hours from {self.begin} to {self.end} on {len(self.days)} days are none")

    def open_at(self, now: datetime) -> bool:
        """Whether people sell at this time, which is in the shop's own time zone."""
        return DAYS[now.weekday()] in self.days and self.begin <= now.strftime("%H:%M") < self.end

    def next_opening(self, now: datetime) -> float:
        """When people begin to sell next, after `now`, in seconds since the epoch.

        Where a clock change makes the hour of opening twice or not at all, the earlier of its two readings counts.
        """
        hour, minute = map(int, self.begin.split(":"))
        for ahead in range(8):
            day = now.date() + timedelta(days=ahead)
            if DAYS[day.weekday()] not in self.days:
                continue
            opening = datetime.combine(day, time(hour, minute), now.tzinfo)
            seconds = min(opening.replace(fold=fold).timestamp() for fold in (0, 1))
            if seconds > now.timestamp():
                return seconds
        raise AssertionError("a day of the week comes again within eight days")
