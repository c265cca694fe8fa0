"""The cloud's quota of calls: how many of one API are ours in one account and region.

Only the design's figure is known, 300 calls in 60 s for each API, account and region; the cloud's own documentation
names limits without numbers, so a Throttling answer counts for more than what is worked out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class CallQuota:
    """A token bucket that never lets more than ``calls`` through in any ``period``.

    A full bucket lets ``burst`` calls go at once, and what refills in a period is the rest: 15 and 4.75 a second of
    300 a minute, so a steady reader gets 95 % of the quota.
    """

    calls: int = 300
    period: timedelta = timedelta(seconds=60)
    burst: int = 15

    def __post_init__(self) -> None:
        if not 1 <= self.burst < self.calls:
            raise ValueError(f"a burst of {self.burst} is none of {self.calls} calls")

    @property
    def per_second(self) -> float:
        """How many calls come back each second."""
        return (self.calls - self.burst) / self.period.total_seconds()

    def within(self, time: timedelta) -> int:
        """How many calls a steady reader can count on in this time, a full bucket left aside."""
        return int(self.per_second * time.total_seconds())


#: What the cloud grants each API, account and region.
QUOTA = CallQuota()
