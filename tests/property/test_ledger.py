"""Properties of the ledger's arithmetic: whatever the charges become, each fact has at most one live record."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.billing import BILLING_ZONE, Charge
from crossport.domain.connection import RecordHead
from crossport.domain.ledger import BillingRecord, record_key, settle_records

PLAIN = Charge(
    fact="",
    connection_id="conn-1",
    account_id="1",
    kind="port_usage",
    purpose="statement",
    biller="alibaba_cloud",
    payer="2",
    period_start=datetime(2022, 8, 9, 13, tzinfo=BILLING_ZONE),
    period_end=datetime(2022, 9, 10, tzinfo=BILLING_ZONE),
    quantity=Decimal(1),
    unit="month",
    unit_price=Decimal(40),
    amount=Decimal("40.00"),
    currency="USD",
    accuracy="exact",
    marks=(),
    price_list="list/1",
)
#: Fact to amount: what should be charged at one time.
WANTED = st.dictionaries(st.sampled_from(("a", "b", "c")), st.sampled_from(("40.00", "55.00")))


def _charges(wanted: dict[str, str]) -> list[Charge]:
    return [replace(PLAIN, fact=fact, amount=Decimal(amount)) for fact, amount in wanted.items()]


@given(st.lists(WANTED, min_size=1, max_size=12))
@settings(deadline=None)
def test_the_live_records_always_say_what_the_charges_say(history: list[dict[str, str]]) -> None:
    heads: tuple[RecordHead, ...] = ()
    written: dict[str, BillingRecord] = {}
    live: dict[str, BillingRecord] = {}
    for wanted in history:
        heads, records = settle_records(heads, _charges(wanted))
        for record in records:
            assert record.key not in written
            written[record.key] = record
            if record.reverses is None:
                assert record.fact not in live
                live[record.fact] = record
            else:
                taken_back = live.pop(record.fact)
                assert (taken_back.key, taken_back.record) == (record.reverses, record.record)
        assert {fact: record.content["amount"] for fact, record in live.items()} == wanted
        assert settle_records(heads, _charges(wanted)) == (heads, ())


def test_a_fact_that_comes_back_gets_a_key_of_its_own() -> None:
    heads, (first,) = settle_records((), _charges({"a": "40.00"}))
    heads, (reversal,) = settle_records(heads, [])
    _, (second,) = settle_records(heads, _charges({"a": "40.00"}))
    assert first.key == record_key("a", 0, first.digest)
    assert (reversal.key, reversal.reverses) == (f"{first.key}:reversal", first.key)
    assert (reversal.fact, reversal.revision, reversal.digest, reversal.record) == ("a", 0, first.digest, first.record)
    assert [(head.fact, head.revision, head.digest, head.record) for head in heads] == [("a", 1, "", "")]
    assert second.digest == first.digest
    assert second.key not in {first.key, reversal.key}
