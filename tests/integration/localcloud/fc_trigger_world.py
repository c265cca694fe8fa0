"""A small cloud with one recording function and one trigger, for the tests of triggers."""

from __future__ import annotations

import asyncio
import json
import random
import textwrap
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.clock import Clock
from localcloud.eventbridge.buses import Buses
from localcloud.eventbridge.rules import FUNCTION
from localcloud.fc.instance import Identity
from localcloud.fc.runtime import Functions
from localcloud.fc.template import (
    AsyncConfig,
    FunctionDefinition,
    QueueTrigger,
    Trigger,
)
from localcloud.fc.triggers import Triggers, rules_on
from localcloud.journal import Journal
from localcloud.mns.queues import Queues

ACCOUNT = "1234567890123456"
START = datetime(2026, 11, 24, 10, 0, 30, tzinfo=UTC)

RECORDS = """
import json, os, pathlib
folder = pathlib.Path(__file__).parent
def handler(event, context):
    with open(folder / "events", "ab", buffering=0) as file:  # one write: several instances append
        file.write(event + b"\\n")
    if (folder / "fail").exists():
        raise RuntimeError("told to")
"""


def queue_trigger(**changes: Any) -> QueueTrigger:
    values: dict[str, Any] = {
        "name": "queue",
        "queue": "orders",
        "decode_base64": True,
        "streaming": True,
        "raw_data": False,
        "asynchronous": False,
        "batch_size": 10,
        "batch_seconds": 0,
        "exponential": True,
        "tolerant": True,
        "dead_letter_queue": "dead-letters",
        "enabled": True,
    }
    return QueueTrigger(**values | changes)


class Cloud:
    """One recording function with one trigger on a small cloud; sleeps return at once and are remembered."""

    def __init__(self, folder: Path, trigger: Trigger) -> None:
        self.folder = folder
        (folder / "index.py").write_text(textwrap.dedent(RECORDS))
        self.clock = Clock(start=START)
        self.journal = Journal(self.clock)
        self.queues = Queues(self.journal)
        for name in ("orders", "dead-letters"):
            self.queues.create(ACCOUNT, name)
        self.buses = Buses(self.journal, self.clock, sleep=self.sleep)
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        definition = FunctionDefinition(
            name="f",
            region="us-east-1",
            runtime="python3.12",
            handler="index.handler",
            code=folder,
            timeout=30,
            triggers=(trigger,),
            async_config=AsyncConfig(retries=0, on_failure="dead-letters"),
        )
        self.functions = Functions(
            [definition],
            identity=Identity(account_id=ACCOUNT, access_key_id="a", access_key_secret="b"),
            clock=self.clock,
            journal=self.journal,
            send=self.queues.send,
            sleep=self.sleep,
        )
        self.triggers = Triggers(
            self.functions,
            queues=self.queues,
            create_rule=rules_on(self.buses),
            clock=self.clock,
            journal=self.journal,
            sleep=self.sleep,
            chance=random.Random(7),
        )
        self.buses.serve(FUNCTION, self.triggers.deliver)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep()
        await asyncio.sleep(0)

    def fail(self, failing: bool) -> None:
        (self.folder / "fail").touch()
        if not failing:
            (self.folder / "fail").unlink()

    def send(self, body: str) -> str:
        return self.queues.send(ACCOUNT, "orders", body).message_id

    def left(self, queue: str = "orders") -> int:
        return self.queues.depth(ACCOUNT, queue).total

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not true():  # noqa: ASYNC110  # what makes it true happens in other processes
                await asyncio.sleep(0.001)

    async def quiet(self) -> None:
        await self.until(lambda: not (self.triggers.busy() or self.functions.busy() or self.buses.under_way))

    def events(self) -> list[Any]:
        """What the function got, one entry an invocation."""
        file = self.folder / "events"
        return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []

    async def dead_letters(self) -> list[Any]:
        found = await self.queues.receive(ACCOUNT, "dead-letters", batch=16, wait_seconds=0)
        return [json.loads(message.body) for message in found]


def play(folder: Path, trigger: Trigger, scenario: Callable[[Cloud], Awaitable[None]], *, start: bool = True) -> Cloud:
    async def main() -> Cloud:
        cloud = Cloud(folder, trigger)
        try:
            if start:
                cloud.triggers.start()
            await scenario(cloud)
        finally:
            await cloud.triggers.stop()
            await cloud.buses.close()
            await cloud.functions.stop()
        return cloud

    return asyncio.run(main())
