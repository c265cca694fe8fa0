"""The rules that ports and VBRs of one circuit keep together: VLAN IDs and bandwidth.

Sources: Alibaba Cloud API reference, CreateVirtualPhysicalConnection and ModifyVirtualBorderRouterAttribute; partner
guide, "Manage connections for tenants".
"""

from __future__ import annotations

from datetime import datetime, timedelta

from localcloud.vpc.errors import VpcError, insufficient_bandwidth, locked, vlan_in_use
from localcloud.vpc.names import BusinessStatus
from localcloud.vpc.resources import Circuit, Port, Vbr
from localcloud.vpc.state import State

VLAN_COOL_DOWN = timedelta(days=7)
"""How long a terminated VBR keeps its VLAN ID."""


def holds_vlan(vbr: Vbr, now: datetime) -> bool:
    """Whether a VBR still holds its VLAN ID: a terminated one does for seven days from its TerminationTime."""
    return vbr.terminated_at is None or not vbr.recoverable or now < vbr.terminated_at + VLAN_COOL_DOWN


def check_vlan(
    state: State, circuit_id: str, vlan_id: int, *, exempt_port: str | None = None, exempt_vbr: str | None = None
) -> None:
    """Refuse a VLAN ID that another port or VBR of the circuit holds.

    A port's own VBR, and the VBR from which a port is made, are exempt: they are to have the same VLAN ID. With the
    switch ``vlan_zero_excludes``, VLAN 0 is the whole circuit.
    """
    now = state.clock.now()
    held = {p.vlan_id for p in state.live_ports(circuit_id) if p.port_id != exempt_port}
    for vbr in state.vbrs.all():
        own = vbr.vbr_id == exempt_vbr or (exempt_port is not None and vbr.port_id == exempt_port)
        if vbr.circuit_id == circuit_id and not own and holds_vlan(vbr, now):
            held.add(vbr.vlan_id)
    whole_circuit = state.switches.vlan_zero_excludes and ((vlan_id == 0 and bool(held)) or 0 in held)
    if vlan_id in held or whole_circuit:
        raise vlan_in_use(vlan_id)


def check_bandwidth(state: State, circuit: Circuit, mbps: int, *, exempt_port: str | None = None) -> None:
    """Refuse a spec that, with those of the other live ports, exceeds the circuit's bandwidth."""
    others = sum(p.reserved_mbps for p in state.live_ports(circuit.circuit_id) if p.port_id != exempt_port)
    if others + mbps > circuit.bandwidth_mbps:
        raise insufficient_bandwidth()


def check_not_locked(resource: Circuit | Port | Vbr) -> None:
    """Refuse changes of what is locked. [INF]"""
    if resource.business_status != BusinessStatus.NORMAL:
        raise locked(resource.business_status)


def check_port_quota(state: State, circuit_id: str) -> None:
    """Refuse a port beyond the quota of ports of a circuit, where one is set."""
    quota = state.switches.ports_per_circuit
    if quota is not None and len(state.live_ports(circuit_id)) >= quota:
        raise VpcError("QuotaExceeded.VPCONN", "The quota of hosted connections of the circuit is exceeded.")
