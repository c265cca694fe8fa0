"""HTTP requests as events, answers as HTTP responses."""

import base64
import json
from datetime import UTC, datetime

import pytest

from localcloud.fc.http_event import HttpRequest, http_event, http_response


def event(**changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "method": "POST",
        "raw_path": "/a%20b",
        "query": "x=1&x=2&empty=",
        "headers": [("User-Agent", "curl"), ("Accept", "a"), ("Accept", "b")],
        "body": b"Hello FC!",
        **changes,
    }
    request = HttpRequest(**values)  # type: ignore[arg-type]
    at = datetime(2023, 9, 5, 6, 41, 11, 895000, tzinfo=UTC)
    document = json.loads(
        http_event(request, account_id="123", request_id="1-64f6", domain="web.us-east-1.fcapp.run", at=at)
    )
    assert isinstance(document, dict)
    return document


def test_a_request_has_the_documented_form() -> None:
    assert event() == {
        "version": "v1",
        "rawPath": "/a%20b",
        "body": "Hello FC!",
        "isBase64Encoded": False,
        "headers": {"User-Agent": "curl", "Accept": "a,b"},
        "queryParameters": {"x": "1,2", "empty": ""},
        "requestContext": {
            "accountId": "123",
            "domainName": "web.us-east-1.fcapp.run",
            "domainPrefix": "web",
            "http": {
                "method": "POST",
                "path": "/a b",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "curl",
            },
            "requestId": "1-64f6",
            "time": "2023-09-05T06:41:11Z",
            "timeEpoch": "1693896071895",
        },
    }


def test_a_body_that_is_no_text_comes_in_base64() -> None:
    document = event(body=b"\xff\x00")
    assert document["isBase64Encoded"] is True
    assert base64.b64decode(str(document["body"])) == b"\xff\x00"


@pytest.mark.parametrize(
    ("payload", "status", "headers", "body"),
    [
        (
            b'{"statusCode": 404, "headers": {"Content-Type": "text/html"}, "body": "<p>"}',
            404,
            {"content-type": "text/html"},
            b"<p>",
        ),
        (b'{"statusCode": "200", "isBase64Encoded": true, "body": "/wA="}', 200, {}, b"\xff\x00"),
        (b'{"statusCode": 200, "body": {"a": 1}}', 200, {}, b'{"a": 1}'),
        (b'{"a": 1}', 200, {"content-type": "application/json"}, b'{"a": 1}'),
        (b"plain", 200, {"content-type": "application/json"}, b"plain"),
    ],
)
def test_an_answer_is_taken_apart(payload: bytes, status: int, headers: dict[str, str], body: bytes) -> None:
    response = http_response(payload, None)
    assert (response.status, response.headers, response.body) == (status, headers, body)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"statusCode": "many"}',
        b'{"statusCode": null}',
        b'{"statusCode": 200, "headers": ["a"]}',
        b'{"statusCode": 200, "isBase64Encoded": true, "body": "?"}',
    ],
)
def test_a_malformed_answer_is_a_bad_gateway(payload: bytes) -> None:
    response = http_response(payload, None)
    assert (response.status, response.headers["x-fc-error-type"]) == (502, "UnhandledInvocationError")


def test_a_failed_function_is_a_bad_gateway() -> None:
    response = http_response(b'{"errorMessage": "no"}', "UnhandledInvocationError")
    assert (response.status, response.body) == (502, b'{"errorMessage": "no"}')
