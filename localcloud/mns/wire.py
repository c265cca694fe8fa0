"""MNS over HTTP, as the official SDKs speak it: signature V1, XML bodies, version 2015-06-06.

The account is the one of the access key; the host name says nothing. Topics and account attributes are not played
and answer 501.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from localcloud.mns import xml
from localcloud.mns.errors import (
    InvalidArgument,
    InvalidRequestURL,
    MalformedXML,
    MessageNotExist,
    MnsError,
    OperationNotPlayed,
    Refused,
)
from localcloud.mns.queue import Message, QueueAttributes
from localcloud.mns.queues import BATCH_LIMIT, Queues
from localcloud.signing import Received, SignatureRefused, Verifier

BATCH_BYTES = 65_536
"""Most bytes of all bodies of a BatchSendMessage together (API reference)."""


class _Call:
    """One request whose sender is known."""

    def __init__(self, account_id: str, request: Request, received: Received) -> None:
        self.account_id = account_id
        self.request = request
        self.body = received.body
        self.headers = received.headers
        # Not parse_qsl: it would turn the "+" of an unescaped receipt handle into a blank.
        pairs = (part.partition("=") for part in received.query.split("&") if part)
        self.query = {unquote(name): unquote(value) for name, _, value in pairs}
        self.queue = ""

    def number(self, name: str) -> int | None:
        """A whole number of the query, or None when it is absent. Raises InvalidArgument."""
        text = self.query.get(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError:
            raise InvalidArgument(f"The value of {name} is not a number.") from None

    def handle(self) -> str:
        """The receipt handle of the query. Raises InvalidArgument."""
        try:
            return self.query["ReceiptHandle"]
        except KeyError:
            raise InvalidArgument("The value of ReceiptHandle is missing.") from None


class MnsApplication:
    """The ASGI application of the MNS endpoint."""

    def __init__(self, queues: Queues, verifier: Verifier) -> None:
        self._queues = queues
        self._verifier = verifier
        self._queue_calls: dict[str, Callable[[_Call], Response]] = {
            "PUT": self._put_queue,
            "GET": self._get_queue,
            "DELETE": self._delete_queue,
        }
        self._message_calls: dict[str, Callable[[_Call], Awaitable[Response]]] = {
            "POST": self._send,
            "GET": self._receive_or_peek,
            "DELETE": self._delete,
            "PUT": self._change_visibility,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every answer has ``x-mns-request-id``, which the SDKs require."""
        request = Request(scope, receive)
        request_id = secrets.token_hex(12).upper()
        try:
            received = Received.from_scope(scope, await request.body())
            key = self._verifier.mns(received)
            response = await self._route(_Call(key.account.account_id, request, received), received)
        except SignatureRefused as refused:
            problem = Refused(refused.code, refused.status, refused.message)
            response = self._error(problem, request, request_id)
        except MnsError as raised:
            response = self._error(raised, request, request_id)
        response.headers["x-mns-request-id"] = request_id
        response.headers["x-mns-version"] = "2015-06-06"
        await response(scope, receive, send)

    async def _route(self, call: _Call, received: Received) -> Response:
        match [unquote(part) for part in received.path.strip("/").split("/")]:
            case ["queues"] if received.method == "GET":
                return self._list_queues(call)
            case ["queues", name] if received.method in self._queue_calls:
                call.queue = name
                return self._queue_calls[received.method](call)
            case ["queues", name, "messages"] if received.method in self._message_calls:
                call.queue = name
                return await self._message_calls[received.method](call)
            case ["queues", *_] | ["topics", *_] | ["commonbuy", *_] | [""]:
                raise OperationNotPlayed
            case _:
                raise InvalidRequestURL

    def _put_queue(self, call: _Call) -> Response:
        queues, account_id = self._queues, call.account_id
        if call.query.get("metaoverride") == "true":
            present = queues.describe(account_id, call.queue).attributes
            queues.set_attributes(account_id, call.queue, xml.read_attributes(call.body, present))
            return Response(status_code=204)
        created = queues.create(account_id, call.queue, xml.read_attributes(call.body, QueueAttributes()))
        return Response(status_code=201 if created else 204, headers={"Location": self._url(call.request, call.queue)})

    def _get_queue(self, call: _Call) -> Response:
        description = self._queues.describe(call.account_id, call.queue)
        return _xml(200, xml.queue(description, self._queues.milliseconds))

    def _delete_queue(self, call: _Call) -> Response:
        self._queues.remove(call.account_id, call.queue)
        return Response(status_code=204)

    def _list_queues(self, call: _Call) -> Response:
        """Up to ``x-mns-ret-number`` (1 to 1000) queues; the marker is the name of the last one before the page."""
        if call.headers.get("x-mns-with-meta") == "true":
            raise OperationNotPlayed("The local cloud lists queues without their attributes.")
        number = call.headers.get("x-mns-ret-number", "1000")
        if not number.isdecimal() or not 1 <= int(number) <= 1000:
            raise InvalidArgument("The value of x-mns-ret-number should between 1 and 1000.")
        marker = call.headers.get("x-mns-marker", "")
        names = [n for n in self._queues.names(call.account_id, call.headers.get("x-mns-prefix", "")) if n > marker]
        page = names[: int(number)]
        next_marker = page[-1] if len(page) < len(names) else ""
        return _xml(200, xml.queue_list([self._url(call.request, name) for name in page], next_marker))

    async def _send(self, call: _Call) -> Response:
        root = xml.parse(call.body, "Message", "Messages")
        if root.tag == "Message":
            return _xml(201, xml.sent(self._put(call, xml.read_outgoing(root))))
        self._queues.describe(call.account_id, call.queue)  # a missing queue fails the whole batch
        outgoing = [xml.read_outgoing(element) for element in root.findall("Message")]
        if not 1 <= len(outgoing) <= BATCH_LIMIT:
            raise InvalidArgument(f"The number of messages should between 1 and {BATCH_LIMIT}.")
        if sum(len(each.body.encode()) for each in outgoing) > BATCH_BYTES:
            raise InvalidArgument(f"The size of all messages should be at most {BATCH_BYTES} bytes.")
        results: list[Message | MnsError] = []
        for each in outgoing:
            try:
                results.append(self._put(call, each))
            except MnsError as problem:
                results.append(problem)
        # [INF] The status of a partial failure is not documented; the SDK reads the parts of any 4xx or 5xx.
        failed = any(isinstance(result, MnsError) for result in results)
        return _xml(500 if failed else 201, xml.sent_batch(results))

    def _put(self, call: _Call, outgoing: xml.Outgoing) -> Message:
        return self._queues.send(
            call.account_id,
            call.queue,
            outgoing.body,
            delay_seconds=outgoing.delay_seconds,
            priority=outgoing.priority,
            group_id=outgoing.group_id,
            user_properties=outgoing.user_properties,
            system_properties=outgoing.system_properties,
        )

    async def _receive_or_peek(self, call: _Call) -> Response:
        batch = call.number("numOfMessages")
        peek = call.query.get("peekonly") == "true"
        count = 1 if batch is None else batch
        if peek:
            found = self._queues.peek(call.account_id, call.queue, batch=count)
        else:
            found = await self._receive(call, count)
        if not found:
            raise MessageNotExist
        return _xml(200, xml.messages(found, self._queues.milliseconds, batch=batch is not None, received=not peek))

    async def _receive(self, call: _Call, count: int) -> list[Message]:
        """Receive, but give the poll up when the client hangs up: it would swallow the next message."""
        polling = asyncio.ensure_future(
            self._queues.receive(call.account_id, call.queue, batch=count, wait_seconds=call.number("waitseconds"))
        )
        hang_up = asyncio.ensure_future(call.request.receive())
        try:
            await asyncio.wait({polling, hang_up}, return_when=asyncio.FIRST_COMPLETED)
            return polling.result() if polling.done() else []
        finally:
            polling.cancel()
            hang_up.cancel()

    async def _delete(self, call: _Call) -> Response:
        if "ReceiptHandle" in call.query:
            self._queues.delete(call.account_id, call.queue, call.handle())
            return Response(status_code=204)
        handles = xml.read_handles(call.body)
        if not 1 <= len(handles) <= BATCH_LIMIT:
            raise MalformedXML(f"The number of receipt handles should between 1 and {BATCH_LIMIT}.")
        self._queues.describe(call.account_id, call.queue)  # a missing queue fails the whole batch
        failures: list[tuple[str, MnsError]] = []
        for handle in handles:
            try:
                self._queues.delete(call.account_id, call.queue, handle)
            except MnsError as problem:
                failures.append((handle, problem))
        if failures:
            return _xml(404, xml.delete_errors(failures))
        return Response(status_code=204)

    async def _change_visibility(self, call: _Call) -> Response:
        seconds = call.number("VisibilityTimeout")
        if seconds is None:
            raise InvalidArgument("The value of VisibilityTimeout is missing.")
        handle, next_visible_at = self._queues.change_visibility(call.account_id, call.queue, call.handle(), seconds)
        return _xml(200, xml.visibility(handle, self._queues.milliseconds(next_visible_at)))

    def _error(self, problem: MnsError, request: Request, request_id: str) -> Response:
        return _xml(problem.status, xml.error(problem, request_id, f"http://{_host(request)}"))

    def _url(self, request: Request, queue: str) -> str:
        return f"http://{_host(request)}/queues/{queue}"


def _host(request: Request) -> str:
    return request.headers.get("host", "127.0.0.1")


def _xml(status: int, body: bytes) -> Response:
    return Response(body, status_code=status, headers={"Content-Type": "text/xml;charset=utf-8"})
