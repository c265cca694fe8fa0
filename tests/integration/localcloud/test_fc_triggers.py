"""Triggers end to end in process: queues, timers and buses invoke functions in real worker processes."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import textwrap
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.clock import Clock
from localcloud.eventbridge.buses import Buses
from localcloud.eventbridge.rules import FUNCTION
from localcloud.fc.instance import Identity
from localcloud.fc.runtime import Functions
from localcloud.fc.template import (
    AsyncConfig,
    EventTrigger,
    FunctionDefinition,
    QueueTrigger,
    TimerTrigger,
    Trigger,
)
from localcloud.fc.triggers import DeliveryFailed, Triggers, rules_on
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


def test_a_stream_pushes_an_array_of_cloud_events_and_deletes_the_messages(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        plain = cloud.send('{"order": 1}')
        coded = cloud.send(base64.b64encode('{"order": "二"}'.encode()).decode())
        cloud.triggers.start()
        await cloud.until(lambda: cloud.left() == 0)
        ((first, second),) = cloud.events()
        assert (first["id"], second["id"]) == (plain, coded)
        assert len(first["data"].pop("requestId")) == 32
        assert first["data"] == {"messageId": plain, "messageBody": '{"order": 1}'}
        assert second["data"]["messageBody"] == '{"order": "二"}'
        del first["data"], first["id"], first["aliyunpublishtime"]
        assert first.pop("time").startswith("2026-11-24T10:00:3")
        assert first == {
            "source": "acs:mns",
            "specversion": "1.0",
            "type": "mns:Queue:SendMessage",
            "datacontenttype": "application/json; charset=utf-8",
            "subject": f"acs:mns:us-east-1:{ACCOUNT}:queues/orders",
            "aliyunaccountid": ACCOUNT,
            "aliyunoriginalaccountid": ACCOUNT,
            "aliyuneventbusname": "MNS-f-queue",
            "aliyunregionid": "us-east-1",
            "aliyunpublishaddr": "127.0.0.1",
        }

    play(tmp_path, queue_trigger(), scenario, start=False)


def test_event_driven_mode_pushes_one_object_each(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        sent = [cloud.send("a"), cloud.send("b")]
        await cloud.until(lambda: cloud.left() == 0)
        assert [event["data"]["messageId"] for event in cloud.events()] == sent
        assert {event["source"] for event in cloud.events()} == {"MNS-f-queue"}

    play(tmp_path, queue_trigger(streaming=False), scenario)


def test_raw_data_is_the_data_alone_and_base64_can_be_left_alone(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.send("YWJj")
        await cloud.until(lambda: cloud.left() == 0)
        ((element,),) = cloud.events()
        assert set(element) == {"requestId", "messageId", "messageBody"}
        assert element["messageBody"] == "YWJj"

    play(tmp_path, queue_trigger(raw_data=True, decode_base64=False), scenario)


def test_a_batch_is_at_most_the_count_based_window(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        for number in range(45):
            cloud.send(str(number))
        cloud.triggers.start()
        await cloud.until(lambda: cloud.left() == 0)
        assert [len(batch) for batch in cloud.events()] == [20, 20, 5]

    play(tmp_path, queue_trigger(batch_size=20), scenario, start=False)


def test_the_time_based_window_waits_for_more(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.send("first")
        await cloud.until(lambda: cloud.triggers.busy() == 1)
        cloud.send("second")
        await cloud.until(lambda: cloud.left() == 0)
        assert [len(batch) for batch in cloud.events()] == [2]

    play(tmp_path, queue_trigger(batch_size=2, batch_seconds=15), scenario)


def test_a_failed_push_is_repeated_with_the_whole_batch(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.fail(True)
        cloud.on_sleep = lambda: cloud.fail(len(cloud.slept) < 3)
        cloud.send("a")
        await cloud.until(lambda: cloud.left() == 0)
        assert cloud.slept == [1, 2, 4]
        batches = cloud.events()
        assert len(batches) == 4
        assert all(batch == batches[0] for batch in batches)
        assert cloud.left("dead-letters") == 0

    play(tmp_path, queue_trigger(), scenario)


def test_after_the_retries_each_event_is_a_dead_letter(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.fail(True)
        sent = {cloud.send("a"), cloud.send("b")}
        cloud.triggers.start()
        await cloud.until(lambda: cloud.left() == 0)
        assert len(cloud.slept) == 3
        assert all(10 <= seconds <= 20 for seconds in cloud.slept)
        letters = await cloud.dead_letters()
        assert {letter["data"]["messageId"] for letter in letters} == sent
        assert {letter["type"] for letter in letters} == {"mns:Queue:SendMessage"}

    play(tmp_path, queue_trigger(exponential=False), scenario, start=False)


def test_without_a_dead_letter_queue_what_is_tolerated_is_dropped(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.fail(True)
        cloud.send("a")
        await cloud.until(lambda: cloud.left() == 0)
        assert cloud.left("dead-letters") == 0
        assert cloud.journal.entries("fc")[-1].what.endswith("retries exhausted, dropped")

    play(tmp_path, queue_trigger(exponential=False, dead_letter_queue=None), scenario)


def test_an_intolerant_stream_is_blocked_by_a_poison_message(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.fail(True)
        cloud.send("poison")
        await cloud.until(lambda: len(cloud.slept) > 5)
        cloud.send("good")
        assert cloud.left() == 2
        assert cloud.triggers.busy() == 1
        cloud.fail(False)
        await cloud.until(lambda: cloud.left() == 0)

    play(tmp_path, queue_trigger(exponential=False, tolerant=False), scenario)


def test_an_asynchronous_stream_takes_accepted_for_done(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.fail(True)
        cloud.send("a")
        await cloud.until(lambda: cloud.left("dead-letters") == 1)
        assert (cloud.left(), cloud.slept) == (0, [])
        (letter,) = await cloud.dead_letters()
        assert letter["requestContext"]["condition"] == "UnhandledInvocationError"
        assert json.loads(letter["requestPayload"])[0]["data"]["messageBody"] == "a"

    play(tmp_path, queue_trigger(asynchronous=True), scenario)


def test_an_asynchronous_batch_is_cut_to_128_kilobytes(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        for _ in range(5):
            cloud.send("x" * 60_000)
        cloud.triggers.start()
        await cloud.until(lambda: cloud.left() == 0)
        await cloud.functions.idle()
        assert sorted(len(batch) for batch in cloud.events()) == [1, 2, 2]

    play(tmp_path, queue_trigger(asynchronous=True), scenario, start=False)


def test_a_queue_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        await cloud.until(lambda: len(cloud.slept) > 3)
        complaints = [e for e in cloud.journal.entries("fc") if "cannot read queue later" in e.what]
        assert len(complaints) == 1
        cloud.queues.create(ACCOUNT, "later")
        cloud.queues.send(ACCOUNT, "later", "a")
        await cloud.until(lambda: len(cloud.events()) == 1)

    play(tmp_path, queue_trigger(queue="later"), scenario)


def test_a_trigger_that_dies_says_so(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        async def broken(*_: Any, **__: Any) -> Any:
            raise LookupError("a fault of the local cloud")

        cloud.functions.invoke = broken  # type: ignore[method-assign]
        cloud.send("a")
        await cloud.until(lambda: "a trigger died: LookupError" in repr(cloud.journal.entries("fc")))
        with pytest.raises(LookupError):
            await cloud.triggers.stop()

    play(tmp_path, queue_trigger(), scenario)


def test_a_disabled_trigger_does_nothing(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.send("a")
        await cloud.quiet()
        assert cloud.left() == 1

    play(tmp_path, queue_trigger(enabled=False), scenario)


def test_a_timer_fires_when_the_clock_is_moved(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        assert await cloud.triggers.clock_moved() == []
        cloud.clock.advance(timedelta(hours=14))
        (firing,) = await cloud.triggers.clock_moved()
        assert cloud.functions.busy() == 1
        await cloud.quiet()
        event = {"triggerTime": "2026-11-24T16:10:00Z", "triggerName": "daily", "payload": '{"a":1}'}
        assert cloud.events() == [event]
        assert firing.at == datetime(2026, 11, 24, 16, 10, tzinfo=UTC)

    trigger = TimerTrigger(
        name="daily", expression="CRON_TZ=Asia/Shanghai 0 10 0 * * *", payload='{"a":1}', enabled=True
    )
    play(tmp_path, trigger, scenario)


def test_a_moved_clock_is_noticed_by_the_loop_alone(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.clock.advance(timedelta(minutes=1))
        await cloud.until(lambda: len(cloud.events()) == 1)
        assert cloud.events()[0]["triggerTime"] == "2026-11-24T10:01:30Z"

    play(tmp_path, TimerTrigger(name="tick", expression="@every 1m", payload="", enabled=True), scenario)


PATTERN = {"source": ["acs.vpc"], "data": {"eventName": ["CreateVirtualBorderRouter"]}}


def vpc_event(name: str) -> dict[str, Any]:
    return {
        "id": "e-1",
        "source": "acs.vpc",
        "specversion": "1.0",
        "type": "vpc:ActionTrail:ApiCall",
        "time": "2026-11-24T10:00:00Z",
        "data": {"eventName": name, "eventRW": "Write"},
    }


def test_an_event_of_the_default_bus_arrives_as_one_object(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.buses.publish(ACCOUNT, "us-east-1", vpc_event("DeleteVpc"))
        cloud.buses.publish(ACCOUNT, "cn-hangzhou", vpc_event("CreateVirtualBorderRouter"))
        cloud.buses.publish("999", "us-east-1", vpc_event("CreateVirtualBorderRouter"))
        cloud.buses.publish(ACCOUNT, "us-east-1", vpc_event("CreateVirtualBorderRouter"))
        await cloud.quiet()
        (event,) = cloud.events()
        assert event["data"]["eventName"] == "CreateVirtualBorderRouter"
        assert event["aliyunaccountid"] == ACCOUNT

    play(tmp_path, EventTrigger(name="bus", pattern=PATTERN, asynchronous=False, enabled=True), scenario)


def test_a_failed_push_of_a_bus_is_the_buss_to_repeat(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.fail(True)
        with pytest.raises(DeliveryFailed):
            await cloud.triggers.deliver_event("f", vpc_event("x"))
        cloud.on_sleep = lambda: cloud.fail(False)
        cloud.buses.publish(ACCOUNT, "us-east-1", vpc_event("CreateVirtualBorderRouter"))
        await cloud.quiet()
        assert len(cloud.events()) == 3

    play(tmp_path, EventTrigger(name="bus", pattern=PATTERN, asynchronous=False, enabled=True), scenario)


def test_an_asynchronous_bus_trigger_leaves_failures_to_function_compute(tmp_path: Path) -> None:
    async def scenario(cloud: Cloud) -> None:
        cloud.fail(True)
        cloud.buses.publish(ACCOUNT, "us-east-1", vpc_event("CreateVirtualBorderRouter"))
        await cloud.quiet()
        assert len(cloud.events()) == 1
        assert cloud.left("dead-letters") == 1

    play(tmp_path, EventTrigger(name="bus", pattern=PATTERN, asynchronous=True, enabled=True), scenario)
