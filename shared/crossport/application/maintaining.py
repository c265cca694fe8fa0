"""Records of maintenance and outages: putting them down with their notices, and what the relay holds back for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crossport.application.commands.create import maybe_sent_at
from crossport.application.commit import MAX_ROUNDS, outbox_rows
from crossport.application.ports import Completion, LeasedRow, Operations, OutboxState
from crossport.domain.connection import Connection, Refusal
from crossport.domain.effects.kinds import Effect, Notice
from crossport.domain.impact import Affected, impact_of
from crossport.domain.maintenance import (
    Maintenance,
    may_wait,
    muted_by,
    notices_of_record,
    waits_for,
    why_not_recorded,
)

#: The longest pause between two looks at what a record holds back, should its end not wake it.
LONGEST_LOOK = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """What came of a record: refused with reasons, or put down. ``told`` are the notices that it called for."""

    refusals: tuple[Refusal, ...] = ()
    affected: tuple[Affected, ...] = ()
    told: tuple[Notice, ...] = ()


def record_maintenance(wanted: Maintenance, store: Operations) -> Recorded:
    """Put a record down and tell those affected, or refuse it."""
    for _ in range(MAX_ROUNDS):
        records = store.open_maintenance()
        affected = affected_by(wanted, store, records)
        reasons = why_not_recorded(wanted, records, affected)
        if reasons:
            return Recorded(refusals=reasons, affected=affected)
        told = notices_of_record(wanted, affected)
        seen = [record.record_id for record in records]
        if store.add_maintenance(wanted, seen=seen, outbox=outbox_rows(told)):
            return Recorded(affected=affected, told=told)
    return Recorded(refusals=(Refusal(code="contended", message="others were faster: try again"),))


def clear_maintenance(
    record: Maintenance, store: Operations, *, actor: str, outcome: str, at: datetime
) -> Recorded | None:
    """Clear an open record and tell those affected; None when somebody else has cleared it."""
    cleared = replace(record, cleared_at=at, cleared_by=actor, outcome=outcome)
    affected = affected_by(cleared, store, ())
    told = notices_of_record(cleared, affected)
    done = store.clear_maintenance(cleared, outbox=outbox_rows(told))
    return Recorded(affected=affected, told=told) if done else None


def affected_by(record: Maintenance, store: Operations, records: Sequence[Maintenance]) -> tuple[Affected, ...]:
    """The circuit's connections. A sibling whose own circuit is worked on or out in that time carries nothing."""
    circuits = {circuit.circuit_id: circuit for circuit in store.circuits()}
    troubled = {one.circuit_id: one.said for one in records if one.in_force(record.starts_at)}
    return impact_of(record.circuit_id, store.placements(record.circuit_id), circuits, troubled)


def quiet(
    store: Operations, leased: LeasedRow, effect: Effect, connection: Connection, now: datetime
) -> Completion | None:
    """How a notice's turn ends that a record explains: put off; None when it is sent."""
    if not isinstance(effect, Notice) or not may_wait(effect.kind):
        return None
    record = muted_by(effect, leased.created_at, connection, store.open_maintenance(), now)
    return None if record is None else _put_off(leased, record, record.muted, now)


def held_back(
    store: Operations, leased: LeasedRow, effect: Effect, connection: Connection, now: datetime
) -> Completion | None:
    """How a command's turn ends that waits for the end of a record; None when it goes.

    A call that may have happened is looked for whatever is worked on: its row's reason must not be lost.
    """
    if not may_wait(effect.kind) or maybe_sent_at(leased) is not None:
        return None
    record = waits_for(effect, connection, store.open_maintenance(), now)
    return None if record is None else _put_off(leased, record, record.holds, now)


def _put_off(leased: LeasedRow, record: Maintenance, reason: str, now: datetime) -> Completion:
    again = now + min(timedelta(seconds=2 ** min(leased.attempts, 16)), LONGEST_LOOK)
    if record.ends_at is not None and now < record.ends_at:
        again = min(again, record.ends_at)
    return Completion(
        key=leased.row.key, lease=leased.lease, state=OutboxState.DUE, reason=reason, not_before=again
    )  # fmt: skip
