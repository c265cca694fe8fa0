"""Every documented form of an event, from the documentation's own samples."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from crossport.entrypoints.envelope import Opened, inbox_key, open_envelope, unified

PARTNER, TENANT = "1111111111111111", "2222222222222222"

RECORD: dict[str, Any] = {
    "eventId": "AE3B631D",
    "eventVersion": 1,
    "eventName": "ConfirmPhysicalConnection",
    "eventRW": "Write",
    "serviceName": "Vpc",
    "requestParameters": {"PhysicalConnectionId": "pc-1", "VlanId": 0},
}
CLOUD_EVENT: dict[str, Any] = {
    "id": "45ef4dew-1",
    "source": "acs.vpc",
    "specversion": "1.0",
    "subject": f"acs:vpc:us-east-1:{TENANT}:pc-1",
    "time": "2025-07-07T01:39:10Z",
    "type": "vpc:ActionTrail:ApiCall",
    "datacontenttype": "application/json;charset=utf-8",
    "aliyunaccountid": PARTNER,
    "aliyunoriginalaccountid": TENANT,
    "aliyunpublishtime": "2020-11-19T21:04:42.179PRC",
    "aliyuneventbusname": "tenants",
    "aliyunregionid": "us-east-1",
    "aliyunpublishaddr": "10.58.0.1",
    "data": RECORD,
}
ORDER = {"type": "order.new", "version": 1, "client_order_id": "PO-1"}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def in_base64(value: Any) -> str:
    return base64.b64encode(encoded(value)).decode()


def mns_event(body: str, **changes: Any) -> dict[str, Any]:
    """The event of an MNS queue trigger, from a real log (awesome-fc, python3-mns-queue-trigger)."""
    return {
        "id": "0FFF111D2A6B444B7FE46AE2",
        "source": "MNS-python3-mns-queue-trigger-trigger-5h3j",
        "specversion": "1.0",
        "type": "mns:Queue:SendMessage",
        "datacontenttype": "application/json;charset=utf-8",
        "subject": f"acs:mns:us-east-1:{PARTNER}:queues/orders",
        "time": "2022-07-21T10:07:31.525Z",
        "aliyunaccountid": PARTNER,
        "aliyunoriginalaccountid": PARTNER,
        "aliyunregionid": "us-east-1",
        "data": {"requestId": "62D92563", "messageId": "C6DB60D1574661357FA2", "messageBody": body},
        **changes,
    }


def raw_data(body: str) -> dict[str, Any]:
    data: dict[str, Any] = mns_event(body)["data"]
    return data


def topic_event(body: str) -> dict[str, Any]:
    return {
        "TopicOwner": PARTNER,
        "Message": body,
        "Subscriber": PARTNER,
        "PublishTime": 1550216480040,
        "SubscriptionName": "s",
        "MessageMD5": "BA4B",
        "TopicName": "orders",
        "MessageId": "C6DB60D1574661357FA2",
        "key": "a message attribute, merged in by JSON subscriptions",
    }


def destination_event(payload: str) -> dict[str, Any]:
    return {
        "timestamp": 1602560000000,
        "requestContext": {"requestId": "r", "functionArn": "acs:fc:::functions/main", "condition": "x"},
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "functionError": "UnhandledInvocationError"},
        "responsePayload": '{"errorType": "RetryRecords"}',
    }


def only(event: bytes) -> Opened:
    (opened,) = open_envelope(event)
    return opened


def test_cloud_event_of_a_bus() -> None:
    opened = only(encoded(CLOUD_EVENT))
    assert opened.kind == "cloud_event"
    assert opened.key == f"{TENANT}|acs.vpc|45ef4dew-1"
    assert (opened.account_id, opened.own_account_id) == (TENANT, PARTNER)
    assert (opened.region, opened.type) == ("us-east-1", "vpc:ActionTrail:ApiCall")
    assert opened.time == "2025-07-07T01:39:10Z"
    assert opened.data == RECORD


def test_own_account_when_nobody_forwarded() -> None:
    own = {name: value for name, value in CLOUD_EVENT.items() if name != "aliyunoriginalaccountid"}
    assert only(encoded(own)).key == f"{PARTNER}|acs.vpc|45ef4dew-1"


def test_account_ids_that_come_as_numbers_are_strings() -> None:
    opened = only(encoded({**CLOUD_EVENT, "aliyunoriginalaccountid": int(TENANT)}))
    assert opened.account_id == TENANT


def test_source_with_colons_is_the_same_source() -> None:
    dot, colon = only(encoded(CLOUD_EVENT)), only(encoded({**CLOUD_EVENT, "source": "acs:vpc"}))
    assert dot == colon
    assert unified("acs:mns") == "acs.mns"


def test_key_parts_cannot_run_into_each_other() -> None:
    assert inbox_key("1", "a|b", "c") != inbox_key("1", "a", "b|c")
    assert inbox_key("1", "a%7Cb", "c") != inbox_key("1", "a|b", "c")


@pytest.mark.parametrize(
    "event",
    [
        encoded([CLOUD_EVENT]),
        base64.b64encode(encoded(CLOUD_EVENT)),
        b"\xef\xbb\xbf" + encoded(CLOUD_EVENT),
        encoded(json.dumps(CLOUD_EVENT)),
        encoded({**CLOUD_EVENT, "data": json.dumps(RECORD)}),
        encoded({**CLOUD_EVENT, "data": in_base64(RECORD)}),
        encoded({**CLOUD_EVENT, "datacontenttype": "application/json; charset=utf-8", "dataschema": "x"}),
    ],
    ids=["array", "base64", "byte order mark", "JSON in JSON", "data as text", "data in base64", "attributes"],
)
def test_the_same_cloud_event_in_another_dress(event: bytes) -> None:
    assert only(event) == only(encoded(CLOUD_EVENT))


@pytest.mark.parametrize("body", [json.dumps(CLOUD_EVENT), in_base64(CLOUD_EVENT)], ids=["plain", "base64"])
@pytest.mark.parametrize(
    "wrap",
    [
        mns_event,
        lambda body: [mns_event(body)],
        lambda body: [raw_data(body)],
        topic_event,
        lambda body: {"body": body, "attrs": {"Extend": "{}"}},
        lambda body: destination_event(json.dumps([mns_event(body)])),
        lambda body: mns_event(json.dumps(destination_event(body))),
    ],
    ids=["MNS event", "stream", "RawData", "topic JSON", "topic STREAM", "destination", "dead-lettered destination"],
)
def test_nested_cloud_event_keeps_its_own_identity(wrap: Any, body: str) -> None:
    opened, direct = only(encoded(wrap(body))), only(encoded(CLOUD_EVENT))
    assert opened.kind == "cloud_event"
    assert (opened.key, opened.digest) == (direct.key, direct.digest)
    assert (opened.account_id, opened.own_account_id) == (TENANT, PARTNER)


@pytest.mark.parametrize("body", [json.dumps(ORDER), in_base64(ORDER)], ids=["plain", "base64"])
@pytest.mark.parametrize(
    "wrap",
    [mns_event, lambda body: [raw_data(body)], topic_event],
    ids=["MNS event", "RawData", "topic JSON"],
)
def test_message_is_known_by_its_message_id(wrap: Any, body: str) -> None:
    opened = only(encoded(wrap(body)))
    assert opened.kind == "message"
    assert opened.body == ORDER
    assert opened.key == opened.message_id == "C6DB60D1574661357FA2"
    assert opened.digest == only(encoded(mns_event(json.dumps(ORDER)))).digest


def test_message_says_its_queue_and_account() -> None:
    opened = only(encoded(mns_event(json.dumps(ORDER))))
    assert (opened.name, opened.account_id, opened.region) == ("orders", PARTNER, "us-east-1")


@pytest.mark.parametrize(
    "event", [encoded(ORDER), encoded({"body": json.dumps(ORDER), "attrs": {}})], ids=["bare", "with attributes"]
)
def test_topic_stream_carries_no_message_id(event: bytes) -> None:
    opened = only(event)
    assert (opened.kind, opened.key, opened.body) == ("message", "", ORDER)


def test_text_body_stays_text() -> None:
    opened = only(encoded(mns_event("meesage from MNS console")))
    assert (opened.kind, opened.body) == ("message", "meesage from MNS console")


def test_word_that_is_valid_base64_stays_a_word() -> None:
    assert only(encoded(mns_event("TEST"))).body == "TEST"


def test_batch_keeps_its_order() -> None:
    batch = [mns_event(json.dumps({**ORDER, "client_order_id": str(n)})) for n in range(3)]
    assert [one.body["client_order_id"] for one in open_envelope(encoded(batch))] == ["0", "1", "2"]


def test_broken_element_does_not_hide_the_others() -> None:
    opened = open_envelope(encoded([CLOUD_EVENT, 7, mns_event(json.dumps(ORDER))]))
    assert [one.kind for one in opened] == ["cloud_event", "unreadable", "message"]


def test_timer() -> None:
    event = {"triggerTime": "2023-12-26T07:49:00Z", "triggerName": "every-minute", "payload": "awesome-fc"}
    opened = only(encoded(event))
    assert (opened.kind, opened.name, opened.time) == ("timer", "every-minute", "2023-12-26T07:49:00Z")
    assert opened.key == "|timer.every-minute|2023-12-26T07:49:00Z"
    assert opened.data["payload"] == "awesome-fc"


def test_timer_payload_is_json_in_a_string() -> None:
    event = {"triggerTime": "2023-12-26T07:49:00Z", "triggerName": "t", "payload": '{"limit": 5}'}
    assert only(encoded(event)).data["payload"] == {"limit": 5}


def test_http_request() -> None:
    event = {
        "version": "v1",
        "rawPath": "/example",
        "body": "Hello FC!",
        "isBase64Encoded": False,
        "headers": {},
        "queryParameters": {},
        "requestContext": {"accountId": "1", "http": {"method": "GET", "path": "/example"}, "requestId": "1-64f6"},
    }
    opened = only(encoded(event))
    assert (opened.kind, opened.data["rawPath"]) == ("http", "/example")
