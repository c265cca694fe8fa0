"""The term of a port's subscription (Alibaba Cloud, Express Connect, "Resource usage fee")."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta, timezone

BILLING_ZONE = timezone(timedelta(hours=8), "UTC+8")
"""The zone of the billing calendar, in all regions."""


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day. [INF]: the month-end rule is not documented."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def term_end(enabled_at: datetime, months: int) -> datetime:
    """When a term of whole months ends: 00:00 UTC+8 of the day after the anniversary of its start."""
    anniversary = add_months(enabled_at.astimezone(BILLING_ZONE).date(), months)
    return _midnight(anniversary + timedelta(days=1))


def renewed_end(end_at: datetime, months: int) -> datetime:
    """The end of a term that is renewed: whole months after its old end."""
    return _midnight(add_months(end_at.astimezone(BILLING_ZONE).date(), months))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=BILLING_ZONE)
