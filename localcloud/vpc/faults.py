"""Scripted faults: what the next calls of an operation suffer."""

from __future__ import annotations

from collections import deque
from enum import StrEnum


class Fault(StrEnum):
    """What can happen to one call."""

    NONE = "none"
    """The call goes through; it lets a script hit a later one."""
    TIMEOUT_BEFORE_EFFECT = "time-out before the effect"
    """The connection is dropped and nothing was done."""
    TIMEOUT_AFTER_EFFECT = "time-out after the effect"
    """The call was done, its event published, and the connection is dropped without an answer."""
    SERVER_ERROR = "server error"
    """503 ``ServiceUnavailable``; nothing was done."""
    SERVER_ERROR_AFTER_EFFECT = "server error after the effect"
    """The call was done, its event published, and the answer is 503 ``ServiceUnavailable``."""
    THROTTLED = "throttled"
    """400 ``Throttling.User``; nothing was done."""
    PRIVILEGE = "privilege error"
    """The partner's permission to create ports counts as expired."""


class Faults:
    """A queue of faults for each operation."""

    def __init__(self) -> None:
        self._scripts: dict[str, deque[Fault]] = {}

    def script(self, action: str, *faults: Fault) -> None:
        """Append faults for the next calls of ``action``, one a call, in this order."""
        self._scripts.setdefault(action, deque()).extend(faults)

    def take(self, action: str) -> Fault:
        """Consume the fault of the present call."""
        script = self._scripts.get(action)
        return script.popleft() if script else Fault.NONE

    def clear(self) -> None:
        """Forget everything that is scripted."""
        self._scripts.clear()
