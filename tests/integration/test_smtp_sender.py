"""The mail channel against a real SMTP server on loopback."""

from __future__ import annotations

import asyncio
import email
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from aiosmtpd import smtp
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from crossport.adapters.notify.smtp import SmtpSender, SmtpServer, message_id, smtp_url
from crossport.application.errors import SendFailedError, SendRefusedError
from crossport.application.ports import Message

NOW = datetime(2026, 3, 2, 15, 4, 5, tzinfo=UTC)
SECRET = "s3cr3t:/p@ss"
MESSAGE = Message(
    key="conn-1:offer:tenant",
    subject="【待处理】请接受共享端口 pc-1 - 订单 SO-1",
    text="北风贸易，您好！\n\n" + "很长的一行" * 400 + "\n",
    html='<!DOCTYPE html><html lang="zh-CN"><body><p>您好</p></body></html>',
    language="zh-CN",
)


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


@dataclass
class Sink:
    """What the server took, and what it is to answer."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    answer_to_mail: str = ""
    answer_to_rcpt: str = ""
    answer_to_data: str = ""
    farewell: str = ""
    port: int = 0

    async def handle_MAIL(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return self.answer_to_mail or "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.answer_to_rcpt:
            return self.answer_to_rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        if self.answer_to_data:
            return self.answer_to_data
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=SMTP))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 Accepted"

    async def handle_QUIT(  # noqa: N802 - aiosmtpd looks the method up by this name
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        return self.farewell or "221 Bye"

    def authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == SECRET, handled=False)


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A server in a thread of its own, on a free loopback port."""
    sink, loop, ready = Sink(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> asyncio.Server:
        server = await loop.create_server(
            lambda: smtp.SMTP(sink, authenticator=sink.authenticate, auth_require_tls=False, loop=loop), "127.0.0.1", 0
        )
        sink.port = server.sockets[0].getsockname()[1]
        return server

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(serve())
        # Only once the loop runs for good: a stop that comes before would end the line above instead.
        loop.call_soon(ready.set)
        loop.run_forever()
        server.close()
        loop.run_until_complete(server.wait_closed())
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    yield sink
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert not thread.is_alive()


def sender(sink: Sink, credentials: str = "", **options: Any) -> SmtpSender:
    return SmtpSender(
        smtp_url(f"smtp://{credentials}127.0.0.1:{sink.port}"),
        mail_from="共享端口 NOC <noc@partner.example>",
        clock=FixedClock(),
        **options,
    )


def test_a_mail_arrives_whole(sink: Sink) -> None:
    reference = sender(sink).send("net@tenant.example", MESSAGE)
    (mail,) = sink.mails
    assert sink.recipients == [["net@tenant.example"]]
    assert mail["Message-ID"] == reference == message_id(MESSAGE.key, "partner.example")
    assert mail["From"] == "共享端口 NOC <noc@partner.example>"
    assert mail["To"] == "net@tenant.example"
    assert mail["Subject"] == MESSAGE.subject
    assert mail["Date"].datetime == NOW
    assert mail["Content-Language"] == "zh-CN"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = mail.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert plain.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert html.get_content().strip() == MESSAGE.html


def test_the_same_notice_has_the_same_message_id_however_often_it_is_sent(sink: Sink) -> None:
    references = {sender(sink).send("net@tenant.example", MESSAGE) for _ in range(2)}
    assert len(references) == 1
    assert len(sink.mails) == 2


def test_credentials_of_the_url_are_used(sink: Sink) -> None:
    sender(sink, "mail%40partner:s3cr3t%3A%2Fp%40ss@").send("net@tenant.example", MESSAGE)
    assert sink.logins == ["mail@partner"]
    assert len(sink.mails) == 1


def test_a_wrong_password_is_a_fault_of_ours_and_is_not_repeated(sink: Sink) -> None:
    with pytest.raises(SendFailedError) as raised:
        sender(sink, "mail:wrong-word@").send("net@tenant.example", MESSAGE)
    assert "535" in raised.value.message
    assert "wrong-word" not in f"{raised.value!r} {raised.value.__cause__!r}"
    assert sink.mails == []


@pytest.mark.parametrize(
    ("stage", "answer", "error"),
    [
        ("answer_to_rcpt", "550 5.1.1 no such user", SendRefusedError),
        ("answer_to_rcpt", "450 4.2.1 mailbox busy", SendFailedError),
        ("answer_to_data", "554 5.7.1 refused as spam", SendRefusedError),
        ("answer_to_data", "451 4.3.0 try again", SendFailedError),
        ("answer_to_mail", "553 5.7.1 sender not allowed", SendFailedError),
        ("answer_to_mail", "421 4.3.2 shutting down", SendFailedError),
    ],
)
def test_what_the_server_says_decides(sink: Sink, stage: str, answer: str, error: type[Exception]) -> None:
    setattr(sink, stage, answer)
    with pytest.raises(error) as raised:
        sender(sink).send("net@tenant.example", MESSAGE)
    assert answer[:3] in str(raised.value)
    assert sink.mails == []


def test_a_refusal_names_what_the_server_said(sink: Sink) -> None:
    sink.answer_to_rcpt = "550 5.1.1 no such user"
    with pytest.raises(SendRefusedError, match=r"550 5\.1\.1 no such user"):
        sender(sink).send("net@tenant.example", MESSAGE)


def test_a_bad_farewell_does_not_undo_the_hand_over(sink: Sink) -> None:
    sink.farewell = "421 in a hurry"
    assert sender(sink).send("net@tenant.example", MESSAGE)
    assert len(sink.mails) == 1


def test_no_server_is_a_failure_for_now() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    away = SmtpSender(smtp_url(f"smtp://127.0.0.1:{port}"), mail_from="noc@partner.example", clock=FixedClock())
    with pytest.raises(SendFailedError):
        away.send("net@tenant.example", MESSAGE)


def test_a_server_that_says_nothing_is_a_failure_for_now() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = SmtpServer(host="127.0.0.1", port=silent.getsockname()[1])
        mute = SmtpSender(server, mail_from="noc@partner.example", clock=FixedClock(), timeout=0.05)
        with pytest.raises(SendFailedError):
            mute.send("net@tenant.example", MESSAGE)


def test_tls_from_the_start_is_not_given_up(sink: Sink) -> None:
    secure = SmtpSender(
        smtp_url(f"smtps://127.0.0.1:{sink.port}"), mail_from="noc@partner.example", clock=FixedClock(), timeout=2
    )
    with pytest.raises(SendFailedError):
        secure.send("net@tenant.example", MESSAGE)
    assert sink.mails == []


@pytest.mark.parametrize(
    "address",
    [
        "net@tenant.example\r\nBcc: all@example.com",
        "net@tenant.example, other@tenant.example",
        "net@tenant.example>",
        "no address",
        "@tenant.example",
        "net@",
        "",
    ],
)
def test_what_is_not_one_address_is_refused_before_any_connection(sink: Sink, address: str) -> None:
    with pytest.raises(SendRefusedError):
        sender(sink).send(address, MESSAGE)
    assert sink.recipients == []


def test_a_subject_with_line_breaks_starts_no_header(sink: Sink) -> None:
    hostile = Message(key="k", subject="a\r\nBcc: all@example.com", text="x", html="<p>x</p>", language="en")
    sender(sink).send("net@tenant.example", hostile)
    assert sink.mails[0]["Bcc"] is None
    assert sink.mails[0]["Subject"] == "a Bcc: all@example.com"
    assert sink.recipients == [["net@tenant.example"]]
