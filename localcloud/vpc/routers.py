"""VBRs: created by the tenant on its port, or pushed by a circuit's owner to another account (the older way)."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import datetime
from typing import Any

from localcloud.vpc.call import Answer, Call, Operation, write
from localcloud.vpc.errors import VpcError, illegal, incorrect_status, incorrect_vbr_status, missing, not_owner
from localcloud.vpc.names import (
    LARGE_VBR_BANDWIDTHS,
    VBR_BANDWIDTH_SPECS,
    VLAN_IDS,
    Acceptance,
    Status,
    VbrStatus,
)
from localcloud.vpc.resources import Circuit, Port, Vbr
from localcloud.vpc.rules import check_not_locked, check_vlan
from localcloud.vpc.state import State

_GATEWAY = ("LocalGatewayIp", "PeerGatewayIp", "PeeringSubnetMask")
_FIELDS = {
    "Name": "name",
    "Description": "description",
    "CircuitCode": "circuit_code",
    "LocalGatewayIp": "local_gateway_ip",
    "PeerGatewayIp": "peer_gateway_ip",
    "PeeringSubnetMask": "peering_subnet_mask",
    "LocalIpv6GatewayIp": "local_ipv6_gateway_ip",
    "PeerIpv6GatewayIp": "peer_ipv6_gateway_ip",
    "PeeringIpv6SubnetMask": "peering_ipv6_subnet_mask",
}
_OWNERS_FIELDS = frozenset(_FIELDS) - {"Name", "Description", "CircuitCode"}


def create_virtual_border_router(state: State, call: Call) -> Answer:
    """CreateVirtualBorderRouter: on a port by its tenant, or on a circuit by its owner for any account.

    The VBR is active at once ("After you create a VBR, the VBR is in the active state"), except one that is pushed to
    another account: that one is unconfirmed.
    """
    given = call.parameters
    connection_id = given.required("PhysicalConnectionId")
    vlan_id = given.required_bounded("VlanId", VLAN_IDS.start, VLAN_IDS.stop - 1)
    given.name()
    given.description()
    check_gateways(call)
    circuit = state.circuits.get(connection_id)
    if circuit is not None:
        vbr = _on_circuit(state, call, state.own_circuit(call, connection_id), vlan_id)
    else:
        vbr = _on_port(state, call, state.seen_port(call, connection_id), vlan_id)
    vbr = replace(
        vbr,
        tags=given.tags("Tags"),
        resource_group_id=given.text("ResourceGroupId"),
        enable_ipv6=given.flag("EnableIpv6") or False,
        **_text_fields(call),
    )
    state.save_vbr(vbr)
    return {"VbrId": vbr.vbr_id}


def modify_virtual_border_router_attribute(state: State, call: Call) -> Answer:
    """ModifyVirtualBorderRouterAttribute: VLAN ID and circuit code by the circuit's owner, gateways by the VBR's.

    A pushed VBR becomes active when its owner sets both gateways and their mask.
    """
    given = call.parameters
    vbr = state.seen_vbr(call, given.required("VbrId"))
    sent = given.as_sent()
    is_owner = call.account_id == vbr.owner_id
    is_circuit_owner = call.account_id == state.circuit_owner_id(vbr)
    if _OWNERS_FIELDS & sent.keys() and not is_owner:
        raise not_owner("Only the owner of the VBR can set its gateways.")
    if {"VlanId", "CircuitCode"} & sent.keys() and not is_circuit_owner:
        raise not_owner("Only the owner of the Express Connect circuit can set the VLAN ID.")
    given.name()
    given.description()
    check_gateways(call)
    if vbr.status not in {VbrStatus.ACTIVE, VbrStatus.UNCONFIRMED}:
        raise incorrect_vbr_status(f"The VBR is {vbr.status}.")
    changed = replace(vbr, **_text_fields(call), **_tuning(call))
    vlan_id = given.bounded("VlanId", VLAN_IDS.start, VLAN_IDS.stop - 1)
    if vlan_id is not None and vlan_id != vbr.vlan_id:
        check_vlan(state, vbr.circuit_id, vlan_id, exempt_port=vbr.port_id, exempt_vbr=vbr.vbr_id)
        changed = replace(changed, vlan_id=vlan_id)
    if given.integer("Bandwidth") is not None:
        changed = replace(changed, bandwidth_mbps=_cap(call, vbr))
    state.save_vbr(changed)
    if vbr.status == VbrStatus.UNCONFIRMED and is_owner and all(given.text(name) for name in _GATEWAY):
        activate(state, vbr.vbr_id)
    return {}


def update_virtual_border_bandwidth(state: State, call: Call) -> Answer:
    """UpdateVirtualBorderBandwidth: sets the cap of a VBR on a circuit; a VBR on a port has the port's bandwidth."""
    vbr = state.seen_vbr(call, call.parameters.required("VirtualBorderRouterId"))
    if call.parameters.integer("Bandwidth") is None:
        raise missing("Bandwidth")
    if vbr.status not in {VbrStatus.ACTIVE, VbrStatus.UNCONFIRMED}:
        raise incorrect_vbr_status(f"The VBR is {vbr.status}.")
    state.save_vbr(replace(vbr, bandwidth_mbps=_cap(call, vbr)))
    return {"Success": True, "Code": "200", "Message": "OK", "HttpStatusCode": 200}


def activate(state: State, vbr_id: str) -> None:
    """Begin to make a VBR active."""

    def finish(at: datetime) -> None:
        vbr = state.vbrs.get(vbr_id)
        if vbr is not None and vbr.activated_at is None:
            state.save_vbr(replace(vbr, status=VbrStatus.ACTIVE, activated_at=at))

    state.changes.begin(state.switches.progression, vbr_id, state.clock.now(), finish)


