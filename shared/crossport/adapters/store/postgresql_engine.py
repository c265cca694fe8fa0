"""One PostgreSQL connection through psycopg: opened when first used, opened again after a loss, shared by threads."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any, TypeVar, cast

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper

from crossport.adapters.store.engines import NOTHING
from crossport.adapters.store.queries import queries_of
from crossport.application.errors import (
    IntegrityConflictError,
    StoreNotMigratedError,
    StoreUnavailableError,
    UnknownStoreError,
)
from crossport.domain.errors import CrossportError

SCHEME = "postgresql://"
#: How often a deadlock or a failed serialisation is tried again before the store counts as unavailable.
ATTEMPTS = 8
#: The longest that one statement may take, waiting for locks included, in milliseconds: well below the time-out of
#: every function (``s.yaml``: 60 s and more).
STATEMENT_TIMEOUT = 15_000
#: What a URL may override. Dead peers are noticed after 25 s, an unanswered send after 10 s.
_DEFAULTS = {
    "connect_timeout": "5",
    "application_name": "crossport",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
#: Plans do not hang on the values here, and none is long enough to compile.
_OPTIONS = f"-c statement_timeout={STATEMENT_TIMEOUT} -c plan_cache_mode=force_generic_plan -c jit=off"
_READ_ONLY = " -c default_transaction_read_only=on"
#: What a server says of a unique constraint, in any language: ``Key (port_id)=(pc-1) ...``.
_UNIQUE_VALUES = re.compile(r"\)=\((.*)\)")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
#: SQLSTATE classes of what may pass: no connection, no resources, an operator at work, an error of the system.
_PASSING = ("08", "53", "57", "58")
#: A lock that could not be had; a server that has become a replica.
_PASSING_STATES = frozenset({"55P03", "25006"})
_AGAIN = frozenset({"40P01", "40001"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with numbered parameters, and their names in order."""

    text: str
    names: tuple[str, ...]


@dataclass(slots=True)
class Counters:
    """What an engine has done since it was made."""

    #: Times that this process waited for the server: statements, BEGIN and COMMIT, and one more for each preparation.
    round_trips: int = 0
    #: Statements or transactions that were tried again after a deadlock or a failed serialisation.
    conflicts: int = 0
    #: Connections opened.
    connections: int = 0


def statement_of(text: str) -> Statement:
    """A statement with parameters written ``:name``, as PostgreSQL wants it."""
    names: dict[str, str] = {}
    numbered = _PARAMETER.sub(lambda match: names.setdefault(match[1], f"${len(names) + 1}"), text)
    return Statement(numbered, tuple(names))


