"""Whoever asks for a call waits as long as it may, and no longer; a Throttling answer holds everybody off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure
from crossport.application.quota import AFTER_THROTTLING, QUOTA_EXHAUSTED, SharedQuota
from crossport.domain.quota import CallQuota
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_store import MemoryStore

PLACE = ("1", "us-east-1", "ListVirtualPhysicalConnections")
SMALL = CallQuota(calls=61, burst=1)


def shared() -> tuple[SharedQuota, ManualClock]:
    """A quota of one call a second, whose waiting moves the clock."""
    clock, store = ManualClock(), MemoryStore()
    return SharedQuota(lambda: store, clock, quota=SMALL, sleep=clock.advance), clock


def test_without_time_to_wait_it_says_that_nothing_was_sent() -> None:
    calls, clock = shared()
    before = clock.now()
    calls.take(*PLACE)
    with pytest.raises(CloudCallError) as raised:
        calls.take(*PLACE)
    assert (raised.value.failure, raised.value.cloud_code) == (CloudFailure.RETRYABLE, QUOTA_EXHAUSTED)
    assert raised.value.action == PLACE[2]
    assert clock.now() == before


def test_with_time_it_waits_for_its_call() -> None:
    calls, clock = shared()
    began = clock.now()
    calls.until = began + timedelta(seconds=10)
    for _ in range(4):
        calls.take(*PLACE)
    assert clock.now() - began == timedelta(seconds=3)


def test_it_does_not_wait_beyond_its_time() -> None:
    calls, clock = shared()
    began = clock.now()
    calls.until = began + timedelta(seconds=2)
    calls.take(*PLACE)
    calls.take(*PLACE)
    with pytest.raises(CloudCallError):
        calls.take(*PLACE)
    assert clock.now() < began + timedelta(seconds=2)


def test_after_throttling_nobody_calls_for_a_while() -> None:
    calls, clock = shared()
    calls.throttled(*PLACE)
    began = clock.now()
    calls.until = began + timedelta(minutes=1)
    calls.take(*PLACE)
    assert clock.now() - began >= AFTER_THROTTLING + timedelta(seconds=1)
    calls.take(PLACE[0], PLACE[1], "DescribeVirtualBorderRouters")


@pytest.mark.parametrize(("calls", "burst"), [(1, 1), (10, 10), (10, 0)])
def test_a_quota_that_cannot_be_kept_is_refused(calls: int, burst: int) -> None:
    with pytest.raises(ValueError, match="burst"):
        CallQuota(calls=calls, burst=burst)
