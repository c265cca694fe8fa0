"""The Function Compute API (2023-03-30) over HTTP: InvokeFunction and GetFunction."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.fc.errors import AccessDenied, FcError, InvalidArgument
from localcloud.fc.runtime import Functions
from localcloud.fc.template import FunctionDefinition, Hook
from localcloud.signing import Received, SignatureRefused, Verifier

LOG_TAIL = 4 * 1024
"""Bytes of log that ``x-fc-log-type: Tail`` returns (FC API, InvokeFunction)."""

_PREFIX = "/2023-03-30/functions/{name}"


def application(functions: Functions, verifier: Verifier) -> Starlette:
    """The ASGI application of one account's functions. Every request must carry an ACS3 signature."""
    api = _Api(functions, verifier)
    return Starlette(
        routes=[
            Route(f"{_PREFIX}/invocations", api.invoke_function, methods=["POST"]),
            Route(_PREFIX, api.get_function, methods=["GET"]),
            Route("/{path:path}", api.not_implemented, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
    )


class _Api:
    def __init__(self, functions: Functions, verifier: Verifier) -> None:
        self._functions = functions
        self._verifier = verifier

    async def invoke_function(self, request: Request) -> Response:
        """InvokeFunction: 200 with the answer, 202 for an accepted asynchronous invocation.

        A function that failed is a 200 as well; only ``x-fc-error-type`` tells.
        """
        try:
            body = await self._authentic(request)
            asynchronous = _is_asynchronous(request)
            result = await self._functions.invoke(
                request.path_params["name"],
                body,
                asynchronous=asynchronous,
                task_id=request.headers.get("x-fc-async-task-id"),
            )
        except (FcError, SignatureRefused) as error:
            return _refusal(error)
        headers = {"x-fc-request-id": result.request_id}
        if result.error_type is not None:
            headers["x-fc-error-type"] = result.error_type
        if request.headers.get("x-fc-log-type") == "Tail" and not asynchronous:
            tail = "\n".join(result.logs).encode()[-LOG_TAIL:]
            headers["x-fc-log-result"] = base64.b64encode(tail).decode("ascii")
        return Response(
            result.payload,
            status_code=202 if asynchronous else 200,
            headers=headers,
            media_type="application/octet-stream",
        )

    async def get_function(self, request: Request) -> Response:
        """GetFunction: the configuration that ``s.yaml`` gives the function."""
        try:
            await self._authentic(request)
            definition = self._functions.definition(request.path_params["name"])
        except (FcError, SignatureRefused) as error:
            return _refusal(error)
        return JSONResponse(
            _described(definition, self._functions.account_id), headers={"x-fc-request-id": str(uuid.uuid4())}
        )

    async def not_implemented(self, request: Request) -> Response:
        """Everything else fails loudly, so that nobody takes silence for an answer."""
        return _refusal(_NotImplemented(f"{request.method} {request.url.path} is not played by this local cloud"))

    async def _authentic(self, request: Request) -> bytes:
        """The body, if the account that owns the functions has signed. Raises SignatureRefused, AccessDenied."""
        body = await request.body()
        key = self._verifier.acs3(Received.from_scope(request.scope, body))
        if key.account.account_id != self._functions.account_id:
            raise AccessDenied("the caller's account does not own this function")
        return body


class _NotImplemented(FcError):  # noqa: N818  # the cloud's own name
    status = 501
    code = "NotImplemented"


def _is_asynchronous(request: Request) -> bool:
    kind = request.headers.get("x-fc-invocation-type", "Sync")
    if kind not in {"Sync", "Async"}:
        raise InvalidArgument(f"x-fc-invocation-type must be Sync or Async, not {kind!r}")
    return kind == "Async"


def _refusal(error: FcError | SignatureRefused) -> Response:
    request_id = f"1-{uuid.uuid4()}"
    return JSONResponse(
        {"RequestId": request_id, "Code": error.code, "Message": error.message},
        status_code=error.status,
        headers={"x-fc-request-id": request_id},
    )


def _described(definition: FunctionDefinition, account_id: str) -> dict[str, Any]:
    def hook(value: Hook | None) -> dict[str, Any] | None:
        return None if value is None else {"handler": value.handler, "timeout": value.timeout}

    hooks = {"initializer": hook(definition.initializer), "preStop": hook(definition.pre_stop)}
    return {
        "functionName": definition.name,
        "functionArn": f"acs:fc:{definition.region}:{account_id}:functions/{definition.name}",
        "runtime": definition.runtime,
        "handler": definition.handler,
        "description": definition.description,
        "timeout": definition.timeout,
        "memorySize": definition.memory,
        "cpu": definition.cpu,
        "role": definition.role,
        "environmentVariables": dict(definition.environment),
        "instanceConcurrency": 1,
        "instanceLifecycleConfig": {name: value for name, value in hooks.items() if value is not None},
        "state": "Active",
        "lastUpdateStatus": "Successful",
    }
