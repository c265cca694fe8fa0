"""Warm instances: how many there are, who gets one, and when they end."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from localcloud.fc.errors import (
    ResourceExhausted,
)
from localcloud.fc.runtime import Functions
from localcloud.fc.template import Hook
from tests.integration.localcloud.fc_world import Cloud, Define, definer


@pytest.fixture
def function(tmp_path: Path) -> Define:
    return definer(tmp_path)


WAITING = """
import os, time
def handler(event, context):
    # Waits until the test has seen it run: a file system as a semaphore.
    folder = event.decode()
    open(os.path.join(folder, str(os.getpid())), "w").close()
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.002)
    return str(os.getpid())
"""


async def running(folder: Path, count: int) -> None:
    """``count`` instances are inside their handlers."""
    async with asyncio.timeout(30):
        while len(os.listdir(folder)) < count:  # noqa: ASYNC110, PTH208  # they are other processes
            await asyncio.sleep(0.002)


def test_an_instance_serves_one_request_at_a_time_and_the_pool_grows(function: Define, tmp_path: Path) -> None:
    cloud = Cloud(function(WAITING))
    signals = tmp_path / "signals"
    signals.mkdir()

    async def scenario(functions: Functions) -> None:
        tasks = [asyncio.create_task(functions.invoke("f", str(signals).encode())) for _ in range(3)]
        await running(signals, 3)
        assert functions.busy() == 3
        (signals / "go").touch()
        results = await asyncio.gather(*tasks)
        assert len({result.payload for result in results}) == 3
        assert functions.busy() == 0
        assert not (await functions.invoke("f", str(signals).encode())).cold

    cloud.run(scenario)


def test_at_the_limit_the_cloud_refuses_or_the_caller_waits(function: Define, tmp_path: Path) -> None:
    definition = function(WAITING)
    signals = tmp_path / "signals"
    signals.mkdir()
    event = str(signals).encode()

    async def refused(functions: Functions) -> None:
        first = asyncio.create_task(functions.invoke("f", event))
        await running(signals, 1)
        with pytest.raises(ResourceExhausted):
            await functions.invoke("f", event)
        (signals / "go").touch()
        await first

    async def waited(functions: Functions) -> None:
        (signals / "go").unlink()
        first = asyncio.create_task(functions.invoke("f", event))
        await running(signals, 2)
        second = asyncio.create_task(functions.invoke("f", event))
        await asyncio.sleep(0)
        assert not second.done()
        (signals / "go").touch()
        assert (await first).payload == (await second).payload

    Cloud(definition, instance_limit=1).run(refused)
    Cloud(definition, instance_limit=1, wait_at_limit=True).run(waited)


def test_an_idle_instance_of_another_function_makes_room(function: Define) -> None:
    source = "def handler(e, c): return c.function.name\ndef pre_stop(c): print('making room')"
    hook = Hook(handler="index.pre_stop", timeout=30)
    cloud = Cloud(function(source, "a", pre_stop=hook), function(source, "b"), instance_limit=1)

    async def scenario(functions: Functions) -> None:
        for name, cold in (("a", True), ("b", True), ("b", False), ("a", True)):
            result = await functions.invoke(name, b"")
            assert (result.payload, result.cold) == (name.encode(), cold)

    cloud.run(scenario)
    assert [e.what for e in cloud.journal.entries("fc") if e.fields["logs"]] == ["a stopped", "a stopped"]


def test_a_cancelled_invocation_takes_its_instance_with_it(function: Define, tmp_path: Path) -> None:
    cloud = Cloud(function(WAITING), instance_limit=1)
    signals = tmp_path / "signals"
    signals.mkdir()

    async def scenario(functions: Functions) -> None:
        task = asyncio.create_task(functions.invoke("f", str(signals).encode()))
        await running(signals, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (signals / "go").touch()
        assert (await functions.invoke("f", str(signals).encode())).cold

    cloud.run(scenario)


def test_stopping_ends_running_and_waiting_invocations(function: Define, tmp_path: Path) -> None:
    cloud = Cloud(function(WAITING))
    signals = tmp_path / "signals"
    signals.mkdir()

    async def scenario(functions: Functions) -> None:
        running_one = asyncio.create_task(functions.invoke("f", str(signals).encode()))
        await functions.invoke("f", str(signals).encode(), asynchronous=True)
        await running(signals, 2)
        await functions.stop()
        assert (await running_one).error_type == "UnhandledInvocationError"
        assert functions.busy() == 0

    cloud.run(scenario)
