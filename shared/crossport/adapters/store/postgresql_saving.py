"""The one statement that a save is on PostgreSQL, put together from ``sql/postgresql/parts/saving.sql``.

Only the parts that a save has are in its statement: a small event is a small statement. Equal shapes are one statement,
so that PostgreSQL prepares each once for a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from crossport.adapters.store.postgresql_engine import Statement, array_of, statement_of
from crossport.adapters.store.queries import parts_of
from crossport.adapters.store.rows import (
    circuit_columns,
    cleared_columns,
    completion_columns,
    connection_columns,
    finding_columns,
    hold_columns,
    input_columns,
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
#: What most saves have one of at most, and the part for just one: its columns are parameters of the statement. A list
#: costs the server more than all that is done with its one row.
_ONE = {"completions": "one_completion", "inputs": "one_input", "wakes": "one_wake", "routes": "one_route"}


def one_save(save: Save) -> tuple[Statement, dict[str, Any]]:
    """The statement of one save, and its parameters. It returns the connection's id when the save was won."""
    parameters = connection_columns(save)
    # The circuit that the connection is on is not always the one that the save swaps.
    parameters |= {"of_circuit": parameters["circuit_id"], "version": save.version}
    lists, ones = [], []
    for name, rows in _lists_of(save):
        if len(rows) == 1 and name in _ONE and _is_plain(name, rows[0]):
            ones.append(name)
            parameters.update({f"{name}_{column}": value for column, value in rows[0].items()})
        elif rows:
            lists.append(name)
            parameters.update(_arrays(name, _owned(save, rows)))
    if save.circuit is not None:
        columns = circuit_columns(save.circuit)
        parameters |= {name: columns[name] for name in ("circuit_id", "held_mbps", "vlan_bitmap")}
        parameters["circuit_version"] = save.circuit.version
    shape = frozenset(lists), frozenset(ones)
    return _one_statement(*shape, inserts=save.version is None, swaps=save.circuit is not None), parameters


def several_saves(saves: Sequence[Save]) -> tuple[Statement, dict[str, Any]]:
    """The statement of saves of different connections, none of which swaps a circuit. It returns the ids that won."""
    wanted = [connection_columns(save) | {"version": save.version} for save in saves]
    lists: dict[str, list[dict[str, Any]]] = {name: [] for name in _LISTS}
    for save in saves:
        for name, rows in _lists_of(save):
            lists[name] += _owned(save, rows)
    parameters: dict[str, Any] = {"ids": array_of(row["id"] for row in wanted), **_arrays("wanted", wanted)}
    for name, rows in lists.items():
        parameters |= _arrays(name, rows)
    return _several_statement(frozenset(name for name, rows in lists.items() if rows)), parameters


def record_parameters(
    inputs: Sequence[InputRow], outbox: Sequence[OutboxRow], unrouted: Sequence[Unrouted], at: datetime
) -> tuple[frozenset[str], dict[str, str]]:
    """The lists that ``Store.record`` has something in, for ``record_statement``, and its parameters."""
    rows: list[dict[str, Any]] = []
    claimed = set()
    for row in sorted(inputs, key=lambda row: row.key):
        if row.claims and row.key in claimed:
            continue
        claimed.add(row.key if row.claims else None)
        rows.append(_input(row, None) | {"owner": ""})
    lists = {
        "inputs": rows,
        "outbox": [outbox_columns(row, at) | {"owner": ""} for row in outbox],
        "unrouted": [unrouted_columns(waiting) for waiting in unrouted],
    }
    parameters: dict[str, str] = {}
    for name, listed in lists.items():
        parameters |= _arrays(name, listed)
    return frozenset(name for name, listed in lists.items() if listed), parameters


@cache
def record_statement(shape: frozenset[str]) -> Statement:
    """The statement of ``Store.record`` for the lists that are there."""
    parts = parts_of("postgresql")
    names = {"inputs": "recorded_inputs", "outbox": "outbox", "unrouted": "recorded_unrouted"}
    used = [parts["nobody"], *(parts[part] for name, part in names.items() if name in shape)]
    return _statement(used, [])


@cache
def _one_statement(shape: frozenset[str], ones: frozenset[str], *, inserts: bool, swaps: bool) -> Statement:
    parts = parts_of("postgresql")
    row = "one_insert" if inserts else "one_update"
    guard = ("where_circuit" if inserts else "and_circuit") if swaps else None
    u = "\n".join(parts[name] for name in (row, guard, f"{row}_end") if name is not None)
    first = [parts["lock_circuit"], u, parts["circuit"]] if swaps else [u]
    return _complete(first, shape, [parts["circuit_check"]] if swaps else [], ones)


@cache
def _several_statement(shape: frozenset[str]) -> Statement:
    return _complete([parts_of("postgresql")["many"]], shape, [])


def _complete(
    first: list[str], shape: frozenset[str], checks: list[str], ones: frozenset[str] = frozenset()
) -> Statement:
    parts = parts_of("postgresql")
    used = [*first]
    for name in _LISTS:
        if name not in shape and name not in ones:
            continue
        part = _ONE[name] if name in ones else _PART.get(name, name)
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


def _owned(save: Save, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"owner": save.connection.connection_id} for row in rows]


def _arrays(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The columns of a list as parameters, an array each; none without rows."""
    return {f"{name}_{column}": array_of(row[column] for row in rows) for column in (rows[0] if rows else ())}


def _is_plain(name: str, row: Mapping[str, Any]) -> bool:
    """Whether the part for just one is meant for this row: an input that claims its key and is shown, as most are."""
    return name != "inputs" or (row["claims"] and row["shown"])


def _lists_of(save: Save) -> Iterator[tuple[str, Sequence[dict[str, Any]]]]:
    """Everything that hangs on the connection's row, list by list."""
    connection, at = save.connection, save.at
    connection_id = connection.connection_id
    if save.completion is not None:
        yield "completions", [completion_columns(save.completion, at)]
    yield "inputs", [_input(row, connection_id) for row in save.inputs]
    yield "releases", [hold_columns(hold, at) for hold in save.release]
    yield "holds", [] if save.hold is None else [hold_columns(save.hold, at)]
    yield "records", [record_columns(record, connection, at) for record in save.records]
    yield "outbox", [outbox_columns(row, at) for row in save.outbox]
    yield "cleared", [cleared_columns(each, connection_id, at) for each in save.cleared]
    if save.wakes and save.version is not None:
        yield "wakes", [{"own": save.completion.key if save.completion is not None else "", "at": stamp(at)}]
    # The first of a kind stays, as when they are written one after the other.
    findings = {row["key"]: row for row in (finding_columns(f, connection_id, at) for f in reversed(save.findings))}
    yield "findings", list(findings.values())
    yield "routes", [{"route": route} for route in new_routes(connection, save.routed)]
    yield "folded", [{"key": key} for key in save.folded]


def _input(row: InputRow, connection_id: str | None) -> dict[str, Any]:
    return input_columns(row, connection_id) | {"claims": row.claims, "shown": row.shown}
