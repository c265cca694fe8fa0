"""Deadlines: what has to be said because of the calendar. The time is an argument; the domain has no clock.

A deadline is a series of days around one date, such as a month before a subscription ends, and fifteen days before.
Of each series only the latest day that has come is told: whoever runs late does not send a heap of old reminders.
Notices go out from 09:00 of the recipient (ruling 21).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.cool_down import CLOUD_COOL_DOWN
from crossport.domain.effects import ALIVE, Notice
from crossport.domain.effects.kinds import key_of
from crossport.domain.facts import PortFacts
from crossport.domain.phase import phase_of
from crossport.domain.policy import Policy
from crossport.domain.sla import delivery_of
from crossport.domain.vocabulary import OrderMode, Party, Phase

#: The hour at which reminders go out, in the recipient's zone (ruling 21).
MORNING = time(9, 0)
#: Days before and after the end of a subscription (ruling 13; "Expiration and overdue payments").
EXPIRY_DAYS = (-30, -15, -10, -3, -1, 1, 7, 14)
#: Working days before a delivery is late.
JEOPARDY_WORKING_DAYS = (10, 5, 1)
#: Days before an order that waits for its milestones is taken back.
HOLD_DAYS = (-7, -1)
#: From this day after a VBR was terminated, recovery may lose the VLAN ID (ruling 15).
RECOVERY_WARNING_DAYS = (5,)
_BOTH = (Party.TENANT, Party.PARTNER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """What a date means to people: the recipients' zones, and the access point's zone and working days."""

    zones: Mapping[Party, tzinfo]
    access_point: tzinfo
    #: Whether people work on a day in the access point's country.
    is_working_day: Callable[[date], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """The days around one date on which parties are told."""

    kind: str
    parties: tuple[Party, ...]
    #: What tells this series from others of its kind.
    subject: str
    anchor: datetime
    #: Days from the anchor's date, ascending.
    days: tuple[int, ...]
    #: Since when the date is known: days before that are never told.
    since: datetime
    details: dict[str, Any] = field(default_factory=dict)


def due_notices(connection: Connection, policy: Policy, now: datetime, calendar: Calendar) -> tuple[Notice, ...]:
    """The notices that the calendar calls for now. Their keys are stable: the same again until the next day comes."""
    found = []
    for series in _series(connection, policy, calendar):
        for party in series.parties:
            day = latest_day(series, calendar.zones[party], now)
            if day is None:
                continue
            key = key_of(connection, series.kind, series.subject, f"day{day:+d}", str(party))
            details = {**series.details, "day": day}
            notice = Notice(
                key=key, kind=series.kind, connection_id=connection.connection_id, party=party, details=details
            )
            found.append(notice)
    return tuple(found)


def latest_day(series: Series, zone: tzinfo, now: datetime) -> int | None:
    """The latest day of the series whose morning has come in this zone since its date was known; None when none has."""
    anchor = series.anchor.astimezone(zone).date()
    mornings = ((day, datetime.combine(anchor + timedelta(days=day), MORNING, zone)) for day in series.days)
    come = [day for day, morning in mornings if series.since <= morning <= now]
    return come[-1] if come else None


def _series(connection: Connection, policy: Policy, calendar: Calendar) -> Iterator[Series]:
    phase, port = phase_of(connection, policy.consistency_window), connection.port
    if phase is Phase.ORDERED:
        yield _hold_ends(connection, policy)
    if phase is Phase.OFFERED and port is not None:
        yield _offer_waits(port, policy)
    if phase in ALIVE and port is not None:
        yield from _subscription_ends(connection, port)
    if phase in ALIVE:
        yield from _delivery_is_late(connection, calendar)
        yield from _vlan_may_be_lost(connection, policy)


def _hold_ends(connection: Connection, policy: Policy) -> Series:
    ends = connection.created_at + policy.hold_lifetime
    return Series(
        kind="hold_ending",
        parties=(Party.PARTNER,),
        subject="",
        anchor=ends,
        days=HOLD_DAYS,
        since=connection.created_at,
        details={"ends": ends.isoformat()},
    )


def _offer_waits(port: PortFacts, policy: Policy) -> Series:
    seen = port.first_seen
    return Series(
        kind="offer_reminder",
        parties=(Party.TENANT,),
        subject="",
        anchor=seen,
        days=policy.offer_reminders,
        since=seen,
        details={"ends": (seen + policy.offer_lifetime).isoformat()},
    )


def _subscription_ends(connection: Connection, port: PortFacts) -> Iterator[Series]:
    end = port.end_time.latest
    if end is None:
        return
    first = next(entry.at for entry in port.end_time.entries if entry.value == end.value)
    payer = Party.PARTNER if connection.order_mode == OrderMode.PARTNER_PAYS else Party.TENANT
    yield Series(
        kind="subscription_ends",
        parties=(payer,),
        subject=end.value.isoformat(),
        anchor=end.value,
        days=EXPIRY_DAYS,
        since=first,
        details={"end_time": end.value.isoformat()},
    )


def _delivery_is_late(connection: Connection, calendar: Calendar) -> Iterator[Series]:
    delivery = delivery_of(connection, calendar.access_point)
    if delivery is None or delivery.ended is not None:
        return
    waiting = delivery.waiting_for()
    due = delivery.due.date()
    yield Series(
        kind="delivery_jeopardy",
        parties=(Party.PARTNER,),
        subject=delivery.started.isoformat(),
        anchor=delivery.due,
        days=(*(-_days_before(due, n, calendar.is_working_day) for n in JEOPARDY_WORKING_DAYS), 1),
        since=delivery.started,
        details={
            "due": delivery.due.isoformat(),
            "waiting_for": waiting.party if waiting else "",
            "waiting_since": waiting.since.isoformat() if waiting else "",
            "what": waiting.what if waiting else "",
        },
    )


def _vlan_may_be_lost(connection: Connection, policy: Policy) -> Iterator[Series]:
    for vbr in connection.live_vbrs(policy.consistency_window):
        if vbr.status.current != "terminated":
            continue
        since = [entry.at for entry in vbr.status.runs() if entry.value == "terminated"][-1]
        yield Series(
            kind="recovery_may_lose_vlan",
            parties=_BOTH,
            subject=f"{vbr.vbr_id}:{since.isoformat()}",
            anchor=since,
            days=RECOVERY_WARNING_DAYS,
            since=since,
            details={"vbr_id": vbr.vbr_id, "ends": (since + CLOUD_COOL_DOWN).isoformat()},
        )


def _days_before(due: date, working_days: int, is_working_day: Callable[[date], bool]) -> int:
    """How many days before a date so many working days are left until it."""
    days = 0
    while working_days > 0:
        days += 1
        working_days -= is_working_day(due - timedelta(days=days))
    return days
