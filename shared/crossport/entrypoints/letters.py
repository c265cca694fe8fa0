"""Dead letters at the edge: out of the queue, from records that are given up, and what can be told of their bytes.

What arrives in the queue ``dead-letters`` is not documented for every source (EventBridge, "Retry policies and
dead-letter queues", names no format), so every form is opened, and what nobody understands is kept all the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from crossport.application.actiontrail import FOLLOWED
from crossport.application.dead_letters import (
    PASSING,
    Arrival,
    keep,
    keep_letters,
    tries_of,
    verdicts_of,
)
from crossport.application.endings import Ending
from crossport.application.ports import DeadLetter, InputRow
from crossport.domain.errors import CrossportError
from crossport.domain.vocabulary import Verdict
from crossport.entrypoints.canonical import NotJsonError, parse_body, storable
from crossport.entrypoints.envelope import Opened, open_envelope
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.records import record_name
from crossport.entrypoints.wiring import App

#: The queue that everything which was given up ends in.
DEAD_LETTERS = "dead-letters"
#: Which function reads a queue (``s.yaml``).
READERS = {"orders": "orders", "outbox": "relay", "notices": "notices", "usage": "billing"}
#: How our messages' types begin, and the queue that they are for.
_QUEUES = {"order.": "orders", "outbox.": "outbox", "notice.": "notices", "usage.": "usage"}
#: Longer texts of others are cut.
_MAX_TEXT = 500
_FUNCTION = re.compile(r"functions/([A-Za-z0-9_-]{1,64})")
_SUBJECT_QUEUE = re.compile(r"queues/([^/]+)")
_DECODER = json.JSONDecoder()

_log = logging.getLogger("crossport.letters")


def open_letters(event: bytes) -> list[Opened]:
    """The letters of one event of the queue ``dead-letters``, at least one. Never raises, and changes no byte.

    ``body`` is the message's body as it stood in the queue, in bytes; what came without a message around it is a
    letter itself.
    """
    return [_arrived(part) for part in elements(event)]


def elements(event: bytes) -> list[bytes]:
    """The elements of an event that is a JSON array, each as its bytes stand there; else the event itself alone."""
    try:
        text = event.decode("utf-8-sig")
        found, at = [], _past_blanks(text, 0)
        if text[at] != "[":
            return [event]
        while text[at] != "]":
            begin = _past_blanks(text, at + 1)
            _, end = _DECODER.raw_decode(text, begin)
            found.append(text[begin:end].encode())
            at = _past_blanks(text, end)
            if text[at] not in ",]":
                return [event]
    except (ValueError, IndexError, RecursionError):
        return [event]
    return [event] if text[at + 1 :].strip() else found


def keep_dead_letters(app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
    """What the function ``dead_letters`` runs: keep each letter."""
    at = app.clock.now()
    arrivals = [Arrival(message_id=one.message_id, digest=one.digest, letter=letter_of(one.body, at)) for one in opened]
    return keep_letters(arrivals, store=app.store(), policies=app.policies())


def give_up(
    app: App, invocation: Invocation, event: bytes, opened: Sequence[Opened], endings: Sequence[Ending]
) -> list[Ending]:
    """The endings again, with what was tried often enough as ``dead_letter``, its bytes kept.

    A try counts when the record itself is the trouble (not ``PASSING``). What cannot be kept or counted comes again.
    """
    parts: list[bytes] | None = None
    ended = list(endings)
    for number, (one, ending) in enumerate(zip(opened, endings, strict=True)):
        try:
            if ending.verdict is Verdict.DEAD_LETTER or _tried_enough(app, invocation, one, ending):
                parts = parts if parts is not None else _parts_of(event, len(opened))
                ended[number] = _laid_to_rest(app, invocation, parts[number], one, ending)
        except Exception as error:  # noqa: BLE001  # whatever it is, the record must not be lost
            reason = error.code if isinstance(error, CrossportError) else "internal_error"
            _log.exception("letter_not_kept", extra={"function": invocation.function, "reason": reason})
            ended[number] = ending if ending.verdict is Verdict.RETRY else _again(ending, reason)
    return ended


def letter_of(body: bytes, at: datetime, *, function: str = "", cause: str = "", tries: int = 0) -> DeadLetter:
    """A letter from its bytes, with everything that can be told of it. Never raises.

    ``function`` and ``cause``, where they are known, go before what the bytes say. The partner account is that of the
    first record, which may be a tenant's or none.
    """
    outer, records = _outermost(body), open_envelope(body)
    form = _form_of(outer, records)
    function = function or _function_of(outer, records)
    details = _details_of(outer, records)
    if tries:
        details["tries"] = tries
    first = records[0]
    return DeadLetter(
        key=_key_of(function, records, body),
        at=at,
        function=function,
        source=_source_of(outer, first),
        cause=cause or _cause_of(outer, form),
        form=form,
        account_id=first.own_account_id or first.account_id,
        name=storable(record_name(first))[:_MAX_TEXT],
        details=details,
        body=body,
    )


def _arrived(part: bytes) -> Opened:
    message_id, body = _message_in(part)
    return Opened(
        kind="message",
        key=message_id,
        digest=hashlib.sha256(body).hexdigest(),
        message_id=message_id,
        body=body,
        name=DEAD_LETTERS,
    )


def _message_in(part: bytes) -> tuple[str, bytes]:
    """Id and body of the message that the queue ``dead-letters`` has delivered, else no id and all of the part."""
    value = _outermost(part, plain=True)
    data = value.get("data")
    if isinstance(data, dict) and _queue_of(value) == DEAD_LETTERS:
        value = data
    elif not value.keys() <= {"requestId", "messageId", "messageBody"}:
        return "", part
    message_id, body = value.get("messageId"), value.get("messageBody")
    if not isinstance(message_id, str) or not isinstance(body, str):
        return "", part
    return storable(message_id)[:_MAX_TEXT], body.encode("utf-8", "surrogatepass")


def _tried_enough(app: App, invocation: Invocation, one: Opened, ending: Ending) -> bool:
    if ending.verdict is not Verdict.RETRY or ending.reason in PASSING:
        return False
    tried = json.dumps([invocation.function, one.key, one.digest])
    tries = app.store().attempted(hashlib.sha256(tried.encode()).hexdigest(), at=app.clock.now())
    return tries >= tries_of(one.own_account_id or one.account_id, app.policies())


def _laid_to_rest(app: App, invocation: Invocation, part: bytes, one: Opened, ending: Ending) -> Ending:
    """Keep a record's bytes; a use case that ended it as ``dead_letter`` has written its row already."""
    at = app.clock.now()
    letter = letter_of(part, at, function=invocation.function, cause=ending.reason)
    rows = []
    if ending.verdict is Verdict.RETRY:
        row = InputRow(
            key=one.key,
            digest=one.digest,
            claims=False,
            at=at,
            function=invocation.function,
            verdict=Verdict.DEAD_LETTER,
            reason=ending.reason,
            account_id=one.account_id,
            connection_id=ending.connection_id,
            name=record_name(one),
            details={"letter": letter.key},
        )
        rows.append(row)
    keep(letter, store=app.store(), policies=app.policies(), inputs=rows)
    return replace(ending, verdict=Verdict.DEAD_LETTER)


