"""What is SQLite's own about the store: files, locks, durability, migrations, and several workers at once."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.adapters.store.queries import queries_of, schema_of
from crossport.adapters.store.sqlite import SqliteStore
from crossport.application.errors import StoreNotMigratedError, StoreUnavailableError, UnknownStoreError
from crossport.application.ports import SaveOutcome
from crossport.domain.orders import Hold
from tests.contract.store_examples import CIRCUIT, NOW, command, connection, save, stored, with_port

AUDITED = {"actor": "test", "reason": "example"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    """An empty migrated database; its name needs quoting in a URI."""
    path = tmp_path / "cross port #1?.db"
    shutil.copy(template, path)
    return path


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def store(url: str) -> Iterator[SqliteStore]:
    with SqliteStore(url) as store:
        store.put_circuit(CIRCUIT, at=NOW, **AUDITED)
        yield store


class TestOpening:
    @pytest.mark.parametrize("url", ["mysql://u:secret@host/db", "crossport.db", "", "sqlite:///", "sqlite://x"])
    def test_an_unknown_url_is_refused_without_repeating_it(self, url: str) -> None:
        with pytest.raises(UnknownStoreError) as raised:
            open_store(url)
        assert "secret" not in str(raised.value)

    def test_a_mistyped_path_does_not_become_a_database(self, tmp_path: Path) -> None:
        path = tmp_path / "typo.db"
        with pytest.raises(StoreNotMigratedError, match="crossport migrate"):
            open_store(f"sqlite:///{path}")
        assert not path.exists()

    def test_a_database_without_tables_says_what_to_do(self, tmp_path: Path) -> None:
        path = tmp_path / "empty.db"
        path.touch()
        with closing(open_store(f"sqlite:///{path}")) as store, pytest.raises(StoreNotMigratedError) as raised:
            store.get("conn-1")
        assert raised.value.retryable

    def test_commits_are_flushed(self, store: SqliteStore) -> None:
        pragma = store._sqlite._connection.execute
        assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
        assert pragma("PRAGMA synchronous").fetchone() == (2,)
        assert pragma("PRAGMA foreign_keys").fetchone() == (1,)


class TestLocks:
    def test_a_locked_database_is_unavailable_and_nothing_is_written(self, path: Path, url: str) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as blocker, SqliteStore(url, busy_timeout=0) as store:
            blocker.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError) as raised:
                store.save([save(connection())])
            assert raised.value.retryable
            assert store.get("conn-1") is None, "reading goes on"
            blocker.execute("ROLLBACK")
            assert list(store.save([save(connection())])) == [SaveOutcome.SAVED]

    def test_an_error_in_the_middle_leaves_no_transaction_open(self, store: SqliteStore, url: str) -> None:
        unserialisable = command("c1", payload={"at": NOW})
        with pytest.raises(TypeError):
            store.save([save(connection(1)), save(connection(2), outbox=(unserialisable,))])
        assert store.get("conn-1") is None
        with SqliteStore(url, busy_timeout=0) as other:
            assert list(other.save([save(connection(1))])) == [SaveOutcome.SAVED]


class TestWorkers:
    def test_threads_may_share_one_store(self, store: SqliteStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(lambda n: store.save([save(connection(n))])[0], range(32)))
        assert outcomes == [SaveOutcome.SAVED] * 32


class TestMigrations:
    def test_twice_is_once(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'x.db'}"
        assert migrate(url) == ["0001", "0002"]
        assert migrate(url) == []

    def test_at_the_same_time_one_migrates(self, tmp_path: Path) -> None:
        from multiprocessing import get_context

        url = f"sqlite:///{tmp_path / 'x.db'}"
        with get_context("spawn").Pool(3) as pool:
            applied = pool.map(migrate, [url] * 3)
        assert sorted(applied) == [[], [], ["0001", "0002"]]
        with SqliteStore(url) as store:
            assert store.get("conn-1") is None

    def test_data_stays(self, url: str, store: SqliteStore) -> None:
        store.save([save(with_port(connection()))])
        assert migrate(url) == []
        assert stored(store).connection.port_id == "pc-port"

    def test_another_engine_is_refused(self) -> None:
        with pytest.raises(UnknownStoreError):
            migrate("mysql://u:secret@host/db")

    def test_a_folder_that_is_not_there_is_unavailable(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailableError):
            migrate(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")


class TestStatements:
    def test_every_statement_compiles_on_the_schema(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            for name, statement in queries_of("sqlite").items():
                parameters = {word.strip(":(),;"): None for word in statement.replace("(", " ").split() if ":" in word}
                try:
                    database.execute(f"EXPLAIN {statement}", parameters)
                except sqlite3.Error as error:
                    pytest.fail(f"{name}: {error}")

    def test_hot_statements_search_by_index(self, path: Path) -> None:
        """A full scan in one of these would grow with the age of the store."""
        hot = (
            "load",
            "load_order",
            "take_outbox",
            "update_connection",
            "unsealed_records",
            "last_seal",
            "open_connections",
            "written_keys",
        )
        with closing(sqlite3.connect(path)) as database:
            for name in hot:
                statement = queries_of("sqlite")[name]
                parameters = {word.strip(":(),;"): None for word in statement.replace("(", " ").split() if ":" in word}
                plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                scans = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
                assert not [step for step in scans if "USING" not in step], f"{name}: {plan}"

    def test_the_schema_is_split_at_its_statements(self) -> None:
        statements = schema_of("sqlite", "0001_first")
        assert all(statement.startswith("CREATE ") for statement in statements)
        assert all(sqlite3.complete_statement(statement + ";") for statement in statements)


def test_a_hold_of_a_vlan_that_no_port_can_have_is_refused(store: SqliteStore) -> None:
    from crossport.application.errors import IntegrityConflictError

    held = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=3_000, mbps=50, connection_id="conn-1")
    with pytest.raises(IntegrityConflictError):
        store.save([save(connection(), hold=held)])


def test_a_far_lease_does_not_overflow(store: SqliteStore) -> None:
    store.save([save(connection(), outbox=(command("c1"),))])
    assert len(store.take(now=NOW, lease_for=timedelta(days=3_650), lease="a", limit=1)) == 1
