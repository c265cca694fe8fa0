"""What the calendar calls for, day by day; and the clock of a delivery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossport.domain.connection import Connection, Milestone
from crossport.domain.deadlines import Calendar, due_notices, expiry_of, overdue_group, reminders
from crossport.domain.decide import Finding, decide
from crossport.domain.effects import Notice, moot
from crossport.domain.observation import Observation
from crossport.domain.sla import delivery_of, next_month
from crossport.domain.vocabulary import MilestoneName, OrderMode, Origin, Party, Source
from tests.unit.domain.examples import NOW, POLICY, VLAN, connection, port_read, port_seen, vbr_read, vbr_seen

TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
#: Monday, so that working days can be counted on fingers.
CALENDAR = Calendar(
    zones={Party.TENANT: TOKYO, Party.PARTNER: NEW_YORK},
    access_point=NEW_YORK,
    is_working_day=lambda day: day.weekday() < 5 and day != date(2022, 9, 5),
)
ENABLED: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled", "enabled_time": NOW}


def told(seen: Iterable[Observation] = (), **changes: Any) -> Connection:
    """The connection after these observations."""
    return decide(connection(**changes), tuple(seen), POLICY).connection


def mornings(one: Connection, days: float) -> list[tuple[str, str, int, datetime]]:
    """Every notice that hourly runs send over so many days: kind, party, day, and when it was sent first."""
    sent: dict[str, tuple[str, str, int, datetime]] = {}
    for hour in range(int(days * 24)):
        now = NOW + timedelta(hours=hour)
        for notice in due_notices(one, POLICY, now, CALENDAR):
            sent.setdefault(notice.key, (notice.kind, str(notice.party), notice.details["day"], now))
    return list(sent.values())


def test_an_offer_is_reminded_of_at_nine_in_the_morning_of_the_tenant() -> None:
    offered = told([port_read()])
    assert [(kind, party, day) for kind, party, day, _ in mornings(offered, 20)] == [
        ("offer_reminder", "tenant", 1),
        ("offer_reminder", "tenant", 3),
        ("offer_reminder", "tenant", 7),
        ("offer_expired", "tenant", 1),
        ("offer_expired", "partner", 1),
    ]
    hours = [at.astimezone(TOKYO if party == "tenant" else NEW_YORK).hour for _, party, _, at in mornings(offered, 20)]
    assert hours == [9, 9, 9, 9, 9]


def test_an_accepted_offer_is_not_reminded_of() -> None:
    assert mornings(told([port_read(acceptance="Confirmed")]), 20) == []


@pytest.mark.parametrize(("mode", "payer"), [(OrderMode.TENANT_PAYS, "tenant"), (OrderMode.PARTNER_PAYS, "partner")])
def test_the_payer_is_told_before_and_after_a_subscription_ends(mode: OrderMode, payer: str) -> None:
    end = NOW + timedelta(days=60)
    running = told([port_read(**ENABLED, end_time=end, order_mode=str(mode))])
    sent = [(party, day) for kind, party, day, _ in mornings(running, 90) if kind == "subscription_ends"]
    assert sent == [(payer, day) for day in (-30, -15, -10, -3, -1, 1, 7, 14)]


def test_days_before_the_end_was_known_are_not_told_of() -> None:
    running = told([port_read(**ENABLED, end_time=NOW + timedelta(days=12))])
    days = [day for kind, _, day, _ in mornings(running, 12.5) if kind == "subscription_ends"]
    assert days == [-10, -3, -1]


def test_a_renewed_subscription_begins_a_new_series() -> None:
    first, second = NOW + timedelta(days=5), NOW + timedelta(days=36)
    renewed = told([port_read(**ENABLED, end_time=first), port_read(NOW + timedelta(days=4), end_time=second)])
    subjects = {
        notice.details["end_time"] for notice in due_notices(renewed, POLICY, NOW + timedelta(days=35), CALENDAR)
    }
    assert subjects == {second.isoformat()}


def test_an_order_that_waits_is_warned_of_before_its_hold_ends() -> None:
    waiting = connection(intended_at=None)
    assert [(kind, party, day) for kind, party, day, _ in mornings(waiting, 40)] == [
        ("hold_ending", "partner", -7),
        ("hold_ending", "partner", -1),
    ]


def test_from_the_fifth_day_recovery_may_lose_the_vlan_id() -> None:
    off = told([port_read(**ENABLED), vbr_read(), vbr_read(NOW + timedelta(days=1), status="terminated")])
    sent = [(kind, party, day) for kind, party, day, _ in mornings(off, 9)]
    kind = "recovery_may_lose_vlan"
    assert sorted(sent) == [(kind, party, day) for party in ("partner", "tenant") for day in (5, 7)]


@given(hours=st.lists(st.integers(0, 24 * 80), min_size=1, max_size=30))
def test_whoever_runs_seldom_sends_no_heap_of_old_reminders(hours: list[int]) -> None:
    running = told([port_read(**ENABLED, end_time=NOW + timedelta(days=40))])
    keys: set[str] = set()
    for hour in sorted(hours):
        new = {n.key for n in due_notices(running, POLICY, NOW + timedelta(hours=hour), CALENDAR)} - keys
        assert len(new) <= 1
        keys |= new


# --- The delivery ---------------------------------------------------------------------------------------------------


def step(name: MilestoneName, days: float) -> Milestone:
    """A milestone so many days into the delivery."""
    return Milestone(name=name, at=NOW + timedelta(days=days), actor="operator")


def delivered(*seen: Observation, quoted: float = 0) -> Connection:
    """A connection whose quote was accepted on day 0, its line ready on day 10, its UID confirmed on day 11."""
    reached = (
        step(MilestoneName.QUOTE_ACCEPTED, quoted),
        step(MilestoneName.LAST_MILE_READY, 10),
        step(MilestoneName.UID_CONFIRMED, 11),
    )
    return told(seen, milestones=reached)


def day(days: float) -> datetime:
    """So many days into the delivery."""
    return NOW + timedelta(days=days)


def test_a_delivery_is_split_by_who_was_waited_for() -> None:
    done = delivered(
        port_seen(day(12), Source.OWN_ANSWER, acceptance="UnConfirmed", status="Allocating"),
        port_read(day(13)),
        port_seen(day(15), Source.EVENT, acceptance="Confirmed"),
        port_read(day(18), acceptance="Confirmed", status="Enabled", enabled_time=day(18)),
        vbr_read(day(20)),
    )
    delivery = delivery_of(done, UTC)
    assert delivery is not None
    assert delivery.ended == day(20)
    assert delivery.late_by(day(50)) == timedelta(0)
    assert delivery.waiting_for() is None
    assert {name: span.days for name, span in delivery.waited(day(50)).items()} == {
        "last_mile": 10,
        "tenant": 1 + 2 + 3 + 2,
        "partner": 1,
        "alibaba_cloud": 1,
    }


def test_payment_before_acceptance_leaves_the_acceptance_to_wait_for() -> None:
    paid = delivered(port_read(day(12)), port_read(day(14), status="Enabled", enabled_time=day(14)))
    delivery = delivery_of(paid, UTC)
    assert delivery is not None
    wait = delivery.waiting_for()
    assert wait is not None
    assert (wait.what, wait.party, wait.since) == ("acceptance", Party.TENANT, day(14))


@pytest.mark.parametrize("seen", [(), (port_read(day(12)),)])
def test_the_stretches_of_a_delivery_are_without_gaps(seen: tuple[Observation, ...]) -> None:
    delivery = delivery_of(delivered(*seen), UTC)
    assert delivery is not None
    assert sum(delivery.waited(day(40)).values(), timedelta(0)) == timedelta(days=40)
    assert delivery.late_by(day(40)) == timedelta(days=9)


def test_without_an_accepted_quote_no_clock_runs() -> None:
    assert delivery_of(told([port_read()]), UTC) is None


def test_the_partner_is_warned_by_working_days_before_a_delivery_is_late() -> None:
    late = delivered(quoted=4)
    # Due on Monday 5 September, a holiday that is no working day itself.
    sent = [(d, at.astimezone(NEW_YORK).date()) for k, _, d, at in mornings(late, 40) if k == "delivery_jeopardy"]
    assert [on for _, on in sent] == [date(2022, 8, 22), date(2022, 8, 29), date(2022, 9, 2), date(2022, 9, 6)]


def test_a_month_ends_on_the_last_day_of_a_shorter_one() -> None:
    assert next_month(datetime(2024, 1, 31, 12, tzinfo=UTC), UTC) == datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert next_month(datetime(2023, 12, 15, 12, tzinfo=UTC), UTC) == datetime(2024, 1, 15, 12, tzinfo=UTC)


def test_the_hour_of_the_due_date_is_the_access_points() -> None:
    # Across the end of daylight saving time in New York.
    due = next_month(datetime(2022, 10, 20, 16, 0, tzinfo=UTC), NEW_YORK)
    assert (due.astimezone(NEW_YORK).hour, due.astimezone(UTC).hour) == (12, 17)


def test_the_earliest_word_of_the_acceptance_counts() -> None:
    late, early = day(3), day(2)
    seen = [port_seen(at, Source.EVENT, acceptance="Confirmed") for at in (late, early)]
    assert {told(order).port.confirmed_at for order in (seen, seen[::-1])} == {early}  # type: ignore[union-attr]


# --- Offers, ceases, arrears, groups --------------------------------------------------------------------------------


def kinds(one: Connection, days: float = 40) -> list[tuple[str, str, int]]:
    """Kind, party and day of every notice of so many days."""
    return [(kind, party, day) for kind, party, day, _ in mornings(one, days)]


def test_an_offer_that_waits_behind_a_violation_is_not_reminded_of() -> None:
    wrong = told([port_read(vlan_id=VLAN + 1)])
    assert kinds(wrong) == [("offer_expired", "partner", 1)]


def test_a_port_that_nobody_ordered_is_told_to_the_tenant_under_a_contract_alone() -> None:
    seen = [port_read()]
    without = told(seen, origin=Origin.CONSOLE)
    under = told(seen, origin=Origin.CONSOLE, contract_number="C-1")
    assert {party for _, party, _ in kinds(without)} == {"partner"}
    assert ("offer_reminder", "tenant", 3) in kinds(under)


@pytest.mark.parametrize("mode", OrderMode)
def test_a_tenant_who_pays_is_reminded_of_a_cease(mode: OrderMode) -> None:
    ceased = told([port_read(**ENABLED, order_mode=str(mode))], cease_recorded_at=NOW)
    expected = [("cease_reminder", "tenant", day) for day in (3, 7, 14, 30)]
    assert kinds(ceased) == (expected if mode is OrderMode.TENANT_PAYS else [])


def test_a_lock_for_billing_is_reminded_of_until_what_is_overdue_is_released() -> None:
    locked = told([port_read(**ENABLED), port_seen(day(1), business_status="FinancialLocked")])
    sent = [(at, party) for _, party, at in kinds(locked)]
    assert sorted(sent) == [(at, party) for at in (1, 3, 5, 6) for party in ("partner", "tenant")]
    settled = told([port_seen(day(1), business_status="FinancialLocked"), port_read(day(2), **ENABLED)])
    assert kinds(settled) == []


def test_an_ended_subscription_is_no_arrears() -> None:
    ended = told([port_read(**ENABLED, end_time=day(1)), port_seen(day(2), business_status="FinancialLocked")])
    assert {kind for kind, _, _ in kinds(ended)} == {"subscription_ends"}


HALF = Finding(
    code="half_provisioned",
    subject="G",
    details={
        "missing": ["conn-2 failed"],
        "since": NOW.isoformat(),
        "deadline": (NOW + POLICY.group_deadline).isoformat(),
    },
)


def test_a_half_provisioned_group_is_told_before_and_after_its_deadline() -> None:
    member = told([port_read(**ENABLED)], group_id="G")
    due = {n.details["day"] for h in range(24 * 12) for n in due_notices(member, POLICY, day(h / 24), CALENDAR, HALF)}
    assert due == {-3, -1, 1}
    assert due_notices(member, POLICY, day(9), CALENDAR) == ()
    assert overdue_group(None, day(9)) is None
    assert overdue_group(HALF, NOW + POLICY.group_deadline - timedelta(seconds=1)) is None
    overdue = overdue_group(HALF, NOW + POLICY.group_deadline)
    assert overdue is not None
    assert (overdue.code, overdue.subject, overdue.details["missing"]) == ("group_overdue", "G", ["conn-2 failed"])


@pytest.mark.parametrize(
    ("expiry", "seen", "changes", "what"),
    [
        ("keep", (), {"intended_at": None}, "order"),
        ("keep", (port_read(),), {}, None),
        ("withdraw", (port_read(),), {}, "offer"),
        ("withdraw", (port_read(status="Enabled"),), {}, None),
        ("withdraw", (port_read(acceptance="Confirmed"),), {}, None),
        ("withdraw", (port_read(),), {"origin": Origin.IMPORT, "contract_number": "C-1"}, None),
        ("withdraw", (port_read(),), {"withdrawn_at": NOW}, None),
        ("withdraw", (port_read(vlan_id=VLAN + 1),), {}, None),
    ],
)
def test_what_is_taken_back_by_itself(
    expiry: str, seen: tuple[Observation, ...], changes: dict[str, Any], what: str | None
) -> None:
    found = expiry_of(told(seen, **changes), replace(POLICY, offer_expiry=expiry))
    assert (found and found.what) == what
    if found is not None:
        assert found.at - NOW == (POLICY.hold_lifetime if what == "order" else POLICY.offer_lifetime)


# --- Zones ----------------------------------------------------------------------------------------------------------


def calendar_in(tenant: str, partner: str) -> Calendar:
    """The calendar of people in these zones."""
    return replace(CALENDAR, zones={Party.TENANT: ZoneInfo(tenant), Party.PARTNER: ZoneInfo(partner)})


@pytest.mark.parametrize(
    ("zone", "at", "utc_hours"),
    [
        # Clocks go forward on 27 March 2022 in Berlin, on 13 March in New York, and back on 30 October and 6 November.
        ("Europe/Berlin", datetime(2022, 3, 25, 12, tzinfo=UTC), [8, 7, 7]),
        ("America/New_York", datetime(2022, 3, 11, 20, tzinfo=UTC), [14, 13, 13]),
        ("Europe/Berlin", datetime(2022, 10, 28, 12, tzinfo=UTC), [7, 8, 8]),
        ("Asia/Kathmandu", datetime(2022, 3, 25, 12, tzinfo=UTC), [3, 3, 3]),
    ],
)
def test_nine_in_the_morning_is_nine_across_daylight_saving_time(zone: str, at: datetime, utc_hours: list[int]) -> None:
    offered = told([port_read(at)])
    (series,) = (s for s in reminders(offered, POLICY, calendar_in(zone, zone)) if s[0].notice.kind == "offer_reminder")
    assert [one.at.astimezone(UTC).hour for one in series] == utc_hours
    assert [one.at.hour for one in series] == [9, 9, 9]
    days = [(one.at.date() - at.astimezone(ZoneInfo(zone)).date()).days for one in series]
    assert days == list(POLICY.offer_reminders)


# --- Reminders whose reason is gone by the time of sending ------------------------------------------------------------

ACCEPTED, GONE = port_seen(day(50), acceptance="Confirmed"), port_seen(day(50), acceptance="Deleted")
BACK, NORMAL = vbr_seen(day(50), status="active"), port_seen(day(50), business_status="Normal")
DELIVERED = (port_read(day(50), **ENABLED), vbr_read(day(51)))


def reminder(one: Connection, kind: str) -> Notice:
    """The latest notice of a kind in 45 days."""
    found = [n for d in range(46) for n in due_notices(one, POLICY, day(d), CALENDAR, HALF) if n.kind == kind]
    return found[-1]


@pytest.mark.parametrize(
    ("kind", "one", "meanwhile", "changes", "reason"),
    [
        ("hold_ending", connection(intended_at=None), (), {"intended_at": NOW}, "phase_is_provisioning"),
        ("offer_reminder", told([port_read()]), (ACCEPTED,), {}, "already_accepted"),
        ("offer_reminder", told([port_read()]), (), {"withdrawn_at": day(50)}, "withdrawn"),
        ("offer_reminder", told([port_read()]), (GONE,), {}, "phase_is_declined"),
        ("offer_expired", told([port_read()]), (ACCEPTED,), {}, "already_accepted"),
        ("offer_expired", told([port_read()]), (), {"withdrawn_at": day(50)}, "withdrawn"),
        ("offer_expired", told([port_read()], withdrawn_at=day(1)), (), {}, None),
        ("offer_expired", told([port_read()]), (port_seen(day(50), status="Canceled"),), {}, "phase_is_declined"),
        ("cease_reminder", told([port_read(**ENABLED)], cease_recorded_at=NOW), (GONE,), {}, "phase_is_released"),
        (
            "subscription_ends",
            told([port_read(**ENABLED, end_time=day(30))]),
            (port_seen(day(50), end_time=day(60)),),
            {},
            "superseded",
        ),
        (
            "arrears_reminder",
            told([port_read(**ENABLED), port_seen(day(1), business_status="FinancialLocked")]),
            (NORMAL,),
            {},
            "not_suspended_any_more",
        ),
        (
            "arrears_reminder",
            told([port_read(**ENABLED), port_seen(day(1), business_status="FinancialLocked")]),
            (NORMAL, port_seen(day(51), business_status="FinancialLocked")),
            {},
            "superseded",
        ),
        (
            "recovery_may_lose_vlan",
            told([port_read(**ENABLED), vbr_read(), vbr_read(day(1), status="terminated")]),
            (BACK,),
            {},
            "not_suspended_any_more",
        ),
        (
            "recovery_may_lose_vlan",
            told([port_read(**ENABLED), vbr_read(), vbr_read(day(1), status="terminated")]),
            (vbr_seen(day(50), deleted=True),),
            {},
            "vbr_gone",
        ),
        ("delivery_jeopardy", delivered(port_read(day(12))), DELIVERED, {}, "delivered"),
        ("delivery_jeopardy", delivered(), (), {"withdrawn_at": day(50)}, "phase_is_withdrawn"),
        ("group_deadline", told([port_read(**ENABLED)], group_id="G"), (GONE,), {}, "phase_is_released"),
        (
            "group_deadline",
            told([port_read(**ENABLED)], group_id="G"),
            (),
            {"cease_recorded_at": day(50)},
            "phase_is_releasing",
        ),
    ],
)
def test_a_reminder_whose_reason_is_gone_is_moot(
    kind: str, one: Connection, meanwhile: tuple[Observation, ...], changes: dict[str, Any], reason: str | None
) -> None:
    notice = reminder(one, kind)
    assert moot(notice, one, POLICY) is None
    assert moot(notice, decide(replace(one, **changes), meanwhile, POLICY).connection, POLICY) == reason