def _again(ending: Ending, reason: str) -> Ending:
    return replace(ending, verdict=Verdict.RETRY, reason=reason)


def _parts_of(event: bytes, count: int) -> list[bytes]:
    """The bytes in which each of ``count`` records stands: its element of the event, or all of the event."""
    parts = [part for part in elements(event) for _ in open_envelope(part)]
    return parts if len(parts) == count else [event] * count


def _outermost(body: bytes, *, plain: bool = False) -> dict[str, Any]:
    """The JSON object that a body is, in base64 perhaps unless ``plain``; {} for anything else."""
    try:
        text = body.decode("utf-8-sig")
        value = json.loads(text) if plain else parse_body(text)
    except (ValueError, NotJsonError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _form_of(outer: dict[str, Any], records: Sequence[Opened]) -> str:
    if "requestPayload" in outer and "requestContext" in outer:
        return "destination"
    if len(records) > 1:
        return "batch"
    first = records[0]
    queue_event = first.kind == "message" and "specversion" in outer
    return "queue_event" if queue_event else first.kind


def _function_of(outer: dict[str, Any], records: Sequence[Opened]) -> str:
    """The function that a letter is for: as its destination's envelope says, or by queue, type or call."""
    context = outer.get("requestContext")
    arn = context.get("functionArn") if isinstance(context, dict) else None
    named = _FUNCTION.search(arn) if isinstance(arn, str) else None
    if named is not None:
        return named[1]
    first = records[0]
    if first.kind == "cloud_event":
        call = record_name(first)
        if call not in FOLLOWED:
            return ""
        return "vbr_events" if "VirtualBorder" in call or call == "AttachVbrToVpconn" else "port_events"
    if first.kind != "message":
        return ""
    kind = record_name(first)
    by_type = next((queue for prefix, queue in _QUEUES.items() if kind.startswith(prefix)), "")
    return READERS.get(first.name) or READERS.get(by_type, "")


def _source_of(outer: dict[str, Any], first: Opened) -> str:
    """The queue, bus or trigger that the record came by."""
    if first.kind == "cloud_event":
        bus = outer.get("aliyuneventbusname")
        return storable(bus)[:_MAX_TEXT] if isinstance(bus, str) else first.source
    return storable(first.name)


def _cause_of(outer: dict[str, Any], form: str) -> str:
    if form == "unreadable":
        return "unreadable"
    if form != "destination":
        return "retries_exhausted"
    answer = str(outer.get("responsePayload", ""))
    verdicts, _ = verdicts_of(answer.encode("utf-8", "surrogatepass"))
    retried = _retry_reason(answer) if verdicts else ""
    if retried:
        return retried
    return "function_timed_out" if "timed out" in answer.casefold() else "function_failed"


def _retry_reason(answer: str) -> str:
    """The first reason for which our own function asked for a redelivery."""
    try:
        verdicts = json.loads(json.loads(answer)["errorMessage"])["verdicts"]
        found = [str(one["reason"]) for one in verdicts if one["verdict"] == Verdict.RETRY]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    reason = next(iter(found), "")
    return reason if re.fullmatch(r"[a-z][a-z0-9_]{0,63}", reason) else ""


def _details_of(outer: dict[str, Any], records: Sequence[Opened]) -> dict[str, Any]:
    """What a person may want to know, in short; texts of others are cut."""
    first = records[0]
    details: dict[str, Any] = {"keys": [one.key for one in records if one.key][:10], "records": len(records)}
    if first.account_id:
        details["origin_account_id"] = first.account_id
    if first.kind == "unreadable":
        details["unreadable"] = first.reason
    context = outer.get("requestContext")
    if isinstance(context, dict):
        for name, field in (
            ("condition", "condition"),
            ("request_id", "requestId"),
            ("invoked", "approximateInvokeCount"),
        ):
            if field in context:
                details[name] = storable(str(context[field]))[:_MAX_TEXT]
    if "responsePayload" in outer:
        details["said"] = storable(str(outer["responsePayload"]))[:_MAX_TEXT]
    return details


def _key_of(function: str, records: Sequence[Opened], body: bytes) -> str:
    """The same for the same records of the same function, whatever wrapped them; without keys, for the same bytes."""
    if all(one.key and one.kind != "unreadable" for one in records):
        text = json.dumps([function, [[one.key, one.digest] for one in records]]).encode()
    else:
        text = function.encode() + b"\n" + body
    return f"dl-{hashlib.sha256(text).hexdigest()[:24]}"


def _queue_of(event: dict[str, Any]) -> str:
    subject = event.get("subject")
    found = _SUBJECT_QUEUE.search(subject) if isinstance(subject, str) else None
    return found[1] if found else ""


def _past_blanks(text: str, at: int) -> int:
    while text[at] in " \t\n\r":
        at += 1
    return at
