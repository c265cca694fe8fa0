"""10,000 forged events: none is accepted, none suppresses a genuine one, each leaves a row that says why."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

from crossport.application.endings import Ending
from crossport.application.ports import Save, SaveOutcome
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Terms
from crossport.domain.facts import merge_port
from crossport.domain.observation import PortObservation
from crossport.domain.orders import Tenant
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Flow, OrderMode, Origin, Phase, Source, Verdict
from crossport.entrypoints.clock import RandomIds
from crossport.entrypoints.dispatch import observe_calls
from crossport.entrypoints.envelope import open_envelope
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import App
from tests.fakes.memory_store import MemoryStore
from tests.fakes.partner_world import NEIGHBOUR, PARTNER, SECOND_PARTNER, TENANT, FixedPolicies
from tests.property.forgeries import NOW, PORTS, Forgery, Port, forgeries, kinds

SEED, COUNT = 20_261_124, 10_000
#: Forgeries that meet one store, before a new one: what it keeps is copied by every write of the fake.
SHIFT = 100
INVOCATION = Invocation(function="port_events", request_id="r", deadline=60.0, now=lambda: 0.0)


class Bus:
    """Two partner accounts, each with a circuit and a port of the tenant's, behind the real envelope and dispatch."""

    def __init__(self) -> None:
        self.memory = MemoryStore(now=lambda: NOW)
        for uid in (TENANT, NEIGHBOUR):
            self.memory.put_tenant(Tenant(tenant_uid=uid, name=uid), actor="test", reason="test", at=NOW)
        for port in PORTS:
            self._add(port)
        self.app = App(
            settings=Settings(database_url="sqlite:///unused", region="us-east-1"),
            clock=SimpleNamespace(now=lambda: NOW),
            ids=RandomIds(),
            environ={},
            given_store=self.memory,
            given_policies=FixedPolicies(Policy(account_id=PARTNER), Policy(account_id=SECOND_PARTNER)),
        )

    def deliver(self, event: bytes) -> Ending:
        """How the only record of an event ends."""
        (ending,) = observe_calls(self.app, open_envelope(event), INVOCATION)
        return ending

    def moved(self) -> dict[str, object]:
        """Everything but the rows that say how inputs ended, and the keys that they claimed."""
        state = dict(self.memory.state.__dict__)
        return {name: kept for name, kept in state.items() if name not in {"audit", "inbox"}}

    def _add(self, port: Port) -> None:
        circuit = Circuit(
            circuit_id=port.circuit_id,
            account_id=port.account_id,
            region=port.region,
            name=port.circuit_id,
            access_point="ap",
            line_operator="Equinix",
            bandwidth_mbps=10_000,
        )
        self.memory.put_circuit(circuit, actor="test", reason="test", at=NOW)
        seen = PortObservation(at=NOW - timedelta(days=1), source=Source.READ, port_id=port.port_id)
        connection = Connection(
            connection_id=f"conn-{port.port_id}",
            account_id=port.account_id,
            region=port.region,
            circuit_id=port.circuit_id,
            tenant_uid=TENANT,
            flow=Flow.NEW,
            origin=Origin.CONSOLE,
            terms=Terms(spec="200M", vlan_id=120, order_mode=OrderMode.TENANT_PAYS),
            created_at=NOW,
            port=merge_port(None, seen),
        )
        save = Save(connection=connection, phase=Phase.OFFERED, violations=(), version=None, at=NOW)
        assert self.memory.save([save]) == [SaveOutcome.SAVED]


def play(bus: Bus, forgery: Forgery) -> None:
    """One forgery and the genuine event behind it."""
    if forgery.before is not None:
        assert bus.deliver(forgery.before).verdict is Verdict.APPLIED, forgery
    before, rows, claimed = bus.moved(), len(bus.memory.state.audit), dict(bus.memory.state.inbox)
    ending = bus.deliver(forgery.forged)
    assert ending.verdict in (Verdict.REJECTED, Verdict.IGNORED), forgery
    assert ending.reason == forgery.reason, (ending, forgery)
    assert bus.moved() == before, forgery
    (row,) = bus.memory.state.audit[rows:]
    assert (row.verdict, row.reason) == (ending.verdict, ending.reason), forgery
    if ending.verdict is Verdict.REJECTED:
        assert bus.memory.state.inbox == claimed, forgery
    genuine = bus.deliver(forgery.genuine)
    assert genuine.verdict is (Verdict.DUPLICATE if forgery.before else Verdict.APPLIED), (genuine, forgery)


def test_no_forged_event_is_accepted_or_suppresses_a_genuine_one() -> None:
    made = forgeries(SEED, COUNT)
    told: Counter[str] = Counter()
    for begin in range(0, COUNT, SHIFT):
        bus = Bus()
        for forgery in made[begin : begin + SHIFT]:
            play(bus, forgery)
            told[forgery.kind] += 1
    assert set(told) == set(kinds())
    assert min(told.values()) == COUNT // len(kinds())


def test_a_seed_gives_the_same_forgeries() -> None:
    assert forgeries(7, 50) == forgeries(7, 50)
    assert forgeries(7, 50) != forgeries(8, 50)
