"""Who is hit when a circuit fails, and for whom a sibling still carries."""

from __future__ import annotations

from typing import Any

import pytest

from crossport.domain.impact import Affected, impact_of
from crossport.domain.placement import Placement
from crossport.domain.vocabulary import Phase
from tests.unit.domain.examples import STRANGER, TENANT
from tests.unit.domain.test_obligations import SOUND, grouped, lying, placed

CIRCUITS = {circuit.circuit_id: circuit for circuit in SOUND}


def impact(*placements: Placement, **rest: Any) -> tuple[Affected, ...]:
    return impact_of("pc-a1", placements, rest.pop("circuits", CIRCUITS), **rest)


def test_what_is_in_service_without_a_sibling_is_cut_off() -> None:
    (one,) = impact(placed(1))
    assert (one.cut_off, one.carried, one.siblings) == (True, False, ())


def test_an_offer_is_on_the_list_and_is_not_cut_off() -> None:
    (one,) = impact(placed(1, phase=Phase.OFFERED))
    assert (one.cut_off, one.carried) == (False, False)


def test_a_sibling_in_service_elsewhere_carries() -> None:
    (one,) = impact(grouped(1, "pc-a1", "A"), grouped(2, "pc-b1", "B"))
    assert (one.cut_off, one.carried) == (False, True)
    assert [(each.placement.connection_id, each.why_not) for each in one.siblings] == [("conn-2", "")]


@pytest.mark.parametrize(
    ("sibling", "rest", "why_not"),
    [
        (grouped(2, "pc-b1", "B", phase=Phase.SUSPENDED), {}, "it is suspended"),
        (grouped(2, "pc-a1", "A"), {}, "it is on the same circuit"),
        (grouped(2, "pc-b1", "B"), {"troubled": {"pc-b1": "outage mnt-1"}}, "its circuit: outage mnt-1"),
        (
            grouped(2, "pc-b1", "B"),
            {"circuits": {**CIRCUITS, "pc-b1": lying("pc-b1", "B", status="Terminated")}},
            "its circuit is Terminated",
        ),
    ],
)
def test_a_sibling_that_does_not_carry_says_why(sibling: Placement, rest: dict[str, Any], why_not: str) -> None:
    one = impact(grouped(1, "pc-a1", "A"), sibling, **rest)[0]
    assert (one.cut_off, one.carried) == (True, False)
    assert [each.why_not for each in one.siblings] == [why_not]


def test_one_of_several_siblings_is_enough() -> None:
    members = (grouped(1, "pc-a1", "A"), grouped(2, "pc-b1", "B", phase=Phase.OFFERED), grouped(3, "pc-b2", "B"))
    (one,) = impact(*members)
    assert one.carried
    assert [each.carries for each in one.siblings] == [False, True]


def test_a_sibling_that_has_ended_is_no_sibling() -> None:
    (one,) = impact(grouped(1, "pc-a1", "A"), grouped(2, "pc-b1", "B", phase=Phase.RELEASED))
    assert one.siblings == ()


def test_who_is_cut_off_comes_first_and_what_has_ended_is_not_there() -> None:
    found = impact(
        placed(1, phase=Phase.OFFERED),
        placed(2, phase=Phase.RELEASED),
        placed(3, tenant_uid=STRANGER),
        placed(4, circuit_id="pc-b1", access_point="B"),
        placed(5, tenant_uid=TENANT),
    )
    assert [one.placement.connection_id for one in found] == ["conn-5", "conn-3", "conn-1"]
