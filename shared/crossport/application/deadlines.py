"""Deadlines: a walk over all open connections that tells and does what the calendar calls for.

A run goes page by page, so that memory stays the same however many connections there are. One that runs out of time
leaves a bookmark, and the next goes on from there. Every notice has a key of its own, so any number of runs, at once or
one after the other, tell each of them once; of what a late run has missed only the newest is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import TypeVar

from crossport.application.commit import MAX_ROUNDS, outbox_rows, save_of
from crossport.application.expiries import take_back
from crossport.application.ports import (
    Clock,
    OpenConnection,
    Policies,
    SaveOutcome,
    Store,
    Stored,
    WorkingDays,
)
from crossport.domain.connection import Connection
from crossport.domain.deadlines import Calendar, due_notices, overdue_group
from crossport.domain.decide import conclude
from crossport.domain.effects import Notice
from crossport.domain.errors import CrossportError
from crossport.domain.places import place_of, zone_named
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Party

T = TypeVar("T")

#: Connections in memory at a time.
PAGE = 100
#: Name of the bookmark that an unfinished walk leaves.
BOOKMARK = "deadlines"


@dataclass(slots=True)
class DeadlineReport:
    """What one run did."""

    #: How many open connections it has looked at.
    looked: int = 0
    #: Keys of the notices that it has written.
    told: list[str] = field(default_factory=list)
    #: Connections whose order or offer it has taken back.
    taken_back: list[str] = field(default_factory=list)
    #: (connection, error code) of those that could not be looked at; the others are none the worse for it.
    failed: list[tuple[str, str]] = field(default_factory=list)
    #: False when its time was up; the next run goes on.
    complete: bool = False


def keep_deadlines(
    *, store: Store, policies: Policies, clock: Clock, working_days: WorkingDays, until: datetime
) -> DeadlineReport:
    """Go through the open connections until none is left or ``until`` has come.

    Raises StoreUnavailableError; what was saved until then stands, and the next run finds the rest.
    """
    return _Walk(store, policies, clock, working_days).run(until)


def calendar_of(one: OpenConnection, policies: Policies, working_days: WorkingDays) -> Calendar:
    """What dates mean to the people around a connection. Raises KeyError for an account that is not ours."""
    connection = one.stored.connection
    place = place_of(connection.region, one.access_point)

    def is_working_day(day: date) -> bool:
        return working_days.is_working_day(place.country, place.subdivision, day)

    return Calendar(
        zones={
            Party.TENANT: zone_named(one.tenant.zone if one.tenant is not None else "UTC"),
            Party.PARTNER: zone_named(policies.partner_contact(connection.account_id).zone),
        },
        access_point=zone_named(place.zone),
        is_working_day=is_working_day,
    )


class _Walk:
    def __init__(self, store: Store, policies: Policies, clock: Clock, working_days: WorkingDays) -> None:
        self._store = store
        self._policies = policies
        self._clock = clock
        self._working_days = working_days
        self._accounts = frozenset(policies.accounts())
        self._report = DeadlineReport()

    def run(self, until: datetime) -> DeadlineReport:
        """The walk, from the bookmark to the end, or as far as time allows."""
        began = place = self._store.bookmark(BOOKMARK)
        while self._clock.now() < until:
            page = self._store.open_connections(after=place, limit=PAGE)
            self._page(page)
            if len(page) < PAGE:
                self._report.complete, place = True, ""
                break
            place = page[-1].stored.connection.connection_id
        if place != began:
            self._store.put_bookmark(BOOKMARK, place, at=self._clock.now())
        return self._report

    def _page(self, page: Sequence[OpenConnection]) -> None:
        """Look at each connection; what it calls for is asked of the store for all of them at once."""
        now = self._clock.now()
        ours = [one for one in page if one.stored.connection.account_id in self._accounts]
        wanted = [(one, self._with(one, partial(self._wanted, one, now))) for one in ours]
        self._report.looked += len(wanted)
        keys = [notice.key for _, notices in wanted for notice in notices]
        written = self._store.written(keys) if keys else ()
        for one, notices in wanted:
            new = [notice for notice in notices if notice.key not in written]
            if new:
                self._report.told += self._with(one, partial(self._tell, one, new, now))

    def _with(self, one: OpenConnection, work: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
        """What the work gives. What goes wrong with one connection must not keep the others from being told."""
        connection_id = one.stored.connection.connection_id
        try:
            return work()
        except CrossportError as error:
            if error.retryable:
                raise
            self._report.failed.append((connection_id, error.code))
        except Exception as error:  # noqa: BLE001  # whatever it is, the report says so
            self._report.failed.append((connection_id, f"internal_error:{type(error).__name__}"))
        return ()

    def _wanted(self, one: OpenConnection, now: datetime) -> tuple[Notice, ...]:
        """What the calendar calls for; an order or offer whose time is over is taken back first."""
        policy = self._policies.of(one.stored.connection.account_id)
        stored = take_back(one.stored, self._store, policy, now)
        if _was_taken_back(one.stored.connection, stored.connection):
            self._report.taken_back.append(stored.connection.connection_id)
        return self._due(one, stored.connection, policy, now)

    def _due(self, one: OpenConnection, connection: Connection, policy: Policy, now: datetime) -> tuple[Notice, ...]:
        calendar = calendar_of(one, self._policies, self._working_days)
        return due_notices(connection, policy, now, calendar, one.half_provisioned)

    def _tell(self, one: OpenConnection, new: Iterable[Notice], now: datetime) -> tuple[str, ...]:
        """Save the new notices, as far as the connection still calls for them; their keys."""
        connection_id = one.stored.connection.connection_id
        policy = self._policies.of(one.stored.connection.account_id)
        wanted = {notice.key for notice in new}
        for _ in range(MAX_ROUNDS):
            stored = self._store.get(connection_id)
            if stored is None:
                break
            told = [notice for notice in self._due(one, stored.connection, policy, now) if notice.key in wanted]
            if not told or self._saved(one, stored, told, policy, now):
                return tuple(notice.key for notice in told)
        self._report.failed.append((connection_id, "contended"))
        return ()

    def _saved(
        self, one: OpenConnection, stored: Stored, told: Sequence[Notice], policy: Policy, now: datetime
    ) -> bool:
        overdue = overdue_group(one.half_provisioned, now)
        findings = () if overdue is None else (overdue,)
        decision = conclude(stored.connection, stored.connection, policy, findings=findings)
        save = save_of([decision], version=stored.version, at=now, outbox=outbox_rows(told))
        return self._store.save([save])[0] is SaveOutcome.SAVED


def _was_taken_back(before: Connection, after: Connection) -> bool:
    return before.withdrawn_at is None and after.withdrawn_at is not None and after.requests != before.requests
