"""Function Compute through alibabacloud-fc20230330: our own functions invoked with an event, byte for byte.

Source: Function Compute API reference (2023-03-30), InvokeFunction. A function that failed is an answer with status 200
and the header ``x-fc-error-type``; the SDK raises nothing for it.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, ClassVar

from crossport.adapters.credentials import Credentials
from crossport.adapters.tea import causes, client_config, sdk_errors
from crossport.application.errors import FunctionUnavailableError
from crossport.application.ports import FunctionAnswer
from crossport.domain.errors import CrossportError

#: Milliseconds; a synchronous invocation answers when the function has ended, after 300 s at most (s.yaml).
CONNECT_TIMEOUT_MS = 5_000
READ_TIMEOUT_MS = 310_000
#: An asynchronous one answers when it was accepted.
START_TIMEOUT_MS = 10_000
_ACCEPTED, _TAKEN = 202, 409
#: Codes that the same request will meet again (API reference, error codes); all others are worth another try.
_FOR_GOOD = frozenset(
    {
        "AccessDenied", "FunctionNotFound", "InvalidAccessKeyId.NotFound", "InvalidArgument", "PayloadTooLarge",
        "RequestEntityTooLarge", "SignatureDoesNotMatch",
    }
)  # fmt: skip
#: HTTP statuses of a refusal that time does not mend; 408 and 429 do.
_REFUSALS = frozenset({400, 401, 403, 404, 413})


class FunctionRefusedError(CrossportError):
    """Function Compute said no for good; the field ``cloud_code`` is its error code, such as FunctionNotFound."""

    code: ClassVar[str] = "function_refused"


class FunctionCompute:
    """``application.ports.Functions`` and ``Tasks``: the functions of one account in one region.

    ``endpoint`` is host or host:port; None or "": the SDK's own for the region. The SDK is imported at the first call.
    """

    def __init__(self, *, region: str, endpoint: str | None, credentials: Callable[[], Credentials]) -> None:
        self._region = region
        self._endpoint = endpoint
        self._credentials = credentials
        self._made: Any = None

    def invoke(self, function: str, payload: bytes) -> FunctionAnswer:
        """Invoke and wait. Raises FunctionUnavailableError (retryable: it may have run) and FunctionRefusedError."""
        from alibabacloud_fc20230330 import models
        from darabonba.runtime import RuntimeOptions

        try:
            answer = self._client().invoke_function_with_options(
                function,
                models.InvokeFunctionRequest(body=io.BytesIO(payload)),
                models.InvokeFunctionHeaders(x_fc_invocation_type="Sync"),
                RuntimeOptions(),
            )
            said = answer.body.read() if answer.body is not None else b""
        except CrossportError:
            raise
        except sdk_errors() as error:
            raise _translated(error, function) from error
        except OSError as error:
            raise _unavailable(function, "no answer came") from error
        headers = {name.lower(): value for name, value in (answer.headers or {}).items()}
        return FunctionAnswer(payload=bytes(said), error_type=headers.get("x-fc-error-type", ""))

    def start(self, function: str, payload: bytes, *, task_id: str) -> bool:
        """See ``application.ports.Tasks``. Raises FunctionUnavailableError and FunctionRefusedError.

        An id that was taken is documented as HTTP 409 (Function Compute, "Asynchronous tasks"), without a code. An
        invocation that was accepted although no answer came is met again under its id.
        """
        from alibabacloud_fc20230330 import models
        from darabonba.runtime import RuntimeOptions

        try:
            answer = self._client().invoke_function_with_options(
                function,
                models.InvokeFunctionRequest(body=io.BytesIO(payload)),
                models.InvokeFunctionHeaders(x_fc_invocation_type="Async", x_fc_async_task_id=task_id),
                RuntimeOptions(read_timeout=START_TIMEOUT_MS),
            )
        except CrossportError:
            raise
        except sdk_errors() as error:
            if getattr(error, "status_code", None) == _TAKEN:
                return False
            raise _translated(error, function) from error
        except OSError as error:
            raise _unavailable(function, "no answer came") from error
        if answer.status_code != _ACCEPTED:
            raise _unavailable(function, f"HTTP {answer.status_code} to an asynchronous invocation")
        return True

    def _client(self) -> Any:
        if self._made is None:
            from alibabacloud_fc20230330.client import Client

            config = client_config(
                region=self._region,
                endpoint=self._endpoint,
                credentials=self._credentials,
                connect_timeout_ms=CONNECT_TIMEOUT_MS,
                read_timeout_ms=READ_TIMEOUT_MS,
            )
            self._made = Client(config)
        return self._made


def _translated(error: Exception, function: str) -> CrossportError:
    """The SDK's exception as ours; texts are left out, for some quote what was signed."""
    code, status = getattr(error, "code", None), getattr(error, "status_code", None)
    if not isinstance(code, str) or code in {"", "None"}:
        ours = next((cause for cause in causes(error) if isinstance(cause, CrossportError)), None)
        return ours or _unavailable(function, "the endpoint was not reached")
    sentence = f"function {function}: {code}" + (f" ({status})" if status is not None else "")
    if code in _FOR_GOOD or status in _REFUSALS:
        return FunctionRefusedError(sentence, function=function, cloud_code=code)
    return FunctionUnavailableError(sentence, function=function, cloud_code=code)


def _unavailable(function: str, what: str) -> FunctionUnavailableError:
    return FunctionUnavailableError(f"function {function}: {what}", function=function, cloud_code="")
