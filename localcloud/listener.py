"""One loopback listener for each service, which can be unplugged and plugged in again.

A service is an ASGI application. Each has its own port, as each service of the cloud has its own endpoint:
unplugging one closes its socket, so that clients see a refused connection, not a polite error.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn


class Listener:
    """Serves one ASGI application on 127.0.0.1."""

    def __init__(self, application: Any, port: int = 0) -> None:
        self._application = application
        self._port = port
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port; known after the first ``plug_in``, and kept over unplugging."""
        return self._port

    @property
    def address(self) -> str:
        """``host:port`` as the SDKs want it."""
        return f"127.0.0.1:{self._port}"

    @property
    def plugged_in(self) -> bool:
        """Whether clients are served now."""
        return self._server is not None

    async def plug_in(self) -> None:
        """Bind and serve; returns when the port accepts connections. Raises OSError when it is taken."""
        if self._server is not None:
            return
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        # asyncio sets TCP_NODELAY only on sockets that name their protocol; without it an answer takes 44 ms.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", self._port))
        self._port = bound.getsockname()[1]
        config = uvicorn.Config(
            self._application,
            log_config=None,
            access_log=False,
            lifespan="off",
            # Not left to be found out: a bound method is taken for an application of another kind.
            interface="asgi3",
            timeout_graceful_shutdown=1,
            date_header=False,
        )
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # the CLI owns signals
        self._server = server
        self._task = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.005)

    async def unplug(self) -> None:
        """Close the socket and all connections; the port stays reserved in ``port`` for the next plug-in."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        self._server.force_exit = True
        await self._task
        self._server = self._task = None
