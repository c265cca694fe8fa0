"""Timers and buses invoke a function in a real worker process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.fc.template import EventTrigger, TimerTrigger
from localcloud.fc.triggers import DeliveryFailed
from tests.integration.localcloud.fc_trigger_world import ACCOUNT, Cloud, play


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
