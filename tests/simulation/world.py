"""The whole system in one process: the real use cases on a store in memory, against the model of the cloud."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crossport.application.actiontrail import CloudRecord
from crossport.application.bill import seal
from crossport.application.commit import read_port
from crossport.application.endings import Ending
from crossport.application.observe import observe
from crossport.application.place_order import OrderMessage, place_orders
from crossport.application.ports import OutboxState, Save, SaveOutcome
from crossport.application.relay import relay
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Milestone, Request, connection_id_for, token_of
from crossport.domain.migration import MigrationOrder
from crossport.domain.orders import Contract, Order, Tenant
from crossport.domain.policy import Policy
from crossport.domain.prices import PriceList
from crossport.domain.vocabulary import MilestoneName, OrderMode, RequestKind, Verdict
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_queue import MemoryQueue
from tests.fakes.memory_store import MemoryStore
from tests.simulation.cloud_model import ModelPort, ModelVbr
from tests.simulation.migrating_cloud import MigratingCloud
from tests.simulation.oracle import PARTNER_PRICE, Deal, conforms, ledger, phases

PARTNER = "1000000000000001"
#: Two tenants under contract, and one without.
TENANTS = ("2000000000000001", "2000000000000002", "2000000000000003")
STRANGER = "3000000000000003"
REGION = "us-east-1"
#: Circuit id to Mbit/s.
CIRCUITS = {"pc-north": 2_000, "pc-south": 700}
#: Commands that are carried out as soon as they can be.
HASTY = frozenset({"create_port", "convert_vbr", "attach_vbr", "pay_port", "read_port", "update_port"})
#: Notices of what happens once in the life of a connection.
ONCE = frozenset({"order_refused", "provisioning_failed", "offer", "accepted", "enabled", "port_adopted", "port_gone"})
POLICY = Policy(
    account_id=PARTNER,
    order_modes=frozenset(OrderMode),
    partner_price_list=PriceList(
        name="partner",
        version="1",
        currency="USD",
        port_month={"outside": {spec: Decimal(price) for spec, price in PARTNER_PRICE.items()}},
        outbound_gb={},
    ),
)


class OnePolicy:
    """Satisfies ``application.ports.Policies`` with one partner account."""

    def of(self, account_id: str) -> Policy:
        """The policy of the one account."""
        return {PARTNER: POLICY}[account_id]

    def accounts(self) -> Iterable[str]:
        """The one account."""
        return (PARTNER,)

    def partner_contact(self, account_id: str) -> Tenant:
        """Who is told on the partner's side."""
        return Tenant(tenant_uid=account_id, name="Example Networks", email="noc@partner.example")


class SeededIds:
    """Ids that are the same in every run."""

    def __init__(self) -> None:
        self._made = 0

    def new(self) -> str:
        """The next id."""
        self._made += 1
        return f"{self._made:032x}"


class RacedStore(MemoryStore):
    """A store that may let a rival act between a load and the save that follows from it, as two workers would."""

    rival: Callable[[], None] | None = None

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        """See ``application.ports.Store``; the rival comes first."""
        rival, self.rival = self.rival, None
        if rival is not None:
            rival()
        return super().save(saves)


