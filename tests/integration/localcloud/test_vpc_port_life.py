"""The life of a port through the official SDK: pushed, accepted, paid, used, ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from localcloud.vpc import PaymentEnables, Progression
from tests.integration.localcloud.vpc_world import (
    CIRCUIT,
    PARTNER,
    PARTNER_PAYS,
    START,
    TENANT,
    TENANT_PAYS,
    World,
    pushed,
)


def test_a_port_from_push_to_traffic(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push(name="order-1")
    [port] = world.listed(physical_connection_id=CIRCUIT)
    assert port.physical_connection_id == port_id
    assert len(port_id) == 20
    assert (port.virtual_physical_connection_status, port.status) == ("UnConfirmed", "Allocated")
    assert (port.vlan_id, port.bandwidth, port.spec) == ("100", 200, "200M")
    assert (port.ali_uid, port.parent_physical_connection_ali_uid) == (TENANT, PARTNER)
    assert (port.order_mode, port.enabled_time, port.end_time) == (TENANT_PAYS, "", "")

    world.accept(port_id)
    [port] = world.listed(world.tenant)
    assert (port.virtual_physical_connection_status, port.status) == ("Confirmed", "Confirmed")

    world.pay(port_id)
    [port] = world.listed()
    assert (port.status, port.business_status) == ("Enabled", "Normal")
    # 2026-03-10 13:00 in UTC+8: the month ends at 00:00 of 2026-04-11 there.
    assert port.enabled_time.startswith("2026-03-10T05:00:")
    assert port.end_time == "2026-04-10T16:00:00Z"

    vbr_id = world.add_vbr(port_id, name="vbr-order-1")
    owned = world.tenant("describe_virtual_border_routers").virtual_border_router_set.virtual_border_router_type
    assert [(v.vbr_id, v.status, v.vlan_id, v.physical_connection_id) for v in owned] == [
        (vbr_id, "active", 100, port_id)
    ]
    seen = world.partner("describe_virtual_border_routers_for_physical_connection", physical_connection_id=CIRCUIT)
    [vbr] = seen.virtual_border_router_for_physical_connection_set.virtual_border_router_for_physical_connection_type
    assert (vbr.vbr_owner_uid, vbr.vlan_id, vbr.bandwidth) == (int(TENANT), 100, "200")


@pytest.mark.parametrize("mode", [TENANT_PAYS, PARTNER_PAYS])
@pytest.mark.parametrize("pay_first", [False, True])
def test_payment_and_acceptance_in_either_order(vpc_world: World, mode: str, pay_first: bool) -> None:
    world = vpc_world
    port_id = world.push(order_mode=mode)
    payer = world.partner if mode == PARTNER_PAYS else world.tenant
    if pay_first:
        world.pay(port_id, payer)
        [port] = world.listed()
        assert (port.virtual_physical_connection_status, port.status) == ("UnConfirmed", "Enabled")
        world.accept(port_id)
    else:
        world.accept(port_id)
        [port] = world.listed()
        assert (port.virtual_physical_connection_status, port.status) == ("Confirmed", "Confirmed")
        world.pay(port_id, payer)
    [port] = world.listed()
    assert (port.virtual_physical_connection_status, port.status) == ("Confirmed", "Enabled")


def test_payment_may_need_acceptance(vpc_world: World) -> None:
    world = vpc_world
    world.switch(replace(world.vpc.switches, payment_enables=PaymentEnables.WITH_ACCEPTANCE))
    port_id = world.push(order_mode=PARTNER_PAYS)
    world.pay(port_id, world.partner)
    assert world.listed()[0].status == "Allocated"
    world.clock.advance(timedelta(days=2))
    world.accept(port_id)
    [port] = world.listed()
    assert (port.status, port.enabled_time[:10], port.end_time) == ("Enabled", "2026-03-12", "2026-04-12T16:00:00Z")


def test_an_order_without_automatic_payment_stays_unpaid(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    world.accept(port_id)
    order_id = world.pay(port_id, auto_pay=False)
    assert world.listed()[0].status == "Confirmed"
    assert world.tenant.refusal(
        "create_physical_connection_occupancy_order", physical_connection_id=port_id, auto_pay=True
    ) == ("Forbidden.NotAllowedInState", 400)
    world.behind(world.vpc.pay_order, order_id)
    assert world.listed()[0].status == "Enabled"


def test_a_low_balance_leaves_an_abnormal_order(vpc_world: World) -> None:
    world = vpc_world
    world.behind(world.vpc.set_balance, TENANT, sufficient=False)
    port_id = world.push()
    order_id = world.pay(port_id)
    assert world.behind(world.vpc.order, order_id).status == "Abnormal"
    with pytest.raises(ValueError, match="Abnormal"):
        world.behind(world.vpc.pay_order, order_id)
    world.behind(world.vpc.cancel_order, order_id)
    world.behind(world.vpc.set_balance, TENANT, sufficient=True)
    world.pay(port_id)
    assert world.listed()[0].status == "Enabled"


def test_terms_and_renewals_end_at_midnight_of_the_billing_zone(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    world.pay(port_id, period=1, pricing_cycle="Year", auto_renew=True)
    assert world.listed()[0].end_time == "2027-03-10T16:00:00Z"
    world.behind(world.vpc.renew, port_id, 2)
    assert world.listed()[0].end_time == "2027-05-10T16:00:00Z"
    assert world.vpc.port(port_id).auto_renew


def test_locks_are_shown_and_stop_changes(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.enabled()
    world.behind(world.vpc.lock, port_id)
    [port] = world.listed(virtual_physical_connection_business_status="FinancialLocked")
    assert port.physical_connection_id == port_id
    assert world.tenant.refusal("create_virtual_border_router", physical_connection_id=port_id, vlan_id=100) == (
        "OperationDenied.FinancialLocked",
        400,
    )
    world.behind(world.vpc.unlock, port_id)
    world.add_vbr(port_id)


def test_the_end_of_a_tenant_paid_port(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.enabled()
    vbr_id = world.add_vbr(port_id)
    terminate = {"physical_connection_id": port_id}
    assert world.partner.refusal("terminate_physical_connection", **terminate) == ("OperationDenied.NotPayer", 403)
    assert world.tenant.refusal("terminate_physical_connection", **terminate) == (
        "DependencyViolation.VirtualBorderRouter",
        400,
    )
    assert world.tenant.refusal("delete_physical_connection", **terminate) == (
        "IncorrectStatus.PhysicalConnection",
        400,
    )
    world.tenant("delete_virtual_border_router", vbr_id=vbr_id)
    world.tenant("terminate_physical_connection", **terminate)
    assert world.listed()[0].status == "Terminated"
    world.partner("recover_physical_connection", instance_id=port_id)
    assert world.listed()[0].status == "Enabled"
    world.tenant("terminate_physical_connection", **terminate)
    world.tenant("delete_physical_connection", **terminate)
    assert world.listed() == []
    [gone] = world.listed(virtual_physical_connection_statuses=["Deleted"])
    assert gone.physical_connection_id == port_id
    assert world.push() != port_id  # the VLAN ID is free


@pytest.mark.parametrize("operation", ["delete_physical_connection", "cancel_physical_connection"])
def test_a_partner_may_withdraw_an_offer_that_was_not_accepted(vpc_world: World, operation: str) -> None:
    world = vpc_world
    accepted = world.push(vlan_id=1)
    world.accept(accepted)
    assert world.partner.refusal(operation, physical_connection_id=accepted) == ("OperationDenied.NotPayer", 403)
    offered = world.push(vlan_id=2)
    world.switch(replace(world.vpc.switches, withdraw_allowed=False))
    assert world.partner.refusal(operation, physical_connection_id=offered) == ("OperationDenied.NotPayer", 403)
    world.switch(replace(world.vpc.switches, withdraw_allowed=True))
    world.partner(operation, physical_connection_id=offered)
    assert world.vpc.port(offered).acceptance == ("Deleted" if "delete" in operation else "UnConfirmed")


def test_a_spec_change_takes_effect_when_paid(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.enabled()
    world.partner("update_virtual_physical_connection", instance_id=port_id, vlan_id=100, expect_spec="500M")
    [port] = world.listed()
    assert (port.spec, port.expect_spec) == ("200M", "500M")
    # 500 Mbit/s are reserved for it, not the present 200: two times 500 fill the circuit.
    second = world.push(vlan_id=2, spec="500M")
    assert world.partner.refusal("create_virtual_physical_connection", **pushed(vlan_id=3, spec="50M")) == (
        "OperationDenied.InsufficientBandwidth",
        400,
    )
    grow = {"instance_id": second, "vlan_id": 2, "expect_spec": "1G"}
    assert world.partner.refusal("update_virtual_physical_connection", **grow) == (
        "OperationDenied.InsufficientBandwidth",
        400,
    )
    world.pay(port_id)
    [port] = world.listed(virtual_physical_connection_ids=[port_id])
    assert (port.spec, port.expect_spec, port.bandwidth) == ("500M", "", 500)


def test_changes_can_take_reads_or_time(vpc_world: World) -> None:
    world = vpc_world
    world.switch(replace(world.vpc.switches, progression=Progression.after_reads(2)))
    port_id = world.push()
    world.accept(port_id)
    world.pay(port_id)
    assert [world.listed()[0].status for _ in range(3)] == ["Confirmed", "Confirmed", "Enabled"]
    world.switch(replace(world.vpc.switches, progression=Progression.by_clock(timedelta(minutes=5))))
    world.tenant("terminate_physical_connection", physical_connection_id=port_id)
    assert world.listed()[0].status == "Terminating"
    world.clock.advance(timedelta(minutes=5))
    assert world.listed()[0].status == "Terminated"


def test_the_time_of_a_change_by_the_clock_is_when_it_was_due(vpc_world: World) -> None:
    world = vpc_world
    world.switch(replace(world.vpc.switches, progression=Progression.by_clock(timedelta(hours=1))))
    port_id = world.push()
    world.pay(port_id)
    world.clock.advance(timedelta(days=1))
    assert world.listed()[0].enabled_time.startswith("2026-03-10T06:00:")


def test_lists_can_lag_behind_writes(vpc_world: World) -> None:
    world = vpc_world
    world.switch(replace(world.vpc.switches, stale_reads=2))
    port_id = world.push()
    assert [len(world.listed()) for _ in range(3)] == [0, 0, 1]
    world.accept(port_id)
    assert [world.listed()[0].virtual_physical_connection_status for _ in range(3)] == [
        "UnConfirmed",
        "UnConfirmed",
        "Confirmed",
    ]


def test_answers_are_dated_by_the_clouds_clock(vpc_world: World) -> None:
    world = vpc_world
    world.clock.advance(timedelta(days=40))
    headers = world.partner.answer("list_virtual_physical_connections").headers
    assert timedelta(days=40) <= parsedate_to_datetime(headers["date"]) - START < timedelta(days=40, minutes=2)


def test_other_regions_see_nothing(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push()
    assert world.listed(region_id="cn-hangzhou") == []
    assert world.tenant.refusal(
        "confirm_physical_connection", region_id="cn-hangzhou", physical_connection_id=port_id
    ) == ("ResourceNotFound.PhysicalConnectionId", 400)
