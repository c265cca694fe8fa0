"""A partner's day through the real functions, with records that break them, and the day as it would have been.

The clock stands still while records come, so that nothing that is compared rests on when a record was taken; the cloud
has done everything before the first record arrives, as if all events were late.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from crossport.application.dead_letters import replay
from crossport.application.endings import Ending
from crossport.application.ports import DeadLetter, FunctionAnswer, LetterState, OutboxRow
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import OrderMode
from crossport.entrypoints.clock import RandomIds
from crossport.entrypoints.dispatch import keep_ledger, observe_calls, take_orders
from crossport.entrypoints.envelope import Opened
from crossport.entrypoints.errors import RetryRecords
from crossport.entrypoints.function import Handler, Run, function
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.letters import keep_dead_letters, open_letters
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import App
from tests.fakes.partner_world import CIRCUIT, PARTNER, REGION, TENANT, PartnerWorld

MAX_ATTEMPTS = 2
POLICY = Policy(account_id=PARTNER, order_modes=frozenset(OrderMode), max_attempts=MAX_ATTEMPTS)
CONTEXT = SimpleNamespace(request_id="r", function=SimpleNamespace(timeout=60))
#: VLAN IDs of the ports that are there in the morning; 0 excludes the others, so it is not among them.
VLANS = (120, 121, 122)
RUNS: dict[str, Run] = {
    "port_events": observe_calls,
    "vbr_events": observe_calls,
    "orders": take_orders,
    "billing": keep_ledger,
}


@dataclass(frozen=True)
class Arrival:
    """One invocation: a function and the elements of its batch, or a turn of the relay ("")."""

    function: str
    elements: tuple[dict[str, Any], ...] = ()

    @property
    def event(self) -> bytes:
        """The batch as a stream pushes it."""
        return json.dumps(list(self.elements)).encode()


@dataclass
class Day:
    """The functions over one world. ``poison``: ids of records that break their function until ``mended``."""

    poison: frozenset[str] = frozenset()
    #: Invocations, by number, that never get to their end: Function Compute reports them to the destination.
    crashes: frozenset[int] = frozenset()
    mended: bool = False
    world: PartnerWorld = field(default_factory=lambda: PartnerWorld(POLICY))
    handlers: dict[str, Handler] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, run in RUNS.items():
            self.handlers[name], _, _ = function(name, self._poisoned(run), environ=_ENVIRON, wire=self._wire)
        self.handlers["dead_letters"], _, _ = function(
            "dead_letters", keep_dead_letters, opens=open_letters, gives_up=False, environ=_ENVIRON, wire=self._wire
        )
        morning(self.world)

    def take(self, arrivals: Sequence[Arrival]) -> None:
        """Everything that comes, each until it is dealt with."""
        for number, arrival in enumerate(arrivals):
            if not arrival.function:
                self.world.relay()
            elif number in self.crashes:
                self._reported(arrival)
            else:
                self._pushed(arrival.function, arrival.event)

    def replayed(self) -> int:
        """Send every kept letter to its function, again and again until none is left; how many there were."""
        there = len(self._kept())
        while kept := self._kept():
            taken = [self._sent(letter) for letter in kept]
            assert any(taken), f"nobody takes {kept[0]}"
        return there

    def ended(self) -> None:
        """The evening: reads are repeated until nothing is due."""
        self.world.settled(turns=3)

    def outcome(self) -> dict[str, Any]:
        """What is compared: connections, the live record of each billing fact, and the keys of the outbox."""
        state = self.world.memory.state
        reversed_ = {entry.record.reverses for entry in state.ledger.values()}
        return {
            "connections": {key: stored.connection for key, stored in state.connections.items()},
            "phases": state.phases,
            "ledger": {
                entry.record.fact: entry.record.digest
                for key, entry in state.ledger.items()
                if key not in reversed_ and entry.record.reverses is None
            },
            "outbox": {_key(entry.row) for entry in state.outbox.values() if entry.row.kind != "dead_letters"},
            "holds": state.holds,
            "findings": set(state.findings),
        }

    def invoke(self, name: str, payload: bytes) -> FunctionAnswer:
        """Function Compute, as a replay meets it."""
        try:
            return FunctionAnswer(payload=self.handlers[name](payload, CONTEXT).encode())
        except RetryRecords as error:
            document = {"errorType": "RetryRecords", "errorMessage": str(error)}
            return FunctionAnswer(payload=json.dumps(document).encode(), error_type="UnhandledInvocationError")

    def _kept(self) -> list[DeadLetter]:
        letters = self.world.memory.state.letters.values()
        return [letter for letter in letters if letter.state is LetterState.KEPT]

    def _sent(self, letter: DeadLetter) -> bool:
        told: dict[str, Any] = {"actor": "noc", "reason": "mended", "at": self.world.clock.now()}
        return replay(letter, functions=self, store=self.world.memory, function=letter.function, **told).taken

    def _pushed(self, name: str, event: bytes) -> None:
        """A stream's pushes: again after a failure; the function itself ends it after ``MAX_ATTEMPTS``."""
        for _ in range(MAX_ATTEMPTS + 1):
            if not self.invoke(name, event).error_type:
                return
        raise AssertionError(f"{name} never ends with {event!r}")

    def _reported(self, arrival: Arrival) -> None:
        """An asynchronous invocation that crashed, as it arrives in the queue; now and then twice."""
        envelope = {
            "requestContext": {
                "requestId": "1-1",
                "functionArn": f"acs:fc:{REGION}:{PARTNER}:functions/{arrival.function}",
                "condition": "FunctionUnhandledError",
            },
            "requestPayload": arrival.event.decode(),
            "responsePayload": '{"errorMessage": "Process exited unexpectedly"}',
        }
        letter = {"requestId": "r", "messageId": "dl", "messageBody": json.dumps(envelope)}
        for _ in range(2):
            self._pushed("dead_letters", json.dumps([letter]).encode())

    def _poisoned(self, run: Run) -> Run:
        def poisoned(app: App, opened: Sequence[Opened], invocation: Invocation) -> Sequence[Ending]:
            if not self.mended and any(one.key.rpartition("|")[2] in self.poison for one in opened):
                raise ZeroDivisionError("a bug that this record meets")
            return run(app, opened, invocation)

        return poisoned

    def _wire(self, settings: Settings, environ: Any) -> App:
        return App(
            settings=settings,
            clock=self.world.clock,
            ids=RandomIds(),
            environ=environ,
            given_store=self.world.memory,
            given_policies=self.world.policies,
        )


