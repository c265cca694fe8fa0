"""A life in steps that processes carry out: everything outside the store is kept in files, so that it outlives a kill.

``work`` does one step as its function would; killed at any of its statements, calls and commits, the step comes again
(mail is delivered at least once, a lease ends), and in the end everything must be as if nothing had happened.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crossport.adapters.store.postgresql import PostgresqlStore
from crossport.adapters.store.sqlite import SqliteStore
from crossport.application.bill import UsageReading, record_usage, seal
from crossport.application.commit import read_port
from crossport.application.observe import observe
from crossport.application.order_input import OrderMessage
from crossport.application.place_order import place_orders
from crossport.application.ports import OutboxState
from crossport.application.relay import relay
from crossport.application.send_notices import send_notices
from crossport.domain.connection import Milestone, Request, connection_id_for
from crossport.domain.orders import Order
from crossport.domain.vocabulary import MilestoneName, OrderMode, RequestKind
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_state import State
from tests.simulation.engines import stepwise, stepwise_postgresql, unflushed
from tests.simulation.fate import Watched
from tests.simulation.migrating_cloud import MigratingCloud
from tests.simulation.stage import notice_of, rendered
from tests.simulation.world import CIRCUITS, PARTNER, REGION, TENANTS, OnePolicy, SeededIds

BEGINNING = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ORDER, TENANT = "order-1", TENANTS[0]
CONNECTION = connection_id_for(PARTNER, "order", ORDER)


@dataclass
class Job:
    """One step for a process to do: on which store, in which folder, and at which step of its own it is killed."""

    url: str
    folder: Path
    step: str
    #: 0: it lives, and says how many steps it has made.
    kill_at: int = 0


class Files:
    """What outlives a process: the cloud with its clock, what was sent, and how far a process came."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def cloud(self) -> MigratingCloud:
        """The cloud as it was left."""
        found: MigratingCloud = pickle.loads((self._folder / "cloud").read_bytes())
        return found

    def keep(self, cloud: MigratingCloud) -> None:
        """Keep the cloud as it is now, all of it or nothing."""
        fresh = self._folder / "cloud.new"
        fresh.write_bytes(pickle.dumps(cloud))
        fresh.replace(self._folder / "cloud")

    def sent(self) -> list[tuple[str, str]]:
        """(queue or channel, what was sent), oldest first."""
        path = self._folder / "sent"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []

    def send(self, place: str, what: str) -> None:
        """Something has left the house."""
        with (self._folder / "sent").open("a") as file:
            file.write(json.dumps([place, what]) + "\n")

    def steps(self) -> int:
        """How many steps the last process that lived has made."""
        return int((self._folder / "steps").read_text())

    def count(self, steps: int) -> None:
        """Say how many steps were made."""
        (self._folder / "steps").write_text(str(steps))


