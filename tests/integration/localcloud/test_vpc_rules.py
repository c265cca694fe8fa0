"""What the VPC service refuses: parameters, VLAN IDs, bandwidth, rights."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from localcloud.vpc import Fault
from tests.integration.localcloud.vpc_world import (
    ABROAD,
    CIRCUIT,
    OTHER,
    PARTNER,
    PARTNER_PAYS,
    REGION,
    TENANT,
    World,
    pushed,
)

CREATE = "create_virtual_physical_connection"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"vlan_id": 3000}, "IllegalParam.VlanId"),
        ({"vlan_id": -1}, "IllegalParam.VlanId"),
        ({"vlan_id": "12a"}, "IllegalParam.VlanId"),
        ({"vlan_id": None}, "MissingParam.VlanId"),
        ({"spec": "150M"}, "IllegalParam.Spec"),
        ({"spec": "2G"}, "InvalidBandwidth.NotSupported"),
        ({"order_mode": "PayByNobody"}, "IllegalParam.OrderMode"),
        ({"order_mode": None}, "MissingParam.OrderMode"),
        ({"vpconn_ali_uid": 9999}, "IllegalParam.VpconnAliUid"),
        ({"vpconn_ali_uid": int(PARTNER)}, "IllegalParam.VpconnAliUid"),
        ({"vpconn_ali_uid": int(ABROAD)}, "OperationDenied.CrossSite"),
        ({"physical_connection_id": "pc-unknown"}, "ResourceNotFound.PhysicalConnectionId"),
        ({"region_id": "cn-hangzhou"}, "ResourceNotFound.PhysicalConnectionId"),
        ({"region_id": None}, "MissingRegionId"),
        ({"name": "1-starts-with-a-digit"}, "IllegalParam.Name"),
        ({"description": "http://example.com"}, "IllegalParam.Description"),
        ({"token": "x" * 65}, "IllegalParam.Token"),
        ({"token": "tökén"}, "IllegalParam.Token"),
    ],
)
def test_a_push_with_a_wrong_parameter_is_refused(vpc_world: World, fields: dict[str, Any], code: str) -> None:
    assert vpc_world.partner.refusal(CREATE, **pushed(**fields)) == (code, 400)
    assert vpc_world.vpc.ports() == []


def test_only_the_owner_pushes_on_a_circuit_and_not_on_a_port(vpc_world: World) -> None:
    world = vpc_world
    assert world.tenant.refusal(CREATE, **pushed(vpconn_ali_uid=int(OTHER))) == (
        "ResourceNotFound.PhysicalConnectionId",
        400,
    )
    port_id = world.push()
    refusal = world.partner.refusal(CREATE, **pushed(physical_connection_id=port_id, vlan_id=5))
    assert refusal == ("ResourceNotFound.PhysicalConnectionId", 400)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "Terminated"}, "IncorrectStatus.PhysicalConnection"),
        ({"qos_id": "qos-1"}, "IncorrectStatus.PhysicalConnection"),
        ({"business_status": "SecurityLocked"}, "OperationDenied.SecurityLocked"),
    ],
)
def test_a_circuit_must_be_fit_for_ports(vpc_world: World, change: dict[str, str], code: str) -> None:
    world = vpc_world
    circuit = replace(world.vpc.circuit(CIRCUIT), **change)  # type: ignore[arg-type]
    world.behind(world.vpc.state.save_circuit, circuit)
    assert world.partner.refusal(CREATE, **pushed()) == (code, 400)


def test_a_vlan_is_held_once_on_a_circuit(vpc_world: World) -> None:
    world = vpc_world
    world.push(vlan_id=100)
    second = world.push(vlan_id=101)
    assert world.partner.refusal(CREATE, **pushed(vpconn_ali_uid=int(OTHER))) == ("OperationDenied.VlanIdInUse", 400)
    update = {"instance_id": second, "vlan_id": 100}
    assert world.partner.refusal("update_virtual_physical_connection", **update) == (
        "OperationDenied.VlanIdInUse",
        400,
    )
    answer = world.partner("update_virtual_physical_connection", instance_id=second, vlan_id=102)
    assert answer.success == "true"
    assert {port.vlan_id for port in world.listed()} == {"100", "102"}


def test_vlan_zero_is_sent_shown_and_takes_the_whole_circuit(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.enabled(vlan_id=0)
    assert world.listed()[0].vlan_id == "0"
    assert world.partner.refusal(CREATE, **pushed(vlan_id=7)) == ("OperationDenied.VlanIdInUse", 400)
    vbr_id = world.add_vbr(port_id, vlan_id=0)
    [vbr] = world.tenant("describe_virtual_border_routers").virtual_border_router_set.virtual_border_router_type
    assert (vbr.vbr_id, vbr.vlan_id) == (vbr_id, 0)
    world.switch(replace(world.vpc.switches, vlan_zero_excludes=False))
    world.push(vlan_id=7)


def test_vlan_zero_is_refused_where_another_vlan_lives(vpc_world: World) -> None:
    vpc_world.push(vlan_id=7)
    assert vpc_world.partner.refusal(CREATE, **pushed(vlan_id=0)) == ("OperationDenied.VlanIdInUse", 400)


def test_specs_fit_into_the_circuit(vpc_world: World) -> None:
    world = vpc_world
    for vlan_id in (1, 2):
        world.push(vlan_id=vlan_id, spec="500M")
    assert world.partner.refusal(CREATE, **pushed(vlan_id=3, spec="50M")) == (
        "OperationDenied.InsufficientBandwidth",
        400,
    )


def test_the_permission_to_create_is_a_window(vpc_world: World) -> None:
    world = vpc_world
    world.behind(world.vpc.set_privilege, PARTNER, granted=False)
    assert world.partner.refusal(CREATE, **pushed()) == ("InvalidParameter.Bandwidth", 400)
    world.behind(world.vpc.set_privilege, PARTNER, granted=True)
    world.behind(world.vpc.faults.script, "CreateVirtualPhysicalConnection", Fault.PRIVILEGE)
    assert world.partner.refusal(CREATE, **pushed()) == ("InvalidParameter.Bandwidth", 400)
    world.push()
    world.behind(world.vpc.approve_large_specs, PARTNER)
    assert world.partner.refusal(CREATE, **pushed(vlan_id=1, spec="10G")) == (
        "OperationDenied.InsufficientBandwidth",
        400,
    )


def test_only_the_tenant_accepts_and_once(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    confirm = {"physical_connection_id": port_id}
    assert world.partner.refusal("confirm_physical_connection", **confirm) == ("OperationDenied.NotResourceOwner", 403)
    assert world.other.refusal("confirm_physical_connection", **confirm) == (
        "ResourceNotFound.PhysicalConnectionId",
        400,
    )
    world.accept(port_id)
    assert world.tenant.refusal("confirm_physical_connection", **confirm) == (
        "IncorrectStatus.PhysicalConnection",
        400,
    )
    assert world.partner.refusal("confirm_physical_connection", physical_connection_id=CIRCUIT) == (
        "IncorrectStatus.PhysicalConnection",
        400,
    )


def test_accepting_needs_outbound_billing_of_the_tenant(vpc_world: World) -> None:
    world = vpc_world
    world.behind(world.vpc.state.outbound_billing.clear)
    port_id = world.push()
    assert world.tenant("get_physical_connection_service_status").enabled is False
    assert world.tenant.refusal("confirm_physical_connection", physical_connection_id=port_id) == (
        "OperationFailed.PconnTrafficNotEnable",
        400,
    )
    world.tenant("open_physical_connection_service")
    assert world.tenant("get_physical_connection_service_status").enabled is True
    assert world.partner("get_physical_connection_service_status").enabled is False
    world.accept(port_id)


def test_only_the_payer_pays(vpc_world: World) -> None:
    world = vpc_world
    order = "create_physical_connection_occupancy_order"
    tenant_paid, partner_paid = world.push(vlan_id=1), world.push(vlan_id=2, order_mode=PARTNER_PAYS)
    assert world.partner.refusal(order, physical_connection_id=tenant_paid) == ("OperationDenied.NotPayer", 403)
    assert world.tenant.refusal(order, physical_connection_id=partner_paid) == ("OperationDenied.NotPayer", 403)
    assert world.other.refusal(order, physical_connection_id=tenant_paid) == (
        "InvalidPhysicalConnectionId.NotFound",
        404,
    )
    for period, cycle in ((10, "Month"), (6, "Year"), (0, "Month")):
        fields = {"physical_connection_id": tenant_paid, "period": period, "pricing_cycle": cycle}
        assert world.tenant.refusal(order, **fields) == ("InvalidPhysicalConnectionPeriod.Malformed", 400)
    world.pay(tenant_paid)
    assert world.tenant.refusal(order, physical_connection_id=tenant_paid) == (
        "IncorrectStatus.PhysicalConnection",
        400,
    )


def test_the_tenant_cannot_change_a_port(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    assert world.tenant.refusal("update_virtual_physical_connection", instance_id=port_id, vlan_id=5) == (
        "OperationDenied.NotResourceOwner",
        403,
    )
    assert world.other.refusal("update_virtual_physical_connection", instance_id=port_id, vlan_id=5) == (
        "ResourceNotFound.PhysicalConnectionId",
        400,
    )


def test_a_terminated_vbr_keeps_its_vlan_for_seven_days(vpc_world: World) -> None:
    world = vpc_world
    vbr = world.partner(
        "create_virtual_border_router",
        physical_connection_id=CIRCUIT,
        vlan_id=100,
        local_gateway_ip="10.0.0.1",
        peer_gateway_ip="10.0.0.2",
        peering_subnet_mask="255.255.255.252",
    )
    assert world.partner.refusal(CREATE, **pushed()) == ("OperationDenied.VlanIdInUse", 400)
    world.partner("terminate_virtual_border_router", vbr_id=vbr.vbr_id)
    world.clock.advance(timedelta(days=6, hours=23))
    assert world.partner.refusal(CREATE, **pushed()) == ("OperationDenied.VlanIdInUse", 400)
    world.clock.advance(timedelta(hours=1))
    world.push()
    # What has lost its VLAN ID cannot come back.
    assert world.partner.refusal("recover_virtual_border_router", vbr_id=vbr.vbr_id) == (
        "OperationDenied.VlanIdInUse",
        400,
    )


def test_a_quota_of_ports_can_be_set(vpc_world: World) -> None:
    world = vpc_world
    world.switch(replace(world.vpc.switches, ports_per_circuit=1))
    world.push()
    assert world.partner.refusal(CREATE, **pushed(vlan_id=2)) == ("QuotaExceeded.VPCONN", 400)


def test_a_circuit_needs_an_account_and_a_free_id(vpc_world: World) -> None:
    with pytest.raises(ValueError, match="no account"):
        vpc_world.behind(vpc_world.vpc.add_circuit, "pc-x", "5", REGION, 1000)
    with pytest.raises(ValueError, match="in use"):
        vpc_world.behind(vpc_world.vpc.add_circuit, CIRCUIT, TENANT, REGION, 1000)
