"""A mail server that keeps every message and delivers none; loopback only."""

from __future__ import annotations

import asyncio
import email
import email.policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from localcloud.journal import Journal


class SmtpSink:
    """Accepts mail on 127.0.0.1 and keeps it, parsed, for people and tests.

    aiosmtpd's own controllers start a thread with a loop of its own; this one serves on the running loop, where the
    whole local cloud lives.
    """

    def __init__(self, journal: Journal, port: int = 0) -> None:
        self._journal = journal
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._messages: list[EmailMessage] = []
        self._failures = 0
        self._rejected: set[str] = set()

    @property
    def port(self) -> int:
        """The port; known after the first :meth:`start` and kept afterwards."""
        return self._port

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Bind and serve. Raises OSError when the port is taken."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Connection(self, self._connections, loop), "127.0.0.1", self._port
            )
            self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the socket and all connections; messages stay."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.hang_up()
        await self._server.wait_closed()
        self._server = None

    def messages(self, to: str | None = None) -> list[EmailMessage]:
        """What was accepted so far, oldest first; with ``to``, only mail whose envelope names that recipient.

        The envelope's recipients are in the header ``X-Envelope-To``, one for each.
        """
        return [m for m in self._messages if to is None or to in m.get_all("X-Envelope-To", [])]

    def fail_next(self, times: int = 1) -> None:
        """Answer the next ``times`` messages with 451: the sender should try again later."""
        self._failures += times

    def reject(self, address: str) -> None:
        """Answer 550 for this recipient from now on: the sender should give up."""
        self._rejected.add(address.lower())

    def accept(self, address: str) -> None:
        """Take :meth:`reject` back."""
        self._rejected.discard(address.lower())

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name for the hook
        self, _server: Any, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The answer to RCPT TO."""
        if address.lower() in self._rejected:
            self._journal.write("smtp", f"recipient {address} rejected", to=[address])
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The answer to a complete message."""
        content = envelope.original_content or b""
        message = email.message_from_bytes(content, policy=email.policy.default)
        to, subject = list(envelope.rcpt_tos), str(message.get("Subject", ""))
        if self._failures:
            self._failures -= 1
            self._journal.write("smtp", f"mail to {', '.join(to)} put off: {subject}", to=to, subject=subject)
            return "451 4.3.0 Try again later"
        for address in to:
            message.add_header("X-Envelope-To", address)
        self._messages.append(message)
        self._journal.write("smtp", f"mail to {', '.join(to)}: {subject}", to=to, subject=subject)
        return "250 2.0.0 Kept"


class _Connection(SMTP):
    """One client's connection, which the sink can close."""

    def __init__(self, sink: SmtpSink, connections: set[_Connection], loop: asyncio.AbstractEventLoop) -> None:
        # The host name is given, because looking it up can take seconds on a machine without a name server.
        super().__init__(sink, hostname="localhost", ident="local mail sink", enable_SMTPUTF8=True, loop=loop)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Close the connection now."""
        if self.transport is not None:
            self.transport.close()
