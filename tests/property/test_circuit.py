"""Properties of a circuit: holds and releases against a plain set of VLAN IDs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.circuit import MAX_VLAN_ID
from tests.unit.domain.examples import circuit

VLANS = st.one_of(st.integers(0, 6), st.integers(MAX_VLAN_ID - 2, MAX_VLAN_ID), st.integers(0, MAX_VLAN_ID))
SPECS = st.sampled_from((50, 100, 1_000))


@given(st.lists(st.tuples(VLANS, SPECS)), st.booleans())
@settings(deadline=None)
def test_holds_are_a_map_from_vlan_to_bandwidth(asked: list[tuple[int, int]], exclusive: bool) -> None:
    line, held = circuit(), dict[int, int]()
    for vlan_id, mbps in asked:
        if vlan_id in held:
            with pytest.raises(ValueError, match="is held"):
                line.hold(vlan_id, mbps)
            line = line.release(vlan_id, held.pop(vlan_id))
            with pytest.raises(ValueError, match="is not held"):
                line.release(vlan_id, mbps)
        else:
            line = line.hold(vlan_id, mbps)
            held[vlan_id] = mbps
        assert line.free_mbps == line.bandwidth_mbps - sum(held.values())
        for each in (0, 1, vlan_id, MAX_VLAN_ID):
            shut_out = exclusive and (bool(held) if each == 0 else 0 in held)
            assert line.is_free(each, zero_is_exclusive=exclusive) is (each not in held and not shut_out)
    for vlan_id, mbps in held.items():
        line = line.release(vlan_id, mbps)
    assert line == circuit()


@given(
    st.sets(VLANS),
    st.lists(st.tuples(VLANS, VLANS).map(lambda pair: (min(pair), max(pair))), max_size=3),
    st.booleans(),
)
@settings(deadline=None)
def test_the_lowest_free_vlan_of_the_pool_is_picked(
    held: set[int], pool: list[tuple[int, int]], exclusive: bool
) -> None:
    line = circuit(bandwidth_mbps=100_000)
    for vlan_id in held:
        line = line.hold(vlan_id, 50)
    pooled = {vlan_id for low, high in pool for vlan_id in range(max(low, 1), high + 1)}
    free = sorted(pooled - held) if not (exclusive and 0 in held) else []
    assert line.lowest_free(pool, zero_is_exclusive=exclusive) == (free[0] if free else None)


@pytest.mark.parametrize("vlan_id", [-1, MAX_VLAN_ID + 1])
def test_what_is_no_vlan_is_never_free(vlan_id: int) -> None:
    assert not circuit().is_free(vlan_id)
