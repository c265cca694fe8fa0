"""Function Compute as far as one function starts another."""

from __future__ import annotations

from typing import Protocol


class Functions(Protocol):
    """Asynchronous invocations."""

    def start(self, function: str, payload: str, *, task_id: str) -> bool:
        """Have a function invoked; False when this task id was taken before: it runs already, or has run.

        A task id is 1 to 128 characters, ``[A-Za-z_][A-Za-z0-9_-]*``. Raises FunctionUnavailableError.
        """
        ...
