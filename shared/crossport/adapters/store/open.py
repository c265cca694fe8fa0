"""Which engine a store's URL means."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from crossport.adapters.store.sqlite import SqliteStore
from crossport.application.errors import UnknownStoreError


def open_store(url: str, *, now: Callable[[], datetime] | None = None) -> SqliteStore:
    """The store at a URL such as ``sqlite:////var/lib/crossport.db``; ``now`` replaces the system's clock.

    Raises UnknownStoreError for a scheme without an engine (the URL itself may hold a password and is not repeated),
    StoreNotMigratedError when there is no database yet.
    """
    scheme, separator, _ = url.partition(":")
    if separator and scheme == "sqlite":
        return SqliteStore(url) if now is None else SqliteStore(url, now=now)
    named = f"scheme {scheme!r}" if separator else "a URL without a scheme"
    raise UnknownStoreError(f"no store engine serves {named}; use sqlite:////absolute/path")
