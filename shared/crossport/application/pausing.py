"""The guard in front of the cloud: while a person has paused it, nothing but reads gets through.

It is asked right before each call, so that a command of several calls stops between two of them. A call that is under
way is not called back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from crossport.application.ports import Cloud, Operations
from crossport.domain.errors import CrossportError
from crossport.domain.pause import Pause, pause_of

#: Methods of ``Cloud`` that only look. Everything else is a command, whatever may be added.
READS = frozenset({"read_port", "read_vbr", "find_port", "list_ports", "list_vbrs"})
#: What an outbox row says whose command waits for the end of a pause.
PAUSED = "paused"


class PausedError(CrossportError):
    """A person has paused commands to the cloud; nothing was sent."""

    code: ClassVar[str] = "paused"
    retryable: ClassVar[bool] = True

    def __init__(self, pause: Pause) -> None:
        super().__init__(f"paused by {pause.actor}: {pause.reason}", account_id=pause.account_id)


def guarded(cloud: Callable[[], Cloud], store: Operations) -> Callable[[], Cloud]:
    """The same cloud behind the guard. Its commands raise PausedError while their account, or everything, is paused."""
    return lambda: cast("Cloud", _Guarded(cloud(), store))


class _Guarded:
    def __init__(self, cloud: Cloud, store: Operations) -> None:
        self._cloud = cloud
        self._store = store

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._cloud, name)
        if name in READS:
            return method

        def command(*values: Any, **named: Any) -> Any:
            account_id = named["account_id"] if "account_id" in named else values[0].account_id
            pause = pause_of(account_id, self._store.pauses())
            if pause is not None:
                raise PausedError(pause)
            return method(*values, **named)

        return command
