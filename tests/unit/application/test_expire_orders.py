"""Orders that wait for ever hold nothing for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crossport.application import expire_orders as module
from crossport.application.expire_orders import expire_orders
from crossport.application.place_order import place_orders
from crossport.domain.connection import expiry_id
from crossport.domain.vocabulary import MilestoneName, Phase
from tests.fakes.partner_world import PARTNER, POLICY, SECOND_PARTNER, FixedPolicies, PartnerWorld

MONTH = POLICY.hold_lifetime
SECOND = timedelta(seconds=1)


def run(world: PartnerWorld) -> list[str]:
    return expire_orders(world.store, world.policies, world.clock)


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
    assert (row.reason, row.details["actor"]) == ("hold_expired", "crossport")
    world.relay()
    assert world.notices() == [("order_expired", "tenant"), ("order_expired", "partner")]
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


def test_orders_of_an_account_that_holds_longer_hide_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = replace(POLICY, hold_lifetime=2 * MONTH)
    hasty = replace(POLICY, account_id=SECOND_PARTNER)
    world = PartnerWorld(patient, hasty)
    monkeypatch.setattr(module, "LIMIT", 1)
    for number in range(3):
        world.place(world.order(f"order-{number}", vlan_id=200 + number, milestones=()))
    world.clock.advance(SECOND)
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
    world.policies = FixedPolicies()
    assert run(world) == []
