"""Versions of a price list: which one is in force when, and what may follow what is in force (rulings 3 and 7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crossport.domain.billing import BILLING_ZONE
from crossport.domain.errors import NaiveTimeError
from crossport.domain.prices import PriceList, broken_promises

SECOND = datetime(2027, 1, 1, tzinfo=BILLING_ZONE)
THIRD = datetime(2027, 3, 1, tzinfo=BILLING_ZONE)
FIRST_LIST = PriceList(
    name="own", version="1", currency="USD", port_month={"outside": {"50M": Decimal(30)}}, outbound_gb={}
)
SECOND_LIST = replace(
    FIRST_LIST,
    version="2",
    port_month={"outside": {"50M": Decimal(35)}},
    effective_from=SECOND,
    earlier=(FIRST_LIST,),
)
ALONE = replace(SECOND_LIST, earlier=())
THIRD_LIST = replace(SECOND_LIST, version="3", effective_from=THIRD, earlier=(FIRST_LIST, ALONE))
INSTANT = timedelta(microseconds=1)
DURING_FIRST = SECOND - timedelta(days=9)
DURING_SECOND = SECOND + timedelta(days=9)


def refused(before: PriceList | None, after: PriceList | None, now: datetime) -> list[str]:
    return list(broken_promises(before, after, now))


def test_the_version_in_force_is_the_last_that_had_begun() -> None:
    at = [SECOND - timedelta(days=9_000), SECOND - INSTANT, SECOND, THIRD - INSTANT, THIRD, THIRD + timedelta(days=9)]
    assert [THIRD_LIST.at(each).version for each in at] == ["1", "1", "2", "2", "3", "3"]
    assert THIRD_LIST.at(SECOND).label == "own/2"
    assert replace(FIRST_LIST, effective_from=SECOND).at(SECOND - timedelta(days=9)).version == "1"


def test_versions_begin_one_after_the_other() -> None:
    for start in (None, SECOND, SECOND - INSTANT):
        with pytest.raises(ValueError, match="begins after"):
            replace(THIRD_LIST, effective_from=start)
    with pytest.raises(NaiveTimeError):
        replace(SECOND_LIST, effective_from=datetime(2027, 1, 1))  # noqa: DTZ001 - that is the point
    assert [each.version for each in THIRD_LIST.versions()] == ["1", "2", "3"]


def test_what_may_follow_the_price_list_in_force() -> None:
    assert refused(None, FIRST_LIST, DURING_FIRST) == []
    assert refused(FIRST_LIST, FIRST_LIST, DURING_FIRST) == []
    assert refused(FIRST_LIST, SECOND_LIST, DURING_FIRST) == []
    assert refused(SECOND_LIST, THIRD_LIST, DURING_SECOND) == []


def test_a_version_that_has_not_begun_may_change_or_go() -> None:
    assert refused(SECOND_LIST, FIRST_LIST, DURING_FIRST) == []
    assert refused(SECOND_LIST, replace(SECOND_LIST, currency="EUR"), DURING_FIRST) == []
    assert refused(SECOND_LIST, replace(SECOND_LIST, effective_from=THIRD), DURING_FIRST) == []


def test_a_price_that_was_missing_may_be_added() -> None:
    more = replace(FIRST_LIST, port_month={"outside": {"50M": Decimal(30), "1G": Decimal(260)}, "riyadh": {}})
    assert refused(FIRST_LIST, replace(more, outbound_gb={"us-east-1": Decimal(1)}), DURING_FIRST) == []


@pytest.mark.parametrize(
    "after",
    [
        replace(FIRST_LIST, port_month={"outside": {"50M": Decimal(31)}}),
        replace(FIRST_LIST, port_month={"outside": {}}),
        replace(FIRST_LIST, port_month={}),
        replace(FIRST_LIST, currency="EUR"),
        replace(FIRST_LIST, name="renamed"),
    ],
)
def test_what_has_been_in_force_cannot_change(after: PriceList) -> None:
    assert refused(FIRST_LIST, after, DURING_FIRST) == [
        "version 1 has been in force and cannot change: write a new version"
    ]
    second = replace(SECOND_LIST, earlier=(after,))
    assert refused(SECOND_LIST, second, DURING_SECOND) == refused(FIRST_LIST, after, DURING_FIRST)


def test_outbound_prices_are_kept_too() -> None:
    priced = replace(FIRST_LIST, outbound_gb={"us-east-1": Decimal(1)})
    assert refused(priced, FIRST_LIST, DURING_FIRST) == [
        "version 1 has been in force and cannot change: write a new version"
    ]


def test_what_has_been_in_force_cannot_go() -> None:
    assert refused(SECOND_LIST, ALONE, DURING_SECOND) == ["version 1 has been in force: keep it under earlier"]
    assert refused(FIRST_LIST, None, DURING_FIRST) == ["version 1 has been in force: keep it under earlier"]


def test_the_date_of_what_has_begun_stays() -> None:
    changed = "version 2 has been in force and cannot change: write a new version"
    for start in (THIRD, SECOND - INSTANT):
        assert refused(SECOND_LIST, replace(SECOND_LIST, effective_from=start), DURING_SECOND) == [changed]
    assert refused(SECOND_LIST, replace(SECOND_LIST, effective_from=THIRD), SECOND) == [changed]


def test_a_new_version_begins_after_the_one_in_force_and_not_in_the_past() -> None:
    bare = replace(FIRST_LIST, version="2")
    assert refused(FIRST_LIST, bare, DURING_FIRST) == [
        "version 1 has been in force: keep it under earlier",
        "version 2 needs an effective_from later than that of the version in force (the first)",
    ]
    squeezed = replace(SECOND_LIST, version="1b", effective_from=SECOND - INSTANT, earlier=(FIRST_LIST,))
    assert refused(SECOND_LIST, squeezed, DURING_SECOND) == [
        "version 2 has been in force: keep it under earlier",
        "version 1b needs an effective_from later than that of the version in force (2027-01-01T00:00:00+08:00)",
    ]
    for now in (SECOND, DURING_SECOND):
        assert refused(FIRST_LIST, SECOND_LIST, now) == [
            "version 2 begins in the past: periods since 2027-01-01T00:00:00+08:00 are priced"
        ]
