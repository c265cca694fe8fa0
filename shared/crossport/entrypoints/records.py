"""ActionTrail records: from an opened cloud event to the input of ``application.observe``.

Sources: EventBridge, "VPC events" and "ActionTrail events"; ActionTrail, "Event structure". The records of Express
Connect calls themselves have never been published, so nothing beyond the name and the time of the call is required,
and unknown fields are tolerated. Validation is by hand: event functions start without pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossport.adapters.instants import instant
from crossport.application.actiontrail import CloudRecord
from crossport.domain.connection import Refusal
from crossport.entrypoints.canonical import NotJsonError, parse
from crossport.entrypoints.envelope import Opened

#: How records of API calls and of calls made in a console end in ``type``; both have been seen for console users.
_CALLS = (":ActionTrail:ApiCall", ":ActionTrail:ConsoleOperation")
#: The source of records of VPC calls, unified; an application's own events must name another [INF].
SOURCE = "acs.vpc"
_MAX_ACTOR = 200


def to_record(opened: Opened) -> CloudRecord | Refusal:
    """The record of a VPC call, or why it is none.

    Refusal codes: wrong_envelope (or the envelope's own reason) when it is no cloud event, unknown_event_type for
    another service or kind of event, wrong_source when the platform did not write it, no_account, no_event_name,
    bad_time. Time is the record's eventTime, else the envelope's: aware, or it does not count.
    """
    if opened.kind == "unreadable":
        return Refusal(code=opened.reason, message=opened.detail)
    if opened.kind != "cloud_event":
        return Refusal(code="wrong_envelope", message=f"a cloud event is expected, not a {opened.kind}")
    data = opened.data
    if not _is_vpc_call(opened.type, data):
        return Refusal(code="unknown_event_type", message="no record of a VPC call", subject=opened.type)
    if opened.source != SOURCE:
        return Refusal(code="wrong_source", message="not an event of the cloud's own", subject=opened.source)
    if not opened.account_id:
        return Refusal(code="no_account", message="the envelope names no account")
    name = _text(data.get("eventName"))
    if not name:
        return Refusal(code="no_event_name", message="the record has no eventName")
    at = instant(data.get("eventTime")) or instant(opened.time)
    if at is None:
        return Refusal(code="bad_time", message="neither eventTime nor the envelope's time is a time with a zone")
    write = data.get("eventRW")
    return CloudRecord(
        key=opened.key,
        digest=opened.digest,
        account_id=opened.account_id,
        region=_text(data.get("acsRegion")) or opened.region,
        name=name,
        at=at,
        request=_object(data.get("requestParameters")) or _object(data.get("requestParameterJson")),
        response=_object(data.get("responseElements")),
        error_code=_error_code(data),
        write=write is None or write == "" or _text(write).casefold() == "write",
        actor=_actor(data.get("userIdentity")),
        claimed_region=_text(data.get("acsRegion")),
    )


def record_name(opened: Opened) -> str:
    """What to call the record in the log and the audit trail, readable or not."""
    if opened.kind == "cloud_event":
        return _text(opened.data.get("eventName")) or opened.type
    if opened.kind == "message" and isinstance(opened.body, dict):
        return _text(opened.body.get("type"))
    return opened.name


def _is_vpc_call(kind: str, data: Mapping[str, Any]) -> bool:
    service = _text(data.get("serviceName")) or "vpc"
    return kind.endswith(_CALLS) and kind.partition(":")[0].casefold() == "vpc" and service.casefold() == "vpc"


def _object(value: Any) -> Mapping[str, Any]:
    """A JSON object that may have come as text; {} for anything else."""
    if isinstance(value, str):
        try:
            value = parse(value)
        except NotJsonError:
            return {}
    return value if isinstance(value, dict) else {}


def _error_code(data: Mapping[str, Any]) -> str:
    """errorCode, or ``unnamed`` when only an errorMessage says that the call failed."""
    return _text(data.get("errorCode")) or ("unnamed" if data.get("errorMessage") else "")


def _actor(identity: Any) -> str:
    """Who made the call, as the record claims: ``type:account:user``. For the audit trail, never for a decision."""
    if not isinstance(identity, dict):
        return ""
    parts = (_text(identity.get(name)) for name in ("type", "accountId", "userName"))
    return ":".join(part for part in parts if part)[:_MAX_ACTOR]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()[:256]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
