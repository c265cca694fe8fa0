"""What the simulation found: ports whose create call lost its answer, and ports that nobody needs any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crossport.application.commit import read_port
from crossport.application.order_input import OrderMessage
from crossport.application.ports import CreatePort, OutboxState
from crossport.domain.connection import Request, connection_id_for
from crossport.domain.vocabulary import OrderMode, Phase, RequestKind
from tests.fakes.memory_cloud import LOST_ANSWER, LOST_REQUEST, Fault
from tests.fakes.partner_world import CIRCUIT, NEIGHBOUR, PARTNER, REGION, TENANT, VLAN, PartnerWorld

ORDERED = connection_id_for(PARTNER, "order", "order-1")


def ask(world: PartnerWorld, connection_id: str, kind: RequestKind, **wanted: Any) -> None:
    request = Request(request_id=f"ask-{kind}", kind=kind, at=world.clock.now(), actor="operator", **wanted)
    message = OrderMessage(
        key=f"message {kind}",
        digest=f"digest {kind}",
        name=f"order.{kind}",
        account_id=PARTNER,
        client_order_id=request.request_id,
        request=request,
        target_connection_id=connection_id,
    )
    assert [ending.verdict for ending in world.place(message)] == ["applied"]


def create_call_is_lost(world: PartnerWorld, fault: Fault) -> None:
    world.cloud.script("create_port", None, fault)
    world.place(world.order())
    world.relay()


def pass_time(world: PartnerWorld, turns: int = 12) -> None:
    for _ in range(turns):
        world.relay()
        world.clock.advance(timedelta(minutes=6))


def holders(world: PartnerWorld) -> dict[int, str]:
    return {vlan_id: hold.connection_id for (_, vlan_id), hold in world.memory.state.holds.items()}


def test_the_port_of_an_order_withdrawn_after_a_lost_answer_is_found_and_taken_back(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_ANSWER)
    ask(world, ORDERED, RequestKind.CANCEL)
    assert holders(world) == {VLAN: ORDERED}
    pass_time(world)
    assert not [port for port in world.cloud.ports() if port.acceptance != "Deleted"]
    assert world.memory.state.phases[ORDERED] is Phase.WITHDRAWN


def test_a_withdrawn_order_whose_create_call_never_arrived_ends_and_gives_its_hold_back(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_REQUEST)
    ask(world, ORDERED, RequestKind.CANCEL)
    pass_time(world)
    assert world.cloud.ports() == ()
    assert holders(world) == {}
    commands = [entry for entry in world.memory.state.outbox.values() if entry.row.target == "cloud"]
    assert {entry.state for entry in commands} <= {OutboxState.DONE, OutboxState.DROPPED}


def test_a_forwarded_event_does_not_adopt_the_port_of_an_order_that_still_looks_for_it(world: PartnerWorld) -> None:
    create_call_is_lost(world, LOST_ANSWER)
    (port,) = world.cloud.ports()
    world.observe(world.accepted(port.port_id))
    pass_time(world)
    assert set(world.memory.state.connections) == {ORDERED}
    assert world.memory.state.connections[ORDERED].connection.port_id == port.port_id


def console_port(world: PartnerWorld) -> str:
    """A port that the partner made in the console, where an order of the neighbour's holds the VLAN ID."""
    world.sign(NEIGHBOUR)
    world.place(world.order("order-of-neighbour", tenant_uid=NEIGHBOUR, milestones=()))
    request = CreatePort(
        account_id=PARTNER,
        region=REGION,
        circuit_id=CIRCUIT,
        tenant_uid=TENANT,
        vlan_id=VLAN,
        spec="200M",
        order_mode=str(OrderMode.TENANT_PAYS),
        name="by hand",
        token="by-hand",
    )
    return world.cloud.create_port(request, dry_run=False).value


def look_at(world: PartnerWorld, port_id: str) -> None:
    cause = world.clock.now().isoformat()
    row = read_port(port_id, cause=cause, account_id=PARTNER, region=REGION, after=None, connection_id=None)
    world.memory.record([], outbox=(row,))


def test_a_port_on_a_held_vlan_is_adopted_without_a_hold_once_nobody_has_claimed_it(world: PartnerWorld) -> None:
    port_id = console_port(world)
    look_at(world, port_id)
    world.relay()
    adopted = connection_id_for(PARTNER, "port", port_id)
    assert adopted not in world.memory.state.connections
    pass_time(world)
    assert adopted in world.memory.state.connections
    assert holders(world) == {VLAN: connection_id_for(PARTNER, "order", "order-of-neighbour")}


def test_a_new_spec_moves_no_hold_where_the_port_has_none(world: PartnerWorld) -> None:
    port_id = console_port(world)
    look_at(world, port_id)
    pass_time(world)
    adopted = connection_id_for(PARTNER, "port", port_id)
    ask(world, adopted, RequestKind.CHANGE_SPEC, spec="300M")
    pass_time(world, 2)
    world.cloud.change_port(port_id, spec="300M", expect_spec="")
    look_at(world, port_id)
    pass_time(world, 4)
    ended = world.memory.state.outbox[f"{adopted}:settle_hold:ask-change_spec"]
    assert (ended.state, ended.reason) == (OutboxState.DONE, "nothing_held")


def test_a_deleted_port_is_not_adopted(world: PartnerWorld) -> None:
    port_id = console_port(world)
    world.cloud.change_port(port_id, acceptance="Deleted")
    look_at(world, port_id)
    pass_time(world)
    assert connection_id_for(PARTNER, "port", port_id) not in world.memory.state.connections
