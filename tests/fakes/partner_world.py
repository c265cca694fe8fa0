"""A partner's whole world in memory, for tests of the use cases: the fakes, put together, and builders of inputs.

One partner account with one circuit of 1 Gbit/s, two declared tenants, the first with a contract. No IO; the clock
stands still until a test moves it. ``settled`` moves it past the consistency window as real life would.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crossport.application.actiontrail import CloudRecord
from crossport.application.bill import UsageReading
from crossport.application.commit import read_port
from crossport.application.deadlines import DeadlineReport, keep_deadlines
from crossport.application.endings import Ending
from crossport.application.observe import observe
from crossport.application.place_order import OrderMessage, place_orders
from crossport.application.ports import (
    Cloud,
    CreatePort,
    InputRow,
    Loaded,
    OutboxRow,
    Queue,
    Save,
    SaveOutcome,
    Store,
    Stored,
)
from crossport.application.relay import Report, relay
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Milestone, connection_id_for
from crossport.domain.orders import Contract, Order, Tenant
from crossport.domain.phase import phase_of
from crossport.domain.policy import Policy
from crossport.domain.violations import Violation, violations_of
from crossport.domain.vocabulary import MilestoneName, OrderMode, Phase
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_cloud import MemoryCloud
from tests.fakes.memory_queue import MemoryQueue
from tests.fakes.memory_store import MemoryStore, OutboxEntry
from tests.fakes.working_days import MondayToFriday

PARTNER, SECOND_PARTNER = "1000000000000001", "1000000000000009"
TENANT, NEIGHBOUR, STRANGER = "2000000000000002", "2000000000000003", "3000000000000003"
CIRCUIT, REGION, VLAN = "pc-circuit", "us-east-1", 120
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
POLICY = Policy(account_id=PARTNER, order_modes=frozenset(OrderMode))
#: The milestones that gate the push under ``POLICY``.
GATES = (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED)


class FixedPolicies:
    """``application.ports.Policies`` over given policies, the first account first."""

    def __init__(self, *policies: Policy) -> None:
        self._policies = {policy.account_id: policy for policy in policies}

    def of(self, account_id: str) -> Policy:
        return self._policies[account_id]

    def accounts(self) -> Iterable[str]:
        return tuple(self._policies)

    def partner_contact(self, account_id: str) -> Tenant:
        return Tenant(tenant_uid=account_id, name="Partner", email="noc@partner.example")


class CountingIds:
    """``application.ports.Ids`` that counts."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return f"{next(self._numbers):032x}"


class MeddledStore:
    """A store in front of another, with something happening just before chosen saves.

    ``before_save`` holds one callable for each coming save; a callable may let another worker write first, or raise
    what the save is to raise. ``lose`` makes the next saves be lost. ``saves`` lists what reached the store behind.
    """

    def __init__(self, behind: MemoryStore) -> None:
        self._behind = behind
        self.before_save: list[Callable[[], object]] = []
        self.before_get: list[Callable[[], object]] = []
        self.before_load: list[Callable[[], object]] = []
        self.before_finish: list[Callable[[], object]] = []
        self.lose = 0
        self.saves: list[Save] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def load(
        self, *, routes: Collection[str] = (), keys: Collection[str] = (), circuits: Collection[str] = ()
    ) -> Loaded:
        _next(self.before_load)
        return self._behind.load(routes=routes, keys=keys, circuits=circuits)

    def get(self, connection_id: str) -> Stored | None:
        _next(self.before_get)
        return self._behind.get(connection_id)

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        _next(self.before_save)
        if self.lose:
            self.lose -= 1
            return [SaveOutcome.LOST] * len(saves)
        outcomes = self._behind.save(saves)
        self.saves += [save for save, outcome in zip(saves, outcomes, strict=True) if outcome is SaveOutcome.SAVED]
        return outcomes

    def finish(self, completion: Any, *, at: datetime) -> bool:
        _next(self.before_finish)
        return self._behind.finish(completion, at=at)


def _next(waiting: list[Callable[[], object]]) -> None:
    if waiting:
        waiting.pop(0)()


def raising(error: Exception) -> Callable[[], None]:
    """Something that happens before a save: it fails."""

    def fail() -> None:
        raise error

    return fail


