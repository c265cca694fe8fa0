"""The shared quota of calls under any schedule of takers, holds included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crossport.domain.quota import QUOTA, CallQuota
from tests.fakes.memory_store import MemoryStore

START = datetime(2026, 3, 1, tzinfo=UTC)
#: Pauses between takers in milliseconds: bursts, steady streams and long silences.
PAUSES = st.lists(st.sampled_from([0, 0, 1, 50, 200, 211, 999, 15_000, 90_000]), max_size=120)
QUOTAS = st.builds(
    lambda calls, burst, seconds: CallQuota(
        calls=calls, burst=min(burst, calls - 1), period=timedelta(seconds=seconds)
    ),
    st.integers(2, 40),
    st.integers(1, 39),
    st.integers(1, 60),
)


def schedule(pauses: list[int]) -> list[datetime]:
    """When each taker comes."""
    now, times = START, []
    for pause in pauses:
        now += timedelta(milliseconds=pause)
        times.append(now)
    return times


def taken(times: list[datetime], quota: CallQuota, held: frozenset[int] = frozenset()) -> list[datetime]:
    """The takers that got a call; those whose number is in ``held`` empty the bucket instead."""
    store, place = MemoryStore(), {"account_id": "1", "region": "us-east-1", "api": "List"}
    got = []
    for number, at in enumerate(times):
        if number in held:
            store.hold_calls(**place, until=at + quota.period / 12)
        elif store.take_call(**place, now=at, quota=quota):
            got.append(at)
    return got


@given(PAUSES, QUOTAS, st.frozensets(st.integers(0, 120), max_size=5))
def test_no_window_has_more_than_the_quota(pauses: list[int], quota: CallQuota, held: frozenset[int]) -> None:
    got = taken(schedule(pauses), quota, held)
    for begin in got:
        assert sum(begin <= at <= begin + quota.period for at in got) <= quota.calls


@given(PAUSES, QUOTAS)
def test_whoever_keeps_the_steady_pace_is_never_refused(pauses: list[int], quota: CallQuota) -> None:
    step = timedelta(seconds=1 / quota.per_second) + timedelta(microseconds=1)
    times = [START + number * step for number in range(len(pauses))]
    assert taken(times, quota) == times


def test_a_steady_reader_gets_nineteen_of_twenty_calls_of_the_quota() -> None:
    assert QUOTA.within(QUOTA.period) == 285
    assert QUOTA.burst + QUOTA.within(QUOTA.period) == QUOTA.calls
