"""What nobody should send: each ends as ``unreadable`` with its reason, and nothing raises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crossport.entrypoints.canonical import MAX_DEPTH, canonical, digest_of, parse
from crossport.entrypoints.envelope import MAX_BYTES, MAX_ENVELOPES, Opened, open_envelope

EVENT: dict[str, Any] = {"specversion": "1.0", "id": "e", "source": "acs.vpc", "type": "t", "aliyunaccountid": "1"}


def event_with(data: str) -> bytes:
    return (json.dumps(EVENT)[:-1] + f', "data": {data}}}').encode()


def only(event: bytes) -> Opened:
    (opened,) = open_envelope(event)
    return opened


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (b"", "not_json"),
        (b"mock mns message", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (b'{"id": ', "not_json"),
        (b"123", "not_json"),
        (b"null", "not_json"),
        (b"[]", "wrong_envelope"),
        (b"{}", "wrong_envelope"),
        (b'[1, "x", null]', "wrong_envelope"),
        (b'{"hello": "world"}', "wrong_envelope"),
        (b'{"specversion": "1.0"}', "wrong_envelope"),
        (json.dumps({**EVENT, "data": [1]}).encode(), "wrong_envelope"),
        (json.dumps({**EVENT, "data": "no JSON"}).encode(), "wrong_envelope"),
        (json.dumps({**EVENT, "data": {}, "id": ""}).encode(), "wrong_envelope"),
        (json.dumps({**EVENT, "data": {}, "id": True}).encode(), "wrong_envelope"),
        (json.dumps({**EVENT, "data": {}, "id": "x" * 257}).encode(), "wrong_envelope"),
        (json.dumps({**EVENT, "data": {}, "source": {"a": 1}}).encode(), "wrong_envelope"),
        (event_with('{"a": NaN}'), "bad_number"),
        (event_with('{"a": -Infinity}'), "bad_number"),
        (event_with('{"a": 1e999}'), "bad_number"),
        (event_with('{"a": ' + "9" * 5_000 + "}"), "bad_number"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "too_deep"),
        (event_with("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)), "too_deep"),
        (b" " * (MAX_BYTES + 1), "too_large"),
    ],
)
def test_unreadable(event: bytes, reason: str) -> None:
    for opened in open_envelope(event):
        assert opened.kind == "unreadable"
        assert opened.reason == reason
        assert opened.key == ""
        assert len(opened.digest) == 64


def test_envelopes_in_one_another_have_an_end() -> None:
    body: Any = {**EVENT, "data": {"eventName": "X"}}
    for level in range(MAX_ENVELOPES + 1):
        body = {"messageId": str(level), "messageBody": body}
    assert only(json.dumps(body).encode()).reason == "too_deep"


def test_json_in_json_in_json_ends() -> None:
    text = json.dumps({**EVENT, "data": {"eventName": "X"}})
    for _ in range(6):
        text = json.dumps(text)
    assert only(text.encode()).kind == "cloud_event"


@pytest.mark.parametrize("written", [r"\u0000", r"\ud800", r"\udfff\ud800"])
def test_characters_that_no_store_keeps_are_replaced(written: str) -> None:
    opened = only(event_with(f'{{"name{written}": "x{written}"}}'))
    (name,) = opened.data
    assert "\ufffd" in name
    assert "\ufffd" in opened.data[name]
    json.dumps(opened.data, ensure_ascii=False).encode("utf-8")


def test_surrogate_pairs_are_kept() -> None:
    assert only(event_with(r'{"name": "\ud83d\ude00"}')).data == {"name": "😀"}


def test_of_equal_keys_the_last_one_counts_everywhere() -> None:
    twice, once = only(event_with('{"a": 1, "a": 2}')), only(event_with('{"a": 2}'))
    assert twice == once


def test_tenant_cannot_wrap_an_event_of_the_partner() -> None:
    """A forwarded event is written by the tenant; what it carries inside must not speak for the partner."""
    inner = {**EVENT, "aliyunaccountid": "PARTNER", "data": {"eventName": "DeletePhysicalConnection"}}
    outer = {
        **EVENT,
        "type": "mns:Queue:SendMessage",
        "aliyunaccountid": "PARTNER",
        "aliyunoriginalaccountid": "TENANT",
        "data": {"messageId": "m", "messageBody": json.dumps(inner)},
    }
    opened = only(json.dumps(outer).encode())
    assert (opened.kind, opened.reason) == ("unreadable", "untrusted_envelope")


def test_digest_ignores_order_and_blanks_but_not_values() -> None:
    assert digest_of(parse('{"b": 1, "a": [1, 2]}')) == digest_of(parse('{"a":[1,2],"b":1}'))
    assert digest_of(parse('{"a": [1, 2]}')) != digest_of(parse('{"a": [2, 1]}'))
    assert digest_of(parse('{"a": 1}')) != digest_of(parse('{"a": "1"}'))


def test_canonical_form_is_ascii_and_dense() -> None:
    assert canonical({"b": "專線", "a": None}) == '{"a":null,"b":"\\u5c08\\u7dda"}'


def test_digest_is_of_data_alone() -> None:
    first = only(json.dumps({**EVENT, "time": "x", "data": {"a": 1}}).encode())
    second = only(json.dumps({**EVENT, "time": "y", "aliyunpublishaddr": "z", "data": {"a": 1}}).encode())
    assert first.digest == second.digest
