"""What every store promises about the quota of calls: no schedule of takers gets more than there is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossport.domain.quota import QUOTA, CallQuota
from tests.contract.store_examples import NOW, PARTNER
from tests.contract.store_insight import Stores

SECOND = timedelta(seconds=1)
SMALL = CallQuota(calls=5, period=timedelta(seconds=4), burst=1)


def take(
    stores: Stores, after: float = 0.0, *, api: str = "List", region: str = "us-east-1", other: bool = False
) -> bool:
    """Take one call so many seconds after the beginning."""
    store = stores.other if other else stores.store
    at = NOW + after * SECOND
    return store.take_call(account_id=PARTNER, region=region, api=api, now=at, quota=SMALL)


def test_a_call_that_was_taken_is_taken_for_everybody(stores: Stores) -> None:
    assert take(stores)
    assert not take(stores, 0.5, other=True)
    assert take(stores, 1.0, other=True)
    assert not take(stores, 1.0)


def test_each_api_and_region_has_its_own(stores: Stores) -> None:
    assert [take(stores), take(stores, api="Describe"), take(stores, region="cn-hangzhou")] == [True] * 3
    assert [take(stores), take(stores, api="Describe"), take(stores, region="cn-hangzhou")] == [False] * 3


def test_a_full_bucket_is_no_fuller_than_its_burst(stores: Stores) -> None:
    assert take(stores)
    assert [take(stores, 3600.0), take(stores, 3600.0)] == [True, False]


def test_after_a_hold_it_refills_from_there(stores: Stores) -> None:
    hold = {"account_id": PARTNER, "region": "us-east-1", "api": "List"}
    stores.store.hold_calls(**hold, until=NOW + 3 * SECOND)
    stores.other.hold_calls(**hold, until=NOW + 2 * SECOND)
    taken = [take(stores, each) for each in (0.0, 2.5, 3.5, 3.9)]
    assert taken == [False] * 4
    assert take(stores, 4.0)


def test_a_clock_that_went_back_brings_nothing_and_loses_nothing(stores: Stores) -> None:
    assert take(stores, 10.0)
    assert not take(stores, 8.0)
    assert not take(stores, 10.5)
    assert take(stores, 11.0)


def test_a_time_from_far_ahead_does_not_stop_everybody_for_ever(stores: Stores) -> None:
    assert take(stores, 86_400.0)
    assert take(stores, 0.0)
    assert not take(stores, 0.5)


@pytest.mark.parametrize("pace", [0.0, 0.05, 0.21])
def test_no_window_of_a_minute_has_more_than_the_clouds_quota(stores: Stores, pace: float) -> None:
    taken = []
    for number in range(700):
        at = NOW + timedelta(seconds=pace * number)
        if stores.store.take_call(account_id=PARTNER, region="us-east-1", api="List", now=at, quota=QUOTA):
            taken.append(at)
    for begin in taken:
        assert sum(begin <= at <= begin + QUOTA.period for at in taken) <= QUOTA.calls
    assert len(taken) == QUOTA.burst if not pace else len(taken) >= QUOTA.within(taken[-1] - taken[0])
