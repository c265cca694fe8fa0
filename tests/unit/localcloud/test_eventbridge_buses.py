"""Buses, rules, forwarding between accounts, faults. Deliveries are awaited, never slept for."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from localcloud.clock import Clock
from localcloud.eventbridge.buses import MOST_HOPS, RETRY_AFTER_SECONDS, Buses
from localcloud.eventbridge.errors import (
    EventBusAlreadyExist,
    EventBusNotExist,
    EventRuleAlreadyExist,
    EventRuleNotExist,
    InvalidArgument,
)
from localcloud.eventbridge.patterns import Pattern
from localcloud.eventbridge.rules import BUS, FUNCTION, QUEUE, Rule, Target, deliver_to_queue
from localcloud.journal import Journal
from localcloud.mns.queues import Queues

PARTNER, TENANT, STRANGER = "1000000000000001", "2000000000000002", "3000000000000003"
VIRGINIA, HANGZHOU = "us-east-1", "cn-hangzhou"


class World:
    """Buses whose function target writes down what it gets."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.journal = Journal(self.clock)
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.failures = 0
        self.waits: list[float] = []
        self.buses = Buses(self.journal, self.clock, deliver={FUNCTION: self.invoke}, sleep=self.sleep)

    async def invoke(self, target: Target, event: dict[str, Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("instance failed")
        self.seen.append((target.name, event))

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def what(self) -> list[str]:
        return [entry.what for entry in self.journal.entries("eventbridge")]

    def names(self) -> list[str]:
        return [event["data"]["eventName"] for _, event in self.seen]


def event(name: str = "CreateVirtualBorderRouter", **attributes: Any) -> dict[str, Any]:
    made = {
        "id": f"id-{name}",
        "source": "acs.vpc",
        "specversion": "1.0",
        "type": "vpc:ActionTrail:ApiCall",
        "data": {"eventName": name, "eventRW": "Write"},
    }
    return made | attributes


def rule(name: str, *targets: Target, pattern: dict[str, Any] | None = None, enabled: bool = True) -> Rule:
    return Rule(name=name, pattern=Pattern(pattern or {}), targets=targets, enabled=enabled)


def function(name: str = "port_events") -> Target:
    return Target(target_id=name, type=FUNCTION, name=name)


def bus_of(account_id: str, name: str = "from-tenants", region: str = VIRGINIA) -> Target:
    return Target(target_id=f"{account_id}-{name}", type=BUS, name=name, account_id=account_id, region=region)


def play(act: Callable[[World], Awaitable[None] | None]) -> World:
    """Run a scenario on a loop until every delivery has ended."""

    async def on_loop() -> World:
        world = World()
        result = act(world)
        if result is not None:
            await result
        await world.buses.idle()
        assert world.buses.under_way == 0
        return world

    return asyncio.run(on_loop())


def test_an_event_reaches_the_targets_of_matching_rules_only() -> None:
    def act(world: World) -> None:
        pattern = {"data": {"eventName": ["ConfirmPhysicalConnection"]}}
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function("a"), function("b")))
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("c", function("c"), pattern=pattern))
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("d", function("d"), enabled=False))
        world.buses.publish(PARTNER, VIRGINIA, event())

    assert [name for name, _ in play(act).seen] == ["a", "b"]


def test_the_default_bus_is_one_of_each_account_and_region() -> None:
    def act(world: World) -> None:
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        world.buses.publish(PARTNER, HANGZHOU, event())
        world.buses.publish(TENANT, VIRGINIA, event())

    assert play(act).seen == []


def test_the_platform_stamps_what_lands() -> None:
    def act(world: World) -> None:
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        world.buses.publish(PARTNER, VIRGINIA, event(aliyunaccountid="forged", aliyunoriginalaccountid="forged"))

    [(_, landed)] = play(act).seen
    assert (landed["aliyunaccountid"], landed["aliyuneventbusname"]) == (PARTNER, "default")
    assert landed["aliyunregionid"] == VIRGINIA
    assert landed["aliyunpublishtime"].endswith("Z")
    assert "aliyunoriginalaccountid" not in landed


@pytest.mark.parametrize("dead_letter_queue", ["dead-letters", "", "nowhere"])
def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue_of_its_target(dead_letter_queue: str) -> None:
    queues = Queues(Journal(Clock()))
    queues.create(PARTNER, "dead-letters")

    def act(world: World) -> None:
        world.failures = len(RETRY_AFTER_SECONDS) + 1
        world.buses.serve(QUEUE, deliver_to_queue(queues))
        target = replace(function(), dead_letter_queue=dead_letter_queue)
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", target))
        world.buses.publish(PARTNER, VIRGINIA, event())

    world = play(act)
    assert world.waits == list(RETRY_AFTER_SECONDS)
    letters = asyncio.run(queues.receive(PARTNER, "dead-letters", batch=16, wait_seconds=0))
    if dead_letter_queue == "dead-letters":
        (letter,) = letters
        assert json.loads(letter.body)["id"] == "id-CreateVirtualBorderRouter"
    else:
        assert not letters
        assert "dropped" in world.what()[-1] or "lost" in world.what()[-1]


