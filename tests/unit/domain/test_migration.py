"""Migrations: what an order for a port from a VBR is refused for, and which VBR fits it (ruling 16)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crossport.domain.connection import Migration, Refusal
from crossport.domain.migration import MigrationOrder, cap_makes_spec, decide_migration, vbr_as_ordered
from crossport.domain.orders import Hold, OrderDecision
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Flow, OrderMode, Phase
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    PARTNER,
    POLICY,
    STRANGER,
    TENANT,
    VBR,
    VLAN,
    circuit,
    contract,
    tenant,
    vbr_read,
    vbr_seen,
)

EVERYTHING = replace(POLICY, specs=frozenset(MBPS), approved_above_1g=True)
AGREED = Migration(vbr_id=VBR, bandwidth_mbps=100)


def order(**changes: Any) -> MigrationOrder:
    plain = MigrationOrder(
        client_order_id="order-1",
        account_id=PARTNER,
        circuit_id=CIRCUIT,
        tenant_uid=TENANT,
        spec="100M",
        order_mode=str(OrderMode.TENANT_PAYS),
        received_at=NOW,
        vlan_id=VLAN,
        vbr_id=VBR,
    )
    return replace(plain, **changes)


def decided(asked: MigrationOrder, bandwidth_mbps: int = 1_000) -> OrderDecision:
    return decide_migration(asked, circuit(bandwidth_mbps=bandwidth_mbps), tenant(), (contract(),), EVERYTHING)


def test_a_migration_holds_the_vbrs_vlan_once_and_keeps_what_was_agreed() -> None:
    found = decided(order())
    assert found.refusals == ()
    assert found.hold == Hold(circuit_id=CIRCUIT, vlan_id=VLAN, mbps=100, connection_id=order().connection_id)
    assert found.circuit == circuit().hold(VLAN, 100)
    connection = found.decision.connection
    assert (connection.flow, connection.migration, found.decision.phase) == (Flow.MIGRATION, AGREED, Phase.ORDERED)


@pytest.mark.parametrize(
    ("spec", "agreed", "cap"),
    [("100M", None, 100), ("1G", None, 1_000), ("2G", None, 2_048), ("2G", 2_000, 2_000), ("9G", None, 0)],
)
def test_the_cap_is_the_one_agreed_else_that_of_the_spec(spec: str, agreed: int | None, cap: int) -> None:
    assert order(spec=spec, bandwidth_mbps=agreed).cap_mbps == cap


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, None),
        ({"bandwidth_mbps": 100}, None),
        ({"spec": "9G", "bandwidth_mbps": 7}, None),
        (
            {"bandwidth_mbps": 200},
            "a cap of 200 Mbit/s does not make a port of 100M; that takes 100",
        ),
        (
            {"spec": "2G", "bandwidth_mbps": 2_000},
            "a cap of 2000 Mbit/s does not make a port of 2G; that takes 2048",
        ),
        ({"bandwidth_mbps": 0}, "a cap of 0 Mbit/s does not make a port of 100M; that takes 100"),
    ],
)
def test_the_cap_must_make_the_ordered_spec(changes: dict[str, Any], refusal: str | None) -> None:
    asked = order(**changes)
    expected = [Refusal(code="bandwidth_cap_differs", message=refusal, subject=asked.spec)] if refusal else []
    assert list(cap_makes_spec(asked)) == expected


def test_a_migration_is_refused_with_all_its_own_reasons_and_those_of_every_order() -> None:
    found = decided(order(vlan_id=None, bandwidth_mbps=200, order_mode="Nobody"))
    assert found.refusals[-2:] == (
        Refusal(code="vbr_vlan_missing", message="a migration names the VLAN ID of its VBR", subject=VBR),
        Refusal(
            code="bandwidth_cap_differs",
            message="a cap of 200 Mbit/s does not make a port of 100M; that takes 100",
            subject="100M",
        ),
    )
    assert found.refusals[0].code == "order_mode_unknown"
    assert found.decision.phase is Phase.REJECTED
    assert found.decision.connection.migration == replace(AGREED, bandwidth_mbps=200)


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        ({}, None, ""),
        ({"owner_uid": STRANGER}, "vbr_of_other_tenant", f"VBR {VBR} has {STRANGER}, ordered is {TENANT}"),
        ({"port_id": "pc-other"}, "vbr_on_other_circuit", f"VBR {VBR} has pc-other, ordered is {CIRCUIT}"),
        ({"vlan_id": 0}, "vbr_vlan_differs", f"VBR {VBR} has 0, ordered is {VLAN}"),
    ],
)
def test_a_vbr_that_is_not_as_ordered_is_not_converted(said: dict[str, Any], code: str | None, message: str) -> None:
    seen = vbr_read(**{"port_id": CIRCUIT, **said})
    found = vbr_as_ordered(seen, AGREED, owner=TENANT, vlan_id=VLAN, circuit_id=CIRCUIT)
    assert found == (Refusal(code=code, message=message, subject=VBR) if code else None)


def test_what_the_cloud_did_not_say_of_a_vbr_is_not_held_against_it() -> None:
    assert vbr_as_ordered(vbr_seen(), AGREED, owner=TENANT, vlan_id=VLAN, circuit_id=CIRCUIT) is None


def test_a_vbr_that_is_not_shown_is_a_refusal_that_names_it() -> None:
    found = vbr_as_ordered(None, AGREED, owner=TENANT, vlan_id=VLAN, circuit_id=CIRCUIT)
    assert found == Refusal(code="vbr_not_found", message=f"no VBR {VBR} is shown", subject=VBR)


@pytest.mark.parametrize(
    ("before", "after", "untouched"),
    [("", "", None), ("{}", "", None), ("", "{}", None), ("{}", "{}", True), ("{}", "{1}", False)],
)
def test_whether_the_vbr_came_through_is_known_once_both_snapshots_are_there(
    before: str, after: str, untouched: bool | None
) -> None:
    assert replace(AGREED, before=before, after=after).untouched is untouched
