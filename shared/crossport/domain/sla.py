"""The clock of a delivery: from the accepted quote to the active connection, and who was waited for meanwhile.

The partner guide promises a shared port in less than a month once the customer has accepted the quote; the last mile,
which the line's operator builds, is shown apart (ruling 5).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from crossport.domain.connection import Connection
from crossport.domain.facts import PortFacts
from crossport.domain.history import History
from crossport.domain.phase import VBR_UP
from crossport.domain.vocabulary import MilestoneName, OrderMode, Party

#: Who is waited for besides the parties; never told anything by us.
ALIBABA_CLOUD = "alibaba_cloud"
#: Statuses of a port that Alibaba Cloud is still building (API reference, DescribePhysicalConnections, Status).
_BEING_BUILT = frozenset({"Initial", "Approved", "Allocating"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """A stretch of the delivery in which one party, or Alibaba Cloud, was waited for.

    ``what`` is last_mile, uid, port, allocation, acceptance, payment or vbr; ``until`` is None while it lasts.
    """

    what: str
    party: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """The delivery of one connection. Times are aware."""

    started: datetime
    #: When it must be active: the same day and hour of the next month in the access point's zone.
    due: datetime
    #: When it was active first; None while it is not.
    ended: datetime | None
    waits: tuple[Wait, ...]

    def late_by(self, now: datetime) -> timedelta:
        """How long after ``due`` it became active, or has been missing until now; zero when it is in time."""
        return max((self.ended or now) - self.due, timedelta(0))

    def waited(self, now: datetime) -> dict[str, timedelta]:
        """How long each party was waited for until now; the last mile under its own name."""
        total: dict[str, timedelta] = {}
        for wait in self.waits:
            name = "last_mile" if wait.what == "last_mile" else wait.party
            total[name] = total.get(name, timedelta(0)) + ((wait.until or now) - wait.since)
        return total

    def waiting_for(self) -> Wait | None:
        """What is waited for now, or None once it is active."""
        return next((wait for wait in self.waits if wait.until is None), None)


def delivery_of(connection: Connection, zone: tzinfo) -> Delivery | None:
    """The delivery's clock; None before the quote was accepted, and for a port that was never ordered from us."""
    started = _reached(connection, MilestoneName.QUOTE_ACCEPTED)
    if started is None:
        return None
    ended = active_since(connection)
    return Delivery(
        started=started, due=next_month(started, zone), ended=ended, waits=tuple(_waits(connection, started, ended))
    )


def next_month(at: datetime, zone: tzinfo) -> datetime:
    """The same day and hour one calendar month later in this zone, or the month's last day when it has no such day."""
    here = at.astimezone(zone)
    year, month = here.year + here.month // 12, here.month % 12 + 1
    return here.replace(year=year, month=month, day=min(here.day, calendar.monthrange(year, month)[1]))


def active_since(connection: Connection) -> datetime | None:
    """When the connection was first Confirmed, Enabled and carried by a conforming VBR that was up; None before."""
    port = connection.port
    if port is None:
        return None
    up = [_first(v.status, VBR_UP) for v in connection.vbrs if connection.ever_conformed(v)]
    parts = (port.confirmed_at, _first(port.status, "Enabled"), min((at for at in up if at), default=None))
    known = [at for at in parts if at is not None]
    return max(known) if len(known) == len(parts) else None


def _waits(connection: Connection, started: datetime, ended: datetime | None) -> Iterator[Wait]:
    """The stretches of a delivery, one after the other; steps that came out of turn take no time."""
    since = started
    for what, party, until in _steps(connection):
        if until is not None and until <= since:
            continue
        yield Wait(what=what, party=party, since=since, until=until)
        if until is None:
            return
        since = until
    if ended is None:
        yield Wait(what="vbr", party=Party.TENANT, since=since, until=None)
    elif ended > since:
        yield Wait(what="vbr", party=Party.TENANT, since=since, until=ended)


def _steps(connection: Connection) -> Iterator[tuple[str, str, datetime | None]]:
    yield "last_mile", Party.PARTNER, _reached(connection, MilestoneName.LAST_MILE_READY)
    yield "uid", Party.TENANT, _reached(connection, MilestoneName.UID_CONFIRMED)
    port = connection.port
    yield "port", Party.PARTNER, port.first_seen if port is not None else None
    if port is None:
        return
    yield "allocation", ALIBABA_CLOUD, _built(port)
    payer = Party.PARTNER if connection.order_mode == OrderMode.PARTNER_PAYS else Party.TENANT
    accepted = ("acceptance", Party.TENANT, port.confirmed_at)
    paid = ("payment", payer, _first(port.status, "Enabled"))
    # Payment and acceptance come in either order (ruling 1); what is still missing is named last.
    yield from sorted((accepted, paid), key=lambda step: (step[2] is None, step[2] or port.first_seen))


def _built(port: PortFacts) -> datetime | None:
    """When Alibaba Cloud had built the port: the first status that says so."""
    if not port.status.entries:
        return port.first_seen
    return next((entry.at for entry in port.status.entries if entry.value not in _BEING_BUILT), None)


def _reached(connection: Connection, name: MilestoneName) -> datetime | None:
    milestone = connection.milestone(name)
    return milestone.at if milestone is not None else None


def _first(history: History[str], value: str) -> datetime | None:
    return next((entry.at for entry in history.entries if entry.value == value), None)
