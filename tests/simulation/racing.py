"""Reconciliation that races handlers: between its reads and its saves, others write what it is about to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from crossport.application.actiontrail import CloudRecord
from crossport.application.ports import PortPage, Save, SaveOutcome, Stored
from crossport.application.reconcile import Reconciler
from crossport.domain.differences import Known
from crossport.domain.effects import effects_of
from crossport.domain.vocabulary import Verdict
from tests.simulation.dropped_events import (
    Net,
    check_equal,
    check_second_pass,
    differing,
    net_ledger,
    reconcile,
    relay_reads,
)
from tests.simulation.dropped_lives import DroppedWorld, Lives
from tests.simulation.world import POLICY, STRANGER

#: How often a rival comes by at a place where it may.
RIVALS = 0.5


class _Raced:
    """The store, or the cloud, of a reconciliation: ``rival`` may act after each read and before each save."""

    def __init__(self, behind: Any, rival: Callable[[], None]) -> None:
        self._behind = behind
        self._rival = rival

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def known_ports(self, circuit_id: str) -> Iterable[Known]:
        known = tuple(self._behind.known_ports(circuit_id))
        self._rival()
        return known

    def get(self, connection_id: str) -> Stored | None:
        stored: Stored | None = self._behind.get(connection_id)
        self._rival()
        return stored

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        self._rival()
        outcomes: Sequence[SaveOutcome] = self._behind.save(saves)
        return outcomes

    def list_ports(self, **place: Any) -> Iterator[PortPage]:
        for page in self._behind.list_ports(**place):
            self._rival()
            yield page


class Race:
    """One pass over the lives of a few connections, with half of their events coming in between."""

    def __init__(self, lives: Lives, seed: int) -> None:
        self.random = Random(seed)
        self.races = 0
        self._lives = lives
        self._world: DroppedWorld = lives.world.branch()
        self._mail: list[CloudRecord] = [record for record in lives.records if self.random.random() < 0.7]
        self._told: list[CloudRecord] = []
        self._acting = False

    def run(self) -> Net:
        """Race, hand over the rest, and check that all is as it should be. Raises AssertionError."""
        world = self._world
        try:
            world.clock.put(self._lives.after + timedelta(minutes=10))
            store, cloud = _Raced(world.store, self._rival), _Raced(world.cloud, self._rival)
            reconciler = Reconciler(store=store, cloud=cloud, policies=world.policies, clock=world.clock)
            for circuit_id in world.circuits:
                reconciler.circuit(world.store.circuit(circuit_id))
            while self._mail:
                self._event_comes()
            relay_reads(world)
            self._check_untold()
            # An event that comes later than a list, though it is older, shows its value until the next pass.
            reconcile(world)
            relay_reads(world)
            check_equal(world)
            net = net_ledger(world)
            self._check_inputs()
            self._check_effects()
            check_second_pass(world)
            return net
        finally:
            world.engine.remove()

    def _rival(self) -> None:
        """Somebody else acts, or nobody does; who acts is not disturbed."""
        if self._acting or self.random.random() >= RIVALS:
            return
        self._acting, self.races = True, self.races + 1
        acts: list[Callable[[], object]] = [self._event_comes] * 6
        acts += [self._world.run_relay, lambda: reconcile(self._world)]
        self.random.choice(acts)()
        self._acting = False

    def _event_comes(self) -> None:
        """Some events, in any order, now and then one of them twice."""
        batch = [self._mail.pop(self.random.randrange(len(self._mail))) for _ in range(min(2, len(self._mail)))]
        self._told += batch
        again = [self.random.choice(self._told)] if self._told and self.random.random() < 0.2 else []
        if batch or again:
            self._world.deliver([*batch, *again])

    def _check_untold(self) -> None:
        """What no event has told of stands as the cloud says after the raced pass alone."""
        world, state = self._world, self._world.store.state
        world._know_adopted()
        told = {str(record.request.get("PhysicalConnectionId") or record.request.get("InstanceId"))
                for record in self._told}  # fmt: skip
        told |= {self._lives.cloud.vbrs[vbr_id].port_id for record in self._told for vbr_id in _vbrs(record)}
        for deal in world.deals.values():
            port = deal.port(world.cloud)
            wrong = list(differing(world, state, deal)) if port is not None and port.port_id not in told else []
            assert not wrong, f"after the raced pass {'; '.join(wrong)}"

    def _check_inputs(self) -> None:
        """Each event was taken once, however often it came; those of a stranger are refused each time."""
        rows: dict[str, list[Verdict]] = {}
        for row in self._world.store.state.audit:
            rows.setdefault(row.key, []).append(row.verdict)
        for record in self._told:
            stranger = record.account_id == STRANGER
            verdicts = set(rows[record.key]) if stranger else rows[record.key]
            assert len(verdicts) == 1, f"{record.key} has ended as {verdicts}"
            assert stranger == (Verdict.REJECTED in verdicts), f"{record.key} has ended as {verdicts}"

    def _check_effects(self) -> None:
        """What the facts call for is in the outbox."""
        state = self._world.store.state
        for connection_id, stored in state.connections.items():
            missing = {effect.key for effect in effects_of(stored.connection, POLICY)} - state.outbox.keys()
            assert not missing, f"{connection_id}: {sorted(missing)} never reached the outbox"


def _vbrs(record: CloudRecord) -> Iterator[str]:
    vbr_id = record.request.get("VbrId")
    if vbr_id is not None:
        yield str(vbr_id)
