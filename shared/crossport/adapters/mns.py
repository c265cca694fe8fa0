"""Crossport's ``Queue`` on Simple Message Queue (formerly MNS), data plane, through aliyun-mns-sdk 1.3.

What the SDK does not do by itself, and this module does (each was reproduced against the SDK):

1. It is not thread safe, silently: a shared account hands one thread another thread's answer. Here every thread has
   its own account, whose connection is closed when the thread ends.
2. It sends again, whatever the method, when the connection breaks before an answer. One ``send`` can make two
   messages: delivery is at least once, and consumers tell duplicates by a key in the body, not by the message id.
3. Its HTTPS connections have no time-out. Here both kinds have one, for connecting and for each answer.
4. Credentials without a security token (None) crash it. Here the token is "".
5. Credentials are given to it as a provider that is asked in every request, so that rotated ones are used.
6. Its own base64 decoding fails on plain bodies after the queue has hidden the message, so that nobody can delete it.
   Here it is switched off: bodies are encoded and, where they are base64, decoded on our side.
7. Its logger writes into the folder of the package, which is read-only on Function Compute. Here it gets none.
8. It sends on a connection that the service has closed while the instance was idle. Here it is opened anew.
"""

from __future__ import annotations

import base64
import binascii
import re
import select
import socket
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from crossport.adapters.credentials import Credentials
from crossport.application.errors import QueueUnavailableError
from crossport.domain.errors import CrossportError

#: The longest body on the wire, in bytes after base64 (MNS documentation, MaximumMessageSize).
LONGEST_BODY = 65_536
#: The most messages of one receive call (MNS API reference, BatchReceiveMessage).
LARGEST_BATCH = 16
#: The longest wait of one receive call, in seconds (MNS API reference, ReceiveMessage, waitseconds).
LONGEST_WAIT = 30

#: Error codes that the same request will meet again (MNS API reference, error codes); all others are worth a retry.
_FOR_GOOD = frozenset(
    {
        "AccessDenied", "InvalidAccessKeyId", "InvalidArgument", "InvalidAuthorizationHeader", "InvalidDegist",
        "InvalidQueryString", "InvalidQueueName", "InvalidRequestURL", "MalformedXML", "MessageNotExist",
        "MissingReceiptHandle", "QueueNameLengthError", "QueueNotExist", "ReceiptHandleError", "SignatureDoesNotMatch",
    }
)  # fmt: skip
_HANDLE_DIED = frozenset({"MessageNotExist", "ReceiptHandleError"})
#: Names go into the URL as they are; the SDK does not escape them (MNS documentation: letters, digits, hyphens).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,255}")


class QueueRefusedError(CrossportError):
    """The queue service said no for good; the field ``cloud_code`` is its error code, such as QueueNotExist."""

    code: ClassVar[str] = "queue_refused"


class MessageTooLargeError(CrossportError):
    """A body is longer than a queue takes: 65 536 bytes after base64, 49 152 bytes of UTF-8 before it."""

    code: ClassVar[str] = "message_too_large"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedMessage:
    """A message that was received and is hidden from other consumers until ``next_visible_at``.

    ``receipt_handle`` deletes it until then. ``body`` is decoded from base64 where it was base64.
    """

    message_id: str
    receipt_handle: str
    body: str
    #: How often the message was received, this time included.
    dequeue_count: int
    enqueued_at: datetime
    next_visible_at: datetime


