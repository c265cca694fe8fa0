"""Deadlines: what has to be said or done because of the calendar. The time is an argument; the domain has no clock.

A deadline is a series of days around one date, such as a month before a subscription ends, and fifteen days before. Of
each series only the latest day that has come is told, once: whoever runs late, or has not run for weeks, sends no heap
of old reminders. Notices go out from 09:00 of the recipient (ruling 21).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.cool_down import CLOUD_COOL_DOWN
from crossport.domain.decide import Finding
from crossport.domain.effects import ALIVE, Notice, too_early
from crossport.domain.effects.episodes import port_episodes, vbr_episodes
from crossport.domain.effects.kinds import key_of
from crossport.domain.facts import PortFacts
from crossport.domain.phase import VBR_OFF, phase_of, suspension
from crossport.domain.policy import Policy
from crossport.domain.sla import delivery_of
from crossport.domain.vocabulary import OrderMode, Origin, Party, Phase

#: The hour at which reminders go out, in the recipient's zone (ruling 21).
MORNING = time(9, 0)
#: Days before and after the end of a subscription (ruling 13; "Expiration and overdue payments").
EXPIRY_DAYS = (-30, -15, -10, -3, -1, 1, 7, 14)
#: Days of a lock for billing: what is not settled is released after seven ("Expiration and overdue payments").
ARREARS_DAYS = (1, 3, 5, 6)
#: Working days before a delivery is late.
JEOPARDY_WORKING_DAYS = (10, 5, 1)
#: Days before an order that waits for its milestones is taken back.
HOLD_DAYS = (-7, -1)
#: Days after a VBR's termination on which recovery may lose the VLAN ID, and on which the cloud keeps it no longer
#: (ruling 15).
RECOVERY_DAYS = (5, 7)
#: Days after a cease on which a tenant who pays, and alone may end its port, is reminded (ruling 4).
CEASE_DAYS = (3, 7, 14, 30)
#: Days around the day until which a half provisioned redundancy group is to be mended (ruling 17).
GROUP_DAYS = (-3, -1, 1)
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
    #: Name to days from the anchor's date, ascending. A notice is known by the name, so it must not move with a date.
    days: Mapping[str, int]
    #: Since when the date is known: days before that are never told.
    since: datetime
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminder:
    """One notice of a series, and from when on it is due (aware, the recipient's zone)."""

    notice: Notice
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Expiry:
    """What we take back ourselves when its time is over, and from when on: an ``order`` or an ``offer``."""

    what: str
    at: datetime


def due_notices(
    connection: Connection, policy: Policy, now: datetime, calendar: Calendar, half: Finding | None = None
) -> tuple[Notice, ...]:
    """The notices that the calendar calls for now. Their keys are stable: the same again until the next day comes.

    ``half`` is the open finding ``half_provisioned`` of the connection's redundancy group.
    """
    found = []
    for series in reminders(connection, policy, calendar, half):
        come = [reminder.notice for reminder in series if reminder.at <= now]
        found += come[-1:]
    return tuple(found)


def reminders(
    connection: Connection, policy: Policy, calendar: Calendar, half: Finding | None = None
) -> Iterator[tuple[Reminder, ...]]:
    """Every series of the connection as it stands, one tuple for each party, in the order of time; past days too."""
    for series in _series(connection, policy, calendar, half):
        for party in series.parties:
            if party is Party.TENANT and not _tenant_is_told(connection):
                continue
            yield tuple(_reminders(connection, series, party, calendar.zones[party]))


def expiry_of(connection: Connection, policy: Policy) -> Expiry | None:
    """When the order or offer will be taken back by us because its time is over; None when it will not.

    An offer only where the policy says so, and never one that is paid, for that would end a running subscription, nor
    one that nobody ordered through us.
    """
    phase, port = phase_of(connection, policy.consistency_window), connection.port
    if phase is Phase.ORDERED:
        return Expiry(what="order", at=connection.created_at + policy.hold_lifetime)
    if phase is not Phase.OFFERED or port is None or not _is_open_offer(connection, policy):
        return None
    if policy.offer_expiry != "withdraw" or not _may_take_back(connection, port):
        return None
    return Expiry(what="offer", at=port.first_seen + policy.offer_lifetime)


def overdue_group(half: Finding | None, now: datetime) -> Finding | None:
    """The finding that a half provisioned redundancy group was not mended in time (ruling 17), or None."""
    if half is None or now < datetime.fromisoformat(half.details["deadline"]):
        return None
    return Finding(code="group_overdue", subject=half.subject, details=dict(half.details))


def _reminders(connection: Connection, series: Series, party: Party, zone: tzinfo) -> Iterator[Reminder]:
    anchor = series.anchor.astimezone(zone).date()
    for name, day in series.days.items():
        morning = datetime.combine(anchor + timedelta(days=day), MORNING, zone)
        if morning < series.since:
            continue
        notice = Notice(
            key=key_of(connection, series.kind, series.subject, name, str(party)),
            kind=series.kind,
            connection_id=connection.connection_id,
            party=party,
            details={**series.details, "day": day},
        )
        yield Reminder(notice=notice, at=morning)


def _tenant_is_told(connection: Connection) -> bool:
    """Of a port that nobody ordered through us a tenant is told under a contract alone (ruling 2)."""
    return connection.origin is Origin.ORDER or bool(connection.contract_number)


def _plain(days: Iterable[int]) -> dict[str, int]:
    return {f"day{day:+d}": day for day in days}


def _series(connection: Connection, policy: Policy, calendar: Calendar, half: Finding | None) -> Iterator[Series]:
    phase, port = phase_of(connection, policy.consistency_window), connection.port
    if phase is Phase.ORDERED:
        yield _hold_ends(connection, policy)
    if phase is Phase.OFFERED and port is not None and _is_open_offer(connection, policy):
        yield _offer_waits(port, policy)
    if phase is Phase.OFFERED and port is not None:
        yield _offer_is_over(connection, port, policy)
    if phase is Phase.RELEASING and port is not None:
        yield from _cease_waits(connection)
    if phase in ALIVE and port is not None:
        yield from _subscription_ends(connection, port)
        yield from _arrears(connection, port, policy)
    if phase in ALIVE:
        yield from _delivery_is_late(connection, calendar)
        yield from _vlan_may_be_lost(connection, policy)
    if phase in ALIVE and half is not None:
        yield _group_is_half(half)


def _hold_ends(connection: Connection, policy: Policy) -> Series:
    ends = connection.created_at + policy.hold_lifetime
    return Series(
        kind="hold_ending",
        parties=(Party.PARTNER,),
        subject="",
        anchor=ends,
        days=_plain(HOLD_DAYS),
        since=connection.created_at,
        details={"ends": ends.isoformat()},
    )


def _is_open_offer(connection: Connection, policy: Policy) -> bool:
    """Whether the tenant was, or may be, asked to accept now: nothing stands in the offer's own way."""
    offer = Notice(key="", kind="offer", connection_id=connection.connection_id, party=Party.TENANT)
    return connection.withdrawn_at is None and too_early(offer, connection, policy) is None


def _may_take_back(connection: Connection, port: PortFacts) -> bool:
    unpaid = "Enabled" not in port.status.values()
    return connection.origin is Origin.ORDER and unpaid and not connection.offer_expired


def _offer_waits(port: PortFacts, policy: Policy) -> Series:
    seen = port.first_seen
    return Series(
        kind="offer_reminder",
        parties=(Party.TENANT,),
        subject="",
        anchor=seen,
        days=_plain(policy.offer_reminders),
        since=seen,
        details={"ends": (seen + policy.offer_lifetime).isoformat()},
    )


def _offer_is_over(connection: Connection, port: PortFacts, policy: Policy) -> Series:
    """The day after the offer's time was over, if it is still open then: kept, or not to be taken back."""
    ends = port.first_seen + policy.offer_lifetime
    taken_back = policy.offer_expiry == "withdraw" and _may_take_back(connection, port)
    told = not taken_back and _is_open_offer(connection, policy)
    return Series(
        kind="offer_expired",
        parties=_BOTH if told else (Party.PARTNER,),
        subject="",
        anchor=ends,
        days=_plain((1,)),
        since=port.first_seen,
        details={"ends": ends.isoformat(), "withdrawn": connection.withdrawn_at is not None},
    )


def _cease_waits(connection: Connection) -> Iterator[Series]:
    since = connection.cease_recorded_at
    if since is None or connection.order_mode == OrderMode.PARTNER_PAYS:
        return
    yield Series(
        kind="cease_reminder",
        parties=(Party.TENANT,),
        subject="",
        anchor=since,
        days=_plain(CEASE_DAYS),
        since=since,
        details={"since": since.isoformat()},
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
        days=_plain(EXPIRY_DAYS),
        since=first,
        details={"end_time": end.value.isoformat()},
    )


def _arrears(connection: Connection, port: PortFacts, policy: Policy) -> Iterator[Series]:
    """A lock for billing that is no end of subscription: reminders until what is overdue may be released."""
    found = suspension(connection, policy.consistency_window)
    if found is None or found.reason != "locked_financial":
        return
    since = [entry.at for entry in port.business_status.runs() if entry.value == "FinancialLocked"][-1]
    episode = port_episodes(port, "FinancialLocked")
    yield Series(
        kind="arrears_reminder",
        parties=_BOTH,
        subject=str(episode),
        anchor=since,
        days=_plain(ARREARS_DAYS),
        since=since,
        details={"since": since.isoformat(), "episode": episode},
    )


def _delivery_is_late(connection: Connection, calendar: Calendar) -> Iterator[Series]:
    delivery = delivery_of(connection, calendar.access_point)
    if delivery is None or delivery.ended is not None or connection.withdrawn_at is not None:
        return
    waiting = delivery.waiting_for()
    due = delivery.due.date()
    before = {f"{n}wd": -_days_before(due, n, calendar.is_working_day) for n in JEOPARDY_WORKING_DAYS}
    yield Series(
        kind="delivery_jeopardy",
        parties=(Party.PARTNER,),
        subject=delivery.started.isoformat(),
        anchor=delivery.due,
        days={**before, "late": 1},
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
        if vbr.status.current != VBR_OFF:
            continue
        since = [entry.at for entry in vbr.status.runs() if entry.value == VBR_OFF][-1]
        episode = vbr_episodes(vbr)
        yield Series(
            kind="recovery_may_lose_vlan",
            parties=_BOTH,
            subject=f"{vbr.vbr_id}:{episode}",
            anchor=since,
            days=_plain(RECOVERY_DAYS),
            since=since,
            details={
                "vbr_id": vbr.vbr_id,
                "episode": episode,
                "since": since.isoformat(),
                "ends": (since + CLOUD_COOL_DOWN).isoformat(),
            },
        )


def _group_is_half(half: Finding) -> Series:
    since, deadline = half.details["since"], half.details["deadline"]
    return Series(
        kind="group_deadline",
        parties=(Party.PARTNER,),
        subject=since,
        anchor=datetime.fromisoformat(deadline),
        days=_plain(GROUP_DAYS),
        since=datetime.fromisoformat(since),
        details={"since": since, "deadline": deadline, "missing": list(half.details["missing"])},
    )


def _days_before(due: date, working_days: int, is_working_day: Callable[[date], bool]) -> int:
    """How many days before a date so many working days are left until it."""
    days = 0
    while working_days > 0:
        days += 1
        working_days -= is_working_day(due - timedelta(days=days))
    return days
