"""What happened in the local cloud, for the timeline that a person watches and for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the journal.

    ``service`` is one of ``vpc``, ``mns``, ``eventbridge``, ``fc``, ``smtp``, ``scenario``; ``what`` is a short
    sentence for people; ``fields`` holds the details for tests (JSON-able).
    """

    at: datetime
    service: str
    what: str
    fields: dict[str, Any] = field(default_factory=dict)


class Journal:
    """An in-memory list of entries with listeners; no IO of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[Entry] = []
        self._listeners: list[Callable[[Entry], None]] = []

    def write(self, service: str, what: str, **fields: Any) -> Entry:
        """Append an entry at the cloud's present time and tell the listeners."""
        entry = Entry(at=self._clock.now(), service=service, what=what, fields=fields)
        self._entries.append(entry)
        for listener in self._listeners:
            listener(entry)
        return entry

    def listen(self, listener: Callable[[Entry], None]) -> None:
        """Call ``listener`` with every entry from now on."""
        self._listeners.append(listener)

    def entries(self, service: str | None = None) -> list[Entry]:
        """All entries so far, or those of one service."""
        return [e for e in self._entries if service is None or e.service == service]
