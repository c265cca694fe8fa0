"""VBRs as their owners and the owners of circuits see them. ``VlanId`` is a number here.

Where a partner sees a tenant's VBR on a port is contradictory in the documentation: switch ``vbr_visibility``.
"""

from __future__ import annotations

from collections.abc import Sequence

from localcloud.vpc.call import Answer, Call, Operation, read, stamp
from localcloud.vpc.errors import connection_not_found
from localcloud.vpc.names import SPECS
from localcloud.vpc.paging import numbered
from localcloud.vpc.resources import Port, Vbr
from localcloud.vpc.state import State
from localcloud.vpc.switches import VbrVisibility

_KEYS = frozenset({"PhysicalConnectionId", "VbrId", "Status", "Name", "AccessPointId", "eccId", "type"})


def describe_virtual_border_routers(state: State, call: Call) -> Answer:
    """DescribeVirtualBorderRouters: the caller's VBRs; with ``IncludeCrossAccountVbr`` also those on its circuits."""
    cross_account = call.parameters.flag("IncludeCrossAccountVbr") or False
    shown = [
        vbr
        for vbr in state.vbrs.visible()
        if vbr.region == call.region
        and (vbr.owner_id == call.account_id or (cross_account and _circuit_owner_sees(state, call, vbr, "")))
    ]
    page, numbers = numbered(call, _filtered(state, call, shown))
    answer = {**numbers, "VirtualBorderRouterSet": {"VirtualBorderRouterType": [_describe(state, vbr) for vbr in page]}}
    _count_reads(state, call, page)
    return answer


def describe_virtual_border_routers_for_physical_connection(state: State, call: Call) -> Answer:
    """DescribeVirtualBorderRoutersForPhysicalConnection: VBRs of all accounts on a circuit or on a port."""
    connection_id = call.parameters.required("PhysicalConnectionId")
    circuit = state.circuits.get(connection_id)
    port = state.ports.get(connection_id)
    may_see = {circuit.account_id} if circuit is not None else set()
    may_see |= {port.partner_id, port.tenant_id} if port is not None else set()
    if call.account_id not in may_see:
        raise connection_not_found()
    shown = [
        vbr
        for vbr in state.vbrs.visible()
        if vbr.region == call.region
        and connection_id in {vbr.circuit_id, vbr.port_id}
        and (vbr.owner_id == call.account_id or _circuit_owner_sees(state, call, vbr, connection_id))
    ]
    page, numbers = numbered(call, _filtered(state, call, shown))
    answer = {
        **numbers,
        "VirtualBorderRouterForPhysicalConnectionSet": {
            "VirtualBorderRouterForPhysicalConnectionType": [_describe_for_connection(state, vbr) for vbr in page]
        },
    }
    _count_reads(state, call, page)
    return answer


def _circuit_owner_sees(state: State, call: Call, vbr: Vbr, connection_id: str) -> bool:
    """Whether the owner of the circuit sees another account's VBR; ``connection_id`` is what it asks about, if any."""
    if state.circuit_owner_id(vbr) != call.account_id:
        return False
    if vbr.port_id is None:
        return True
    visibility = state.switches.visibility(call.account_id)
    if visibility == VbrVisibility.PORT:
        return connection_id == vbr.port_id
    return visibility == VbrVisibility.CIRCUIT


def _filtered(state: State, call: Call, vbrs: list[Vbr]) -> list[Vbr]:
    filters = call.parameters.filters(_KEYS)
    return [vbr for vbr in vbrs if all(_field(state, vbr, key) in values for key, values in filters)]


def _field(state: State, vbr: Vbr, key: str) -> str:
    fields = {
        "PhysicalConnectionId": vbr.connection_id,
        "VbrId": vbr.vbr_id,
        "Status": vbr.status,
        "Name": vbr.name,
        "AccessPointId": _access_point(state, vbr),
        "type": "pconn_VBR",
    }
    return fields.get(key, "")


def _access_point(state: State, vbr: Vbr) -> str:
    circuit = state.circuits.get(vbr.circuit_id)
    return "" if circuit is None else circuit.access_point_id


