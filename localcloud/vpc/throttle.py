"""Limits the rate of calls, in real time (300 calls in 60 seconds for each operation, account and region)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0


class Throttle:
    """A sliding window for each key. ``monotonic`` is real time in seconds; it is injected for tests only."""

    def __init__(self, limit: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._calls: dict[tuple[str, ...], deque[float]] = {}

    def admit(self, *key: str) -> bool:
        """Count a call and say whether it is within the limit. A refused call does not count."""
        now = self._monotonic()
        calls = self._calls.setdefault(key, deque())
        while calls and now - calls[0] >= WINDOW_SECONDS:
            calls.popleft()
        if len(calls) >= self._limit:
            return False
        calls.append(now)
        return True
