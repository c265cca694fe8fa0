"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Satisfies ``application.ports.Clock``."""

    def __init__(self, at: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self._now = at

    def now(self) -> datetime:
        """The time that the test has set."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._now += by
