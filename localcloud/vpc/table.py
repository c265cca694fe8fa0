"""A table of resources whose lists can lag behind its writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Past(Generic[T]):
    value: T | None
    reads_left: int


class Table(Generic[T]):
    """Resources by id, in the order of creation.

    Operations decide on what is true (``get``, ``all``); lists and descriptions show ``visible``, which is behind for
    as many reads as the write that it does not show yet was given.
    """

    def __init__(self) -> None:
        self._rows: dict[str, T] = {}
        self._past: dict[str, _Past[T]] = {}

    def get(self, resource_id: str) -> T | None:
        """The resource as it is, or None."""
        return self._rows.get(resource_id)

    def all(self) -> list[T]:
        """All resources as they are."""
        return list(self._rows.values())

    def put(self, resource_id: str, value: T, stale_reads: int = 0) -> None:
        """Insert or replace; the next ``stale_reads`` reads show what was visible before."""
        self._keep_past(resource_id, stale_reads)
        self._rows[resource_id] = value

    def remove(self, resource_id: str, stale_reads: int = 0) -> None:
        """Remove; the next ``stale_reads`` reads still show the resource."""
        self._keep_past(resource_id, stale_reads)
        self._rows.pop(resource_id, None)

    def visible(self) -> list[T]:
        """What a list shows now."""
        shown = {**self._rows, **{i: p.value for i, p in self._past.items()}}
        return [value for value in shown.values() if value is not None]

    def count_read(self) -> None:
        """One list or describe call has been answered."""
        for resource_id, past in list(self._past.items()):
            past.reads_left -= 1
            if past.reads_left <= 0:
                del self._past[resource_id]

    def _keep_past(self, resource_id: str, stale_reads: int) -> None:
        if stale_reads <= 0:
            self._past.pop(resource_id, None)
            return
        past = self._past.get(resource_id)
        value = self._rows.get(resource_id) if past is None else past.value
        self._past[resource_id] = _Past(value, stale_reads)
