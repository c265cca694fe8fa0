"""The streaming comparison of what lists show with what we know: constant memory, whatever the number of ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, TypeVar

from crossport.domain import glance
from crossport.domain.connection import Connection
from crossport.domain.errors import CrossportError
from crossport.domain.facts import port_gone
from crossport.domain.observation import Observation, PortObservation
from crossport.domain.vocabulary import Acceptance, Presence, Source


class Listed(NamedTuple):
    """One port of a listing, ordered by ``port_id``. ``vbrs`` is None when nobody could be asked for them."""

    port_id: str
    port: str
    vbrs: str | None


class Known(NamedTuple):
    """One port that we know, ordered by ``port_id``. ``over``: no list need show it any more."""

    port_id: str
    connection_id: str
    port: str
    vbrs: str
    over: bool


def known_of(connection: Connection, window: timedelta) -> Known | None:
    """What we know of a connection's port; None before it has one. ``window`` is the consistency window."""
    port = connection.port
    if port is None:
        return None
    return Known(
        port_id=port.port_id,
        connection_id=connection.connection_id,
        port=glance.of_port(port),
        vbrs=glance.of_vbrs(connection.vbrs, port.port_id, window),
        over=port_gone(port, window),
    )


class Kind(StrEnum):
    """In which way list and knowledge differ."""

    #: The list says something new of a port that we know.
    CHANGED = "changed"
    #: The list has a port that no connection of ours has.
    UNKNOWN = "unknown_port"
    #: A complete list lacks a port that we know.
    ABSENT = "absent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One difference, with the observations that heal it."""

    kind: Kind
    port_id: str
    #: "" for an unknown port.
    connection_id: str
    seen: tuple[Observation, ...] = ()
    #: The port's fields in which the list says something else.
    fields: tuple[str, ...] = ()
    #: Whether the port must be read by its id to be sure: it is unknown or absent, or VBRs came or went.
    read: bool = False


class UnorderedError(CrossportError):
    """A stream of ports was not in ascending order of ``port_id``, or had a port twice; ``port_id`` is where."""

    code = "unordered_stream"


_Row = TypeVar("_Row", Listed, Known)


def differences(
    listed: Iterable[Listed], known: Iterable[Known], *, at: datetime, complete: bool
) -> Iterator[Difference]:
    """Walk both streams side by side and yield where they differ, in order of ``port_id``.

    ``at`` is the listing's time less the consistency window; every observation carries it. Unless the listing is
    ``complete``, what it lacks is unknown and not absent. Raises UnorderedError.
    """
    theirs, ours = _ascending(listed), _ascending(known)
    one, two = next(theirs, None), next(ours, None)
    while one is not None or two is not None:
        if one is not None and (two is None or one.port_id < two.port_id):
            yield from _unknown(one, at)
            one = next(theirs, None)
        elif two is not None and (one is None or two.port_id < one.port_id):
            if complete and not two.over:
                yield _absent(two, at)
            two = next(ours, None)
        elif one is not None and two is not None:
            if one.port != two.port or (one.vbrs is not None and one.vbrs != two.vbrs):
                yield from _changed(one, two, at)
            one, two = next(theirs, None), next(ours, None)


def _unknown(one: Listed, at: datetime) -> Iterator[Difference]:
    port = glance.port_difference(one.port_id, "", one.port, at)
    # Of a port that is gone already there is nothing to hold, to tell or to follow any more.
    if port.acceptance != Acceptance.DELETED:
        yield Difference(kind=Kind.UNKNOWN, port_id=one.port_id, connection_id="", seen=(port,), read=True)


def _absent(two: Known, at: datetime) -> Difference:
    gone = PortObservation(at=at, source=Source.READ, port_id=two.port_id, presence=Presence.NOT_LISTED)
    return Difference(kind=Kind.ABSENT, port_id=two.port_id, connection_id=two.connection_id, seen=(gone,), read=True)


def _changed(one: Listed, two: Known, at: datetime) -> Iterator[Difference]:
    fields = glance.changed_fields(two.port, one.port)
    port = (glance.port_difference(one.port_id, two.port, one.port, at),) if fields else ()
    vbrs: tuple[Observation, ...] = ()
    read = False
    if one.vbrs is not None:
        vbrs = glance.vbr_differences(two.vbrs, one.vbrs, at)
        read = glance.vbr_ids(two.vbrs) != glance.vbr_ids(one.vbrs)
    if port or vbrs or read:
        yield Difference(
            kind=Kind.CHANGED,
            port_id=one.port_id,
            connection_id=two.connection_id,
            seen=(*port, *vbrs),
            fields=fields,
            read=read,
        )


def _ascending(stream: Iterable[_Row]) -> Iterator[_Row]:
    last = ""
    for one in stream:
        if one.port_id <= last:
            raise UnorderedError(f"{one.port_id} comes after {last}", port_id=one.port_id)
        last = one.port_id
        yield one
