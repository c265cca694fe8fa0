"""Merged facts about a port and its VBRs. Merging is a join: order and repeats do not matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from crossport.domain.history import History
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.vocabulary import Acceptance, Presence, Source

#: A history of nothing yet; immutable, so one serves all.
EMPTY: History[Any] = History()
#: The fields of a port that are histories; the same names stand in PortObservation and PortFacts.
PORT_FIELDS = (
    "status", "business_status", "spec", "expect_spec", "vlan_id", "tenant_uid", "order_mode", "circuit_id",
    "enabled_time", "end_time", "presence",
)  # fmt: skip
#: The fields of a VBR that are histories.
VBR_FIELDS = ("port_id", "owner_uid", "vlan_id", "status", "presence")
_port_histories = attrgetter(*PORT_FIELDS)
_vbr_histories = attrgetter(*VBR_FIELDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class PortFacts:
    """All that is known of a connection's shared port."""

    port_id: str
    #: The earliest time of anything said about it.
    first_seen: datetime
    #: The earliest time at which the port was said to be Confirmed, so it only moves back; None while it never was.
    #: Kept beside ``deleted``, because a deleted offer was declined when it had never been accepted, and released when
    #: it had.
    confirmed_at: datetime | None = None
    #: Monotone: set once the cloud has said Deleted, or a delete call went through.
    deleted: bool = False
    #: Values of the acceptance axis that no documentation lists; kept and shown.
    unknown_acceptance: frozenset[str] = frozenset()
    status: History[str] = EMPTY
    business_status: History[str] = EMPTY
    spec: History[str] = EMPTY
    expect_spec: History[str] = EMPTY
    vlan_id: History[int] = EMPTY
    tenant_uid: History[str] = EMPTY
    order_mode: History[str] = EMPTY
    circuit_id: History[str] = EMPTY
    enabled_time: History[datetime] = EMPTY
    end_time: History[datetime] = EMPTY
    presence: History[str] = EMPTY

    @property
    def confirmed(self) -> bool:
        """Whether the port was ever seen Confirmed. Monotone."""
        return self.confirmed_at is not None

    @property
    def acceptance(self) -> Acceptance:
        """The acceptance axis: UnConfirmed < Confirmed < Deleted, joined by rank, never going back."""
        if self.deleted:
            return Acceptance.DELETED
        return Acceptance.CONFIRMED if self.confirmed else Acceptance.UNCONFIRMED

    def histories(self) -> tuple[History[Any], ...]:
        """Every history, in the order of PORT_FIELDS."""
        return _port_histories(self)

    def enabled_times_read(self) -> tuple[datetime, ...]:
        """The distinct EnabledTime values that came from an API read, ascending."""
        if not self.enabled_time.entries:
            return ()
        return tuple(sorted({e.value for e in self.enabled_time.entries if e.source is Source.READ}))


@dataclass(frozen=True, kw_only=True, slots=True)
class VbrFacts:
    """All that is known of one VBR seen on a connection's port."""

    vbr_id: str
    #: The earliest time of anything said about it.
    first_seen: datetime
    #: Monotone: set once the cloud has said so.
    deleted: bool = False
    port_id: History[str] = EMPTY
    owner_uid: History[str] = EMPTY
    vlan_id: History[int] = EMPTY
    status: History[str] = EMPTY
    presence: History[str] = EMPTY

    def histories(self) -> tuple[History[Any], ...]:
        """Every history, in the order of VBR_FIELDS."""
        return _vbr_histories(self)


def gone(presence: History[str], window: timedelta) -> bool:
    """Whether absence amounts to deletion: two complete listings a window apart and a targeted read found nothing.

    Only what was observed after the last sighting counts (design section 1, "Absence").
    """
    if _seen_last(presence):
        return False
    sightings = [entry for entry in presence.entries if entry.value == Presence.PRESENT]
    after = [e for e in presence.entries if not sightings or e > sightings[-1]]
    listings = [e.at for e in after if e.value == Presence.NOT_LISTED]
    read = any(e.value == Presence.NOT_FOUND for e in after)
    return read and len(listings) > 1 and max(listings) - min(listings) >= window


