"""Both positions of every switch that a ruling infers, set by name as the command line does, seen through the SDK."""

from __future__ import annotations

import pytest

from localcloud.vpc.settings import with_settings
from tests.integration.localcloud.vpc_world import CIRCUIT, PARTNER, PARTNER_PAYS, World, pushed

CREATE = "create_virtual_physical_connection"


def set_to(world: World, name: str, value: str) -> None:
    """As ``--switch NAME=VALUE``."""
    world.switch(with_settings(world.vpc.switches, {name: value}))


@pytest.mark.parametrize(("value", "refusal"), [("yes", None), ("no", ("OperationDenied.NotPayer", 403))])
def test_withdraw_allowed(vpc_world: World, value: str, refusal: tuple[str, int] | None) -> None:
    set_to(vpc_world, "withdraw_allowed", value)
    offer = {"physical_connection_id": vpc_world.push()}
    if refusal is None:
        vpc_world.partner("delete_physical_connection", **offer)
        assert vpc_world.listed() == []
    else:
        assert vpc_world.partner.refusal("delete_physical_connection", **offer) == refusal


@pytest.mark.parametrize("account", ["", f".{PARTNER}"])
@pytest.mark.parametrize(("value", "under_circuit", "under_port"), [("circuit", 1, 1), ("port", 0, 1), ("none", 0, 0)])
def test_vbr_visibility(vpc_world: World, account: str, value: str, under_circuit: int, under_port: int) -> None:
    port_id = vpc_world.enabled()
    vpc_world.add_vbr(port_id)
    set_to(vpc_world, f"vbr_visibility{account}", value)
    describe = "describe_virtual_border_routers_for_physical_connection"
    seen = [vpc_world.partner(describe, physical_connection_id=of).total_count for of in (CIRCUIT, port_id)]
    assert seen == [under_circuit, under_port]


@pytest.mark.parametrize(("value", "refusal"), [("yes", ("OperationDenied.VlanIdInUse", 400)), ("no", None)])
def test_vlan_zero_excludes(vpc_world: World, value: str, refusal: tuple[str, int] | None) -> None:
    set_to(vpc_world, "vlan_zero_excludes", value)
    vpc_world.push(vlan_id=0)
    if refusal is None:
        vpc_world.push(vlan_id=7)
        assert sorted(port.vlan_id for port in vpc_world.listed()) == ["0", "7"]
    else:
        assert vpc_world.partner.refusal(CREATE, **pushed(vlan_id=7)) == refusal


@pytest.mark.parametrize(("value", "vlan_id"), [("no", 100), ("yes", 200)])
def test_vlan_change_moves_vbr(vpc_world: World, value: str, vlan_id: int) -> None:
    set_to(vpc_world, "vlan_change_moves_vbr", value)
    port_id = vpc_world.enabled()
    vpc_world.add_vbr(port_id)
    vpc_world.partner("update_virtual_physical_connection", instance_id=port_id, vlan_id=200)
    routers = vpc_world.tenant("describe_virtual_border_routers").virtual_border_router_set.virtual_border_router_type
    assert [vbr.vlan_id for vbr in routers] == [vlan_id]


@pytest.mark.parametrize(("value", "status"), [("alone", "Enabled"), ("with acceptance", "Allocated")])
def test_payment_enables(vpc_world: World, value: str, status: str) -> None:
    set_to(vpc_world, "payment_enables", value)
    port_id = vpc_world.push(order_mode=PARTNER_PAYS)
    vpc_world.pay(port_id, vpc_world.partner)
    assert vpc_world.listed()[0].status == status
    vpc_world.accept(port_id)
    assert vpc_world.listed()[0].status == "Enabled"


@pytest.mark.parametrize("value", ["Initial", "Allocated"])
def test_fresh_port_status(vpc_world: World, value: str) -> None:
    set_to(vpc_world, "fresh_port_status", value)
    vpc_world.push()
    assert vpc_world.listed()[0].status == value


@pytest.mark.parametrize(("value", "refusal"), [("yes", "OperationFailed.PconnTrafficNotEnable"), ("no", None)])
def test_outbound_billing_required(vpc_world: World, value: str, refusal: str | None) -> None:
    set_to(vpc_world, "outbound_billing_required", value)
    port_id = vpc_world.push()
    vpc_world.behind(vpc_world.vpc.state.outbound_billing.clear)
    if refusal is None:
        vpc_world.accept(port_id)
        assert vpc_world.listed()[0].virtual_physical_connection_status == "Confirmed"
    else:
        assert vpc_world.tenant.refusal("confirm_physical_connection", physical_connection_id=port_id)[0] == refusal


@pytest.mark.parametrize(("value", "refused"), [("1", True), ("2", False)])
def test_vbrs_per_account(vpc_world: World, value: str, refused: bool) -> None:
    set_to(vpc_world, "vbrs_per_account", value)
    create = {"physical_connection_id": CIRCUIT, "vbr_owner_id": vpc_world.tenant.key.account.account_id}
    vpc_world.partner("create_virtual_border_router", vlan_id=1, **create)
    if refused:
        assert vpc_world.partner.refusal("create_virtual_border_router", vlan_id=2, **create) == (
            "QuotaExceeded.VbrPerPconn",
            400,
        )
    else:
        vpc_world.partner("create_virtual_border_router", vlan_id=2, **create)
