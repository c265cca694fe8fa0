"""One SQLite connection: opened with the settings that durability needs, used by one thread at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import quote

from crossport.adapters.store.engines import NOTHING
from crossport.adapters.store.queries import queries_of
from crossport.application.errors import (
    IntegrityConflictError,
    StoreNotMigratedError,
    StoreUnavailableError,
    UnknownStoreError,
)
from crossport.domain.errors import CrossportError

SCHEME = "sqlite:///"
#: STRICT tables; ON CONFLICT and RETURNING are older.
OLDEST_SQLITE = (3, 37, 0)
#: How long a writer waits for another one, in seconds.
BUSY_TIMEOUT = 10.0
#: Primary result codes of what may pass: the database is busy or locked, out of reach, or its disk is full.
_PASSING = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def path_of(url: str) -> Path:
    """The file of a URL such as ``sqlite:////var/lib/crossport.db`` (absolute) or ``sqlite:///crossport.db``."""
    path = url.removeprefix(SCHEME)
    if not url.startswith(SCHEME) or not path or path == ":memory:":
        raise UnknownStoreError("a SQLite store is a file: sqlite:////absolute/path or sqlite:///relative/path")
    return Path(path)


class SqliteEngine:
    """Named statements on one SQLite file, in WAL mode with a flush at every commit (``synchronous=FULL``).

    Statements are prepared once (sqlite3 keeps them). A lock lets threads share the object, one transaction at a time.
    Errors of SQLite leave as ``CrossportError``: StoreUnavailableError for what may pass, IntegrityConflictError for a
    broken constraint, StoreNotMigratedError while there are no tables.
    """

    def __init__(self, url: str, *, read_only: bool = False, busy_timeout: float = BUSY_TIMEOUT) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise UnknownStoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 is the oldest that will do")
        path = path_of(url)
        self._statements = queries_of("sqlite")
        self._lock = RLock()
        if not path.exists():
            raise StoreNotMigratedError(f"there is no database at {path}: run crossport migrate")
        with _translated():
            # mode=rw: a mistyped path must not become an empty database.
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=rw",
                uri=True,
                timeout=busy_timeout,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA foreign_keys=ON")
            if read_only:
                self._connection.execute("PRAGMA query_only=ON")

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        self._connection.close()

    def rows(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """The rows of one reading statement, of one moment."""
        with self._lock:
            try:
                return self._connection.execute(self._statements[name], parameters).fetchall()
            except sqlite3.OperationalError as error:
                raise _unavailable(error) from error

    def row(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> tuple[Any, ...] | None:
        """The first row of one reading statement, or None."""
        rows = self.rows(name, parameters)
        return rows[0] if rows else None

    def write(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        """Run one writing statement inside ``writing``; how many rows it wrote.

        Raises IntegrityConflictError for a broken constraint; the transaction must then be rolled back.
        """
        try:
            return self._connection.execute(self._statements[name], parameters).rowcount
        except sqlite3.IntegrityError as error:
            raise IntegrityConflictError(f"the store refused a write: {error}") from error

    def write_all(self, name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """See ``Engine.write_all``."""
        try:
            self._connection.executemany(self._statements[name], parameters)
        except sqlite3.IntegrityError as error:
            raise IntegrityConflictError(f"the store refused a write: {error}") from error

    def change(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        """See ``Engine.change``."""
        with self.writing():
            return self.write(name, parameters)

    def changed_rows(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """See ``Engine.changed_rows``."""
        with self.writing():
            return self.rows(name, parameters)

    def texts(self, values: Collection[str]) -> str:
        """See ``Engine.texts``: a JSON array."""
        return json.dumps(list(values))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction that takes the write lock at once (BEGIN IMMEDIATE), so that what it reads stays true.

        ``Undone`` raised inside takes all of it back and goes no further.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except Undone:
                pass
            except sqlite3.OperationalError as error:
                raise _unavailable(error) from error
            finally:
                # Not only after an error of ours: SQLite rolls some failed transactions back by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of a transaction; ``Undone`` raised inside takes back that part alone and goes no further."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except Undone:
            self._connection.execute("ROLLBACK TO part")
        self._connection.execute("RELEASE part")


class Undone(Exception):  # noqa: N818 - it is a signal, not an error
    """Leave a savepoint, or a transaction outside of one, and take back what was written in it."""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _unavailable(error) from error


def _unavailable(error: sqlite3.OperationalError) -> CrossportError | sqlite3.OperationalError:
    """What an operational error means; a mistake in a statement stays what it is."""
    if "no such table" in str(error):
        return StoreNotMigratedError("the database has no tables of Crossport's: run crossport migrate")
    if error.sqlite_errorcode & 0xFF in _PASSING:
        return StoreUnavailableError(f"the store cannot be used now: {error}")
    return error
