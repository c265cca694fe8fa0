"""Requests on a connection: accepted ones move connection, holds and circuit together; refused ones leave a reply."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.application.errors import StoreUnavailableError
from crossport.application.handle_request import handle_request
from crossport.application.order_input import Misread, OrderMessage, order_inbox_key
from crossport.domain.connection import Refusal, Request, connection_id_for
from crossport.domain.vocabulary import Phase, RequestKind
from tests.fakes.partner_world import CIRCUIT, PARTNER, VLAN, PartnerWorld, raising, told

IDS = {"client_order_id": "CR-1", "account_id": PARTNER}


def asked(world: PartnerWorld, kind: RequestKind, request_id: str = "CR-1", **changes: Any) -> OrderMessage:
    """A message with a request on the connection of order-1."""
    said = {name: changes.pop(name) for name in ("spec", "vlan_id", "forced") if name in changes}
    plain = OrderMessage(
        key=f"message of {request_id}",
        digest=f"digest of {request_id}",
        name=f"order.{kind}",
        account_id=PARTNER,
        client_order_id=request_id,
        request=Request(request_id=request_id, kind=kind, at=world.clock.now(), actor="noc", **said),
        target_order_id="order-1",
    )
    return replace(plain, **changes)


def replies(world: PartnerWorld) -> list[tuple[str, str, list[str]]]:
    """(client order id, state, reason codes) of every reply that waits or was sent, oldest first."""
    rows = [entry.row.payload for entry in world.outbox("order_reply")]
    return [(row["client_order_id"], row["state"], [r["code"] for r in row["reasons"]]) for row in rows]


def accepted_port(world: PartnerWorld) -> None:
    """order-1, its port accepted by the tenant."""
    port_id = world.provisioned()
    world.cloud.accept(port_id)
    world.observe(world.accepted(port_id))
    world.settled()
    assert world.phase() is Phase.ACCEPTED


def test_a_bigger_spec_takes_the_difference_from_the_circuit(world: PartnerWorld) -> None:
    accepted_port(world)
    assert told(world.place(asked(world, RequestKind.CHANGE_SPEC, spec="500M"))[0]) == ("applied", "", "")
    assert world.circuit().held_mbps == 500
    assert world.memory.state.holds[CIRCUIT, VLAN].mbps == 500
    (row,) = world.audit("message of CR-1")
    assert row.details["actor"] == "noc"
    assert world.claims(order_inbox_key(PARTNER, "CR-1"))
    assert ("CR-1", "accepted", []) in replies(world)
    assert [entry.row.payload["cause"] for entry in world.outbox("update_port")] == ["CR-1"]


def test_a_new_vlan_id_is_held_beside_the_old_one(world: PartnerWorld) -> None:
    accepted_port(world)
    assert told(world.place(asked(world, RequestKind.CHANGE_VLAN, vlan_id=121))[0]) == ("applied", "", "")
    assert {vlan_id for _, vlan_id in world.memory.state.holds} == {VLAN, 121}
    assert world.circuit().held_mbps == 200
    assert world.connection().agreed_vlan_id == 121


def test_a_read_that_lags_does_not_take_a_change_of_vlan_id_back(world: PartnerWorld) -> None:
    accepted_port(world)
    port_id = world.connection().port_id
    assert port_id is not None
    world.place(asked(world, RequestKind.CHANGE_VLAN, vlan_id=121, forced="agreed by telephone"))
    world.relay()
    # The list still shows what was before our own change.
    world.cloud.change_port(port_id, vlan_id=VLAN)
    world.place(asked(world, RequestKind.CHANGE_SPEC, "CR-2", spec="500M"))
    world.relay()
    assert [call["vlan_id"] for call in world.calls("update_port")] == [121, 121]


def test_a_cancelled_order_that_waits_gives_everything_back_at_once(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    assert world.circuit().held_mbps == 200
    assert told(world.place(asked(world, RequestKind.CANCEL))[0]) == ("applied", "", "")
    assert world.phase() is Phase.WITHDRAWN
    assert world.memory.state.holds == {}
    assert (world.circuit().held_mbps, world.circuit().vlan_bitmap) == (0, 0)
    assert replies(world)[-2:] == [("CR-1", "accepted", []), ("CR-1", "completed", [])]


def test_a_cease_is_recorded_and_told(world: PartnerWorld) -> None:
    accepted_port(world)
    world.place(asked(world, RequestKind.CEASE))
    assert world.phase() is Phase.RELEASING
    assert world.circuit().held_mbps == 200
    assert {(e.row.payload["party"]) for e in world.outbox("cease")} == {"tenant", "partner"}


def test_a_refused_request_changes_nothing_and_is_told_every_reason(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    before, circuit = world.version(), world.circuit()
    message = asked(world, RequestKind.CHANGE_SPEC, spec="10G")
    ending = world.place(message)[0]
    assert (ending.verdict, ending.connection_id) == ("rejected", world.connection().connection_id)
    (row,) = world.audit(message.key)
    codes = [reason["code"] for reason in row.details["reasons"]]
    assert codes[0] == ending.reason
    assert {"phase_forbids_change", "capacity_exceeded"} <= set(codes)
    assert (world.version(), world.circuit()) == (before, circuit)
    assert replies(world)[-1] == ("CR-1", "rejected", codes)
    world.relay()
    sent = [json.loads(body) for body in world.queue.bodies("order-replies")]
    assert sent[-1]["connection_id"] == world.connection().connection_id


def test_a_refusal_stands_when_the_message_comes_again(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    message = asked(world, RequestKind.CEASE)
    assert told(world.place(message)[0]) == ("rejected", "not_accepted_yet", "")
    assert told(world.place(message)[0]) == ("duplicate", "", "")
    assert told(world.place(replace(message, key="another message"))[0]) == ("duplicate", "", "")
    assert len([reply for reply in replies(world) if reply[1] == "rejected"]) == 1


def test_the_same_id_with_another_content_is_refused(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    first = asked(world, RequestKind.CANCEL)
    world.place(first)
    assert told(world.place(replace(first, digest="other"))[0]) == ("rejected", "payload_mismatch", "")
    other = replace(first, key="another message", digest="other")
    assert told(world.place(other)[0]) == ("rejected", "order_id_reused", "")
    assert [reply for reply in replies(world) if reply[1] == "rejected"] == [("CR-1", "rejected", ["order_id_reused"])]


def test_a_request_may_not_take_the_id_of_an_order(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    message = asked(world, RequestKind.CANCEL, "order-1", key="k", digest="d")
    assert told(world.place(message)[0]) == ("rejected", "order_id_reused", "")
    assert world.phase() is Phase.ORDERED


def test_a_request_that_overtook_its_order_is_tried_again(world: PartnerWorld) -> None:
    message = asked(world, RequestKind.CANCEL)
    assert told(world.place(message)[0]) == ("retry", "order_unknown", "")
    assert [told(ending) for ending in world.place(world.order(milestones=()), message)] == [("applied", "", "")] * 2


def test_a_connection_is_found_by_its_own_id_within_the_account(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    own = connection_id_for(PARTNER, "order", "order-1")
    nobodys = asked(world, RequestKind.CANCEL, target_order_id="", target_connection_id="conn-0")
    assert told(world.place(nobodys)[0]) == ("rejected", "connection_unknown", "")
    assert replies(world)[-1] == ("CR-1", "rejected", ["connection_unknown"])
    assert not world.claims(nobodys.key)
    by_id = asked(world, RequestKind.CANCEL, "CR-2", target_order_id="", target_connection_id=own)
    assert told(world.place(by_id)[0]) == ("applied", "", "")


def test_lost_saves_are_decided_again_on_what_is_there_then(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    rival = asked(world, RequestKind.CANCEL, "CR-0", key="rival", digest="rival")

    def meanwhile() -> None:
        handle_request(rival, store=world.memory, policies=world.policies, clock=world.clock)

    world.store.before_save.append(meanwhile)
    assert told(world.place(asked(world, RequestKind.CANCEL))[0]) == ("rejected", "connection_over", "")
    assert world.circuit().held_mbps == 0


def test_saves_that_are_always_lost_and_a_store_that_is_down_end_as_retry(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    world.store.lose = 8
    message = asked(world, RequestKind.CANCEL)
    assert told(world.place(message)[0])[0] == "retry"
    world.store.lose = 0
    world.store.before_save.append(raising(StoreUnavailableError("down")))
    assert told(world.place(message)[0]) == ("retry", "store_unavailable", "")
    assert told(world.place(message)[0]) == ("applied", "", "")


def test_a_message_without_a_request_is_a_fault_of_ours(world: PartnerWorld) -> None:
    with pytest.raises(ValueError, match="carries no request"):
        handle_request(world.order(), store=world.memory, policies=world.policies, clock=world.clock)


def test_an_order_that_opens_no_connection_is_answered_too(world: PartnerWorld) -> None:
    assert told(world.place(world.order(circuit_id="pc-none"))[0]) == ("rejected", "circuit_unknown", "")
    assert told(world.place(world.order("order-2", account_id="77"))[0]) == ("rejected", "unknown_account", "")
    assert replies(world) == [
        ("order-1", "rejected", ["circuit_unknown"]),
        ("order-2", "rejected", ["unknown_account"]),
    ]
    assert world.memory.state.connections == {}


@pytest.mark.parametrize(("ids", "answers"), [(IDS, [("CR-1", "rejected", ["missing_field"])]), ({}, [])])
def test_a_misread_message_is_answered_when_it_says_whom(
    world: PartnerWorld, ids: dict[str, str], answers: list[Any]
) -> None:
    reason = Refusal(code="missing_field", message="Field required", subject="spec")
    message = Misread(key="m", digest="d", name="order.new", reasons=(reason,), **ids)
    assert told(world.place(message)[0]) == ("rejected", "missing_field", "")
    world.clock.advance(timedelta(minutes=1))
    world.place(message)
    assert replies(world) == answers