class PartnerWorld:
    """The fakes, put together, and what a test does with them."""

    def __init__(self, policy: Policy = POLICY, *others: Policy) -> None:
        self.policy = policy
        self.clock = ManualClock(START)
        self.memory = MemoryStore(now=self.clock.now)
        self.store = MeddledStore(self.memory)
        self.cloud = MemoryCloud(self.clock)
        self.queue = MemoryQueue(self.clock, ["notices", "billing-records", "order-replies"])
        self.policies = FixedPolicies(policy, *others)
        self.ids = CountingIds()
        self.working_days = MondayToFriday()
        self._numbers = itertools.count(1)
        self.add_circuit(CIRCUIT)
        for uid, name in ((TENANT, "Example Trading"), (NEIGHBOUR, "Neighbour")):
            self.memory.put_tenant(Tenant(tenant_uid=uid, name=name), actor="test", reason="example", at=START)
        self.sign(TENANT)

    # --- what is there ----------------------------------------------------------------------------------------------

    def add_circuit(
        self,
        circuit_id: str,
        *,
        account_id: str = PARTNER,
        bandwidth_mbps: int = 1_000,
        access_point: str = "ap-us-east-1-DC11",
    ) -> None:
        """A circuit, on record and in the cloud."""
        self.cloud.add_circuit(circuit_id, account_id=account_id, region=REGION, bandwidth_mbps=bandwidth_mbps)
        circuit = Circuit(
            circuit_id=circuit_id,
            account_id=account_id,
            region=REGION,
            name=circuit_id,
            access_point=access_point,
            line_operator="Equinix",
            bandwidth_mbps=bandwidth_mbps,
        )
        self.memory.put_circuit(circuit, actor="test", reason="example", at=START)

    def sign(self, tenant_uid: str) -> None:
        """A contract with the tenant, in force."""
        contract = Contract(
            number=f"C-{tenant_uid}",
            account_id=PARTNER,
            tenant_uid=tenant_uid,
            signed_on=date(2026, 1, 2),
            valid_from=date(2026, 1, 2),
        )
        self.memory.put_contract(contract, actor="test", reason="example", at=START)

    # --- inputs -----------------------------------------------------------------------------------------------------

    def milestones(self, *names: MilestoneName) -> tuple[Milestone, ...]:
        """Milestones reached now."""
        return tuple(Milestone(name=name, at=self.clock.now(), actor="operator") for name in names)

    def order(self, order_id: str = "order-1", **changes: Any) -> OrderMessage:
        """A message with an order for 200M on VLAN 120, tenant-paid, every gate reached unless changed."""
        message = {name: changes.pop(name) for name in ("key", "digest") if name in changes}
        plain = Order(
            client_order_id=order_id,
            account_id=PARTNER,
            circuit_id=CIRCUIT,
            tenant_uid=TENANT,
            spec="200M",
            order_mode=str(OrderMode.TENANT_PAYS),
            received_at=self.clock.now(),
            vlan_id=VLAN,
            milestones=self.milestones(*GATES),
        )
        order = replace(plain, **changes)
        return OrderMessage(
            key=message.get("key", f"message of {order_id}"),
            digest=message.get("digest", f"digest of {order_id}"),
            name="order.new",
            account_id=order.account_id,
            client_order_id=order_id,
            order=order,
        )

    def milestone(self, name: MilestoneName, order_id: str = "order-1", **changes: Any) -> OrderMessage:
        """A message with a milestone of an order."""
        (reached,) = self.milestones(name)
        plain = OrderMessage(
            key=f"message of {order_id} {name}",
            digest=f"digest of {order_id} {name}",
            name="order.milestone",
            account_id=PARTNER,
            client_order_id=order_id,
            milestone=reached,
        )
        return replace(plain, **changes)

    def record(self, name: str, **changes: Any) -> CloudRecord:
        """An ActionTrail record of a successful call of the partner's, made now, with an id of its own."""
        number = next(self._numbers)
        plain: dict[str, Any] = {
            "key": f"{changes.get('account_id', PARTNER)}|acs:vpc|{number}",
            "digest": f"{number:064x}",
            "account_id": PARTNER,
            "region": REGION,
            "name": name,
            "at": self.clock.now(),
            "request": {},
            "response": {},
            "error_code": "",
            "write": True,
            "actor": "root-account",
        }
        return CloudRecord(**plain | changes)

    def created(self, port_id: str, *, token: str = "", vlan_id: int = VLAN, **changes: Any) -> CloudRecord:
        """The record of a create call for a port of 200M to the tenant on our circuit."""
        request: dict[str, Any] = {
            "PhysicalConnectionId": changes.pop("circuit_id", CIRCUIT),
            "VlanId": vlan_id,
            "Spec": changes.pop("spec", "200M"),
            "VpconnAliUid": changes.pop("tenant_uid", TENANT),
            "OrderMode": str(OrderMode.TENANT_PAYS),
        }
        request |= {"Token": token} if token else {}
        response = {"VirtualPhysicalConnection": port_id}
        return self.record("CreateVirtualPhysicalConnection", request=request, response=response, **changes)

    def accepted(self, port_id: str, **changes: Any) -> CloudRecord:
        """The record of the tenant's acceptance, forwarded by the tenant."""
        given: dict[str, Any] = {"account_id": TENANT, "request": {"PhysicalConnectionId": port_id}}
        return self.record("ConfirmPhysicalConnection", **given | changes)

    def vbr_created(self, port_id: str, vbr_id: str = "vbr-1", *, vlan_id: int = VLAN, **changes: Any) -> CloudRecord:
        """The record of a VBR's creation on a port, by the tenant unless changed."""
        given: dict[str, Any] = {
            "account_id": TENANT,
            "request": {"PhysicalConnectionId": port_id, "VlanId": vlan_id, "VbrOwnerId": TENANT},
            "response": {"VbrId": vbr_id},
        }
        return self.record("CreateVirtualBorderRouter", **given | changes)

    def reading(self, port_id: str, reading_id: str = "reading-1", **changes: Any) -> UsageReading:
        """A meter reading of one hour and one GB."""
        plain = UsageReading(
            key=f"usage message of {reading_id}",
            digest=f"digest of {reading_id}",
            account_id=PARTNER,
            port_id=port_id,
            reading_id=reading_id,
            period_start=self.clock.now() - timedelta(hours=1),
            period_end=self.clock.now(),
            outbound_bytes=2**30,
        )
        return replace(plain, **changes)

    # --- running the use cases --------------------------------------------------------------------------------------

    def observe(self, *records: CloudRecord) -> list[Ending]:
        """Hand over a batch of cloud events."""
        return observe(records, function="port_events", store=self.store, policies=self.policies, clock=self.clock)

    def observe_elsewhere(self, *records: CloudRecord) -> list[Ending]:
        """Hand over a batch of cloud events to another worker on the same store, with no meddling."""
        store = self.memory.another()
        return observe(records, function="port_events", store=store, policies=self.policies, clock=self.clock)

    def place(self, *messages: Any) -> list[Ending]:
        """Hand over a batch of order messages."""
        return place_orders(messages, store=self.store, policies=self.policies, clock=self.clock)

    def place_elsewhere(self, *messages: Any) -> list[Ending]:
        """Hand over order messages to another worker on the same store, with no meddling."""
        return place_orders(messages, store=self.memory.another(), policies=self.policies, clock=self.clock)

    def relay(self, cloud: Cloud | None = None, queue: Queue | None = None, store: Store | None = None) -> Report:
        """Let the relay run until nothing is due."""
        return relay(
            store=store or self.store,
            cloud=lambda: cloud or self.cloud,
            queue=lambda: queue or self.queue,
            policies=self.policies,
            clock=self.clock,
            ids=self.ids,
            until=self.clock.now() + timedelta(minutes=1),
        )

    def keep_deadlines(self, store: Store | None = None, until: datetime | None = None) -> DeadlineReport:
        """Walk over the open connections once."""
        return keep_deadlines(
            store=store or self.store,
            policies=self.policies,
            clock=self.clock,
            working_days=self.working_days,
            until=until or self.clock.now() + timedelta(minutes=1),
        )

    def settled(self, turns: int = 4) -> list[Report]:
        """Relay again and again, the window passing between, until every read has been repeated often enough."""
        reports = []
        for _ in range(turns):
            reports.append(self.relay())
            self.clock.advance(self.policy.consistency_window + timedelta(seconds=1))
        return reports

    def provisioned(self, order_id: str = "order-1", **changes: Any) -> str:
        """Order a port and have it made and read; its id."""
        (ending,) = self.place(self.order(order_id, **changes))
        assert (ending.verdict, ending.reason) == ("applied", "")
        self.settled()
        port_id = self.connection(order_id).port_id
        assert port_id is not None
        return port_id

    def make_in_console(self, **changes: Any) -> str:
        """Somebody makes a port of 200M on our circuit, in the cloud and not through us; its id."""
        plain = CreatePort(
            account_id=PARTNER,
            region=REGION,
            circuit_id=CIRCUIT,
            tenant_uid=TENANT,
            vlan_id=VLAN,
            spec="200M",
            order_mode=str(OrderMode.TENANT_PAYS),
            name="by hand",
            token="",
        )
        before = len(self.cloud.calls)
        port_id = self.cloud.create_port(replace(plain, **changes), dry_run=False).value
        del self.cloud.calls[before:]
        return port_id

    def command(self, kind: str, *, connection_id: str | None = None, **payload: Any) -> None:
        """Put a command for the cloud into the outbox."""
        key = f"{connection_id}:{kind}:{next(self._numbers)}"
        row = OutboxRow(key=key, kind=kind, target="cloud", payload=payload, connection_id=connection_id)
        self.memory.record([], outbox=(row,))

    # --- what became of it ------------------------------------------------------------------------------------------

    def connection(self, order_id: str = "order-1") -> Connection:
        """The connection that an order has opened."""
        return self.by_id(connection_id_for(PARTNER, "order", order_id))

    def by_id(self, connection_id: str) -> Connection:
        """A connection, which must be there."""
        stored = self.memory.get(connection_id)
        assert stored is not None
        return stored.connection

    def adopted(self, port_id: str) -> Connection:
        """The connection that a port without an order has opened."""
        return self.by_id(connection_id_for(PARTNER, "port", port_id))

    def version(self, order_id: str = "order-1") -> int:
        """How often the connection of an order was saved."""
        stored = self.memory.get(connection_id_for(PARTNER, "order", order_id))
        assert stored is not None
        return stored.version

    def phase(self, order_id: str = "order-1") -> Phase:
        """The phase of an order's connection."""
        return phase_of(self.connection(order_id), self.policy.consistency_window)

    def violations(self, order_id: str = "order-1") -> tuple[Violation, ...]:
        """The violations that stand on an order's connection."""
        return violations_of(self.connection(order_id), self.policy.consistency_window)

    def read(self, port_id: str, cause: str) -> None:
        """Have the port read again."""
        row = read_port(port_id, cause=cause, account_id=PARTNER, region=REGION, after=None, connection_id=None)
        self.memory.record([], outbox=(row,))

    def audit(self, key: str) -> list[InputRow]:
        """The rows of the audit trail of one input key, oldest first."""
        return [row for row in self.memory.state.audit if row.key == key]

    def claims(self, key: str) -> bool:
        """Whether the inbox knows the key."""
        return key in self.memory.state.inbox

    def outbox(self, kind: str) -> list[OutboxEntry]:
        """All outbox rows of one kind, oldest first."""
        return [entry for entry in self.memory.state.outbox.values() if entry.row.kind == kind]

    def findings(self) -> set[str]:
        """The codes of all findings."""
        return {finding.code for finding in self.memory.state.findings.values()}

    def notices(self) -> list[tuple[str, str]]:
        """(kind, party) of every notice on the queue, oldest first."""
        bodies = [json.loads(body) for body in self.queue.bodies("notices")]
        return [(body["kind"], body["party"]) for body in bodies]

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The arguments of every call of one method of the cloud."""
        return [arguments for name, arguments in self.cloud.calls if name == method]

    def creates(self) -> list[Any]:
        """The requests of every create call that was no dry run."""
        return [call["request"] for call in self.calls("create_port") if not call["dry_run"]]

    def circuit(self) -> Circuit:
        """The circuit as the store has it."""
        found = self.memory.circuit(CIRCUIT)
        assert found is not None
        return found


def told(ending: Ending) -> tuple[str, str, str]:
    """Verdict, reason and what is pending, for one assertion."""
    return str(ending.verdict), ending.reason, ending.pending
