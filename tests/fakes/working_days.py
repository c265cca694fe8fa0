"""Working days that can be counted on fingers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date


class MondayToFriday:
    """``application.ports.WorkingDays`` of a world without holidays, but for those that are given."""

    def __init__(self, holidays: Collection[date] = ()) -> None:
        self.holidays = frozenset(holidays)
        #: (country, subdivision) of every question.
        self.asked: set[tuple[str, str]] = set()

    def is_working_day(self, country: str, subdivision: str, day: date) -> bool:
        self.asked.add((country, subdivision))
        return day.weekday() < 5 and day not in self.holidays
