"""The stores that schedules run on: one memory, any number of workers on it, each step of theirs told."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Protocol

from crossport.adapters.migrations import migrate
from crossport.adapters.store import document, observations
from crossport.adapters.store.postgresql import PostgresqlStore
from crossport.adapters.store.rows import circuit_of, hold_of, tenant_of, time_of
from crossport.adapters.store.sqlite import SqliteStore
from crossport.application.ports import InputRow, OutboxRow, OutboxState, Store, Stored, Unrouted
from crossport.domain.decide import Finding
from crossport.domain.ledger import BillingRecord
from crossport.domain.vocabulary import Phase, Verdict
from tests.fakes.memory_state import HoldEntry, LedgerEntry, OutboxEntry, State, Step
from tests.fakes.memory_store import MemoryStore

Now = Callable[[], datetime]


class Engine(Protocol):
    """One database of a schedule."""

    @property
    def whole(self) -> Any:
        """A store that nothing befalls, with the administrative changes and ``state``: everything that is kept."""
        ...

    def open(self, step: Step) -> Store:
        """A worker's own store, each of whose steps is told."""
        ...

    def leave(self, store: Store) -> None:
        """A worker is gone; what it had not committed is undone."""
        ...

    def remove(self) -> None:
        """The schedule is over."""
        ...


class MemoryEngine:
    """The fake: statements and commits are steps as on the engines."""

    def __init__(self, now: Now) -> None:
        self.whole = MemoryStore(now=now)

    def open(self, step: Step) -> Store:
        return self.whole.another(step)

    def leave(self, store: Store) -> None:
        """Its transactions work on copies."""

    def remove(self) -> None:
        """Nothing is left."""


