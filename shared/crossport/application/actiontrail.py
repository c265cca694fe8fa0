"""What an ActionTrail record of a VPC write call says: which port or VBR, and which observations follow.

There are no native port events; EventBridge carries these records, told apart by eventName (EventBridge
documentation, "VPC events"). Field names are those of the API; the exact records of Express Connect calls were never
seen, so every field may be missing, and what is missing is read from the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.vocabulary import Acceptance, Presence, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudRecord:
    """One ActionTrail record, checked and unpacked from its envelope."""

    #: Inbox key: (account, source, id).
    key: str
    digest: str
    #: Set by the platform: aliyunoriginalaccountid, else aliyunaccountid.
    account_id: str
    region: str
    #: eventName: the API operation.
    name: str
    #: eventTime, aware.
    at: datetime
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    #: The cloud's error code; "" when the call succeeded.
    error_code: str
    #: False for a read call.
    write: bool
    #: userIdentity, for the audit trail only: never trusted.
    actor: str
    #: acsRegion, which whoever wrote the record chose; "" when it names none.
    claimed_region: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What a record says. ``complete`` is False when a read must fill in what it lacks."""

    port_id: str = ""
    vbr_id: str = ""
    circuit_id: str = ""
    token: str = ""
    observations: tuple[Observation, ...] = ()
    complete: bool = True


def meaning_of(record: CloudRecord) -> Meaning | None:
    """The meaning of a record, or None when its eventName is none that we follow."""
    read = _MEANINGS.get(record.name)
    return read(record) if read is not None else None


def _created(record: CloudRecord) -> Meaning:
    port_id, circuit_id = (
        _text(record.response, "VirtualPhysicalConnection"),
        _text(record.request, "PhysicalConnectionId"),
    )
    vlan_id, spec = _vlan(record.request), _text(record.request, "Spec")
    tenant_uid, order_mode = _text(record.request, "VpconnAliUid"), _text(record.request, "OrderMode")
    seen = PortObservation(
        at=record.at,
        source=Source.EVENT,
        port_id=port_id,
        acceptance=Acceptance.UNCONFIRMED,
        spec=spec or None,
        vlan_id=vlan_id,
        tenant_uid=tenant_uid or None,
        order_mode=order_mode or None,
        circuit_id=circuit_id or None,
        presence=Presence.PRESENT,
    )
    return Meaning(
        port_id=port_id,
        circuit_id=circuit_id,
        token=_text(record.request, "Token"),
        observations=(seen,) if port_id else (),
        complete=bool(port_id and spec and tenant_uid and order_mode) and vlan_id is not None,
    )


def _created_from_vbr(record: CloudRecord) -> Meaning:
    port_id = _text(record.response, "VirtualPhysicalConnection")
    vbr_id = _text(record.request, "VbrId")
    seen = PortObservation(at=record.at, source=Source.EVENT, port_id=port_id, presence=Presence.PRESENT)
    return Meaning(
        port_id=port_id,
        vbr_id=vbr_id,
        token=_text(record.request, "Token"),
        observations=(seen,) if port_id else (),
        complete=False,
    )


def _updated(record: CloudRecord) -> Meaning:
    return _port(
        record,
        _text(record.request, "InstanceId"),
        vlan_id=_vlan(record.request),
        expect_spec=_text(record.request, "ExpectSpec") or None,
    )


def _accepted(record: CloudRecord) -> Meaning:
    return _port(record, _text(record.request, "PhysicalConnectionId"), acceptance=Acceptance.CONFIRMED)


def _paid(record: CloudRecord) -> Meaning:
    """The order was placed; whether the port is Enabled, and since when, only a read tells."""
    return Meaning(port_id=_text(record.request, "PhysicalConnectionId"), complete=False)


def _terminated(record: CloudRecord) -> Meaning:
    # Asynchronous: a read must see Terminated.
    return _port(record, _text(record.request, "PhysicalConnectionId"), complete=False, status="Terminating")


def _canceled(record: CloudRecord) -> Meaning:
    return _port(record, _text(record.request, "PhysicalConnectionId"), status="Canceled")


