"""Times in text, as events, messages and files give them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

#: A time outside is a broken clock or a forgery, and would not survive arithmetic with time zones.
_EARLIEST, _LATEST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def instant(value: Any) -> datetime | None:
    """An ISO 8601 time with a zone as UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return at.astimezone(UTC) if at.tzinfo is not None and _EARLIEST <= at < _LATEST else None
    except (ValueError, OverflowError):
        return None
