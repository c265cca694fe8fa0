"""What every part of the tests may use: a PostgreSQL server of their own, and a migrated database on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.postgresql_server import PostgresServer


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresServer]:
    """One server for the whole session, without fsync: for tests of logic."""
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
