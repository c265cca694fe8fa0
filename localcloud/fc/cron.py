"""When a timer trigger fires: ``@every 1m`` and six-field cron expressions.

Source: Function Compute, "Time triggers": the fields are second, minute, hour, day of month, month, day of
week, in UTC unless ``CRON_TZ=<zone>`` stands in front. The finer rules follow the widespread Go library whose
syntax this is [INF]: day of week 0 to 6 from Sunday, names allowed, and when both day fields are restricted
a day that satisfies either one counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_NAMES = {name: number + 1 for number, name in enumerate(_MONTHS)} | {
    name: number for number, name in enumerate(_WEEKDAYS)
}
_BOUNDS = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
_UNITS = {"s": 1, "m": 60, "h": 3600}
_HORIZON_DAYS = 366 * 8 + 1
"""Every date that exists at all comes within eight years (29 February around a year like 2100)."""


class Schedule(Protocol):
    """The times at which a timer fires."""

    def following(self, after: datetime) -> datetime:
        """The first firing strictly after an aware time, in UTC. Raises ValueError if there is none."""
        ...


@dataclass(frozen=True)
class Every:
    """``@every``: at ``start`` plus whole multiples of the interval."""

    interval: timedelta
    start: datetime

    def following(self, after: datetime) -> datetime:
        """The first firing strictly after an aware time, in UTC."""
        steps = (after - self.start) // self.interval + 1
        return (self.start + max(steps, 1) * self.interval).astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A cron expression; each field is the ascending tuple of its values."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    zone: ZoneInfo
    either_day: bool

    def following(self, after: datetime) -> datetime:
        """The first firing strictly after an aware time, in UTC.

        A local time that a change to summer time skips does not fire; one that occurs twice fires once.
        Raises ValueError for an expression that never comes true.
        """
        local = after.astimezone(self.zone)
        for offset in range(_HORIZON_DAYS):
            day = local.date() + timedelta(days=offset)
            if not self._matches(day):
                continue
            found = self._on(day, after, local.hour if offset == 0 else 0)
            if found is not None:
                return found
        raise ValueError("the cron expression never comes true")

    def _matches(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        return (in_month or in_week) if self.either_day else (in_month and in_week)

    def _on(self, day: date, after: datetime, first_hour: int) -> datetime | None:
        """The first firing on a day that matches and is after ``after``."""
        for hour in self.hours:
            if hour < first_hour:
                continue
            for minute in self.minutes:
                last = datetime(day.year, day.month, day.day, hour, minute, self.seconds[-1], tzinfo=self.zone)
                if last.astimezone(UTC) <= after:
                    continue
                for second in self.seconds:
                    local = last.replace(second=second)
                    instant = local.astimezone(UTC)
                    exists = instant.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None)
                    if exists and instant > after:
                        return instant
        return None


def parse_schedule(expression: str, start: datetime | None = None) -> Schedule:
    """Read a cronExpression; ``start`` is the phase of ``@every``. Raises ValueError."""
    if expression.startswith("@every "):
        return Every(_interval(expression), start or datetime(1970, 1, 1, tzinfo=UTC))
    zone = ZoneInfo("UTC")
    if expression.startswith("CRON_TZ="):
        name, _, expression = expression.removeprefix("CRON_TZ=").partition(" ")
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"no such time zone: {name!r}") from None
    fields = expression.split()
    if len(fields) != len(_BOUNDS):
        raise ValueError(f"a cron expression has six fields, seconds first: {expression!r}")
    seconds, minutes, hours, days, months, weekdays = (
        tuple(sorted(_values(field, low, high))) for field, (low, high) in zip(fields, _BOUNDS, strict=True)
    )
    restricted = [field[0] not in "*?" for field in fields]
    schedule = Cron(
        seconds=seconds,
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        zone=zone,
        either_day=restricted[3] and restricted[5],
    )
    schedule.following(datetime(2000, 1, 1, tzinfo=UTC))  # refuses 30 February here, not at night
    return schedule


def _interval(expression: str) -> timedelta:
    text = expression.removeprefix("@every ").strip()
    if not re.fullmatch(r"(\d+[smh])+", text):
        raise ValueError(f"not an interval such as 1m or 1h30m: {text!r}")
    total = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))
    if total < 1:
        raise ValueError("the interval must be at least one second")
    return timedelta(seconds=total)


def _values(field: str, low: int, high: int) -> set[int]:
    """The values that one field stands for: ``*``, ``?``, ``n``, ``a-b``, each with ``/step``, in a list."""
    values: set[int] = set()
    for part in field.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, 1, high) if slash else 1
        if span in {"*", "?"}:
            first, last = low, high
        else:
            first_text, dash, last_text = span.partition("-")
            first = _number(first_text, low, high)
            last = _number(last_text, low, high) if dash else (high if slash else first)
        if first > last:
            raise ValueError(f"the range {part!r} runs backwards")
        values.update(range(first, last + 1, step))
    return values


def _number(text: str, low: int, high: int) -> int:
    number = _NAMES.get(text.upper())
    if number is None:
        if not re.fullmatch(r"\d{1,2}", text):
            raise ValueError(f"not a number in a cron field: {text!r}")
        number = int(text)
    if not low <= number <= high:
        raise ValueError(f"{text!r} is not between {low} and {high}")
    return number
