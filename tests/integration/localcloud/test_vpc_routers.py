"""VBRs and migration through the official SDK."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_vpc20160428 import models

from localcloud.vpc import VbrVisibility
from tests.integration.localcloud.vpc_world import CIRCUIT, OTHER, PARTNER, PARTNER_PAYS, TENANT, TENANT_PAYS, World

CREATE = "create_virtual_border_router"
GATEWAYS: dict[str, Any] = {
    "local_gateway_ip": "10.0.0.1",
    "peer_gateway_ip": "10.0.0.2",
    "peering_subnet_mask": "255.255.255.252",
}


def under(world: World, connection_id: str) -> list[str]:
    """The ids of the VBRs that the partner sees under a circuit or port."""
    body = world.partner(
        "describe_virtual_border_routers_for_physical_connection", physical_connection_id=connection_id
    )
    found = body.virtual_border_router_for_physical_connection_set.virtual_border_router_for_physical_connection_type
    return [vbr.vbr_id for vbr in found]


def pushed_vbr(world: World, **fields: Any) -> str:
    """A VBR that the partner pushed to the tenant on the circuit, confirmed by setting its gateways."""
    vbr = world.partner(
        CREATE, **{"physical_connection_id": CIRCUIT, "vlan_id": 55, "vbr_owner_id": int(TENANT), **fields}
    )
    world.tenant("modify_virtual_border_router_attribute", vbr_id=vbr.vbr_id, **GATEWAYS)
    return str(vbr.vbr_id)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"vlan_id": 101}, "IllegalParam.VlanId"),
        ({"bandwidth": 200}, "IllegalParam.Bandwidth"),
        ({"vbr_owner_id": int(OTHER)}, "IllegalParam.VbrOwnerId"),
        ({**GATEWAYS, "peer_gateway_ip": "10.0.0.9"}, "IllegalParam.PeerGatewayIp"),
        ({**GATEWAYS, "peering_subnet_mask": "255.255.0.0"}, "IllegalParam.PeeringSubnetMask"),
        ({**GATEWAYS, "local_gateway_ip": "ten"}, "IllegalParam.PeeringSubnetMask"),
    ],
)
def test_a_vbr_on_a_port_takes_vlan_and_bandwidth_from_it(vpc_world: World, fields: dict[str, Any], code: str) -> None:
    port_id = vpc_world.enabled()
    fields = {"physical_connection_id": port_id, "vlan_id": 100, **fields}
    assert vpc_world.tenant.refusal(CREATE, **fields) == (code, 400)
    assert vpc_world.vpc.vbrs() == []


def test_a_port_has_one_vbr_of_its_tenant(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.enabled()
    fields = {"physical_connection_id": port_id, "vlan_id": 100}
    assert world.partner.refusal(CREATE, **fields) == ("OperationDenied.NotResourceOwner", 403)
    assert world.other.refusal(CREATE, **fields) == ("ResourceNotFound.PhysicalConnectionId", 400)
    world.add_vbr(port_id, **GATEWAYS)
    assert world.tenant.refusal(CREATE, **fields) == ("QuotaExceeded.VbrPerVpconn", 400)


def test_a_vbr_needs_an_accepted_and_paid_port(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    fields = {"physical_connection_id": port_id, "vlan_id": 100}
    assert world.tenant.refusal(CREATE, **fields) == ("IncorrectStatus.PhysicalConnection", 400)
    world.accept(port_id)
    assert world.tenant.refusal(CREATE, **fields) == ("IncorrectStatus.PhysicalConnection", 400)
    world.pay(port_id)
    world.add_vbr(port_id)


def test_violations_can_be_staged(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.enabled()
    world.switch(replace(world.vpc.switches, one_vbr_a_port=False, vbr_vlan_inherited=False))
    world.add_vbr(port_id)
    world.add_vbr(port_id, vlan_id=101)
    assert sorted(vbr.vlan_id for vbr in world.vpc.vbrs(port_id)) == [100, 101]


@pytest.mark.parametrize("moves", [False, True])
def test_a_vlan_change_may_or_may_not_move_the_vbr(vpc_world: World, moves: bool) -> None:
    world = vpc_world
    world.switch(replace(world.vpc.switches, vlan_change_moves_vbr=moves))
    port_id = world.enabled()
    vbr_id = world.add_vbr(port_id)
    world.partner("update_virtual_physical_connection", instance_id=port_id, vlan_id=200)
    assert world.vpc.vbr(vbr_id).vlan_id == (200 if moves else 100)


@pytest.mark.parametrize(
    ("visibility", "by_circuit", "by_port"),
    [(VbrVisibility.CIRCUIT, 1, 1), (VbrVisibility.PORT, 0, 1), (VbrVisibility.NONE, 0, 0)],
)
def test_where_a_partner_sees_a_tenants_vbr(
    vpc_world: World, visibility: VbrVisibility, by_circuit: int, by_port: int
) -> None:
    world = vpc_world
    port_id = world.enabled()
    world.add_vbr(port_id)
    world.switch(replace(world.vpc.switches, vbr_visibility={PARTNER: visibility}))
    assert (len(under(world, CIRCUIT)), len(under(world, port_id))) == (by_circuit, by_port)
    crossing = world.partner("describe_virtual_border_routers", include_cross_account_vbr=True)
    assert crossing.total_count == by_circuit
    assert world.partner("describe_virtual_border_routers").total_count == 0
    assert world.tenant("describe_virtual_border_routers").total_count == 1


def test_strangers_cannot_ask_for_the_vbrs_of_a_port(vpc_world: World) -> None:
    port_id = vpc_world.enabled()
    assert vpc_world.other.refusal(
        "describe_virtual_border_routers_for_physical_connection", physical_connection_id=port_id
    ) == ("ResourceNotFound.PhysicalConnectionId", 400)


def test_the_partner_stops_a_tenants_vbr_only_as_the_payer(vpc_world: World) -> None:
    world = vpc_world
    tenant_paid, partner_paid = world.enabled(), world.enabled(vlan_id=101, order_mode=PARTNER_PAYS)
    first, second = world.add_vbr(tenant_paid), world.add_vbr(partner_paid, vlan_id=101)
    terminate = "terminate_virtual_border_router"
    assert world.partner.refusal(terminate, vbr_id=first) == ("OperationDenied.NotPayer", 403)
    assert world.tenant.refusal(terminate, vbr_id=first) == ("OperationDenied.NotResourceOwner", 403)
    assert world.partner.refusal("delete_virtual_border_router", vbr_id=second) == (
        "OperationDenied.NotResourceOwner",
        403,
    )
    world.partner(terminate, vbr_id=second)
    assert world.vpc.vbr(second).status == "terminated"
    world.partner("recover_virtual_border_router", vbr_id=second)
    assert world.vpc.vbr(second).status == "active"
    world.partner(terminate, vbr_id=second)
    world.partner("delete_virtual_border_router", vbr_id=second)
    assert [vbr.vbr_id for vbr in world.vpc.vbrs()] == [first]
    assert world.other.refusal("delete_virtual_border_router", vbr_id=first) == ("ResourceNotFound.VbrId", 400)


def test_the_fields_of_a_vbr_belong_to_different_owners(vpc_world: World) -> None:
    world = vpc_world
    vbr_id = world.add_vbr(world.enabled())
    modify = "modify_virtual_border_router_attribute"
    assert world.tenant.refusal(modify, vbr_id=vbr_id, vlan_id=7) == ("OperationDenied.NotResourceOwner", 403)
    assert world.partner.refusal(modify, vbr_id=vbr_id, **GATEWAYS) == ("OperationDenied.NotResourceOwner", 403)
    assert world.tenant.refusal(modify, vbr_id=vbr_id, mtu=9000) == ("IllegalParam.Mtu", 400)
    assert world.tenant.refusal(modify, vbr_id=vbr_id, bandwidth=100) == ("IllegalParam.Bandwidth", 400)
    world.tenant(modify, vbr_id=vbr_id, name="renamed", detect_multiplier=5, **GATEWAYS)
    vbr = world.vpc.vbr(vbr_id)
    assert (vbr.name, vbr.detect_multiplier, vbr.local_gateway_ip) == ("renamed", 5, "10.0.0.1")
    world.partner(modify, vbr_id=vbr_id, vlan_id=7)
    assert world.vpc.vbr(vbr_id).vlan_id == 7


def test_filters_and_pages_of_vbrs(vpc_world: World) -> None:
    world = vpc_world
    for vlan_id in (1, 2, 3):
        world.add_vbr(world.enabled(vlan_id=vlan_id), vlan_id=vlan_id, name=f"vbr-{vlan_id}")
    describe = "describe_virtual_border_routers"
    page = world.tenant(describe, page_number=2, page_size=2)
    assert (page.total_count, page.page_number, page.page_size) == (3, 2, 2)
    assert [v.name for v in page.virtual_border_router_set.virtual_border_router_type] == ["vbr-3"]
    assert world.tenant.refusal(describe, page_size=51) == ("IllegalParam.PageSize", 400)
    named = models.DescribeVirtualBorderRoutersRequestFilter(key="Name", value=["vbr-1", "vbr-3"])
    filtered = world.tenant(describe, filter=[named]).virtual_border_router_set.virtual_border_router_type
    assert [v.name for v in filtered] == ["vbr-1", "vbr-3"]
    wrong = models.DescribeVirtualBorderRoutersRequestFilter(key="Colour", value=["red"])
    assert world.tenant.refusal(describe, filter=[wrong]) == ("IllegalParam.Filter", 400)


def test_a_pushed_vbr_becomes_a_port(vpc_world: World) -> None:
    world = vpc_world
    vbr_id = pushed_vbr(world)
    with pytest.raises(AlibabaCloudException, match="unlimited"):
        world.partner("create_vpconn_from_vbr", vbr_id=vbr_id)
    world.partner("update_virtual_border_bandwidth", virtual_border_router_id=vbr_id, bandwidth=200)
    port_id = world.partner("create_vpconn_from_vbr", vbr_id=vbr_id).virtual_physical_connection
    [port] = world.listed()
    assert (port.ali_uid, port.vlan_id, port.spec, port.order_mode) == (TENANT, "55", "200M", TENANT_PAYS)
    attach = {"vbr_id": vbr_id, "vpconn_id": port_id}
    assert world.partner.refusal("attach_vbr_to_vpconn", **attach) == ("IncorrectStatus.PhysicalConnection", 400)
    world.accept(port_id)
    world.pay(port_id)
    assert world.tenant.refusal("attach_vbr_to_vpconn", **attach) == ("ResourceNotFound.VbrId", 400)
    world.partner("attach_vbr_to_vpconn", **attach)
    vbr = world.vpc.vbr(vbr_id)
    assert (vbr.connection_id, vbr.vlan_id, vbr.local_gateway_ip) == (port_id, 55, "10.0.0.1")
    assert world.partner.refusal("attach_vbr_to_vpconn", **attach) == ("IncorrectStatus.VirtualBorderRouter", 400)


def test_a_port_is_made_from_a_vbr_once(vpc_world: World) -> None:
    world = vpc_world
    vbr_id = pushed_vbr(world, bandwidth=100)
    world.partner("create_vpconn_from_vbr", vbr_id=vbr_id, dry_run=True)
    assert world.vpc.ports() == []
    world.partner("create_vpconn_from_vbr", vbr_id=vbr_id)
    assert world.partner.refusal("create_vpconn_from_vbr", vbr_id=vbr_id) == ("QuotaExceeded.VPCONN", 400)


def test_a_pushed_vbr_is_unconfirmed_until_its_owner_sets_the_gateways(vpc_world: World) -> None:
    world = vpc_world
    vbr = world.partner(CREATE, physical_connection_id=CIRCUIT, vlan_id=55, vbr_owner_id=int(TENANT), bandwidth=100)
    assert world.vpc.vbr(vbr.vbr_id).status == "unconfirmed"
    assert world.partner.refusal("create_vpconn_from_vbr", vbr_id=vbr.vbr_id) == (
        "IncorrectStatus.VirtualBorderRouter",
        400,
    )
    world.partner("delete_virtual_border_router", vbr_id=vbr.vbr_id)
    assert world.vpc.vbrs() == []
