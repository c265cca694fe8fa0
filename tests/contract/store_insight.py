"""Insight into a store, and the pair of workers that the contract suite gives each test."""

from __future__ import annotations

from typing import Any, Protocol

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


class Stores:
    """One memory, two workers' store objects on it, and insight."""

    def __init__(self, store: Store, other: Store, insight: Insight) -> None:
        self.store = store
        self.other = other
        self.insight = insight
