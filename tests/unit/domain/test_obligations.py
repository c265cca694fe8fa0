"""What a partner has promised, and the evidence where it is not kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crossport.domain.circuit import Circuit
from crossport.domain.obligations import OBLIGATIONS, Broken, check_obligations
from crossport.domain.placement import Placement
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Phase
from tests.unit.domain.examples import PARTNER, POLICY, REGION, STRANGER, TENANT, circuit, port_read


def placed(number: int = 1, **changes: Any) -> Placement:
    """An active connection for 100M of its own VLAN ID on the example's circuit."""
    vlan_id, port_id = changes.get("vlan_id", 100 + number), f"pc-port-{number}"
    port = port_read(port_id=port_id, vlan_id=vlan_id, spec=changes.get("spec", "100M"))
    plain = Placement(
        connection_id=f"conn-{number}",
        account_id=PARTNER,
        region=REGION,
        circuit_id="pc-a1",
        access_point="A",
        tenant_uid=TENANT,
        group_id="",
        phase=Phase.ACTIVE,
        port_id=port_id,
        vlan_id=vlan_id,
        spec="100M",
        port=port,
    )
    return replace(plain, **changes)


def lying(circuit_id: str, access_point: str = "A", **changes: Any) -> Circuit:
    return circuit(circuit_id=circuit_id, access_point=access_point, **changes)


#: Two circuits at each of two access points: all is as promised.
SOUND = (lying("pc-a1"), lying("pc-a2"), lying("pc-b1", "B"), lying("pc-b2", "B"))


def broken(
    *placements: Placement, circuits: tuple[Circuit, ...] = SOUND, policy: Policy = POLICY
) -> dict[str, list[Broken]]:
    """The broken promises by name."""
    checked = check_obligations(circuits, placements, lambda _account: policy)
    assert [each.obligation for each in checked] == list(OBLIGATIONS)
    return {each.obligation.name: list(each.broken) for each in checked if each.broken}


def test_all_is_kept_where_all_is_as_promised() -> None:
    assert broken(placed(1), placed(2, circuit_id="pc-b1", access_point="B")) == {}


def test_what_nothing_shows_is_never_called_kept() -> None:
    states = {each.obligation.name: each.state for each in check_obligations(SOUND, (), lambda _account: POLICY)}
    assert states["arp_limited"] == states["compliant_carrier"] == "cannot check"
    assert states["circuits_an_access_point"] == "kept"


def test_an_access_point_has_two_circuits_in_service() -> None:
    found = broken(circuits=(*SOUND[:3], lying("pc-b2", "B", status="Terminated")))
    ((one,),) = found.values()
    assert list(found) == ["circuits_an_access_point"]
    assert (one.account_id, one.subject, one.circuit_ids) == (PARTNER, "B", ("pc-b1", "pc-b2"))
    assert one.evidence == f"1 of 2 circuits at B ({REGION}) in service, 2 are promised; pc-b2 is Terminated"


def test_access_points_of_two_accounts_are_not_added_up() -> None:
    theirs = (lying("pc-s1", account_id=STRANGER), lying("pc-s2", "B", account_id=STRANGER))
    (one, other) = broken(circuits=(*SOUND, *theirs))["circuits_an_access_point"]
    assert {one.account_id, other.account_id} == {STRANGER}


def test_the_circuits_of_a_region_end_at_different_access_points() -> None:
    found = broken(circuits=SOUND[:2])
    assert [(one.subject, one.evidence) for one in found["access_points_apart"]] == [
        (REGION, f"circuits of {REGION} are in service only at A")
    ]


@pytest.mark.parametrize(("spec", "expected"), [("500M", False), ("1G", True)])
def test_specs_on_a_circuit_stay_within_its_bandwidth(spec: str, expected: bool) -> None:
    found = broken(placed(1, spec=spec), placed(2, spec="500M", circuit_id="pc-a1", tenant_uid=STRANGER))
    assert ("specs_within_bandwidth" in found) is expected
    if expected:
        (one,) = found["specs_within_bandwidth"]
        assert one.evidence == "its ports take 1500 Mbit/s of 1000 Mbit/s"
        assert one.connection_ids == ("conn-1", "conn-2")


def test_a_change_that_is_unpaid_counts_with_the_larger_spec() -> None:
    asked = placed(1, port=port_read(port_id="pc-port-1", spec="100M", expect_spec="1G", vlan_id=101))
    assert asked.mbps == 1_000
    assert "specs_within_bandwidth" in broken(asked, placed(2, tenant_uid=STRANGER))


