"""Adoption: a port found on one of our circuits without an order of ours (ruling 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crossport.domain.checks import (
    order_mode_allowed,
    spec_allowed,
    vlan_free,
    vlan_in_range,
    within_capacity,
    zero_vlan_alone,
)
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Terms, connection_id_for
from crossport.domain.decide import Decision, Finding, decide
from crossport.domain.effects import Command, Notice
from crossport.domain.effects.kinds import key_of
from crossport.domain.observation import PortObservation
from crossport.domain.orders import Contract, Hold, Tenant
from crossport.domain.policy import Policy
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Flow, Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """What follows from adopting a port.

    ``hold`` is None, and the circuit unchanged, when its VLAN ID is held by another connection already: the decision
    then has the command ``claim_hold``, which waits for the VLAN ID.
    """

    decision: Decision
    circuit: Circuit
    hold: Hold | None
    #: Whether another connection holds its VLAN ID.
    vlan_held: bool = False


def decide_adoption(
    port: PortObservation,
    circuit: Circuit,
    tenant: Tenant | None,
    contracts: tuple[Contract, ...],
    policy: Policy,
    *,
    origin: Origin = Origin.CONSOLE,
) -> Adoption:
    """Open a connection for a port that was read from the cloud, checked against every rule.

    What was observed is recorded even where it breaks a rule; the breach becomes a finding. Raises ValueError when the
    read lacks the tenant, the spec, the VLAN ID or the order mode: it is then not a complete read of a port.
    """
    if port.tenant_uid is None or port.spec is None or port.vlan_id is None or port.order_mode is None:
        raise ValueError(f"the read of {port.port_id} is not complete enough to adopt it")
    connection = Connection(
        connection_id=connection_id_for(circuit.account_id, "port", port.port_id),
        account_id=circuit.account_id,
        region=circuit.region,
        circuit_id=circuit.circuit_id,
        tenant_uid=port.tenant_uid,
        flow=Flow.NEW,
        origin=origin,
        terms=Terms(spec=port.spec, vlan_id=port.vlan_id, order_mode=port.order_mode),
        created_at=port.at,
        contract_number=next((c.number for c in contracts if c.in_force(port.at)), ""),
    )
    findings = _findings(port, circuit, tenant, connection, policy)
    decision = decide(connection, [port], policy)
    decision = replace(decision, findings=(*decision.findings, *findings))
    mbps = MBPS.get(port.spec, 0)
    if any(vlan_in_range(port.vlan_id)):
        return Adoption(decision=decision, circuit=circuit, hold=None)
    if circuit.holds(port.vlan_id):
        claim = Command(key=key_of(connection, "claim_hold"), kind="claim_hold", connection_id=connection.connection_id)
        decision = replace(decision, effects=(*decision.effects, claim))
        return Adoption(decision=decision, circuit=circuit, hold=None, vlan_held=True)
    hold = Hold(circuit_id=circuit.circuit_id, vlan_id=port.vlan_id, mbps=mbps, connection_id=connection.connection_id)
    return Adoption(decision=decision, circuit=circuit.hold(port.vlan_id, mbps), hold=hold)


def quiet(decision: Decision) -> Decision:
    """The decision as an import takes it: what happened before is told to nobody (ruling 2).

    Of notices only those of violations are left, for the partner: they are about the present, and go only while the
    violation stands. Effects are derived from the difference to the state before, so none of the others comes later.
    """
    told = (e for e in decision.effects if not isinstance(e, Notice) or e.kind == "violation")
    return replace(decision, effects=tuple(told))


def _findings(
    port: PortObservation, circuit: Circuit, tenant: Tenant | None, connection: Connection, policy: Policy
) -> list[Finding]:
    spec, vlan_id = connection.terms.spec, connection.terms.vlan_id
    out_of_range = tuple(vlan_in_range(vlan_id))
    taken = () if out_of_range else (*vlan_free(vlan_id, circuit), *zero_vlan_alone(vlan_id, circuit, policy))
    codes = [
        *(["port_without_contract"] if tenant is None or not connection.contract_number else []),
        *(["vlan_clash"] if taken else []),
        *(refusal.code for refusal in out_of_range),
        *(refusal.code for refusal in spec_allowed(spec, policy)),
        *(refusal.code for refusal in order_mode_allowed(connection.terms.order_mode, policy)),
        *(["over_capacity"] if tuple(within_capacity(spec, circuit)) else []),
    ]
    return [
        Finding(code=code, subject=port.port_id, details={"circuit_id": circuit.circuit_id, "vlan_id": vlan_id})
        for code in codes
    ]
