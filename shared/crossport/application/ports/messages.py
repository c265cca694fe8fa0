"""Queues, and the channels that hand notices over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Queue(Protocol):
    """Message queues."""

    def send(self, queue: str, body: str) -> str:
        """Send one message; returns its message id. Raises CrossportError with ``retryable``."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A rendered notice: plain text and HTML, in the recipient's language."""

    #: The notice's key: Message-ID and idempotency key.
    key: str
    subject: str
    text: str
    html: str
    language: str


class Sender(Protocol):
    """One channel that hands messages over."""

    @property
    def channel(self) -> str:
        """``mail``, ``dingtalk``, ..."""
        ...

    def send(self, recipient: str, message: Message) -> str:
        """Hand the message over; returns the channel's reference. Raises CrossportError with ``retryable``."""
        ...
