"""Grow-only histories: the reason why the order of observations does not matter.

A history is a set of (time, source, value). Joining is set union, so it is commutative, associative and
idempotent. To stay small under years of polling, repeats of one value from one source within one UTC day are
kept as their first and last time only; minimum and maximum are joins too, so nothing of the above is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Generic, TypeVar

from crossport.domain.errors import aware
from crossport.domain.vocabulary import Source

Value = TypeVar("Value", bound=str | int | datetime)


@dataclass(frozen=True, slots=True, order=True)
class Entry(Generic[Value]):
    """One value, when it held in the cloud's time, and who said so. Entries are totally ordered."""

    at: datetime
    source: Source
    value: Value

    def __post_init__(self) -> None:
        aware(self.at, "an entry's time")


@dataclass(frozen=True, slots=True)
class History(Generic[Value]):
    """All that was ever observed of one field. The current value is the greatest entry's."""

    #: Sorted by (time, source, value).
    entries: tuple[Entry[Value], ...] = ()
    #: The past before this instant is compacted and closed; None while all of it is open.
    settled_until: datetime | None = field(default=None)

    @property
    def current(self) -> Value | None:
        """The latest value, or None when nothing was observed."""
        return self.entries[-1].value if self.entries else None

    @property
    def latest(self) -> Entry[Value] | None:
        """The latest entry, or None when nothing was observed."""
        return self.entries[-1] if self.entries else None

    def values(self) -> frozenset[Value]:
        """Every value ever observed."""
        return frozenset(entry.value for entry in self.entries)

    def value_at(self, at: datetime) -> Value | None:
        """The value that held at a time: the last entry not after it, else the earliest; None for an empty history."""
        before = [entry for entry in self.entries if entry.at <= at]
        if before:
            return before[-1].value
        return self.entries[0].value if self.entries else None

    def admits(self, at: datetime) -> bool:
        """Whether an observation of this time still counts; older ones are findings, not facts."""
        return self.settled_until is None or at >= self.settled_until

    def add(self, at: datetime, source: Source, value: Value) -> History[Value]:
        """The history with one more entry; itself when that says nothing new or comes after settlement."""
        if not self.admits(at):
            return self
        entry = Entry(at, source, value)
        if entry in self.entries:
            return self
        entries = _within_days((*self.entries, entry))
        return self if entries == self.entries else replace(self, entries=entries)

    def runs(self) -> Iterator[Entry[Value]]:
        """The first entry of each run of equal neighbouring values, oldest first.

        The number of runs of a value never falls when entries are added, wherever they land: that makes the
        ordinal of a run a stable key for effects.
        """
        for _, run in groupby(self.entries, key=lambda entry: entry.value):
            yield next(run)

    def count_runs(self, value: Value, after: Collection[Value] | None = None) -> int:
        """How many separate times the field took ``value``; with ``after``, only those after it took one of these."""
        counted, met = 0, after is None
        for entry in self.runs():
            met = met or (after is not None and entry.value in after)
            counted += met and entry.value == value
        return counted

    def settle(self, until: datetime) -> History[Value]:
        """Close and compact the past before ``until``: of each run there the first and last entry remain."""
        if self.settled_until is not None and until <= self.settled_until:
            return self
        past = [entry for entry in self.entries if entry.at < until]
        if not past:
            return self
        kept: list[Entry[Value]] = []
        for _, group in groupby(past, key=lambda entry: entry.value):
            run = list(group)
            kept.extend(run if len(run) == 1 else (run[0], run[-1]))
        rest = self.entries[len(past) :]
        return History((*kept, *rest), until)


def _within_days(entries: Iterable[Entry[Value]]) -> tuple[Entry[Value], ...]:
    """Sorted entries with, for each (UTC day, source, value), only the first and the last kept."""
    bounds: dict[tuple[int, Source, Value], tuple[Entry[Value], Entry[Value]]] = {}
    for entry in entries:
        key = (int(entry.at.timestamp() // 86_400), entry.source, entry.value)
        first, last = bounds.get(key, (entry, entry))
        bounds[key] = (min(first, entry), max(last, entry))
    return tuple(sorted({entry for pair in bounds.values() for entry in pair}))
