"""The part of the store in memory that is about the network as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from crossport.application.pausing import PAUSED
from crossport.application.ports import OutboxRow
from crossport.domain import glance
from crossport.domain.circuit import Circuit
from crossport.domain.maintenance import Maintenance
from crossport.domain.pause import Pause
from crossport.domain.placement import Placement
from tests.fakes.memory_state import State, Transaction


class MemoryOperations:
    """Satisfies ``application.ports.Operations`` over a state."""

    @property
    def state(self) -> State:
        """What is kept now."""
        raise NotImplementedError

    def _writing(self) -> AbstractContextManager[Transaction]:
        """One transaction."""
        raise NotImplementedError

    def circuits(self) -> Sequence[Circuit]:
        return tuple(circuit for _, circuit in sorted(self.state.circuits.items()))

    def placements(self, circuit_id: str | None = None) -> Iterator[Placement]:
        every = [self._placement(connection_id) for connection_id in sorted(self.state.connections)]
        groups = {(one.account_id, one.group_id) for one in every if one.circuit_id == circuit_id and one.group_id}
        return (
            one
            for one in every
            if circuit_id is None or one.circuit_id == circuit_id or (one.account_id, one.group_id) in groups
        )

    def pauses(self) -> Sequence[Pause]:
        return tuple(pause for _, pause in sorted(self.state.pauses.items()))

    def pause(self, pause: Pause) -> bool:
        if pause.account_id in self.state.pauses:
            return False
        with self._writing() as transaction:
            transaction.state.pauses[pause.account_id] = pause
            transaction.state.administration.append(("pause", pause.actor, pause.reason))
        return True

    def resume(self, account_id: str, *, actor: str, reason: str, at: datetime) -> bool:
        if account_id not in self.state.pauses:
            return False
        with self._writing() as transaction:
            del transaction.state.pauses[account_id]
            transaction.wake(PAUSED)
            transaction.state.administration.append(("resume", actor, reason))
        return True

    def open_maintenance(self) -> Sequence[Maintenance]:
        there = (one for one in self.state.maintenance.values() if one.cleared_at is None)
        return tuple(sorted(there, key=lambda one: (one.starts_at, one.record_id)))

    def add_maintenance(self, record: Maintenance, *, seen: Collection[str], outbox: Sequence[OutboxRow]) -> bool:
        unseen = (one for one in self.open_maintenance() if one.record_id not in seen)
        known = record.record_id in self.state.maintenance
        if known or any(one.circuit_id == record.circuit_id for one in unseen):
            return False
        self._put_down(record, outbox, record.recorded_at, ("maintenance", record.actor, record.cause))
        return True

    def clear_maintenance(self, record: Maintenance, *, outbox: Sequence[OutboxRow]) -> bool:
        if record.cleared_at is None:
            raise ValueError(f"{record.record_id} does not say when it was cleared")
        known = self.state.maintenance.get(record.record_id)
        if known is None or known.cleared_at is not None:
            return False
        note = ("maintenance_cleared", record.cleared_by, record.outcome)
        self._put_down(record, outbox, record.cleared_at, note)
        return True

    def _put_down(
        self, record: Maintenance, outbox: Sequence[OutboxRow], at: datetime, note: tuple[str, str, str]
    ) -> None:
        with self._writing() as transaction:
            transaction.state.maintenance[record.record_id] = record
            if record.cleared_at is not None:
                for reason in (record.holds, record.muted):
                    transaction.wake(reason)
            for row in outbox:
                transaction.insert_outbox(row, at)
            transaction.state.administration.append(note)

    def _placement(self, connection_id: str) -> Placement:
        state, of = self.state, self.state.connections[connection_id].connection
        known, circuit = state.known.get(connection_id), state.circuits.get(of.circuit_id)
        port = None
        if known is not None and not known.over:
            port = glance.port_difference(known.port_id, "", known.port, of.created_at)
        return Placement(
            connection_id=connection_id,
            account_id=of.account_id,
            region=of.region,
            circuit_id=of.circuit_id,
            access_point=circuit.access_point if circuit is not None else "",
            tenant_uid=of.tenant_uid,
            group_id=of.group_id,
            phase=state.phases[connection_id],
            port_id=of.port_id,
            vlan_id=of.vlan_id,
            spec=of.spec,
            port=port,
        )
