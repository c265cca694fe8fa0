"""Many connections on a few circuits, and what befalls them in ten days: the world whose events are dropped.

Everything comes from one seed. The cloud lives its ten days once and remembers how each port looked since when; so the
same days can be told again and again to a store as it was before them, with other events missing each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Self

from crossport.application.actiontrail import CloudRecord
from crossport.application.relay import relay
from crossport.domain.connection import Milestone
from crossport.domain.vocabulary import MilestoneName, OrderMode
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_queue import MemoryQueue
from tests.simulation.cloud_model import ModelPort
from tests.simulation.engines import SqliteEngineUnderTest
from tests.simulation.migrating_cloud import MigratingCloud
from tests.simulation.world import PARTNER, STRANGER, TENANTS, World

#: Ports ordered on one circuit; VLAN IDs 1 to this. Those above are for changes and for ports made in the console.
PORTS_A_CIRCUIT = 250
#: One connection in so many has a neighbour that the partner makes in the console.
CONSOLE = 40
DAYS = 10
#: How many connections lead a quiet life in these days.
QUIET = 0.5
#: Something that a party does, or the cloud.
Act = Callable[[], object]
GATES = (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED)
HOUR = timedelta(hours=1)
_SENT = "UPDATE outbox SET state = 'done' WHERE state = 'due' AND target <> 'cloud'"


class RewoundClock(ManualClock):
    """A clock that can be put back, to live the same days again."""

    def put(self, at: datetime) -> None:
        """It is this time now."""
        self._now = at


@dataclass
class DroppedWorld(World):
    """A world on SQLite whose clock can be put back and whose store can be branched; its cloud is one for all."""

    def opened(self) -> Any:
        """See ``World``."""
        self.clock: RewoundClock = RewoundClock(self.clock.now())
        self.engine = SqliteEngineUnderTest(self.clock.now)
        return self.engine.whole

    def run_relay(self) -> None:
        """One run of the relay. Messages count as sent when they are written: this world is about what is known."""
        self.engine.whole._sqlite._connection.execute(_SENT)
        relay(
            store=self.store,
            cloud=lambda: self.cloud,
            queue=lambda: self.queue,
            policies=self.policies,
            clock=self.clock,
            ids=self.ids,
            until=self.clock.now() + timedelta(seconds=30),
        )

    def branch(self) -> Self:
        """The same cloud and clock, with a store of its own that begins where this one stands."""
        other = copy(self)
        other.engine = self.engine.branch()
        other.store = other.engine.whole
        other.queue = MemoryQueue(self.clock, ("notices", "order-replies", "billing-records"))
        other.deals = {connection_id: replace(deal) for connection_id, deal in self.deals.items()}
        other._live_of, other._ledger_seen = defaultdict(dict), set()
        return other


@dataclass(kw_only=True)
class Lives:
    """The connections as they were before, what befell them, and the records that the cloud made of it."""

    seed: int
    connections: int
    world: DroppedWorld
    #: When the ten days begin and when they are over.
    before: datetime = field(init=False)
    after: datetime = field(init=False)
    records: list[CloudRecord] = field(init=False)
    #: How many records the cloud has made in all.
    written: int = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.cloud: MigratingCloud = self.world.cloud
        self._order_all()
        self._enable_some()
        self.before = self.world.clock.now()
        told = len(self.cloud.events)
        self._live()
        self.records, self.written = self.cloud.events[told:], len(self.cloud.events)
        self.after = self.world.clock.now()

    def _order_all(self) -> None:
        """Every connection is ordered and its port made."""
        world, circuits = self.world, list(self.world.circuits)
        for number in range(self.connections):
            name = f"order-{number}"
            world.order(
                name,
                circuit_id=circuits[number // PORTS_A_CIRCUIT],
                tenant_uid=self.random.choice(TENANTS[:2]),
                spec=self.random.choice(("100M", "200M")),
                vlan_id=number % PORTS_A_CIRCUIT + 1,
                order_mode=str(self.random.choice(list(OrderMode))),
                milestones=tuple(Milestone(name=gate, at=world.clock.now(), actor="operator") for gate in GATES),
            )
        world.run_relay()
        made = {port.token: port.port_id for port in self.cloud.ports.values()}
        for deal in world.deals.values():
            deal.milestones |= {str(gate) for gate in GATES}
            # Found by its id from now on: looking for the token again and again would take longer than all else.
            deal.claimed = made[deal.token]
        world.advance(HOUR)

    def _enable_some(self) -> None:
        """Some are accepted, paid and carry a VBR already, and this was read."""
        for port in list(self.cloud.ports.values()):
            if self.random.random() < 0.4:
                self._in_service(port)
        self.world.advance(HOUR)
        self.world.read_all()
        self.world.run_relay()

    def _live(self) -> None:
        """Ten days: each act in its hour, no two of one port in the same one."""
        acts: dict[int, list[Act]] = {}
        for number, port in enumerate(list(self.cloud.ports.values())):
            hour = self.random.randrange((DAYS - 2) * 24)
            for later, act in enumerate(self._life(port)):
                acts.setdefault(hour + 5 * later, []).append(act)
            if number % CONSOLE == 0:
                acts.setdefault(hour, []).append(partial(self._made_in_console, port))
        for hour in range(DAYS * 24):
            self.world.advance(HOUR)
            for act in acts.get(hour, ()):
                act()

    def _life(self, port: ModelPort) -> list[Act]:
        """What befalls one port. Nothing is undone that only an event has told of: no list could show it any more."""
        if self.random.random() < QUIET:
            return []
        return self.random.choice(self._of_running(port) if port.accepted else self._of_offered(port))

    def _of_offered(self, port: ModelPort) -> list[list[Act]]:
        cloud, tenant = self.cloud, port.tenant_uid
        accept, pay = partial(self._accept, port), partial(cloud.pay, port, self.random.randrange(1, 4))
        vbr = partial(cloud.make_vbr, port, tenant, port.vlan_id)
        astray = partial(cloud.make_vbr, port, tenant, self._own_vlan(port))
        return [
            [accept],
            [pay],
            [accept, pay],
            [pay, accept],
            [accept, pay, vbr],
            [accept, pay, vbr],
            [accept, pay, vbr, partial(cloud.lock, port, "FinancialLocked")],
            [accept, pay, partial(cloud.make_vbr, port, PARTNER, port.vlan_id)],
            [accept, pay, astray],
            [accept, pay, partial(cloud.make_vbr, port, tenant, self._neighbours_vlan(port))],
            [accept, pay, vbr, astray],
            [partial(cloud.delete, port, tenant)],
        ]

    def _of_running(self, port: ModelPort) -> list[list[Act]]:
        cloud, tenant = self.cloud, port.tenant_uid
        (vbr,) = cloud.vbrs_on(port)
        drop, end = partial(cloud.drop_vbr, vbr, tenant), partial(cloud.terminate, port, tenant)
        order_spec = partial(self._update, port, port.vlan_id, "500M")
        return [
            [partial(cloud.lock, port, "FinancialLocked")],
            [partial(cloud.lock, port, "SecurityLocked"), partial(cloud.lock, port, "Normal")],
            [partial(cloud.pay, port, 2)],
            [partial(cloud.move_end, port, timedelta(days=3))],
            [drop],
            [drop, partial(cloud.make_vbr, port, tenant, port.vlan_id)],
            [partial(cloud.make_vbr, port, STRANGER, self._own_vlan(port))],
            [partial(cloud.switch_vbr, vbr, "terminated")],
            [drop, end],
            [drop, end, partial(cloud.recover, port, tenant)],
            [drop, end, partial(cloud.delete, port, tenant)],
            [partial(self._update, port, self._own_vlan(port), "")],
            [order_spec],
            [order_spec, partial(cloud.pay, port, 1)],
        ]

    def _accept(self, port: ModelPort) -> None:
        """The tenant accepts; what the partner is to pay, it pays in the console before the relay does."""
        self.cloud.accept(port)
        if port.order_mode == OrderMode.PARTNER_PAYS and not port.months:
            self.cloud.pay(port)

    def _in_service(self, port: ModelPort) -> None:
        self._accept(port)
        if not port.months:
            self.cloud.pay(port)
        self.cloud.make_vbr(port, port.tenant_uid, port.vlan_id)

    def _update(self, port: ModelPort, vlan_id: int, expect_spec: str) -> None:
        """The partner changes the port in the console."""
        place = {"account_id": PARTNER, "region": "", "port_id": port.port_id}
        self.cloud.update_port(**place, vlan_id=vlan_id, expect_spec=expect_spec, token="")

    def _made_in_console(self, neighbour: ModelPort) -> None:
        self.cloud.make_port(
            circuit_id=neighbour.circuit_id,
            tenant_uid=neighbour.tenant_uid,
            vlan_id=neighbour.vlan_id + 2 * PORTS_A_CIRCUIT,
            spec="100M",
            order_mode=str(OrderMode.TENANT_PAYS),
        )

    def _own_vlan(self, port: ModelPort) -> int:
        """A VLAN ID that is no port's, and no other port's VBR's."""
        return port.vlan_id + PORTS_A_CIRCUIT

    def _neighbours_vlan(self, port: ModelPort) -> int:
        """The VLAN ID of another port on the circuit."""
        return port.vlan_id % min(PORTS_A_CIRCUIT, self.connections) + 1


def batches(records: Sequence[CloudRecord], size: int = 16) -> Iterator[list[CloudRecord]]:
    """As event streaming hands them over."""
    return (list(records[start : start + size]) for start in range(0, len(records), size))


def circuits_for(connections: int) -> dict[str, int]:
    """Circuits with room for so many ports."""
    return {f"pc-c{number:03d}": 1_000_000 for number in range(-(-connections // PORTS_A_CIRCUIT))}
