"""Properties of the billing grid: periods tile a port's paid life, and a renewal never rewrites what was complete."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.billing import BILLING_ZONE, charges_of, cut, periods
from crossport.domain.decide import decide
from crossport.domain.observation import Observation
from crossport.domain.prices import PriceList
from crossport.domain.vocabulary import OrderMode
from tests.effort import examples
from tests.unit.domain.examples import NOW, PARTNER_PRICES, POLICY, connection, port_read, vbr_read

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


@given(ENABLED, LENGTHS, LENGTHS, st.sampled_from(OrderMode), st.data())
@settings(deadline=None, max_examples=examples(100))
def test_a_later_price_never_changes_the_record_of_a_period_that_began_before_it(
    enabled: datetime, length: timedelta, since: timedelta, mode: OrderMode, data: st.DataObject
) -> None:
    """Applied at any point among the observations, and whatever their order: the same records in the end."""
    old, start = POLICY, enabled + since
    new = replace(
        POLICY,
        price_list=_raised(POLICY.price_list, start),
        partner_price_list=_raised(PARTNER_PRICES, start),
    )
    paid = {"status": "Enabled", "enabled_time": enabled, "order_mode": str(mode)}
    seen: list[Observation] = [
        port_read(NOW, **paid, end_time=enabled + length / 2),
        port_read(NOW + timedelta(hours=1), **paid, end_time=enabled + length),
        vbr_read(NOW + timedelta(hours=2)),
    ]
    first = decide(connection(), seen, old)
    second = decide(first.connection, [port_read(NOW + timedelta(hours=3), **paid)], new)
    taken_back = [record.content for record in second.records if record.reverses is not None]
    assert all(datetime.fromisoformat(str(content["period_start"])) >= start for content in taken_back)
    before, after = charges_of(first.connection, old), charges_of(second.connection, new)
    assert [c for c in before if c.period_start < start] == [c for c in after if c.period_start < start]
    assert all(c.price_list.endswith("/next") is (c.period_start >= start) for c in after)

    shuffled = data.draw(st.permutations(seen))
    switch = data.draw(st.integers(0, len(shuffled)))
    known = connection()
    for number, each in enumerate(shuffled):
        known = decide(known, [each], old if number < switch else new).connection
    last = decide(known, [port_read(NOW + timedelta(hours=3), **paid)], new).connection
    assert [(head.fact, head.digest) for head in last.heads if head.digest] == [
        (head.fact, head.digest) for head in second.connection.heads if head.digest
    ]


def _raised(prices: PriceList, start: datetime) -> PriceList:
    doubled = {zone: {spec: 2 * price for spec, price in months.items()} for zone, months in prices.port_month.items()}
    return replace(prices, version="next", port_month=doubled, effective_from=start, earlier=(prices,))
