"""Event buses: one ``default`` bus of each account and region for the cloud's own events, and custom buses.

Delivery is asynchronous and at least once. Attributes that begin with ``aliyun`` are the platform's: whatever a
caller writes there is overwritten or removed (EventBridge user guide, "Event overview").
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from localcloud.clock import Clock
from localcloud.eventbridge.errors import (
    EventBusAlreadyExist,
    EventBusNotExist,
    EventRuleAlreadyExist,
    EventRuleNotExist,
    InvalidArgument,
)
from localcloud.eventbridge.faults import Faults, Landing
from localcloud.eventbridge.rules import BUS, DEFAULT_BUS, QUEUE, TARGET_TYPES, Delivery, Rule, Target
from localcloud.journal import Journal

RETRY_AFTER_SECONDS = (1.0, 2.0, 4.0)
"""Waits before the three retries of BACKOFF_RETRY; the cloud waits 10 to 20 seconds, a person here should not."""

MOST_HOPS = 4
"""[INF] How often an event is forwarded before it counts as going in circles."""

_REQUIRED = ("id", "source", "specversion", "type")


@dataclass
class _Bus:
    rules: dict[str, Rule] = field(default_factory=dict)
    trusted: set[str] = field(default_factory=set)


class Buses:
    """All buses of all accounts and regions; used on one event loop.

    ``deliver`` has a delivery for each target type it can serve; ``acs.eventbridge`` is built in. ``sleep`` is
    injected so that tests of retries do not wait.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        *,
        deliver: Mapping[str, Delivery] | None = None,
        faults: Faults | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.faults = faults or Faults()
        self._journal = journal
        self._clock = clock
        self._deliver: dict[str, Delivery] = dict(deliver or {})
        self._sleep = sleep
        self._custom: dict[tuple[str, str, str], _Bus] = {}
        self._default: dict[tuple[str, str], _Bus] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, target_type: str, delivery: Delivery) -> None:
        """Use ``delivery`` for a target type from now on. Raises ValueError for a type that is not played."""
        if target_type not in TARGET_TYPES - {BUS}:
            raise ValueError(f"no such target type: {target_type}")
        self._deliver[target_type] = delivery

    def create_bus(self, account_id: str, region: str, name: str) -> None:
        """Create a custom bus. Raises EventBusAlreadyExist (``default`` always exists) or InvalidArgument."""
        if not 2 <= len(name) <= 127:
            raise InvalidArgument("The name of an event bus has 2 to 127 characters.")
        if name == DEFAULT_BUS or (account_id, region, name) in self._custom:
            raise EventBusAlreadyExist(f"The event bus {name} exists already.")
        self._custom[account_id, region, name] = _Bus()
        self._journal.write("eventbridge", f"bus {name} created", account_id=account_id, region=region, bus=name)

    def trust(self, account_id: str, region: str, bus: str, source_account_id: str) -> None:
        """Let another account forward events to a custom bus.

        It stands for the RAM role with a trust policy that the bus's owner makes (EventBridge user guide, "Route
        events to EventBridge"). Raises EventBusNotExist.
        """
        self._bus(account_id, region, bus).trusted.add(source_account_id)

    def create_rule(self, account_id: str, region: str, bus: str, rule: Rule) -> None:
        """Put a rule on a bus of this account.

        Raises EventBusNotExist, EventRuleAlreadyExist, or InvalidArgument for a target that is not played, a target
        id used twice, or the default bus as a destination: "only custom buses" (as for :meth:`trust`).
        """
        rules = self._bus(account_id, region, bus).rules
        if rule.name in rules:
            raise EventRuleAlreadyExist(f"The rule {rule.name} exists already.")
        if len({target.target_id for target in rule.targets}) != len(rule.targets) or not rule.targets:
            raise InvalidArgument("A rule has at least one target, and each has its own id.")
        for target in rule.targets:
            if target.type not in TARGET_TYPES:
                raise InvalidArgument(f"The target type {target.type} is not played by the local cloud.")
            if target.type == BUS and target.name == DEFAULT_BUS:
                raise InvalidArgument("Events can be forwarded to custom buses only.")
            if target.type != BUS and target.account_id not in {"", account_id}:
                raise InvalidArgument("Only an event bus of another account can be a target.")
        targets = tuple(
            replace(t, account_id=t.account_id or account_id, region=t.region or region) for t in rule.targets
        )
        rules[rule.name] = replace(rule, targets=targets)
        self._journal.write(
            "eventbridge",
            f"rule {rule.name} created on bus {bus}",
            account_id=account_id,
            region=region,
            bus=bus,
            rule=rule.name,
        )

    def rules(self, account_id: str, region: str, bus: str) -> list[Rule]:
        """The rules of a bus in the order of their creation. Raises EventBusNotExist."""
        return list(self._bus(account_id, region, bus).rules.values())

    def delete_rule(self, account_id: str, region: str, bus: str, name: str) -> None:
        """Take a rule off a bus. Raises EventBusNotExist or EventRuleNotExist."""
        if self._bus(account_id, region, bus).rules.pop(name, None) is None:
            raise EventRuleNotExist(f"The rule {name} does not exist.")

    def publish(self, account_id: str, region: str, event: dict[str, Any]) -> None:
        """An event of a cloud service on the default bus of the account and region; must run on the loop.

        ActionTrail records of reads never arrive (user guide, "ActionTrail events": write type only).
        """
        data = event.get("data")
        if isinstance(data, dict) and data.get("eventRW", "Write") != "Write":
            self._journal.write("eventbridge", "read event not delivered", account_id=account_id, region=region)
            return
        self._accept(Landing(account_id=account_id, region=region, bus=DEFAULT_BUS, event=event))

    def put_event(self, account_id: str, region: str, bus: str, event: Mapping[str, Any]) -> None:
        """A tenant's or partner's own event on a custom bus of the same account.

        Raises EventBusNotExist, or InvalidArgument when a required attribute is missing or the bus is ``default``:
        that bus takes events of cloud services only.
        """
        if bus == DEFAULT_BUS:
            raise InvalidArgument("The default event bus takes events of cloud services only.")
        self._bus(account_id, region, bus)
        missing = [name for name in _REQUIRED if not event.get(name)]
        if missing:
            raise InvalidArgument(f"The event lacks {', '.join(missing)}.")
        own = {name: value for name, value in event.items() if not name.startswith("aliyun")}
        self._accept(Landing(account_id=account_id, region=region, bus=bus, event=own))

    def release(self) -> None:
        """Let every event land that a fault holds back."""
        for landing in self.faults.release():
            self._land(landing)

    @property
    def under_way(self) -> int:
        """How many deliveries have begun and not ended, retries included."""
        return len(self._tasks)

    async def idle(self) -> None:
        """Return when no delivery is under way, forwarded ones included; events held back by faults do not count."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Give up every delivery that is under way."""
        for task in self._tasks:
            task.cancel()
        await self.idle()

    def _bus(self, account_id: str, region: str, name: str) -> _Bus:
        if name == DEFAULT_BUS:
            return self._default.setdefault((account_id, region), _Bus())
        try:
            return self._custom[account_id, region, name]
        except KeyError:
            raise EventBusNotExist(f"The event bus {name} does not exist.") from None

    def _accept(self, landing: Landing) -> None:
        fault, landings = self.faults.apply(landing)
        if fault is not None:
            self._write(f"fault: {fault} {landing.event_name}", landing, fault=fault)
        for each in landings:
            self._land(each)

    def _land(self, landing: Landing) -> None:
        """Stamp the event as the platform does and start its deliveries."""
        now = self._clock.now().astimezone(UTC)
        event = copy.deepcopy(landing.event) | {
            "aliyunaccountid": landing.account_id,
            "aliyunpublishtime": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "aliyuneventbusname": landing.bus,
            "aliyunregionid": landing.region,
        }
        if not landing.hops:
            event.pop("aliyunoriginalaccountid", None)
        landed = replace(landing, event=event)
        self._write(f"{landing.event_name} on bus {landing.bus}", landed)
        for rule in self._bus(landing.account_id, landing.region, landing.bus).rules.values():
            if rule.enabled and rule.pattern.matches(event):
                for target in rule.targets:
                    task = asyncio.get_running_loop().create_task(self._send(landed, rule, target))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    async def _send(self, landing: Landing, rule: Rule, target: Target) -> None:
        if target.type == BUS:
            self._forward(landing, target)
            return
        for wait in (*RETRY_AFTER_SECONDS, None):
            try:
                await self._hand_over(target, copy.deepcopy(landing.event))
            except Exception as problem:  # noqa: BLE001 - whatever a target does, the bus goes on
                self._write(
                    f"delivery to {target.name} failed: {type(problem).__name__}: {problem}",
                    landing,
                    rule=rule.name,
                    target=target.name,
                )
            else:
                return
            if wait is None:
                break
            await self._sleep(wait)
        await self._give_up(landing, rule, target)

    async def _give_up(self, landing: Landing, rule: Rule, target: Target) -> None:
        """After the retries: to the target's dead-letter queue, as the event is; the form is undocumented [INF]."""
        where = {"rule": rule.name, "target": target.name}
        if not target.dead_letter_queue:
            self._write(f"{landing.event_name} dropped after its retries", landing, **where)
            return
        queue = Target(
            target_id="dead-letters", type=QUEUE, name=target.dead_letter_queue, account_id=landing.account_id
        )
        try:
            await self._hand_over(queue, copy.deepcopy(landing.event))
        except Exception as problem:  # noqa: BLE001 - whatever the queue does, the bus goes on
            self._write(f"dead letter lost: {type(problem).__name__}: {problem}", landing, **where)
        else:
            self._write(f"{landing.event_name} moved to {target.dead_letter_queue}", landing, **where)

    async def _hand_over(self, target: Target, event: dict[str, Any]) -> None:
        delivery = self._deliver.get(target.type)
        if delivery is None:
            raise LookupError(f"nothing serves targets of the type {target.type}")
        await delivery(target, event)

    def _forward(self, landing: Landing, target: Target) -> None:
        """Put the event on another bus, if its owner trusts us.

        ``aliyunoriginalaccountid`` becomes the account from which the event first came. [INF] ``aliyunaccountid`` is
        the owner of the bus on which the event is seen.
        """
        source = landing.account_id
        where = {"to_account_id": target.account_id, "to_region": target.region, "to_bus": target.name}
        destination = self._custom.get((target.account_id, target.region, target.name))
        if destination is None:
            self._write(f"{landing.event_name} dropped: no bus {target.name}", landing, **where)
        elif target.account_id != source and source not in destination.trusted:
            self._write(f"{landing.event_name} dropped: {target.account_id} does not trust {source}", landing, **where)
        elif landing.hops >= MOST_HOPS:
            self._write(f"{landing.event_name} dropped: forwarded {landing.hops} times", landing, **where)
        else:
            original = landing.event.get("aliyunoriginalaccountid", source)
            self._land(
                Landing(
                    account_id=target.account_id,
                    region=target.region,
                    bus=target.name,
                    event=landing.event | {"aliyunoriginalaccountid": original},
                    hops=landing.hops + 1,
                )
            )

    def _write(self, what: str, landing: Landing, **fields: Any) -> None:
        self._journal.write(
            "eventbridge",
            what,
            account_id=landing.account_id,
            region=landing.region,
            bus=landing.bus,
            event_id=landing.event.get("id"),
            event_name=landing.event_name,
            **fields,
        )
