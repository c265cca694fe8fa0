"""Errors of the entrypoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from crossport.application.endings import Ending
from crossport.domain.errors import CrossportError


class RetryRecords(CrossportError):  # noqa: N818  # the design's word: it asks for a redelivery, nothing is broken
    """Some records of an invocation must come again; the only exception that leaves a handler.

    Function Compute knows no partial batch failure: the whole batch is redelivered, and what was saved comes back
    as ``duplicate``. The message is the JSON answer with the verdict of every record, so that the error document
    shows it, too.
    """

    code: ClassVar[str] = "retry_records"
    retryable: ClassVar[bool] = True

    def __init__(self, answer: str, endings: Sequence[Ending]) -> None:
        super().__init__(answer)
        self.endings = tuple(endings)


class SettingsError(CrossportError):
    """The environment lacks variables or holds wrong ones; ``problems`` names all of them, without their values."""

    code: ClassVar[str] = "settings_invalid"
    retryable: ClassVar[bool] = True

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("wrong environment: " + "; ".join(problems), problems=tuple(problems))
        self.problems = tuple(problems)


class ClockFileError(CrossportError):
    """The file named by CROSSPORT_CLOCK does not hold an offset in seconds."""

    code: ClassVar[str] = "clock_file"
    retryable: ClassVar[bool] = True
