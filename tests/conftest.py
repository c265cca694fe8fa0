"""A PostgreSQL server for all parts of the tests; and fewer tests where a share is asked for (``tests/effort.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.effort import REPEATABLE, examples

if TYPE_CHECKING:
    from tests.postgresql_server import PostgresServer

# How long something takes says how busy the machine is, not whether it is right.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

if REPEATABLE:
    settings.register_profile("share", max_examples=examples(100), derandomize=True, database=None)
    settings.load_profile("share")

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        """Put the thorough tests last: most mutants fall to the plain ones."""
        items.sort(key=lambda item: ("/property/" in str(item.path), "enumeration" in item.path.name))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """One server for the whole session, without fsync: for tests of logic."""
    from tests.postgresql_server import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: PostgresServer) -> str:
    """The name of a migrated database; tests share it one after the other, because making one takes long."""
    from crossport.adapters.migrations import migrate

    name = postgresql_server.create_database()
    migrate(postgresql_server.url(name))
    return name


@pytest.fixture
def postgresql_url(postgresql_server: PostgresServer, migrated_postgresql: str) -> Iterator[str]:
    """The URL of an empty migrated database."""
    yield postgresql_server.url(migrated_postgresql)
    postgresql_server.empty(migrated_postgresql)
