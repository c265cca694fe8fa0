"""Every form in which an event reaches a function, opened into one value for each record.

Sources: EventBridge, "Event overview"; Function Compute, "Formats of event", "SMQ topic triggers", "Invoke a
function by an HTTP trigger"; the sample messages of asynchronous destinations. Trigger settings decide the form and
the documentation of different years disagrees about them, so every function takes every form.

Standard library only, and no input raises: what cannot be understood is opened as ``unreadable`` with a reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from crossport.entrypoints.canonical import NotJsonError, digest_of, parse, parse_body, storable

Kind = Literal["cloud_event", "message", "timer", "http", "unreadable"]

#: Larger events are refused. A full batch of the largest MNS messages (10 x 64 KiB, in base64) fits.
MAX_BYTES = 1 << 20
#: Envelopes in envelopes. The deepest that is known: destination, array, MNS event, cloud event.
MAX_ENVELOPES = 8
#: Ids, sources and types longer than this are refused; EventBridge itself allows 255.
MAX_WORD = 256

_QUEUE = re.compile(r"(?:queues|topics)/([^/]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """One record out of an envelope. Fields that its kind does not have are empty."""

    kind: Kind
    #: The inbox key, (account, source, id) joined by "|"; an MNS message has its messageId; "" when there is none.
    key: str
    #: SHA-256 over the canonical JSON of the innermost ``data`` (a message: of its body), whatever wrapped it.
    digest: str
    #: CloudEvents ``source`` with "." for ":", because both spellings occur for the same service.
    source: str = ""
    id: str = ""
    type: str = ""
    #: CloudEvents ``time`` or a timer's triggerTime as it came, unchecked.
    time: str = ""
    subject: str = ""
    #: The account in which the event arose: aliyunoriginalaccountid, else aliyunaccountid.
    account_id: str = ""
    #: The account whose bus delivered it: aliyunaccountid.
    own_account_id: str = ""
    region: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    message_id: str = ""
    #: A message's body: the JSON object or array in it, else its text.
    body: Any = None
    #: The queue or topic of a message, the trigger of a timer.
    name: str = ""
    #: Why it is unreadable: not_json, too_large, too_deep, bad_number, wrong_envelope, untrusted_envelope.
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Carrier:
    """What the envelopes around a record say about it."""

    message_id: str = ""
    name: str = ""
    account_id: str = ""
    own_account_id: str = ""
    region: str = ""


_NO_CARRIER = _Carrier()


def open_envelope(event: bytes) -> list[Opened]:
    """The records of an event, at least one. Never raises."""
    if len(event) > MAX_BYTES:
        return [_unreadable(event, "too_large", f"{len(event)} bytes, {MAX_BYTES} are allowed")]
    try:
        text = event.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [_unreadable(event, "not_json", f"not UTF-8 text: {error.reason} at {error.start}")]
    return list(_open_text(text, _NO_CARRIER, 0))


def unified(source: str) -> str:
    """A CloudEvents source with "." for ":": ``acs:vpc`` and ``acs.vpc`` are the same service."""
    return source.replace(":", ".")


def inbox_key(account_id: str, source: str, event_id: str) -> str:
    """(account, source, id) joined by "|", which is escaped inside a part so that no two triples share a key."""
    parts = (account_id, unified(source), event_id)
    return "|".join(part.replace("%", "%25").replace("|", "%7C") for part in parts)


def _open_text(text: str, carrier: _Carrier, level: int) -> Iterator[Opened]:
    try:
        value = parse_body(text)
    except NotJsonError as error:
        yield _unreadable(text, error.reason, str(error))
        return
    yield from _open_value(value, carrier, level)


def _open_value(value: Any, carrier: _Carrier, level: int) -> Iterator[Opened]:
    """``level`` is how many envelopes are around it."""
    if level >= MAX_ENVELOPES:
        yield _unreadable_value(value, "too_deep", f"more than {MAX_ENVELOPES} envelopes in one another")
        return
    if isinstance(value, list):
        if not value:
            yield _unreadable_value(value, "wrong_envelope", "an empty array")
        for element in value:
            yield from _open_value(element, carrier, level + 1)
    elif isinstance(value, dict):
        yield from _open_object(value, carrier, level + 1)
    else:
        yield _unreadable_value(value, "wrong_envelope", f"an event is an object, not {type(value).__name__}")


def _open_object(value: dict[str, Any], carrier: _Carrier, level: int) -> Iterator[Opened]:
    if _is_cloud_event(value):
        yield from _cloud_event(value, carrier, level)
    elif _is_queue_message(value):
        yield from _message(value["messageBody"], replace(carrier, message_id=_word(value["messageId"])), level)
    elif "TopicOwner" in value and "Message" in value:
        topic = replace(
            carrier,
            message_id=_word(value.get("MessageId")),
            name=_word(value.get("TopicName")),
            account_id=_word(value["TopicOwner"]),
        )
        yield from _message(value["Message"], topic, level)
    elif value.keys() == {"body", "attrs"}:
        yield from _message(value["body"], carrier, level)
    elif "requestPayload" in value and "requestContext" in value:
        payload = value["requestPayload"]
        yield from (
            _open_text(payload, carrier, level) if isinstance(payload, str) else _open_value(payload, carrier, level)
        )
    elif "triggerTime" in value and "triggerName" in value:
        yield _timer(value)
    elif "rawPath" in value and isinstance(value.get("requestContext"), dict):
        yield Opened(kind="http", key="", digest=digest_of(value), data=value)
    elif _is_own_message(value):
        yield from _message(value, carrier, level)
    else:
        yield _unreadable_value(value, "wrong_envelope", "none of the known envelopes")


def _is_cloud_event(value: Mapping[str, Any]) -> bool:
    return "specversion" in value or {"source", "id", "data"} <= value.keys()


def _is_queue_message(value: Mapping[str, Any]) -> bool:
    return "messageBody" in value and "messageId" in value


def _is_own_message(value: Mapping[str, Any]) -> bool:
    """A bare body, as a topic with notifyContentFormat STREAM pushes it: our messages name their type."""
    return isinstance(value.get("type"), str)


def _is_envelope(value: Any) -> bool:
    """Whether a message's body carries an event, or a batch of them, instead of being a message of ours."""
    if isinstance(value, list):
        return bool(value) and all(_is_envelope(element) for element in value)
    return isinstance(value, dict) and (
        _is_cloud_event(value) or _is_queue_message(value) or ("requestPayload" in value and "requestContext" in value)
    )


