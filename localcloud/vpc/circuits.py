"""Circuits, and the outbound data transfer billing of an account."""

from __future__ import annotations

from localcloud.vpc.call import Answer, Call, Operation, read, stamp, write
from localcloud.vpc.names import SPECS, Acceptance, ProductType
from localcloud.vpc.paging import numbered
from localcloud.vpc.resources import Circuit, Port
from localcloud.vpc.state import State

_KEYS = frozenset(
    {"PhysicalConnectionId", "AccessPointId", "Type", "LineOperator", "Spec", "Status", "Name", "ProductType"}
)


def describe_physical_connections(state: State, call: Call) -> Answer:
    """DescribePhysicalConnections: the caller's circuits and the ports that it received, in one region.

    Ports that the caller pushed to others are in ListVirtualPhysicalConnections. All filters must match.
    """
    circuits = [
        _describe_circuit(state, circuit)
        for circuit in state.circuits.visible()
        if circuit.account_id == call.account_id and circuit.region == call.region
    ]
    ports = [port for port in state.ports.visible() if _received(call, port)]
    described = circuits + [_describe_port(state, port) for port in ports]
    filters = call.parameters.filters(_KEYS)
    matching = [row for row in described if all(row[key] in values for key, values in filters)]
    page, numbers = numbered(call, matching)
    shown = {row["PhysicalConnectionId"] for row in page}
    state.circuits.count_read()
    state.ports.count_read()
    for port_id in shown:
        state.changes.read(port_id, call.now)
    return {**numbers, "PhysicalConnectionSet": {"PhysicalConnectionType": list(page)}}


def open_physical_connection_service(state: State, call: Call) -> Answer:
    """OpenPhysicalConnectionService: enables outbound data transfer billing of the calling account in a region."""
    state.outbound_billing.add((call.account_id, call.region))
    return {}


def get_physical_connection_service_status(state: State, call: Call) -> Answer:
    """GetPhysicalConnectionServiceStatus: whether the *calling* account has outbound billing enabled in a region."""
    return {"Enabled": (call.account_id, call.region) in state.outbound_billing}


def _received(call: Call, port: Port) -> bool:
    live = port.acceptance != Acceptance.DELETED
    return live and port.tenant_id == call.account_id and port.region == call.region


def _describe_circuit(state: State, circuit: Circuit) -> Answer:
    return {
        "PhysicalConnectionId": circuit.circuit_id,
        "Name": circuit.name,
        "Description": "",
        "Status": circuit.status,
        "BusinessStatus": circuit.business_status,
        "LoaStatus": "Complete",
        "ProductType": ProductType.CIRCUIT,
        "Type": "VPC",
        "AccessPointId": circuit.access_point_id,
        "LineOperator": circuit.line_operator,
        "PortType": "10GBase-LR",
        "Spec": circuit.spec,
        "Bandwidth": circuit.bandwidth_mbps,
        "ChargeType": "Prepaid",
        "CreationTime": stamp(circuit.created_at),
        "EnabledTime": stamp(circuit.created_at),
        "EndTime": "",
        "QosId": circuit.qos_id,
        "VirtualPhysicalConnectionCount": len(state.live_ports(circuit.circuit_id)),
        "Tags": {"tags": []},
    }


def _describe_port(state: State, port: Port) -> Answer:
    circuit = state.circuits.get(port.circuit_id)
    return {
        "PhysicalConnectionId": port.port_id,
        "ParentPhysicalConnectionId": port.circuit_id,
        # A number here, a string in ListVirtualPhysicalConnections.
        "ParentPhysicalConnectionAliUid": int(port.partner_id),
        "Name": port.name,
        "Description": port.description,
        "Status": port.status,
        "VpconnStatus": port.acceptance,
        "BusinessStatus": port.business_status,
        "LoaStatus": "Complete",
        "ProductType": ProductType.PORT,
        "Type": "VPC",
        "AccessPointId": "" if circuit is None else circuit.access_point_id,
        "LineOperator": "" if circuit is None else circuit.line_operator,
        "PortType": "10GBase-LR",
        "Spec": port.spec,
        "ExpectSpec": port.expect_spec,
        "Bandwidth": SPECS[port.spec],
        "VlanId": str(port.vlan_id),
        "OrderMode": port.order_mode,
        "ChargeType": "Prepaid",
        "CreationTime": stamp(port.created_at),
        "EnabledTime": stamp(port.enabled_at),
        "EndTime": stamp(port.end_at),
        "Tags": {"tags": [{"Key": key, "Value": value} for key, value in port.tags]},
    }


OPERATIONS: dict[str, Operation] = {
    "DescribePhysicalConnections": read(describe_physical_connections),
    "OpenPhysicalConnectionService": write(open_physical_connection_service),
    "GetPhysicalConnectionServiceStatus": read(get_physical_connection_service_status),
}
