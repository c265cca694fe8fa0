"""The schemas of the two engines say the same in two dialects."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from crossport.adapters.store.queries import parts_of, queries_of, schema_of

STORE = files("crossport.adapters.store")
REVISIONS = sorted(entry.name.removesuffix(".sql") for entry in (STORE / "schema" / "sqlite").iterdir())
#: What one dialect has for what the other one says.
_SAME = (
    (r"INTEGER PRIMARY KEY( AUTOINCREMENT)?", "ID"),
    (r"BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "ID"),
    (r"\) STRICT(, WITHOUT ROWID)?$", ")"),
    (r' COLLATE "C"', ""),
    (r"\bBIGINT\b", "INTEGER"),
    (r"\bDOUBLE PRECISION\b", "REAL"),
    (r"\bBYTEA\b", "BLOB"),
    (r"\s+", " "),
)


def _said(engine: str, revision: str) -> list[str]:
    said = []
    for statement in schema_of(engine, revision):
        plain = statement
        for pattern, one in _SAME:
            plain = re.sub(pattern, one, plain)
        said.append(plain)
    return said


@pytest.mark.parametrize("revision", REVISIONS)
def test_both_engines_have_the_same_tables_columns_and_indexes(revision: str) -> None:
    postgresql = [each for each in _said("postgresql", revision) if not each.startswith("CREATE FUNCTION")]
    assert postgresql == _said("sqlite", revision)


@pytest.mark.parametrize("revision", REVISIONS)
def test_postgresql_orders_every_text_by_its_bytes(revision: str) -> None:
    for statement in schema_of("postgresql", revision):
        if statement.startswith("CREATE TABLE"):
            assert not re.findall(r'\bTEXT\b(?! COLLATE "C")', statement), statement


def test_both_engines_have_the_same_revisions() -> None:
    assert sorted(entry.name.removesuffix(".sql") for entry in (STORE / "schema" / "postgresql").iterdir()) == REVISIONS


def test_each_dialect_overrides_the_same_statements_or_adds_locks() -> None:
    assert queries_of("postgresql").keys() - queries_of("sqlite").keys() == {"lock_many", "lock_writers"}
    assert not queries_of("sqlite").keys() - queries_of("postgresql").keys()


def test_no_part_is_taken_for_a_statement() -> None:
    assert not parts_of("postgresql").keys() & queries_of("postgresql").keys()
