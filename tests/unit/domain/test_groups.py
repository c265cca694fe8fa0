"""Redundancy groups: what fits, who waits, what is not touched, and when a group is half provisioned (ruling 17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossport.domain.connection import Connection, Refusal, Request, Terms
from crossport.domain.decide import decide
from crossport.domain.effects import effects_of
from crossport.domain.groups import (
    Sibling,
    complete_since,
    decide_complete,
    half_provisioned,
    missing_siblings,
    siblings_active,
)
from crossport.domain.orders import OrderDecision, decide_milestone, decide_order
from crossport.domain.requests import decide_request
from crossport.domain.vocabulary import MilestoneName, OrderMode, Phase, RequestKind
from tests.unit.domain.examples import (
    NOW,
    PARTNER,
    POLICY,
    STRANGER,
    WINDOW,
    circuit,
    connection,
    contract,
    milestone,
    order,
    port_read,
    tenant,
    vbr_read,
)

GATES = (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED)
OTHER = circuit(circuit_id="pc-other", access_point="ap-other")


def member(**changes: Any) -> Connection:
    """The sibling: an order on another circuit that holds and waits."""
    plain = connection(connection_id="conn-2", circuit_id=OTHER.circuit_id, group_id="G", intended_at=None)
    return replace(plain, **changes)


def sibling(access_point: str = OTHER.access_point, **changes: Any) -> Sibling:
    return Sibling(connection=member(**changes), access_point=access_point)


def placed(*siblings: Sibling, **changes: Any) -> OrderDecision:
    wanted = order(**{"group_id": "G", "milestones": tuple(milestone(name) for name in GATES), **changes})
    return decide_order(wanted, circuit(), tenant(), (contract(),), POLICY, siblings)


def at_stage(stage: str, **changes: Any) -> Connection:
    """A member as it is at one stage of its life."""
    begun = member(intended_at=NOW, **changes)
    one = {"port_id": f"pc-{begun.connection_id}", "circuit_id": begun.circuit_id}
    running = port_read(NOW, acceptance="Confirmed", status="Enabled", **one)
    seen: dict[str, list[Any]] = {
        "offered": [port_read(NOW, **one)],
        "active": [running, vbr_read(NOW, port_id=one["port_id"])],
        "suspended": [replace(running, business_status="FinancialLocked")],
        "declined": [port_read(NOW, acceptance="Deleted", **one)],
    }
    if stage == "ordered":
        return replace(begun, intended_at=None)
    if stage == "provisioning":
        return begun
    if stage == "failed":
        return replace(begun, failure=Refusal(code="cloud_refused", message="no"))
    if stage == "withdrawn":
        return replace(begun, intended_at=None, withdrawn_at=NOW)
    if stage == "ceased":
        return replace(decide(begun, seen["active"], POLICY).connection, cease_recorded_at=NOW)
    if stage == "refused":
        return replace(begun, refusals=(Refusal(code="vlan_taken", message="no"),), intended_at=None)
    return decide(begun, seen[stage], POLICY).connection


STAGES = (
    "ordered", "provisioning", "offered", "active", "suspended", "declined", "failed", "withdrawn", "ceased", "refused",
)  # fmt: skip


# --- Orders -----------------------------------------------------------------------------------------------------------


def test_the_first_member_holds_and_waits_for_its_sibling() -> None:
    first = placed()
    after = first.decision.connection
    assert first.hold is not None
    assert (first.decision.phase, after.group_id, after.group_ready_at, after.intended_at) == (
        Phase.ORDERED, "G", None, None,
    )  # fmt: skip
    (waiting,) = [e for e in first.decision.effects if e.kind == "order_reply" and e.details["state"] == "waiting"]
    assert waiting.details["waiting_for"] == ["redundancy_group"]
    assert "create_port" not in {e.kind for e in first.decision.effects}


def test_the_second_member_goes_at_once_when_the_first_is_there() -> None:
    second = placed(sibling())
    after = second.decision.connection
    assert (second.decision.phase, after.group_ready_at) == (Phase.PROVISIONING, order().received_at)
    assert {"create_port", "join_group"} <= {e.kind for e in second.decision.effects}


def test_the_first_goes_when_it_learns_of_the_second() -> None:
    first, second = placed().decision.connection, placed(sibling()).decision.connection
    assert decide_complete(first, (), POLICY) is None
    decided = decide_complete(first, (Sibling(connection=replace(second, circuit_id="pc-other")),), POLICY)
    assert decided is not None
    assert decided.phase is Phase.PROVISIONING
    assert {e.kind for e in decided.effects} == {"create_port"}
    assert decide_complete(decided.connection, (sibling(),), POLICY) is None


def test_a_ready_member_still_waits_for_its_milestones_and_a_waiting_one_for_its_sibling() -> None:
    ready = placed(sibling(), milestones=()).decision.connection
    assert (ready.group_ready_at is not None, ready.intended_at) == (True, None)
    alone = placed(milestones=()).decision.connection
    for name in GATES:
        ready = decide_milestone(ready, milestone(name), POLICY).connection
        alone = decide_milestone(alone, milestone(name), POLICY).connection
    assert ready.intended_at is not None
    assert alone.intended_at is None


@pytest.mark.parametrize("stage", ["declined", "failed", "withdrawn", "ceased", "refused"])
def test_a_sibling_that_has_ended_completes_nothing_and_forbids_nothing(stage: str) -> None:
    ended = at_stage(stage, circuit_id=circuit().circuit_id)
    if stage != "ceased":
        ended = replace(ended, tenant_uid=STRANGER)
    decided = placed(Sibling(connection=ended, access_point=circuit().access_point))
    assert decided.refusals == ()
    assert decided.decision.connection.group_ready_at is None


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (sibling(circuit_id=circuit().circuit_id), "group_same_circuit"),
        (sibling(access_point=circuit().access_point), "group_same_access_point"),
        (sibling(terms=Terms(spec="200M", vlan_id=7, order_mode=OrderMode.TENANT_PAYS)), "group_spec_differs"),
        (sibling(tenant_uid=STRANGER), "group_of_other_tenant"),
    ],
)
def test_an_order_that_does_not_fit_its_group_is_refused_and_holds_nothing(other: Sibling, code: str) -> None:
    refused = placed(other)
    assert [refusal.code for refusal in refused.refusals] == [code]
    assert (refused.hold, refused.decision.phase) == (None, Phase.REJECTED)
    assert {e.kind for e in refused.decision.effects} == {"order_refused", "order_reply"}


def test_a_group_does_not_hide_other_reasons() -> None:
    refused = placed(sibling(circuit_id=circuit().circuit_id), spec="9G", vlan_id=3_000)
    assert {r.code for r in refused.refusals} == {"group_same_circuit", "spec_unknown", "vlan_out_of_range"}


@given(milestones=st.permutations([*GATES, "sibling"]))
def test_the_create_call_is_intended_once_all_is_there_in_any_order(milestones: list[Any]) -> None:
    one = placed(milestones=()).decision.connection
    for number, name in enumerate(milestones):
        assert one.intended_at is None
        at = NOW + timedelta(hours=number)
        if name == "sibling":
            decided = decide_complete(one, (sibling(created_at=at),), POLICY)
            assert decided is not None
            one = decided.connection
        else:
            one = decide_milestone(one, milestone(name, at=at), POLICY).connection
    assert one.intended_at == max(NOW + timedelta(hours=2), one.created_at)


@given(first=st.integers(0, 50), second=st.integers(0, 50))
def test_both_members_agree_on_when_the_group_was_complete(first: int, second: int) -> None:
    one = member(connection_id="conn-1", created_at=NOW + timedelta(hours=first))
    two = member(created_at=NOW + timedelta(hours=second))
    since = complete_since(one, (Sibling(connection=two),), POLICY)
    assert since == complete_since(two, (Sibling(connection=one),), POLICY) == NOW + timedelta(hours=max(first, second))


# --- Requests ---------------------------------------------------------------------------------------------------------


def asked(kind: RequestKind, forced: str = "") -> Request:
    return Request(request_id="R", kind=kind, at=NOW, actor="noc", spec="200M", vlan_id=7, forced=forced)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", list(RequestKind))
def test_no_member_is_touched_while_its_sibling_is_not_active(kind: RequestKind, stage: str) -> None:
    own, others = at_stage("active", connection_id="conn-1"), (Sibling(connection=at_stage(stage)),)
    guarded = kind in {RequestKind.CHANGE_SPEC, RequestKind.CHANGE_VLAN, RequestKind.CEASE}
    free = not guarded or stage in {"active", "refused"}
    codes = [refusal.code for refusal in siblings_active(own, asked(kind), others, POLICY)]
    assert codes == ([] if free else ["sibling_not_active"])
    assert not any(siblings_active(own, asked(kind, forced="the tenant asked for it"), others, POLICY))


def test_a_cease_is_refused_with_all_reasons_and_accepted_by_force() -> None:
    own, others = at_stage("active", connection_id="conn-1"), (Sibling(connection=at_stage("suspended")),)
    refused = decide_request(asked(RequestKind.CEASE), own, OTHER, None, POLICY, others)
    assert [r.code for r in refused.refusals] == ["sibling_not_active"]
    forced = decide_request(asked(RequestKind.CEASE, "agreed outage"), own, OTHER, None, POLICY, others)
    assert forced.refusals == ()
    assert decide_request(asked(RequestKind.CEASE), replace(own, group_id=""), OTHER, None, POLICY).refusals == ()


def test_a_replacement_counts_and_the_one_that_has_ended_no_longer() -> None:
    own = at_stage("active", connection_id="conn-1")
    others = (Sibling(connection=at_stage("declined")), Sibling(connection=at_stage("active", connection_id="conn-3")))
    assert not any(siblings_active(own, asked(RequestKind.CEASE), others, POLICY))


# --- Half provisioned -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", STAGES)
@pytest.mark.parametrize("other", STAGES)
def test_a_group_is_half_provisioned_when_one_has_a_port_and_no_other_has(own: str, other: str) -> None:
    one, two = at_stage(own, connection_id="conn-1"), at_stage(other)
    there = {"offered", "active", "suspended"}
    half = own in there and other not in {*there, "ceased", "refused"}
    found = half_provisioned(one, (Sibling(connection=two),), NOW, POLICY)
    assert (found is not None) == half
    if found is not None:
        assert (found.code, found.subject) == ("half_provisioned", "G")
        assert found.details["deadline"] == (NOW + POLICY.group_deadline).isoformat()
        assert found.details["missing"][0].startswith("conn-2 ")


def test_a_replacement_makes_the_group_whole() -> None:
    one, lost, new = at_stage("active", connection_id="conn-1"), at_stage("failed"), at_stage("offered")
    others = (Sibling(connection=lost), Sibling(connection=replace(new, connection_id="conn-3")))
    assert missing_siblings(one, others, WINDOW) == ()


def test_every_coming_and_going_has_the_group_looked_at() -> None:
    kinds = {
        stage: sorted(
            e.details.get("cause", "") for e in effects_of(at_stage(stage), POLICY) if e.kind == "check_group"
        )
        for stage in STAGES
    }
    assert kinds == {
        "ordered": [], "provisioning": [], "refused": [], "offered": ["port"], "active": ["port"],
        "suspended": ["port"], "declined": ["ended", "port"], "failed": ["ended"], "withdrawn": ["ended"],
        "ceased": ["ceased", "port"],
    }  # fmt: skip
    assert member().account_id == PARTNER