def _cloud_event(event: dict[str, Any], carrier: _Carrier, level: int) -> Iterator[Opened]:
    event_id, source, kind = (_word(event.get(name)) for name in ("id", "source", "type"))
    if not (event_id and source and kind):
        yield _unreadable_value(event, "wrong_envelope", "a cloud event needs id, source and type")
        return
    data = _data_of(event)
    if data is None:
        yield _unreadable_value(event, "wrong_envelope", "a cloud event's data is an object")
        return
    own = _word(event.get("aliyunaccountid"))
    original = _word(event.get("aliyunoriginalaccountid")) or own
    region = _word(event.get("aliyunregionid"))
    subject = _word(event.get("subject"))
    if _is_queue_message(data):
        if own != "" and original != own:
            # Forwarded by another account, which wrote the inside and could name any account as its origin there.
            yield _unreadable_value(event, "untrusted_envelope", "a message inside an event of another account")
            return
        queue = _QUEUE.search(subject)
        carrier = replace(
            carrier,
            message_id=_word(data["messageId"]),
            name=queue[1] if queue else "",
            account_id=original,
            own_account_id=own,
            region=region,
        )
        yield from _message(data["messageBody"], carrier, level)
        return
    yield Opened(
        kind="cloud_event",
        key=inbox_key(original, source, event_id),
        digest=digest_of(data),
        source=unified(source),
        id=event_id,
        type=kind,
        time=_word(event.get("time")),
        subject=subject,
        account_id=original,
        own_account_id=own,
        region=region,
        data=data,
        message_id=carrier.message_id,
        name=carrier.name,
    )


def _data_of(event: Mapping[str, Any]) -> dict[str, Any] | None:
    data = event.get("data")
    if isinstance(data, str):
        try:
            data = parse_body(data)
        except NotJsonError:
            return None
    return data if isinstance(data, dict) else None


def _message(body: Any, carrier: _Carrier, level: int) -> Iterator[Opened]:
    if isinstance(body, str):
        try:
            body = parse_body(body)
        except NotJsonError as error:
            if error.reason != "not_json":
                yield replace(_unreadable(body, error.reason, str(error)), message_id=carrier.message_id)
                return
    if _is_envelope(body):
        yield from _open_value(body, carrier, level)
        return
    yield Opened(
        kind="message",
        key=carrier.message_id,
        digest=digest_of(body),
        account_id=carrier.account_id,
        own_account_id=carrier.own_account_id,
        region=carrier.region,
        message_id=carrier.message_id,
        body=body,
        name=carrier.name,
    )


def _timer(value: Mapping[str, Any]) -> Opened:
    name, time, payload = _word(value["triggerName"]), _word(value["triggerTime"]), value.get("payload")
    if isinstance(payload, str):
        # A payload is a string whatever it holds; plain text is as good.
        with contextlib.suppress(NotJsonError):
            payload = parse(payload)
    data = {"triggerTime": time, "triggerName": name, "payload": payload}
    return Opened(
        kind="timer",
        key=inbox_key("", f"timer.{name}", time),
        digest=digest_of(data),
        time=time,
        name=name,
        data=data,
    )


def _word(value: Any) -> str:
    """A short text attribute; account ids have been seen as numbers. "" for anything that is none."""
    if isinstance(value, str):
        return value.strip() if len(value) <= MAX_WORD else ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _unreadable(raw: bytes | str, reason: str, detail: str) -> Opened:
    content = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    return Opened(
        kind="unreadable",
        key="",
        digest=hashlib.sha256(content).hexdigest(),
        reason=reason,
        detail=storable(detail)[:MAX_WORD],
    )


def _unreadable_value(value: Any, reason: str, detail: str) -> Opened:
    return Opened(kind="unreadable", key="", digest=digest_of(value), reason=reason, detail=detail)
