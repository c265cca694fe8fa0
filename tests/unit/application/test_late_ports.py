"""Ports that turn up when nobody expects them any more, and ports of orders that were made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.application.ports import CreatePort, OutboxState
from crossport.domain.connection import connection_id_for
from crossport.domain.vocabulary import OrderMode, Phase, RequestKind
from tests.fakes.memory_cloud import LOST_REQUEST
from tests.fakes.partner_world import CIRCUIT, NEIGHBOUR, PARTNER, REGION, TENANT, VLAN, PartnerWorld
from tests.unit.application.test_lost_ports import ORDERED, ask, create_call_is_lost, holders, look_at, pass_time

OTHER = connection_id_for(PARTNER, "order", "order-2")


def make_port(world: PartnerWorld, name: str, **changes: Any) -> str:
    """A port that the partner makes outside of Crossport, just as ``PartnerWorld.order`` orders it unless changed."""
    wanted: dict[str, Any] = {"spec": "200M", "vlan_id": VLAN, "tenant_uid": TENANT, **changes}
    request = CreatePort(
        account_id=PARTNER,
        region=REGION,
        circuit_id=CIRCUIT,
        order_mode=str(OrderMode.TENANT_PAYS),
        name=name,
        token=f"by-hand-{name}",
        **wanted,
    )
    return world.cloud.create_port(request, dry_run=False).value


def fail(world: PartnerWorld) -> None:
    """The order's create call is refused for good, since a port of the partner's stands in its way for a while."""
    obstacle = make_port(world, "obstacle", tenant_uid=NEIGHBOUR)
    world.place(world.order())
    world.relay()
    assert world.memory.state.phases[ORDERED] is Phase.FAILED
    assert holders(world) == {}
    world.cloud.remove_port(obstacle)


def refuse(world: PartnerWorld) -> None:
    world.place(world.order(spec="9G"))
    assert world.memory.state.phases[ORDERED] is Phase.REJECTED


def withdraw(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_REQUEST)
    ask(world, ORDERED, RequestKind.CANCEL)
    pass_time(world)
    assert world.memory.state.phases[ORDERED] is Phase.WITHDRAWN
    assert holders(world) == {}


def withdraw_before_the_push(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    ask(world, ORDERED, RequestKind.CANCEL)
    assert world.memory.state.phases[ORDERED] is Phase.WITHDRAWN


def appear(world: PartnerWorld, name: str = "order-order-1", **changes: Any) -> str:
    port_id = make_port(world, name, **changes)
    look_at(world, port_id)
    world.relay()
    return port_id


def found(world: PartnerWorld) -> list[tuple[str, dict[str, Any]]]:
    return [(each.code, dict(each.details)) for each in world.memory.state.findings.values()]


def commands(world: PartnerWorld, kind: str) -> list[tuple[OutboxState, str]]:
    return [(e.state, e.reason) for e in world.memory.state.outbox.values() if e.row.kind == kind]


@pytest.mark.parametrize(("give_up", "word"), [(fail, "failed"), (refuse, "refused")])
def test_a_port_after_the_end_of_its_order_is_followed_and_held_again(
    world: PartnerWorld, give_up: Any, word: str
) -> None:
    give_up(world)
    port_id = appear(world)
    assert set(world.memory.state.connections) == {ORDERED}
    connection = world.memory.state.connections[ORDERED].connection
    assert connection.port_id == port_id
    assert world.memory.state.phases[ORDERED] is Phase.OFFERED
    assert (connection.failure is not None) is (word == "failed")
    assert ("port_after_failure", {"order": word}) in found(world)
    assert holders(world) == {VLAN: ORDERED}
    assert world.circuit().held_mbps == 200
    assert commands(world, "hold_port") == [(OutboxState.DONE, "")]
    world.cloud.accept(port_id)
    world.clock.advance(timedelta(minutes=1))
    look_at(world, port_id)
    world.relay()
    assert world.memory.state.phases[ORDERED] is Phase.ACCEPTED
    world.cloud.change_port(port_id, acceptance="Deleted")
    world.clock.advance(timedelta(minutes=1))
    look_at(world, port_id)
    pass_time(world, 3)
    world.clock.advance(world.policy.cool_down)
    world.relay()
    assert holders(world) == {}


@pytest.mark.parametrize("give_up", [withdraw, withdraw_before_the_push])
def test_the_port_of_a_withdrawn_order_is_held_taken_back_and_let_go(world: PartnerWorld, give_up: Any) -> None:
    give_up(world)
    port_id = make_port(world, "order-order-1")
    look_at(world, port_id)
    pass_time(world)
    assert set(world.memory.state.connections) == {ORDERED}
    assert ("port_after_failure", {"order": "withdrawn"}) in found(world)
    assert [port.acceptance for port in world.cloud.ports()] == ["Deleted"] or not world.cloud.ports()
    assert world.memory.state.phases[ORDERED] is Phase.WITHDRAWN
    assert holders(world) == {}
    assert world.circuit().held_mbps == 0


def test_a_late_port_whose_vlan_was_sold_meanwhile_is_a_finding_and_waits_for_it(world: PartnerWorld) -> None:
    fail(world)
    world.place(world.order("order-2", milestones=()))
    assert holders(world) == {VLAN: OTHER}
    port_id = appear(world)
    clash = ("vlan_clash", {"circuit_id": CIRCUIT, "vlan_id": VLAN})
    assert clash in found(world)
    assert holders(world) == {VLAN: OTHER}
    saves = len(world.store.saves)
    pass_time(world, 3)
    assert len(world.store.saves) == saves
    ask(world, OTHER, RequestKind.CANCEL)
    pass_time(world)
    assert holders(world) == {VLAN: ORDERED}
    assert world.memory.state.connections[ORDERED].connection.port_id == port_id


def test_a_late_port_on_a_vlan_that_cannot_be_held_is_a_finding(world: PartnerWorld) -> None:
    fail(world)
    appear(world, vlan_id=3_000)
    assert "vlan_out_of_range" in [code for code, _ in found(world)]
    assert commands(world, "hold_port") == [(OutboxState.FAILED, "vlan_out_of_range")]
    assert holders(world) == {}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("order-order-9", {}),
        ("order-1", {}),
        ("", {}),
        ("order-order-1", {"tenant_uid": NEIGHBOUR}),
    ],
)
def test_a_port_that_no_order_named_is_adopted_by_itself(
    world: PartnerWorld, name: str, changes: dict[str, Any]
) -> None:
    fail(world)
    port_id = appear(world, name, **changes)
    assert set(world.memory.state.connections) == {ORDERED, connection_id_for(PARTNER, "port", port_id)}
    assert world.memory.state.phases[ORDERED] is Phase.FAILED


def test_an_order_that_has_its_port_gets_no_second_one_of_its_name(world: PartnerWorld) -> None:
    world.place(world.order())
    world.relay()
    first = world.connection().port_id
    second = appear(world, vlan_id=VLAN + 1)
    assert world.by_id(ORDERED).port_id == first
    assert connection_id_for(PARTNER, "port", second) in world.memory.state.connections


# --- Made by hand ---------------------------------------------------------------------------------------------------


def test_a_port_made_by_hand_that_fits_the_order_is_taken_with_a_finding(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_REQUEST)
    port_id = make_port(world, "by hand")
    pass_time(world, 3)
    assert world.by_id(ORDERED).port_id == port_id
    assert found(world) == [("port_made_by_hand", {"circuit_id": CIRCUIT, "vlan_id": VLAN})]
    look_at(world, port_id)
    pass_time(world, 3)
    assert set(world.memory.state.connections) == {ORDERED}


def test_a_port_made_by_hand_that_does_not_fit_is_left_alone_and_adopted(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_REQUEST)
    port_id = make_port(world, "by hand", spec="300M")
    pass_time(world, 3)
    assert world.memory.state.phases[ORDERED] is Phase.FAILED
    look_at(world, port_id)
    pass_time(world, 3)
    adopted = connection_id_for(PARTNER, "port", port_id)
    assert world.by_id(adopted).port_id == port_id
    assert holders(world) == {VLAN: adopted}


def test_a_port_that_another_connection_has_is_never_taken(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_REQUEST)
    port_id = make_port(world, "by hand")
    (create,) = [entry for entry in world.memory.state.outbox.values() if entry.row.kind == "create_port"]
    put_off = replace(create.row, not_before=world.clock.now() + world.policy.settlement_age)
    world.memory.state.outbox[create.row.key] = replace(create, row=put_off)
    look_at(world, port_id)
    pass_time(world, 60)
    adopted = connection_id_for(PARTNER, "port", port_id)
    assert world.by_id(adopted).port_id == port_id
    world.clock.advance(world.policy.settlement_age)
    pass_time(world, 3)
    assert world.by_id(ORDERED).port_id is None
    assert world.memory.state.phases[ORDERED] is Phase.FAILED


def test_a_withdrawal_never_deletes_a_port_made_by_hand(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_REQUEST)
    port_id = make_port(world, "by hand")
    pass_time(world, 3)
    ask(world, ORDERED, RequestKind.CANCEL)
    pass_time(world)
    assert [(port.port_id, port.acceptance) for port in world.cloud.ports()] == [(port_id, "UnConfirmed")]
    assert commands(world, "withdraw_port") == [(OutboxState.FAILED, "port_made_by_hand")]
    assert world.memory.state.phases[ORDERED] is Phase.OFFERED
    assert holders(world) == {VLAN: ORDERED}


def test_a_withdrawal_after_a_lost_call_does_not_take_a_port_made_by_hand_for_its_own(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_REQUEST)
    ask(world, ORDERED, RequestKind.CANCEL)
    port_id = make_port(world, "by hand")
    pass_time(world)
    assert world.by_id(ORDERED).port_id is None
    assert world.memory.state.phases[ORDERED] is Phase.WITHDRAWN
    assert [(port.port_id, port.acceptance) for port in world.cloud.ports()] == [(port_id, "UnConfirmed")]