def _deleted(record: CloudRecord) -> Meaning:
    return _port(record, _text(record.request, "PhysicalConnectionId"), acceptance=Acceptance.DELETED)


def _recovered(record: CloudRecord) -> Meaning:
    return Meaning(port_id=_text(record.request, "InstanceId"), complete=False)


def _port(record: CloudRecord, port_id: str, *, complete: bool = True, **fields: Any) -> Meaning:
    seen = PortObservation(at=record.at, source=Source.EVENT, port_id=port_id, **fields)
    return Meaning(port_id=port_id, observations=(seen,) if port_id else (), complete=complete)


def _vbr_created(record: CloudRecord) -> Meaning:
    vbr_id, port_id = _text(record.response, "VbrId"), _text(record.request, "PhysicalConnectionId")
    vlan_id = _vlan(record.request)
    meaning = _vbr(
        record,
        vbr_id,
        port_id=port_id or None,
        owner_uid=_text(record.request, "VbrOwnerId") or record.account_id,
        vlan_id=vlan_id,
        presence=Presence.PRESENT,
    )
    return Meaning(
        port_id=port_id,
        vbr_id=vbr_id,
        observations=meaning.observations,
        complete=bool(vbr_id and port_id) and vlan_id is not None,
    )


def _vbr_attached(record: CloudRecord) -> Meaning:
    vbr_id, port_id = _text(record.request, "VbrId"), _text(record.request, "VpconnId")
    meaning = _vbr(record, vbr_id, port_id=port_id or None)
    return Meaning(port_id=port_id, vbr_id=vbr_id, observations=meaning.observations, complete=False)


def _vbr_changed(record: CloudRecord) -> Meaning:
    return _vbr(record, _text(record.request, "VbrId"), vlan_id=_vlan(record.request))


def _vbr_terminated(record: CloudRecord) -> Meaning:
    return _vbr(record, _text(record.request, "VbrId"), complete=False, status="terminating")


def _vbr_recovered(record: CloudRecord) -> Meaning:
    return _vbr(record, _text(record.request, "VbrId"), complete=False, status="recovering")


def _vbr_deleted(record: CloudRecord) -> Meaning:
    return _vbr(record, _text(record.request, "VbrId"), deleted=True)


def _vbr(record: CloudRecord, vbr_id: str, *, complete: bool = True, **fields: Any) -> Meaning:
    seen = VbrObservation(at=record.at, source=Source.EVENT, vbr_id=vbr_id, **fields)
    return Meaning(vbr_id=vbr_id, observations=(seen,) if vbr_id else (), complete=complete)


def _text(fields: Mapping[str, Any], name: str) -> str:
    """A field as text; ids come as strings or numbers. Anything else counts as missing."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def _vlan(fields: Mapping[str, Any]) -> int | None:
    """The VLAN ID, which records carry as a number or as digits; None when it is neither."""
    value = fields.get("VlanId")
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 5 else None


_MEANINGS: dict[str, Callable[[CloudRecord], Meaning]] = {
    "CreateVirtualPhysicalConnection": _created,
    "CreateVpconnFromVbr": _created_from_vbr,
    "UpdateVirtualPhysicalConnection": _updated,
    "ConfirmPhysicalConnection": _accepted,
    "CreatePhysicalConnectionOccupancyOrder": _paid,
    "EnablePhysicalConnection": _paid,
    "TerminatePhysicalConnection": _terminated,
    "CancelPhysicalConnection": _canceled,
    "DeletePhysicalConnection": _deleted,
    "RecoverPhysicalConnection": _recovered,
    "CreateVirtualBorderRouter": _vbr_created,
    "AttachVbrToVpconn": _vbr_attached,
    "ModifyVirtualBorderRouterAttribute": _vbr_changed,
    "UpdateVirtualBorderBandwidth": _vbr_changed,
    "TerminateVirtualBorderRouter": _vbr_terminated,
    "RecoverVirtualBorderRouter": _vbr_recovered,
    "DeleteVirtualBorderRouter": _vbr_deleted,
}

#: The eventNames that are followed; the trigger's filter in s.yaml names the same ones.
FOLLOWED = frozenset(_MEANINGS)
