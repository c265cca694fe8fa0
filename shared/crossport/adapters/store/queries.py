"""SQL by name. Statements stand in ``sql/*.sql``, those that only one engine understands in ``sql/<engine>/*.sql``.

A statement begins with a line ``-- name: insert_connection`` and ends where the next one begins. Parameters are
written ``:name``. An engine's own statement takes the place of the shared one of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_MARK = "-- name: "
#: A package is unpacked wherever it runs; importlib.resources would cost a cold start more than the reading does.
_FOLDER = Path(__file__).parent


@cache
def queries_of(engine: str) -> Mapping[str, str]:
    """Every statement of an engine (``sqlite``), by name, comments removed."""
    return MappingProxyType(_all_in(_FOLDER / "sql") | _all_in(_FOLDER / "sql" / engine))


@cache
def parts_of(engine: str) -> Mapping[str, str]:
    """Parts that an engine puts together to statements, by name, from ``sql/<engine>/parts/*.sql``."""
    return MappingProxyType(_all_in(_FOLDER / "sql" / engine / "parts"))


def schema_of(engine: str, revision: str) -> tuple[str, ...]:
    """The statements of one schema file, such as ``schema/sqlite/0001_first.sql``, in order.

    A statement ends with the line that ends in a semicolon; there are no triggers.
    """
    text = (_FOLDER / "schema" / engine / f"{revision}.sql").read_text(encoding="utf-8")
    statements, lines = [], []
    for line in _without_comments(text):
        lines.append(line)
        if line.endswith(";"):
            statements.append("\n".join(lines).rstrip(";"))
            lines = []
    return tuple(statements)


def _all_in(place: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(place.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        for name, statement in _named(file.read_text(encoding="utf-8")):
            if name in found:
                raise ValueError(f"statement {name} stands twice in {place}")
            found[name] = statement
    return found


def _named(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(_MARK)[1:]:
        name, _, body = part.partition("\n")
        yield name.strip(), "\n".join(_without_comments(body)).rstrip(";")


def _without_comments(text: str) -> Iterator[str]:
    return (line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("--"))
