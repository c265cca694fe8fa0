"""Adopt one port that was read from the cloud and that no connection of ours has (ruling 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from crossport.application.commands.desk import shifted
from crossport.application.commit import MAX_ROUNDS, save_of
from crossport.application.ports import Clock, Completion, InputRow, Loaded, Read, SaveOutcome, Store, Stored
from crossport.application.routing import port_route
from crossport.domain.adoption import Adoption, decide_adoption, quiet
from crossport.domain.connection import connection_id_for, made_by_hand, order_of_port_name
from crossport.domain.decide import Decision, decide
from crossport.domain.observation import PortObservation
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Origin


class AdoptionOutcome(StrEnum):
    """What became of a port that was to be adopted."""

    ADOPTED = "adopted"
    #: A connection has it already.
    KNOWN = "known"
    #: By its Name it is the port of an order of ours that has none yet: it is that order's, whatever became of it.
    ORDERED = "ordered"
    #: On no circuit of this account.
    NOT_OURS = "not_ours"
    #: Another connection holds its VLAN ID. It may be that connection's own port, whose create call lost its answer:
    #: that one must find it first, or one port would get two connections.
    VLAN_HELD = "vlan_held"
    #: Lost too many races; try again.
    CONTENDED = "contended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopted:
    """How an adoption ended: with a ``decision`` when it was, or would be, adopted; with ``stored`` when it has or
    should have a connection: KNOWN and ORDERED."""

    outcome: AdoptionOutcome
    decision: Decision | None = None
    stored: Stored | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopter:
    """Adopts ports into one store for one partner account.

    ``force`` adopts a port without a hold when another connection holds its VLAN ID. ``dry_run`` decides and saves
    nothing.
    """

    store: Store
    clock: Clock
    policy: Policy
    origin: Origin
    force: bool = False
    dry_run: bool = False

    def adopt(self, read: Read, *, completion: Completion | None = None, inputs: tuple[InputRow, ...] = ()) -> Adopted:
        """Adopt the port of ``read``, its VBRs with it. ValueError for a read without a port, or an incomplete one."""
        if read.port is None:
            raise ValueError("a read without a port adopts nothing")
        port = replace(read.port, at=read.date - self.policy.consistency_window)
        for _ in range(MAX_ROUNDS):
            circuit = self.store.circuit(port.circuit_id or "")
            if circuit is None or circuit.account_id != self.policy.account_id:
                return Adopted(outcome=AdoptionOutcome.NOT_OURS)
            loaded = self.store.load(routes=[port_route(port.port_id)])
            if loaded.connections:
                (stored,) = loaded.connections.values()
                return Adopted(outcome=AdoptionOutcome.KNOWN, stored=stored)
            ordered = self._ordered(read.name, port)
            if ordered is not None:
                return Adopted(outcome=AdoptionOutcome.ORDERED, stored=ordered)
            context = self.store.load_order(
                connection_id="",
                account_id=circuit.account_id,
                circuit_id=circuit.circuit_id,
                tenant_uid=port.tenant_uid or "",
            )
            adoption = decide_adoption(
                port, circuit, context.tenant, context.contracts, self.policy, origin=self.origin
            )
            if adoption.vlan_held and not self.force:
                return Adopted(outcome=AdoptionOutcome.VLAN_HELD)
            decisions = self._decided(adoption, loaded, read)
            if self.dry_run or self._saved(adoption, decisions, loaded, completion, inputs):
                return Adopted(outcome=AdoptionOutcome.ADOPTED, decision=_joined(decisions))
        return Adopted(outcome=AdoptionOutcome.CONTENDED)

    def _ordered(self, name: str | None, port: PortObservation) -> Stored | None:
        """The connection whose create call has named the port, when it has no port and the port is where it ordered."""
        order_id = order_of_port_name(name)
        stored = self.store.get(connection_id_for(self.policy.account_id, "order", order_id)) if order_id else None
        if stored is None or stored.connection.port is not None or made_by_hand(stored.connection, name):
            return None
        here = (stored.connection.circuit_id, stored.connection.tenant_uid) == (port.circuit_id, port.tenant_uid)
        return stored if here else None

    def _decided(self, adoption: Adoption, loaded: Loaded, read: Read) -> list[Decision]:
        """The adoption, and on top of it what waited for this port and the VBRs that were read with it."""
        rest = (*(u.observation for u in loaded.unrouted), *shifted(read, self.policy)[1:])
        decisions = [adoption.decision, decide(adoption.decision.connection, rest, self.policy)]
        return [quiet(decision) for decision in decisions] if self.origin is Origin.IMPORT else decisions

    def _saved(
        self,
        adoption: Adoption,
        decisions: list[Decision],
        loaded: Loaded,
        completion: Completion | None,
        inputs: tuple[InputRow, ...],
    ) -> bool:
        save = save_of(
            decisions,
            version=None,
            at=self.clock.now(),
            hold=adoption.hold,
            circuit=adoption.circuit if adoption.hold else None,
            folded=tuple(u.key for u in loaded.unrouted),
            completion=completion,
            inputs=inputs,
        )
        return self.store.save([save])[0] is SaveOutcome.SAVED


def _joined(decisions: list[Decision]) -> Decision:
    """The last decision, with the findings of all of them."""
    last = decisions[-1]
    return Decision(
        connection=last.connection,
        phase=last.phase,
        violations=last.violations,
        findings=tuple(finding for decision in decisions for finding in decision.findings),
    )
