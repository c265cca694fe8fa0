"""Grow-only histories: the reason why the order of observations does not matter.

A history is a set of (time, source, value). Joining is set union, so it is commutative, associative and
idempotent. Nothing is dropped while the past is open: a repeat that looks superfluous today separates two values that
arrive tomorrow. Once the past is closed (``settle``), runs of one value are reduced to their bounds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
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
        # Most histories have no entry or one, and every decision asks for all of them.
        if len(self.entries) < 2:
            return frozenset((self.entries[0].value,)) if self.entries else frozenset()
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
        place = bisect_left(self.entries, entry)
        if place < len(self.entries) and self.entries[place] == entry:
            return self
        return History((*self.entries[:place], entry, *self.entries[place:]), self.settled_until)

    def runs(self) -> Iterator[Entry[Value]]:
        """The first entry of each run of equal neighbouring values, oldest first.

        The number of runs of a value never falls when entries are added, wherever they land: that makes the
        ordinal of a run a stable key for effects.
        """
        for _, run in groupby(self.entries, key=lambda entry: entry.value):
            yield next(run)

    def count_runs(self, value: Value, after: Collection[Value] | None = None) -> int:
        """How many separate times the field took ``value``; with ``after``, how many times it came back from these.

        With ``after``, only these values and ``value`` itself are looked at, so that an unrelated value in between is
        no return. Like the number of runs, this never falls when entries are added.
        """
        if after is None:
            return sum(entry.value == value for entry in self.runs())
        counted, away = 0, False
        for entry in self.entries:
            if entry.value in after:
                away = True
            elif entry.value == value:
                counted += away
                away = False
        return counted

    def settle(self, until: datetime) -> History[Value]:
        """Close and compact the past before ``until``: of each run there each source's first and last entry remain."""
        if self.settled_until is not None and until <= self.settled_until:
            return self
        if not self.entries or self.entries[0].at >= until:
            return self
        past = [entry for entry in self.entries if entry.at < until]
        kept: list[Entry[Value]] = []
        for _, run in groupby(past, key=lambda entry: entry.value):
            kept.extend(_bounds(run))
        return History((*kept, *self.entries[len(past) :]), until)


def _bounds(run: Iterable[Entry[Value]]) -> list[Entry[Value]]:
    """The first and last entry of each source, sorted. By source, because billing rests on what was *read*."""
    bounds: dict[Source, tuple[Entry[Value], Entry[Value]]] = {}
    for entry in run:
        first, _ = bounds.get(entry.source, (entry, entry))
        bounds[entry.source] = (first, entry)
    return sorted({entry for pair in bounds.values() for entry in pair})
