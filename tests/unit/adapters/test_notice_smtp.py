"""The mail channel's parts that need no server: URLs, Message-IDs, and what is kept secret."""

from __future__ import annotations

import re
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import pytest

from crossport.adapters.notify.smtp import SmtpSender, SmtpServer, message_id, smtp_url
from crossport.application.errors import SendFailedError

ID = re.compile(r"<[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*@partner\.example>")


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer(host="mail.example", port=25)),
        ("smtp://mail.example:2525/", SmtpServer(host="mail.example", port=2525)),
        ("smtps://mail.example", SmtpServer(host="mail.example", port=465, tls=True)),
        ("smtp://[::1]:25", SmtpServer(host="::1", port=25)),
        (
            "smtps://noc%40example.com:p%40ss%3Aword@mail.example:587",
            SmtpServer(host="mail.example", port=587, tls=True, user="noc@example.com", password="p@ss:word"),
        ),
    ],
)
def test_urls_are_parsed(url: str, server: SmtpServer) -> None:
    assert smtp_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example:25",
        "http://user:hidden@mail.example",
        "smtp://user:hidden@",
        "smtp://user:hidden@mail.example:port",
        "smtp://user:hidden@mail.example/path",
        "smtp://user:hidden@[::1",
        "smtp://user:hidden@mail.example?x=1",
    ],
)
def test_wrong_urls_are_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP URL must be") as raised:
        smtp_url(url)
    assert "hidden" not in f"{raised.value!r}"
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_credentials_are_not_shown() -> None:
    server = smtp_url("smtp://someone:hidden@mail.example")
    assert "hidden" not in repr(server)
    assert "someone" not in repr(server)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("mail.example", False),
    ],
)
def test_loopback_is_told(host: str, loopback: bool) -> None:
    assert SmtpServer(host=host, port=25).loopback is loopback


@pytest.mark.parametrize(
    "key",
    ["conn-1:offer:tenant", "", ":::", "北风", "a\r\n<b>@c", "x" * 500, "conn-1:paid_until:2026-04-02T16:00:00+00:00"],
)
def test_message_ids_are_well_formed_stable_and_distinct(key: str) -> None:
    found = message_id(key, "partner.example")
    assert ID.fullmatch(found)
    assert len(found) < 140
    assert found == message_id(key, "partner.example")
    assert found != message_id(f"{key}.", "partner.example")


@dataclass
class Conversation:
    """A server's side of the greeting: what it offers, and what was done with it, in order."""

    offers: tuple[str, ...]
    steps: list[str] = field(default_factory=list)

    def ehlo_or_helo_if_needed(self) -> None:
        self.steps.append("ehlo")

    def has_extn(self, name: str) -> bool:
        return name in self.offers

    def starttls(self, *, context: ssl.SSLContext) -> None:
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        self.steps.append("starttls")

    def login(self, user: str, password: str) -> None:
        self.steps.append(f"login {user}")


@pytest.mark.parametrize(
    ("url", "offers", "steps"),
    [
        ("smtp://u:p@mail.example", ("starttls",), ["ehlo", "starttls", "login u"]),
        ("smtp://mail.example", ("starttls",), ["ehlo", "starttls"]),
        ("smtp://mail.example", (), ["ehlo"]),
        ("smtp://u:p@127.0.0.1", ("starttls",), ["ehlo", "login u"]),
        ("smtps://u:p@mail.example", ("starttls",), ["ehlo", "login u"]),
    ],
)
def test_credentials_follow_tls(url: str, offers: tuple[str, ...], steps: list[str]) -> None:
    conversation = Conversation(offers)
    sender = SmtpSender(smtp_url(url), mail_from="noc@partner.example", clock=FixedClock())
    sender._secure(cast(smtplib.SMTP, conversation))
    assert conversation.steps == steps


def test_credentials_are_not_sent_in_the_clear_over_a_network() -> None:
    conversation = Conversation(offers=())
    sender = SmtpSender(smtp_url("smtp://u:hidden@mail.example"), mail_from="noc@partner.example", clock=FixedClock())
    with pytest.raises(SendFailedError, match="no TLS"):
        sender._secure(cast(smtplib.SMTP, conversation))
    assert conversation.steps == ["ehlo"]


@pytest.mark.parametrize("mail_from", ["", "nobody", "a@b.example, c@d.example", "NOC <>"])
def test_the_sender_is_one_address(mail_from: str) -> None:
    with pytest.raises(ValueError, match="must be one e-mail address"):
        SmtpSender(SmtpServer(host="127.0.0.1", port=25), mail_from=mail_from, clock=FixedClock())
