"""What the calendar calls for is told once, whenever, in whatever order and however often anybody looks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from crossport.domain.connection import Connection, Milestone
from crossport.domain.deadlines import Calendar, due_notices, reminders
from crossport.domain.decide import Finding, decide
from crossport.domain.observation import Observation
from crossport.domain.vocabulary import MilestoneName, Party
from tests.unit.domain.examples import NOW, POLICY, connection, port_read, port_seen, vbr_read

ENABLED: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled", "enabled_time": NOW}
HALF = Finding(
    code="half_provisioned",
    subject="G",
    details={"missing": [], "since": NOW.isoformat(), "deadline": (NOW + POLICY.group_deadline).isoformat()},
)
ZONES = ("Asia/Kathmandu", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Pacific/Apia", "America/Sao_Paulo")
#: A long time in the life of a connection, daylight saving time beginning and ending within it.
DAYS = 70
HOLIDAY = date(2022, 9, 5)


def day(days: float) -> datetime:
    return NOW + timedelta(days=days)


def told(seen: Iterable[Observation] = (), **changes: Any) -> Connection:
    return decide(connection(**changes), tuple(seen), POLICY).connection


#: Connections that between them have every kind of series.
LIVES = {
    "ordered": connection(intended_at=None),
    "offered": told([port_read()]),
    "running": told([port_read(**ENABLED, end_time=day(30)), vbr_read()]),
    "in arrears": told([port_read(**ENABLED, end_time=day(30)), port_seen(day(2), business_status="FinancialLocked")]),
    "VBR off": told([port_read(**ENABLED), vbr_read(), vbr_read(day(1), status="terminated")]),
    "late": told(
        [port_read(day(12))], milestones=(Milestone(name=MilestoneName.QUOTE_ACCEPTED, at=NOW, actor="sales"),)
    ),
    "ceased": told([port_read(**ENABLED)], cease_recorded_at=NOW),
    "half": told([port_read(**ENABLED)], group_id="G"),
}
lives = st.sampled_from(sorted(LIVES))
zones = st.sampled_from(ZONES)


def calendar(tenant: str, partner: str) -> Calendar:
    return Calendar(
        zones={Party.TENANT: ZoneInfo(tenant), Party.PARTNER: ZoneInfo(partner)},
        access_point=ZoneInfo("America/New_York"),
        is_working_day=lambda day: day.weekday() < 5 and day != HOLIDAY,
    )


def told_by(life: str, runs: Iterable[datetime], of: Calendar) -> set[str]:
    """Keys that runs at these times have written between them."""
    return {notice.key for now in runs for notice in due_notices(LIVES[life], POLICY, now, of, HALF)}


def everything(life: str, of: Calendar, until: datetime) -> set[str]:
    """Keys of all that is due until then."""
    series = reminders(LIVES[life], POLICY, of, HALF)
    return {reminder.notice.key for one in series for reminder in one if reminder.at <= until}


@given(
    life=lives,
    minutes=st.lists(st.integers(0, DAYS * 24 * 60), min_size=1, max_size=25),
    of=st.builds(calendar, zones, zones),
    data=st.data(),
)
def test_any_order_and_any_number_of_runs_tell_the_same(
    life: str, minutes: list[int], of: Calendar, data: st.DataObject
) -> None:
    runs = [NOW + timedelta(minutes=minute) for minute in minutes]
    known = told_by(life, runs, of)
    assert told_by(life, data.draw(st.permutations(runs * 2)), of) == known
    assert known <= everything(life, of, max(runs))


@given(life=lives, late=st.timedeltas(timedelta(0), timedelta(hours=23)), of=st.builds(calendar, zones, zones))
def test_whoever_runs_once_a_day_is_late_and_misses_nothing(life: str, late: timedelta, of: Calendar) -> None:
    runs = [NOW + late + timedelta(days=n) for n in range(DAYS)]
    assert told_by(life, runs, of) == everything(life, of, runs[-1])


@given(life=lives, minute=st.integers(0, DAYS * 24 * 60), of=st.builds(calendar, zones, zones))
def test_of_what_was_missed_only_the_newest_is_told(life: str, minute: int, of: Calendar) -> None:
    now = NOW + timedelta(minutes=minute)
    due = due_notices(LIVES[life], POLICY, now, of, HALF)
    newest = {
        come[-1].notice.key
        for one in reminders(LIVES[life], POLICY, of, HALF)
        if (come := [reminder for reminder in one if reminder.at <= now])
    }
    assert {notice.key for notice in due} == newest
    assert len(due) == len(newest)


@given(life=lives, tenant=zones, partner=zones)
def test_every_reminder_is_due_at_nine_of_its_own_recipient(life: str, tenant: str, partner: str) -> None:
    of = calendar(tenant, partner)
    for one in reminders(LIVES[life], POLICY, of, HALF):
        for reminder in one:
            local = reminder.at.astimezone(of.zones[reminder.notice.party])
            assert (local.hour, local.minute) == (9, 0)


def test_the_lives_have_every_kind() -> None:
    of = calendar("Asia/Shanghai", "America/New_York")
    kinds = {r.notice.kind for life in LIVES.values() for one in reminders(life, POLICY, of, HALF) for r in one}
    assert kinds == {
        "hold_ending", "offer_reminder", "offer_expired", "cease_reminder", "subscription_ends", "arrears_reminder",
        "delivery_jeopardy", "recovery_may_lose_vlan", "group_deadline",
    }  # fmt: skip
