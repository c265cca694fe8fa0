"""``application.ports.Functions`` on Function Compute. The only place that imports its SDK.

An invocation counts as accepted with HTTP 202 alone. That a task id was taken before is documented as HTTP 409
(Function Compute, "Asynchronous tasks": a unique task id prevents duplicate executions); no code is documented for it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from crossport.adapters.credentials import Credentials
from crossport.adapters.openapi import configuration, sdk_errors
from crossport.application.errors import FunctionUnavailableError

_ACCEPTED, _TAKEN = 202, 409


class FunctionCompute:
    """The functions of the account and region that this process runs in.

    ``endpoint`` is ``host:port``; "" means the SDK's own of the region. ``credentials`` is asked in every call.
    Time-outs are in milliseconds.
    """

    def __init__(
        self,
        *,
        region: str,
        endpoint: str,
        credentials: Callable[[], Credentials],
        connect_timeout_ms: int = 3_000,
        read_timeout_ms: int = 10_000,
    ) -> None:
        self._region = region
        self._endpoint = endpoint
        self._credentials = credentials
        self._connect_timeout_ms = connect_timeout_ms
        self._read_timeout_ms = read_timeout_ms
        self._client: Any = None

    def start(self, function: str, payload: str, *, task_id: str) -> bool:
        """InvokeFunction, asynchronous, once. Raises FunctionUnavailableError.

        An invocation that was accepted although no answer came is met again under its task id.
        """
        from alibabacloud_fc20230330 import models
        from darabonba.runtime import RuntimeOptions

        request = models.InvokeFunctionRequest(body=io.BytesIO(payload.encode()))
        headers = models.InvokeFunctionHeaders(x_fc_invocation_type="Async", x_fc_async_task_id=task_id)
        failed = ""
        try:
            answer = self._made().invoke_function_with_options(function, request, headers, RuntimeOptions())
        except sdk_errors() as error:
            if getattr(error, "status_code", None) == _TAKEN:
                return False
            # The SDK's texts may quote the signed request; its code does not.
            failed = str(getattr(error, "code", None) or type(error).__name__)
        else:
            if answer.status_code != _ACCEPTED:
                failed = f"HTTP {answer.status_code}"
        if failed:
            raise FunctionUnavailableError(f"InvokeFunction {function}: {failed}", function=function)
        return True

    def _made(self) -> Any:
        if self._client is None:
            from alibabacloud_fc20230330.client import Client

            self._client = Client(
                configuration(
                    region=self._region,
                    endpoint=self._endpoint,
                    credentials=self._credentials,
                    connect_timeout_ms=self._connect_timeout_ms,
                    read_timeout_ms=self._read_timeout_ms,
                )
            )
        return self._client
