"""The one statement that a save is on PostgreSQL, put together from ``sql/postgresql/parts/saving.sql``.

Only the parts that a save has are in its statement: a small event is a small statement. Equal shapes are one statement,
so that PostgreSQL prepares each once for a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from crossport.adapters.store.postgresql_engine import Statement, statement_of
from crossport.adapters.store.queries import parts_of
from crossport.adapters.store.rows import (
    circuit_columns,
    cleared_columns,
    completion_columns,
    connection_columns,
    finding_columns,
    hold_columns,
    input_columns,
    json_text,
    outbox_columns,
    record_columns,
    stamp,
    unrouted_columns,
)
from crossport.application.ports import InputRow, OutboxRow, Save, Unrouted
from crossport.application.routing import new_routes

#: SQLSTATEs of ``refuse_save``: a swap is lost, an inbox key is there already, what is given back is not held.
LOST, REPEATED, UNHELD = "CP001", "CP002", "CP003"

#: The lists that a save may have, in the order of their parts.
_LISTS = (
    "completions", "inputs", "releases", "holds", "records", "outbox", "wakes", "cleared", "findings", "routes",
    "folded",
)  # fmt: skip
_PART = {"completions": "completion", "releases": "release", "holds": "hold"}
_CHECKED = frozenset({"completions", "inputs", "releases"})


def one_save(save: Save) -> tuple[Statement, dict[str, Any]]:
    """The statement of one save, and its parameters. It returns the connection's id when the save was won."""
    lists = _lists([save])
    parameters = connection_columns(save) | {name: json_text(rows) for name, rows in lists.items()}
    # The circuit that the connection is on is not always the one that the save swaps.
    parameters |= {"of_circuit": parameters["circuit_id"], "version": save.version}
    if save.circuit is not None:
        columns = circuit_columns(save.circuit)
        parameters |= {name: columns[name] for name in ("circuit_id", "held_mbps", "vlan_bitmap")}
        parameters["circuit_version"] = save.circuit.version
    shape = frozenset(lists)
    return _one_statement(shape, inserts=save.version is None, swaps=save.circuit is not None), parameters


def several_saves(saves: Sequence[Save]) -> tuple[Statement, dict[str, Any]]:
    """The statement of saves of different connections, none of which swaps a circuit. It returns the ids that won."""
    lists = _lists(saves)
    wanted = [connection_columns(save) | {"version": save.version} for save in saves]
    parameters = {
        "ids": [row["id"] for row in wanted],
        "wanted": json_text(wanted),
        **{name: json_text(rows) for name, rows in lists.items()},
    }
    return _several_statement(frozenset(lists)), parameters


def record_parameters(
    inputs: Sequence[InputRow], outbox: Sequence[OutboxRow], unrouted: Sequence[Unrouted], at: datetime
) -> dict[str, str]:
    """The lists that ``Store.record`` has something in, as parameters of ``record_statement``."""
    rows: list[dict[str, Any]] = []
    claimed = set()
    for row in sorted(inputs, key=lambda row: row.key):
        if row.claims and row.key in claimed:
            continue
        claimed.add(row.key if row.claims else None)
        rows.append(_input(row, owner=""))
    lists = {
        "inputs": _numbered(rows),
        "outbox": _numbered(outbox_columns(row, at) | {"owner": ""} for row in outbox),
        "unrouted": [unrouted_columns(waiting) for waiting in unrouted],
    }
    return {name: json_text(rows) for name, rows in lists.items() if rows}


@cache
def record_statement(shape: frozenset[str]) -> Statement:
    """The statement of ``Store.record`` for the lists that are there."""
    parts = parts_of("postgresql")
    names = {"inputs": "recorded_inputs", "outbox": "outbox", "unrouted": "recorded_unrouted"}
    used = [parts["nobody"], *(parts[part] for name, part in names.items() if name in shape)]
    return _statement(used, [])


@cache
def _one_statement(shape: frozenset[str], *, inserts: bool, swaps: bool) -> Statement:
    parts = parts_of("postgresql")
    row = "one_insert" if inserts else "one_update"
    guard = ("where_circuit" if inserts else "and_circuit") if swaps else None
    u = "\n".join(parts[name] for name in (row, guard, f"{row}_end") if name is not None)
    first = [parts["lock_circuit"], u, parts["circuit"]] if swaps else [u]
    return _complete(first, shape, [parts["circuit_check"]] if swaps else [])


@cache
def _several_statement(shape: frozenset[str]) -> Statement:
    return _complete([parts_of("postgresql")["many"]], shape, [])


def _complete(first: list[str], shape: frozenset[str], checks: list[str]) -> Statement:
    parts = parts_of("postgresql")
    used = [*first]
    for name in _LISTS:
        if name not in shape:
            continue
        part = _PART.get(name, name)
        text = parts[part]
        if name == "holds":
            after = [parts["hold_after_release"]] if "releases" in shape else []
            text = "\n".join([text, *after, parts["hold_end"]])
        used.append(text)
        if name in _CHECKED:
            checks = [*checks, parts[f"{part}_check"]]
    return _statement(used, checks)


def _statement(used: Sequence[str], checks: Sequence[str]) -> Statement:
    condition = ["WHERE", " AND ".join(checks)] if checks else []
    return statement_of(" ".join(["WITH", ", ".join(used), "SELECT id FROM u", *condition]))


def _lists(saves: Sequence[Save]) -> dict[str, list[dict[str, Any]]]:
    """Everything that hangs on the connections' rows, each with its ``owner``; lists without a row are left out."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in _LISTS}
    for save in saves:
        for name, rows in _lists_of(save):
            found[name].extend(row | {"owner": save.connection.connection_id} for row in rows)
    return {name: _numbered(rows) for name, rows in found.items() if rows}


def _lists_of(save: Save) -> Iterable[tuple[str, Iterable[dict[str, Any]]]]:
    connection, at = save.connection, save.at
    connection_id = connection.connection_id
    if save.completion is not None:
        yield "completions", [completion_columns(save.completion, at)]
    yield "inputs", (_input(row, owner=connection_id) for row in save.inputs)
    yield "releases", (hold_columns(hold, at) for hold in save.release)
    yield "holds", [] if save.hold is None else [hold_columns(save.hold, at)]
    yield "records", (record_columns(record, connection, at) for record in save.records)
    yield "outbox", (outbox_columns(row, at) for row in save.outbox)
    yield "cleared", (cleared_columns(each, connection_id, at) for each in save.cleared)
    if save.wakes and save.version is not None:
        yield "wakes", [{"own": save.completion.key if save.completion is not None else "", "at": stamp(at)}]
    # The first of a kind stays, as when they are written one after the other.
    findings = {row["key"]: row for row in (finding_columns(f, connection_id, at) for f in reversed(save.findings))}
    yield "findings", findings.values()
    yield "routes", ({"route": route} for route in new_routes(connection, save.routed))
    yield "folded", ({"key": key} for key in save.folded)


def _input(row: InputRow, *, owner: str) -> dict[str, Any]:
    return input_columns(row, owner or None) | {"owner": owner, "claims": row.claims, "shown": row.shown}


def _numbered(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"ord": number} for number, row in enumerate(rows)]
