"""Answers of the API, checked field by field and turned into observations.

The SDK's models hide answers of another shape: they come back half filled, with wrong types, or as empty lists. What
is read here raises ``pydantic.ValidationError`` instead. Types vary between operations for one thing (API reference):
``VlanId`` is a string on ports and a number on VBRs, account ids are both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.vocabulary import Presence, Source

_logger = logging.getLogger(__name__)


def _digits(value: Any) -> Any:
    """Account ids: ``123`` and ``"123"`` are one; booleans are none."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Uid = Annotated[str, BeforeValidator(_digits)]
Id = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]


class Answered(BaseModel):
    """Reads the attributes of an SDK model; types are not bent."""

    model_config = ConfigDict(from_attributes=True, strict=True, frozen=True, extra="ignore")


class PortItem(Answered):
    """A port in ListVirtualPhysicalConnections; ``physical_connection_id`` is the port, ``parent_..`` the circuit."""

    physical_connection_id: Id
    parent_physical_connection_id: str | None
    virtual_physical_connection_status: str | None
    status: str | None
    business_status: str | None
    spec: str | None
    expect_spec: str | None
    vlan_id: str | int | None
    ali_uid: Uid | None
    order_mode: str | None
    name: str | None
    creation_time: str | None
    enabled_time: str | None
    end_time: str | None

    def observed(self, at: datetime) -> PortObservation:
        """What this says about the port at that time."""
        return PortObservation(
            at=at,
            source=Source.READ,
            port_id=self.physical_connection_id,
            acceptance=self.virtual_physical_connection_status,
            status=self.status,
            business_status=self.business_status,
            spec=self.spec,
            expect_spec=self.expect_spec or "",
            vlan_id=vlan(self.vlan_id),
            tenant_uid=self.ali_uid,
            order_mode=self.order_mode,
            circuit_id=self.parent_physical_connection_id,
            enabled_time=moment(self.enabled_time),
            end_time=moment(self.end_time),
            presence=Presence.PRESENT,
        )


class PortPage(Answered):
    """One page of ListVirtualPhysicalConnections. An answer without ``TotalCount`` is none: an empty list is news."""

    total_count: Count
    next_token: str | None
    virtual_physical_connections: list[PortItem]


class VbrItem(Answered):
    """A VBR in DescribeVirtualBorderRoutersForPhysicalConnection."""

    vbr_id: Id
    vbr_owner_uid: Uid | None
    vlan_id: str | int | None
    status: str | None

    def observed(self, at: datetime, port_id: str | None) -> VbrObservation:
        """What this says about the VBR at that time; a circuit's list does not say on which port it hangs."""
        return VbrObservation(
            at=at,
            source=Source.READ,
            vbr_id=self.vbr_id,
            port_id=port_id,
            owner_uid=self.vbr_owner_uid,
            vlan_id=vlan(self.vlan_id),
            status=self.status,
            presence=Presence.PRESENT,
        )


class _VbrSet(Answered):
    virtual_border_router_for_physical_connection_type: list[VbrItem]


class VbrPage(Answered):
    """One page of DescribeVirtualBorderRoutersForPhysicalConnection."""

    total_count: Count
    virtual_border_router_for_physical_connection_set: _VbrSet

    @property
    def items(self) -> list[VbrItem]:
        """The VBRs of the page."""
        return self.virtual_border_router_for_physical_connection_set.virtual_border_router_for_physical_connection_type


class CreatedPort(Answered):
    """CreateVirtualPhysicalConnection; ``virtual_physical_connection`` is the new port's id."""

    request_id: Id
    virtual_physical_connection: Id


class Acknowledged(Answered):
    """The answer to a call, or to a dry run, that reports success with a plain request id."""

    request_id: Id


class _OrderData(Answered):
    order_id: Uid


class PlacedOrder(Answered):
    """CreatePhysicalConnectionOccupancyOrder."""

    request_id: Id
    data: _OrderData


def vlan(value: str | int | None) -> int | None:
    """A VLAN ID as a number; None when it was not said or is not a number. 0 is a VLAN ID."""
    if isinstance(value, int):
        return value
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def moment(value: str | None) -> datetime | None:
    """A time of the API (ISO 8601, UTC unless it says otherwise); None when there is none or it cannot be read."""
    if not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        _logger.warning("a time of the VPC API could not be read: %.40r", value)
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def answered_at(headers: Any, now: Callable[[], datetime]) -> datetime:
    """The ``Date`` of an answer (RFC 9110, whole seconds, UTC); our own clock when it is missing or unreadable."""
    value = headers.get("date") if isinstance(headers, dict) else None
    try:
        parsed = parsedate_to_datetime(value) if isinstance(value, str) and value.count(":") == 2 else None
    except ValueError:
        parsed = None
    # A date without a zone ("-0000") does not say what it means.
    return now() if parsed is None or parsed.tzinfo is None else parsed.astimezone(UTC)