def test_orders_that_hold_more_than_there_is_break_the_promise_before_any_port_does() -> None:
    (one,) = broken(circuits=(replace(SOUND[0], held_mbps=1_200), *SOUND[1:]))["specs_within_bandwidth"]
    assert one.evidence == "1200 Mbit/s are held for orders of 1000 Mbit/s"


@pytest.mark.parametrize("vlan_id", [0, 120])
def test_vlan_ids_are_unique_on_a_circuit(vlan_id: int) -> None:
    twice = (placed(1, vlan_id=vlan_id), placed(2, vlan_id=vlan_id, tenant_uid=STRANGER))
    (one,) = broken(*twice)["vlan_ids_unique"]
    assert one.evidence == f"2 ports have VLAN {vlan_id}"
    assert one.connection_ids == ("conn-1", "conn-2")
    assert broken(twice[0], replace(twice[1], circuit_id="pc-a2")) == {}


def test_vlan_zero_is_alone_unless_policy_says_otherwise() -> None:
    both = (placed(1, vlan_id=0), placed(2, tenant_uid=STRANGER))
    assert "vlan_ids_unique" in broken(*both)
    assert broken(*both, policy=replace(POLICY, vlan_zero_is_exclusive=False)) == {}


def grouped(number: int, circuit_id: str, access_point: str, **changes: Any) -> Placement:
    return placed(number, circuit_id=circuit_id, access_point=access_point, group_id="HA", **changes)


@pytest.mark.parametrize(
    ("circuit_id", "access_point", "evidence"),
    [
        ("pc-a1", "A", "circuit pc-a1 carries more than one member: conn-1, conn-2"),
        ("pc-a2", "A", "access point A carries more than one member: conn-1, conn-2"),
        ("pc-b1", "B", ""),
    ],
)
def test_members_of_a_group_run_apart(circuit_id: str, access_point: str, evidence: str) -> None:
    found = broken(grouped(1, "pc-a1", "A"), grouped(2, circuit_id, access_point))
    assert [one.evidence for one in found.get("groups_apart", [])] == ([evidence] if evidence else [])


def test_a_third_member_elsewhere_does_not_excuse_two_on_one_circuit() -> None:
    (one,) = broken(grouped(1, "pc-a1", "A"), grouped(2, "pc-a1", "A"), grouped(3, "pc-b1", "B"))["groups_apart"]
    assert one.connection_ids == ("conn-1", "conn-2")


@pytest.mark.parametrize(
    ("sibling", "evidence"),
    [
        (None, "conn-1 carries alone: it has no sibling"),
        (Phase.SUSPENDED, "conn-1 carries alone: conn-2 is suspended"),
        (Phase.RELEASED, "conn-1 carries alone: it has no sibling"),
        (Phase.ACTIVE, ""),
    ],
)
def test_a_member_that_carries_has_a_sibling_that_carries(sibling: Phase | None, evidence: str) -> None:
    members = [grouped(1, "pc-a1", "A")]
    if sibling is not None:
        members.append(grouped(2, "pc-b1", "B", phase=sibling))
    found = broken(*members)
    assert [one.evidence for one in found.get("groups_whole", [])] == ([evidence] if evidence else [])


def test_a_group_that_carries_nothing_yet_is_missed_by_nobody() -> None:
    assert broken(grouped(1, "pc-a1", "A", phase=Phase.OFFERED)) == {}


@pytest.mark.parametrize(
    ("circuit_id", "access_point", "evidence"),
    [
        ("pc-a1", "A", f"its 2 connections in {REGION} are all on circuit pc-a1"),
        ("pc-a2", "A", f"its 2 connections in {REGION} are all at access point A"),
        ("pc-b1", "B", ""),
    ],
)
def test_a_tenant_with_several_connections_has_them_spread(circuit_id: str, access_point: str, evidence: str) -> None:
    found = broken(placed(1), placed(2, circuit_id=circuit_id, access_point=access_point))
    assert [one.evidence for one in found.get("tenants_spread", [])] == ([evidence] if evidence else [])


def test_what_has_ended_or_has_no_port_yet_breaks_no_promise_to_a_tenant() -> None:
    for phase in (Phase.RELEASED, Phase.WITHDRAWN, Phase.ORDERED, Phase.REJECTED):
        assert broken(placed(1), placed(2, phase=phase, port=None)) == {}
