"""Queue triggers: batches of messages reach a function in a real worker process."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.localcloud.fc_trigger_world import ACCOUNT, Cloud, play, queue_trigger


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
