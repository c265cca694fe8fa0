"""The store in memory: the same promises as the engines keep (tests/contract), for tests that need no file."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crossport.adapters.store.chain import GENESIS, seal_hash
from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import (
    CircuitRun,
    Completion,
    InputRow,
    LeasedRow,
    Loaded,
    OpenConnection,
    OrderContext,
    OutboxRow,
    OutboxState,
    Save,
    SaveOutcome,
    Stored,
    Unrouted,
)
from crossport.domain.circuit import Circuit
from crossport.domain.differences import Known
from crossport.domain.groups import Sibling
from crossport.domain.orders import Contract, Tenant
from crossport.domain.quota import CallQuota
from crossport.domain.sweep import SweptCircuit
from crossport.domain.visibility import VbrVisibility
from crossport.domain.vocabulary import Phase
from tests.fakes.memory_letters import MemoryLetters
from tests.fakes.memory_operations import MemoryOperations
from tests.fakes.memory_state import HoldEntry, LedgerEntry, OutboxEntry, State, Step, Transaction

__all__ = ["HoldEntry", "LedgerEntry", "MemoryStore", "OutboxEntry", "State"]


#: Phases after which nothing can come due any more.
ENDED = frozenset({Phase.REJECTED, Phase.FAILED, Phase.WITHDRAWN, Phase.DECLINED, Phase.RELEASED})


def _onwards(statement: str) -> None:
    """Nothing happens between two statements."""


class _Box:
    def __init__(self) -> None:
        self.state = State()


class MemoryStore(MemoryLetters, MemoryOperations):
    """Satisfies ``application.ports.Store``, with the administrative changes beside it."""

    def __init__(
        self, *, now: Callable[[], datetime] | None = None, box: _Box | None = None, step: Step = _onwards
    ) -> None:
        self._box = box or _Box()
        self._now = now or (lambda: datetime.now(UTC))
        self._step = step

    @property
    def state(self) -> State:
        """What is kept now, for assertions."""
        return self._box.state

    def another(self, step: Step = _onwards) -> MemoryStore:
        """A second store object on the same memory, as another worker would have.

        ``step`` is told of every statement of its transactions, their beginning and their commit.
        """
        return MemoryStore(now=self._now, box=self._box, step=step)

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        """One transaction: all of it counts once it was committed, and none of it before."""
        self._step("begin")
        transaction = Transaction(self.state, self._step)
        yield transaction
        self._step("commit")
        self._box.state = transaction.state
        self._step("committed")

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
        self,
        *,
        connection_id: str,
        account_id: str,
        circuit_id: str,
        tenant_uid: str,
        group_id: str = "",
        keys: Collection[str] = (),
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
            siblings=self._siblings(connection_id, account_id, group_id),
            inbox=self.load(keys=keys).inbox,
        )

    def _siblings(self, connection_id: str, account_id: str, group_id: str) -> tuple[Sibling, ...]:
        found = [
            Sibling(connection=c, access_point=circuit.access_point if circuit else "")
            for _, stored in sorted(self.state.connections.items())
            for c in [stored.connection]
            for circuit in [self.circuit(c.circuit_id)]
            if group_id and (c.account_id, c.group_id) == (account_id, group_id) and c.connection_id != connection_id
        ]
        return tuple(found)

    def tenant(self, tenant_uid: str) -> Tenant | None:
        return self.state.tenants.get(tenant_uid)

    def circuit(self, circuit_id: str) -> Circuit | None:
        return self.state.circuits.get(circuit_id)

    def open_connections(self, *, after: str, limit: int) -> Sequence[OpenConnection]:
        state = self.state
        ids = sorted(i for i in state.connections if i > after and state.phases[i] not in ENDED)[:limit]
        return tuple(self._open(state.connections[i]) for i in ids)

    def _open(self, stored: Stored) -> OpenConnection:
        connection, circuit = stored.connection, self.circuit(stored.connection.circuit_id)
        return OpenConnection(
            stored=stored,
            tenant=self.tenant(connection.tenant_uid),
            access_point=circuit.access_point if circuit else "",
            half_provisioned=self.state.findings.get(
                f"{connection.connection_id}:half_provisioned:{connection.group_id}"
            ),
        )

    def written(self, keys: Collection[str]) -> Collection[str]:
        return frozenset(key for key in keys if key in self.state.outbox)

    def bookmark(self, name: str) -> str:
        return self.state.bookmarks.get(name, "")

    def put_bookmark(self, name: str, place: str, *, at: datetime) -> None:
        with self._writing() as transaction:
            self._step("put_bookmark")
            transaction.state.bookmarks[name] = place

    def known_ports(self, circuit_id: str) -> Iterable[Known]:
        mine = (k for i, k in self.state.known.items() if self.state.connections[i].connection.circuit_id == circuit_id)
        return sorted(mine)

    def reconciled(self, run: CircuitRun) -> None:
        state = self._box.state
        state.runs[run.circuit_id] = run
        if run.complete:
            state.completed[run.circuit_id] = run
        found = {f"{run.circuit_id}:{each.code}:{each.subject}": each for each in run.breaches}
        for key in [key for key in state.findings if key.startswith(f"{run.circuit_id}:")]:
            if key not in found and run.complete:
                del state.findings[key]
        state.findings.update(found)

    def swept_circuits(self) -> Sequence[SweptCircuit]:
        done = self.state.completed
        return tuple(
            SweptCircuit(
                circuit_id=circuit_id,
                account_id=circuit.account_id,
                region=circuit.region,
                listed=done[circuit_id].listed if circuit_id in done else 0,
                completed_at=done[circuit_id].at if circuit_id in done else None,
            )
            for circuit_id, circuit in sorted(self.state.circuits.items())
        )

    def vbr_visibility(self, account_id: str) -> VbrVisibility | None:
        return self.state.visibility.get(account_id, (None, ""))[0]

    def put_vbr_visibility(self, account_id: str, visibility: VbrVisibility, *, evidence: str, at: datetime) -> None:
        self.state.visibility[account_id] = (visibility, evidence)

    def take_call(self, *, account_id: str, region: str, api: str, now: datetime, quota: CallQuota) -> bool:
        key = (account_id, region, api)
        tokens, at = self.state.budgets.get(key, (float(quota.burst), now))
        if at > now + quota.period:
            tokens, at = float(quota.burst), now
        tokens = min(quota.burst, tokens + quota.per_second * max(0.0, (now - at).total_seconds()))
        if tokens < 1:
            return False
        self.state.budgets[key] = (tokens - 1, max(at, now))
        return True

    def hold_calls(self, *, account_id: str, region: str, api: str, until: datetime) -> None:
        key = (account_id, region, api)
        self.state.budgets[key] = (0.0, max(until, self.state.budgets.get(key, (0.0, until))[1]))

    def configuration(self) -> tuple[int, Mapping[str, Any]] | None:
        known = self.state.configurations
        return (len(known), known[-1]) if known else None

    def has_receipt(self, key: str, channel: str) -> bool:
        return (key, channel) in self.state.receipts

    # --- Saving -----------------------------------------------------------------------------------------------------

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        with self._writing() as transaction:
            return [transaction.save(save) for save in saves]

    def record(
        self, inputs: Sequence[InputRow], *, outbox: Sequence[OutboxRow] = (), unrouted: Sequence[Unrouted] = ()
    ) -> None:
        at = max((row.at for row in inputs), default=None) or self._now()
        with self._writing() as transaction:
            transaction.inputs(inputs, outbox, unrouted, at)

    # --- Working ----------------------------------------------------------------------------------------------------

    def take(self, *, now: datetime, lease_for: timedelta, lease: str, limit: int) -> Sequence[LeasedRow]:
        def due(entry: OutboxEntry) -> bool:
            ready = entry.row.not_before is None or entry.row.not_before <= now
            free = entry.leased_until is None or entry.leased_until <= now
            return entry.state is OutboxState.DUE and ready and free

        oldest = sorted(filter(due, self.state.outbox.values()), key=lambda entry: entry.due_since)[:limit]
        with self._writing() as transaction:
            self._step("take_outbox")
            for entry in oldest:
                transaction.state.outbox[entry.row.key] = replace(
                    entry, lease=lease, leased_until=now + lease_for, attempts=entry.attempts + 1
                )
        return tuple(
            LeasedRow(
                row=entry.row,
                lease=lease,
                attempts=entry.attempts + 1,
                reason=entry.reason,
                created_at=entry.created_at,
            )
            for entry in oldest
        )

    def finish(self, completion: Completion, *, at: datetime) -> bool:
        with self._writing() as transaction:
            return transaction.finish(completion, at)

    def receipt(self, *, key: str, channel: str, recipient: str, at: datetime, reference: str) -> bool:
        if self.has_receipt(key, channel):
            return False
        with self._writing() as transaction:
            self._step("insert_receipt")
            transaction.state.receipts[key, channel] = reference
        return True

    def seal(self, *, now: datetime, holder: str, lease_for: timedelta, limit: int) -> int:
        with self._writing() as transaction:
            return self._sealed(transaction, now, holder, lease_for, limit)

    def _sealed(self, transaction: Transaction, now: datetime, holder: str, lease_for: timedelta, limit: int) -> int:
        state = transaction.state
        held_by, until = state.leases.get("seal", (holder, now))
        if held_by != holder and until > now:
            return 0
        self._step("take_lease")
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
            self._step("seal_record")
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
            transaction.insert_outbox(message, now)
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
