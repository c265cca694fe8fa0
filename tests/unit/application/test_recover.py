"""A recover from its request to the cloud and back, or to what blocks it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crossport.application.order_input import OrderMessage
from crossport.application.ports import OutboxState
from crossport.domain.connection import Request
from crossport.domain.vocabulary import MilestoneName, OrderMode, Phase, RequestKind
from tests.fakes.memory_cloud import LOST_ANSWER, UNAVAILABLE
from tests.fakes.partner_world import PARTNER, TENANT, VLAN, PartnerWorld, told


def recover(world: PartnerWorld, request_id: str = "R-1", forced: str = "") -> OrderMessage:
    kind = RequestKind.RECOVER
    return OrderMessage(
        key=f"message of {request_id}",
        digest=f"digest of {request_id}",
        name="order.recover",
        account_id=PARTNER,
        client_order_id=request_id,
        request=Request(request_id=request_id, kind=kind, at=world.clock.now(), actor="noc", forced=forced),
        target_order_id="order-1",
    )


def active(world: PartnerWorld, mode: OrderMode) -> tuple[str, str]:
    """order-1 in service; its port and VBR."""
    world.place(world.order(order_mode=str(mode)))
    settle(world)
    (port,) = world.cloud.ports()
    world.cloud.accept(port.port_id)
    world.cloud.change_port(port.port_id, status="Enabled")
    vbr_id = world.cloud.create_vbr(port.port_id, owner_uid=TENANT, vlan_id=VLAN)
    look(world, port.port_id)
    assert world.phase() is Phase.ACTIVE
    return port.port_id, vbr_id


def look(world: PartnerWorld, port_id: str) -> None:
    """An event makes us read the port."""
    world.clock.advance(timedelta(minutes=5))
    world.observe(world.accepted(port_id))
    settle(world)


def settle(world: PartnerWorld, turns: int = 4) -> None:
    for _ in range(turns):
        world.relay()
        world.clock.advance(timedelta(minutes=2))


def states(world: PartnerWorld, request_id: str = "R-1") -> set[str]:
    rows = [entry.row.payload for entry in world.outbox("order_reply")]
    return {row["state"] for row in rows if row["client_order_id"] == request_id}


@pytest.mark.parametrize("fault", [None, UNAVAILABLE, LOST_ANSWER])
def test_port_and_vbr_come_back_one_after_the_other(world: PartnerWorld, fault: Any) -> None:
    port_id, vbr_id = active(world, OrderMode.PARTNER_PAYS)
    world.cloud.change_port(port_id, status="Terminated")
    world.cloud.change_vbr(vbr_id, status="terminated")
    look(world, port_id)
    assert world.phase() is Phase.SUSPENDED
    world.cloud.script("recover_port", fault)

    assert told(world.place(recover(world))[0])[:2] == ("applied", "")
    settle(world, 12)

    assert world.phase() is Phase.ACTIVE
    calls = [(name, arguments["token"]) for name, arguments in world.cloud.calls if name.startswith("recover")]
    assert [name for name, _ in calls][-2:] == ["recover_port", "recover_vbr"]
    assert len({token for name, token in calls if name == "recover_port"}) == 1
    assert states(world) == {"accepted", "completed"}
    assert [entry.state for entry in world.outbox("recover")] == [OutboxState.DONE]


def test_a_tenants_port_is_refused_and_the_tenant_told_and_by_force_we_try(world: PartnerWorld) -> None:
    port_id, _ = active(world, OrderMode.TENANT_PAYS)
    world.cloud.change_port(port_id, status="Terminated")
    look(world, port_id)

    assert told(world.place(recover(world))[0])[:2] == ("rejected", "recovery_is_the_tenants")
    assert [entry.row.payload["party"] for entry in world.outbox("recovery")] == ["tenant"]
    assert states(world) == {"rejected"}
    assert not [name for name, _ in world.cloud.calls if name.startswith("recover")]

    world.place(recover(world, "R-2", forced="the console sent the tenant to us"))
    settle(world, 8)
    assert world.phase() is Phase.ACTIVE
    assert states(world, "R-2") == {"accepted", "completed"}


def test_a_lock_that_came_meanwhile_blocks_it(world: PartnerWorld) -> None:
    port_id, vbr_id = active(world, OrderMode.PARTNER_PAYS)
    world.cloud.change_vbr(vbr_id, status="terminated")
    look(world, port_id)
    world.place(recover(world))
    world.cloud.change_port(port_id, business_status="FinancialLocked")
    settle(world)
    (entry,) = world.outbox("recover")
    assert (entry.state, entry.reason) == (OutboxState.FAILED, "recover_blocked:locked_financial")
    assert not [name for name, _ in world.cloud.calls if name.startswith("recover")]


def test_what_the_cloud_refuses_for_good_is_blocked_with_its_code(world: PartnerWorld) -> None:
    port_id, vbr_id = active(world, OrderMode.PARTNER_PAYS)
    world.cloud.change_vbr(vbr_id, status="terminated")
    look(world, port_id)
    world.place(recover(world))
    world.cloud.refuse_recovery = "OperationDenied.VlanIdInUse"
    settle(world)
    (entry,) = world.outbox("recover")
    assert (entry.state, entry.reason) == (OutboxState.FAILED, "recover_blocked:OperationDenied.VlanIdInUse")
    assert world.phase() is Phase.SUSPENDED


def test_the_tenants_word_for_its_vbr_makes_it_active(world: PartnerWorld) -> None:
    """Ruling 8. The word may come before anything told us of the port."""
    attested = world.milestone(MilestoneName.VBR_ATTESTED)
    world.place(world.order())
    assert told(world.place(attested)[0])[:2] == ("retry", "port_unknown")
    settle(world)
    (port,) = world.cloud.ports()
    assert told(world.place(attested)[0])[:2] == ("applied", "")
    assert world.phase() is Phase.OFFERED
    world.cloud.accept(port.port_id)
    world.cloud.change_port(port.port_id, status="Enabled")
    look(world, port.port_id)
    assert world.phase() is Phase.ACTIVE
    assert attested.milestone is not None
    assert world.connection().attested_at == attested.milestone.at
    world.cloud.create_vbr(port.port_id, owner_uid=TENANT, vlan_id=VLAN + 1)
    look(world, port.port_id)
    assert world.phase() is Phase.ENABLED


def test_an_order_cannot_bring_the_tenants_word_along(world: PartnerWorld) -> None:
    milestones = world.milestones(*MilestoneName)
    assert told(world.place(world.order(milestones=milestones))[0])[:2] == ("rejected", "milestone_needs_port")
