"""The rows of one save, in the order in which they must be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from crossport.adapters.store.engine import SqliteEngine, Undone
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
from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import Completion, InputRow, OutboxRow, Save, SaveOutcome, Unrouted
from crossport.application.routing import new_routes


def write_save(engine: SqliteEngine, save: Save) -> SaveOutcome:
    """Write one save inside a transaction of several; unless SAVED, nothing of it is left.

    Raises IntegrityConflictError like ``write_alone``.
    """
    outcome = SaveOutcome.SAVED
    with engine.savepoint():
        outcome = write_alone(engine, save)
        if outcome is not SaveOutcome.SAVED:
            raise Undone
    return outcome


def write_alone(engine: SqliteEngine, save: Save) -> SaveOutcome:
    """Write one save inside a transaction, which must be taken back unless it is SAVED.

    The swaps come first (circuit, connection, lease) and the rest only once they are won: an inbox row that outlived
    a lost race would make its event look like a duplicate. Raises IntegrityConflictError, with the transaction still
    to be rolled back, when a constraint is broken.
    """
    if not _swapped(engine, save):
        return SaveOutcome.LOST
    connection_id = save.connection.connection_id
    inputs = [(row, input_columns(row, connection_id)) for row in save.inputs]
    if not _claimed(engine, inputs):
        return SaveOutcome.DUPLICATE
    for row, columns in inputs:
        if row.shown:
            engine.write("insert_audit", columns)
    _append(engine, save)
    return SaveOutcome.SAVED


def write_inputs(
    engine: SqliteEngine,
    inputs: Sequence[InputRow],
    outbox: Sequence[OutboxRow],
    unrouted: Sequence[Unrouted],
    at: datetime,
) -> None:
    """Inputs that changed no connection, with what they ask for, asked at ``at``; what is there already is skipped.

    A claimed key's second input leaves no row in the audit trail either: a duplicate writes nothing.
    """
    for row in sorted(inputs, key=lambda row: row.key):
        columns = input_columns(row, None)
        if row.claims and engine.write("claim_input", columns) == 0:
            continue
        if row.shown:
            engine.write("insert_audit", columns)
    for wanted in outbox:
        engine.write("insert_outbox", outbox_columns(wanted, at))
    for waiting in unrouted:
        engine.write("insert_unrouted", unrouted_columns(waiting))


def _swapped(engine: SqliteEngine, save: Save) -> bool:
    if save.circuit is not None and engine.write("swap_circuit", circuit_columns(save.circuit)) == 0:
        return False
    columns = connection_columns(save)
    if save.version is None:
        won = engine.write("insert_connection", columns) == 1
    else:
        won = engine.write("update_connection", {**columns, "version": save.version}) == 1
    return won and (save.completion is None or _completed(engine, replace(save.completion, seen=None), save.at))


def _completed(engine: SqliteEngine, completion: Completion, at: datetime) -> bool:
    """False when the lease is another's by now, or the row has ended."""
    return engine.write("finish_outbox", completion_columns(completion, at)) == 1


def _claimed(engine: SqliteEngine, inputs: Sequence[tuple[InputRow, dict[str, Any]]]) -> bool:
    return all(
        engine.write("claim_input", columns) == 1
        for row, columns in sorted(inputs, key=lambda each: each[0].key)
        if row.claims
    )


def _append(engine: SqliteEngine, save: Save) -> None:
    connection = save.connection
    connection_id = connection.connection_id
    # The old hold goes first: a change of spec gives back the VLAN ID that it takes again.
    for hold in save.release:
        if engine.write("release_hold", hold_columns(hold, save.at)) == 0:
            raise IntegrityConflictError(f"VLAN {hold.vlan_id} is not held by {connection_id}")
    if save.hold is not None:
        engine.write("insert_hold", hold_columns(save.hold, save.at))
    for record in save.records:
        engine.write("insert_record", record_columns(record, connection, save.at))
    if save.outbox:
        engine.write_all("insert_outbox", [outbox_columns(wanted, save.at) for wanted in save.outbox])
    if save.wakes and save.version is not None:
        own = save.completion.key if save.completion is not None else ""
        engine.write("wake_outbox", {"connection_id": connection_id, "own": own, "at": stamp(save.at)})
    _findings(engine, save)
    for route in new_routes(connection, save.routed):
        engine.write("insert_route", {"route": route, "connection_id": connection_id})
    for key in save.folded:
        engine.write("delete_unrouted", {"key": key})


def _findings(engine: SqliteEngine, save: Save) -> None:
    connection_id = save.connection.connection_id
    for settled in save.cleared:
        engine.write("clear_finding", cleared_columns(settled, connection_id, save.at))
    for finding in save.findings:
        engine.write("insert_finding", finding_columns(finding, connection_id, save.at))
