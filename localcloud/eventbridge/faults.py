"""Faults of the event path, scripted: events that are lost, come twice, in another order, or late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Landing:
    """An event on its way to a bus. ``hops`` counts the forwardings behind it."""

    account_id: str
    region: str
    bus: str
    event: dict[str, Any] = field(repr=False)
    hops: int = 0

    @property
    def event_name(self) -> str:
        """The ActionTrail event name, or the CloudEvent type when there is none."""
        data = self.event.get("data")
        name = data.get("eventName") if isinstance(data, dict) else None
        return str(name or self.event.get("type", ""))


@dataclass
class Faults:
    """What goes wrong with the next events of a name; ``"*"`` stands for every name.

    Orders of one name are used up one after the other, one for each event. Deterministic: a delayed event comes
    when :meth:`release` is called, a reordered one right after the next event that lands anywhere.
    """

    _orders: dict[str, deque[str]] = field(default_factory=dict)
    _delayed: list[Landing] = field(default_factory=list)
    _overtaken: list[Landing] = field(default_factory=list)

    def lose(self, event_name: str, times: int = 1) -> None:
        """The next ``times`` events never arrive."""
        self._order(event_name, "lose", times)

    def duplicate(self, event_name: str, times: int = 1) -> None:
        """The next ``times`` events arrive twice, with the same id."""
        self._order(event_name, "duplicate", times)

    def reorder(self, event_name: str, times: int = 1) -> None:
        """Each of the next ``times`` events is overtaken by the event after it."""
        self._order(event_name, "reorder", times)

    def delay(self, event_name: str, times: int = 1) -> None:
        """The next ``times`` events are held back until :meth:`release`."""
        self._order(event_name, "delay", times)

    @property
    def held(self) -> int:
        """How many events are held back now, delayed or waiting to be overtaken."""
        return len(self._delayed) + len(self._overtaken)

    def release(self) -> list[Landing]:
        """Give up every event that is held back, oldest first."""
        released = [*self._delayed, *self._overtaken]
        self._delayed.clear()
        self._overtaken.clear()
        return released

    def apply(self, landing: Landing) -> tuple[str | None, list[Landing]]:
        """Which fault, if any, hits this event, and what lands now."""
        fault = self._take(landing.event_name)
        if fault == "reorder":
            self._overtaken.append(landing)
            return fault, []
        overtaken, self._overtaken = self._overtaken, []
        if fault == "delay":
            self._delayed.append(landing)
        own = {"lose": 0, "delay": 0, "duplicate": 2}.get(fault or "", 1)
        return fault, [landing] * own + overtaken

    def _order(self, event_name: str, fault: str, times: int) -> None:
        if times < 1:
            raise ValueError("a fault hits at least one event")
        self._orders.setdefault(event_name, deque()).extend([fault] * times)

    def _take(self, event_name: str) -> str | None:
        for name in (event_name, "*"):
            orders = self._orders.get(name)
            if orders:
                return orders.popleft()
        return None