@dataclass
class World:
    """Everything that a simulation moves, and the questions that it asks after each step."""

    payment_enables: bool = True
    remembers_tokens: bool = True
    withdrawable: bool = True
    lag: timedelta = timedelta(0)
    #: Circuit id to Mbit/s.
    circuits: dict[str, int] = field(default_factory=lambda: dict(CIRCUITS))
    deals: dict[str, Deal] = field(default_factory=dict)
    told: list[OrderMessage] = field(default_factory=list)
    #: Connection id to its facts that are billed, each with the key of the live record.
    _live_of: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    _ledger_seen: set[str] = field(default_factory=set)
    _read: int = 0

    def __post_init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
        self.store = self.opened()
        self.queue = MemoryQueue(self.clock, ("notices", "order-replies", "billing-records"))
        self.policies, self.ids = OnePolicy(), SeededIds()
        self.cloud = MigratingCloud(
            self.clock,
            {circuit_id: (PARTNER, REGION, mbps) for circuit_id, mbps in self.circuits.items()},
            payment_enables=self.payment_enables,
            remembers_tokens=self.remembers_tokens,
            withdrawable=self.withdrawable,
            lag=self.lag,
        )
        said: dict[str, Any] = {"actor": "test", "reason": "simulation", "at": self.clock.now()}
        for circuit_id, mbps in self.circuits.items():
            circuit = Circuit(
                circuit_id=circuit_id,
                account_id=PARTNER,
                region=REGION,
                name=circuit_id,
                access_point="ap-us-east-1-equinix-dc11",
                line_operator="Equinix",
                bandwidth_mbps=mbps,
            )
            self.store.put_circuit(circuit, **said)
        for number, uid in enumerate(TENANTS):
            self.store.put_tenant(Tenant(tenant_uid=uid, name=f"Tenant {number}"), **said)
        for uid in TENANTS[:2]:
            contract = Contract(
                number=f"C-{uid}",
                account_id=PARTNER,
                tenant_uid=uid,
                signed_on=date(2026, 1, 1),
                valid_from=date(2026, 1, 1),
            )
            self.store.put_contract(contract, **said)

    def opened(self) -> Any:
        """The store, empty: that of ``application.ports`` with the administrative changes and ``state`` beside it."""
        return RacedStore(now=self.clock.now)

    # --- Acts -------------------------------------------------------------------------------------------------------

    def advance(self, by: timedelta) -> None:
        """Time passes, here and in the cloud."""
        self.clock.advance(by)
        self.cloud.settle()

    def order(self, name: str, **terms: Any) -> None:
        """An order arrives."""
        self._place("order.new", Order(**self._as_order(name, terms)), terms)

    def migrate(self, name: str, vbr: ModelVbr, **terms: Any) -> None:
        """An order for a port from a VBR arrives; what it says of the VBR is right unless ``terms`` say otherwise."""
        said = {"circuit_id": vbr.port_id, "tenant_uid": vbr.owner_uid, "vlan_id": vbr.vlan_id, **terms}
        self._place("order.migrate", MigrationOrder(**self._as_order(name, said), vbr_id=vbr.vbr_id), said)

    def _as_order(self, name: str, terms: dict[str, Any]) -> dict[str, Any]:
        return {"client_order_id": name, "account_id": PARTNER, "received_at": self.clock.now(), **terms}

    def _place(self, kind: str, order: Order, terms: dict[str, Any]) -> None:
        name, vbr_id = order.client_order_id, getattr(order, "vbr_id", "")
        ending = self._tell(kind, f"order:{name}:{vbr_id}:{sorted(terms.items())}", name, order=order)
        if ending.verdict in (Verdict.APPLIED, Verdict.REJECTED) and order.connection_id not in self.deals:
            connection_id = order.connection_id
            self.deals[connection_id] = Deal(
                connection_id=connection_id,
                account_id=PARTNER,
                tenant_uid=order.tenant_uid,
                token=token_of(connection_id),
                vbr_id=vbr_id,
                vlan_id=-1 if order.vlan_id is None else order.vlan_id,
                circuit_id=order.circuit_id,
                refused=ending.verdict is Verdict.REJECTED,
            )
        if ending.verdict is Verdict.APPLIED:
            circuit = self.store.circuit(order.circuit_id)
            assert circuit is not None
            assert circuit.held_mbps <= circuit.bandwidth_mbps, "an order of ours oversold the circuit"

    def milestone(self, order_name: str, name: MilestoneName) -> None:
        """A step before the push is reported, perhaps of an order that is not known yet."""
        milestone = Milestone(name=name, at=self.clock.now(), actor="operator")
        ending = self._tell("order.milestone", f"milestone:{order_name}:{name}", order_name, milestone=milestone)
        deal = self.deals.get(connection_id_for(PARTNER, "order", order_name))
        if ending.verdict is Verdict.APPLIED and deal is not None:
            deal.milestones.add(str(name))

    def request(self, deal: Deal, kind: RequestKind, number: int, **wanted: Any) -> None:
        """A change, a cease or a cancellation is asked for."""
        name = f"request-{number}"
        request = Request(request_id=name, kind=kind, at=self.clock.now(), actor="operator", **wanted)
        ending = self._tell(
            f"order.{kind}", f"{name}:{wanted}", name, request=request, target_connection_id=deal.connection_id
        )
        if ending.verdict is Verdict.APPLIED:
            deal.withdrawn |= kind is RequestKind.CANCEL
            deal.ceased |= kind is RequestKind.CEASE

    def repeat(self, message: OrderMessage) -> None:
        """A message is delivered once more."""
        before = dict(self.store.state.connections)
        (ending,) = place_orders([message], store=self.store, policies=self.policies, clock=self.clock)
        assert ending.verdict is Verdict.DUPLICATE, f"a repeat of {message.key} ended as {ending.verdict}"
        assert self.store.state.connections == before

    def deliver(self, records: list[CloudRecord]) -> list[Ending]:
        """Cloud events reach their function."""
        return observe(records, function="port_events", store=self.store, policies=self.policies, clock=self.clock)

    def run_relay(self) -> None:
        """One run of the relay."""
        report = relay(
            store=self.store,
            cloud=lambda: self.cloud,
            queue=lambda: self.queue,
            policies=self.policies,
            clock=self.clock,
            ids=self.ids,
            until=self.clock.now() + timedelta(seconds=30),
        )
        for turn in report.turns:
            assert not turn.reason.startswith("internal_error"), f"{turn.key}: {turn.reason}"
        seal(store=self.store, clock=self.clock, ids=self.ids)

    def read_all(self) -> None:
        """Have every port of the cloud read, as a reconciliation would."""
        for port in self.cloud.ports.values():
            self._read += 1
            row = read_port(
                port.port_id,
                cause=f"heal:{self._read}",
                account_id=PARTNER,
                region=REGION,
                after=None,
                connection_id=None,
            )
            self.store.record([], outbox=(row,))

    def heal(self) -> None:
        """No more faults; read everything until nothing moves any more. Then compare with the cloud's truth."""
        self.cloud.faults.clear()
        for _ in range(24):
            before = len(self.cloud.events)
            self.advance(timedelta(minutes=6))
            self.read_all()
            self.run_relay()
            self.advance(timedelta(seconds=61))
            self.run_relay()
            if len(self.cloud.events) == before and not self._hasty():
                break
        self.advance(timedelta(minutes=2))
        self.read_all()
        self.run_relay()
        self._know_adopted()
        for deal in self.deals.values():
            port = deal.port(self.cloud)
            if port is not None and not port.deleted:
                deal.acceptance_healed |= port.accepted
                deal.vbrs_healed |= {v.vbr_id for v in self.cloud.vbrs_on(port) if conforms(v, port)}
        self.check_healed()

    def _hasty(self) -> bool:
        """Whether a create call or an adoption still waits for its turn."""
        due = (e for e in self.store.state.outbox.values() if e.state is OutboxState.DUE)
        waiting = (e for e in due if e.row.kind in HASTY)
        return any(not e.reason.startswith("waiting:") for e in waiting)

    def _tell(self, name: str, content: str, client_order_id: str, **carried: Any) -> Ending:
        digest = hashlib.sha256(content.encode()).hexdigest()
        message = OrderMessage(
            key=f"{PARTNER}|mns|{self.ids.new()}",
            digest=digest,
            name=name,
            account_id=PARTNER,
            client_order_id=client_order_id,
            **carried,
        )
        (ending,) = place_orders([message], store=self.store, policies=self.policies, clock=self.clock)
        if self.store.load(keys=[message.key]).inbox:
            self.told.append(message)
        else:
            assert ending.verdict is not Verdict.APPLIED, "an order was applied and its message can be applied again"
        return ending

    def _know_adopted(self) -> None:
        for deal in self.deals.values():
            if deal.port(self.cloud) is not None:
                continue
            stored = self.store.get(deal.connection_id)
            connection = stored.connection if stored is not None else None
            if connection is not None and connection.port_id is not None:
                port = self.cloud.ports[connection.port_id]
                assert not port.token, f"{deal.connection_id} took the port of another order"
                assert (port.circuit_id, port.tenant_uid) == (connection.circuit_id, deal.tenant_uid)
                deal.claimed = port.port_id
        for port in self.cloud.ports.values():
            connection_id = connection_id_for(PARTNER, "port", port.port_id)
            if not port.token and connection_id not in self.deals and self.store.get(connection_id) is not None:
                self.deals[connection_id] = Deal(
                    connection_id=connection_id,
                    account_id=PARTNER,
                    tenant_uid=port.tenant_uid,
                    token="",
                    port_id=port.port_id,
                )

    # --- Questions after every step ---------------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold at any time."""
        self._check_holds()
        self._check_ledger()
        living = (port for port in self.cloud.ports.values() if not port.deleted)
        made = Counter(port.token for port in living if port.token)
        assert all(count == 1 for count in made.values()), f"more than one port for one order: {made}"
        owners = Counter(s.connection.port_id for s in self.store.state.connections.values() if s.connection.port_id)
        assert all(count == 1 for count in owners.values()), f"a port has two connections: {owners}"

    def _check_holds(self) -> None:
        state = self.store.state
        live = [entry.hold for entry in state.hold_history if entry.released_at is None]
        places = Counter((hold.circuit_id, hold.vlan_id) for hold in live)
        assert all(count == 1 for count in places.values()), f"a VLAN ID is held twice: {places}"
        for circuit_id, circuit in state.circuits.items():
            mine = [hold for hold in live if hold.circuit_id == circuit_id]
            assert circuit.held_mbps == sum(hold.mbps for hold in mine), "the sum of the holds is off"
            assert circuit.vlan_bitmap == sum(1 << hold.vlan_id for hold in mine), "the VLAN bitmap is off"
            ordered = [h for h in mine if h.connection_id in self.deals and not self.deals[h.connection_id].port_id]
            assert sum(hold.mbps for hold in ordered) <= circuit.bandwidth_mbps, "our own orders oversold the circuit"
        refused = {deal.connection_id for deal in self.deals.values() if deal.refused}
        assert not refused & {hold.connection_id for hold in live}, "a refused order holds something"

    def _check_ledger(self) -> None:
        for key, entry in self.store.state.ledger.items():
            if key in self._ledger_seen:
                continue
            self._ledger_seen.add(key)
            record, live = entry.record, self._live_of[entry.connection_id]
            if record.reverses is None:
                assert record.fact not in live, f"{record.fact} is billed twice"
                live[record.fact] = key
            else:
                assert live.pop(record.fact, None) == record.reverses, f"{key} reverses what does not live"

    # --- Questions after healing ------------------------------------------------------------------------------------

    def check_healed(self) -> None:
        """What must hold once everything that can be read was read."""
        self.check()
        state = self.store.state
        assert set(state.connections) == set(self.deals), "connections and what we know of differ"
        for deal in self.deals.values():
            port = deal.port(self.cloud)
            given_up = state.connections[deal.connection_id].connection.failure is not None
            assert not (given_up and port is not None and port.token), "given up although its port was made"
            if port is not None and port.deleted and not port.listed_when_deleted:
                # It is gone without a word; only reconciliation's listings can tell.
                continue
            phase, right = str(state.phases[deal.connection_id]), phases(deal, self.cloud)
            assert phase in right, f"{deal.connection_id} is {phase}, by the cloud {right}"
            if port is not None and not port.deleted:
                self._check_port_held(deal, port.circuit_id, port.vlan_id)
            self._check_net(deal)
            if deal.vbr_id:
                self._check_migrated(deal, port)

    def _check_migrated(self, deal: Deal, port: ModelPort | None) -> None:
        """A migration has ended on its port, and nothing of the VBR was touched on the way."""
        vbr, stored = self.cloud.vbrs[deal.vbr_id], self.store.get(deal.connection_id)
        assert stored is not None
        migration = stored.connection.migration
        assert migration is not None
        assert migration.untouched is not False or vbr.settings, "we changed the tenant's VBR"
        if port is None or deal.ceased or vbr.deleted or str(self.store.state.phases[deal.connection_id]) != "enabled":
            return
        # An order that was wrong about its VBR may have found a port made by hand, which no VBR can be attached to.
        off = port.origin != vbr.vbr_id or vbr.vlan_id != port.vlan_id or vbr.owner_uid != port.tenant_uid
        assert off, "the VBR was left behind"

    def _check_port_held(self, deal: Deal, circuit_id: str, vlan_id: int) -> None:
        if deal.port_id:
            # Adopted on a VLAN ID that another connection held: a finding, and nothing is held for it.
            return
        holder = self.store.state.holds.get((circuit_id, vlan_id))
        assert holder is not None, f"VLAN {vlan_id} of a living port is free on {circuit_id}"
        assert holder.connection_id == deal.connection_id, f"VLAN {vlan_id} is held by another connection"

    def _check_net(self, deal: Deal) -> None:
        kept = self.store.state.ledger
        mine = {fact: kept[key].record.content for fact, key in self._live_of[deal.connection_id].items()}
        port = deal.port(self.cloud)
        lines = {line.fact: line for line in ledger(deal, port)} if port is not None else {}
        routers = {fact.rpartition("vbr:")[2] for fact in mine if "/vbr:" in fact}
        outbound = f"{deal.connection_id}/outbound_data_transfer/rate"
        rest = {fact for fact in mine if "/vbr:" not in fact and "/outbound_data_transfer/" not in fact}
        assert rest == set(lines), f"billed {sorted(rest)}, by the cloud {sorted(lines)}"
        for fact, line in lines.items():
            said = mine[fact]
            end = said["period_end"]
            period = (
                datetime.fromisoformat(str(said["period_start"])),
                datetime.fromisoformat(str(end)) if end is not None else None,
            )
            assert (said["payer"], said["biller"], period) == (line.payer, line.biller, line.period), fact
            assert Decimal(str(said["amount"])) in line.amounts, f"{fact}: {said['amount']}"
        if port is None or port.enabled_time is None:
            assert not routers
            return
        may = {
            v.vbr_id for v in self.cloud.vbrs.values() if v.port_id == port.port_id and v.owner_uid == port.tenant_uid
        }
        assert deal.vbrs_healed <= routers <= may, f"VBRs billed {routers}, at least {deal.vbrs_healed}"
        assert (outbound in mine) == bool(routers)

    # --- The end ----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Heal, let all cool-downs pass, heal again: every outbox row has ended, or waits for somebody by name."""
        self.heal()
        self.advance(timedelta(days=8))
        self.heal()
        state = self.store.state
        for key, entry in state.outbox.items():
            if entry.state is OutboxState.DUE and not entry.reason.startswith("too_early:"):
                assert entry.reason.startswith("waiting:"), f"{key} has not ended: {entry.reason!r}"
                assert self._excused(entry.row.connection_id, entry.row.kind), f"{key} waits for ever: {entry.reason}"
        self._check_notices()
        for deal in self.deals.values():
            port = deal.port(self.cloud)
            failed = str(state.phases[deal.connection_id]) == "failed"
            over = failed if port is None else port.deleted and port.listed_when_deleted
            if over or (port is None and deal.withdrawn):
                held = [h for h in state.holds.values() if h.connection_id == deal.connection_id]
                assert not held, f"{deal.connection_id} is over and still holds {held}"

    def _check_notices(self) -> None:
        """No party was told anything more often than it happened."""
        told: Counter[tuple[str, str, str, str]] = Counter()
        for entry in self.store.state.outbox.values():
            if entry.row.target == "queue:notices":
                said = entry.row.payload
                cause = str(said["details"].get("cause", ""))
                told[str(said["connection_id"]), str(said["kind"]), cause, str(said["party"])] += 1
        for (connection_id, kind, cause, party), count in told.items():
            port = self.deals[connection_id].port(self.cloud)
            happened = 1 if kind in ONCE else None
            if kind == "suspended" and port is not None and cause in port.locks:
                happened = port.locks[cause]
            assert happened is None or count <= happened, f"{party} was told {count} times of {kind} {cause}"

    def _excused(self, connection_id: str | None, kind: str) -> bool:
        """Whether a row of this connection may still wait: its port lives, or is gone without a word; or its VBR may
        come up again."""
        deal = self.deals.get(connection_id or "")
        if deal is not None and kind == "convert_vbr":
            return not self.cloud.vbrs[deal.vbr_id].deleted
        port = deal.port(self.cloud) if deal is not None else None
        return port is not None and (not port.deleted or not port.listed_when_deleted)


def forged(record: CloudRecord, account_id: str, fresh: bool) -> CloudRecord:
    """The same words from another account; or, under the genuine key, other words."""
    if fresh:
        return replace(record, key=f"{account_id}|acs.vpc|{record.key}", account_id=account_id)
    return replace(record, digest=hashlib.sha256(record.digest.encode()).hexdigest())
