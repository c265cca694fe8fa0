"""A tiny HTTP server on loopback that answers, or fails to, exactly as a test says."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from email.utils import format_datetime
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.manual_clock import ManualClock


class Break(Enum):
    """Ways not to answer a request that was read."""

    RESET = "reset"
    CLOSE = "close"
    #: Keep the connection open and say nothing until the server stops.
    SILENCE = "silence"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer. ``date`` None sends no Date header."""

    status: int = 200
    body: str = "{}"
    content_type: str = "application/json;charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    date: str | None = format_datetime(ManualClock().now(), usegmt=True)
    #: Leaves the connection open until the server stops; a further request on it gets no answer.
    keep_alive: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: ``target`` is what stood in the request line."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass
class LoopbackServer:
    """Serves each connection one request; answers are taken from ``script``, the last one again and again."""

    script: deque[Reply | Break] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        host, port = self._socket.getsockname()
        self._address = f"{host}:{port}"
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """``host:port``; kept after ``stop``, when connections to it are refused."""
        return self._address

    def answer(self, *answers: Reply | Break) -> None:
        """What the next requests get."""
        self.script.extend(answers)

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        # Wakes the accepting thread, which a close alone does not.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in (self._acceptor, *self._threads):
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            line = stream.readline().decode("latin-1").split()
            if len(line) != 3:
                return
            headers: dict[str, str] = {}
            while (header := stream.readline().decode("latin-1").strip()) != "":
                name, _, value = header.partition(":")
                headers[name.lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", "0")))
            self.requests.append(Request(line[0], line[1], headers, body))
            self._respond(connection, self.script.popleft() if len(self.script) > 1 else self.script[0])

    def _respond(self, connection: socket.socket, answer: Reply | Break) -> None:
        if answer is Break.RESET:
            # Linger 0: closing sends RST, not FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif answer is Break.SILENCE:
            self._stopped.wait()
        elif isinstance(answer, Reply):
            connection.sendall(_wire(answer))
            if answer.keep_alive:
                self._stopped.wait()


def _wire(answer: Reply) -> bytes:
    body = answer.body.encode()
    headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(body))), *answer.headers]
    if answer.date is not None:
        headers.append(("Date", answer.date))
    if not answer.keep_alive:
        headers.append(("Connection", "close"))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {answer.status} Status\r\n{head}\r\n".encode("latin-1") + body
