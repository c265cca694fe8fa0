"""Bring a database to the newest schema: what ``crossport migrate`` does."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from crossport.adapters.store.engine import path_of
from crossport.adapters.store.engines import unknown_engine
from crossport.application.errors import StoreUnavailableError

#: How long one migration waits for another, in seconds.
_PATIENCE = 60.0
#: The advisory lock of whoever migrates: any number that nobody else uses.
_LOCK = 7_018_552_031


def migrate(url: str, *, to: str = "head") -> list[str]:
    """Apply every revision that is missing, in one transaction; returns their ids, oldest first.

    ``to`` stops at a revision, such as "0001": what a test of the step after it begins with.

    Creates a SQLite file when there is none (not its folder); a PostgreSQL database must be there. May run twice, and
    at the same time from several processes: the second waits for the first and finds nothing to do. Raises
    UnknownStoreError for a scheme without an engine and StoreUnavailableError when the database stays locked or cannot
    be opened.
    """
    applied: list[str] = []
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            command.upgrade(_configuration(connection, applied), to)
    except OperationalError as error:
        # What libpq says may repeat the URL.
        why = f": {error.orig}" if engine.dialect.name == "sqlite" else ""
        raise StoreUnavailableError(f"the database cannot be migrated now{why}") from None
    finally:
        engine.dispose()
    return applied


def _engine(url: str) -> Engine:
    if url.startswith("sqlite:"):
        return _sqlite_engine(path_of(url))
    if url.startswith("postgresql:"):
        return _postgresql_engine(url)
    raise unknown_engine(url)


def _configuration(connection: Connection, applied: list[str]) -> Config:
    """Alembic's configuration without a file: the scripts are part of this package, wherever it is installed."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    configuration.attributes["applied"] = applied
    return configuration


def _sqlite_engine(path: Path) -> Engine:
    """An engine whose transactions begin with BEGIN IMMEDIATE, so that a second migration waits before it looks."""
    engine = create_engine("sqlite://", creator=lambda: _opened(path), poolclass=NullPool)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _postgresql_engine(url: str) -> Engine:
    """An engine whose transactions begin with a lock of their own, so that a second migration waits before it looks."""
    from crossport.adapters.store.postgresql_engine import connection_parameters

    parameters, _ = connection_parameters(url)
    # A migration may take longer than an event; without plans that are kept, there is nothing else to set.
    parameters["options"] = f"-c statement_timeout=0 -c lock_timeout={int(_PATIENCE * 1_000)}"
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connected(parameters), poolclass=NullPool)
    event.listen(
        engine, "begin", lambda connection: connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    )
    return engine


def _connected(parameters: Mapping[str, Any]) -> Any:
    import psycopg

    return psycopg.connect(**parameters)


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    # The mode is kept in the file: stores that are opened later find it.
    connection.execute("PRAGMA journal_mode=WAL")
    return connection
