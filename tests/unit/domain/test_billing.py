"""Billing by example: the published ones, the ends of months, both payers, and what a record must say."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from crossport.domain.billing import BILLING_ZONE, Charge, charges_of, cut, first_cut, periods, quantised, unpriced
from crossport.domain.connection import Connection
from crossport.domain.decide import decide
from crossport.domain.observation import Observation
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import OrderMode, Source
from tests.unit.domain.examples import (
    NOW,
    PARTNER,
    PARTNER_PRICES,
    POLICY,
    TENANT,
    connection,
    port_read,
    port_seen,
    vbr_read,
)


def local(*words: int) -> datetime:
    """A time in the zone of the bills, UTC+8."""
    return datetime(*words, tzinfo=BILLING_ZONE)  # type: ignore[arg-type,misc]


ENABLED = local(2022, 8, 9, 13)
FIRST_END = local(2022, 9, 10)
RENEWED_END = local(2022, 10, 10)
PARTNER_PAYS = str(OrderMode.PARTNER_PAYS)


def billed(*observations: Observation, policy: Policy = POLICY, **changes: Any) -> tuple[Charge, ...]:
    known: Connection = decide(connection(**changes), observations, policy).connection
    return charges_of(known, policy)


def running(at: datetime = NOW, **changes: Any) -> Observation:
    said: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled"}
    return port_read(at, **{**said, "enabled_time": ENABLED, "end_time": FIRST_END, **changes})


def usage(charges: tuple[Charge, ...], purpose: str = "statement") -> list[Charge]:
    return [charge for charge in charges if charge.kind == "port_usage" and charge.purpose == purpose]


# --- The grid -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enabled", "cuts"),
    [
        # "Resource usage fee": 2022-08-09 13:00:00 for one month, renewed for another.
        (ENABLED, [FIRST_END, RENEWED_END]),
        # The API reference's sample of ListVirtualPhysicalConnections: its EndTime is on the grid.
        (datetime(2021, 10, 8, 10, 44, tzinfo=UTC), [datetime(2021, 11, 8, 16, tzinfo=UTC)]),
        # Midnight itself is a second of the day like any other; so is the last one.
        (local(2022, 8, 9), [FIRST_END, RENEWED_END]),
        (local(2022, 8, 9, 23, 59, 59), [FIRST_END]),
        # 16:30 UTC is the next day in UTC+8.
        (datetime(2022, 8, 9, 16, 30, tzinfo=UTC), [local(2022, 9, 11)]),
        # An anniversary that the month lacks falls on its last day; later cuts do not drift.
        (local(2023, 1, 31, 8), [local(2023, 3, 1), local(2023, 4, 1), local(2023, 5, 1)]),
        (local(2024, 1, 31, 8), [local(2024, 3, 1), local(2024, 4, 1)]),
        (local(2024, 1, 29, 8), [local(2024, 3, 1)]),
        (local(2023, 1, 29, 8), [local(2023, 3, 1)]),
        (local(2022, 12, 30, 8), [local(2023, 1, 31), local(2023, 2, 28), local(2023, 3, 31), local(2023, 4, 30)]),
        (local(2023, 12, 30, 8), [local(2024, 1, 31), local(2024, 2, 29), local(2024, 3, 31)]),
        (local(2022, 12, 15, 8), [local(2023, 1, 16)]),
    ],
)
def test_cuts_of_the_grid(enabled: datetime, cuts: list[datetime]) -> None:
    assert [cut(enabled, index) for index in range(len(cuts))] == cuts
    assert first_cut(enabled) == cuts[0]


def test_the_last_cut_is_the_end_and_is_marked_when_it_is_off_the_grid() -> None:
    end = local(2022, 9, 20, 7)
    first, second = periods(ENABLED, end)
    assert (first.index, first.start, first.end, first.off_grid) == (0, ENABLED, FIRST_END, False)
    assert (second.index, second.start, second.end, second.off_grid) == (1, FIRST_END, end, True)
    assert list(periods(ENABLED, ENABLED)) == []


# --- Who is billed by whom (ruling 3) -------------------------------------------------------------------------------


def test_a_tenant_paid_port_has_a_statement_for_each_period() -> None:
    first, second = usage(billed(running(end_time=RENEWED_END)))
    assert (first.period_start, first.period_end) == (ENABLED, FIRST_END)
    assert (second.period_start, second.period_end) == (FIRST_END, RENEWED_END)
    for charge in (first, second):
        assert (charge.biller, charge.purpose, charge.payer) == ("alibaba_cloud", "statement", TENANT)
        assert (charge.amount, charge.currency, charge.accuracy) == (Decimal("40.00"), "USD", "exact")
        assert charge.rounding == "half_up_0.01"
        assert charge.period_start.utcoffset() == timedelta(hours=8)


def test_a_partner_paid_port_has_a_cost_and_a_charge() -> None:
    charges = billed(running(order_mode=PARTNER_PAYS))
    (cost,), (charge,) = usage(charges, "cost"), usage(charges, "charge")
    assert (cost.biller, cost.payer, cost.amount) == ("alibaba_cloud", PARTNER, Decimal("40.00"))
    assert (charge.biller, charge.payer, charge.amount) == ("partner", TENANT, Decimal("65.50"))
    assert cost.price_list == "alibaba-cloud-published/2026-04"
    assert charge.price_list == "partner/1"
    assert not usage(charges)


def test_installation_and_vbr_are_free_and_the_vbr_only_on_a_condition() -> None:
    charges = {charge.kind: charge for charge in billed(running(), vbr_read(NOW + timedelta(hours=1)))}
    assert set(charges) == {"installation", "vbr", "outbound_data_transfer", "port_usage"}
    assert (charges["installation"].amount, charges["installation"].accuracy) == (Decimal("0.00"), "exact")
    vbr = charges["vbr"]
    assert (vbr.amount, vbr.accuracy, vbr.marks, vbr.payer) == (
        Decimal("0.00"),
        "conditional",
        ("outbound_unconfirmed",),
        TENANT,
    )


@pytest.mark.parametrize("order_mode", [str(mode) for mode in OrderMode])
def test_the_outbound_rate_is_always_the_tenants(order_mode: str) -> None:
    (rate,) = (c for c in billed(running(order_mode=order_mode), vbr_read()) if c.kind == "outbound_data_transfer")
    assert (rate.payer, rate.biller, rate.purpose) == (TENANT, "alibaba_cloud", "statement")
    assert (rate.unit_price, rate.unit, rate.quantity, rate.amount) == (Decimal("0.0190"), "GB", None, None)


def test_nothing_is_charged_before_an_enabled_time_was_read() -> None:
    said = port_seen(NOW, Source.EVENT, status="Enabled", enabled_time=ENABLED, end_time=FIRST_END)
    assert billed(said) == ()
    assert billed() == ()
    assert [charge.kind for charge in billed(said, port_seen(NOW, enabled_time=ENABLED))] == [
        "installation",
        "port_usage",
    ]


def test_the_fee_runs_from_enabled_time_whatever_the_phase() -> None:
    """Ruling 1: a port can be paid for before it is accepted, and while it is suspended."""
    unaccepted = port_read(status="Enabled", enabled_time=ENABLED, end_time=FIRST_END)
    locked = running(business_status="FinancialLocked")
    assert usage(billed(unaccepted)) == usage(billed(locked)) == usage(billed(running()))


SAID_BY_ALL = {
    "connection_id": "conn-1",
    "account_id": PARTNER,
    "purpose": "statement",
    "biller": "alibaba_cloud",
    "payer": TENANT,
    "period_start": "2022-08-09T13:00:00+08:00",
    "period_end": None,
    "quantity": "1",
    "currency": "USD",
    "price_list": "alibaba-cloud-published/2026-04",
    "rounding": "half_up_0.01",
}
FREE = {"unit": "one", "unit_price": "0.00", "amount": "0.00"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("installation", {**FREE, "fact": "conn-1/installation", "accuracy": "exact", "marks": ()}),
        (
            "vbr",
            {**FREE, "fact": "conn-1/vbr:vbr-1", "accuracy": "conditional", "marks": ("outbound_unconfirmed",)},
        ),
        (
            "outbound_data_transfer",
            {
                "fact": "conn-1/outbound_data_transfer/rate",
                "quantity": None,
                "unit": "GB",
                "unit_price": "0.0190",
                "amount": None,
                "accuracy": "estimate",
                "marks": ("rate_only",),
            },
        ),
        (
            "port_usage",
            {
                "fact": "conn-1/port_usage/20220809T130000/0/statement",
                "period_end": "2022-09-10T00:00:00+08:00",
                "unit": "month",
                "unit_price": "40",
                "amount": "40.00",
                "accuracy": "exact",
                "marks": (),
            },
        ),
    ],
)
def test_a_record_says_all_of_its_charge(kind: str, said: dict[str, Any]) -> None:
    elsewhere = ENABLED.astimezone(UTC)
    (charge,) = (c for c in billed(running(enabled_time=elsewhere), vbr_read()) if c.kind == kind)
    assert charge.document() == {**SAID_BY_ALL, "kind": kind, **said}


def test_the_installation_of_a_partner_paid_port_is_the_partners() -> None:
    charges = {charge.kind: charge for charge in billed(running(order_mode=PARTNER_PAYS), vbr_read())}
    assert (charges["installation"].payer, charges["vbr"].payer) == (PARTNER, TENANT)


def test_a_vbr_that_never_conformed_is_no_ones_to_pay() -> None:
    assert {charge.kind for charge in billed(running(), vbr_read(vlan_id=0))} == {"installation", "port_usage"}


def test_outbound_transfer_without_a_published_rate_is_not_listed() -> None:
    charges = billed(running(), vbr_read(), region="moon-1")
    assert {charge.kind for charge in charges} == {"installation", "vbr", "port_usage"}


def test_a_port_without_an_end_has_no_period_yet() -> None:
    assert [charge.kind for charge in billed(running(end_time=None))] == ["installation"]


# --- What changes in mid-life ---------------------------------------------------------------------------------------


def test_a_new_spec_is_charged_from_the_next_period_on() -> None:
    upgraded = port_read(
        FIRST_END - timedelta(days=3),
        acceptance="Confirmed",
        status="Enabled",
        spec="200M",
        enabled_time=ENABLED,
        end_time=RENEWED_END,
    )
    amounts = [charge.amount for charge in usage(billed(running(), upgraded))]
    assert amounts == [Decimal("40.00"), Decimal("55.00")]


def test_an_end_off_the_grid_is_marked_and_mends_itself_on_renewal() -> None:
    off = local(2022, 9, 20, 7)
    start = decide(connection(), [running(end_time=off)], POLICY)
    partial = usage(charges_of(start.connection, POLICY))[-1]
    assert (partial.period_end, partial.accuracy, partial.marks) == (off, "estimate", ("end_off_grid",))
    assert partial.document()["period_end"] == "2022-09-20T07:00:00+08:00"

    renewed = decide(start.connection, [running(NOW + timedelta(days=1), end_time=RENEWED_END)], POLICY)

    reversal, successor = renewed.records
    assert (reversal.reverses, reversal.record) == (f"{partial.fact}#0:{partial.digest}", partial.canonical())
    assert (successor.fact, successor.revision, successor.reverses) == (partial.fact, 1, None)
    assert successor.content["period_end"] == RENEWED_END.isoformat()
    assert successor.content["marks"] == []


def test_a_changed_enabled_time_opens_a_new_series_and_a_finding() -> None:
    start = decide(connection(), [running(end_time=RENEWED_END)], POLICY)
    assert start.findings == ()
    again = local(2022, 9, 25, 10)

    later = decide(
        start.connection,
        [running(NOW + timedelta(days=20), enabled_time=again, end_time=local(2022, 10, 26))],
        POLICY,
    )

    assert [(finding.code, finding.subject) for finding in later.findings] == [
        ("enabled_time_changed", again.astimezone(UTC).isoformat())
    ]
    charges = usage(charges_of(later.connection, POLICY))
    assert [(c.period_start, c.period_end) for c in charges] == [
        (ENABLED, FIRST_END),
        (FIRST_END, again),
        (again, local(2022, 10, 26)),
    ]
    assert len({charge.fact for charge in charges}) == 3
    assert all(one.period_end == other.period_start for one, other in pairwise(charges))


def test_each_enabled_time_ends_the_series_before_it() -> None:
    starts = [ENABLED, local(2022, 8, 20, 10), local(2022, 8, 25, 10)]
    seen = [running(NOW + timedelta(days=n), enabled_time=start) for n, start in enumerate(starts)]
    assert [(c.period_start, c.period_end) for c in usage(billed(*seen))] == [
        (starts[0], starts[1]),
        (starts[1], starts[2]),
        (starts[2], FIRST_END),
    ]


def test_the_price_is_that_of_the_region_and_of_the_spec_of_the_time() -> None:
    elsewhere = decide(connection(region="cn-hangzhou"), [running(order_mode=PARTNER_PAYS)], POLICY)
    assert [finding.subject for finding in elsewhere.findings] == ["partner:cn-hangzhou:100M"]
    (charge,) = usage(billed(running(), region="cn-hangzhou"))
    assert (charge.unit_price, charge.amount) == (Decimal(30), Decimal("30.00"))
    unknown_at_first = [running(spec="9G"), running(FIRST_END - timedelta(days=1), end_time=RENEWED_END)]
    (second,) = usage(billed(*unknown_at_first))
    assert (second.period_start, second.amount) == (FIRST_END, Decimal("40.00"))


def test_what_has_no_price_is_a_finding_once_and_never_a_record() -> None:
    policy = replace(POLICY, partner_price_list=None)
    decision = decide(connection(), [running(order_mode=PARTNER_PAYS, spec="9G")], policy)
    assert {(finding.code, finding.subject) for finding in decision.findings} == {
        ("price_missing", "alibaba-cloud-published:us-east-1:9G"),
        ("price_missing", "partner:us-east-1:9G"),
    }
    assert unpriced(decision.connection, policy) == tuple(finding.subject for finding in decision.findings)
    assert [charge.kind for charge in charges_of(decision.connection, policy)] == ["installation"]

    assert decide(decision.connection, [running(order_mode=PARTNER_PAYS, spec="9G")], policy).findings == ()


# --- Money ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "rounded"), [("0.005", "0.01"), ("0.004999", "0.00"), ("2.675", "2.68")])
def test_amounts_round_half_up_to_cents(amount: str, rounded: str) -> None:
    assert str(quantised(Decimal(amount))) == rounded


@pytest.mark.parametrize(
    ("region", "spec", "price"),
    [
        ("us-east-1", "10G", "1600"),
        ("cn-hangzhou", "100M", "30"),
        ("me-central-1", "50M", "24"),
        ("us-east-1", "9G", ""),
    ],
)
def test_published_prices(region: str, spec: str, price: str) -> None:
    assert POLICY.price_list.port(region, spec) == (Decimal(price) if price else None)


def test_the_published_list_rises_with_the_spec_in_every_zone() -> None:
    published = POLICY.price_list
    zones = {zone: list(months.values()) for zone, months in published.port_month.items()}
    assert {zone: (len(prices), sum(prices)) for zone, prices in zones.items()} == {
        "mainland": (11, 2_180),
        "outside": (11, 5_240),
        "riyadh": (11, 6_288),
    }
    assert all(prices == sorted(prices) for prices in zones.values())


@pytest.mark.parametrize(
    ("region", "price"),
    [
        ("cn-hangzhou", "0.0130"),
        ("cn-hongkong", "0.0390"),
        ("ap-southeast-5", "0.0780"),
        ("us-east-1", "0.0190"),
        ("me-central-1", "0.0860"),
        ("moon-1", None),
    ],
)
def test_published_prices_of_outbound_transfer(region: str, price: str | None) -> None:
    assert POLICY.price_list.outbound(region) == (Decimal(price) if price else None)


def test_a_list_without_the_zone_has_no_price() -> None:
    assert PARTNER_PRICES.port("cn-hangzhou", "100M") is None
    assert PARTNER_PRICES.port("us-east-1", "100M") == Decimal("65.50")


def test_a_charge_is_written_in_one_way_only() -> None:
    (charge,) = usage(billed(running()))
    text = charge.canonical()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    assert '"卢森堡"' in replace(charge, price_list="卢森堡").canonical()
    assert charge.digest == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_a_digest_covers_every_word_of_a_charge() -> None:
    (charge,) = usage(billed(running()))
    assert replace(charge).digest == charge.digest
    others: dict[str, Any] = {
        "payer": PARTNER,
        "amount": Decimal("40.01"),
        "unit_price": Decimal(41),
        "currency": "CNY",
        "period_end": RENEWED_END,
        "accuracy": "estimate",
        "marks": ("end_off_grid",),
        "price_list": "other/1",
    }
    digests = {replace(charge, **{name: value}).digest for name, value in others.items()}
    assert len(digests | {charge.digest}) == len(others) + 1
