"""The plan of a sweep: slots, shards within the quota, the oldest first."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crossport.domain.quota import QUOTA
from crossport.domain.sweep import SLOT, WORKING_TIME, Shard, SweptCircuit, shards_of, slot_of

SLOT_START = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)
#: Calls that the shards of one slot may make.
ROOM = QUOTA.within(WORKING_TIME)


def circuit(
    name: str, listed: int = 0, age: int | None = None, *, account: str = "1", region: str = "r"
) -> SweptCircuit:
    """A circuit whose latest complete run is so many minutes old."""
    at = None if age is None else SLOT_START - timedelta(minutes=age)
    return SweptCircuit(circuit_id=name, account_id=account, region=region, listed=listed, completed_at=at)


def planned(*circuits: SweptCircuit) -> list[tuple[str, ...]]:
    return [shard.circuit_ids for shard in shards_of(circuits, SLOT_START)]


@pytest.mark.parametrize(("minute", "second"), [(10, 0), (10, 1), (15, 30), (19, 59)])
def test_a_slot_is_ten_minutes_on_the_minute(minute: int, second: int) -> None:
    assert slot_of(datetime(2026, 3, 1, 12, minute, second, 7, tzinfo=UTC)) == SLOT_START


def test_a_slot_is_the_same_in_every_zone() -> None:
    east = timezone(timedelta(hours=8))
    assert slot_of(datetime(2026, 3, 1, 20, 12, tzinfo=east)) == SLOT_START


def test_small_circuits_share_a_shard_and_accounts_and_regions_do_not() -> None:
    assert planned(circuit("b"), circuit("a"), circuit("c", region="s"), circuit("d", account="2")) == [
        ("a", "b"),
        ("c",),
        ("d",),
    ]


def test_the_oldest_come_first_and_those_never_completed_before_all() -> None:
    assert planned(circuit("a", age=10), circuit("b", age=30), circuit("c"), circuit("d", age=20)) == [
        ("c", "b", "d", "a")
    ]


def test_a_full_circuit_is_a_shard_of_its_own_with_room_for_another() -> None:
    assert circuit("a", 2_999).calls == 60
    assert planned(*(circuit(name, 2_999) for name in "abc")) == [("a", "b"), ("c",)]


def test_no_shard_has_more_circuits_than_can_be_done_again_cheaply() -> None:
    assert [len(ids) for ids in planned(*(circuit(f"{n:03}") for n in range(90)))] == [40, 40, 10]


def test_what_the_quota_has_no_room_for_waits_for_a_later_slot() -> None:
    shards = planned(*(circuit(f"{n:03}", 2_999, age=n) for n in range(100)))
    ids = [one for shard in shards for one in shard]
    assert len(ids) == ROOM // 60
    assert ids[0] == "099"


def test_one_place_does_not_take_the_room_of_another() -> None:
    full = [circuit(f"{n:03}", 2_999) for n in range(100)]
    assert planned(*full, circuit("z", region="s"))[-1] == ("z",)


def test_a_circuit_that_is_too_large_for_a_slot_is_begun_all_the_same() -> None:
    assert planned(circuit("a", 50 * ROOM)) == [("a",)]
    assert planned(circuit("a", 50 * ROOM), circuit("b")) == [("a",)]


def test_a_task_id_is_what_function_compute_takes_and_hangs_on_circuits_and_slot() -> None:
    def shard(slot: datetime = SLOT_START, *ids: str, region: str = "r") -> Shard:
        return Shard(account_id="1", region=region, slot=slot, circuit_ids=ids)

    one = shard(SLOT_START, "a", "b").task_id
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,127}", one)
    assert one == shard(SLOT_START, "a", "b").task_id
    others = {shard(SLOT_START + SLOT, "a", "b"), shard(SLOT_START, "a"), shard(SLOT_START, "a", "b", region="s")}
    assert one not in {other.task_id for other in others}
