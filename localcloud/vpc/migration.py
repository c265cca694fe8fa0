"""From a cross-account VBR to a shared port, without interruption (partner guide, "Transform to Shared Port")."""

from __future__ import annotations

from dataclasses import replace

from localcloud.vpc.call import Answer, Call, Operation, write
from localcloud.vpc.errors import VpcError, illegal, incorrect_status, incorrect_vbr_status, vbr_not_found
from localcloud.vpc.names import SPECS, VBR_BANDWIDTH_SPECS, Acceptance, OrderMode, Status, VbrStatus
from localcloud.vpc.ports import check_tenant
from localcloud.vpc.resources import Port, Vbr
from localcloud.vpc.rules import check_bandwidth, check_not_locked, check_port_quota, check_vlan
from localcloud.vpc.state import State


def create_vpconn_from_vbr(state: State, call: Call) -> Answer:
    """CreateVpconnFromVbr: makes a port with the VBR's owner, VLAN ID and cap; the VBR stays where it is."""
    given = call.parameters
    vbr = _pushed_vbr(state, call)
    order_mode = given.text("OrderMode") or OrderMode.TENANT
    if order_mode not in set(OrderMode):
        raise illegal("OrderMode", f"not one of {', '.join(OrderMode)}")
    if vbr.status != VbrStatus.ACTIVE:
        raise incorrect_vbr_status("The VBR is not active.")
    check_not_locked(vbr)
    if vbr.bandwidth_mbps is None:
        raise illegal("VbrId", "the bandwidth of the VBR is unlimited")
    spec = VBR_BANDWIDTH_SPECS.get(vbr.bandwidth_mbps)
    if spec is None:
        raise illegal("VbrId", "no hosted connection has the bandwidth of the VBR")
    circuit = state.own_circuit(call, vbr.circuit_id)
    check_tenant(state, call, vbr.owner_id)
    if any(port.source_vbr_id == vbr.vbr_id for port in state.live_ports(circuit.circuit_id)):
        raise VpcError("QuotaExceeded.VPCONN", "A hosted connection was already made from the VBR.")
    check_port_quota(state, circuit.circuit_id)
    check_vlan(state, circuit.circuit_id, vbr.vlan_id, exempt_vbr=vbr.vbr_id)
    check_bandwidth(state, circuit, SPECS[spec])
    if call.dry_run:
        return {}
    port = Port(
        port_id=state.fresh_port_id(),
        circuit_id=circuit.circuit_id,
        partner_id=call.account_id,
        tenant_id=vbr.owner_id,
        region=circuit.region,
        vlan_id=vbr.vlan_id,
        spec=spec,
        order_mode=order_mode,
        created_at=call.now,
        status=state.switches.fresh_port_status,
        source_vbr_id=vbr.vbr_id,
    )
    state.save_port(port)
    return {"VirtualPhysicalConnection": port.port_id}


def attach_vbr_to_vpconn(state: State, call: Call) -> Answer:
    """AttachVbrToVpconn: moves the VBR from the circuit to the port that was made from it."""
    vbr = _pushed_vbr(state, call)
    port = state.seen_port(call, call.parameters.required("VpconnId"))
    if port.partner_id != call.account_id or port.source_vbr_id != vbr.vbr_id:
        raise illegal("VpconnId", "not made from this VBR by CreateVpconnFromVbr")
    if port.acceptance != Acceptance.CONFIRMED or port.status != Status.ENABLED:
        raise incorrect_status("The hosted connection is not both Confirmed and Enabled.")
    check_not_locked(port)
    if state.vbrs_on(port.port_id):
        raise VpcError("QuotaExceeded.VPCONN", "The hosted connection already has a VBR.")
    if call.dry_run:
        return {}
    state.save_vbr(replace(vbr, port_id=port.port_id, bandwidth_mbps=None))
    return {"VirtualPhysicalConnection": port.port_id}


def _pushed_vbr(state: State, call: Call) -> Vbr:
    """A VBR of another account that is attached directly to a circuit of the caller."""
    vbr = state.seen_vbr(call, call.parameters.required("VbrId"))
    if state.circuit_owner_id(vbr) != call.account_id:
        raise vbr_not_found()
    if vbr.owner_id == call.account_id:
        raise illegal("VbrId", "not a cross-account VBR")
    if vbr.port_id is not None:
        raise incorrect_vbr_status("The VBR is not attached directly to an Express Connect circuit.")
    return vbr


OPERATIONS: dict[str, Operation] = {
    "CreateVpconnFromVbr": write(create_vpconn_from_vbr, "Token"),
    "AttachVbrToVpconn": write(attach_vbr_to_vpconn, "Token"),
}
