"""How asynchronous changes come about: at once, after some reads, or by the clock (as moto's state transitions)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Progression:
    """When a change that the cloud carries out in the background is done. Use the three constructors."""

    reads: int = 0
    delay: timedelta = timedelta()

    @classmethod
    def at_once(cls) -> Progression:
        """Within the call that asks for it."""
        return cls()

    @classmethod
    def after_reads(cls, reads: int) -> Progression:
        """After the resource has been listed or described ``reads`` times. Raises ValueError below 1."""
        if reads < 1:
            raise ValueError(f"reads must be at least 1, not {reads}")
        return cls(reads=reads)

    @classmethod
    def by_clock(cls, delay: timedelta) -> Progression:
        """When the cloud's clock has moved on by ``delay``. Raises ValueError for a delay that is not positive."""
        if delay <= timedelta():
            raise ValueError(f"the delay must be positive, not {delay}")
        return cls(delay=delay)


@dataclass(kw_only=True)
class _Change:
    resource_id: str
    reads_left: int
    due: datetime | None
    finish: Callable[[datetime], None]


class Changes:
    """The changes that are under way."""

    def __init__(self) -> None:
        self._under_way: list[_Change] = []

    def begin(
        self, progression: Progression, resource_id: str, now: datetime, finish: Callable[[datetime], None]
    ) -> None:
        """Start a change of a resource; ``finish`` gets the time at which it is done."""
        if not progression.reads and not progression.delay:
            finish(now)
            return
        due = now + progression.delay if progression.delay else None
        self._under_way.append(_Change(resource_id=resource_id, reads_left=progression.reads, due=due, finish=finish))

    def settle(self, now: datetime) -> None:
        """Finish what is due by the clock, in the order of the due times."""
        due = [change for change in self._under_way if change.due is not None and change.due <= now]
        for change in sorted(due, key=lambda c: c.due or now):
            self._under_way.remove(change)
            change.finish(change.due or now)

    def read(self, resource_id: str, now: datetime) -> None:
        """Count one read of a resource, and finish what waited for it."""
        for change in [c for c in self._under_way if c.resource_id == resource_id and c.due is None]:
            change.reads_left -= 1
            if change.reads_left <= 0:
                self._under_way.remove(change)
                change.finish(now)
