"""Our own functions, as others of ours call them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionAnswer:
    """What a function said. ``error_type`` is "" when it did not fail."""

    payload: bytes
    error_type: str = ""


class Functions(Protocol):
    """Function Compute, as far as invoking goes."""

    def invoke(self, function: str, payload: bytes) -> FunctionAnswer:
        """Invoke and wait for the answer; a function that failed is an answer, too.

        Raises FunctionUnavailableError when it could not be asked.
        """
        ...


class Tasks(Protocol):
    """Function Compute, as far as tasks go: asynchronous invocations with an id."""

    def start(self, function: str, payload: bytes, *, task_id: str) -> bool:
        """Have a function invoked; False when this task id was taken before: it runs already, or has run.

        A task id is 1 to 128 characters, ``[A-Za-z_][A-Za-z0-9_-]*``. Raises FunctionUnavailableError, or another
        CrossportError when the service has refused for good.
        """
        ...
