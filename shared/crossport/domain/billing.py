"""Billing: which charges follow from a connection's facts.

A charge is a function of merged facts and price lists, never of the path that led to them. The fact it belongs
to is (connection, kind, series, index, purpose); its digest covers all that it says, so that a change of any word
or cent is seen as another charge. Periods are calendar periods in UTC+8, the zone of Alibaba Cloud's bills.
"""

from __future__ import annotations

import calendar
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

from crossport.domain.connection import Connection
from crossport.domain.facts import PortFacts
from crossport.domain.policy import Policy
from crossport.domain.prices import PriceList
from crossport.domain.vocabulary import OrderMode, Origin

#: The zone of all billing periods ("Resource usage fee": UTC+8).
BILLING_ZONE = timezone(timedelta(hours=8), "UTC+8")
#: How amounts are rounded when a record is written; its name stands on the record.
ROUNDING = "half_up_0.01"
_CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One billing record's content. Amounts are quantised once, here; ``unit_price`` is not.

    ``biller`` is ``alibaba_cloud`` or ``partner``; ``purpose`` is ``statement`` (Alibaba Cloud bills it itself: never
    invoice it), ``cost`` (what the partner pays) or ``charge`` (what the partner asks for); see ruling 3.
    """

    fact: str
    connection_id: str
    account_id: str
    kind: str
    purpose: str
    biller: str
    #: The account id of whoever pays.
    payer: str
    #: Inclusive; aware, UTC+8.
    period_start: datetime
    #: Exclusive; None for what is not a period.
    period_end: datetime | None
    #: None when the amount awaits metering.
    quantity: Decimal | None
    #: ``month``, ``GB`` (2^30 bytes) or ``one``.
    unit: str
    unit_price: Decimal
    amount: Decimal | None
    #: ISO 4217.
    currency: str
    #: ``exact``, ``estimate`` or ``conditional``.
    accuracy: str
    #: Machine-readable remarks, sorted.
    marks: tuple[str, ...]
    price_list: str
    rounding: str = ROUNDING

    def document(self) -> dict[str, object]:
        """The charge as JSON values: decimals and times as strings."""
        return {each.name: _json_value(getattr(self, each.name)) for each in fields(self)}

    def canonical(self) -> str:
        """The charge as canonical JSON: what its digest covers and what a reversal repeats."""
        return json.dumps(self.document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON, shortened to 16 hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Period:
    """One cut of the grid; ``index`` counts from 0 in its series; ``off_grid`` when the cloud's end cut it short."""

    index: int
    start: datetime
    end: datetime
    off_grid: bool = False


def quantised(amount: Decimal) -> Decimal:
    """The amount rounded half up to cents, as the record names it."""
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)


def first_cut(enabled: datetime) -> datetime:
    """00:00 UTC+8 of the day after the monthly anniversary of activation ("Resource usage fee", the worked example).

    An anniversary that the month lacks falls on the month's last day (undocumented; docs/adr/0007).
    """
    return _midnight(_months_later(enabled.astimezone(BILLING_ZONE), 1)) + timedelta(days=1)


def cut(enabled: datetime, index: int) -> datetime:
    """The end of period ``index``: the first cut, then the same day of each following month (ruling 7)."""
    return _months_later(first_cut(enabled), index)


def periods(enabled: datetime, end: datetime) -> Iterator[Period]:
    """The periods between activation and the latest end, cut on the grid; the last cut is ``end`` itself."""
    start = enabled.astimezone(BILLING_ZONE)
    end = end.astimezone(BILLING_ZONE)
    index = 0
    while start < end:
        grid = cut(enabled, index)
        stop = min(grid, end)
        yield Period(index, start, stop, off_grid=stop != grid)
        start, index = stop, index + 1


def charges_of(connection: Connection, policy: Policy) -> tuple[Charge, ...]:
    """Every charge that follows from the facts. None without an EnabledTime that was *read*."""
    port = connection.port
    if port is None:
        return ()
    if not port.enabled_times_read():
        return ()
    return tuple(_charges(connection, port, policy))


def unpriced(connection: Connection, policy: Policy) -> tuple[str, ...]:
    """What should be charged but has no price: ``price_missing`` findings, one for each list and spec."""
    port = connection.port
    if port is None or not port.enabled_times_read():
        return ()
    specs = sorted(port.spec.values() or {connection.terms.spec})
    begins = {_first(connection, port), *(period.start for _, period in _series(connection, port))}
    return tuple(
        f"{price_list.name if price_list else 'partner'}:{connection.region}:{spec}"
        for price_list, *_ in port_fee_sides(connection, policy)
        for spec in specs
        if price_list is None or any(price_list.at(begin).port(connection.region, spec) is None for begin in begins)
    )


def opened_at(connection: Connection) -> datetime | None:
    """From when on an imported connection is charged here: its import; None for all others, from the start.

    Whatever period was under way then has been charged by whoever kept the books before (ruling 2).
    """
    return connection.created_at if connection.origin is Origin.IMPORT else None


def _first(connection: Connection, port: PortFacts) -> datetime:
    """When the first charge begins. Raises IndexError without an EnabledTime that was read."""
    start, opened = port.enabled_times_read()[0], opened_at(connection)
    return start if opened is None else max(start, opened)


