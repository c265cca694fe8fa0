"""Bring a database to the newest schema: what ``crossport migrate`` does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from crossport.adapters.store.engine import SCHEME, path_of
from crossport.application.errors import StoreUnavailableError, UnknownStoreError

#: How long one migration waits for another, in seconds.
_PATIENCE = 60.0


def migrate(url: str) -> list[str]:
    """Apply every revision that is missing, in one transaction; returns their ids, oldest first.

    Creates the file when there is none (not its folder). May run twice, and at the same time from several processes:
    the second waits for the first and finds nothing to do. Raises UnknownStoreError for a scheme without an engine and
    StoreUnavailableError when the database stays locked or cannot be opened.
    """
    if not url.startswith(SCHEME):
        raise UnknownStoreError(f"no store engine serves scheme {url.partition(':')[0]!r}")
    applied: list[str] = []
    engine = _sqlite_engine(path_of(url))
    try:
        with engine.begin() as connection:
            command.upgrade(_configuration(connection, applied), "head")
    except OperationalError as error:
        raise StoreUnavailableError(f"the database cannot be migrated now: {error.orig}") from error
    finally:
        engine.dispose()
    return applied


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


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    # The mode is kept in the file: stores that are opened later find it.
    connection.execute("PRAGMA journal_mode=WAL")
    return connection