_ENVIRON = {"CROSSPORT_DB": "sqlite:////nowhere/x.db", "CROSSPORT_REGION": REGION}


def _key(row: OutboxRow) -> str:
    """A row's key. That of a read begins with its connection where one was known by then: the cause tells it, too."""
    return row.key.partition(":read_port:")[2] if row.kind == "read_port" else row.key


def morning(world: PartnerWorld) -> tuple[str, ...]:
    """Ports that were ordered and made, then accepted and paid, with VBRs, and one that was made by hand; their ids.

    Nobody has told us of anything since they were made.
    """
    ports = [world.provisioned(f"order-{vlan}", vlan_id=vlan, spec="100M") for vlan in VLANS]
    ports.append(world.make_in_console(vlan_id=300, spec="100M"))
    for port_id, vlan in zip(ports, (*VLANS, 300), strict=True):
        world.cloud.accept(port_id)
        now = world.clock.now()
        world.cloud.change_port(
            port_id, status="Enabled", enabled_time=now, end_time=now.replace(month=now.month + 1), at=now
        )
        world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=vlan)
    return tuple(ports)


def history(chance: random.Random) -> list[Arrival]:
    """A day's arrivals in a random order, with repeats, in batches, and turns of the relay between them."""
    records = _records(morning(PartnerWorld(POLICY)))
    chance.shuffle(records)
    records += chance.sample(records, len(records) // 4)
    arrivals = []
    while records:
        name, first = records.pop()
        batch = [first]
        while records and records[-1][0] == name and chance.random() < 0.7:
            batch.append(records.pop()[1])
        arrivals.append(Arrival(name, tuple(batch)))
        if chance.random() < 0.2:
            arrivals.append(Arrival(""))
    return arrivals


def ids_of(arrivals: Sequence[Arrival]) -> list[str]:
    """The ids of all records, each once."""
    return list(dict.fromkeys(element["id"] for arrival in arrivals for element in arrival.elements))


def _records(ports: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Every record of the day with the function that it is for."""
    number = 0
    found: list[tuple[str, dict[str, Any]]] = []

    def add(name: str, make: Callable[[str], dict[str, Any]]) -> None:
        nonlocal number
        number += 1
        found.append((name, make(f"id-{number:03}")))

    for index, port_id in enumerate(ports):
        on_port, vbr = {"PhysicalConnectionId": port_id}, {"VbrId": f"vbr-{index + 1}"}
        add("port_events", _call("ConfirmPhysicalConnection", TENANT, on_port))
        add("port_events", _call("EnablePhysicalConnection", PARTNER, on_port))
        add("vbr_events", _call("CreateVirtualBorderRouter", TENANT, on_port, vbr))
        # A reading of the port that was made by hand would be refused until an event has had it adopted.
        for hour in range(2) if index < len(VLANS) else ():
            add("billing", _message("usage", _reading(port_id, f"meter-{index}-{hour}", hour)))
    for vlan in range(400, 406):
        order_id = f"late-{vlan}"
        add("orders", _message("orders", _order(order_id, vlan)))
        add("orders", _message("orders", _milestone(order_id)))
    add("port_events", _call("CreateVpc", PARTNER, {}))
    add("orders", _message("orders", {"type": "order.new", "client_order_id": "wrong"}))
    return found


def _call(name: str, account_id: str, request: dict[str, Any], response: dict[str, Any] | None = None) -> Any:
    def make(event_id: str) -> dict[str, Any]:
        return {
            "id": event_id,
            "source": "acs.vpc",
            "specversion": "1.0",
            "type": "vpc:ActionTrail:ApiCall",
            "aliyunaccountid": PARTNER,
            "aliyunoriginalaccountid": account_id,
            "aliyunregionid": REGION,
            "data": {
                "eventName": name,
                "eventTime": "2026-03-01T11:00:00Z",
                "acsRegion": REGION,
                "requestParameters": request,
                "responseElements": response or {},
            },
        }

    return make


def _message(queue: str, body: dict[str, Any]) -> Any:
    def make(message_id: str) -> dict[str, Any]:
        return {
            "id": message_id,
            "source": "acs:mns",
            "specversion": "1.0",
            "type": "mns:Queue:SendMessage",
            "subject": f"acs:mns:{REGION}:{PARTNER}:queues/{queue}",
            "aliyunaccountid": PARTNER,
            "data": {"requestId": "r", "messageId": message_id, "messageBody": json.dumps(body)},
        }

    return make


def _reading(port_id: str, reading_id: str, hour: int) -> dict[str, Any]:
    return {
        "type": "usage.reported",
        "account_id": PARTNER,
        "port_id": port_id,
        "meter_reading_id": reading_id,
        "period_start": f"2026-03-01T{hour:02}:00:00Z",
        "period_end": f"2026-03-01T{hour + 1:02}:00:00Z",
        "outbound_bytes": 7 << 30,
    }


def _order(order_id: str, vlan_id: int) -> dict[str, Any]:
    """An order that waits for its last mile: no port is made today."""
    return {
        "type": "order.new",
        "client_order_id": order_id,
        "account_id": PARTNER,
        "circuit_id": CIRCUIT,
        "tenant_uid": TENANT,
        "spec": "50M",
        "vlan_id": vlan_id,
        "order_mode": str(OrderMode.TENANT_PAYS),
    }


def _milestone(order_id: str) -> dict[str, Any]:
    reached = {"name": "uid_confirmed", "at": "2026-03-01T10:00:00Z", "actor": "tenant"}
    return {"type": "order.milestone", "client_order_id": order_id, "account_id": PARTNER, "milestone": reached}
