"""All triggers of all functions, from ``s.yaml`` to running tasks."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from localcloud.clock import Clock
from localcloud.eventbridge.buses import Buses
from localcloud.eventbridge.patterns import Pattern
from localcloud.eventbridge.rules import DEFAULT_BUS, FUNCTION, Rule, Target
from localcloud.fc.runtime import Functions, InvocationResult, Sleep
from localcloud.fc.streams import QueueSource, Stream
from localcloud.fc.template import EventTrigger, QueueTrigger
from localcloud.fc.timers import Firing, TimerLoop, Timers
from localcloud.journal import Journal

CreateRule = Callable[[str, str, str, EventTrigger, str], None]
"""``create_rule(account_id, region, rule_name, trigger, function_name)``: a rule on the default bus."""


def rules_on(buses: Buses) -> CreateRule:
    """A CreateRule that puts the rule on ``buses``, with the function as its only target."""

    def create_rule(account_id: str, region: str, name: str, trigger: EventTrigger, function: str) -> None:
        buses.create_rule(account_id, region, DEFAULT_BUS, rule_of(trigger, name, function))

    return create_rule


def rule_of(trigger: EventTrigger, name: str, function: str) -> Rule:
    """The rule that an event trigger is."""
    target = Target(target_id="fc", type=FUNCTION, name=function, dead_letter_queue=trigger.dead_letter_queue or "")
    return Rule(name=name, pattern=Pattern(trigger.pattern), targets=(target,))


class DeliveryFailed(Exception):  # noqa: N818  # what happened, not a fault of the local cloud
    """A function that EventBridge pushed an event to has failed; the push is to be repeated."""


class Triggers:
    """Plays the triggers: streams from queues, timers, and rules on the default bus.

    HTTP triggers need no task: whoever serves HTTP uses ``localcloud.fc.http_event`` and ``Functions.invoke``.
    """

    def __init__(
        self,
        functions: Functions,
        *,
        queues: QueueSource,
        create_rule: CreateRule,
        clock: Clock,
        journal: Journal,
        sleep: Sleep = asyncio.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self._functions = functions
        self._journal = journal
        self._streams = [
            Stream(
                definition,
                trigger,
                functions=functions,
                queues=queues,
                clock=clock,
                journal=journal,
                sleep=sleep,
                chance=chance,
            )
            for definition in functions.definitions()
            for trigger in definition.triggers
            if isinstance(trigger, QueueTrigger) and trigger.enabled
        ]
        self._timers = TimerLoop(Timers(functions.definitions(), clock.now()), functions, clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._create_rules(create_rule)

    def start(self) -> None:
        """Begin to read the queues and to watch the clock."""
        self._tasks += [asyncio.create_task(stream.run()) for stream in self._streams]
        self._tasks.append(asyncio.create_task(self._timers.run()))
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """End all tasks; messages in hand become visible again when their time is over.

        Raises what a task died of, because a trigger that stopped by itself is a fault of the local cloud.
        """
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    def busy(self) -> int:
        """Messages that streams have in hand; together with ``Functions.busy`` it tells whether all is quiet."""
        return sum(stream.busy() for stream in self._streams)

    async def clock_moved(self) -> list[Firing]:
        """Start the timers that became due by moving the clock, now and not within a second."""
        firings = await self._timers.fire_due()
        self._timers.wake()
        return firings

    async def deliver_event(self, function: str, event: Mapping[str, Any]) -> InvocationResult:
        """Push one event of a bus to a function: one CloudEvent object as the whole event.

        Whether the push waits for the function is the trigger's ``asyncInvocationType``. Raises DeliveryFailed
        when the function failed, and the errors of ``Functions.invoke``; EventBridge repeats in both cases.
        """
        triggers = self._functions.definition(function).triggers
        asynchronous = any(isinstance(t, EventTrigger) and t.asynchronous for t in triggers)
        payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        result = await self._functions.invoke(function, payload, asynchronous=asynchronous)
        if result.error_type is not None:
            raise DeliveryFailed(f"{function}: {result.error_type}")
        return result

    async def deliver(self, target: Target, event: dict[str, Any]) -> None:
        """The delivery of EventBridge for targets of the type ``acs.fc.function``; raises as deliver_event."""
        await self.deliver_event(target.name, event)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A trigger that dies must not die in silence: everything would seem to be merely slow."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._journal.write("fc", f"a trigger died: {error!r}")

    def _create_rules(self, create_rule: CreateRule) -> None:
        """One rule for each trigger on the default bus, as Function Compute makes it when it is deployed."""
        for definition in self._functions.definitions():
            for trigger in definition.triggers:
                if isinstance(trigger, EventTrigger) and trigger.enabled:
                    create_rule(
                        self._functions.account_id,
                        definition.region,
                        f"fc-{definition.name}-{trigger.name}",
                        trigger,
                        definition.name,
                    )
