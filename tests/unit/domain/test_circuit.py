"""VLAN IDs and bandwidth of a circuit, by example; tests/property/test_circuit.py tries the rest."""

from __future__ import annotations

import pytest

from crossport.domain.circuit import Circuit
from tests.unit.domain.examples import CIRCUIT, circuit

WITH_ZERO = circuit().hold(0, 50)


def test_vlan_zero_shuts_all_others_out_unless_told_otherwise() -> None:
    assert not WITH_ZERO.is_free(7)
    assert not circuit().hold(7, 50).is_free(0)
    assert WITH_ZERO.is_free(7, zero_is_exclusive=False)
    assert WITH_ZERO.lowest_free(((1, 9),)) is None
    assert WITH_ZERO.lowest_free(((1, 9),), zero_is_exclusive=False) == 1


@pytest.mark.parametrize(
    ("held", "pool", "lowest"),
    [
        ((), ((0, 9),), 1),
        ((), ((1, 1),), 1),
        ((), ((0, 0),), None),
        ((), ((7, 7),), 7),
        ((7,), ((7, 7),), None),
        ((1, 2), ((1, 9),), 3),
        ((1, 2, 3), ((20, 30), (1, 3)), 20),
        # A range written the wrong way round holds nothing.
        ((), ((5, 2),), None),
        ((), ((5, 2), (40, 41)), 40),
        ((), (), None),
    ],
)
def test_the_lowest_free_vlan_of_the_ranges(
    held: tuple[int, ...], pool: tuple[tuple[int, int], ...], lowest: int | None
) -> None:
    line = circuit()
    for vlan_id in held:
        line = line.hold(vlan_id, 50)
    assert line.lowest_free(pool) == lowest


def test_no_vlan_is_held_twice_or_given_back_twice() -> None:
    held = circuit().hold(7, 50)
    assert (held.holds(7), held.holds(6), held.holds(8)) == (True, False, False)
    assert (held.held_mbps, held.free_mbps) == (50, 950)
    with pytest.raises(ValueError, match=rf"^VLAN 7 is held on {CIRCUIT}$"):
        held.hold(7, 50)
    with pytest.raises(ValueError, match=rf"^VLAN 6 is not held on {CIRCUIT}$"):
        held.release(6, 50)
    assert held.release(7, 50) == circuit()


@pytest.mark.parametrize("vlan_id", [-1, 3_000])
def test_outside_the_range_nothing_is_held(vlan_id: int) -> None:
    everything: Circuit = circuit(vlan_bitmap=(1 << 3_001) - 1)
    assert not everything.holds(vlan_id)
    assert everything.holds(0)
    assert everything.holds(2_999)
