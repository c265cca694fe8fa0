"""What may befall a worker between two steps: it dies, it loses the store, it hears no answer, or a rival acts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from crossport.application.errors import QueueUnavailableError, SendFailedError, StoreUnavailableError


class Died(BaseException):
    """The worker is gone, as after kill -9: nothing that it would have done next happens."""


class Blow(Enum):
    """What happens at the chosen step."""

    #: The worker dies.
    DEATH = "death"
    #: Store, queue or mail server cannot be reached, or answer no more: before a commit nothing has happened.
    OUTAGE = "outage"
    #: The commit happened and its answer is lost.
    UNKNOWN_COMMIT = "unknown_commit"
    #: Another worker acts between two calls of this one.
    RIVAL = "rival"
    #: The worker is held up for longer than its lease, and another one does its work meanwhile.
    STALL = "stall"


def _nobody() -> None:
    """No rival."""


@dataclass
class Fate:
    """Counts a worker's steps and strikes at one of them, or at the next one at which such a blow can fall.

    A step is a statement of a transaction (``begin``, ``claim_input``, ``commit``, ``committed``, ...) or the beginning
    and end of a call of a port (``call:store.save``, ``done:queue.send``, ...).
    """

    blow: Blow | None = None
    #: The step, counted from 1.
    at: int = 0
    #: What a step's name must hold to be counted.
    place: str = ""
    rival: Callable[[], None] = _nobody
    stall: Callable[[], None] = _nobody
    #: Told where a blow fell, before it falls.
    struck: Callable[[str], None] = lambda where: None
    passed: int = 0

    def step(self, where: str) -> None:
        """The worker comes by. Raises Died, or what an outage of that port raises."""
        if self.place not in where:
            return
        self.passed += 1
        blow = self.blow
        if blow is None or self.passed < self.at or not _can_fall(blow, where):
            return
        self.blow = None
        self.struck(f"{blow.value}@{where}")
        if blow is Blow.RIVAL:
            self.rival()
        elif blow is Blow.STALL:
            self.stall()
        elif blow is Blow.DEATH:
            raise Died(where)
        else:
            _fail(where)


class Watched:
    """A port whose every call is a step of its worker, before and after."""

    def __init__(self, behind: Any, name: str, step: Callable[[str], None]) -> None:
        self._behind = behind
        self._name = name
        self._step = step

    def __getattr__(self, method: str) -> Any:
        act, step = getattr(self._behind, method), self._step
        before, after = f"call:{self._name}.{method}", f"done:{self._name}.{method}"

        def watched(*args: Any, **named: Any) -> Any:
            step(before)
            answer = act(*args, **named)
            step(after)
            return answer

        self.__dict__[method] = watched
        return watched


def _can_fall(blow: Blow, where: str) -> bool:
    if blow is Blow.RIVAL:
        return where.startswith("call:store.")
    if blow is Blow.STALL:
        return where.startswith("call:")
    if blow is Blow.UNKNOWN_COMMIT:
        return where == "committed"
    # The cloud has faults of its own (tests/fakes/faults.py); a statement either fails or is done.
    return blow is Blow.DEATH or not (where.startswith(("call:cloud.", "done:cloud.")) or where.endswith(" done"))


def _fail(where: str) -> NoReturn:
    if ":queue." in where:
        raise QueueUnavailableError("the queue did not answer", queue="any")
    if ":mail." in where:
        raise SendFailedError("the mail server did not answer")
    raise StoreUnavailableError("the store did not answer")
