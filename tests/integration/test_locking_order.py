"""Batches lock their connections in one order, whatever order they name them in: nobody waits in a circle.

Deadlocks are tried again, so that a wrong order would never show in a result, only in the counter of conflicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import psycopg
import pytest

from crossport.adapters.store import postgresql_saving
from crossport.adapters.store.postgresql import PostgresqlStore
from crossport.adapters.store.queries import parts_of
from crossport.application.ports import SaveOutcome
from tests.contract.store_examples import CIRCUIT, NOW, connection, event, save, saved, stored

SORTED, AS_NAMED = "ORDER BY id FOR UPDATE", "ORDER BY array_position(CAST(:ids AS TEXT[]), id) FOR UPDATE"
#: Two connections that both batches want, in opposite orders, and between them one that is locked until both wait.
BATCHES = ((1, 8, 2), (2, 9, 1))


def _conflicts(url: str) -> int:
    """How many deadlocks two batches meet that surely overlap."""
    with PostgresqlStore(url, now=lambda: NOW) as store:
        store.put_circuit(CIRCUIT, actor="test", reason="example", at=NOW)
        saved(store, *(save(connection(number)) for number in (1, 2, 8, 9)))

    def work(batch: Sequence[int]) -> tuple[list[SaveOutcome], int]:
        with PostgresqlStore(url, now=lambda: NOW) as mine:
            seen = {number: stored(mine, f"conn-{number}") for number in batch}
            saves = [save(each.connection, each, inputs=(event(f"{batch}/{n}"),)) for n, each in seen.items()]
            return list(mine.save(saves)), mine.counters.conflicts

    with psycopg.connect(url) as gate, ThreadPoolExecutor(2) as pool:
        gate.execute("SELECT FROM connection WHERE id IN ('conn-8', 'conn-9') FOR UPDATE")
        working = [pool.submit(work, batch) for batch in BATCHES]
        _wait_for_both(url)
        gate.rollback()
        ends = [each.result(timeout=30) for each in working]
    won = [outcome for outcomes, _ in ends for outcome in outcomes].count(SaveOutcome.SAVED)
    assert won == 4, "each connection is moved once"
    return sum(conflicts for _, conflicts in ends)


def _wait_for_both(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as watcher:
        for _ in range(100_000):
            found = watcher.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted").fetchone()
            if found == (2,):
                return
    pytest.fail("two batches do not wait for a lock")


def test_batches_that_overlap_meet_no_deadlock(postgresql_url: str) -> None:
    assert _conflicts(postgresql_url) == 0


def test_unsorted_groups_would_be_noticed(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of("postgresql")
    assert SORTED in parts["many"]
    unsorted = MappingProxyType({**parts, "many": parts["many"].replace(SORTED, AS_NAMED)})
    monkeypatch.setattr(postgresql_saving, "parts_of", lambda engine: unsorted)
    postgresql_saving._several_statement.cache_clear()
    try:
        assert _conflicts(postgresql_url) > 0
    finally:
        postgresql_saving._several_statement.cache_clear()
