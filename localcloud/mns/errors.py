"""The errors of MNS, with the codes, sentences and HTTP statuses of its error code page.

Source: Simple Message Queue (formerly MNS), "Error codes" (help/doc-detail/27501); the odd spelling is the cloud's.
"""

from __future__ import annotations


class MnsError(Exception):
    """An answer with status 4xx or 5xx. ``code`` and ``status`` are fixed by the class, ``message`` is for people."""

    code = "InternalError"
    status = 500
    default = "Interal error."

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.default
        super().__init__(self.message)


class Refused(MnsError):  # noqa: N818
    """A request that was refused before it reached a queue, for its signature for example."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class QueueNotExist(MnsError):  # noqa: N818 - the cloud's own name
    """No queue of this name in the caller's account."""

    code, status, default = "QueueNotExist", 404, "The queue name you provided is not exist."


class QueueAlreadyExist(MnsError):  # noqa: N818
    """A queue of this name exists with other attributes."""

    code, status, default = "QueueAlreadyExist", 409, "The queue you want to create is already exist."


class MessageNotExist(MnsError):  # noqa: N818
    """The queue has no visible message, or the receipt handle has died."""

    code, status, default = "MessageNotExist", 404, "Message not exist."


class ReceiptHandleError(MnsError):
    """The receipt handle is not one of ours at all."""

    code, status, default = "ReceiptHandleError", 400, "The receipt handle you provide is not valid."


class InvalidArgument(MnsError):  # noqa: N818
    """A value is outside its documented range."""

    code, status, default = "InvalidArgument", 400, "The value of an argument is invalid."


class InvalidQueueName(MnsError):  # noqa: N818
    """The name has characters other than letters, digits and hyphens, or starts with a hyphen."""

    code, status, default = "InvalidQueueName", 400, "The queue name you provided is invalid."


class QueueNameLengthError(MnsError):
    """The name is longer than 256 characters, or empty."""

    code, status, default = "QueueNameLengthError", 400, "Queue name length should be between 1 and 256 characters."


class MalformedXML(MnsError):  # noqa: N818
    """The body is not the XML that the operation expects."""

    code, status, default = "MalformedXML", 400, "The XML you provided was not well-formed."


class InvalidRequestURL(MnsError):  # noqa: N818
    """The path names no resource of MNS."""

    code, status, default = "InvalidRequestURL", 400, "Http request URL format invalid."


class OperationNotPlayed(MnsError):  # noqa: N818
    """An operation of the real service that the local cloud does not have; it fails loudly instead of pretending."""

    code, status, default = "NotImplemented", 501, "The local cloud does not implement this operation."


def require_range(name: str, value: int, low: int, high: int, unit: str = "seconds") -> None:
    """Raise :class:`InvalidArgument` unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise InvalidArgument(f"The value of {name} should between {low} and {high} {unit}.")
