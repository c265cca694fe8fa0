"""Lists, pages and idempotency tokens through the official SDK."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_vpc20160428 import models

from tests.integration.localcloud.vpc_world import CIRCUIT, OTHER, PARTNER, TENANT, World, pushed

CREATE = "create_virtual_physical_connection"
LIST = "list_virtual_physical_connections"


def test_pages_are_complete_while_ports_come_and_go(vpc_world: World) -> None:
    world = vpc_world
    ports = [world.push(vlan_id=vlan_id, spec="50M") for vlan_id in range(1, 5)]
    first = world.partner(LIST, max_results=2)
    assert (first.count, first.total_count) == (2, 4)
    world.partner("delete_physical_connection", physical_connection_id=ports[0])
    late = world.push(vlan_id=9, spec="50M")
    second = world.partner(LIST, max_results=2, next_token=first.next_token)
    third = world.partner(LIST, max_results=2, next_token=second.next_token)
    assert third.next_token == ""
    shown = [p.physical_connection_id for page in (first, second, third) for p in page.virtual_physical_connections]
    assert shown == [*ports, late]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"max_results": 0}, "IllegalParam.MaxResults"),
        ({"max_results": 101}, "IllegalParam.MaxResults"),
        ({"next_token": "not base64!"}, "IllegalParam.NextToken"),
        (
            {"virtual_physical_connection_business_status": "Broke"},
            "IllegalParam.VirtualPhysicalConnectionBusinessStatus",
        ),
    ],
)
def test_wrong_list_parameters_are_refused(vpc_world: World, fields: dict[str, Any], code: str) -> None:
    vpc_world.push()
    assert vpc_world.partner.refusal(LIST, **fields) == (code, 400)


def test_twenty_ports_a_page_unless_asked_otherwise(vpc_world: World) -> None:
    world = vpc_world
    for vlan_id in range(1, 21):
        world.push(vlan_id=vlan_id, spec="50M")
    page = world.partner(LIST)
    assert (page.count, page.total_count, page.next_token) == (20, 20, "")
    assert world.partner(LIST, max_results=19).next_token != ""


def test_every_filter_of_the_list(vpc_world: World) -> None:
    world = vpc_world
    tag = models.CreateVirtualPhysicalConnectionRequestTag(key="line", value="a")
    first = world.push(vlan_id=1, tag=[tag], resource_group_id="rg-1")
    second = world.push(vlan_id=2, vpconn_ali_uid=int(OTHER))
    world.accept(first)
    filters: list[tuple[dict[str, Any], list[str]]] = [
        ({"physical_connection_id": CIRCUIT}, [first, second]),
        ({"physical_connection_id": "pc-other"}, []),
        ({"is_confirmed": True}, [first]),
        ({"is_confirmed": False}, [second]),
        ({"virtual_physical_connection_ids": [second]}, [second]),
        ({"virtual_physical_connection_ali_uids": [TENANT]}, [first]),
        ({"virtual_physical_connection_statuses": ["UnConfirmed", "Confirmed"]}, [first, second]),
        ({"virtual_physical_connection_statuses": ["UnConfirmed"]}, [second]),
        ({"vlan_ids": ["2", "3"]}, [second]),
        ({"virtual_physical_connection_business_status": "Normal"}, [first, second]),
        ({"resource_group_id": "rg-1"}, [first]),
        ({"tags": [models.ListVirtualPhysicalConnectionsRequestTags(key="line", value="a")]}, [first]),
        ({"tags": [models.ListVirtualPhysicalConnectionsRequestTags(key="line", value="b")]}, []),
    ]
    for fields, expected in filters:
        assert [p.physical_connection_id for p in world.listed(**fields)] == expected, fields


def test_each_account_lists_what_it_pushed_or_received(vpc_world: World) -> None:
    world = vpc_world
    mine, others = world.push(vlan_id=1), world.push(vlan_id=2, vpconn_ali_uid=int(OTHER))
    assert [p.physical_connection_id for p in world.listed(world.tenant)] == [mine]
    assert [p.physical_connection_id for p in world.listed(world.other)] == [others]
    assert world.listed(world.abroad) == []


def test_circuits_and_received_ports_are_described(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    [circuit] = world.partner("describe_physical_connections").physical_connection_set.physical_connection_type
    assert (circuit.physical_connection_id, circuit.product_type) == (CIRCUIT, "PhysicalConnection")
    assert (circuit.bandwidth, circuit.status, circuit.virtual_physical_connection_count) == (1000, "Enabled", 1)
    [port] = world.tenant("describe_physical_connections").physical_connection_set.physical_connection_type
    assert (port.physical_connection_id, port.product_type) == (port_id, "VirtualPhysicalConnection")
    assert (port.vlan_id, port.vpconn_status, port.parent_physical_connection_ali_uid) == (
        "100",
        "UnConfirmed",
        int(PARTNER),
    )
    wanted = models.DescribePhysicalConnectionsRequestFilter(key="Status", value=["Terminated"])
    assert world.partner("describe_physical_connections", filter=[wanted]).total_count == 0


def test_the_same_token_and_parameters_have_the_same_answer(vpc_world: World) -> None:
    world = vpc_world
    fields = pushed(token="intent-1")
    first, again = world.partner(CREATE, **fields), world.partner(CREATE, **fields)
    assert first.virtual_physical_connection == again.virtual_physical_connection
    assert first.request_id != again.request_id
    assert len(world.vpc.ports()) == 1


def test_the_same_token_with_other_parameters_is_a_mismatch(vpc_world: World) -> None:
    world = vpc_world
    world.push(token="intent-1")
    assert world.partner.refusal(CREATE, **pushed(token="intent-1", vlan_id=5)) == ("IdempotentParameterMismatch", 400)
    assert len(world.vpc.ports()) == 1


def test_without_a_token_every_call_is_a_new_one(vpc_world: World) -> None:
    vpc_world.push()
    assert vpc_world.partner.refusal(CREATE, **pushed()) == ("OperationDenied.VlanIdInUse", 400)


def test_a_refused_call_does_not_use_up_its_token(vpc_world: World) -> None:
    world = vpc_world
    world.behind(world.vpc.set_privilege, PARTNER, granted=False)
    assert world.partner.refusal(CREATE, **pushed(token="t"))[0] == "InvalidParameter.Bandwidth"
    world.behind(world.vpc.set_privilege, PARTNER, granted=True)
    world.push(token="t")


def test_the_token_of_the_other_family_is_called_client_token(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    for _ in range(2):
        world.tenant("confirm_physical_connection", physical_connection_id=port_id, client_token="accept-1")
    order = {"physical_connection_id": port_id, "auto_pay": True, "client_token": "pay-1"}
    orders = {world.tenant("create_physical_connection_occupancy_order", **order).data.order_id for _ in range(2)}
    assert len(orders) == 1
    assert len(world.vpc.orders()) == 1


def test_a_dry_run_checks_and_changes_nothing(vpc_world: World) -> None:
    world = vpc_world
    assert world.partner.refusal(CREATE, **pushed(dry_run=True, token="t")) == ("DRYRUN.SUCCESS", 400)
    assert world.vpc.ports() == []
    port_id = world.push(token="t")
    assert world.partner.refusal(CREATE, **pushed(dry_run=True)) == ("OperationDenied.VlanIdInUse", 400)
    update = {"instance_id": port_id, "vlan_id": 7, "token": "u"}
    world.partner("update_virtual_physical_connection", **update, dry_run=True)
    assert world.vpc.port(port_id).vlan_id == 100
    world.partner("update_virtual_physical_connection", **update)
    assert world.vpc.port(port_id).vlan_id == 7
