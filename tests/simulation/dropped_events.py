"""The same ten days with other events missing each time, one pass of reconciliation, and what must hold after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from crossport.application.reconcile import CircuitReport, Reconciler
from crossport.domain.connection import Connection
from tests.fakes.memory_state import State
from tests.simulation.cloud_model import ModelPort
from tests.simulation.dropped_lives import DroppedWorld, Lives, batches, circuits_for
from tests.simulation.oracle import Deal, phases
from tests.simulation.world import POLICY

#: What is dropped of all events.
SHARES = (0.01, 0.1, 0.5, 1.0)
#: In how many parts the ten days' events are handed over, with a turn of the relay after each.
PARTS = 2
WINDOW = POLICY.consistency_window
#: What a list shows of a port, by the names of the model and of our facts alike.
FIELDS = ("status", "business_status", "spec", "expect_spec", "vlan_id", "tenant_uid", "order_mode", "circuit_id",
          "enabled_time", "end_time")  # fmt: skip
#: The net ledger: fact to what is charged.
Net = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What one pass found after so many of the events were told."""

    told: int
    differences: int
    net: Net


@contextmanager
def lived(seed: int, connections: int) -> Iterator[Lives]:
    """The lives of so many connections; what is kept of them is removed in the end."""
    world = DroppedWorld(circuits=circuits_for(connections))
    try:
        yield Lives(seed=seed, connections=connections, world=world)
    finally:
        world.engine.remove()


def passed(lives: Lives, share: float) -> Pass:
    """Live the ten days with this share of their events dropped, reconcile once, and check. Raises AssertionError."""
    world = lives.world.branch()
    try:
        told = _tell(lives, world, share)
        found = reconcile(world)
        relay_reads(world)
        check_equal(world)
        net = net_ledger(world)
        assert not lives.cloud.events[lives.written :], "what heals has written to the cloud"
        check_second_pass(world)
        return Pass(told=told, differences=sum(len(report.healed) for report in found), net=net)
    finally:
        world.engine.remove()


def _tell(lives: Lives, world: DroppedWorld, share: float) -> int:
    """Hand over what is not dropped, part after part of the ten days; how many records that was."""
    chance, told = Random(f"{lives.seed} {share}"), 0
    world.clock.put(lives.before)
    each = (lives.after - lives.before) / PARTS
    kept = [record for record in lives.records if chance.random() >= share]
    for part in range(PARTS):
        began, ended = lives.before + part * each, lives.before + (part + 1) * each
        world.clock.put(ended)
        for batch in batches([record for record in kept if began < record.at <= ended]):
            told += len(batch)
            world.deliver(batch)
        world.run_relay()
    world.clock.advance(timedelta(minutes=10))
    return told


def reconcile(world: DroppedWorld) -> list[CircuitReport]:
    """One run over each circuit."""
    reconciler = Reconciler(store=world.store, cloud=world.cloud, policies=world.policies, clock=world.clock)
    return [reconciler.circuit(world.store.circuit(circuit_id)) for circuit_id in world.circuits]


def relay_reads(world: DroppedWorld) -> None:
    """The relay reads what it was asked for; what it misses it reads again, a window later."""
    for _ in range(3):
        world.run_relay()
        world.clock.advance(WINDOW + timedelta(seconds=1))


def check_second_pass(world: DroppedWorld) -> None:
    """A second pass finds nothing, asks for nothing and writes nothing, in whatever table."""
    world.clock.advance(timedelta(hours=1))
    before = tables(world)
    for report in reconcile(world):
        assert report.complete, report.why
        assert not report.healed, f"found once more: {report.healed[:3]}"
    after = tables(world)
    for name, rows in before.items():
        assert after[name] == rows, f"a second pass has written to {name}"


def tables(world: DroppedWorld) -> dict[str, Any]:
    """Every table by its name, less those that a pass writes about itself."""
    connection = world.engine.whole._sqlite._connection
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: connection.execute(f"SELECT * FROM {name}").fetchall()
        for name in names
        if name not in ("circuit_run", "vbr_visibility") and not name.startswith("sqlite_")
    }


# --- What must hold after one pass ------------------------------------------------------------------------------------


def check_equal(world: DroppedWorld) -> None:
    """Every connection is as the cloud says, and is billed once by the cloud's own times."""
    world._know_adopted()
    state: State = world.store.state
    ports = {port.port_id for port in world.cloud.ports.values()}
    known = {stored.connection.port_id for stored in state.connections.values()}
    assert known == ports, f"of the cloud's ports unknown: {sorted(ports - known)}"
    wrong = [said for deal in world.deals.values() for said in differing(world, state, deal)]
    assert not wrong, f"{len(wrong)} differ: {'; '.join(wrong[:5])}"
    world.check()
    for deal in world.deals.values():
        world._check_net(deal)


def differing(world: DroppedWorld, state: State, deal: Deal) -> Iterator[str]:
    """In what a connection differs from the cloud, in words."""
    port, connection = deal.port(world.cloud), state.connections[deal.connection_id].connection
    assert port is not None
    name = f"{deal.connection_id} ({port.port_id})"
    phase, right = str(state.phases[deal.connection_id]), phases(deal, world.cloud)
    if phase not in right:
        yield f"{name} is {phase}, by the cloud {right}"
    for field, (ours, theirs) in _compared(connection, port).items():
        if ours != theirs:
            yield f"{name}: {field} is {ours}, in the cloud {theirs}"
    ours = {(v.vbr_id, v.owner_uid.current, v.vlan_id.current, v.status.current) for v in connection.live_vbrs(WINDOW)}
    theirs = {(v.vbr_id, v.owner_uid, v.vlan_id, v.status) for v in world.cloud.vbrs_on(port)}
    if ours != theirs and not port.deleted:
        yield f"{name}: VBRs {sorted(ours)}, in the cloud {sorted(theirs)}"


def _compared(connection: Connection, port: ModelPort) -> dict[str, tuple[object, object]]:
    facts = connection.port
    assert facts is not None
    pairs: dict[str, tuple[object, object]] = {
        name: (getattr(facts, name).current, getattr(port, name)) for name in FIELDS
    }
    return pairs | {"acceptance": (str(facts.acceptance), port.acceptance)}


def net_ledger(world: DroppedWorld) -> Net:
    """What is charged in the end: each fact's live record."""
    ledger = world.store.state.ledger
    return {fact: ledger[key].record.content for live in world._live_of.values() for fact, key in live.items()}
