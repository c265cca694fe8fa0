"""Orders that wait for ever hold nothing for ever; offers that nobody accepts are taken back where policy says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crossport.application.place_order import place_orders
from crossport.application.ports import CloudFailure
from crossport.domain.connection import expiry_id, offer_expiry_id
from crossport.domain.vocabulary import MilestoneName, OrderMode, Phase
from tests.fakes.memory_cloud import Fault
from tests.fakes.partner_world import PARTNER, POLICY, SECOND_PARTNER, FixedPolicies, PartnerWorld

MONTH, FORTNIGHT = POLICY.hold_lifetime, POLICY.offer_lifetime
SECOND = timedelta(seconds=1)
WITHDRAWS = replace(POLICY, offer_expiry="withdraw")


def run(world: PartnerWorld) -> list[str]:
    return world.keep_deadlines().taken_back


# --- Orders ---------------------------------------------------------------------------------------------------------


def test_an_order_that_waited_too_long_is_taken_back_and_everyone_is_told(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    connection_id = world.connection().connection_id
    world.clock.advance(MONTH)
    assert run(world) == []
    world.clock.advance(SECOND)
    assert run(world) == [connection_id]
    assert world.phase() is Phase.WITHDRAWN
    assert (world.circuit().held_mbps, world.memory.state.holds) == (0, {})
    (row,) = world.audit(expiry_id(connection_id))
    assert (row.reason, row.function, row.details["actor"]) == ("hold_expired", "deadlines", "crossport")
    world.relay()
    assert [told for told in world.notices() if told[0] == "order_expired"] == [
        ("order_expired", "tenant"),
        ("order_expired", "partner"),
    ]
    ended = [entry.row.payload for entry in world.outbox("order_reply") if entry.row.payload["state"] == "rejected"]
    assert [(one["client_order_id"], one["reasons"][0]["code"]) for one in ended] == [("order-1", "hold_expired")]
    assert run(world) == []
    assert world.place(world.order("order-2", vlan_id=120))[0].verdict == "applied"


def test_an_order_whose_call_is_intended_is_left_alone(world: PartnerWorld) -> None:
    world.place(world.order())
    world.clock.advance(MONTH + SECOND)
    assert run(world) == []
    assert world.phase() is Phase.PROVISIONING


def test_an_order_that_moves_on_at_the_last_moment_is_left_alone(world: PartnerWorld) -> None:
    world.place(world.order(milestones=world.milestones(MilestoneName.UID_CONFIRMED)))
    world.clock.advance(MONTH + SECOND)

    def meanwhile() -> None:
        reached = world.milestone(MilestoneName.LAST_MILE_READY)
        place_orders([reached], store=world.memory, policies=world.policies, clock=world.clock)

    world.store.before_save.append(meanwhile)
    assert run(world) == []
    assert world.phase() is Phase.PROVISIONING
    assert world.circuit().held_mbps == 200


def test_each_account_holds_as_long_as_its_own_policy_says() -> None:
    patient = replace(POLICY, hold_lifetime=2 * MONTH)
    hasty = replace(POLICY, account_id=SECOND_PARTNER)
    world = PartnerWorld(patient, hasty)
    for number in range(3):
        world.place(world.order(f"order-{number}", vlan_id=200 + number, milestones=()))
    world.add_circuit("pc-second", account_id=SECOND_PARTNER)
    waiting = world.order("other-2", account_id=SECOND_PARTNER, circuit_id="pc-second", milestones=())
    contract = next(iter(world.memory.state.contracts.values()))
    theirs = replace(contract, account_id=SECOND_PARTNER)
    world.memory.put_contract(theirs, actor="test", reason="example", at=world.clock.now())
    assert world.place(waiting)[0].verdict == "applied"
    world.clock.advance(MONTH + SECOND)
    (expired,) = run(world)
    assert world.by_id(expired).account_id == SECOND_PARTNER
    assert world.phase("order-0") is Phase.ORDERED
    assert world.connection("order-0").account_id == PARTNER


def test_without_accounts_there_is_nothing_to_do(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    world.clock.advance(MONTH + SECOND)
    world.policies = FixedPolicies()
    assert run(world) == []
    assert world.phase() is Phase.ORDERED


# --- Offers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hasty() -> PartnerWorld:
    """A world whose policy takes offers back."""
    return PartnerWorld(WITHDRAWS)


def replies(world: PartnerWorld) -> list[tuple[str, str]]:
    """State and reason of every reply to the order that refuses or completes it."""
    bodies = [entry.row.payload for entry in world.outbox("order_reply")]
    return [(b["state"], b["reasons"][0]["code"] if b["reasons"] else "") for b in bodies if b["state"] != "accepted"]


def test_an_offer_whose_time_is_over_is_taken_back(hasty: PartnerWorld) -> None:
    hasty.provisioned()
    connection_id = hasty.connection().connection_id
    hasty.clock.advance(FORTNIGHT - timedelta(minutes=10))
    assert run(hasty) == []
    hasty.clock.advance(timedelta(minutes=10))
    assert run(hasty) == [connection_id]
    hasty.settled()
    assert hasty.phase() is Phase.WITHDRAWN
    (row,) = hasty.audit(offer_expiry_id(connection_id))
    assert (row.reason, row.name) == ("offer_expired", "offer.expire")
    assert replies(hasty) == [("rejected", "offer_expired")]
    assert hasty.memory.state.holds == {}
    assert run(hasty) == []


def test_an_offer_that_was_accepted_right_before_stays(hasty: PartnerWorld) -> None:
    port_id = hasty.provisioned()
    hasty.clock.advance(FORTNIGHT + SECOND)
    hasty.cloud.accept(port_id)
    assert len(run(hasty)) == 1
    hasty.settled()
    assert hasty.phase() is Phase.ACCEPTED
    assert hasty.calls("delete_port") == []
    assert hasty.connection().agreed_vlan_id in {hold.vlan_id for hold in hasty.memory.state.holds.values()}


def test_an_offer_that_the_cloud_does_not_let_go_stays_open_and_is_tried_once(hasty: PartnerWorld) -> None:
    hasty.provisioned()
    refused = Fault(failure=CloudFailure.PERMANENT, cloud_code="Forbidden.NotPayer", after_effect=False)
    hasty.cloud.script("delete_port", refused)
    hasty.clock.advance(FORTNIGHT + SECOND)
    assert len(run(hasty)) == 1
    hasty.settled()
    assert hasty.phase() is Phase.OFFERED
    assert "withdraw_blocked" in hasty.findings()
    hasty.clock.advance(timedelta(days=2))
    assert run(hasty) == []
    hasty.relay()
    assert hasty.notices()[-1] == ("offer_expired", "partner")


def test_an_offer_is_kept_where_the_policy_says_so(world: PartnerWorld) -> None:
    world.provisioned()
    world.clock.advance(FORTNIGHT + timedelta(days=1))
    assert run(world) == []
    assert world.phase() is Phase.OFFERED
    world.relay()
    assert world.notices()[-2:] == [("offer_expired", "tenant"), ("offer_expired", "partner")]


@pytest.mark.parametrize("mode", OrderMode)
def test_a_paid_offer_is_never_taken_back_by_itself(hasty: PartnerWorld, mode: OrderMode) -> None:
    port_id = hasty.provisioned(order_mode=str(mode))
    hasty.cloud.change_port(port_id, status="Enabled", enabled_time=hasty.clock.now())
    hasty.read(port_id, "paid")
    hasty.settled()
    hasty.clock.advance(FORTNIGHT + timedelta(days=1))
    assert run(hasty) == []
    assert hasty.phase() is Phase.OFFERED


def test_an_offer_that_was_made_by_hand_is_never_taken_back_by_itself(hasty: PartnerWorld) -> None:
    port_id = hasty.make_in_console()
    hasty.observe(hasty.created(port_id, key="console"))
    hasty.settled()
    hasty.clock.advance(FORTNIGHT + timedelta(days=1))
    assert run(hasty) == []
    assert hasty.adopted(port_id).withdrawn_at is None