class MnsQueue:
    """The queues of one account in one region. Thread safe.

    ``endpoint`` is a URL, such as ``https://<account>.mns.<region>.aliyuncs.com``. ``timeout_seconds`` bounds
    connecting and the wait for an answer, the latter in addition to a receive call's own wait.
    """

    def __init__(self, *, endpoint: str, credentials: Callable[[], Credentials], timeout_seconds: float = 10.0) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._of_thread = threading.local()
        self._lines: weakref.WeakSet[_Line] = weakref.WeakSet()

    def send(self, queue: str, body: str) -> str:
        """Send one message; returns the id of a message that carries it (see 2 above: there may be two).

        Raises MessageTooLargeError before sending, QueueRefusedError, and QueueUnavailableError (retryable): then
        the message may have been sent.
        """
        from mns.queue import Message

        wire = encode(body)
        if len(wire) > LONGEST_BODY:
            raise MessageTooLargeError(
                f"a message to {queue} has {len(wire)} bytes after base64, more than {LONGEST_BODY}",
                queue=queue,
                size=len(wire),
            )
        sent = self._call(queue, 0, lambda target: target.send_message(Message(wire)))
        return str(sent.message_id)

    def receive(self, queue: str, count: int = 1, wait: int = 0) -> tuple[ReceivedMessage, ...]:
        """Up to ``count`` (1..16) messages; waits up to ``wait`` (0..30) seconds for the first.

        An empty answer can come early, when too many consumers wait, and is billed like any other: do not call again
        at once. Raises ValueError for numbers out of range, QueueRefusedError, and QueueUnavailableError (retryable).
        """
        if not 1 <= count <= LARGEST_BATCH or not 0 <= wait <= LONGEST_WAIT:
            raise ValueError(f"count {count} is not in 1..{LARGEST_BATCH}, or wait {wait} not in 0..{LONGEST_WAIT}")
        try:
            messages = self._call(queue, wait, lambda target: target.batch_receive_message(count, wait))
        except QueueRefusedError as error:
            if error.fields["cloud_code"] == "MessageNotExist":
                return ()
            raise
        return tuple(_received(message) for message in messages)

    def delete(self, queue: str, receipt_handle: str) -> bool:
        """Delete a received message. False when the handle has died: the message is visible again, or gone.

        Raises QueueRefusedError, and QueueUnavailableError (retryable).
        """
        try:
            self._call(queue, 0, lambda target: target.delete_message(receipt_handle))
        except QueueRefusedError as error:
            if error.fields["cloud_code"] in _HANDLE_DIED:
                return False
            raise
        return True

    def close(self) -> None:
        """Close the connections of all threads. They are opened again when needed."""
        for line in list(self._lines):
            line.close()

    def _call(self, queue: str, wait: int, act: Callable[[Any], Any]) -> Any:
        if not _NAME.fullmatch(queue):
            raise QueueRefusedError(f"{queue!r} is not the name of a queue", queue=queue, cloud_code="InvalidQueueName")
        from mns.mns_exception import MNSExceptionBase

        line = self._line()
        line.limit(self._timeout_seconds + wait)
        failed: CrossportError
        try:
            target = line.account.get_queue(queue)
            target.set_encoding(False)
            return act(target)
        except MNSExceptionBase as error:
            failed = _translated(error, queue)
        except KeyError:
            # An error answer without a request id: the SDK looks for the id where there is none.
            failed = QueueUnavailableError(f"the answer of queue {queue} is damaged", queue=queue)
        raise failed

    def _line(self) -> _Line:
        line: _Line | None = getattr(self._of_thread, "line", None)
        if line is None:
            line = _Line(self._endpoint, self._credentials)
            self._of_thread.line = line
            self._lines.add(line)
        return line


def encode(body: str) -> str:
    """A body as it goes over the wire: base64 of UTF-8, as the SDKs of other languages send and expect it."""
    return base64.b64encode(body.encode()).decode("ascii")


def decode(wire: str) -> str:
    """A body as it was meant: base64 of UTF-8 is decoded, everything else is plain.

    JSON is never mistaken: braces and quotes are not base64. A plain word can be, when it happens to decode to UTF-8.
    """
    try:
        return base64.b64decode("".join(wire.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return wire


class _Provider:
    """What the SDK asks for credentials, in every request."""

    def __init__(self, credentials: Callable[[], Credentials]) -> None:
        self._credentials = credentials

    def get_credentials(self) -> Any:
        from mns.auth import Credentials as SdkCredentials

        now = self._credentials()
        return SdkCredentials(now.access_key_id, now.access_key_secret, now.security_token)


class _Line:
    """The SDK account of one thread, with its connection, which is closed when the thread has ended."""

    def __init__(self, endpoint: str, credentials: Callable[[], Credentials]) -> None:
        from mns.account import Account

        self.account = Account(endpoint, credentials_provider=_Provider(credentials), logger=None)
        self._connection = self.account.mns_client.http.conn
        weakref.finalize(self, self._connection.close)

    def limit(self, seconds: float) -> None:
        """Bound connecting and each wait for an answer, from the next request on."""
        # The HTTP class of the SDK reads the first name, the HTTPS class, the standard library's, the second.
        self._connection.connection_timeout = seconds
        self._connection.timeout = seconds
        if self._connection.sock is None:
            return
        if _hung_up(self._connection.sock):
            self._connection.close()
        else:
            self._connection.sock.settimeout(seconds)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _hung_up(sock: socket.socket) -> bool:
    """Whether the other side has closed a connection that nothing is expected on; a warm instance finds it so."""
    readable, _, _ = select.select([sock], [], [], 0)
    return bool(readable)


def _translated(error: Any, queue: str) -> CrossportError:
    """The SDK's exception as ours; texts are left out, for some quote what was signed."""
    from mns.mns_exception import MNSClientParameterException, MNSServerException

    cloud_code = str(error.type)
    if isinstance(error, MNSServerException):
        sentence = f"queue {queue}: {cloud_code} [request {error.req_id}]"
        if cloud_code in _FOR_GOOD:
            return QueueRefusedError(sentence, queue=queue, cloud_code=cloud_code)
        return QueueUnavailableError(sentence, queue=queue, cloud_code=cloud_code)
    if isinstance(error, MNSClientParameterException):
        return QueueRefusedError(f"queue {queue}: {cloud_code}", queue=queue, cloud_code=cloud_code)
    return QueueUnavailableError(f"queue {queue} did not answer: {cloud_code}", queue=queue, cloud_code=cloud_code)


def _received(message: Any) -> ReceivedMessage:
    return ReceivedMessage(
        message_id=message.message_id,
        receipt_handle=message.receipt_handle,
        body=decode(message.message_body),
        dequeue_count=message.dequeue_count,
        enqueued_at=_moment(message.enqueue_time),
        next_visible_at=_moment(message.next_visible_time),
    )


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