def test_a_caller_cannot_set_the_platform_s_attributes() -> None:
    def act(world: World) -> None:
        world.buses.create_bus(TENANT, VIRGINIA, "own")
        world.buses.create_rule(TENANT, VIRGINIA, "own", rule("a", function()))
        forged = event(aliyunaccountid=PARTNER, aliyunoriginalaccountid=PARTNER, aliyunwhatever="x")
        world.buses.put_event(TENANT, VIRGINIA, "own", forged)

    [(_, landed)] = play(act).seen
    assert landed["aliyunaccountid"] == TENANT
    assert "aliyunoriginalaccountid" not in landed
    assert "aliyunwhatever" not in landed


def test_read_events_are_not_delivered() -> None:
    def act(world: World) -> None:
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        read = event()
        read["data"]["eventRW"] = "Read"
        world.buses.publish(PARTNER, VIRGINIA, read)

    world = play(act)
    assert world.seen == []
    assert world.what()[-1] == "read event not delivered"


def forwarding(world: World, *, trusted: bool) -> None:
    world.buses.create_bus(PARTNER, VIRGINIA, "from-tenants")
    world.buses.create_rule(PARTNER, VIRGINIA, "from-tenants", rule("in", function()))
    world.buses.create_rule(TENANT, VIRGINIA, "default", rule("out", bus_of(PARTNER)))
    if trusted:
        world.buses.trust(PARTNER, VIRGINIA, "from-tenants", TENANT)


def test_a_trusted_account_forwards_and_the_platform_names_it() -> None:
    def act(world: World) -> None:
        forwarding(world, trusted=True)
        world.buses.publish(TENANT, VIRGINIA, event())

    [(_, landed)] = play(act).seen
    assert landed["aliyunoriginalaccountid"] == TENANT
    assert (landed["aliyunaccountid"], landed["aliyuneventbusname"]) == (PARTNER, "from-tenants")
    assert landed["id"] == event()["id"]


def test_an_account_without_trust_is_dropped_with_an_entry() -> None:
    def act(world: World) -> None:
        forwarding(world, trusted=False)
        world.buses.publish(TENANT, VIRGINIA, event())

    world = play(act)
    assert world.seen == []
    assert f"{PARTNER} does not trust {TENANT}" in world.what()[-1]


def test_trust_in_one_account_is_no_trust_in_another() -> None:
    def act(world: World) -> None:
        forwarding(world, trusted=True)
        world.buses.create_rule(STRANGER, VIRGINIA, "default", rule("out", bus_of(PARTNER)))
        world.buses.publish(STRANGER, VIRGINIA, event())

    assert play(act).seen == []


def test_without_a_rule_nothing_leaves_the_tenant() -> None:
    def act(world: World) -> None:
        forwarding(world, trusted=True)
        world.buses.delete_rule(TENANT, VIRGINIA, "default", "out")
        world.buses.publish(TENANT, VIRGINIA, event())

    assert play(act).seen == []


def test_a_forged_event_still_carries_its_true_origin() -> None:
    def act(world: World) -> None:
        forwarding(world, trusted=True)
        world.buses.create_bus(TENANT, VIRGINIA, "own")
        world.buses.create_rule(TENANT, VIRGINIA, "own", rule("out", bus_of(PARTNER)))
        world.buses.put_event(TENANT, VIRGINIA, "own", event(aliyunoriginalaccountid=STRANGER))

    [(_, landed)] = play(act).seen
    assert landed["aliyunoriginalaccountid"] == TENANT


def test_the_origin_survives_a_second_forwarding_across_regions() -> None:
    def act(world: World) -> None:
        forwarding(world, trusted=True)
        world.buses.create_bus(PARTNER, HANGZHOU, "home")
        world.buses.create_rule(PARTNER, HANGZHOU, "home", rule("in", function("home")))
        onward = rule("onward", bus_of(PARTNER, "home", HANGZHOU))
        world.buses.create_rule(PARTNER, VIRGINIA, "from-tenants", onward)
        world.buses.publish(TENANT, VIRGINIA, event())

    landed = dict(play(act).seen)["home"]
    assert (landed["aliyunoriginalaccountid"], landed["aliyunregionid"]) == (TENANT, HANGZHOU)


def test_an_event_that_goes_in_circles_is_dropped() -> None:
    def act(world: World) -> None:
        world.buses.create_bus(PARTNER, VIRGINIA, "ring")
        world.buses.create_rule(PARTNER, VIRGINIA, "ring", rule("on", bus_of(PARTNER, "ring"), function()))
        world.buses.put_event(PARTNER, VIRGINIA, "ring", event())

    assert len(play(act).seen) == MOST_HOPS + 1


