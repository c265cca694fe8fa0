"""One invocation of a function: which it is, and how much time it has left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

#: What an unknown time-out is taken for; s.yaml gives every function at least this much.
DEFAULT_TIMEOUT = 60.0
#: Kept for the answer and the log, in seconds. Function Compute kills the instance at the time-out.
MARGIN = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Invocation:
    """``deadline`` is on ``now``'s scale: seconds of a clock that only goes forward, not the time of day."""

    function: str
    request_id: str
    deadline: float
    now: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, function: str, context: Any, now: Callable[[], float] = time.monotonic) -> Invocation:
        """From Function Compute's context, whose attributes differ between runtimes: what is missing is defaulted."""
        timeout = getattr(getattr(context, "function", None), "timeout", None)
        seconds = float(timeout) if isinstance(timeout, int | float) and timeout > 0 else DEFAULT_TIMEOUT
        request_id = getattr(context, "request_id", None)
        return cls(
            function=function,
            request_id=request_id if isinstance(request_id, str) else "",
            # A time-out of a few seconds still leaves half of it for work.
            deadline=now() + max(seconds - MARGIN, seconds / 2),
            now=now,
        )

    def remaining(self) -> timedelta:
        """Time left for work; zero when it is used up."""
        return timedelta(seconds=max(self.deadline - self.now(), 0.0))
