"""Properties of the billing grid: periods tile a port's paid life, and a renewal never rewrites what was complete."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.billing import BILLING_ZONE, charges_of, cut, periods
from crossport.domain.decide import decide
from crossport.domain.vocabulary import OrderMode
from tests.effort import examples
from tests.unit.domain.examples import NOW, POLICY, connection, port_read, vbr_read

ENABLED = st.timedeltas(timedelta(0), timedelta(days=3_400)).map(
    lambda since: datetime(2019, 12, 1, tzinfo=BILLING_ZONE) + since
)
LENGTHS = st.timedeltas(timedelta(0), timedelta(days=1_200))


@given(ENABLED, LENGTHS)
@settings(deadline=None)
def test_periods_tile_the_paid_life_without_gap_or_overlap(enabled: datetime, length: timedelta) -> None:
    end = enabled + length
    found = list(periods(enabled, end))
    assert [period.index for period in found] == list(range(len(found)))
    assert all(period.start < period.end for period in found)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert (found[0].start, found[-1].end) == (enabled, end) if found else length == timedelta(0)


@given(ENABLED, st.integers(0, 40))
@settings(deadline=None)
def test_cuts_are_midnights_about_a_month_apart(enabled: datetime, index: int) -> None:
    at, following = cut(enabled, index), cut(enabled, index + 1)
    assert at.utcoffset() == timedelta(hours=8)
    assert at.replace(hour=0, minute=0, second=0, microsecond=0) == at
    assert timedelta(days=28) <= following - at <= timedelta(days=31)
    assert timedelta(days=28) < cut(enabled, 0) - enabled <= timedelta(days=32)


@given(ENABLED, LENGTHS, LENGTHS)
@settings(deadline=None)
def test_a_later_end_only_completes_or_appends(enabled: datetime, length: timedelta, renewal: timedelta) -> None:
    before = list(periods(enabled, enabled + length))
    after = list(periods(enabled, enabled + length + renewal))
    complete = [period for period in before if not period.off_grid]
    assert after[: len(complete)] == complete
    assert len(before) - len(complete) <= 1
    assert [period.start for period in after[: len(before)]] == [period.start for period in before]


@given(ENABLED, LENGTHS, st.sampled_from(OrderMode), st.sampled_from(("50M", "100M", "200M")))
@settings(deadline=None, max_examples=examples(50))
def test_facts_are_unique_and_money_is_never_binary(
    enabled: datetime, length: timedelta, mode: OrderMode, spec: str
) -> None:
    seen = port_read(
        NOW, status="Enabled", enabled_time=enabled, end_time=enabled + length, order_mode=str(mode), spec=spec
    )
    charges = charges_of(decide(connection(), [seen, vbr_read(NOW)], POLICY).connection, POLICY)
    assert len({charge.fact for charge in charges}) == len(charges)
    for charge in charges:
        assert not [each.name for each in fields(charge) if isinstance(getattr(charge, each.name), float)]
        assert isinstance(charge.unit_price, Decimal)
        assert charge.amount is None or charge.amount.as_tuple().exponent == -2
