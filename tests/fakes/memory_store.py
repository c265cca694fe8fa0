"""The store in memory: the same promises as the engines keep (tests/contract), for tests that need no file."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crossport.adapters.store.chain import GENESIS, seal_hash
from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import (
    Completion,
    InputRow,
    LeasedRow,
    Loaded,
    OrderContext,
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
from crossport.domain.ledger import BillingRecord
from crossport.domain.orders import Contract, Hold, Tenant
from crossport.domain.vocabulary import Phase


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
    configurations: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def holds(self) -> dict[tuple[str, int], Hold]:
        """Live holds by (circuit, VLAN ID)."""
        return {(e.hold.circuit_id, e.hold.vlan_id): e.hold for e in self.hold_history if e.released_at is None}

    def copy(self) -> State:
        """A state that can be changed, or thrown away, without touching this one."""
        return State(**{each.name: copy(getattr(self, each.name)) for each in fields(self)})


class _Box:
    def __init__(self) -> None:
        self.state = State()


class MemoryStore:
    """Satisfies ``application.ports.Store``, with the administrative changes beside it."""

    def __init__(self, *, now: Callable[[], datetime] | None = None, box: _Box | None = None) -> None:
        self._box = box or _Box()
        self._now = now or (lambda: datetime.now(UTC))

    @property
    def state(self) -> State:
        """What is kept now, for assertions."""
        return self._box.state

    def another(self) -> MemoryStore:
        """A second store object on the same memory, as another worker would have."""
        return MemoryStore(now=self._now, box=self._box)

    # --- Reading ----------------------------------------------------------------------------------------------------

    def load(
        self, *, routes: Collection[str] = (), keys: Collection[str] = (), circuits: Collection[str] = ()
    ) -> Loaded:
        state = self.state
        waiting = (each for each in state.unrouted.values() if each.route in routes)
        return Loaded(
            connections={r: state.connections[state.routes[r]] for r in routes if r in state.routes},
            inbox={key: state.inbox[key] for key in keys if key in state.inbox},
            circuits={each: state.circuits[each] for each in circuits if each in state.circuits},
            unrouted=tuple(sorted(waiting, key=lambda each: (each.at, each.key))),
        )

    def get(self, connection_id: str) -> Stored | None:
        return self.state.connections.get(connection_id)

    def load_order(
        self, *, connection_id: str, account_id: str, circuit_id: str, tenant_uid: str, keys: Collection[str] = ()
    ) -> OrderContext:
        contracts = (
            c for c in self.state.contracts.values() if (c.account_id, c.tenant_uid) == (account_id, tenant_uid)
        )
        return OrderContext(
            circuit=self.circuit(circuit_id),
            tenant=self.tenant(tenant_uid),
            contracts=tuple(sorted(contracts, key=lambda c: (c.valid_from, c.number))),
            connection=self.get(connection_id),
            holds=tuple(
                hold
                for (circuit, _), hold in sorted(self.state.holds.items())
                if (circuit, hold.connection_id) == (circuit_id, connection_id)
            ),
            inbox=self.load(keys=keys).inbox,
        )

    def tenant(self, tenant_uid: str) -> Tenant | None:
        return self.state.tenants.get(tenant_uid)

    def circuit(self, circuit_id: str) -> Circuit | None:
        return self.state.circuits.get(circuit_id)

    def stale_orders(self, before: datetime, limit: int) -> Sequence[str]:
        waiting = (s.connection for i, s in self.state.connections.items() if self.state.phases[i] is Phase.ORDERED)
        stale = sorted((c.created_at, c.connection_id) for c in waiting if c.created_at < before)
        return tuple(connection_id for _, connection_id in stale[:limit])

    def configuration(self) -> tuple[int, Mapping[str, Any]] | None:
        known = self.state.configurations
        return (len(known), known[-1]) if known else None

    def has_receipt(self, key: str, channel: str) -> bool:
        return (key, channel) in self.state.receipts

    # --- Saving -----------------------------------------------------------------------------------------------------

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        whole, outcomes = self.state, []
        for save in saves:
            part = whole.copy()
            try:
                outcome = _write(part, save)
            except IntegrityConflictError as error:
                raise IntegrityConflictError(error.message, connection_id=save.connection.connection_id) from error
            outcomes.append(outcome)
            if outcome is SaveOutcome.SAVED:
                whole = part
        self._box.state = whole
        return outcomes

    def record(
        self, inputs: Sequence[InputRow], *, outbox: Sequence[OutboxRow] = (), unrouted: Sequence[Unrouted] = ()
    ) -> None:
        state = self.state
        at = max((row.at for row in inputs), default=None) or self._now()
        for row in inputs:
            if row.claims and row.key in state.inbox:
                continue
            _take_input(state, row, None)
        for wanted in outbox:
            state.outbox.setdefault(wanted.key, OutboxEntry(row=wanted, created_at=at))
        for waiting in unrouted:
            state.unrouted.setdefault(waiting.key, waiting)

    # --- Working ----------------------------------------------------------------------------------------------------

    def take(self, *, now: datetime, lease_for: timedelta, lease: str, limit: int) -> Sequence[LeasedRow]:
        def due(entry: OutboxEntry) -> bool:
            ready = entry.row.not_before is None or entry.row.not_before <= now
            free = entry.leased_until is None or entry.leased_until <= now
            return entry.state is OutboxState.DUE and ready and free

        oldest = sorted(filter(due, self.state.outbox.values()), key=lambda entry: entry.due_since)[:limit]
        taken = []
        for entry in oldest:
            leased = replace(entry, lease=lease, leased_until=now + lease_for, attempts=entry.attempts + 1)
            self.state.outbox[entry.row.key] = leased
            taken.append(
                LeasedRow(
                    row=entry.row,
                    lease=lease,
                    attempts=leased.attempts,
                    reason=entry.reason,
                    created_at=entry.created_at,
                )
            )
        return tuple(taken)

    def finish(self, completion: Completion, *, at: datetime) -> bool:
        return _finish(self.state, completion, at)

    def receipt(self, *, key: str, channel: str, recipient: str, at: datetime, reference: str) -> bool:
        if self.has_receipt(key, channel):
            return False
        self.state.receipts[key, channel] = reference
        return True

    def seal(self, *, now: datetime, holder: str, lease_for: timedelta, limit: int) -> int:
        state = self.state
        held_by, until = state.leases.get("seal", (holder, now))
        if held_by != holder and until > now:
            return 0
        state.leases["seal"] = (holder, now + lease_for)
        sealed = sorted((e.seq, e.hash) for e in state.ledger.values() if e.seq is not None and e.hash is not None)
        seq, prev_hash = sealed[-1] if sealed else (0, GENESIS)
        waiting = sorted(
            (e for e in state.ledger.values() if e.seq is None), key=lambda e: (e.written_at, e.record.key)
        )[:limit]
        for entry in waiting:
            record, seq = entry.record, seq + 1
            fresh = seal_hash(
                prev_hash=prev_hash, seq=seq, key=record.key, record=record.record, reverses=record.reverses
            )
            state.ledger[record.key] = replace(entry, seq=seq, prev_hash=prev_hash, hash=fresh)
            message = OutboxRow(
                key=f"billing-record:{record.key}",
                kind="billing_record",
                target="queue:billing-records",
                connection_id=entry.connection_id,
                payload={
                    **record.content,
                    "type": "billing.record",
                    "version": 1,
                    "key": record.key,
                    "revision": record.revision,
                    "seq": seq,
                    "prev_hash": prev_hash,
                    "hash": fresh,
                    "reverses": record.reverses,
                    "sign": -1 if record.reverses else 1,
                },
            )
            state.outbox.setdefault(message.key, OutboxEntry(row=message, created_at=now))
            prev_hash = fresh
        return len(waiting)

    # --- Administration ---------------------------------------------------------------------------------------------

    def put_tenant(self, tenant: Tenant, *, actor: str, reason: str, at: datetime) -> bool:
        return self._put(self.state.tenants, tenant.tenant_uid, tenant, ("tenant", actor, reason))

    def put_contract(self, contract: Contract, *, actor: str, reason: str, at: datetime) -> bool:
        key = (contract.account_id, contract.number)
        return self._put(self.state.contracts, key, contract, ("contract", actor, reason))

    def put_circuit(self, circuit: Circuit, *, actor: str, reason: str, at: datetime) -> bool:
        known = self.circuit(circuit.circuit_id)
        if known is None:
            fresh = replace(circuit, held_mbps=0, vlan_bitmap=0, version=1)
        elif (known.account_id, known.region) != (circuit.account_id, circuit.region):
            raise IntegrityConflictError(f"circuit {circuit.circuit_id} is known with another account or region")
        else:
            fresh = replace(circuit, held_mbps=known.held_mbps, vlan_bitmap=known.vlan_bitmap, version=known.version)
            fresh = fresh if fresh == known else replace(fresh, version=known.version + 1)
        return self._put(self.state.circuits, circuit.circuit_id, fresh, ("circuit", actor, reason))

    def put_configuration(self, document: Mapping[str, Any], *, actor: str, reason: str, at: datetime) -> int:
        kept = json.loads(json.dumps(document))
        if not self.state.configurations or self.state.configurations[-1] != kept:
            self.state.configurations.append(kept)
            self.state.administration.append(("configuration", actor, reason))
        return len(self.state.configurations)

    def _put(self, kept: dict[Any, Any], key: Any, value: Any, note: tuple[str, str, str]) -> bool:
        if kept.get(key) == value:
            return False
        kept[key] = value
        self.state.administration.append(note)
        return True


def _write(state: State, save: Save) -> SaveOutcome:
    connection_id = save.connection.connection_id
    if not _swap(state, save):
        return SaveOutcome.LOST
    for row in save.inputs:
        if row.claims and row.key in state.inbox:
            return SaveOutcome.DUPLICATE
        _take_input(state, row, connection_id)
    _move_holds(state, save)
    for record in save.records:
        reversed_before = {e.record.reverses for e in state.ledger.values() if e.record.reverses is not None}
        if record.key in state.ledger or record.reverses in reversed_before:
            raise IntegrityConflictError(f"record {record.key} is there already")
        if record.reverses is not None and record.reverses not in state.ledger:
            raise IntegrityConflictError(f"record {record.key} reverses what was never written")
        state.ledger[record.key] = LedgerEntry(record=record, connection_id=connection_id, written_at=save.at)
    for wanted in save.outbox:
        state.outbox.setdefault(wanted.key, OutboxEntry(row=wanted, created_at=save.at))
    if save.wakes:
        _wake(state, save)
    for finding in save.findings:
        state.findings.setdefault(f"{connection_id}:{finding.code}:{finding.subject}", finding)
    for route in routes_of(save.connection):
        state.routes.setdefault(route, connection_id)
    for key in save.folded:
        state.unrouted.pop(key, None)
    return SaveOutcome.SAVED


def _swap(state: State, save: Save) -> bool:
    connection = save.connection
    if save.circuit is not None:
        known = state.circuits.get(save.circuit.circuit_id)
        if known is None or known.version != save.circuit.version:
            return False
        state.circuits[known.circuit_id] = replace(
            known,
            held_mbps=save.circuit.held_mbps,
            vlan_bitmap=save.circuit.vlan_bitmap,
            version=known.version + 1,
        )
    stored = state.connections.get(connection.connection_id)
    if (stored.version if stored is not None else None) != save.version:
        return False
    for other_id, other in state.connections.items():
        mine = other_id == connection.connection_id or connection.port_id is None
        if not mine and other.connection.port_id == connection.port_id:
            raise IntegrityConflictError(f"port {connection.port_id} belongs to {other_id}")
    state.connections[connection.connection_id] = Stored(connection=connection, version=(save.version or 0) + 1)
    state.phases[connection.connection_id] = save.phase
    return save.completion is None or _finish(state, replace(save.completion, seen=None), save.at)


def _move_holds(state: State, save: Save) -> None:
    for hold in save.release:
        live = (i for i, e in enumerate(state.hold_history) if e.released_at is None and _same_vlan(e.hold, hold))
        at = next(live, None)
        if at is None or state.hold_history[at].hold.connection_id != hold.connection_id:
            raise IntegrityConflictError(f"VLAN {hold.vlan_id} is not held by {hold.connection_id}")
        state.hold_history[at] = replace(state.hold_history[at], released_at=save.at)
    if save.hold is not None:
        if save.hold.circuit_id not in state.circuits:
            raise IntegrityConflictError(f"circuit {save.hold.circuit_id} is not known")
        if (save.hold.circuit_id, save.hold.vlan_id) in state.holds:
            raise IntegrityConflictError(f"VLAN {save.hold.vlan_id} is held")
        state.hold_history.append(HoldEntry(hold=save.hold, held_at=save.at))


def _same_vlan(one: Hold, other: Hold) -> bool:
    return (one.circuit_id, one.vlan_id) == (other.circuit_id, other.vlan_id)


def _take_input(state: State, row: InputRow, connection_id: str | None) -> None:
    if row.claims:
        state.inbox[row.key] = row.digest
    if row.shown:
        own = row.connection_id if row.connection_id is not None else connection_id
        state.audit.append(replace(row, connection_id=own))


def _wake(state: State, save: Save) -> None:
    for key, entry in state.outbox.items():
        mine = entry.row.connection_id == save.connection.connection_id and entry.state is OutboxState.DUE
        own = save.completion is not None and save.completion.key == key
        put_off = entry.row.not_before is not None and entry.row.not_before > save.at
        if mine and not own and put_off and entry.reason.startswith(("waiting:", "too_early:")):
            state.outbox[key] = replace(entry, row=replace(entry.row, not_before=save.at))


def _finish(state: State, completion: Completion, at: datetime) -> bool:
    entry = state.outbox.get(completion.key)
    if entry is None or entry.lease != completion.lease or entry.state is not OutboxState.DUE:
        return False
    stored = state.connections.get(entry.row.connection_id or "")
    moved_on = completion.seen is not None and stored is not None and stored.version > completion.seen
    state.outbox[completion.key] = replace(
        entry,
        row=replace(entry.row, not_before=at if moved_on else completion.not_before),
        state=completion.state,
        reason=completion.reason,
        lease=None,
        leased_until=None,
    )
    return True
