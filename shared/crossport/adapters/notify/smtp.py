"""The channel ``mail``: SMTP with the standard library.

A message's key becomes its Message-ID, so that receivers can tell a repeated delivery. Credentials go over TLS only,
except to loopback, and never into logs, errors or reprs.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import re
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from crossport.application.errors import SendFailedError, SendRefusedError
from crossport.application.ports import Clock, Message

#: Seconds for the connection and for each answer; one mail must not use up a function's time.
TIMEOUT = 10.0
_DEFAULT_PORTS = {"smtp": 25, "smtps": 465}
_NOT_IN_MESSAGE_ID = re.compile(r"[^A-Za-z0-9]+")
_PERMANENT = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpServer:
    """Where mail is handed over: ``smtp://[user:password@]host[:port]``, or ``smtps://`` for TLS from the start."""

    host: str
    port: int
    tls: bool = False
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def loopback(self) -> bool:
        """Whether the server is on this host."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def smtp_url(url: str) -> SmtpServer:
    """The server that a URL names. Raises ValueError, which never repeats the URL: it may hold a password."""
    wrong = "the SMTP URL must be smtp://[user:password@]host[:port] or smtps://..."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(wrong) from None
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(wrong)
    return SmtpServer(
        host=host,
        port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
        tls=parts.scheme == "smtps",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


class SmtpSender:
    """Hands messages to one SMTP server, one connection for each."""

    channel: ClassVar[str] = "mail"

    def __init__(self, server: SmtpServer, *, mail_from: str, clock: Clock, timeout: float = TIMEOUT) -> None:
        """``mail_from`` is an address, with or without a display name. Raises ValueError when it is none."""
        self._server = server
        self._from = _address(mail_from)
        self._clock = clock
        self._timeout = timeout

    def send(self, recipient: str, message: Message) -> str:
        """Hand one message over; returns its Message-ID.

        Raises SendFailedError when the server could not be reached, did not trust us or said 4xx, and SendRefusedError
        when it refused this recipient or message for good, or the address is none.
        """
        mail = self._mail(recipient, message)
        with self._connected() as connection:
            try:
                connection.send_message(mail)
            except smtplib.SMTPRecipientsRefused as error:
                code, said = next(iter(error.recipients.values()))
                raise _refusal(code, said) from error
            except smtplib.SMTPSenderRefused as error:
                # Our own address was refused: a matter of configuration, the notice is to wait.
                raise SendFailedError(_sentence("the server refused the sender", error)) from error
            except smtplib.SMTPDataError as error:
                raise _refusal(error.smtp_code, error.smtp_error) from error
            except smtplib.SMTPNotSupportedError as error:
                raise SendRefusedError("the server cannot deliver to an address with such letters") from error
            except (smtplib.SMTPException, OSError) as error:
                raise SendFailedError(f"the connection broke: {type(error).__name__}") from error
        return str(mail["Message-ID"])

    def _mail(self, recipient: str, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=policy.SMTP)
        try:
            mail["From"] = self._from
            mail["To"] = Address(addr_spec=recipient)
            mail["Subject"] = " ".join(message.subject.split())
        except (MessageError, ValueError, IndexError) as error:
            raise SendRefusedError("the recipient is not one e-mail address") from error
        mail["Date"] = format_datetime(self._clock.now())
        mail["Message-ID"] = message_id(message.key, self._from.domain)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        # After the parts: making alternatives moves every Content header that is there into the first of them.
        mail["Content-Language"] = message.language
        return mail

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        connection = self._connect()
        try:
            yield connection
        finally:
            # Once DATA is acknowledged the mail is handed over, however the farewell goes.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        connection: smtplib.SMTP | None = None
        try:
            if server.tls:
                connection = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=self._timeout, context=ssl.create_default_context()
                )
            else:
                connection = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
            self._secure(connection)
        except (smtplib.SMTPException, OSError) as error:
            if connection is not None:
                connection.close()
            raise SendFailedError(_sentence("the server could not be used", error)) from error
        except SendFailedError:
            if connection is not None:
                connection.close()
            raise
        return connection

    def _secure(self, connection: smtplib.SMTP) -> None:
        """TLS where the server offers it and the network is not this host; then log in, if there is an account."""
        server = self._server
        connection.ehlo_or_helo_if_needed()
        secured = server.tls
        if not secured and not server.loopback and connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
            secured = True
        if server.user:
            if not secured and not server.loopback:
                raise SendFailedError("the server offers no TLS, and credentials are not sent without it")
            connection.login(server.user, server.password)


def message_id(key: str, domain: str) -> str:
    """The Message-ID of a notice: the same for the same key, and no two keys share one."""
    words = _NOT_IN_MESSAGE_ID.sub("-", key).strip("-")[:80].rstrip("-")
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"<{'.'.join(part for part in (words, digest) if part)}@{domain}>"


def _address(text: str) -> Address:
    """One address from a header's text, or ValueError."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = text
    addresses = mail["From"].addresses
    if len(addresses) != 1 or not addresses[0].domain or not addresses[0].username or mail["From"].defects:
        raise ValueError("the sender must be one e-mail address")
    found: Address = addresses[0]
    return found


def _refusal(code: int, said: bytes | str) -> SendFailedError | SendRefusedError:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    sentence = f"the server said {code} {' '.join(text.split())[:200]}"
    return SendRefusedError(sentence) if code >= _PERMANENT else SendFailedError(sentence)


def _sentence(what: str, error: Exception) -> str:
    """What happened, without anything that could hold credentials: the class, and the server's code."""
    code = getattr(error, "smtp_code", None)
    return f"{what}: {type(error).__name__}" + (f" {code}" if isinstance(code, int) else "")
