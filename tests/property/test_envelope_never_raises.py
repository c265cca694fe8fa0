"""Whatever comes in, ``open_envelope`` answers; and what it opens can be kept."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossport.adapters.messages import parse_message
from crossport.application.actiontrail import CloudRecord
from crossport.domain.connection import Refusal
from crossport.entrypoints.envelope import Opened, open_envelope, unified
from crossport.entrypoints.records import record_name, to_record

# Names of all envelopes, so that arbitrary JSON often looks like one.
NAMES = [
    *("specversion", "id", "source", "type", "data", "time", "subject", "aliyunaccountid", "aliyunoriginalaccountid"),
    *("messageId", "messageBody", "requestId", "TopicOwner", "Message", "MessageId", "TopicName", "body", "attrs"),
    *("requestPayload", "requestContext", "triggerTime", "triggerName", "payload", "rawPath", "http", "version"),
    *("eventName", "eventTime", "eventRW", "serviceName", "requestParameters", "responseElements", "userIdentity"),
    *("errorCode", "client_order_id", "vlan_id", "milestones", "name", "at"),
]
WORDS = [
    *("1.0", "acs.vpc", "acs:vpc", "mns:Queue:SendMessage", "vpc:ActionTrail:ApiCall", "Vpc", "1111"),
    *("2025-07-07T01:39:09Z", "order.new", "order.milestone", "usage.reported", "notice.send"),
]

TEXTS = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)


def _nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(children, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=6)), children, max_size=9),
        children.map(json.dumps),
        children.map(lambda value: base64.b64encode(json.dumps(value).encode()).decode()),
    )


JSON = st.recursive(SCALARS, _nested, max_leaves=25)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """A cloud event as EventBridge sends it."""
    own = draw(st.sampled_from(["1111", "2222"]))
    return {
        "specversion": "1.0",
        "id": draw(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)),
        "source": draw(st.sampled_from(["acs.vpc", "acs:vpc"])),
        "type": "vpc:ActionTrail:ApiCall",
        "time": "2025-07-07T01:39:09Z",
        "aliyunaccountid": own,
        "aliyunoriginalaccountid": draw(st.sampled_from([own, "3333"])),
        "aliyunregionid": "us-east-1",
        "data": {
            "eventName": draw(st.sampled_from(["ConfirmPhysicalConnection", "CreateVirtualBorderRouter"])),
            "eventTime": "2025-07-07T01:39:09Z",
            "eventRW": "Write",
            "serviceName": "Vpc",
            "requestParameters": draw(
                st.dictionaries(st.text(max_size=8), st.one_of(TEXTS, st.integers()), max_size=4)
            ),
        },
    }


def text_of(value: Any) -> str:
    # As strangers write it: not ASCII only, lone surrogates included.
    return json.dumps(value)


def carried(body: str, form: str) -> Any:
    """The body in one of the queue's envelopes, of our own account."""
    data = {"requestId": "r", "messageId": "m-1", "messageBody": body}
    outer = {"specversion": "1.0", "id": "o", "source": "MNS-f-t", "type": "mns:Queue:SendMessage", "data": data}
    forms: dict[str, Any] = {
        "event": {**outer, "aliyunaccountid": "1111", "aliyunoriginalaccountid": "1111"},
        "stream": [outer],
        "raw": [data],
        "topic": {"TopicOwner": "1111", "Message": body, "MessageId": "m-1"},
        "attributes": {"body": body, "attrs": {}},
        "destination": {"requestContext": {}, "requestPayload": body},
    }
    return forms[form]


FORMS = st.sampled_from(["event", "stream", "raw", "topic", "attributes", "destination"])


def check(event: bytes) -> list[Opened]:
    """Open it and take it through everything that reads it next; all of it must be fit to be stored."""
    opened = open_envelope(event)
    assert opened
    for one in opened:
        assert len(one.digest) == 64
        assert (one.kind == "unreadable") == bool(one.reason)
        words = (one.key, one.source, one.id, one.type, one.time, one.account_id, one.message_id, one.name, one.detail)
        kept = json.dumps([words, one.data, one.body], ensure_ascii=False, allow_nan=False)
        assert "\x00" not in "".join(words)
        kept.encode("utf-8")
        record_name(one).encode("utf-8")
        assert isinstance(to_record(one), CloudRecord | Refusal)
        parse_message(one.body)
    return opened


@given(st.binary(max_size=200))
def test_arbitrary_bytes(event: bytes) -> None:
    check(event)


@given(JSON)
def test_arbitrary_json(value: Any) -> None:
    check(text_of(value).encode())


@given(events(), FORMS, st.data())
def test_mutated_real_envelopes(event: dict[str, Any], form: str, data: st.DataObject) -> None:
    """Real envelopes with a value changed, a field lost, bytes overwritten or the end cut off."""
    target = event if data.draw(st.booleans()) else event["data"]
    name = data.draw(st.sampled_from(sorted(target)))
    if data.draw(st.booleans()):
        target[name] = data.draw(JSON)
    else:
        del target[name]
    raw = bytearray(text_of(carried(text_of(event), form)).encode())
    for _ in range(data.draw(st.integers(0, 2))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(raw[: data.draw(st.integers(0, len(raw)))]) if data.draw(st.booleans()) else bytes(raw))


@given(JSON)
def test_arbitrary_messages_never_raise(body: Any) -> None:
    parse_message(body)


@given(st.text())
def test_unified_source_is_the_same_however_it_was_spelt(source: str) -> None:
    assert unified(source) == unified(unified(source)) == unified(source.replace(".", ":"))
    assert ":" not in unified(source)


@given(events(), FORMS, st.booleans())
def test_nested_and_direct_are_the_same_event(event: dict[str, Any], form: str, in_base64: bool) -> None:
    (direct,) = check(text_of(event).encode())
    body = base64.b64encode(text_of(event).encode()).decode() if in_base64 else text_of(event)
    (nested,) = check(text_of(carried(body, form)).encode())
    assert direct.kind == "cloud_event"
    assert (nested.kind, nested.key, nested.digest) == (direct.kind, direct.key, direct.digest)


@given(events(), st.permutations(["specversion", "id", "source", "type", "data", "aliyunaccountid"]))
def test_key_and_digest_do_not_depend_on_how_it_was_written(event: dict[str, Any], order: list[str]) -> None:
    (once,) = check(text_of(event).encode())
    shuffled = {name: event[name] for name in [*order, *(name for name in event if name not in order)]}
    shuffled["source"] = event["source"].replace(":", ".")
    (again,) = check(json.dumps(shuffled, indent=2, ensure_ascii=False).encode("utf-8", "replace"))
    assert again.key == once.key
    if json.dumps(event, ensure_ascii=False).isascii():
        assert again.digest == once.digest


@given(st.dictionaries(st.sampled_from(["type", "vlan_id", "note"]), TEXTS, min_size=1), FORMS)
def test_message_in_base64_or_plain_has_one_key_and_digest(body: dict[str, str], form: str) -> None:
    plain = json.dumps({"type": "order.new", **body})
    encoded = base64.b64encode(plain.encode()).decode()
    (one,), (other,) = (check(text_of(carried(text, form)).encode()) for text in (plain, encoded))
    assert (one.key, one.digest, one.body) == (other.key, other.digest, other.body)