def _charges(connection: Connection, port: PortFacts, policy: Policy) -> Iterator[Charge]:
    first = _first(connection, port)
    published = policy.price_list.at(first)
    payer = connection.account_id if _partner_pays(connection) else connection.tenant_uid
    if opened_at(connection) is None:
        yield _free(connection, "installation", payer, first, published, marks=())
    for vbr in connection.vbrs:
        if connection.ever_conformed(vbr):
            # Free only where the tenant has enabled outbound billing, which the partner cannot see (ruling 12).
            yield _free(
                connection,
                f"vbr:{vbr.vbr_id}",
                connection.tenant_uid,
                first,
                published,
                marks=("outbound_unconfirmed",),
            )
    outbound = published.outbound(connection.region)
    if outbound is not None and any(connection.ever_conformed(vbr) for vbr in connection.vbrs):
        yield _outbound_rate(connection, first, outbound, published)
    yield from _port_usage(connection, port, policy)


def _series(connection: Connection, port: PortFacts) -> Iterator[tuple[datetime, Period]]:
    """Every period of the port's paid life that is charged here, each with the EnabledTime that opened its series."""
    starts, end, opened = port.enabled_times_read(), port.end_time.current, opened_at(connection)
    if end is None:
        return
    for number, start in enumerate(starts):
        # A changed EnabledTime opens a new series; the older one ends where the newer begins (ruling 7).
        following = starts[number + 1] if number + 1 < len(starts) else end
        for period in periods(start, min(following, end)):
            if opened is None or period.start >= opened:
                yield start, period


def _port_usage(connection: Connection, port: PortFacts, policy: Policy) -> Iterator[Charge]:
    for price_list, biller, payer, purpose in port_fee_sides(connection, policy):
        if price_list is None:
            continue
        for start, period in _series(connection, port):
            # By what was in force when the period began: a later price never changes a record that is written.
            prices = price_list.at(period.start)
            price = prices.port(connection.region, _spec_at(connection, port, period.start))
            if price is None:
                continue
            yield Charge(
                fact=f"{connection.connection_id}/port_usage/{_stamp(start)}/{period.index}/{purpose}",
                connection_id=connection.connection_id,
                account_id=connection.account_id,
                kind="port_usage",
                purpose=purpose,
                biller=biller,
                payer=payer,
                period_start=period.start,
                period_end=period.end,
                quantity=Decimal(1),
                unit="month",
                unit_price=price,
                amount=quantised(price),
                currency=prices.currency,
                accuracy="estimate" if period.off_grid else "exact",
                marks=("end_off_grid",) if period.off_grid else (),
                price_list=prices.label,
            )


def port_fee_sides(connection: Connection, policy: Policy) -> tuple[tuple[PriceList | None, str, str, str], ...]:
    """(price list, biller, payer, purpose) of the port fee: one statement, or a cost and a charge (rule 10)."""
    if not _partner_pays(connection):
        return ((policy.price_list, "alibaba_cloud", connection.tenant_uid, "statement"),)
    return (
        (policy.price_list, "alibaba_cloud", connection.account_id, "cost"),
        (policy.partner_price_list, "partner", connection.tenant_uid, "charge"),
    )


def _spec_at(connection: Connection, port: PortFacts, at: datetime) -> str:
    return port.spec.value_at(at) or connection.terms.spec


def _partner_pays(connection: Connection) -> bool:
    return connection.order_mode == OrderMode.PARTNER_PAYS


def _free(
    connection: Connection, kind: str, payer: str, at: datetime, published: PriceList, marks: tuple[str, ...]
) -> Charge:
    zero = quantised(Decimal(0))
    return Charge(
        fact=f"{connection.connection_id}/{kind}",
        connection_id=connection.connection_id,
        account_id=connection.account_id,
        kind=kind.partition(":")[0],
        purpose="statement",
        biller="alibaba_cloud",
        payer=payer,
        period_start=at.astimezone(BILLING_ZONE),
        period_end=None,
        quantity=Decimal(1),
        unit="one",
        unit_price=zero,
        amount=zero,
        currency=published.currency,
        accuracy="conditional" if marks else "exact",
        marks=marks,
        price_list=published.label,
    )


def _outbound_rate(connection: Connection, at: datetime, price: Decimal, published: PriceList) -> Charge:
    """The rate of outbound transfer, always the tenant's; the quantity comes with metering (ruling 12)."""
    return Charge(
        fact=f"{connection.connection_id}/outbound_data_transfer/rate",
        connection_id=connection.connection_id,
        account_id=connection.account_id,
        kind="outbound_data_transfer",
        purpose="statement",
        biller="alibaba_cloud",
        payer=connection.tenant_uid,
        period_start=at.astimezone(BILLING_ZONE),
        period_end=None,
        quantity=None,
        unit="GB",
        unit_price=price,
        amount=None,
        currency=published.currency,
        accuracy="estimate",
        marks=("rate_only",),
        price_list=published.label,
    )


def _months_later(at: datetime, months: int) -> datetime:
    years, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + years, month + 1
    return at.replace(year=year, month=month, day=min(at.day, calendar.monthrange(year, month)[1]))


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _stamp(at: datetime) -> str:
    return at.astimezone(BILLING_ZONE).strftime("%Y%m%dT%H%M%S")


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
