"""Billing: seals ledger records in one chain, and turns meter readings into outbound transfer records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from crossport.application.commit import MAX_ROUNDS, save_of
from crossport.application.endings import Ending
from crossport.application.errors import StoreUnavailableError
from crossport.application.ports import Clock, Ids, InputRow, Policies, Save, SaveOutcome, Store
from crossport.application.routing import port_route
from crossport.domain.billing import BILLING_ZONE, Charge, quantised
from crossport.domain.connection import Connection
from crossport.domain.decide import conclude
from crossport.domain.ledger import BillingRecord, record_key
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Verdict

#: How long one sealer keeps the chain to itself.
SEAL_LEASE = timedelta(minutes=2)
#: Records sealed in one transaction.
SEAL_BATCH = 500
#: One GB of outbound transfer ("Outbound data transfer fees": 1 TB = 1,024 GB).
GB = Decimal(2**30)
_GB_STEP = Decimal("0.000001")


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageReading:
    """What a partner's metering says one port sent out in a period; understood from the ``usage`` queue."""

    key: str
    digest: str
    account_id: str
    port_id: str
    #: The meter's own id of this reading: one reading is charged once.
    reading_id: str
    period_start: datetime
    period_end: datetime
    outbound_bytes: int


def seal(*, store: Store, clock: Clock, ids: Ids) -> int:
    """Seal every unsealed record, unless another sealer is at work; returns how many were sealed."""
    holder, total = ids.new(), 0
    while True:
        sealed = store.seal(now=clock.now(), holder=holder, lease_for=SEAL_LEASE, limit=SEAL_BATCH)
        total += sealed
        if sealed < SEAL_BATCH:
            return total


def record_usage(readings: Sequence[UsageReading], *, store: Store, policies: Policies, clock: Clock) -> list[Ending]:
    """Write one outbound transfer record for each reading: quantity and gross list estimate (ruling 12)."""
    return [_recorded(reading, store, policies, clock) for reading in readings]


def _recorded(reading: UsageReading, store: Store, policies: Policies, clock: Clock) -> Ending:
    try:
        for _ in range(MAX_ROUNDS):
            ending = _attempt(reading, store, policies, clock)
            if ending is not None:
                return ending
    except StoreUnavailableError as error:
        return _ending(reading, Verdict.RETRY, error.code)
    return _ending(reading, Verdict.RETRY, "contended")


def _attempt(reading: UsageReading, store: Store, policies: Policies, clock: Clock) -> Ending | None:
    reading_key = f"{reading.account_id}|reading|{reading.reading_id}"
    loaded = store.load(routes=[port_route(reading.port_id)], keys=[reading.key, reading_key])
    for key in (reading.key, reading_key):
        known = loaded.inbox.get(key)
        if known == reading.digest:
            return _ending(reading, Verdict.DUPLICATE)
        if known is not None:
            return _refused(reading, "payload_mismatch", store, clock)
    stored = loaded.connections.get(port_route(reading.port_id))
    if stored is None or stored.connection.account_id != reading.account_id:
        return _refused(reading, "unknown_port", store, clock)
    policy = policies.of(reading.account_id)
    charge = _charge(reading, stored.connection, policy)
    if charge is None:
        return _refused(reading, "price_missing", store, clock)
    record = BillingRecord(
        key=record_key(charge.fact, 0, charge.digest),
        fact=charge.fact,
        revision=0,
        digest=charge.digest,
        record=charge.canonical(),
    )
    decision = conclude(stored.connection, stored.connection, policy)
    at = clock.now()
    rows = tuple(_row(reading, Verdict.APPLIED, "", at, key, stored.connection) for key in (reading.key, reading_key))
    save = save_of([decision], version=stored.version, at=at, inputs=rows)
    (outcome,) = store.save([_with_record(save, record)])
    if outcome is not SaveOutcome.SAVED:
        return None
    return _ending(reading, Verdict.APPLIED, connection_id=stored.connection.connection_id)


def _with_record(save: Save, record: BillingRecord) -> Save:
    return replace(save, records=(*save.records, record))


def _charge(reading: UsageReading, connection: Connection, policy: Policy) -> Charge | None:
    prices = policy.price_list.at(reading.period_start)
    price = prices.outbound(connection.region)
    if price is None:
        return None
    quantity = (Decimal(reading.outbound_bytes) / GB).quantize(_GB_STEP)
    return Charge(
        fact=f"{connection.connection_id}/outbound_data_transfer/{reading.reading_id}",
        connection_id=connection.connection_id,
        account_id=connection.account_id,
        kind="outbound_data_transfer",
        purpose="statement",
        biller="alibaba_cloud",
        payer=connection.tenant_uid,
        period_start=reading.period_start.astimezone(BILLING_ZONE),
        period_end=reading.period_end.astimezone(BILLING_ZONE),
        quantity=quantity,
        unit="GB",
        unit_price=price,
        amount=quantised(Decimal(reading.outbound_bytes) / GB * price),
        currency=prices.currency,
        accuracy="estimate",
        marks=("gross_of_allowance",),
        price_list=prices.label,
    )


def _refused(reading: UsageReading, reason: str, store: Store, clock: Clock) -> Ending:
    store.record([_row(reading, Verdict.REJECTED, reason, clock.now(), reading.key, None)])
    return _ending(reading, Verdict.REJECTED, reason)


def _row(
    reading: UsageReading, verdict: Verdict, reason: str, at: datetime, key: str, connection: Connection | None
) -> InputRow:
    return InputRow(
        key=key,
        digest=reading.digest,
        claims=verdict is Verdict.APPLIED,
        shown=key == reading.key,
        at=at,
        function="billing",
        verdict=verdict,
        reason=reason,
        account_id=reading.account_id,
        connection_id=connection.connection_id if connection else None,
        name="usage.reported",
        details={"reading_id": reading.reading_id, "port_id": reading.port_id},
    )


def _ending(reading: UsageReading, verdict: Verdict, reason: str = "", connection_id: str | None = None) -> Ending:
    return Ending(key=reading.key, verdict=verdict, reason=reason, connection_id=connection_id, name="usage.reported")
