"""What is wrong on a circuit as a whole: rules that no single connection can see broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from crossport.domain.circuit import Circuit
from crossport.domain.observation import PortObservation
from crossport.domain.policy import Policy
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Acceptance


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitBreach:
    """One broken rule: a stable code, what it is about, the ports that break it, and a sentence."""

    code: str
    subject: str
    port_ids: tuple[str, ...]
    evidence: str


def breaches_of(circuit: Circuit, ports: Iterable[PortObservation], policy: Policy) -> tuple[CircuitBreach, ...]:
    """Rules 2, 3 and 5 over all ports of the circuit as a list shows them; deleted ones do not count."""
    live = [port for port in ports if port.acceptance != Acceptance.DELETED]
    return (*_shared_vlans(live), *_zero_beside_others(live, policy), *_over_capacity(circuit, live))


def _shared_vlans(live: list[PortObservation]) -> Iterator[CircuitBreach]:
    vlan_ids = [port.vlan_id for port in live if port.vlan_id is not None]
    if len(vlan_ids) == len(set(vlan_ids)):
        return
    by_vlan: dict[int, list[str]] = defaultdict(list)
    for port in live:
        if port.vlan_id is not None:
            by_vlan[port.vlan_id].append(port.port_id)
    for vlan_id, port_ids in sorted(by_vlan.items()):
        if len(port_ids) > 1:
            yield CircuitBreach(
                code="vlan_clash",
                subject=str(vlan_id),
                port_ids=tuple(sorted(port_ids)),
                evidence=f"{len(port_ids)} ports have VLAN {vlan_id}",
            )


def _zero_beside_others(live: list[PortObservation], policy: Policy) -> Iterator[CircuitBreach]:
    zero = tuple(sorted(port.port_id for port in live if port.vlan_id == 0))
    if zero and policy.vlan_zero_is_exclusive and len(live) > len(zero):
        yield CircuitBreach(
            code="vlan_zero_not_alone",
            subject="0",
            port_ids=zero,
            evidence=f"VLAN 0 takes the whole circuit, and {len(live) - len(zero)} other ports are on it",
        )


def _over_capacity(circuit: Circuit, live: list[PortObservation]) -> Iterator[CircuitBreach]:
    taken = sum(max(MBPS.get(port.spec or "", 0), MBPS.get(port.expect_spec or "", 0)) for port in live)
    if taken > circuit.bandwidth_mbps:
        yield CircuitBreach(
            code="over_capacity",
            subject=circuit.circuit_id,
            port_ids=tuple(sorted(port.port_id for port in live)),
            evidence=f"its ports take {taken} Mbit/s of {circuit.bandwidth_mbps} Mbit/s",
        )