class KeptCloud:
    """A cloud every call of which is kept before it is answered."""

    def __init__(self, cloud: MigratingCloud, files: Files) -> None:
        self._cloud = cloud
        self._files = files

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._cloud, name)

        def call(**said: Any) -> Any:
            return self._keep(lambda: act(**said))

        return call

    def create_port(self, request: Any, *, dry_run: bool) -> Any:
        """See ``application.ports.Cloud``."""
        return self._keep(lambda: self._cloud.create_port(request, dry_run=dry_run))

    def _keep(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            self._files.keep(self._cloud)


class Outgoing:
    """Queue and mail server in a file."""

    channel = "mail"

    def __init__(self, files: Files) -> None:
        self._files = files

    def send(self, place: str, what: Any) -> str:
        """See ``application.ports.Queue`` and ``application.ports.Sender``."""
        self._files.send(place, what if isinstance(what, str) else f"mail:{what.key}")
        return "sent"


def work(job: Job) -> None:
    """Do one step, and be killed where the job says."""
    files, made = Files(job.folder), 0

    def step(where: str) -> None:
        nonlocal made
        made += 1
        if made == job.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    cloud = files.cloud()
    with opened(job.url, cloud.clock, step) as store:
        act(job.step, store, cloud, files, step)
    files.count(made)


def opened(url: str, clock: ManualClock, step: Callable[[str], None]) -> Any:
    """The store at a URL, every statement of which is told."""
    if url.startswith("sqlite"):
        store = SqliteStore(url, now=clock.now)
        # Processes are killed here, the machine is not: what the system has written outlives them unflushed.
        unflushed(store)
        stepwise(store, step)
        return store
    other = PostgresqlStore(url, now=clock.now)
    stepwise_postgresql(other, step)
    return other


def act(name: str, store: Any, cloud: MigratingCloud, files: Files, step: Callable[[str], None]) -> None:
    """One step of the life, by the function that does it."""
    function, _, what = name.partition(":")
    ports: dict[str, Any] = {"store": store, "policies": OnePolicy(), "clock": cloud.clock}
    kept, outgoing = Watched(KeptCloud(cloud, files), "cloud", step), Watched(Outgoing(files), "queue", step)
    outgoing.__dict__["channel"] = Outgoing.channel
    if function == "orders":
        place_orders(messages(what), **ports)
    elif function == "events":
        observe([record for record in cloud.events if record.name in what.split(",")], function="port_events", **ports)
    elif function == "relay":
        ids = SeededIds()
        until = cloud.clock.now() + timedelta(seconds=30)
        relay(cloud=lambda: kept, queue=lambda: outgoing, ids=_At(ids, cloud.clock), until=until, **ports)
    elif function == "notices":
        bodies = sorted({body for place, body in files.sent() if place == "notices"})
        send_notices([notice_of(body) for body in bodies], render=rendered, senders=[outgoing], **ports)
    elif what == "seal":
        seal(store=store, clock=cloud.clock, ids=_At(SeededIds(), cloud.clock))
    else:
        record_usage([reading(cloud)], **ports)


class _At:
    """Ids of one process, unlike those of one that was killed before."""

    def __init__(self, ids: SeededIds, clock: ManualClock) -> None:
        self._ids = ids
        self._when = f"{int(clock.now().timestamp()):x}"

    def new(self) -> str:
        """See ``application.ports.Ids``."""
        return f"{self._when}{self._ids.new()}"[-32:] + f"-{os.getpid()}"


def messages(what: str) -> list[OrderMessage]:
    """The messages of one delivery from the queue ``orders``."""
    at = BEGINNING
    if what == "new":
        order = Order(
            client_order_id=ORDER,
            account_id=PARTNER,
            received_at=at,
            circuit_id="pc-north",
            tenant_uid=TENANT,
            spec="100M",
            vlan_id=100,
            order_mode=str(OrderMode.TENANT_PAYS),
        )
        return [_message("order.new", ORDER, order=order)]
    if what == "milestones":
        steps = (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED)
        return [
            _message("order.milestone", ORDER, mark=str(name), milestone=Milestone(name=name, at=at, actor="operator"))
            for name in steps
        ]
    wanted: dict[str, Any] = {"spec": "200M"} if what == "change_spec" else {}
    wanted |= {"vlan_id": 101} if what == "change_vlan" else {}
    request = Request(request_id=what, kind=RequestKind(what), at=at, actor="operator", **wanted)
    return [_message(f"order.{what}", what, request=request, target_connection_id=CONNECTION)]


def _message(name: str, client_order_id: str, mark: str = "", **carried: Any) -> OrderMessage:
    key = f"{PARTNER}|mns|{name}:{client_order_id}{mark}"
    return OrderMessage(
        key=key,
        digest=hashlib.sha256(key.encode()).hexdigest(),
        name=name,
        account_id=PARTNER,
        client_order_id=client_order_id,
        **carried,
    )


def reading(cloud: MigratingCloud) -> UsageReading:
    """What the meter tells of the port."""
    (port,) = (port for port in cloud.ports.values() if port.token)
    return UsageReading(
        key=f"{PARTNER}|mns|reading-1",
        digest="reading-1",
        account_id=PARTNER,
        port_id=port.port_id,
        reading_id="reading-1",
        period_start=BEGINNING,
        period_end=BEGINNING + timedelta(hours=1),
        outbound_bytes=2**33,
    )


def empty_cloud() -> MigratingCloud:
    """The cloud before the life begins; it makes a port for a Token once and for all."""
    circuits = {circuit_id: (PARTNER, REGION, mbps) for circuit_id, mbps in CIRCUITS.items()}
    return MigratingCloud(ManualClock(BEGINNING), circuits)


def _nothing(where: str) -> None:
    """Nobody counts."""


def again(name: str, store: Any, cloud: MigratingCloud, files: Files) -> None:
    """A step comes again: at once, or a relay's when the lease of the one that was killed has ended."""
    if name.startswith("relay"):
        cloud.clock.advance(timedelta(minutes=3))
        cloud.settle()
    act(name, store, cloud, files, _nothing)


def settle(store: Any, cloud: MigratingCloud, files: Files) -> None:
    """What follows by itself: leases end, the relay and the sealer come by, notices are delivered, ports are read."""
    for number in range(3):
        cloud.clock.advance(timedelta(minutes=6))
        cloud.settle()
        for port_id in cloud.ports:
            row = read_port(
                port_id, cause=f"sweep:{number}", account_id=PARTNER, region=REGION, after=None, connection_id=None
            )
            store.record([], outbox=(row,))
        for name in ("relay:", "billing:seal", "relay:", "notices:"):
            act(name, store, cloud, files, _nothing)


def essence(state: State, files: Files) -> dict[str, Any]:
    """What must be the same whether or not a process was killed; when things happened may differ."""
    connections = {}
    for connection_id, stored in state.connections.items():
        connection = stored.connection
        port = connection.port
        connections[connection_id] = {
            "phase": str(state.phases[connection_id]),
            "port": None if port is None else (port.port_id, str(port.acceptance), port.status.current),
            "terms": (connection.spec, connection.vlan_id),
            "vbrs": [(vbr.vbr_id, vbr.status.current) for vbr in connection.vbrs],
            "milestones": sorted(str(milestone.name) for milestone in connection.milestones),
            "requests": [request.request_id for request in connection.requests],
        }
    sent = Counter(files.sent())
    return {
        "connections": connections,
        "inbox": sorted(state.inbox),
        "audit": sorted((row.key, str(row.verdict)) for row in state.audit if row.key in state.inbox),
        "outbox": sorted({(_undated(key), entry.state is OutboxState.DUE) for key, entry in state.outbox.items()}),
        "ledger": sorted(state.ledger),
        "sealed": sorted(entry.seq or 0 for entry in state.ledger.values()),
        "holds": sorted((hold.circuit_id, hold.vlan_id, hold.mbps) for hold in state.holds.values()),
        "receipts": sorted(state.receipts),
        "sent": sorted(sent),
    }


def _undated(key: str) -> str:
    """An outbox key without the time of the event that asked for a read: a call made again is another event."""
    head, asked, _ = key.partition(":read_port:event:")
    return head + asked
