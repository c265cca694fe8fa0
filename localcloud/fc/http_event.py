"""HTTP triggers of built-in runtimes: a request becomes a JSON event, the return value a response.

Source: Function Compute, "Invoke a function by an HTTP trigger" (payload version v1). What a return value means
that does not have the documented form is marked [INF].
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request as received; ``raw_path`` and ``query`` are still percent-encoded."""

    method: str
    raw_path: str
    query: str
    headers: Iterable[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    source_ip: str = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """What goes back to the HTTP client."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def http_event(request: HttpRequest, *, account_id: str, request_id: str, domain: str, at: datetime) -> bytes:
    """The event of a request. ``domain`` is ``<trigger id>.<region>.fcapp.run``.

    A body that is not UTF-8 text comes in base64; repeated headers and parameters are joined with commas.
    """
    headers = _joined(request.headers)
    try:
        body, encoded = request.body.decode(), False
    except UnicodeDecodeError:
        body, encoded = base64.b64encode(request.body).decode("ascii"), True
    agent = next((value for name, value in headers.items() if name.lower() == "user-agent"), "")
    document = {
        "version": "v1",
        "rawPath": request.raw_path,
        "body": body,
        "isBase64Encoded": encoded,
        "headers": headers,
        "queryParameters": _joined(parse_qsl(request.query, keep_blank_values=True)),
        "requestContext": {
            "accountId": account_id,
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": unquote(request.raw_path),
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": agent,
            },
            "requestId": request_id,
            "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "timeEpoch": str(int(at.timestamp() * 1000)),
        },
    }
    return json.dumps(document, ensure_ascii=False).encode()


def http_response(payload: bytes, error_type: str | None) -> HttpResponse:
    """The response that a function's answer stands for.

    An object with ``statusCode`` is taken apart; any other answer is the body of a 200 [INF]; a failed function
    or an answer that cannot be sent is a 502 (FC FAQ, "Error types of HTTP functions").
    """
    if error_type is not None:
        return HttpResponse(status=502, headers={"x-fc-error-type": error_type}, body=payload)
    try:
        document = json.loads(payload)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "statusCode" not in document:
        return HttpResponse(status=200, headers={"content-type": "application/json"}, body=payload)
    try:
        return _taken_apart(document)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        return HttpResponse(
            status=502,
            headers={"x-fc-error-type": "UnhandledInvocationError"},
            body=b'{"errorMessage": "The function returned a malformed HTTP response"}',
        )


def _taken_apart(document: Mapping[str, Any]) -> HttpResponse:
    body = document.get("body", "")
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    if document.get("isBase64Encoded") is True:
        content = base64.b64decode(content, validate=True)
    headers = {str(name).lower(): str(value) for name, value in (document.get("headers") or {}).items()}
    return HttpResponse(status=int(document["statusCode"]), headers=headers, body=content)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined
