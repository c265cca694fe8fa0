"""Observations: timestamped statements about the cloud, whoever made them.

An event, an API read and the answer to our own call all become the same value. The time is the cloud's: an
event's eventTime, a read's answer Date minus the consistency window (subtracted by whoever builds it). A time
without a zone raises NaiveTimeError; the others are kept in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crossport.domain.errors import aware
from crossport.domain.vocabulary import Presence, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class PortObservation:
    """What is said about one shared port. A field that is None was not mentioned.

    Enumerations of the cloud are plain strings: unknown values are kept and shown. ``vlan_id`` is 0..2999 by the
    API reference, but what is observed is recorded as it is.
    """

    at: datetime
    source: Source
    port_id: str
    #: VirtualPhysicalConnectionStatus.
    acceptance: str | None = None
    #: Status, the construction and payment axis.
    status: str | None = None
    business_status: str | None = None
    spec: str | None = None
    #: The spec that was ordered and takes effect once paid; "" when the cloud says that there is none.
    expect_spec: str | None = None
    vlan_id: int | None = None
    tenant_uid: str | None = None
    order_mode: str | None = None
    circuit_id: str | None = None
    enabled_time: datetime | None = None
    end_time: datetime | None = None
    presence: Presence | None = None

    def __post_init__(self) -> None:
        _to_utc(self, "at", "enabled_time", "end_time")


@dataclass(frozen=True, kw_only=True, slots=True)
class VbrObservation:
    """What is said about one virtual border router. ``port_id`` is the port (or circuit) that it hangs on."""

    at: datetime
    source: Source
    vbr_id: str
    port_id: str | None = None
    owner_uid: str | None = None
    vlan_id: int | None = None
    status: str | None = None
    #: True when the cloud said that the VBR was deleted.
    deleted: bool = False
    presence: Presence | None = None

    def __post_init__(self) -> None:
        _to_utc(self, "at")


Observation = PortObservation | VbrObservation


def _to_utc(seen: Any, *names: str) -> None:
    """Put the named times into UTC. One instant must be written one way only, because keys and digests spell it out."""
    for name in names:
        value = getattr(seen, name)
        if value is not None:
            aware(value, f"an observation's {name}")
            object.__setattr__(seen, name, value.astimezone(UTC))
