"""A store of the previous revision is brought to the newest one with all that it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.adapters.store.sql_store import SqlStore
from tests.contract.store_examples import (
    CIRCUIT,
    NOW,
    billing_record,
    command,
    connection,
    event,
    save,
    saved,
    stored,
    with_port,
)
from tests.postgresql_server import PostgresServer

PREVIOUS, NEWEST = "0001", "0002"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of a new empty database."""
    if request.param == "sqlite":
        return lambda name: f"sqlite:///{tmp_path / name}.db"
    server: PostgresServer = request.getfixturevalue("postgresql_server")
    return lambda _: server.url(server.create_database())


def _filled(url: str) -> Any:
    """A store of the newest revision with a connection, its history and its records; returns the stored connection."""
    with _store(url) as store:
        store.put_circuit(CIRCUIT, actor="test", reason="example", at=NOW)
        of_port = connection()
        saved(store, save(of_port, inputs=(event("e1"),), outbox=(command("c1"),), records=(billing_record(),)))
        saved(store, save(with_port(of_port), stored(store), inputs=(event("e2"),)))
        return stored(store)


def _store(url: str) -> SqlStore:
    store = open_store(url)
    assert isinstance(store, SqlStore)
    return store


#: Tables and their columns, in order of creation or, where the engine does not know it, of name.
_COLUMNS = {
    "sqlite": (
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c "
        "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY m.rowid, c.cid"
    ),
    "postgresql": (
        "SELECT c.table_name, c.column_name FROM information_schema.columns AS c "
        "JOIN pg_class AS t ON t.relname = c.table_name AND t.relkind = 'r' "
        "WHERE c.table_schema = current_schema() ORDER BY t.oid, c.ordinal_position"
    ),
}
_SHAPE = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname",
}

#: What the engine numbers itself.
_NUMBERED = {("audit", "id"), ("outbox", "id"), ("vlan_hold", "id")}


def _engine(url: str) -> Engine:
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)


def _columns(database: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in database.exec_driver_sql(_COLUMNS[database.dialect.name]):
        if table != "alembic_version":
            found.setdefault(table, []).append(column)
    return found


def _rows(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of ours."""
    with _engine(url).connect() as database:
        return {
            table: [dict(row) for row in database.exec_driver_sql(f"SELECT * FROM {table}").mappings()]
            for table in _columns(database)
        }


def _filled_as_before(url: str, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Put what the previous revision has columns for into a database of it."""
    with _engine(url).begin() as database:
        for table, columns in _columns(database).items():
            given = [column for column in columns if (table, column) not in _NUMBERED]
            names, values = ", ".join(given), ", ".join(f":{column}" for column in given)
            for row in rows[table]:
                database.execute(
                    text(f"INSERT INTO {table} ({names}) VALUES ({values})"), {column: row[column] for column in given}
                )


def test_from_the_previous_revision_with_all_it_holds(database: Callable[[str], str]) -> None:
    newest, previous = database("newest"), database("previous")
    migrate(newest)
    kept = _filled(newest)
    assert migrate(previous, to=PREVIOUS) == [PREVIOUS]
    _filled_as_before(previous, _rows(newest))
    before = _rows(previous)
    assert all(before[table] for table in ("connection", "audit", "ledger", "outbox"))

    assert migrate(previous) == [NEWEST]

    after = _rows(previous)
    for table, rows in before.items():
        assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows, table
    with _store(previous) as store:
        assert stored(store) == kept
        saved(store, save(kept.connection, kept, inputs=(event("e3"),)))


def test_both_ways_lead_to_the_same_schema(database: Callable[[str], str]) -> None:
    at_once, step_by_step = database("at-once"), database("step-by-step")
    assert migrate(at_once) == [PREVIOUS, NEWEST]
    assert [*migrate(step_by_step, to=PREVIOUS), *migrate(step_by_step)] == [PREVIOUS, NEWEST]
    assert _shape(at_once) == _shape(step_by_step)


def _shape(url: str) -> Any:
    with _engine(url).connect() as database:
        return _columns(database), [tuple(row) for row in database.exec_driver_sql(_SHAPE[database.dialect.name])]
