"""The process of one warm function instance: ``python -m localcloud.bootstrap <fd>``.

It stands where Function Compute's closed Python runtime stands and keeps its contract ("Python runtimes:
event handlers, context, lifecycle hooks"): the code folder first on ``sys.path``, the handler imported once,
``initialize`` once before the first invocation, then ``handler(event, context)`` with ``event`` as bytes, one
at a time, and ``pre_stop`` at the end. What the function prints is its log.

The parent talks over one inherited socket. A frame is two 4-byte big-endian lengths, a JSON head and a raw
payload. This file is imported before any function, so it imports next to nothing.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any


class Function:
    """``context.function``: memory in MB, timeout in seconds."""

    def __init__(self, head: dict[str, Any]) -> None:
        self.name: str = head["name"]
        self.handler: str = head["handler"]
        self.memory: int = head["memory"]
        self.timeout: int = head["timeout"]
        self.version_id: str = "LATEST"
        self.qualifier: str = "LATEST"


class Context:
    """The context of python3.12: without credentials and without service."""

    def __init__(self, request_id: str, function: Function) -> None:
        self.request_id = request_id
        self.account_id = os.environ["FC_ACCOUNT_ID"]
        self.region = os.environ["FC_REGION"]
        self.function = function
        self.log_project = ""
        self.log_store = ""
        self.logger: Logger | None = None

    def getLogger(self) -> Logger:  # noqa: N802  # the runtime's own name
        """A logger whose lines carry the request id."""
        import logging

        logger = logging.getLogger("fc")
        if not logger.handlers:
            logger.addHandler(logging.StreamHandler(sys.stdout))
            logger.setLevel(logging.INFO)
            logger.propagate = False
        logger.handlers[0].setFormatter(logging.Formatter(f"%(asctime)s {self.request_id} [%(levelname)s] %(message)s"))
        self.logger = logger
        return logger


class Credentials:
    """``context.credentials`` of python3.10 and older."""

    def __init__(self) -> None:
        self.access_key_id = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID", "")
        self.access_key_secret = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
        self.security_token = os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN", "")


class Service:
    """``context.service`` of python3.10 and older; services ended with Function Compute 2.0."""

    name = log_project = log_store = ""
    qualifier = version_id = "LATEST"


class OldContext:
    """The context of python3.10 and older: credentials and service, but no logger."""

    def __init__(self, request_id: str, function: Function) -> None:
        self.request_id = request_id
        self.account_id = os.environ["FC_ACCOUNT_ID"]
        self.region = os.environ["FC_REGION"]
        self.function = function
        self.credentials = Credentials()
        self.service = Service()


def read_exactly(fd: int, size: int) -> bytes | None:
    """``size`` bytes, or None when the other end has gone."""
    parts: list[bytes] = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(fd: int) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None when the other end has gone."""
    lengths = read_exactly(fd, 8)
    if lengths is None:
        return None
    head = read_exactly(fd, int.from_bytes(lengths[:4], "big"))
    payload = read_exactly(fd, int.from_bytes(lengths[4:], "big"))
    if head is None or payload is None:
        return None
    return json.loads(head), payload


def frame(head: dict[str, Any], payload: bytes = b"") -> bytes:
    """A frame in its form on the wire."""
    text = json.dumps(head).encode()
    return len(text).to_bytes(4, "big") + len(payload).to_bytes(4, "big") + text + payload


def write_frame(fd: int, head: dict[str, Any], payload: bytes = b"") -> None:
    """Send one frame completely."""
    rest = memoryview(frame(head, payload))
    while rest:
        rest = rest[os.write(fd, rest) :]


def load(name: str) -> Callable[..., Any]:
    """Import ``module.function``. Raises what the import raises, AttributeError without the function."""
    module, _, function = name.partition(".")
    __import__(module)
    loaded: Callable[..., Any] = getattr(sys.modules[module], function)
    return loaded


def error_document(error: Exception) -> bytes:
    """The error document of the Python runtime (FC, "Error handling"); frames of this file are left out."""
    import traceback

    stack = [
        [f'File "{entry.filename}"', f"line {entry.lineno}", f"in {entry.name}", entry.line or ""]
        for entry in traceback.extract_tb(error.__traceback__)
        if entry.filename != __file__ and not entry.filename.startswith("<frozen ")
    ]
    text = "".join(traceback.format_exception(error))
    sys.stdout.write(text if text.endswith("\n") else text + "\n")  # the runtime logs it, too
    return json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": stack}).encode()


def as_payload(value: Any) -> bytes:
    """The answer's bytes: text and bytes as they are, everything else as JSON. Raises TypeError."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


class Runtime:
    """Answers the parent's frames: ``start``, ``invoke`` and ``stop``.

    Only an Exception becomes an error document; SystemExit ends the process, as it does in the cloud.
    """

    _function: Function
    _handler: Callable[..., Any]
    _context: type[Context | OldContext]

    def answer(self, head: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Carry out one frame; the head of the answer says ``{"ok": bool}``."""
        try:
            return {"ok": True}, self._carry_out(head, payload)
        except Exception as error:  # noqa: BLE001  # whatever a function raises is an answer
            return {"ok": False}, error_document(error)
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()

    def _carry_out(self, head: dict[str, Any], payload: bytes) -> bytes:
        if head["do"] == "start":
            self._function = Function(head)
            self._context = Context if head["runtime"] == "python3.12" else OldContext
            self._handler = load(head["handler"])
        context = self._context(head["request_id"], self._function)
        if head["do"] == "invoke":
            return as_payload(self._handler(payload, context))
        if head["hook"] is not None:
            load(head["hook"])(context)
        return b""


def main() -> None:
    """Serve the parent until it says ``stop`` or goes away."""
    fd = int(sys.argv[1])
    os.set_inheritable(fd, False)  # what the function starts must not hold the line to the parent
    code = os.environ["FC_FUNC_CODE_PATH"]
    sys.path[:] = [code, *(entry for entry in sys.path if entry != code)]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    runtime = Runtime()
    while (received := read_frame(fd)) is not None:
        head, payload = received
        write_frame(fd, *runtime.answer(head, payload))
        if head["do"] == "stop":
            return


if __name__ == "__main__":
    main()
