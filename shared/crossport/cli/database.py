"""Opening the store for a command. Everything heavy is imported here, when a command runs, so that help is quick."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from crossport.cli.failures import MisuseError, NoDatabaseError, complain

if TYPE_CHECKING:
    from crossport.adapters.store.sql_store import SqlStore
    from crossport.adapters.store.views import Views


#: What every SQLite file begins with ("Database File Format", section 1.3.1).
_MAGIC = b"SQLite format 3\x00"


def database_url(url: str) -> str:
    """The URL as given. Raises MisuseError when there is none, NoDatabaseError when its file is something else."""
    from crossport.adapters.store.engine import SCHEME, path_of

    if not url:
        raise MisuseError("no database: give --db URL (such as sqlite:////tmp/crossport.db) or set CROSSPORT_DB")
    if url.startswith(SCHEME):
        path = path_of(url)
        if path.is_dir():
            raise NoDatabaseError(f"{path} is a folder, not a database")
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    raise NoDatabaseError(f"{path} is not a SQLite database")
    return url


def open_store(url: str) -> SqlStore:
    """The store, for changes."""
    from crossport.adapters.store.open import open_store as adapter_open

    return adapter_open(database_url(url))


def open_views(url: str) -> Views:
    """The store's lists, for reading. Never creates a database."""
    from crossport.adapters.store.views import Views

    views = Views(database_url(url))
    _tell_of_pauses(views)
    return views


def _tell_of_pauses(views: Views) -> None:
    """Say on stderr, before anything else, that commands to the cloud wait: a list alone looks as if they ran."""
    from crossport.application.errors import StoreNotMigratedError

    try:
        pauses = views.pauses()
    except StoreNotMigratedError:
        return  # an older database has none; what the command itself asks for says what is missing
    for pause in pauses:
        where = f"account {pause.account_id}" if pause.account_id else "all accounts"
        message = f"PAUSED in {where} by {pause.actor}: {pause.reason} (commands to the cloud wait: crossport resume)"
        complain(message, urgent=True)


def now() -> datetime:
    """The present time, UTC; under the local cloud, as its clock says (CROSSPORT_CLOCK, an offset in seconds)."""
    file = os.environ.get("CROSSPORT_CLOCK", "")
    if not file:
        return datetime.now(UTC)
    try:
        return datetime.now(UTC) + timedelta(seconds=float(Path(file).read_text(encoding="ascii")))
    except (OSError, ValueError, OverflowError):
        raise MisuseError(f"CROSSPORT_CLOCK: {file} holds no offset in seconds") from None


def person() -> str:
    """The name of whoever is logged in. Raises MisuseError when the system does not know it."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # what it raises without an entry in passwd changes with Python 3.13
        raise MisuseError(f"who are you? give --actor (user {os.getuid()} has no name)") from None
