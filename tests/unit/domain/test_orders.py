"""First-time orders against every rule, and the milestones that let the create call go."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Refusal, Terms, connection_id_for, token_of
from crossport.domain.decide import Finding
from crossport.domain.effects import Command
from crossport.domain.errors import NaiveTimeError
from crossport.domain.orders import Contract, Hold, Order, OrderDecision, Tenant, decide_milestone, decide_order
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import BEFORE_PUSH, Flow, MilestoneName, OrderMode, Origin, Phase
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    PARTNER,
    POLICY,
    REGION,
    TENANT,
    circuit,
    contract,
    milestone,
    order,
    tenant,
)

GATES = (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED)


def decided(
    asked: Order | None = None,
    *,
    on: Circuit | None = None,
    of: Tenant | None = None,
    by: tuple[Contract, ...] | None = None,
    policy: Policy = POLICY,
) -> OrderDecision:
    return decide_order(
        asked or order(), on or circuit(), of or tenant(), (contract(),) if by is None else by, policy
    )  # fmt: skip


def codes(decision: OrderDecision) -> list[str]:
    return [refusal.code for refusal in decision.refusals]


def test_an_order_that_fits_holds_its_vlan_and_bandwidth() -> None:
    found = decided()
    assert codes(found) == []
    assert found.hold == Hold(circuit_id=CIRCUIT, vlan_id=120, mbps=100, connection_id=order().connection_id)
    assert found.circuit == circuit().hold(120, 100)
    assert found.decision.phase is Phase.ORDERED
    assert found.decision.connection.contract_number == "C-1"


def test_a_connection_keeps_what_was_ordered() -> None:
    told = (milestone(MilestoneName.UID_CONFIRMED), milestone(MilestoneName.QUOTED, NOW - timedelta(hours=1)))
    asked = order(
        purchase_order="PO-7", customer_reference="ref", tenant_region="cn-beijing", milestones=told, order_mode="x"
    )
    for found, contract_number in ((decided(asked), "C-1"), (decided(asked, by=()), "")):
        assert replace(found.decision.connection, refusals=()) == Connection(
            connection_id=connection_id_for(PARTNER, "order", "order-1"),
            account_id=PARTNER,
            region=REGION,
            circuit_id=CIRCUIT,
            tenant_uid=TENANT,
            flow=Flow.NEW,
            origin=Origin.ORDER,
            terms=Terms(spec="100M", vlan_id=120, order_mode="x"),
            created_at=NOW,
            client_order_id="order-1",
            contract_number=contract_number,
            purchase_order="PO-7",
            customer_reference="ref",
            tenant_region="cn-beijing",
            milestones=told[::-1],
        )


def test_an_order_without_a_vlan_that_finds_none_is_on_record_without_one() -> None:
    found = decided(order(vlan_id=None), on=circuit().hold(0, 50))
    assert found.decision.connection.terms.vlan_id == -1
    (reason,) = found.refusals
    assert (reason.message, reason.subject) == (f"no VLAN of the pool is free on {CIRCUIT}", "")


@pytest.mark.parametrize(
    ("code", "asked", "given"),
    [
        ("tenant_uid_malformed", {"tenant_uid": "12a"}, {}),
        ("tenant_uid_malformed", {"tenant_uid": "１２３"}, {}),
        ("tenant_uid_malformed", {"tenant_uid": ""}, {}),
        ("no_account_for_site", {}, {"of": tenant(site="china")}),
        ("contract_missing", {}, {"by": ()}),
        ("contract_not_in_force", {}, {"by": (contract(signed_on=None),)}),
        ("spec_unknown", {"spec": "9G"}, {}),
        ("spec_not_offered", {"spec": "2G"}, {"on": circuit(bandwidth_mbps=10_000)}),
        (
            "spec_needs_approval",
            {"spec": "2G"},
            {"on": circuit(bandwidth_mbps=10_000), "policy": replace(POLICY, specs=frozenset({"2G"}))},
        ),
        ("order_mode_unknown", {"order_mode": "PayByNobody"}, {}),
        (
            "order_mode_not_enabled",
            {"order_mode": str(OrderMode.PARTNER_PAYS)},
            {"policy": replace(POLICY, order_modes=frozenset({OrderMode.TENANT_PAYS}))},
        ),
        ("circuit_of_other_account", {}, {"on": circuit(account_id="4000000000000004")}),
        ("circuit_not_enabled", {}, {"on": circuit(status="Terminated")}),
        ("capacity_exceeded", {}, {"on": circuit(held_mbps=901)}),
        ("vlan_pool_exhausted", {"vlan_id": None}, {"policy": replace(POLICY, vlan_pool=())}),
        ("vlan_out_of_range", {"vlan_id": 3_000}, {}),
        ("vlan_out_of_range", {"vlan_id": -1}, {}),
        ("vlan_taken", {}, {"on": circuit().hold(120, 50)}),
    ],
)
def test_each_rule_refuses_with_its_code(code: str, asked: dict[str, Any], given: dict[str, Any]) -> None:
    found = decided(order(**asked), **given)
    assert codes(found) == [code]
    assert found.refusals[0].message
    assert (found.hold, found.circuit) == (None, None)
    assert found.decision.phase is Phase.REJECTED
    assert {effect.kind for effect in found.decision.effects} == {"order_refused", "order_reply"}


def test_the_partners_own_uid_is_a_warning_and_no_refusal() -> None:
    found = decided(order(tenant_uid=PARTNER), of=tenant(tenant_uid=PARTNER))
    assert codes(found) == []
    warning = Finding(code="tenant_is_partner", subject=PARTNER, details={"account_id": PARTNER})
    assert found.decision.findings == (warning,)
    assert decided().decision.findings == ()


def test_a_milestone_after_the_order_was_taken_back_intends_nothing() -> None:
    connection = replace(decided().decision.connection, withdrawn_at=NOW)
    for name in GATES:
        connection = decide_milestone(connection, milestone(name), POLICY).connection
    assert connection.intended_at is None


def test_an_unknown_tenant_is_refused() -> None:
    (reason,) = decide_order(order(), circuit(), None, (contract(),), POLICY).refusals
    assert reason == Refusal(code="tenant_unknown", message=f"no tenant {TENANT} is on record", subject=TENANT)


def test_a_tenant_of_another_site_is_named() -> None:
    (reason,) = decided(of=tenant(site="china")).refusals
    assert (reason.code, reason.subject) == ("no_account_for_site", TENANT)


@pytest.mark.parametrize(
    ("contracts", "code"), [((), "contract_missing"), ((contract(signed_on=None),), "contract_not_in_force")]
)
def test_a_tenant_without_a_contract_is_refused(contracts: tuple[Contract, ...], code: str) -> None:
    (reason,) = decided(by=contracts).refusals
    assert reason == Refusal(code=code, message=f"no contract with {TENANT} is signed and valid today", subject=TENANT)


def test_the_call_is_intended_when_the_last_of_order_and_gates_came() -> None:
    early = tuple(milestone(name, NOW - timedelta(hours=1)) for name in GATES)
    assert decided(order(milestones=early)).decision.connection.intended_at == NOW
    late = (milestone(GATES[0], NOW + timedelta(hours=2)), milestone(GATES[1], NOW + timedelta(hours=1)))
    known = decided(order(milestones=(*late, milestone(MilestoneName.QUOTED, NOW + timedelta(days=1)))))
    assert known.decision.connection.intended_at == NOW + timedelta(hours=2)


def test_every_reason_is_told_at_once() -> None:
    asked = order(tenant_uid="12a", spec="9G", order_mode="PayByNobody", vlan_id=3_000)
    found = decide_order(asked, circuit(status="Initial"), None, (), POLICY)
    assert codes(found) == [
        "tenant_uid_malformed",
        "tenant_unknown",
        "contract_missing",
        "spec_unknown",
        "order_mode_unknown",
        "circuit_not_enabled",
        "vlan_out_of_range",
    ]
    (told, *_) = found.decision.effects
    assert told.details["reasons"] == codes(found)


def test_a_refused_order_never_intends_a_call() -> None:
    asked = order(vlan_id=3_000, milestones=tuple(milestone(name) for name in GATES))
    refused = decided(asked).decision.connection
    assert refused.intended_at is None
    later = decide_milestone(refused, milestone(MilestoneName.QUOTED), POLICY)
    assert later.connection.intended_at is None
    assert later.phase is Phase.REJECTED


# --- VLAN IDs and bandwidth -----------------------------------------------------------------------------------------


def test_vlan_zero_excludes_every_other_and_is_excluded_by_any() -> None:
    """Ruling 18 [INF]: enforced by default, switchable."""
    shared, whole = circuit().hold(7, 50), circuit().hold(0, 50)
    assert codes(decided(order(vlan_id=0))) == []
    assert codes(decided(order(vlan_id=0), on=shared)) == ["vlan_taken"]
    assert codes(decided(order(vlan_id=7), on=whole)) == ["vlan_taken"]
    assert codes(decided(order(vlan_id=None), on=whole)) == ["vlan_pool_exhausted"]

    lenient = replace(POLICY, vlan_zero_is_exclusive=False)
    for asked, line in ((order(vlan_id=0), shared), (order(vlan_id=7), whole), (order(vlan_id=None), whole)):
        assert codes(decided(asked, on=line, policy=lenient)) == []
    assert codes(decided(order(vlan_id=0), on=whole, policy=lenient)) == ["vlan_taken"]


def test_an_order_without_a_vlan_gets_the_lowest_free_one_of_the_pool() -> None:
    policy = replace(POLICY, vlan_pool=((200, 201), (100, 101)))
    line = circuit()
    given = []
    for _ in range(4):
        found = decided(order(vlan_id=None, spec="50M"), on=line, policy=policy)
        assert found.hold is not None
        assert found.circuit is not None
        given.append(found.hold.vlan_id)
        line = found.circuit
    assert given == [100, 101, 200, 201]
    assert codes(decided(order(vlan_id=None), on=line, policy=policy)) == ["vlan_pool_exhausted"]


@pytest.mark.parametrize(("spec", "held", "fits"), [("100M", 900, True), ("100M", 901, False), ("1G", 0, True)])
def test_a_spec_that_takes_the_last_bit_fits(spec: str, held: int, fits: bool) -> None:
    assert (codes(decided(order(spec=spec), on=circuit(held_mbps=held))) == []) is fits


def test_an_oversold_circuit_says_that_nothing_is_free() -> None:
    (refusal,) = decided(on=circuit(held_mbps=1_200)).refusals
    assert "the 0 Mbit/s" in refusal.message


# --- Contracts (ruling 21) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "in_force"),
    [
        (datetime(2022, 2, 28, 15, 59, 59, tzinfo=UTC), False),
        (datetime(2022, 2, 28, 16, 0, tzinfo=UTC), True),
        (datetime(2022, 3, 31, 15, 59, 59, tzinfo=UTC), True),
        (datetime(2022, 3, 31, 16, 0, tzinfo=UTC), False),
    ],
)
def test_a_contract_begins_and_ends_at_midnight_of_its_own_zone(now: datetime, in_force: bool) -> None:
    march = contract(
        signed_on=date(2022, 1, 1), valid_from=date(2022, 3, 1), valid_until=date(2022, 3, 31), zone="Asia/Shanghai"
    )
    assert march.in_force(now) is in_force
    assert (codes(decided(order(received_at=now), by=(march,))) == []) is in_force


def test_a_contract_needs_a_signature_and_may_have_no_end() -> None:
    assert contract(valid_until=None).in_force(NOW + timedelta(days=10_000))
    assert not contract(signed_on=None).in_force(NOW)
    assert not contract(signed_on=date(2022, 8, 2)).in_force(NOW)
    assert contract(signed_on=date(2022, 8, 1), valid_from=date(2022, 8, 1), valid_until=date(2022, 8, 1)).in_force(NOW)


def test_the_contract_in_force_is_the_one_on_record() -> None:
    past = contract(number="C-0", valid_until=date(2022, 7, 31))
    assert decided(by=(past, contract())).decision.connection.contract_number == "C-1"


# --- Milestones (rulings 5 and 11) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("push_after", "confirm_uid", "reached", "intended"),
    [
        (MilestoneName.LAST_MILE_READY, True, (), False),
        (MilestoneName.LAST_MILE_READY, True, (MilestoneName.LAST_MILE_READY,), False),
        (MilestoneName.LAST_MILE_READY, True, (MilestoneName.UID_CONFIRMED,), False),
        (MilestoneName.LAST_MILE_READY, True, GATES, True),
        (MilestoneName.LAST_MILE_READY, False, (MilestoneName.LAST_MILE_READY,), True),
        (MilestoneName.LAST_MILE_READY, False, (MilestoneName.QUOTE_ACCEPTED,), False),
        (MilestoneName.QUOTE_ACCEPTED, False, (MilestoneName.QUOTE_ACCEPTED,), True),
        (MilestoneName.UID_CONFIRMED, True, (MilestoneName.UID_CONFIRMED,), True),
    ],
)
def test_policy_says_which_milestones_gate_the_create_call(
    push_after: MilestoneName, confirm_uid: bool, reached: tuple[MilestoneName, ...], intended: bool
) -> None:
    policy = replace(POLICY, push_after=push_after, confirm_uid=confirm_uid)
    decision = decided(order(milestones=tuple(milestone(name) for name in reached)), policy=policy).decision
    assert decision.phase is (Phase.PROVISIONING if intended else Phase.ORDERED)
    assert [e.kind for e in decision.effects if isinstance(e, Command)] == (["create_port"] if intended else [])


def test_milestones_in_any_order_give_the_same_intent_and_one_command() -> None:
    reached = [milestone(name, NOW + timedelta(hours=hours)) for hours, name in enumerate(sorted(BEFORE_PUSH))]
    ended = []
    for telling in itertools.permutations(reached):
        decisions = [decided().decision]
        for one in telling:
            decisions.append(decide_milestone(decisions[-1].connection, one, POLICY))
        assert [e.kind for d in decisions for e in d.effects if isinstance(e, Command)] == ["create_port"]
        ended.append(decisions[-1].connection)
    with_the_order = decided(order(milestones=tuple(reached))).decision.connection
    assert all(one == with_the_order for one in ended)
    assert with_the_order.intended_at == NOW + timedelta(hours=3)


def test_a_milestone_of_a_known_name_changes_nothing() -> None:
    first = decide_milestone(decided().decision.connection, milestone(MilestoneName.QUOTED), POLICY)
    again = decide_milestone(first.connection, milestone(MilestoneName.QUOTED, NOW + timedelta(days=1)), POLICY)
    assert first.changed
    assert not again.changed
    assert again.connection == first.connection


# --- Identity -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client_order_id", ["1", "订单-七" * 200, "a\nb", ""])
def test_a_token_is_short_ascii_and_one_for_each_order(client_order_id: str) -> None:
    """API reference, parameter Token: at most 64 ASCII characters; "-pay" is added for the payment."""
    asked = order(client_order_id=client_order_id)
    token = token_of(asked.connection_id)
    assert token.isascii()
    assert len(f"{token}-pay") <= 64
    assert token == decided(asked).decision.connection.token
    assert token != token_of(order(client_order_id=client_order_id + "x").connection_id)
    assert token != token_of(order(client_order_id=client_order_id, account_id=TENANT).connection_id)


def test_an_order_without_a_zone_is_an_error() -> None:
    with pytest.raises(NaiveTimeError, match=r"^an order's time of receipt has no time zone$"):
        order(received_at=datetime(2022, 1, 1))  # noqa: DTZ001
