"""Planned maintenance and outages of circuits: what they refuse, what waits for their end, and whom they keep quiet.

A record is a person's word about a circuit. A planned one is in force in its window; an outage from its beginning until
it is cleared, whatever end was expected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from crossport.domain.connection import Connection, Refusal, Request
from crossport.domain.effects.kinds import Command, Effect, Notice
from crossport.domain.errors import aware
from crossport.domain.groups import GUARDED, Sibling, living
from crossport.domain.impact import Affected
from crossport.domain.phase import VBR_OFF
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Party

#: Commands that touch a line, or put somebody on it: they wait for the end of a record.
_OF_THE_LINE = frozenset({"create_port", "convert_vbr", "attach_vbr", "update_port", "end_port"})
#: Of these, those that a request has asked for, which may be forced.
_ASKED_FOR = frozenset({"update_port", "end_port"})
#: Notices that work on a circuit may cause by itself: they say nothing new while it goes on.
_DERIVED = frozenset({"violation", "delivery_jeopardy"})
#: Causes of a suspension, or of its end, that work on a circuit may have. Locks and expiry are about money or security.
_DERIVED_CAUSES = frozenset({"Terminated", "Enabled", VBR_OFF})
#: The notices about a record, to tenants and to the partner.
KINDS_OF_RECORDS = frozenset({"maintenance_planned", "outage", "maintenance_cleared"})
_MOMENT = timedelta(microseconds=1)


class MaintenanceKind(StrEnum):
    """What a record is about."""

    PLANNED = "planned"
    OUTAGE = "outage"


class Side(StrEnum):
    """On whose side of the demarcation the cause lies."""

    ALIBABA_CLOUD = "alibaba_cloud"
    PARTNER = "partner"
    TENANT = "tenant"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Maintenance:
    """One record: a window on a circuit. ``ends_at`` of an outage is what is expected, None when nobody knows."""

    record_id: str
    kind: MaintenanceKind
    account_id: str
    circuit_id: str
    starts_at: datetime
    ends_at: datetime | None
    #: IANA zone in which the window was given.
    zone: str
    side: Side
    #: What tenants are told and what is audited.
    cause: str
    actor: str
    recorded_at: datetime
    #: Why a rule that may be overruled was overruled; "" when none was.
    forced: str = ""
    cleared_at: datetime | None = None
    cleared_by: str = ""
    outcome: str = ""

    def __post_init__(self) -> None:
        for name in ("starts_at", "recorded_at"):
            aware(getattr(self, name), f"a maintenance record's {name}")
        if self.ends_at is not None:
            aware(self.ends_at, "a maintenance record's end")

    def in_force(self, now: datetime) -> bool:
        """Whether it holds now. A planned one that is not cleared ends with its window all the same."""
        if self.cleared_at is not None or now < self.starts_at:
            return False
        return self.kind is MaintenanceKind.OUTAGE or self.ends_at is None or now < self.ends_at

    def state(self, now: datetime) -> str:
        """``planned``, ``in force``, ``over`` (a window that nobody has cleared), ``cleared`` or ``called off``."""
        if self.cleared_at is not None:
            return "called off" if self.cleared_at < self.starts_at else "cleared"
        if self.in_force(now):
            return "in force"
        return "planned" if now < self.starts_at else "over"

    @property
    def said(self) -> str:
        """The record in a few words."""
        return f"{'maintenance' if self.kind is MaintenanceKind.PLANNED else 'outage'} {self.record_id}"

    @property
    def holds(self) -> str:
        """What the row of a command says that waits for its end."""
        return f"maintenance:{self.record_id}"

    @property
    def muted(self) -> str:
        """What the row of a notice says that it keeps quiet."""
        return f"muted:{self.record_id}"

    def last(self, now: datetime) -> datetime:
        """The last moment that it is known to take. An outage that goes on does not reach into the future."""
        if self.kind is MaintenanceKind.PLANNED and self.ends_at is not None:
            return self.ends_at - _MOMENT
        return max(self.starts_at, now, self.ends_at or now)


def record_id_for(circuit_id: str, kind: MaintenanceKind, starts_at: datetime, recorded_at: datetime) -> str:
    """The id of a record: ``mnt-`` and eight hexadecimal digits."""
    text = f"{circuit_id}|{kind}|{starts_at.isoformat()}|{recorded_at.isoformat()}"
    return f"mnt-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def in_force_on(circuit_id: str, records: Iterable[Maintenance], now: datetime) -> Maintenance | None:
    """The record that holds on a circuit now, or None."""
    return next((one for one in records if one.circuit_id == circuit_id and one.in_force(now)), None)


def why_not_recorded(
    wanted: Maintenance, records: Collection[Maintenance], affected: Collection[Affected]
) -> tuple[Refusal, ...]:
    """Why a record is refused; ``records`` are those not cleared, ``affected`` the circuit's connections.

    An outage is a fact: only one that is on record already is refused. Work is a choice, so it does not begin where a
    sibling's circuit is worked on or out, unless it is forced with a reason.
    """
    now = wanted.recorded_at
    if wanted.ends_at is not None and wanted.ends_at <= wanted.starts_at:
        return (Refusal(code="window_backwards", message="the window ends before it begins"),)
    if wanted.kind is MaintenanceKind.PLANNED and wanted.last(now) < now:
        return (Refusal(code="window_over", message="the window lies in the past"),)
    found = [
        Refusal(
            code="maintenance_overlaps",
            message=f"{other.said} is on record for {wanted.circuit_id} in that time: clear it first",
            subject=other.record_id,
        )
        for other in records
        if other.circuit_id == wanted.circuit_id and _overlap(wanted, other, now)
    ]
    if wanted.kind is MaintenanceKind.PLANNED and not wanted.forced:
        found += _of_siblings(wanted, records, affected)
    return tuple(found)


def _of_siblings(
    wanted: Maintenance, records: Collection[Maintenance], affected: Collection[Affected]
) -> Iterator[Refusal]:
    for one in affected:
        for sibling in one.siblings:
            away = sibling.placement.circuit_id
            for other in records if sibling.placement.there and away != wanted.circuit_id else ():
                if other.circuit_id == away and _overlap(wanted, other, wanted.recorded_at):
                    who = one.placement.connection_id
                    message = f"{sibling.placement.connection_id}, the sibling of {who}, is under {other.said} then"
                    yield Refusal(code="sibling_in_maintenance", message=message, subject=who)


def _overlap(one: Maintenance, other: Maintenance, now: datetime) -> bool:
    return one.starts_at <= other.last(now) and other.starts_at <= one.last(now)


def free_of_maintenance(
    connection: Connection,
    request: Request,
    siblings: Iterable[Sibling],
    records: Collection[Maintenance],
    policy: Policy,
) -> Iterator[Refusal]:
    """Why a running service is not changed or ceased now: its circuit, or a sibling's, is worked on or out.

    By force it is, with a reason: an outage may be mended by a change.
    """
    if request.kind not in GUARDED or request.forced:
        return
    here = in_force_on(connection.circuit_id, records, request.at)
    if here is not None:
        message = f"{here.said} holds on circuit {here.circuit_id}{_until(here)}"
        yield Refusal(code="circuit_in_maintenance", message=message, subject=here.record_id)
    for sibling in living(siblings, policy):
        other = sibling.connection
        there = in_force_on(other.circuit_id, records, request.at)
        if there is not None and other.circuit_id != connection.circuit_id:
            message = f"{there.said} holds on circuit {there.circuit_id} of {other.connection_id}{_until(there)}"
            yield Refusal(code="sibling_in_maintenance", message=message, subject=other.connection_id)


def _until(record: Maintenance) -> str:
    return f" until {record.ends_at.isoformat()}" if record.ends_at is not None else ""


def waits_for(
    effect: Effect, connection: Connection, records: Iterable[Maintenance], now: datetime
) -> Maintenance | None:
    """The record for whose end a command waits; None when it may go.

    What was asked for by force since the record began goes: whoever forced it knew of the record.
    """
    if not isinstance(effect, Command) or effect.kind not in _OF_THE_LINE:
        return None
    record = in_force_on(connection.circuit_id, records, now)
    if record is None:
        return None
    forced = any(request.forced and request.at >= record.starts_at for request in connection.requests)
    return None if forced and effect.kind in _ASKED_FOR else record


def may_wait(kind: str) -> bool:
    """Whether an effect of this kind is held back by any record: others need no look at them."""
    return kind in _OF_THE_LINE or kind in _DERIVED or kind in ("suspended", "resumed")


def muted_by(
    notice: Notice, arose_at: datetime, connection: Connection, records: Iterable[Maintenance], now: datetime
) -> Maintenance | None:
    """The record that explains an alarm and keeps it quiet; None when it is sent.

    Only what arose since the record began, and only what work on a line can cause: never a lock or an expiry.
    """
    derived = notice.kind in _DERIVED or (
        notice.kind in ("suspended", "resumed") and notice.details.get("cause") in _DERIVED_CAUSES
    )
    record = in_force_on(connection.circuit_id, records, now) if derived else None
    return record if record is not None and arose_at >= record.starts_at else None


def notices_of_record(record: Maintenance, affected: Collection[Affected]) -> tuple[Notice, ...]:
    """Who is told of a record, or that it was cleared: each affected tenant for each connection, the partner once.

    Keys are those of the record, so that saying it twice tells it once. Only connections with a port are affected.
    """
    there = [one for one in affected if one.placement.there]
    if not there:
        return ()
    details = _details(record)
    kind = _notice_kind(record)
    told = [
        _notice(record, kind, one.placement.connection_id, Party.TENANT, {**details, "carried": one.carried})
        for one in sorted(there, key=lambda one: one.placement.connection_id)
    ]
    counts = {
        "connections": len(there),
        "tenants": len({one.placement.tenant_uid for one in there}),
        "cut_off": sum(1 for one in there if one.cut_off),
    }
    return (*told, _notice(record, kind, told[0].connection_id, Party.PARTNER, {**details, **counts}))


def _notice_kind(record: Maintenance) -> str:
    if record.cleared_at is not None:
        return "maintenance_cleared"
    return "maintenance_planned" if record.kind is MaintenanceKind.PLANNED else "outage"


def _notice(
    record: Maintenance, kind: str, connection_id: str, party: Party, details: Mapping[str, Any]
) -> Notice:  # fmt: skip
    key = f"{connection_id}:{kind}:{record.record_id}:{party}"
    return Notice(key=key, kind=kind, connection_id=connection_id, party=party, details=dict(details))


def _details(record: Maintenance) -> dict[str, Any]:
    def said(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "record": record.record_id,
        "record_kind": str(record.kind),
        "starts_at": said(record.starts_at),
        "ends_at": said(record.ends_at),
        "side": str(record.side),
        "cause": record.cause,
        "cleared_at": said(record.cleared_at),
        "outcome": record.outcome,
    }