class SqliteEngineUnderTest:
    """The real store on a file of its own. Workers die in this process, so that nothing hangs on flushes."""

    def __init__(self, now: Now, origin: Path | None = None) -> None:
        self._now = now
        self._folder = Path(tempfile.mkdtemp(prefix="crossport-schedule-"))
        self._path = self._folder / "crossport.db"
        shutil.copy(origin or template(), self._path)
        self._url = f"sqlite:///{self._path}"
        self.whole = _ReadableSqlite(self._url, now)
        self._open: list[SqliteStore] = [self.whole]

    def branch(self) -> SqliteEngineUnderTest:
        """Another engine on a copy of what is kept now."""
        self.whole._sqlite._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return SqliteEngineUnderTest(self._now, self._path)

    def open(self, step: Step) -> Store:
        store = SqliteStore(self._url, now=self._now, busy_timeout=0.0)
        unflushed(store)
        stepwise(store, step)
        self._open.append(store)
        return store

    def leave(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        self._open.remove(store)
        store.close()

    def remove(self) -> None:
        for store in self._open:
            store.close()
        shutil.rmtree(self._folder)


class PostgresqlEngineUnderTest:
    """The real store on the one database of this process's server, emptied first."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._url = _postgresql()
        self.whole = _ReadablePostgresql(self._url, now)
        self._open: list[PostgresqlStore] = [self.whole]

    def open(self, step: Step) -> Store:
        store = PostgresqlStore(self._url, now=self._now)
        stepwise_postgresql(store, step)
        self._open.append(store)
        return store

    def leave(self, store: Store) -> None:
        assert isinstance(store, PostgresqlStore)
        self._open.remove(store)
        store.close()

    def remove(self) -> None:
        for store in self._open:
            store.close()


#: Name to engine; a schedule names the one that it runs on.
ENGINES: dict[str, Callable[[Now], Engine]] = {
    "memory": MemoryEngine,
    "sqlite": SqliteEngineUnderTest,
    "postgresql": PostgresqlEngineUnderTest,
}


class Stepwise:
    """A connection whose every statement is a step, before and after; a commit that happened is ``committed``."""

    def __init__(self, behind: Any, step: Step, *, alone_commits: bool) -> None:
        self._behind = behind
        self._step = step
        #: Whether a statement outside a transaction commits by itself and is a step of its own.
        self._alone_commits = alone_commits
        self._within = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def execute(self, statement: str, *parameters: Any, **named: Any) -> Any:
        word = statement.lstrip()[:24].partition("\n")[0].rstrip()
        if word.startswith("ROLLBACK"):
            # A dead worker's transaction is rolled back by the engine, not by the worker.
            self._within = self._within and word != "ROLLBACK"
            return self._behind.execute(statement, *parameters, **named)
        commits = word == "COMMIT" or (self._alone_commits and not self._within and not word.startswith("BEGIN"))
        self._step("commit" if commits else word)
        cursor = self._behind.execute(statement, *parameters, **named)
        self._within = word.startswith("BEGIN") or (self._within and word != "COMMIT")
        self._step("committed" if commits else f"{word} done")
        return cursor

    def executemany(self, statement: str, rows: Iterable[Any]) -> None:
        """Each row is a step of its own, as if they were written one by one."""
        for row in rows:
            self.execute(statement, row)


def stepwise(store: SqliteStore, step: Step) -> None:
    """Have every statement of a store told."""
    engine: Any = store._sqlite
    engine._connection = Stepwise(engine._connection, step, alone_commits=False)


def stepwise_postgresql(store: PostgresqlStore, step: Step) -> None:
    """Have every statement of a store told, each of which is a transaction unless it stands in one."""
    engine: Any = store._postgresql
    connected = engine._connected

    def told() -> Any:
        connection = connected()
        if not isinstance(connection, Stepwise):
            connection = engine._connection = Stepwise(connection, step, alone_commits=True)
        return connection

    engine._connected = told


def unflushed(store: SqliteStore) -> None:
    """Spare the flushes where no process is killed."""
    store._sqlite._connection.execute("PRAGMA synchronous=OFF")


class _ReadableSqlite(SqliteStore):
    """A store that also tells everything that it keeps."""

    def __init__(self, url: str, now: Now) -> None:
        super().__init__(url, now=now, busy_timeout=0.0)
        unflushed(self)
        self._seen: tuple[tuple[int, int], State] | None = None

    @property
    def state(self) -> State:
        """What is kept now; read anew after every commit of anybody's."""
        connection: sqlite3.Connection = self._sqlite._connection
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        changes = connection.total_changes
        mark = (version, changes)
        if self._seen is None or self._seen[0] != mark:
            self._seen = mark, state_of(lambda statement: connection.execute(statement).fetchall())
        return self._seen[1]


class _ReadablePostgresql(PostgresqlStore):
    """The same on PostgreSQL."""

    def __init__(self, url: str, now: Now) -> None:
        super().__init__(url, now=now)
        self._seen: tuple[str, State] | None = None

    @property
    def state(self) -> State:
        """What is kept now; read anew when anybody has written anything."""
        connection: Any = self._postgresql._connected()
        (mark,) = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        if self._seen is None or self._seen[0] != mark:
            self._seen = mark, state_of(lambda statement: connection.execute(statement).fetchall())
        return self._seen[1]


def state_of(rows: Callable[[str], list[Any]]) -> State:
    """Everything that a database keeps, as the values of the fake; ``rows`` runs one SELECT."""
    state = State()
    for connection_id, version, phase, text in rows("SELECT id, version, phase, document FROM connection"):
        state.connections[connection_id] = Stored(connection=document.load(_text(text)), version=version)
        state.phases[connection_id] = Phase(phase)
    state.routes = dict(rows("SELECT route, connection_id FROM route"))
    state.inbox = dict(rows("SELECT key, digest FROM inbox"))
    state.audit = [
        _input(*row)
        for row in rows(
            "SELECT event_key, digest, at, function, verdict, reason, pending, account_id, connection_id, name, details"
            " FROM audit WHERE kind = 'input' ORDER BY id"
        )
    ]
    for row in rows(
        "SELECT key, kind, target, payload, connection_id, not_before, created_at, state, reason, attempts, lease,"
        " leased_until FROM outbox ORDER BY created_at, key"
    ):
        state.outbox[row[0]] = _outbox(*row)
    for row in rows(
        "SELECT key, fact, revision, digest, record, reverses, connection_id, written_at, seq, prev_hash, hash"
        " FROM ledger ORDER BY written_at, revision, reverses IS NOT NULL, key"
    ):
        state.ledger[row[0]] = _ledger(*row)
    for key, code, subject, details in rows(
        "SELECT key, code, subject, details FROM finding WHERE cleared_at IS NULL ORDER BY key"
    ):
        state.findings[key] = Finding(code=code, subject=subject, details=_json(details))
    for key, route, seen, at in rows("SELECT key, route, observation, at FROM unrouted ORDER BY at, key"):
        state.unrouted[key] = Unrouted(key=key, route=route, observation=observations.load(_text(seen)), at=_time(at))
    for row in rows(
        "SELECT circuit_id, account_id, region, name, access_point, line_operator, bandwidth_mbps, status, held_mbps,"
        " vlan_bitmap, version FROM circuit"
    ):
        state.circuits[row[0]] = circuit_of(row)
    for *hold, held_at, released_at in rows(
        "SELECT circuit_id, vlan_id, mbps, connection_id, held_at, released_at FROM vlan_hold ORDER BY id"
    ):
        until = None if released_at is None else _time(released_at)
        state.hold_history.append(HoldEntry(hold=hold_of(hold), held_at=_time(held_at), released_at=until))
    for row in rows("SELECT tenant_uid, name, site, language, email, zone FROM tenant"):
        state.tenants[row[0]] = tenant_of(row)
    for key, channel, reference in rows("SELECT key, channel, reference FROM receipt"):
        state.receipts[key, channel] = reference
    return state


def _input(*row: Any) -> InputRow:
    key, digest, at, function, verdict, reason, pending, account_id, connection_id, name, details = row
    return InputRow(
        key=key,
        digest=digest,
        claims=False,
        at=_time(at),
        function=function,
        verdict=Verdict(verdict),
        reason=reason,
        pending=pending,
        account_id=account_id,
        connection_id=connection_id,
        name=name,
        details=_json(details),
    )


def _outbox(*row: Any) -> OutboxEntry:
    key, kind, target, payload, connection_id, not_before, created_at, state, reason, attempts, lease, until = row
    return OutboxEntry(
        row=OutboxRow(
            key=key,
            kind=kind,
            target=target,
            payload=_json(payload),
            connection_id=connection_id,
            not_before=None if not_before is None else _time(not_before),
        ),
        created_at=_time(created_at),
        state=OutboxState(state),
        reason=reason,
        attempts=attempts,
        lease=lease,
        leased_until=None if until is None else _time(until),
    )


def _ledger(*row: Any) -> LedgerEntry:
    key, fact, revision, digest, record, reverses, connection_id, written_at, seq, prev_hash, hash_ = row
    return LedgerEntry(
        record=BillingRecord(
            key=key, fact=fact, revision=revision, digest=digest, record=_text(record), reverses=reverses
        ),
        connection_id=connection_id,
        written_at=_time(written_at),
        seq=seq,
        prev_hash=prev_hash,
        hash=hash_,
    )


def _time(value: Any) -> datetime:
    return time_of(value) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@cache
def template() -> Path:
    """An empty migrated database; schedules copy it instead of migrating again."""
    path = Path(tempfile.mkdtemp(prefix="crossport-template-")) / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@cache
def _server() -> tuple[Any, str]:
    """One server for this process, with one migrated database."""
    from tests.postgresql_server import PostgresServer

    server = PostgresServer()
    # A worker of a pool ends without atexit; this runs in either kind of process.
    Finalize(None, server.remove, exitpriority=10)
    server.start()
    name = server.create_database()
    migrate(server.url(name))
    return server, name


def _postgresql() -> str:
    """The URL of the process's own database, empty."""
    server, name = _server()
    server.empty(name)
    url: str = server.url(name)
    return url
