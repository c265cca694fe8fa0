"""Orders and milestones: their rows, their two inbox keys, and what happens when two of them race."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crossport.application.errors import IntegrityConflictError, StoreUnavailableError
from crossport.application.place_order import Misread, order_inbox_key
from crossport.domain.connection import Refusal
from crossport.domain.vocabulary import MilestoneName, Phase
from tests.fakes.partner_world import (
    CIRCUIT,
    NEIGHBOUR,
    PARTNER,
    POLICY,
    STRANGER,
    TENANT,
    VLAN,
    PartnerWorld,
    raising,
    told,
)


def test_order_opens_a_connection_and_holds_vlan_and_bandwidth(world: PartnerWorld) -> None:
    message = world.order()

    (ending,) = world.place(message)

    assert told(ending) == ("applied", "", "")
    assert ending.connection_id == world.connection().connection_id
    assert world.phase() is Phase.PROVISIONING
    assert not world.circuit().is_free(VLAN)
    assert world.circuit().held_mbps == 200
    (row,) = world.audit(message.key)
    assert (row.function, row.name, row.account_id) == ("orders", "order.new", PARTNER)


def test_order_claims_its_message_and_its_order_id_with_one_row(world: PartnerWorld) -> None:
    message = world.order()
    world.place(message)
    by_order_id = order_inbox_key(PARTNER, "order-1")
    assert world.claims(message.key)
    assert world.claims(by_order_id)
    assert not world.audit(by_order_id)
    assert len(world.memory.state.audit) == 1


@pytest.mark.parametrize("key", ["message of order-1", "another message"])
def test_repeated_order_is_a_duplicate_by_message_and_by_order_id(world: PartnerWorld, key: str) -> None:
    world.place(world.order())
    rows = len(world.memory.state.audit)
    assert told(world.place(world.order(key=key))[0]) == ("duplicate", "", "")
    assert world.version() == 1
    assert len(world.memory.state.audit) == rows
    assert world.circuit().held_mbps == 200


def test_known_message_with_another_body_is_refused(world: PartnerWorld) -> None:
    world.place(world.order())
    forged = world.order(digest="other", vlan_id=7)
    assert told(world.place(forged)[0]) == ("rejected", "payload_mismatch", "")
    assert world.memory.state.inbox[forged.key] == "digest of order-1"


def test_order_id_used_again_for_another_order_is_refused(world: PartnerWorld) -> None:
    world.place(world.order())
    again = world.order(key="another message", digest="other", vlan_id=7)
    assert told(world.place(again)[0]) == ("rejected", "order_id_reused", "")
    assert not world.claims(again.key)
    assert world.circuit().is_free(7)


def test_order_id_whose_inbox_row_was_pruned_still_opens_no_second_connection(world: PartnerWorld) -> None:
    world.place(world.order())
    world.memory.state.inbox.clear()
    assert told(world.place(world.order())[0]) == ("rejected", "order_id_reused", "")
    assert world.version() == 1


def test_refused_order_is_kept_with_every_reason_and_both_parties_are_told(world: PartnerWorld) -> None:
    message = world.order(tenant_uid=NEIGHBOUR, spec="5G", vlan_id=3_000)

    (ending,) = world.place(message)

    assert told(ending) == ("rejected", "contract_missing", "")
    (row,) = world.audit(message.key)
    reasons = [reason["code"] for reason in row.details["reasons"]]
    assert reasons == ["contract_missing", "spec_not_offered", "capacity_exceeded", "vlan_out_of_range"]
    assert world.phase() is Phase.REJECTED
    assert {entry.row.payload["party"] for entry in world.outbox("order_refused")} == {"partner", "tenant"}
    assert world.circuit().held_mbps == 0
    assert told(world.place(message)[0]) == ("duplicate", "", "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"circuit_id": "pc-unknown"}, "circuit_unknown"), ({"account_id": STRANGER}, "unknown_account")],
)
def test_order_for_what_is_not_ours_leaves_a_row_only(
    world: PartnerWorld, changes: dict[str, Any], reason: str
) -> None:
    message = world.order(**changes)
    assert told(world.place(message)[0]) == ("rejected", reason, "")
    (row,) = world.audit(message.key)
    assert (row.reason, row.claims) == (reason, False)
    assert not world.memory.state.connections


def test_misread_message_is_refused_with_every_reason_and_claims_nothing(world: PartnerWorld) -> None:
    reasons = (
        Refusal(code="missing_field", message="spec is missing", subject="spec"),
        Refusal(code="bad_vlan", message="12a is no VLAN ID", subject="vlan_id"),
    )
    message = Misread(key="m1", digest="d1", name="order.new", reasons=reasons)
    assert told(world.place(message)[0]) == ("rejected", "missing_field", "")
    (row,) = world.audit("m1")
    assert [reason["code"] for reason in row.details["reasons"]] == ["missing_field", "bad_vlan"]
    assert not world.claims("m1")


def test_order_without_a_vlan_gets_the_lowest_free_one(world: PartnerWorld) -> None:
    world.place(world.order(vlan_id=1), world.order("order-2", vlan_id=None))
    assert world.connection("order-2").vlan_id == 2


def test_vlan_zero_is_a_valid_order_and_takes_the_circuit(world: PartnerWorld) -> None:
    endings = world.place(world.order(vlan_id=0), world.order("order-2"))
    assert [told(ending)[:2] for ending in endings] == [("applied", ""), ("rejected", "vlan_taken")]
    assert world.connection().vlan_id == 0


# --- races ----------------------------------------------------------------------------------------------------------


def test_two_orders_racing_for_one_vlan_have_one_winner(world: PartnerWorld) -> None:
    rival = world.order("order-2")
    world.store.before_save.append(lambda: world.place_elsewhere(rival))

    (ending,) = world.place(world.order())

    assert told(ending) == ("rejected", "vlan_taken", "")
    assert world.phase("order-2") is Phase.PROVISIONING
    assert world.memory.state.holds[CIRCUIT, VLAN].connection_id == world.connection("order-2").connection_id
    assert world.circuit().held_mbps == 200


def test_two_orders_racing_for_the_last_bandwidth_have_one_winner(world: PartnerWorld) -> None:
    rival = world.order("order-2", spec="1G", vlan_id=121)
    world.store.before_save.append(lambda: world.place_elsewhere(rival))

    (ending,) = world.place(world.order())

    assert told(ending) == ("rejected", "capacity_exceeded", "")
    assert world.circuit().held_mbps == 1_000
    assert world.circuit().is_free(VLAN)


def test_two_orders_racing_for_any_vlan_get_different_ones(world: PartnerWorld) -> None:
    rival = world.order("order-2", vlan_id=None)
    world.store.before_save.append(lambda: world.place_elsewhere(rival))
    assert told(world.place(world.order(vlan_id=None))[0]) == ("applied", "", "")
    assert {world.connection(order_id).vlan_id for order_id in ("order-1", "order-2")} == {1, 2}


def test_the_same_order_at_two_workers_is_placed_once(world: PartnerWorld) -> None:
    message = world.order()
    world.store.before_save.append(lambda: world.place_elsewhere(message))
    assert told(world.place(message)[0]) == ("duplicate", "", "")
    assert world.circuit().held_mbps == 200


@pytest.mark.parametrize(("lost", "verdict"), [(7, ("applied", "", "")), (8, ("retry", "contended", ""))])
def test_lost_saves_are_tried_again_a_limited_number_of_times(
    world: PartnerWorld, lost: int, verdict: tuple[str, str, str]
) -> None:
    world.store.lose = lost
    assert told(world.place(world.order())[0]) == verdict


def test_store_out_of_reach_is_a_retry_and_the_next_message_goes_on(world: PartnerWorld) -> None:
    world.store.before_save.append(raising(StoreUnavailableError("locked")))
    endings = world.place(world.order(), world.order("order-2"))
    assert [told(ending)[:2] for ending in endings] == [("retry", "store_unavailable"), ("applied", "")]


def test_broken_promise_of_the_store_is_a_dead_letter_and_the_next_message_goes_on(world: PartnerWorld) -> None:
    world.store.before_save.append(raising(IntegrityConflictError("VLAN 120 is held")))
    message = world.order()
    endings = world.place(message, world.order("order-2", vlan_id=121))
    assert [told(ending)[:2] for ending in endings] == [("dead_letter", "integrity_conflict"), ("applied", "")]
    (row,) = world.audit(message.key)
    assert (row.claims, row.details["error"]) == (False, "VLAN 120 is held")


# --- milestones -----------------------------------------------------------------------------------------------------


def test_milestone_before_its_order_comes_again(world: PartnerWorld) -> None:
    reached = world.milestone(MilestoneName.LAST_MILE_READY)
    assert told(world.place(reached)[0]) == ("retry", "order_unknown", "")
    assert not world.audit(reached.key)

    endings = world.place(world.order(milestones=()), reached)
    assert [str(ending.verdict) for ending in endings] == ["applied", "applied"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_last_gate_intends_the_create_call_exactly_once(world: PartnerWorld, order: tuple[int, int]) -> None:
    gates = [world.milestone(MilestoneName.LAST_MILE_READY), world.milestone(MilestoneName.UID_CONFIRMED)]
    world.place(world.order(milestones=()))

    world.place(gates[order[0]])
    assert world.phase() is Phase.ORDERED
    assert not world.outbox("create_port")
    world.place(gates[order[1]])
    assert world.phase() is Phase.PROVISIONING
    world.place(world.milestone(MilestoneName.QUOTED), *gates)

    assert len(world.outbox("create_port")) == 1


def test_a_uid_that_needs_no_confirmation_is_no_gate() -> None:
    world = PartnerWorld(replace(POLICY, confirm_uid=False))
    world.place(world.order(milestones=world.milestones(MilestoneName.LAST_MILE_READY)))
    assert world.phase() is Phase.PROVISIONING


def test_milestone_known_already_says_so_and_the_first_one_counts(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    first = world.milestone(MilestoneName.QUOTED)
    world.place(first)
    again = replace(world.milestone(MilestoneName.QUOTED), key="another message", digest="other")
    assert told(world.place(again)[0]) == ("applied", "known_already", "")
    assert world.connection().milestones == (first.milestone,)


def test_milestone_of_a_refused_order_pushes_nothing(world: PartnerWorld) -> None:
    world.place(world.order(tenant_uid=NEIGHBOUR, milestones=()))
    world.place(world.milestone(MilestoneName.LAST_MILE_READY), world.milestone(MilestoneName.UID_CONFIRMED))
    assert world.phase() is Phase.REJECTED
    assert not world.outbox("create_port")


def test_repeated_and_forged_milestones(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    reached = world.milestone(MilestoneName.QUOTED)
    endings = world.place(reached, reached, replace(reached, digest="other"))
    assert [told(ending)[:2] for ending in endings] == [
        ("applied", ""),
        ("duplicate", ""),
        ("rejected", "payload_mismatch"),
    ]


def test_tenant_is_only_the_contracts(world: PartnerWorld) -> None:
    """The contract of one tenant is none for another, whoever orders."""
    endings = world.place(world.order(), world.order("order-2", tenant_uid=NEIGHBOUR, vlan_id=121))
    assert [told(ending)[:2] for ending in endings] == [("applied", ""), ("rejected", "contract_missing")]
    assert world.connection().tenant_uid == TENANT
