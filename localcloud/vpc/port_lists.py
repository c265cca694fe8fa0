"""ListVirtualPhysicalConnections: ports as the partner and the tenant see them."""

from __future__ import annotations

from localcloud.vpc.call import Answer, Call, Operation, read, stamp
from localcloud.vpc.errors import illegal
from localcloud.vpc.names import SPECS, Acceptance, BusinessStatus, ProductType
from localcloud.vpc.paging import after_token
from localcloud.vpc.resources import Port
from localcloud.vpc.state import State


def list_virtual_physical_connections(state: State, call: Call) -> Answer:
    """ListVirtualPhysicalConnections: the ports that the caller pushed or received, in one region.

    Deleted ports appear only when ``VirtualPhysicalConnectionStatuses`` asks for them [INF]. ``Count`` is the number
    on this page, ``TotalCount`` that of all pages.
    """
    matching = sorted(
        (port for port in state.ports.visible() if _seen(call, port) and _matches(call, port)),
        key=lambda port: port.port_id,
    )
    page, next_token = after_token(call, matching, lambda port: port.port_id)
    answer: Answer = {
        "Count": len(page),
        "TotalCount": len(matching),
        "NextToken": next_token,
        "VirtualPhysicalConnections": [describe(state, port) for port in page],
    }
    state.ports.count_read()
    for port in page:
        state.changes.read(port.port_id, call.now)
    return answer


def describe(state: State, port: Port) -> Answer:
    """A port in the shape of the answer. ``VlanId`` and all account ids are strings here."""
    circuit = state.circuits.get(port.circuit_id)
    return {
        "PhysicalConnectionId": port.port_id,
        "ParentPhysicalConnectionId": port.circuit_id,
        "ParentPhysicalConnectionAliUid": port.partner_id,
        "AliUid": port.tenant_id,
        "Name": port.name,
        "Description": port.description,
        "Status": port.status,
        "VirtualPhysicalConnectionStatus": port.acceptance,
        "BusinessStatus": port.business_status,
        "LoaStatus": "Complete",
        "VlanId": str(port.vlan_id),
        "Spec": port.spec,
        "ExpectSpec": port.expect_spec,
        "Bandwidth": SPECS[port.spec],
        "OrderMode": port.order_mode,
        "ChargeType": "Prepaid",
        "CreationTime": stamp(port.created_at),
        "EnabledTime": stamp(port.enabled_at),
        "EndTime": stamp(port.end_at),
        "ProductType": ProductType.PORT,
        "Type": "VPC",
        "AccessPointId": "" if circuit is None else circuit.access_point_id,
        "LineOperator": "" if circuit is None else circuit.line_operator,
        "PortType": "" if circuit is None else "10GBase-LR",
        "ResourceGroupId": port.resource_group_id,
        "Tags": [{"Key": key, "Value": value} for key, value in port.tags],
    }


def _seen(call: Call, port: Port) -> bool:
    return port.region == call.region and call.account_id in {port.partner_id, port.tenant_id}


def _matches(call: Call, port: Port) -> bool:
    given = call.parameters
    acceptances = given.listed("VirtualPhysicalConnectionStatuses")
    if port.acceptance == Acceptance.DELETED and Acceptance.DELETED not in acceptances:
        return False
    business_status = given.text("VirtualPhysicalConnectionBusinessStatus")
    if business_status and business_status not in set(BusinessStatus):
        raise illegal("VirtualPhysicalConnectionBusinessStatus", f"not one of {', '.join(BusinessStatus)}")
    wanted = given.flag("IsConfirmed")
    tags = dict(port.tags)
    listed = {
        "VirtualPhysicalConnectionIds": port.port_id,
        "VirtualPhysicalConnectionAliUids": port.tenant_id,
        "VlanIds": str(port.vlan_id),
    }
    return (
        given.text("PhysicalConnectionId") in {"", port.circuit_id}
        and given.text("ResourceGroupId") in {"", port.resource_group_id}
        and business_status in {"", port.business_status}
        and (wanted is None or wanted == (port.acceptance == Acceptance.CONFIRMED))
        and (not acceptances or port.acceptance in acceptances)
        and all(not given.listed(name) or value in given.listed(name) for name, value in listed.items())
        and all(tags.get(key) == value for key, value in given.tags("Tags"))
    )


OPERATIONS: dict[str, Operation] = {"ListVirtualPhysicalConnections": read(list_virtual_physical_connections)}
