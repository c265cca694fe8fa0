"""The RPC protocol: one POST for each call, parameters in the query or a form, JSON answers.

Order of the checks, as at the cloud's gateway: signature, version, operation, region, rate. Only what passes them
reaches the service and ActionTrail.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, quote

from localcloud.journal import Journal
from localcloud.signing import Received, SignatureRefused, Verifier
from localcloud.vpc import actiontrail
from localcloud.vpc.call import Answer, Call, Operation
from localcloud.vpc.errors import VpcError, not_implemented, throttled
from localcloud.vpc.faults import Fault, Faults
from localcloud.vpc.names import VERSION
from localcloud.vpc.parameters import Parameters
from localcloud.vpc.state import State
from localcloud.vpc.throttle import Throttle
from localcloud.vpc.tokens import Tokens

Message = MutableMapping[str, Any]
Publish = Callable[[str, str, dict[str, Any]], None]
_UNAVAILABLE = VpcError("ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503)


@dataclass(frozen=True)
class Reply:
    """An answer, ready for the wire."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


class Endpoint:
    """Answers calls of the VPC API, and is an ASGI application."""

    def __init__(
        self,
        *,
        state: State,
        operations: Mapping[str, Operation],
        verifier: Verifier,
        journal: Journal,
        publish: Publish,
        faults: Faults,
        throttle: Throttle,
    ) -> None:
        self._state = state
        self._operations = operations
        self._verifier = verifier
        self._journal = journal
        self._publish = publish
        self._faults = faults
        self._throttle = throttle
        self._tokens = Tokens()

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the VPC endpoint does not speak {scope['type']}")
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        client = scope.get("client")
        reply = self.handle(Received.from_scope(scope, body), client[0] if client else "")
        if reply is None:
            await _drop_connection(receive)
            return
        headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def handle(self, received: Received, source_ip: str) -> Reply | None:
        """Answer one request; None means that the connection is dropped without an answer."""
        self._state.settle()
        now = self._state.clock.now()
        request_id = self._state.ids.request()
        action = received.headers.get("x-acs-action", "")
        try:
            operation, call = self._admit(received, action, now)
            fault = self._faults.take(action)
            if fault not in {Fault.NONE, Fault.PRIVILEGE}:
                self._journal.write("vpc", f"Fault in {action}: {fault}", action=action, fault=str(fault))
            answer = self._suffer(fault, lambda: self._perform(operation, call, fault, request_id, source_ip, received))
        except SignatureRefused as refused:
            return self._refuse(received, request_id, now, VpcError(refused.code, refused.message, refused.status))
        except VpcError as error:
            return self._refuse(received, request_id, now, error)
        if answer is None:
            return None
        return _reply(200, {"RequestId": request_id, **answer}, request_id, now)

    def _admit(self, received: Received, action: str, now: datetime) -> tuple[Operation, Call]:
        key = self._verifier.acs3(received)
        if received.headers.get("x-acs-version") != VERSION:
            raise VpcError("InvalidVersion", "Specified parameter Version is not valid.")
        operation = self._operations.get(action)
        if operation is None:
            self._journal.write("vpc", f"{action} is not implemented", action=action, error="not implemented")
            raise not_implemented(action)
        parameters = _parameters(received)
        region = parameters.text("RegionId")
        if not region:
            raise VpcError("MissingRegionId", "RegionId is mandatory for this action.")
        if not self._throttle.admit(action, key.account.account_id, region):
            raise throttled()
        call = Call(
            action=action,
            account=key.account,
            region=region,
            parameters=parameters,
            now=now,
            dry_run=operation.idempotency == "Token" and bool(parameters.flag("DryRun")),
        )
        return operation, call

    @staticmethod
    def _suffer(fault: Fault, perform: Callable[[], Answer]) -> Answer | None:
        """Perform a call under a fault; None is a dropped connection."""
        if fault == Fault.TIMEOUT_BEFORE_EFFECT:
            return None
        if fault == Fault.SERVER_ERROR:
            raise _UNAVAILABLE
        if fault == Fault.THROTTLED:
            raise throttled()
        answer = perform()
        if fault == Fault.TIMEOUT_AFTER_EFFECT:
            return None
        if fault == Fault.SERVER_ERROR_AFTER_EFFECT:
            raise _UNAVAILABLE
        return answer

    def _perform(
        self, operation: Operation, call: Call, fault: Fault, request_id: str, source_ip: str, received: Received
    ) -> Answer:
        if fault == Fault.PRIVILEGE:
            call = replace(call, privilege_expired=True)
        error: VpcError | None = None
        answer: Answer = {}
        try:
            known = self._tokens.known(operation, call)
            answer = operation.run(self._state, call) if known is None else known
            self._tokens.keep(operation, call, answer)
        except VpcError as refusal:
            error = refusal
        if operation.write and not call.dry_run:
            self._record(call, request_id, source_ip, received, answer, error)
        if error is not None:
            raise error
        return answer

    def _record(
        self,
        call: Call,
        request_id: str,
        source_ip: str,
        received: Received,
        answer: Answer,
        error: VpcError | None,
    ) -> None:
        outcome = "done" if error is None else f"refused, {error.code}"
        self._journal.write(
            "vpc",
            f"{call.action} by {call.account.name}: {outcome}",
            action=call.action,
            account_id=call.account_id,
            region=call.region,
            request_id=request_id,
            error=None if error is None else error.code,
            **{k: v for k, v in answer.items() if isinstance(v, str)},
        )
        event = actiontrail.record(
            self._state.ids,
            call,
            request_id=request_id,
            source_ip=source_ip,
            user_agent=received.headers.get("user-agent", ""),
            answer=answer,
            error=error,
        )
        self._publish(call.account_id, call.region, event)

    @staticmethod
    def _refuse(received: Received, request_id: str, now: datetime, error: VpcError) -> Reply:
        advice = f"https://api.aliyun.com/troubleshoot?q={quote(error.code)}&product=Vpc&requestId={request_id}"
        body = {
            "RequestId": request_id,
            "HostId": received.headers.get("host", ""),
            "Code": error.code,
            "Message": error.message,
            "Recommend": advice,
        }
        return _reply(error.status, body, request_id, now)


def _parameters(received: Received) -> Parameters:
    values = dict(parse_qsl(received.query, keep_blank_values=True))
    if received.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        values |= dict(parse_qsl(received.body.decode("utf-8", "replace"), keep_blank_values=True))
    return Parameters(values)


def _reply(status: int, body: Mapping[str, Any], request_id: str, now: datetime) -> Reply:
    encoded = json.dumps(body, ensure_ascii=False).encode()
    headers = (
        # The cloud's clock, not the host's: clients date what they read by it.
        ("date", format_datetime(now, usegmt=True)),
        ("content-type", "application/json;charset=utf-8"),
        ("content-length", str(len(encoded))),
        ("x-acs-request-id", request_id),
    )
    return Reply(status, encoded, headers)


async def _drop_connection(receive: Callable[[], Awaitable[Message]]) -> None:
    """Close the connection without a word, as a time-out or a lost network does it.

    ASGI has no message for it, so the server's transport is taken from behind ``receive``. Under a server that is
    built in another way this raises RuntimeError, because a polite 500 would be another fault than the scripted one.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if not isinstance(transport, asyncio.Transport):
        raise RuntimeError("the server does not show its transport; the connection cannot be dropped")  # noqa: TRY004
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
