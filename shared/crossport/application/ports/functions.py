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
