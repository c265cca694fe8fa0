"""Whatever is lost on the way, every circuit is swept again and again, and never beyond the quota."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.quota import QUOTA
from crossport.domain.sweep import SLOT, WORKING_TIME, SweptCircuit, shards_of

START = datetime(2026, 3, 1, tzinfo=UTC)
ROOM = QUOTA.within(WORKING_TIME)
CIRCUITS = st.lists(st.integers(0, 2_999), min_size=1, max_size=150).map(
    lambda sizes: [
        SweptCircuit(circuit_id=f"pc-{n:03}", account_id=str(n % 2), region="r", listed=size)
        for n, size in enumerate(sizes)
    ]
)


@settings(max_examples=40)
@given(CIRCUITS, st.data())
def test_each_slot_keeps_the_quota_and_each_circuit_has_its_turn(
    circuits: list[SweptCircuit], data: st.DataObject
) -> None:
    state = {one.circuit_id: one for one in circuits}
    calls = max(sum(one.calls for one in circuits if one.account_id == account) for account in "01")
    # Shards that are lost cost their slot; without losses a whole round takes this many.
    lost = data.draw(st.lists(st.booleans(), max_size=6))
    rounds = len(lost) + calls // (ROOM - 60) + 1
    for number in range(rounds):
        slot = START + number * SLOT
        shards = shards_of(state.values(), slot)
        ids = [one for shard in shards for one in shard.circuit_ids]
        assert len(set(ids)) == len(ids)
        for account in "01":
            taken = [state[one].calls for one in ids if state[one].account_id == account]
            assert sum(taken) <= ROOM
        for shard in shards:
            assert {state[one].account_id for one in shard.circuit_ids} == {shard.account_id}
        if number < len(lost) and lost[number]:
            continue  # the whole tick was lost
        for one in ids:
            state[one] = replace(state[one], completed_at=slot)
    assert all(one.completed_at is not None for one in state.values())


@given(CIRCUITS)
def test_a_plan_does_not_hang_on_the_order_of_its_circuits(circuits: list[SweptCircuit]) -> None:
    assert shards_of(reversed(circuits), START) == shards_of(circuits, START)
