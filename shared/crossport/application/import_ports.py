"""``crossport import``: take over what exists on day one, without telling anybody of the past (ruling 2)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from crossport.application.adopt import Adopted, Adopter, AdoptionOutcome
from crossport.application.commit import read_port
from crossport.application.errors import CloudCallError
from crossport.application.ports import Clock, Cloud, InputRow, Policies, PortPage, Store
from crossport.application.routing import port_route
from crossport.domain.circuit import Circuit
from crossport.domain.observation import PortObservation
from crossport.domain.vocabulary import Acceptance, Origin, Verdict


class ImportOutcome(StrEnum):
    """What became of one listed port."""

    #: A connection was opened for it (in a dry run: would be).
    IMPORTED = "imported"
    #: A connection has it already.
    KNOWN = "known"
    #: It is deleted, or was by the time it was read.
    GONE = "gone"
    #: Another connection holds its VLAN ID: the relay adopts it, once it is sure that it is not that connection's own.
    WAITING = "waiting"
    #: It could not be read or saved now; import again.
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedPort:
    """One listed port and what became of it. ``listed`` is how many ports the cloud says that the circuit has."""

    circuit_id: str
    port_id: str
    listed: int
    outcome: ImportOutcome
    reason: str = ""
    connection_id: str = ""
    tenant_uid: str = ""
    vlan_id: int | None = None
    phase: str = ""
    #: Codes of what a person should look at, sorted: findings and violations.
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PortImport:
    """Imports the ports of circuits. ``actor`` and ``reason`` stand in the audit trail (ruling 22).

    Every port is saved by itself, so that an import which was stopped goes on where it was when it is run again, and a
    second run changes nothing. ``dry_run`` saves nothing at all.
    """

    store: Store
    cloud: Callable[[], Cloud]
    policies: Policies
    clock: Clock
    actor: str
    reason: str
    dry_run: bool = False

    def circuit(self, circuit: Circuit) -> Iterator[ImportedPort]:
        """Every port of one circuit, as it is dealt with. Memory stays constant, however many there are.

        Raises CloudCallError when the listing fails or is not complete: what was imported until then stays, and of the
        rest nothing is known. KeyError for a circuit of an account that is not ours.
        """
        place = {"account_id": circuit.account_id, "region": circuit.region}
        for page in self.cloud().list_ports(**place, circuit_id=circuit.circuit_id):
            yield from self._page(circuit, page)

    def _page(self, circuit: Circuit, page: PortPage) -> Iterator[ImportedPort]:
        known = self.store.load(routes=[port_route(port.port_id) for port in page.ports]).connections
        for port in page.ports:
            listed = ImportedPort(
                circuit_id=circuit.circuit_id,
                port_id=port.port_id,
                listed=page.total,
                outcome=ImportOutcome.GONE,
                tenant_uid=port.tenant_uid or "",
                vlan_id=port.vlan_id,
            )
            stored = known.get(port_route(port.port_id))
            if stored is not None:
                connection_id = stored.connection.connection_id
                yield replace(listed, outcome=ImportOutcome.KNOWN, connection_id=connection_id)
            elif port.acceptance == Acceptance.DELETED:
                yield listed
            else:
                yield self._unknown(circuit, port, listed)

    def _unknown(self, circuit: Circuit, port: PortObservation, listed: ImportedPort) -> ImportedPort:
        """A list shows no VBRs: the port is read by itself, then adopted."""
        place = {"account_id": circuit.account_id, "region": circuit.region}
        try:
            read = self.cloud().read_port(**place, port_id=port.port_id)
        except CloudCallError as error:
            return replace(listed, outcome=ImportOutcome.FAILED, reason=error.cloud_code or error.code)
        if read.port is None or read.port.acceptance == Acceptance.DELETED:
            return listed
        if None in (read.port.tenant_uid, read.port.spec, read.port.vlan_id, read.port.order_mode):
            return replace(listed, outcome=ImportOutcome.FAILED, reason="incomplete_read")
        adopter = Adopter(
            store=self.store,
            clock=self.clock,
            policy=self.policies.of(circuit.account_id),
            origin=Origin.IMPORT,
            dry_run=self.dry_run,
        )
        found = adopter.adopt(read, inputs=(self._row(circuit, port),))
        if found.outcome in (AdoptionOutcome.VLAN_HELD, AdoptionOutcome.ORDERED):
            self._leave_to_the_relay(circuit, port)
        return _told(listed, found)

    def _leave_to_the_relay(self, circuit: Circuit, port: PortObservation) -> None:
        if self.dry_run:
            return
        command = read_port(
            port.port_id,
            cause="import",
            account_id=circuit.account_id,
            region=circuit.region,
            after=None,
            connection_id=None,
        )
        self.store.record([], outbox=[replace(command, payload={**command.payload, "origin": str(Origin.IMPORT)})])

    def _row(self, circuit: Circuit, port: PortObservation) -> InputRow:
        return InputRow(
            key="",
            digest=hashlib.sha256(port.port_id.encode()).hexdigest(),
            claims=False,
            at=self.clock.now(),
            function="import",
            verdict=Verdict.APPLIED,
            account_id=circuit.account_id,
            name="import",
            details={"actor": self.actor, "reason": self.reason, "port_id": port.port_id},
        )


_OUTCOMES = {
    AdoptionOutcome.ADOPTED: ImportOutcome.IMPORTED,
    AdoptionOutcome.KNOWN: ImportOutcome.KNOWN,
    AdoptionOutcome.ORDERED: ImportOutcome.WAITING,
    AdoptionOutcome.NOT_OURS: ImportOutcome.FAILED,
    AdoptionOutcome.VLAN_HELD: ImportOutcome.WAITING,
    AdoptionOutcome.CONTENDED: ImportOutcome.FAILED,
}


def _told(listed: ImportedPort, found: Adopted) -> ImportedPort:
    outcome = _OUTCOMES[found.outcome]
    if found.stored is not None:
        return replace(listed, outcome=outcome, connection_id=found.stored.connection.connection_id)
    if found.decision is None:
        return replace(listed, outcome=outcome, reason=str(found.outcome))
    decision = found.decision
    codes = {finding.code for finding in decision.findings} | {violation.code for violation in decision.violations}
    return replace(
        listed,
        outcome=outcome,
        connection_id=decision.connection.connection_id,
        phase=str(decision.phase),
        findings=tuple(sorted(codes)),
    )
