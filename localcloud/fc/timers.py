"""Timer triggers, fired by the cloud's clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from localcloud.clock import Clock
from localcloud.fc.cron import Schedule, parse_schedule
from localcloud.fc.runtime import Functions
from localcloud.fc.template import FunctionDefinition, TimerTrigger

LONGEST_NAP = timedelta(seconds=1)
"""A moved clock is noticed within this real time even if nobody calls ``wake``."""


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A timer that is due: ``at`` is the time it was due, not the time it was noticed."""

    function: str
    trigger: str
    at: datetime
    payload: str

    def event(self) -> bytes:
        """The event of the invocation (FC, "Event formats"); ``payload`` is a string whatever it holds."""
        at = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        document = {"triggerTime": at, "triggerName": self.trigger, "payload": self.payload}
        return json.dumps(document, ensure_ascii=False).encode()


@dataclass(kw_only=True)
class _Timer:
    function: str
    trigger: TimerTrigger
    schedule: Schedule
    upcoming: datetime


class Timers:
    """The enabled timers of all functions; ``start`` is their birth and the phase of every ``@every``."""

    def __init__(self, definitions: Iterable[FunctionDefinition], start: datetime) -> None:
        self._timers: list[_Timer] = []
        for definition in definitions:
            for trigger in definition.triggers:
                if isinstance(trigger, TimerTrigger) and trigger.enabled:
                    schedule = parse_schedule(trigger.expression, start)
                    self._timers.append(
                        _Timer(
                            function=definition.name,
                            trigger=trigger,
                            schedule=schedule,
                            upcoming=schedule.following(start),
                        )
                    )

    def upcoming(self) -> datetime | None:
        """When the next timer is due, or None without timers."""
        return min((timer.upcoming for timer in self._timers), default=None)

    def due(self, now: datetime) -> list[Firing]:
        """What has become due since the last call, in order of time.

        A clock that was moved over several times of one timer fires it once, at the last of them: the jump
        stands for a time in which nothing else happened, and thousands of one-minute ticks would say nothing
        more. Whoever wants each of them moves the clock in steps.
        """
        firings = []
        for timer in self._timers:
            if timer.upcoming > now:
                continue
            firings.append(
                Firing(
                    function=timer.function,
                    trigger=timer.trigger.name,
                    at=_last_until(now, timer.schedule, timer.upcoming),
                    payload=timer.trigger.payload,
                )
            )
            timer.upcoming = timer.schedule.following(now)
        return sorted(firings, key=lambda firing: firing.at)


def _last_until(now: datetime, schedule: Schedule, first: datetime) -> datetime:
    """The last time up to ``now`` of a schedule that is due at ``first``, found without walking every tick."""
    last = first
    step = (now - first) / 2
    while step > timedelta(seconds=1):
        later = schedule.following(last + step)
        if later <= now:
            last = later
        step = min(step, now - last) / 2
    while (later := schedule.following(last)) <= now:
        last = later
    return last


class TimerLoop:
    """Fires due timers by asynchronous invocations, as the timer service does."""

    def __init__(self, timers: Timers, functions: Functions, clock: Clock) -> None:
        self._timers = timers
        self._functions = functions
        self._clock = clock
        self._moved = asyncio.Event()

    def wake(self) -> None:
        """Look at the clock again now: it has been moved."""
        self._moved.set()

    async def fire_due(self) -> list[Firing]:
        """Start what is due; returns when all of it was accepted. ``Functions.busy`` counts it from then on."""
        firings = self._timers.due(self._clock.now())
        for firing in firings:
            await self._functions.invoke(firing.function, firing.event(), asynchronous=True)
        return firings

    async def run(self) -> None:
        """Fire until cancelled; asleep until the next timer, a moved clock, or one second."""
        while True:
            self._moved.clear()
            await self.fire_due()
            upcoming = self._timers.upcoming()
            rest = LONGEST_NAP if upcoming is None else min(LONGEST_NAP, upcoming - self._clock.now())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(rest.total_seconds(), 0)):
                    await self._moved.wait()