class PostgresqlEngine:
    """See ``engines.Engine``. Statements are prepared at first use, unless the URL says ``prepare=never``.

    Each statement is a transaction of its own, except inside ``writing`` and ``transaction``. A reading statement that
    finds the connection lost is run again on a new one; a writing one raises StoreUnavailableError, because it is not
    known what became of it, and the next statement opens a new connection.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._parameters, self._prepare = connection_parameters(url, read_only=read_only)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._prepared: set[str] = set()
        self._lock = RLock()
        #: Inside ``transaction``; a connection that is lost there is not replaced before its end.
        self._within = False
        self.counters = Counters()

    def close(self) -> None:
        """See ``Engine.close``; a later statement connects again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def texts(self, values: Collection[str]) -> str:
        """See ``Engine.texts``: an array's text."""
        return array_of(values)

    def rows(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """See ``Engine.rows``."""
        statement = _named(name)
        with self._lock:
            had = self._connection is not None and not self._within
            try:
                return self._fetched(statement, parameters)
            except StoreUnavailableError:
                lost = self._connection is None
                if not (had and lost):
                    raise
            return self._fetched(statement, parameters)

    def row(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> tuple[Any, ...] | None:
        """See ``Engine.row``."""
        rows = self.rows(name, parameters)
        return rows[0] if rows else None

    def write(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        """See ``Engine.write``."""
        with self._lock:
            return self._run(_named(name), parameters).rowcount

    def write_all(self, name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """See ``Engine.write_all``; all of them in one go."""
        statement = _named(name)
        values = [[each.get(key) for key in statement.names] for each in parameters]
        if not values:
            return
        with self._lock:
            try:
                self.counters.round_trips += 1
                self._connected().cursor().executemany(statement.text, values)
            except psycopg.Error as error:
                raise self._meant(error)  # noqa: B904

    def change(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        """See ``Engine.change``."""
        with self._lock:
            return self.persistently(lambda: self.write(name, parameters))

    def changed_rows(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """See ``Engine.changed_rows``."""
        return self.returning(_named(name), parameters)

    def returning(self, statement: Statement, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of one writing statement, a transaction of its own unless inside one."""
        with self._lock:
            return self.persistently(lambda: self._fetched(statement, parameters))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See ``Engine.writing``: BEGIN and an advisory lock. Saves are not held up by it."""
        with self.transaction():
            self.rows("lock_writers")
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction of several statements; an exception takes it back."""
        with self._lock:
            self._command("BEGIN")
            self._within = True
            try:
                yield
                self._command("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._within = False

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of a transaction; an exception takes back that part alone, and goes on. Nothing outside of one."""
        if not self._within:
            yield
            return
        self._command("SAVEPOINT part")
        try:
            yield
        except BaseException:
            if self._connection is not None:
                self._command("ROLLBACK TO part")
            raise
        self._command("RELEASE part")

    def persistently(self, work: Callable[[], T]) -> T:
        """What ``work`` returns; a deadlock or a failed serialisation is tried again, outside a transaction only.

        ``work`` may be a whole transaction. Raises StoreUnavailableError when it fails again and again.
        """
        if self._within:
            return work()
        for _ in range(ATTEMPTS):
            try:
                return work()
            except _TryAgainError:
                self.counters.conflicts += 1
        raise StoreUnavailableError("the store was busy: deadlocks with other workers, again and again")

    def _fetched(self, statement: Statement, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        cursor = self._run(statement, parameters)
        try:
            return cursor.fetchall()
        except psycopg.Error as error:
            raise self._meant(error)  # noqa: B904

    def _run(self, statement: Statement, parameters: Mapping[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        values = [parameters[name] for name in statement.names]
        try:
            connection = self._connected()
            self.counters.round_trips += 1
            if self._prepare and statement.text not in self._prepared:
                self._prepared.add(statement.text)
                self.counters.round_trips += 1
            # The text is ours (sql/*.sql), whatever the type checker cannot see.
            return connection.execute(cast("Any", statement.text), values, prepare=self._prepare)
        except psycopg.Error as error:
            raise self._meant(error)  # noqa: B904

    def _command(self, text: str) -> None:
        try:
            self.counters.round_trips += 1
            self._connected().execute(cast("Any", text), prepare=False)
        except psycopg.Error as error:
            raise self._meant(error)  # noqa: B904

    def _roll_back(self) -> None:
        """Best effort: a transaction whose connection is lost is rolled back by the server."""
        if self._connection is not None:
            try:
                self._command("ROLLBACK")
            except (CrossportError, psycopg.Error):
                self.close()

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection = self._connection
        if connection is None:
            if self._within:
                raise StoreUnavailableError("the connection to the store was lost in the middle of a transaction")
            connection = psycopg.connect(**self._parameters, autocommit=True, cursor_factory=psycopg.RawCursor)
            connection.prepared_max = 500
            # One width for all, or each width of a value would be prepared anew.
            connection.adapters.register_dumper(int, Int8Dumper)
            self.counters.connections += 1
            self._prepared.clear()
            self._connection = connection
        return connection

    def _meant(self, error: psycopg.Error) -> Exception:
        """What to raise for an error of psycopg's, its cause set; a connection that is lost by it is not used again."""
        if self._connection is not None and self._connection.closed:
            self._connection = None
        meaning = _meaning(error)
        if meaning is not error:
            # libpq's own words may repeat the URL.
            meaning.__cause__ = error if error.sqlstate else None
            meaning.__suppress_context__ = True
        return meaning


class RefusedSaveError(Exception):
    """A save's own check took its statement back (``refuse_save``); ``state`` says which. It never leaves the store."""

    def __init__(self, message: str, *, state: str) -> None:
        super().__init__(message)
        self.message = message
        self.state = state


class BrokenConstraintError(IntegrityConflictError):
    """``IntegrityConflictError`` with what the server says of it: ``values`` that were to be unique, "" if unsaid."""

    def __init__(self, message: str, *, values: str) -> None:
        super().__init__(message)
        self.values = values


class _TryAgainError(StoreUnavailableError):
    """A deadlock or a failed serialisation: this worker was the one to give way."""


def connection_parameters(url: str, *, read_only: bool = False) -> tuple[dict[str, Any], bool]:
    """What libpq is told, and whether statements are prepared. Raises UnknownStoreError, without a word of the URL."""
    place, _, query = url.partition("?")
    settings = [each for each in query.split("&") if each]
    ours = [each for each in settings if not each.startswith("prepare=")]
    try:
        given = conninfo_to_dict(f"{place}?{'&'.join(ours)}")
    except psycopg.ProgrammingError:
        # What libpq says of a URL may repeat a part of its password.
        raise UnknownStoreError("the store's URL is not one that PostgreSQL can read") from None
    options = {"options": _OPTIONS + (_READ_ONLY if read_only else "")}
    return {**_DEFAULTS, **options, **given}, "prepare=never" not in settings


def array_of(values: Iterable[str | int | None]) -> str:
    """An array as text (PostgreSQL, "Array Input and Output Syntax"), which psycopg takes far longer to write."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"') if "\\" in value or '"' in value else value
    return f'"{escaped}"'


@cache
def _named(name: str) -> Statement:
    return statement_of(queries_of("postgresql")[name])


def _meaning(error: psycopg.Error) -> Exception:
    """What an error means; a mistake in a statement stays what it is."""
    state = error.sqlstate or ""
    told = error.diag.message_primary or type(error).__name__
    if state in _AGAIN:
        return _TryAgainError(f"the store cannot be used now: {told}")
    if state.startswith("CP"):
        return RefusedSaveError(told, state=state)
    if isinstance(error, errors.UndefinedTable):
        return StoreNotMigratedError("the database has no tables of Crossport's: run crossport migrate")
    if isinstance(error, psycopg.IntegrityError):
        found = _UNIQUE_VALUES.search(error.diag.message_detail or "")
        return BrokenConstraintError(f"the store refused a write: {told}", values=found[1] if found else "")
    if not state and isinstance(error, psycopg.OperationalError):
        _, _, why = str(error).partition("FATAL:")
        said = f": {' '.join(why.split())}" if why else ""
        return StoreUnavailableError(f"the store cannot be reached, or the connection to it was lost{said}")
    if state[:2] in _PASSING or state in _PASSING_STATES or state.startswith(("28", "3D")):
        return StoreUnavailableError(f"the store cannot be used now: {told}")
    return error
