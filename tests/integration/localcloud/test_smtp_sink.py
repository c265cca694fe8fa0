"""The mail sink, spoken to by the standard library's client."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from localcloud.clock import Clock
from localcloud.journal import Journal
from localcloud.smtp import SmtpSink


def mail(to: str = "ops@tenant.example", subject: str = "Shared port offered") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "noc@partner.example", to, subject
    message.set_content("您有一个共享端口。\nPlease accept it.\n")
    return message


def play(client: Callable[[SmtpSink, Callable[[EmailMessage], None]], None]) -> tuple[SmtpSink, Journal]:
    """Run a blocking client in a thread while the sink serves on the loop."""
    journal = Journal(Clock())
    sink = SmtpSink(journal)

    def send(message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", sink.port, local_hostname="localhost", timeout=10) as connection:
            connection.send_message(message)

    async def on_loop() -> None:
        await sink.start()
        try:
            await asyncio.to_thread(client, sink, send)
        finally:
            await sink.stop()

    asyncio.run(on_loop())
    return sink, journal


def test_a_message_is_kept_parsed_and_journalled() -> None:
    sink, journal = play(lambda sink, send: send(mail(subject="端口已创建")))
    [message] = sink.messages()
    assert message["Subject"] == "端口已创建"
    body = message.get_body(("plain",))
    assert body is not None
    assert "您有一个共享端口" in body.get_content()
    [entry] = journal.entries("smtp")
    assert entry.fields == {"to": ["ops@tenant.example"], "subject": "端口已创建"}


def test_messages_are_found_by_recipient() -> None:
    def client(_sink: SmtpSink, send: Callable[[EmailMessage], None]) -> None:
        send(mail("a@tenant.example"))
        send(mail("b@tenant.example, c@tenant.example"))

    sink, _ = play(client)
    assert len(sink.messages()) == 2
    assert len(sink.messages("c@tenant.example")) == 1
    assert sink.messages("nobody@tenant.example") == []


def test_the_next_messages_can_be_put_off() -> None:
    def client(sink: SmtpSink, send: Callable[[EmailMessage], None]) -> None:
        sink.fail_next()
        with pytest.raises(smtplib.SMTPDataError) as caught:
            send(mail())
        assert caught.value.smtp_code == 451
        send(mail())

    sink, journal = play(client)
    assert len(sink.messages()) == 1
    assert "put off" in journal.entries("smtp")[0].what


def test_an_address_can_be_rejected_while_others_get_their_mail() -> None:
    def client(sink: SmtpSink, send: Callable[[EmailMessage], None]) -> None:
        sink.reject("Gone@tenant.example")
        with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            send(mail("gone@tenant.example"))
        assert caught.value.recipients["gone@tenant.example"][0] == 550
        send(mail("gone@tenant.example, here@tenant.example"))
        sink.accept("gone@tenant.example")
        send(mail("gone@tenant.example"))

    sink, _ = play(client)
    assert [message.get_all("X-Envelope-To") for message in sink.messages()] == [
        ["here@tenant.example"],
        ["gone@tenant.example"],
    ]


def test_stopping_closes_open_connections_and_the_port_is_kept() -> None:
    async def on_loop() -> None:
        sink = SmtpSink(Journal(Clock()))
        await sink.start()
        port = sink.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.readline()).startswith(b"220")
        await sink.stop()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await sink.start()
        assert sink.address == f"127.0.0.1:{port}"
        await sink.stop()

    asyncio.run(on_loop())