def test_a_queue_target_gets_the_event_as_json() -> None:
    async def act(world: World) -> None:
        queues = Queues(world.journal)
        queues.create(PARTNER, "plain")
        queues.create(PARTNER, "coded")
        world.buses.serve(QUEUE, deliver_to_queue(queues))
        plain = Target(target_id="1", type=QUEUE, name="plain")
        coded = Target(target_id="2", type=QUEUE, name="coded", base64_body=True)
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("q", plain, coded))
        world.buses.publish(PARTNER, VIRGINIA, event())
        await world.buses.idle()
        [first] = await queues.receive(PARTNER, "plain")
        [second] = await queues.receive(PARTNER, "coded")
        assert json.loads(first.body)["id"] == event()["id"]
        assert base64.b64decode(second.body).decode() == first.body

    play(act)


def test_a_failing_target_is_tried_again_and_may_then_succeed() -> None:
    def act(world: World) -> None:
        world.failures = 2
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        world.buses.publish(PARTNER, VIRGINIA, event())

    world = play(act)
    assert len(world.seen) == 1
    assert world.waits == list(RETRY_AFTER_SECONDS[:2])


def test_after_its_retries_an_event_is_dropped_with_an_entry() -> None:
    def act(world: World) -> None:
        world.failures = 99
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        world.buses.publish(PARTNER, VIRGINIA, event())

    world = play(act)
    assert world.seen == []
    assert world.what()[-1].endswith("dropped after its retries")
    assert sum("delivery to port_events failed: RuntimeError" in what for what in world.what()) == 4


def test_a_target_cannot_change_what_others_get() -> None:
    async def spoil(_target: Target, got: dict[str, Any]) -> None:
        got["data"].clear()
        seen.append(got)

    seen: list[dict[str, Any]] = []
    published = event()

    def act(world: World) -> None:
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function("a")))
        world.buses.serve(FUNCTION, spoil)
        world.buses.publish(PARTNER, VIRGINIA, published)

    play(act)
    assert seen
    assert published == event()


def landing_order(act: Callable[[Buses], None]) -> list[str]:
    def run(world: World) -> None:
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        act(world.buses)
        for name in ("A", "B", "A", "C"):
            world.buses.publish(PARTNER, VIRGINIA, event(name))

    return play(run).names()


def test_faults_lose_duplicate_and_reorder_the_next_events_of_a_name() -> None:
    assert landing_order(lambda buses: None) == ["A", "B", "A", "C"]
    assert landing_order(lambda buses: buses.faults.lose("A")) == ["B", "A", "C"]
    assert landing_order(lambda buses: buses.faults.lose("A", 5)) == ["B", "C"]
    assert landing_order(lambda buses: buses.faults.duplicate("B")) == ["A", "B", "B", "A", "C"]
    assert landing_order(lambda buses: buses.faults.reorder("A")) == ["B", "A", "A", "C"]
    assert landing_order(lambda buses: buses.faults.lose("*", 2)) == ["A", "C"]


def test_a_delayed_event_lands_when_it_is_released() -> None:
    async def act(world: World) -> None:
        world.buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        world.buses.faults.delay("A")
        for name in ("A", "B"):
            world.buses.publish(PARTNER, VIRGINIA, event(name))
        await world.buses.idle()
        assert (world.names(), world.buses.faults.held) == (["B"], 1)
        world.buses.release()

    world = play(act)
    assert world.names() == ["B", "A"]
    assert world.buses.faults.held == 0


def test_rules_are_checked_when_they_are_made() -> None:
    def act(world: World) -> None:
        buses = world.buses
        buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        with pytest.raises(EventRuleAlreadyExist):
            buses.create_rule(PARTNER, VIRGINIA, "default", rule("a", function()))
        with pytest.raises(EventBusNotExist):
            buses.create_rule(PARTNER, VIRGINIA, "nowhere", rule("b", function()))
        for targets in (
            (),
            (function(), function()),
            (Target(target_id="1", type="https", name="x"),),
            (bus_of(PARTNER, "default"),),
            (Target(target_id="1", type=QUEUE, name="q", account_id=STRANGER),),
        ):
            with pytest.raises(InvalidArgument):
                buses.create_rule(PARTNER, VIRGINIA, "default", rule("b", *targets))
        assert [r.name for r in buses.rules(PARTNER, VIRGINIA, "default")] == ["a"]
        with pytest.raises(EventRuleNotExist):
            buses.delete_rule(PARTNER, VIRGINIA, "default", "b")

    play(act)


def test_custom_buses_are_made_once_and_take_only_complete_events() -> None:
    def act(world: World) -> None:
        buses = world.buses
        buses.create_bus(PARTNER, VIRGINIA, "own")
        for name in ("own", "default"):
            with pytest.raises(EventBusAlreadyExist):
                buses.create_bus(PARTNER, VIRGINIA, name)
        with pytest.raises(EventBusNotExist):
            buses.put_event(TENANT, VIRGINIA, "own", event())
        with pytest.raises(InvalidArgument):
            buses.put_event(PARTNER, VIRGINIA, "own", event(id=""))
        with pytest.raises(InvalidArgument):
            buses.put_event(PARTNER, VIRGINIA, "default", event())

    play(act)