def check_gateways(call: Call) -> None:
    """Refuse gateways that are not two addresses of one subnet between /24 and /30."""
    local, peer, mask = (call.parameters.text(name) for name in _GATEWAY)
    if not (local and peer and mask):
        return
    try:
        network = ipaddress.IPv4Network(f"{local}/{mask}", strict=False)
        inside = ipaddress.IPv4Address(peer) in network
    except ValueError:
        raise illegal("PeeringSubnetMask", "the gateways and the mask are not IPv4") from None
    if not 24 <= network.prefixlen <= 30:
        raise illegal("PeeringSubnetMask", "not between 255.255.255.0 and 255.255.255.252")
    if not inside or local == peer:
        raise illegal("PeerGatewayIp", "the gateways are not two addresses of one subnet")


def _on_port(state: State, call: Call, port: Port, vlan_id: int) -> Vbr:
    if call.account_id != port.tenant_id:
        raise not_owner("Only the owner of the hosted connection can create a VBR on it.")
    if call.parameters.text("VbrOwnerId") not in {"", call.account_id}:
        raise illegal("VbrOwnerId", "a VBR on a hosted connection belongs to its owner")
    if call.parameters.integer("Bandwidth") is not None:
        raise illegal("Bandwidth", "a VBR on a hosted connection has the bandwidth of the hosted connection")
    if port.acceptance != Acceptance.CONFIRMED or port.status != Status.ENABLED:
        raise incorrect_status("The hosted connection is not both Confirmed and Enabled.")
    check_not_locked(port)
    if state.switches.vbr_vlan_inherited and vlan_id != port.vlan_id:
        raise illegal("VlanId", "not the VLAN ID of the hosted connection")
    if state.switches.one_vbr_a_port and state.vbrs_on(port.port_id):
        raise VpcError("QuotaExceeded.VbrPerVpconn", "A hosted connection can have one VBR.")
    if vlan_id != port.vlan_id:
        check_vlan(state, port.circuit_id, vlan_id, exempt_port=port.port_id)
    return Vbr(
        vbr_id=state.ids.resource("vbr"),
        owner_id=call.account_id,
        region=port.region,
        circuit_id=port.circuit_id,
        port_id=port.port_id,
        vlan_id=vlan_id,
        created_at=call.now,
        status=VbrStatus.ACTIVE,
        activated_at=call.now,
    )


def _on_circuit(state: State, call: Call, circuit: Circuit, vlan_id: int) -> Vbr:
    if circuit.status != Status.ENABLED:
        raise incorrect_status("The Express Connect circuit is not in the Enabled state.")
    check_not_locked(circuit)
    owner_id = call.parameters.text("VbrOwnerId") or call.account_id
    own = owner_id == call.account_id
    if state.main_account(owner_id) is None:
        raise illegal("VbrOwnerId", "not a main account")
    if own:
        for name in _GATEWAY:
            call.parameters.required(name)
    check_vlan(state, circuit.circuit_id, vlan_id)
    siblings = [v for v in state.vbrs.all() if v.circuit_id == circuit.circuit_id and v.owner_id == owner_id]
    if len(siblings) >= state.switches.vbrs_per_account:
        raise VpcError("QuotaExceeded.VbrPerPconn", "The quota of VBRs of one account on the circuit is exceeded.")
    vbr = Vbr(
        vbr_id=state.ids.resource("vbr"),
        owner_id=owner_id,
        region=circuit.region,
        circuit_id=circuit.circuit_id,
        port_id=None,
        vlan_id=vlan_id,
        created_at=call.now,
        status=VbrStatus.ACTIVE if own else VbrStatus.UNCONFIRMED,
        activated_at=call.now if own else None,
    )
    return replace(vbr, bandwidth_mbps=_cap(call, vbr))


def _cap(call: Call, vbr: Vbr) -> int | None:
    """The ``Bandwidth`` of a call; absent or 0 is unlimited."""
    mbps = call.parameters.integer("Bandwidth")
    if mbps is None or mbps == 0:
        return None
    if vbr.port_id is not None:
        raise illegal("Bandwidth", "a VBR on a hosted connection has the bandwidth of the hosted connection")
    if mbps not in VBR_BANDWIDTH_SPECS and mbps not in LARGE_VBR_BANDWIDTHS:
        raise illegal("Bandwidth", "not a bandwidth of a VBR")
    return mbps


def _text_fields(call: Call) -> dict[str, Any]:
    sent = call.parameters.as_sent()
    return {field: sent[name] for name, field in _FIELDS.items() if name in sent}


def _tuning(call: Call) -> dict[str, Any]:
    """The numbers and flags of a VBR as the call wants them; what is absent stays."""
    given = call.parameters
    wanted: dict[str, Any] = {
        "min_tx_interval": given.bounded("MinTxInterval", 200, 1000),
        "min_rx_interval": given.bounded("MinRxInterval", 200, 1000),
        "detect_multiplier": given.bounded("DetectMultiplier", 3, 10),
        "mtu": given.integer("Mtu"),
        "enable_ipv6": given.flag("EnableIpv6"),
        "sitelink_enable": given.flag("SitelinkEnable"),
    }
    if wanted["mtu"] not in {None, 1500, 8500}:
        raise illegal("Mtu", "neither 1500 nor 8500")
    return {field: value for field, value in wanted.items() if value is not None}


OPERATIONS: dict[str, Operation] = {
    "CreateVirtualBorderRouter": write(create_virtual_border_router),
    "ModifyVirtualBorderRouterAttribute": write(modify_virtual_border_router_attribute),
    "UpdateVirtualBorderBandwidth": write(update_virtual_border_bandwidth),
}
