"""The stores that the contract suite runs on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crossport.adapters.migrations import migrate
from crossport.adapters.store.postgresql import PostgresqlStore
from crossport.adapters.store.sqlite import SqliteStore
from tests.contract.store_examples import CIRCUIT, NOW
from tests.contract.store_insight import MemoryInsight, Stores, ViewsInsight
from tests.fakes.memory_store import MemoryStore


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty migrated database; tests copy it instead of migrating again."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> str:
    """The URL of an empty migrated database of this test's own."""
    path = tmp_path / "crossport.db"
    shutil.copy(migrated, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Iterator[Stores]:
    """The store under test, with one circuit in it."""
    made: Callable[[], Iterator[Stores]] = {
        "memory": _memory,
        "sqlite": lambda: _sqlite(request),
        "postgresql": lambda: _postgresql(request),
    }[request.param]
    yield from made()


def _memory() -> Iterator[Stores]:
    store = MemoryStore(now=lambda: NOW)
    store.put_circuit(CIRCUIT, actor="test", reason="example", at=NOW)
    yield Stores(store, store.another(), MemoryInsight(store))


def _sqlite(request: pytest.FixtureRequest) -> Iterator[Stores]:
    url = request.getfixturevalue("database")
    with SqliteStore(url, now=lambda: NOW) as store, SqliteStore(url, now=lambda: NOW) as other:
        store.put_circuit(CIRCUIT, actor="test", reason="example", at=NOW)
        yield Stores(store, other, ViewsInsight(url))


def _postgresql(request: pytest.FixtureRequest) -> Iterator[Stores]:
    url = request.getfixturevalue("postgresql_url")
    with PostgresqlStore(url, now=lambda: NOW) as store, PostgresqlStore(url, now=lambda: NOW) as other:
        store.put_circuit(CIRCUIT, actor="test", reason="example", at=NOW)
        yield Stores(store, other, ViewsInsight(url))