def port_gone(port: PortFacts, window: timedelta) -> bool:
    """Whether the port is no more: the cloud said so, or its absence amounts to it."""
    return port.deleted or gone(port.presence, window)


def _seen_last(presence: History[str]) -> bool:
    """Whether nothing was missed since the last sighting, or ever: the usual case, and every decision asks."""
    return not presence.entries or presence.entries[-1].value == Presence.PRESENT


def vbr_gone(presence: History[str], window: timedelta) -> bool:
    """Whether a VBR's absence amounts to deletion: two complete reads of its port, a window apart, without it.

    Such a read names the port, so it is a listing and a targeted read in one.
    """
    if _seen_last(presence):
        return False
    sightings = [entry for entry in presence.entries if entry.value == Presence.PRESENT]
    absences = [e.at for e in presence.entries if e.value != Presence.PRESENT and (not sightings or e > sightings[-1])]
    return len(set(absences)) > 1 and max(absences) - min(absences) >= window


def missing_since(presence: History[str]) -> datetime | None:
    """When the thing was first not seen any more, or None while it is seen."""
    since: datetime | None = None
    for entry in presence.entries:
        if entry.value == Presence.PRESENT:
            since = None
        elif since is None:
            since = entry.at
    return since


def merge_port(facts: PortFacts | None, seen: PortObservation) -> PortFacts:
    """The port's facts joined with one observation. Raises ValueError when it is about another port."""
    if facts is None:
        facts = PortFacts(port_id=seen.port_id, first_seen=seen.at)
    if facts.port_id != seen.port_id:
        raise ValueError(f"an observation of {seen.port_id} was merged into {facts.port_id}")
    changes: dict[str, Any] = _add_fields(facts, seen, PORT_FIELDS)
    if seen.at < facts.first_seen:
        changes["first_seen"] = seen.at
    if seen.acceptance is not None:
        changes |= _acceptance(facts, seen.acceptance, seen.at)
    return replace(facts, **changes) if changes else facts


def merge_vbr(facts: VbrFacts | None, seen: VbrObservation) -> VbrFacts:
    """The VBR's facts joined with one observation. Raises ValueError when it is about another VBR."""
    if facts is None:
        facts = VbrFacts(vbr_id=seen.vbr_id, first_seen=seen.at)
    if facts.vbr_id != seen.vbr_id:
        raise ValueError(f"an observation of {seen.vbr_id} was merged into {facts.vbr_id}")
    changes: dict[str, Any] = _add_fields(facts, seen, VBR_FIELDS)
    if seen.at < facts.first_seen:
        changes["first_seen"] = seen.at
    if seen.deleted and not facts.deleted:
        changes["deleted"] = True
    return replace(facts, **changes) if changes else facts


def settle(facts: Any, until: datetime) -> Any:
    """The same port or VBR facts with every history settled before ``until``."""
    names = PORT_FIELDS if isinstance(facts, PortFacts) else VBR_FIELDS
    changes = {n: getattr(facts, n).settle(until) for n in names}
    changed = {n: h for n, h in changes.items() if h is not getattr(facts, n)}
    return replace(facts, **changed) if changed else facts


def _add_fields(facts: Any, seen: Any, names: Iterable[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in names:
        value = getattr(seen, name)
        if value is None:
            continue
        history = getattr(facts, name)
        longer = history.add(seen.at, seen.source, str(value) if isinstance(value, Presence) else value)
        if longer is not history:
            changes[name] = longer
    return changes


def _acceptance(facts: PortFacts, said: str, at: datetime) -> dict[str, Any]:
    if said == Acceptance.CONFIRMED:
        known = facts.confirmed_at
        return {"confirmed_at": at} if known is None or at < known else {}
    if said == Acceptance.DELETED:
        return {} if facts.deleted else {"deleted": True}
    if said == Acceptance.UNCONFIRMED:
        return {}
    return {"unknown_acceptance": facts.unknown_acceptance | {said}}
