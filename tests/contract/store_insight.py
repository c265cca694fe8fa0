"""Insight into a store, and the pair of workers that the contract suite gives each test."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from crossport.adapters.store.rows import time_of
from crossport.adapters.store.views import Views
from crossport.application.ports import Store
from tests.fakes.memory_store import MemoryStore


class Insight(Protocol):
    """What the suite asks of a store beyond the protocol."""

    def audit(self) -> list[dict[str, Any]]:
        """Rows of inputs, in the order in which they were written: event_key, verdict, connection_id."""
        ...

    def ledger(self) -> list[dict[str, Any]]:
        """Billing records by key: key, reverses, seq, prev_hash, hash, record."""
        ...

    def findings(self) -> list[str]:
        """Keys of open findings."""
        ...

    def holds(self) -> list[tuple[int, int, str, datetime, datetime | None]]:
        """Every hold that ever was, by VLAN ID and time: VLAN ID, Mbit/s, connection, held at, released at."""
        ...


class MemoryInsight:
    """Insight into the fake."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def audit(self) -> list[dict[str, Any]]:
        return [
            {"event_key": row.key, "verdict": row.verdict, "connection_id": row.connection_id}
            for row in self._store.state.audit
        ]

    def ledger(self) -> list[dict[str, Any]]:
        return [
            {
                "key": entry.record.key,
                "reverses": entry.record.reverses,
                "seq": entry.seq,
                "prev_hash": entry.prev_hash,
                "hash": entry.hash,
            }
            for _, entry in sorted(self._store.state.ledger.items())
        ]

    def findings(self) -> list[str]:
        return sorted(self._store.state.findings)

    def holds(self) -> list[tuple[int, int, str, datetime, datetime | None]]:
        entries = sorted(self._store.state.hold_history, key=lambda entry: (entry.hold.vlan_id, entry.held_at))
        return [(e.hold.vlan_id, e.hold.mbps, e.hold.connection_id, e.held_at, e.released_at) for e in entries]


class ViewsInsight:
    """Insight through the read-only views."""

    def __init__(self, url: str) -> None:
        self._url = url

    def audit(self) -> list[dict[str, Any]]:
        names = ("event_key", "verdict", "connection_id")
        with Views(self._url) as views:
            return [{name: row[name] for name in names} for row in reversed(views.events())]

    def ledger(self) -> list[dict[str, Any]]:
        names = ("key", "reverses", "seq", "prev_hash", "hash")
        with Views(self._url) as views:
            rows = [{name: row[name] for name in names} for row in views.ledger()]
        return sorted(rows, key=lambda row: str(row["key"]))

    def findings(self) -> list[str]:
        with Views(self._url) as views:
            return sorted(row["key"] for row in views.findings())

    def holds(self) -> list[tuple[int, int, str, datetime, datetime | None]]:
        with Views(self._url) as views:
            return [
                (
                    row["vlan_id"],
                    row["mbps"],
                    row["connection_id"],
                    time_of(row["held_at"]),
                    None if row["released_at"] is None else time_of(row["released_at"]),
                )
                for row in views.vlan_history()
            ]


class Stores:
    """One memory, two workers' store objects on it, and insight."""

    def __init__(self, store: Store, other: Store, insight: Insight) -> None:
        self.store = store
        self.other = other
        self.insight = insight
