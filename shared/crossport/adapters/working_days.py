"""Working days by the library ``holidays``, which is imported when the first one is asked for."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays import HolidayBase

#: ``date.weekday`` of Saturday.
_SATURDAY = 5


class HolidayCalendar:
    """``application.ports.WorkingDays``. Weekends, moved holidays and working weekends are those of the country."""

    def is_working_day(self, country: str, subdivision: str, day: date) -> bool:
        """See ``WorkingDays.is_working_day``."""
        known = _calendar(country, subdivision) if country else None
        return day.weekday() < _SATURDAY if known is None else known.is_working_day(day)


@cache
def _calendar(country: str, subdivision: str) -> HolidayBase | None:
    """The country's calendar, its years filled in as they are asked for; None for one that the library lacks."""
    from holidays import country_holidays

    try:
        return country_holidays(country, subdiv=subdivision or None)
    except NotImplementedError:
        return None
