"""What the store in memory keeps, and how a transaction of it is written, statement by statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import (
    CircuitRun,
    Completion,
    DeadLetter,
    InputRow,
    OutboxRow,
    OutboxState,
    Save,
    SaveOutcome,
    Stored,
    Unrouted,
)
from crossport.application.routing import routes_of
from crossport.domain.circuit import Circuit
from crossport.domain.decide import Finding
from crossport.domain.differences import Known
from crossport.domain.ledger import BillingRecord
from crossport.domain.maintenance import Maintenance
from crossport.domain.orders import Contract, Hold, Tenant
from crossport.domain.pause import Pause
from crossport.domain.visibility import VbrVisibility
from crossport.domain.vocabulary import Phase

#: Told the name of every statement right before it is carried out; what it raises ends the worker there.
Step = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class OutboxEntry:
    """An outbox row and where it stands."""

    row: OutboxRow
    created_at: datetime
    state: OutboxState = OutboxState.DUE
    reason: str = ""
    attempts: int = 0
    lease: str | None = None
    leased_until: datetime | None = None

    @property
    def due_since(self) -> datetime:
        """What its age counts from."""
        return self.row.not_before or self.created_at


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """A billing record as written, and as sealed."""

    record: BillingRecord
    connection_id: str
    written_at: datetime
    seq: int | None = None
    prev_hash: str | None = None
    hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class HoldEntry:
    """A hold from when to when; live while ``released_at`` is None."""

    hold: Hold
    held_at: datetime
    released_at: datetime | None = None


@dataclass
class State:
    """Everything that is kept. Copies are one level deep: values are frozen, containers are not shared."""

    connections: dict[str, Stored] = field(default_factory=dict)
    phases: dict[str, Phase] = field(default_factory=dict)
    #: What lists should show, by connection.
    known: dict[str, Known] = field(default_factory=dict)
    runs: dict[str, CircuitRun] = field(default_factory=dict)
    #: The latest complete ones.
    completed: dict[str, CircuitRun] = field(default_factory=dict)
    #: Where VBRs are seen, by account, and why.
    visibility: dict[str, tuple[VbrVisibility, str]] = field(default_factory=dict)
    routes: dict[str, str] = field(default_factory=dict)
    inbox: dict[str, str] = field(default_factory=dict)
    audit: list[InputRow] = field(default_factory=list)
    #: (what, actor, reason) of every administrative change.
    administration: list[tuple[str, str, str]] = field(default_factory=list)
    outbox: dict[str, OutboxEntry] = field(default_factory=dict)
    ledger: dict[str, LedgerEntry] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    unrouted: dict[str, Unrouted] = field(default_factory=dict)
    circuits: dict[str, Circuit] = field(default_factory=dict)
    #: Every hold that ever was, in the order in which they were taken.
    hold_history: list[HoldEntry] = field(default_factory=list)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    contracts: dict[tuple[str, str], Contract] = field(default_factory=dict)
    receipts: dict[tuple[str, str], str] = field(default_factory=dict)
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    #: Tokens and their time, by (account, region, API).
    budgets: dict[tuple[str, str, str], tuple[float, datetime]] = field(default_factory=dict)
    bookmarks: dict[str, str] = field(default_factory=dict)
    #: Records of maintenance and outages by id.
    maintenance: dict[str, Maintenance] = field(default_factory=dict)
    #: Pauses in force by account.
    pauses: dict[str, Pause] = field(default_factory=dict)
    configurations: list[Mapping[str, Any]] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    letters: dict[str, DeadLetter] = field(default_factory=dict)

    @property
    def holds(self) -> dict[tuple[str, int], Hold]:
        """Live holds by (circuit, VLAN ID)."""
        return {(e.hold.circuit_id, e.hold.vlan_id): e.hold for e in self.hold_history if e.released_at is None}

    def copy(self) -> State:
        """A state that can be changed, or thrown away, without touching this one."""
        other = State.__new__(State)
        other.__dict__.update({name: kept.copy() for name, kept in self.__dict__.items()})
        return other


class Transaction:
    """Statements on a copy of a state; nothing counts until the store takes the copy for its own."""

    def __init__(self, state: State, step: Step) -> None:
        self.state = state.copy()
        self._step = step

    def save(self, save: Save) -> SaveOutcome:
        """One save; unless SAVED, nothing of it is left. Raises IntegrityConflictError for a broken constraint."""
        before = self.state
        self.state = before.copy()
        try:
            outcome = self._written(save)
        except IntegrityConflictError as error:
            raise IntegrityConflictError(error.message, connection_id=save.connection.connection_id) from error
        if outcome is not SaveOutcome.SAVED:
            self.state = before
        return outcome

    def inputs(
        self, inputs: Sequence[InputRow], outbox: Sequence[OutboxRow], unrouted: Sequence[Unrouted], at: datetime
    ) -> None:
        """Inputs that changed no connection, with what they ask for; what is there already is skipped."""
        for row in inputs:
            if not row.claims or self.claim(row):
                self.audit(row, None)
        for wanted in outbox:
            self.insert_outbox(wanted, at)
        for waiting in unrouted:
            self._step("insert_unrouted")
            self.state.unrouted.setdefault(waiting.key, waiting)

    def claim(self, row: InputRow) -> bool:
        """Take an inbox key; False when it is taken already."""
        self._step("claim_input")
        if row.key in self.state.inbox:
            return False
        self.state.inbox[row.key] = row.digest
        return True

    def audit(self, row: InputRow, connection_id: str | None) -> None:
        """The row of an input in the audit trail, where it has one."""
        if row.shown:
            self._step("insert_audit")
            own = row.connection_id if row.connection_id is not None else connection_id
            self.state.audit.append(replace(row, connection_id=own))

    def insert_outbox(self, row: OutboxRow, at: datetime) -> None:
        """Something to carry out, unless its key is there already."""
        self._step("insert_outbox")
        self.state.outbox.setdefault(row.key, OutboxEntry(row=row, created_at=at))

    def finish(self, completion: Completion, at: datetime) -> bool:
        """End a leased row's turn, if the lease still is this one; due at once where its connection has moved on."""
        self._step("finish_outbox")
        entry = self.state.outbox.get(completion.key)
        if entry is None or entry.lease != completion.lease or entry.state is not OutboxState.DUE:
            return False
        stored = self.state.connections.get(entry.row.connection_id or "")
        moved_on = completion.seen is not None and stored is not None and stored.version > completion.seen
        self.state.outbox[completion.key] = replace(
            entry,
            row=replace(entry.row, not_before=at if moved_on else completion.not_before),
            state=completion.state,
            reason=completion.reason,
            lease=None,
            leased_until=None,
        )
        return True

    def wake(self, waits_for: str) -> None:
        """Rows whose reason is this one are due at once."""
        self._step("wake_by_reason")
        for key, entry in self.state.outbox.items():
            if entry.state is OutboxState.DUE and entry.reason == waits_for:
                self.state.outbox[key] = replace(entry, row=replace(entry.row, not_before=None))

    def _written(self, save: Save) -> SaveOutcome:
        """The swaps first, and the rest only once they are won."""
        connection_id = save.connection.connection_id
        if not self._swapped(save):
            return SaveOutcome.LOST
        if not all(self.claim(row) for row in save.inputs if row.claims):
            return SaveOutcome.DUPLICATE
        for row in save.inputs:
            self.audit(row, connection_id)
        for hold in save.release:
            self._release(hold, save.at)
        if save.hold is not None:
            self._hold(save.hold, save.at)
        for record in save.records:
            self._insert_record(record, connection_id, save.at)
        for wanted in save.outbox:
            self.insert_outbox(wanted, save.at)
        if save.wakes:
            self._wake(save)
        self._findings(save)
        for route in routes_of(save.connection):
            self._step("insert_route")
            self.state.routes.setdefault(route, connection_id)
        for key in save.folded:
            self._step("delete_unrouted")
            self.state.unrouted.pop(key, None)
        return SaveOutcome.SAVED

    def _findings(self, save: Save) -> None:
        connection_id = save.connection.connection_id
        for code, subject in save.cleared:
            self._step("clear_finding")
            self.state.findings.pop(f"{connection_id}:{code}:{subject}", None)
        for finding in save.findings:
            self._step("insert_finding")
            self.state.findings.setdefault(f"{connection_id}:{finding.code}:{finding.subject}", finding)

    def _swapped(self, save: Save) -> bool:
        state, connection = self.state, save.connection
        if save.circuit is not None and not self._swap_circuit(save.circuit):
            return False
        self._step("swap_connection")
        stored = state.connections.get(connection.connection_id)
        if (stored.version if stored is not None else None) != save.version:
            return False
        for other_id, other in state.connections.items():
            mine = other_id == connection.connection_id or connection.port_id is None
            if not mine and other.connection.port_id == connection.port_id:
                raise IntegrityConflictError(f"port {connection.port_id} belongs to {other_id}")
        state.connections[connection.connection_id] = Stored(connection=connection, version=(save.version or 0) + 1)
        state.phases[connection.connection_id] = save.phase
        if save.known is not None:
            state.known[connection.connection_id] = save.known
        return save.completion is None or self.finish(replace(save.completion, seen=None), save.at)

    def _swap_circuit(self, circuit: Circuit) -> bool:
        self._step("swap_circuit")
        known = self.state.circuits.get(circuit.circuit_id)
        if known is None or known.version != circuit.version:
            return False
        self.state.circuits[known.circuit_id] = replace(
            known, held_mbps=circuit.held_mbps, vlan_bitmap=circuit.vlan_bitmap, version=known.version + 1
        )
        return True

    def _wake(self, save: Save) -> None:
        """What waited for the connection to move on is due."""
        self._step("wake_outbox")
        for key, entry in self.state.outbox.items():
            mine = entry.row.connection_id == save.connection.connection_id and entry.state is OutboxState.DUE
            own = save.completion is not None and save.completion.key == key
            put_off = entry.row.not_before is not None and entry.row.not_before > save.at
            if mine and not own and put_off and entry.reason.startswith(("waiting:", "too_early:")):
                self.state.outbox[key] = replace(entry, row=replace(entry.row, not_before=save.at))

    def _release(self, hold: Hold, at: datetime) -> None:
        self._step("release_hold")
        history = self.state.hold_history
        live = (i for i, e in enumerate(history) if e.released_at is None and _same_vlan(e.hold, hold))
        place = next(live, None)
        if place is None or history[place].hold.connection_id != hold.connection_id:
            raise IntegrityConflictError(f"VLAN {hold.vlan_id} is not held by {hold.connection_id}")
        history[place] = replace(history[place], released_at=at)

    def _hold(self, hold: Hold, at: datetime) -> None:
        self._step("insert_hold")
        if hold.circuit_id not in self.state.circuits:
            raise IntegrityConflictError(f"circuit {hold.circuit_id} is not known")
        if (hold.circuit_id, hold.vlan_id) in self.state.holds:
            raise IntegrityConflictError(f"VLAN {hold.vlan_id} is held")
        self.state.hold_history.append(HoldEntry(hold=hold, held_at=at))

    def _insert_record(self, record: BillingRecord, connection_id: str, at: datetime) -> None:
        self._step("insert_record")
        ledger = self.state.ledger
        if record.key in ledger:
            raise IntegrityConflictError(f"record {record.key} is there already")
        if record.reverses is not None:
            if record.reverses not in ledger:
                raise IntegrityConflictError(f"record {record.key} reverses what was never written")
            if any(entry.record.reverses == record.reverses for entry in ledger.values()):
                raise IntegrityConflictError(f"record {record.reverses} was reversed already")
        ledger[record.key] = LedgerEntry(record=record, connection_id=connection_id, written_at=at)


def _same_vlan(one: Hold, other: Hold) -> bool:
    return (one.circuit_id, one.vlan_id) == (other.circuit_id, other.vlan_id)