def _bandwidth(port: Port | None, vbr: Vbr) -> int:
    """Mbit/s; 0 is unlimited."""
    if port is not None:
        return SPECS[port.spec]
    return 0 if vbr.bandwidth_mbps is None else vbr.bandwidth_mbps


def _shared_fields(vbr: Vbr) -> Answer:
    return {
        "VbrId": vbr.vbr_id,
        "Status": vbr.status,
        "VlanId": vbr.vlan_id,
        "CircuitCode": vbr.circuit_code,
        "CreationTime": stamp(vbr.created_at),
        "ActivationTime": stamp(vbr.activated_at),
        "TerminationTime": stamp(vbr.terminated_at),
        "RecoveryTime": stamp(vbr.recovered_at),
        "LocalGatewayIp": vbr.local_gateway_ip,
        "PeerGatewayIp": vbr.peer_gateway_ip,
        "PeeringSubnetMask": vbr.peering_subnet_mask,
        "EnableIpv6": vbr.enable_ipv6,
        "LocalIpv6GatewayIp": vbr.local_ipv6_gateway_ip,
        "PeerIpv6GatewayIp": vbr.peer_ipv6_gateway_ip,
        "PeeringIpv6SubnetMask": vbr.peering_ipv6_subnet_mask,
        "Type": "pconn_VBR",
        "PConnVbrChargeType": "",
        "PConnVbrExpireTime": "",
        "EccId": "",
    }


def _describe(state: State, vbr: Vbr) -> Answer:
    port = state.ports.get(vbr.port_id) if vbr.port_id is not None else None
    connection = port if port is not None else state.circuits.get(vbr.circuit_id)
    return {
        **_shared_fields(vbr),
        "Name": vbr.name,
        "Description": vbr.description,
        "AccessPointId": _access_point(state, vbr),
        "PhysicalConnectionId": vbr.connection_id,
        "PhysicalConnectionOwnerUid": state.circuit_owner_id(vbr) if port is None else port.tenant_id,
        "PhysicalConnectionStatus": "" if connection is None else connection.status,
        "PhysicalConnectionBusinessStatus": "" if connection is None else connection.business_status,
        "Bandwidth": _bandwidth(port, vbr),
        "MinTxInterval": vbr.min_tx_interval,
        "MinRxInterval": vbr.min_rx_interval,
        "DetectMultiplier": vbr.detect_multiplier,
        "Mtu": vbr.mtu,
        "SitelinkEnable": vbr.sitelink_enable,
        "RouteTableId": f"vtb-{vbr.vbr_id.removeprefix('vbr-')}",
        "VlanInterfaceId": f"ri-{vbr.vbr_id.removeprefix('vbr-')}",
        "ResourceGroupId": vbr.resource_group_id,
        "Tags": {"Tags": [{"Key": key, "Value": value} for key, value in vbr.tags]},
        "AssociatedPhysicalConnections": {"AssociatedPhysicalConnection": []},
        "AssociatedCens": {"AssociatedCen": []},
    }


def _describe_for_connection(state: State, vbr: Vbr) -> Answer:
    port = state.ports.get(vbr.port_id) if vbr.port_id is not None else None
    return {
        **_shared_fields(vbr),
        "VbrName": vbr.name,
        "VbrOwnerUid": int(vbr.owner_id),
        "Bandwidth": str(_bandwidth(port, vbr)),
        "BandwidthStatus": "active",
        "PConnVbrBussinessStatus": vbr.business_status,
    }


def _count_reads(state: State, call: Call, page: Sequence[Vbr]) -> None:
    state.vbrs.count_read()
    for vbr in page:
        state.changes.read(vbr.vbr_id, call.now)


OPERATIONS: dict[str, Operation] = {
    "DescribeVirtualBorderRouters": read(describe_virtual_border_routers),
    "DescribeVirtualBorderRoutersForPhysicalConnection": read(describe_virtual_border_routers_for_physical_connection),
}
