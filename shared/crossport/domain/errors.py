"""The one root of all errors that Crossport raises on purpose."""

from __future__ import annotations

from typing import Any, ClassVar


class CrossportError(Exception):
    """An error with a stable machine-readable ``code``, a sentence, typed fields, and whether a retry may help.

    Expected business conflicts are values (``Refusal``), never exceptions of this family.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class NaiveTimeError(CrossportError):
    """A time without a zone reached the domain."""

    code = "naive_time"


class UnknownSpecError(CrossportError):
    """A spec is not one of those that the cloud's API lists."""

    code = "unknown_spec"


def aware(value: Any, name: str) -> None:
    """Raise NaiveTimeError when ``value`` is a datetime without a zone."""
    if getattr(value, "tzinfo", None) is None:
        raise NaiveTimeError(f"{name} has no time zone", name=name)
