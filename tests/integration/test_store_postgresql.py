"""What is PostgreSQL's own about the store: round trips, flushes, deadlocks, lost connections, migrations, plans."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.adapters.store.postgresql import PostgresqlStore
from crossport.adapters.store.postgresql_engine import STATEMENT_TIMEOUT, array_of, connection_parameters, statement_of
from crossport.adapters.store.postgresql_saving import one_save
from crossport.adapters.store.queries import queries_of
from crossport.adapters.store.views import Views
from crossport.application.errors import StoreNotMigratedError, StoreUnavailableError, UnknownStoreError
from crossport.application.ports import Save, SaveOutcome
from crossport.domain.connection import Connection
from crossport.domain.orders import Hold
from tests.contract.store_examples import (
    CIRCUIT,
    MINUTE,
    NOW,
    command,
    connection,
    event,
    save,
    saved,
    stored,
    take,
    with_port,
)
from tests.fakes.postgresql_proxy import PostgresqlProxy
from tests.postgresql_server import PostgresServer

SAVED, LOST, DUPLICATE = SaveOutcome.SAVED, SaveOutcome.LOST, SaveOutcome.DUPLICATE
AUDITED: dict[str, Any] = {"actor": "test", "reason": "example", "at": NOW}


@pytest.fixture
def store(postgresql_url: str) -> Iterator[PostgresqlStore]:
    with PostgresqlStore(postgresql_url, now=lambda: NOW) as store:
        store.put_circuit(CIRCUIT, **AUDITED)
        yield store


@pytest.fixture
def proxy(postgresql_server: PostgresServer) -> Iterator[PostgresqlProxy]:
    with PostgresqlProxy(postgresql_server.socket) as proxy:
        yield proxy


@pytest.fixture
def far_store(proxy: PostgresqlProxy, postgresql_url: str) -> Iterator[PostgresqlStore]:
    """A store that speaks through the proxy."""
    with PostgresqlStore(proxy.url(_database(postgresql_url)), now=lambda: NOW) as store:
        yield store


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    """A server that flushes what it commits."""
    with PostgresServer(durable=True) as server:
        yield server


def _database(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _grown(of: Connection, number: int) -> Connection:
    return replace(with_port(of, f"pc-{of.connection_id}"), customer_reference=f"after event {number}")


def _event(store: PostgresqlStore, numbers: range, key: str) -> list[SaveOutcome]:
    """One event for each of these connections, as one batch: a load, then a save."""
    routes = {f"token:crossport-conn-{number}" for number in numbers}
    found = store.load(routes=routes, keys=[f"{key}/{number}" for number in numbers]).connections
    saves: list[Save] = []
    for number in numbers:
        seen = found[f"token:crossport-conn-{number}"]
        saves.append(
            save(
                _grown(seen.connection, len(saves)),
                seen,
                inputs=(event(f"{key}/{number}"),),
                outbox=(command(f"{key}/{number}"),),
            )
        )
    return list(store.save(saves))


class TestRoundTrips:
    @pytest.mark.parametrize("size", [1, 2, 16])
    def test_an_event_and_a_batch_take_two(self, proxy: PostgresqlProxy, far_store: PostgresqlStore, size: int) -> None:
        numbers = range(size)
        saved(far_store, *(save(connection(number)) for number in numbers))
        _event(far_store, numbers, "warm")
        counted, seen = far_store.counters.round_trips, proxy.round_trips
        for n in range(5):
            assert _event(far_store, numbers, f"e{n}") == [SAVED] * size
        assert proxy.round_trips - seen == 10
        assert far_store.counters.round_trips - counted == 10

    def test_an_order_takes_two(self, proxy: PostgresqlProxy, far_store: PostgresqlStore) -> None:
        far_store.put_circuit(CIRCUIT, **AUDITED)

        def order(number: int) -> None:
            of = connection(number, vlan_id=number)
            context = far_store.load_order(
                connection_id=of.connection_id,
                account_id=of.account_id,
                circuit_id=of.circuit_id,
                tenant_uid=of.tenant_uid,
                keys=[f"o{number}"],
            )
            assert context.circuit is not None
            held = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=number, mbps=50, connection_id=of.connection_id)
            saved(
                far_store, save(of, hold=held, circuit=context.circuit.hold(number, 50), inputs=(event(f"o{number}"),))
            )

        order(0)
        seen = proxy.round_trips
        order(1)
        order(2)
        assert proxy.round_trips - seen == 4

    def test_what_changes_no_connection_takes_one(self, proxy: PostgresqlProxy, far_store: PostgresqlStore) -> None:
        far_store.record([event("e0")], outbox=[command("c0")])
        seen = proxy.round_trips
        far_store.record([event("e1"), event("e2")], outbox=[command("c1")])
        assert proxy.round_trips - seen == 1

    def test_a_first_use_is_counted_with_its_preparation(
        self, proxy: PostgresqlProxy, far_store: PostgresqlStore
    ) -> None:
        far_store.get("conn-1")
        counted, seen = far_store.counters.round_trips, proxy.round_trips
        far_store.circuit("pc-1")
        assert (far_store.counters.round_trips - counted, proxy.round_trips - seen) == (2, 2)

    def test_without_preparing_there_is_nothing_to_add(self, proxy: PostgresqlProxy, postgresql_url: str) -> None:
        with PostgresqlStore(f"{proxy.url(_database(postgresql_url))}&prepare=never") as store:
            store.get("conn-1")
            seen = proxy.round_trips
            store.circuit("pc-1")
            store.circuit("pc-1")
            assert proxy.round_trips - seen == 2


class TestFlushes:
    """Counters of a server that flushes (``fsync`` on): what durability costs, without a clock."""

    @pytest.fixture
    def durable_store(self, durable: PostgresServer) -> Iterator[PostgresqlStore]:
        name = durable.create_database()
        migrate(durable.url(name))
        with PostgresqlStore(durable.url(name), now=lambda: NOW) as store:
            yield store

    def _flushes(self, durable: PostgresServer, store: PostgresqlStore) -> int:
        store._postgresql._connected().execute("SELECT pg_stat_force_next_flush()")
        ((flushes,),) = durable.execute(
            "SELECT sum(fsyncs)::int FROM pg_stat_io WHERE object = 'wal' AND backend_type = 'client backend'"
        )
        return int(flushes)

    @pytest.mark.parametrize(("size", "most"), [(1, 1.02), (16, 1.05)])
    def test_one_for_each_event_or_batch(
        self, durable: PostgresServer, durable_store: PostgresqlStore, size: int, most: float
    ) -> None:
        numbers, times = range(size), 100
        saved(durable_store, *(save(connection(number)) for number in numbers))
        before = self._flushes(durable, durable_store)
        for n in range(times):
            assert _event(durable_store, numbers, f"e{n}") == [SAVED] * size
        flushes = self._flushes(durable, durable_store) - before
        assert 0 < flushes <= most * times

    def test_none_for_what_is_lost_or_a_duplicate(
        self, durable: PostgresServer, durable_store: PostgresqlStore
    ) -> None:
        saved(durable_store, save(connection(), inputs=(event("e1"),)))
        seen = stored(durable_store)
        before = self._flushes(durable, durable_store)
        for _ in range(10):
            assert durable_store.load(keys=["e1"]).inbox
            assert list(durable_store.save([save(connection(), seen, inputs=(event("e1"),))])) == [DUPLICATE]
            assert list(durable_store.save([save(connection())])) == [LOST]
        assert self._flushes(durable, durable_store) == before


class TestConflicts:
    def test_a_deadlock_is_tried_again_and_counted(self, store: PostgresqlStore, postgresql_url: str) -> None:
        """Another session takes what the save needs, in the opposite order; the save gives way and comes again."""
        saved(store, save(connection()))
        seen = stored(store)
        with psycopg.connect(postgresql_url) as other, ThreadPoolExecutor(1) as pool:
            other.execute("SET deadlock_timeout = '60s'")
            other.execute("INSERT INTO inbox VALUES ('e1', '', '', NULL, '')")
            saving = pool.submit(store.save, [save(with_port(connection()), seen, inputs=(event("e1"),))])
            self._wait_for_a_waiter(postgresql_url)
            other.execute("SELECT FROM connection WHERE id = 'conn-1' FOR UPDATE")
            other.rollback()
            assert list(saving.result(timeout=30)) == [SAVED]
        assert store.counters.conflicts > 0
        assert stored(store).version == 2

    def test_batches_in_opposite_orders(self, store: PostgresqlStore, postgresql_url: str) -> None:
        numbers = range(6)
        saved(store, *(save(connection(number)) for number in numbers))

        def work(worker: int) -> int:
            applied = 0
            with PostgresqlStore(postgresql_url) as mine:
                while applied < 4:
                    order = numbers if worker % 2 else reversed(numbers)
                    saves = []
                    for number in order:
                        seen = stored(mine, f"conn-{number}")
                        reference = seen.connection.customer_reference + "x"
                        key = f"w{worker}/{applied}/{number}"
                        saves.append(
                            save(replace(seen.connection, customer_reference=reference), seen, inputs=(event(key),))
                        )
                    done = mine.save(saves)
                    while LOST in done:
                        saves = [
                            save(
                                replace(seen.connection, customer_reference=seen.connection.customer_reference + "x"),
                                seen,
                                inputs=each.inputs,
                            )
                            for each, outcome in zip(saves, done, strict=True)
                            if outcome is LOST
                            for seen in [stored(mine, each.connection.connection_id)]
                        ]
                        done = mine.save(saves)
                    assert DUPLICATE not in done
                    applied += 1
            return applied

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(4))) == [4] * 4
        for number in numbers:
            assert stored(store, f"conn-{number}").connection.customer_reference == "x" * 16

    def _wait_for_a_waiter(self, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as watcher:
            for _ in range(100_000):
                if watcher.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                    return
        pytest.fail("nobody waits for a lock")


class TestLoss:
    def test_a_read_on_a_lost_connection_is_made_again(
        self, store: PostgresqlStore, postgresql_server: PostgresServer, postgresql_url: str
    ) -> None:
        saved(store, save(connection()))
        self._terminate(postgresql_server, postgresql_url)
        assert store.get("conn-1") is not None
        assert store.counters.connections == 2

    def test_a_write_on_a_lost_connection_is_retryable_and_the_next_one_works(
        self, store: PostgresqlStore, postgresql_server: PostgresServer, postgresql_url: str
    ) -> None:
        self._terminate(postgresql_server, postgresql_url)
        with pytest.raises(StoreUnavailableError) as raised:
            store.save([save(connection())])
        assert raised.value.retryable
        assert list(store.save([save(connection())])) == [SAVED]

    def test_an_unknown_commit_is_told_by_version_and_key(
        self, store: PostgresqlStore, proxy: PostgresqlProxy, far_store: PostgresqlStore
    ) -> None:
        saved(far_store, save(connection(1)), save(connection(2)))
        seen = stored(far_store)
        mine = save(with_port(connection()), seen, inputs=(event("e1"),), outbox=(command("c1"),))
        saved(far_store, save(connection(3), inputs=(event("e0"),), outbox=(command("c0"),)))
        saved(
            far_store, save(connection(2), stored(far_store, "conn-2"), inputs=(event("e2"),), outbox=(command("c2"),))
        )
        proxy.lose_next_reply = True
        with pytest.raises(StoreUnavailableError):
            far_store.save(
                [save(connection(2), stored(store, "conn-2"), outbox=(command("c1"),), inputs=(event("e1"),))]
            )
        assert list(far_store.save([mine])) == [DUPLICATE]
        assert stored(store, "conn-2").version == 3
        assert sorted(take(store)) == ["c0", "c1", "c2"]

    def test_a_lost_connection_inside_a_transaction_writes_nothing(
        self, store: PostgresqlStore, postgresql_server: PostgresServer, postgresql_url: str
    ) -> None:
        engine = store._postgresql

        def lose_it_in_the_middle() -> None:
            receipt = {"key": "k", "channel": "c", "recipient": "r", "at": "", "reference": ""}
            with engine.writing():
                engine.write("insert_receipt", receipt)
                self._terminate(postgresql_server, postgresql_url)
                engine.row("has_receipt", receipt)

        with pytest.raises(StoreUnavailableError):
            lose_it_in_the_middle()
        assert not store.has_receipt("k", "c")

    def test_a_server_that_is_down_is_unavailable_until_it_is_back(self) -> None:
        with PostgresServer() as server:
            migrate(server.url())
            with PostgresqlStore(server.url()) as store:
                saved(store, save(connection()))
                server.stop("immediate")
                for _ in range(2):
                    with pytest.raises(StoreUnavailableError):
                        store.get("conn-1")
                server.start()
                assert store.get("conn-1") is not None

    def test_closing_gives_the_connection_back_and_the_store_works_on(self, store: PostgresqlStore) -> None:
        store.close()
        store.close()
        assert store.get("conn-1") is None

    def test_a_statement_does_not_outlast_the_function(self, store: PostgresqlStore, postgresql_url: str) -> None:
        assert STATEMENT_TIMEOUT < 60_000
        shown = store._postgresql._connected().execute("SHOW statement_timeout").fetchone()
        assert shown == ("15s",)
        saved(store, save(connection()))
        with (
            PostgresqlStore(f"{postgresql_url}&options=-c%20statement_timeout%3D50") as hasty,
            psycopg.connect(postgresql_url) as blocker,
        ):
            blocker.execute("SELECT FROM connection FOR UPDATE")
            with pytest.raises(StoreUnavailableError, match="statement timeout"):
                hasty.save([save(with_port(connection()), stored(store))])
            blocker.rollback()
            saved(hasty, save(with_port(connection()), stored(store)))

    def _terminate(self, server: PostgresServer, url: str) -> None:
        server.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            _database(url),
        )


class TestSecrets:
    @pytest.mark.parametrize(
        "url",
        [
            "postgresql://u:hunter/2hunter2@127.0.0.1/db",
            "postgresql://u:hunter2hunter2@127.0.0.1:99999999/db",
            "postgresql://u:hunter2hunter2@127.0.0.1/db?nonsense=hunter2",
            "postgresql://u:hunter2hunter2@[127.0.0.1/db",
        ],
    )
    def test_a_url_that_cannot_be_read_is_not_repeated(self, url: str) -> None:
        for use in (self._read, self._view, migrate):
            with pytest.raises((UnknownStoreError, StoreUnavailableError)) as raised:
                use(url)
            self._nothing_told(raised.value)

    def _read(self, url: str) -> None:
        with open_store(url) as store:
            store.get("conn-1")

    def _view(self, url: str) -> None:
        with Views(url) as views:
            views.connections()

    @pytest.mark.parametrize(
        "url", ["postgresql://u:hunter2@127.0.0.1:1/db", "postgresql://u:a@hunter2@127.0.0.1:1/db"]
    )
    def test_a_server_that_cannot_be_reached_is_not_named(self, url: str) -> None:
        with open_store(url) as store, pytest.raises(StoreUnavailableError) as raised:
            store.get("conn-1")
        self._nothing_told(raised.value)
        with pytest.raises(StoreUnavailableError) as migrating:
            migrate(url)
        self._nothing_told(migrating.value)

    def _nothing_told(self, error: BaseException) -> None:
        assert "hunter" not in str(error)
        assert error.__cause__ is None or "hunter" not in str(error.__cause__)
        assert error.__suppress_context__

    def test_the_reason_of_the_server_is_told(self, postgresql_server: PostgresServer) -> None:
        nowhere = PostgresqlStore(postgresql_server.url("nowhere"))
        with nowhere as store, pytest.raises(StoreUnavailableError, match='database "nowhere" does not exist'):
            store.get("conn-1")

    def test_what_the_url_sets_wins(self) -> None:
        parameters, prepare = connection_parameters("postgresql://h/db?connect_timeout=1&options=&prepare=never")
        assert (parameters["connect_timeout"], parameters["options"], prepare) == ("1", "", False)
        assert "prepare" not in parameters


class TestMigrations:
    def test_from_empty_and_again(self, postgresql_server: PostgresServer) -> None:
        url = postgresql_server.url(postgresql_server.create_database())
        with PostgresqlStore(url) as store:
            with pytest.raises(StoreNotMigratedError, match="crossport migrate"):
                store.get("conn-1")
            assert migrate(url) == ["0001", "0002"]
            saved(store, save(with_port(connection())))
            assert migrate(url) == []
            assert stored(store).connection.port_id == "pc-port"

    def test_at_the_same_time_one_migrates(self, postgresql_server: PostgresServer) -> None:
        url = postgresql_server.url(postgresql_server.create_database())
        with get_context("spawn").Pool(3) as pool:
            applied = pool.map(migrate, [url] * 3)
        assert sorted(applied) == [[], [], ["0001", "0002"]]


class TestStatements:
    def test_an_array_arrives_as_it_was(self, postgresql_url: str) -> None:
        texts = [
            "",
            "plain",
            "NULL",
            "null",
            'a"b',
            "a\\b",
            "{a,b}",
            " padded ",
            "專線",
            "a\nb",
            "\x1f",
            "'",
            "\\N",
            None,
        ]
        with psycopg.connect(postgresql_url) as database:
            found = database.execute(
                "SELECT CAST(%s AS TEXT[]), CAST(%s AS INTEGER[]), CAST(%s AS BOOLEAN[])",
                (array_of(texts), array_of([0, -1, None]), array_of([True, False])),
            ).fetchone()
        assert found == (texts, [0, -1, None], [True, False])
        assert array_of([]) == "{}"

    def test_every_statement_can_be_prepared_on_the_schema(self, postgresql_url: str) -> None:
        with psycopg.connect(postgresql_url) as database:
            for name, text in queries_of("postgresql").items():
                statement = statement_of(text)
                result = database.pgconn.prepare(b"", statement.text.encode())
                assert not result.error_message, f"{name}: {result.error_message.decode()}"

    def test_hot_statements_search_by_index(self, store: PostgresqlStore, postgresql_url: str) -> None:
        """A full scan in one of these would grow with the age of the store."""
        of = save(
            with_port(connection()),
            None,
            inputs=(event("e1"),),
            outbox=(command("c1"),),
        )
        names = ("load", "load_order", "take_outbox", "open_connections", "written_keys")
        hot = {name: queries_of("postgresql")[name] for name in names}
        update, parameters = one_save(replace(of, version=1))
        with psycopg.connect(postgresql_url, cursor_factory=psycopg.RawCursor) as database:
            database.execute("SET enable_seqscan = off")
            database.execute("SET plan_cache_mode = force_generic_plan")
            for name, statement, values in [
                *((name, statement_of(text), {}) for name, text in hot.items()),
                ("save", update, parameters),
            ]:
                given: list[Any] = [values.get(each) for each in statement.names]
                text: Any = f"EXPLAIN (FORMAT JSON) {statement.text}"
                plan = database.execute(text, given).fetchone()
                assert plan is not None
                assert "Seq Scan" not in json.dumps(plan[0]), name

    def test_views_cannot_write(self, postgresql_url: str) -> None:
        with Views(postgresql_url) as views, pytest.raises(StoreUnavailableError, match="read-only"):
            views._engine.change("delete_unrouted", {"key": "x"})

    def test_a_lease_is_taken_past_rows_that_others_hold(self, store: PostgresqlStore, postgresql_url: str) -> None:
        saved(store, save(connection(), outbox=tuple(command(f"c{n}") for n in range(4))))
        with psycopg.connect(postgresql_url) as other:
            other.execute("SELECT FROM outbox WHERE key IN ('c0', 'c2') FOR UPDATE")
            assert take(store, limit=2) == ["c1", "c3"]
        assert take(store, limit=4, at=NOW) == ["c0", "c2"]
        assert take(store, limit=4, at=NOW + MINUTE) == ["c0", "c1", "c2", "c3"]
