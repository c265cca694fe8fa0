"""What the store asks of an engine, and which engine a URL means."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from crossport.application.errors import UnknownStoreError

#: No parameters.
NOTHING: Mapping[str, Any] = {}


class Engine(Protocol):
    """Named statements on one database, one at a time. Errors leave as ``CrossportError``:

    StoreUnavailableError for what may pass, IntegrityConflictError for a broken constraint, StoreNotMigratedError while
    there are no tables.
    """

    def rows(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """The rows of one reading statement, of one moment."""
        ...

    def row(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> tuple[Any, ...] | None:
        """The first row of one reading statement, or None."""
        ...

    def write(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        """Run one writing statement inside ``writing``; how many rows it wrote."""
        ...

    def write_all(self, name: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Run one writing statement for each set of parameters, inside ``writing``."""
        ...

    def change(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> int:
        """Run one writing statement as a transaction of its own; how many rows it wrote."""
        ...

    def changed_rows(self, name: str, parameters: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """Run one writing statement as a transaction of its own; the rows that it returns."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """One transaction during which nobody else is in ``writing``, so that what it reads stays true."""
        ...

    def texts(self, values: Collection[str]) -> Any:
        """A list of texts as one parameter."""
        ...

    def close(self) -> None:
        """Give back the connection; closing twice does nothing."""
        ...


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """The engine of a URL such as ``sqlite:////var/lib/crossport.db`` or ``postgresql://user@host/crossport``.

    Raises UnknownStoreError for a scheme without an engine (the URL itself may hold a password and is not repeated),
    StoreNotMigratedError when there is no SQLite file yet.
    """
    if url.startswith("sqlite:"):
        from crossport.adapters.store.engine import SqliteEngine

        return SqliteEngine(url, read_only=read_only)
    if url.startswith("postgresql:"):
        from crossport.adapters.store.postgresql_engine import PostgresqlEngine

        return PostgresqlEngine(url, read_only=read_only)
    raise unknown_engine(url)


def unknown_engine(url: str) -> UnknownStoreError:
    """The error for a URL that names no engine; of the URL, which may hold a password, it repeats the scheme alone."""
    scheme, separator, _ = url.partition(":")
    named = f"scheme {scheme!r}" if separator else "a URL without a scheme"
    return UnknownStoreError(
        f"no store engine serves {named}; use sqlite:////absolute/path or postgresql://user@host/database"
    )
