"""The store at a URL, on the engine that the URL means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from crossport.adapters.store.engines import unknown_engine
from crossport.adapters.store.sql_store import SqlStore, utc_now


def open_store(url: str, *, now: Callable[[], datetime] | None = None) -> SqlStore:
    """The store at a URL such as ``sqlite:////var/lib/crossport.db`` or ``postgresql://user@host/crossport``.

    ``now`` replaces the system's clock. A PostgreSQL store connects when it is first used. Raises UnknownStoreError
    for a scheme without an engine (the URL itself may hold a password and is not repeated), StoreNotMigratedError when
    there is no SQLite file yet.
    """
    clock = now or utc_now
    if url.startswith("sqlite:"):
        from crossport.adapters.store.sqlite import SqliteStore

        return SqliteStore(url, now=clock)
    if url.startswith("postgresql:"):
        from crossport.adapters.store.postgresql import PostgresqlStore

        return PostgresqlStore(url, now=clock)
    raise unknown_engine(url)
