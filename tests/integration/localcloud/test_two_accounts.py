"""Virginia and Hangzhou, two partner accounts and three tenants in one process, through the official SDK.

Each account has its site, region, circuit, currency and credentials (rulings 9 and 10); the local cloud knows whose
call each is by its signature. One tenant forwards its events, the others are found by polling.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crossport.adapters.credentials import Credentials
from crossport.adapters.vpc import VpcCloud, sdk
from crossport.application.actiontrail import CloudRecord
from crossport.application.bill import seal
from crossport.application.observe import observe
from crossport.application.order_input import OrderMessage
from crossport.application.place_order import place_orders
from crossport.application.reconcile import Reconciler
from crossport.application.relay import relay
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Milestone, connection_id_for
from crossport.domain.orders import Contract, Order, Tenant
from crossport.domain.policy import Policy
from crossport.domain.prices import PriceList
from crossport.domain.vocabulary import OrderMode, Phase
from crossport.entrypoints.envelope import open_envelope
from crossport.entrypoints.records import to_record
from localcloud.accounts import AccessKey, Account, Directory
from localcloud.clock import Clock
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.vpc.ids import Ids
from localcloud.vpc.service import Vpc
from tests.fakes.memory_queue import MemoryQueue
from tests.fakes.memory_store import MemoryStore
from tests.fakes.partner_world import GATES, CountingIds, FixedPolicies
from tests.integration.localcloud.conftest import LoopThread


@dataclass(frozen=True)
class Partner:
    """One partner account."""

    account_id: str
    site: str
    region: str
    circuit_id: str
    currency: str
    price: str

    @property
    def policy(self) -> Policy:
        """Prices in the account's own currency, the cloud's list and the partner's."""
        cost, own = (
            PriceList(
                name=f"{name} {self.currency}",
                version="1",
                currency=self.currency,
                port_month={zone: {"200M": Decimal(price)} for zone in ("mainland", "outside")},
                outbound_gb={},
            )
            for name, price in (("cloud", "50"), ("partner", self.price))
        )
        return Policy(
            account_id=self.account_id,
            site=self.site,
            order_modes=frozenset(OrderMode),
            price_list=cost,
            partner_price_list=own,
        )


VIRGINIA = Partner("1000000000000001", "international", "us-east-1", "pc-virginia", "USD", "80.00")
HANGZHOU = Partner("1000000000000009", "china", "cn-hangzhou", "pc-hangzhou", "CNY", "510.00")
#: Tenant to its partner; all of them have the same VLAN ID where they can.
TENANTS = {"2000000000000001": VIRGINIA, "2000000000000002": VIRGINIA, "2000000000000003": HANGZHOU}
FORWARDS = "2000000000000001"


class Together:
    """Both partners' Crossport in one process: one store, one relay, one sweep."""

    def __init__(self, thread: LoopThread) -> None:
        self.clock = Clock(start=datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
        self.events: list[tuple[str, str, dict[str, Any]]] = []
        self.asked: set[str] = set()
        directory = Directory()
        self._keys = {
            account_id: directory.add(Account(account_id=account_id, name=account_id, site=partner.site))
            for account_id, partner in [*((p.account_id, p) for p in (VIRGINIA, HANGZHOU)), *TENANTS.items()]
        }
        self._thread = thread

        def build() -> Vpc:
            vpc = Vpc(
                directory=directory,
                clock=self.clock,
                journal=Journal(self.clock),
                publish=lambda account_id, region, event: self.events.append((account_id, region, event)),
                ids=Ids(seed=1),
            )
            for partner in (VIRGINIA, HANGZHOU):
                vpc.add_circuit(partner.circuit_id, partner.account_id, partner.region, 1_000)
            for tenant, partner in TENANTS.items():
                vpc.open_outbound_billing(tenant, partner.region)
            return vpc

        self._listener = Listener(thread.call(build).application)
        thread.run(self._listener.plug_in())
        self.store = MemoryStore(now=self.clock.now)
        self.policies = FixedPolicies(VIRGINIA.policy, HANGZHOU.policy)
        self.cloud = VpcCloud(credentials=self._credentials, endpoint=self._listener.address, clock=self.clock)
        self.queue = MemoryQueue(self.clock, ["notices", "billing-records", "order-replies"])
        self.ids = CountingIds()
        self._declare()

    def close(self) -> None:
        """Stop the cloud."""
        self._thread.run(self._listener.unplug())

    def _credentials(self, account_id: str) -> Credentials:
        self.asked.add(account_id)
        return _values(self._keys[account_id])

    def _declare(self) -> None:
        said: dict[str, Any] = {"actor": "test", "reason": "example", "at": self.clock.now()}
        for partner in (VIRGINIA, HANGZHOU):
            circuit = Circuit(
                circuit_id=partner.circuit_id,
                account_id=partner.account_id,
                region=partner.region,
                name=partner.circuit_id,
                access_point=f"ap-{partner.region}",
                line_operator="Other",
                bandwidth_mbps=1_000,
            )
            self.store.put_circuit(circuit, **said)
        for tenant_uid, partner in TENANTS.items():
            self.store.put_tenant(Tenant(tenant_uid=tenant_uid, name=tenant_uid, site=partner.site), **said)
            contract = Contract(
                number=f"C-{tenant_uid}",
                account_id=partner.account_id,
                tenant_uid=tenant_uid,
                signed_on=date(2026, 1, 2),
                valid_from=date(2026, 1, 2),
            )
            self.store.put_contract(contract, **said)

    def order(self, tenant_uid: str, partner: Partner, vlan_id: int) -> tuple[str, str]:
        """An order with every gate reached; its verdict and reason."""
        now = self.clock.now()
        order = Order(
            client_order_id=f"order-{tenant_uid}",
            account_id=partner.account_id,
            circuit_id=partner.circuit_id,
            tenant_uid=tenant_uid,
            spec="200M",
            order_mode=str(OrderMode.PARTNER_PAYS),
            received_at=now,
            vlan_id=vlan_id,
            milestones=tuple(Milestone(name=gate, at=now, actor="operator") for gate in GATES),
        )
        name = f"order-{tenant_uid}-{partner.region}"
        message = OrderMessage(
            key=name,
            digest=f"digest of {name}",
            name="order.new",
            account_id=partner.account_id,
            client_order_id=order.client_order_id,
            order=order,
        )
        (ending,) = place_orders([message], store=self.store, policies=self.policies, clock=self.clock)
        return str(ending.verdict), ending.reason

    def hear(self) -> None:
        """The partners' own buses, and that of the tenant who forwards; what the others' buses say never comes."""
        heard, self.events = self.events, []
        records = [_record(event) for account_id, _, event in heard if account_id not in TENANTS.keys() - {FORWARDS}]
        for one in records:
            observe([one], function="port_events", store=self.store, policies=self.policies, clock=self.clock)

    def work(self) -> None:
        """The relay, until reads that may lag behind were repeated."""
        for _ in range(3):
            relay(
                store=self.store,
                cloud=lambda: self.cloud,
                queue=lambda: self.queue,
                policies=self.policies,
                clock=self.clock,
                ids=self.ids,
                until=self.clock.now() + timedelta(minutes=1),
            )
            self.clock.advance(timedelta(minutes=1))

    def poll(self) -> None:
        """One pass over both circuits."""
        reconciler = Reconciler(store=self.store, cloud=self.cloud, policies=self.policies, clock=self.clock)
        for partner in (VIRGINIA, HANGZHOU):
            circuit = self.store.circuit(partner.circuit_id)
            assert circuit is not None
            report = reconciler.circuit(circuit)
            assert (report.complete, report.why) == (True, "")

    def act(self, tenant_uid: str, operation: str, **parameters: Any) -> Any:
        """A call of a tenant, with its own credentials, in its partner's region."""
        region = TENANTS[tenant_uid].region
        client = sdk.make_client(
            region=region,
            endpoint=self._listener.address,
            credentials=lambda: _values(self._keys[tenant_uid]),
            connect_timeout_ms=5_000,
            read_timeout_ms=5_000,
        )
        return sdk.call(client, operation, {"region_id": region, **parameters})

    def connection(self, tenant_uid: str) -> Any:
        """The tenant's connection."""
        stored = self.store.get(connection_id_for(TENANTS[tenant_uid].account_id, "order", f"order-{tenant_uid}"))
        assert stored is not None
        return stored.connection


def _record(event: dict[str, Any]) -> CloudRecord:
    (opened,) = open_envelope(json.dumps(event).encode())
    record = to_record(opened)
    assert isinstance(record, CloudRecord), record
    return record


def _values(key: AccessKey) -> Credentials:
    return Credentials(access_key_id=key.access_key_id, access_key_secret=key.access_key_secret)


@pytest.fixture
def together(loop_thread: LoopThread, direct_connections: None) -> Iterator[Together]:
    both = Together(loop_thread)
    yield both
    both.close()


def test_two_partners_and_three_tenants_live_side_by_side(together: Together) -> None:
    for number, (tenant_uid, partner) in enumerate(TENANTS.items()):
        assert together.order(tenant_uid, partner, 120 + number % 2) == ("applied", "")
    together.work()
    together.hear()
    together.work()
    ports = {tenant_uid: together.connection(tenant_uid).port_id for tenant_uid in TENANTS}
    assert len(set(ports.values())) == len(TENANTS)

    for tenant_uid, port_id in ports.items():
        together.act(tenant_uid, "confirm_physical_connection", physical_connection_id=port_id)
    together.hear()
    together.work()
    accepted = {tenant_uid for tenant_uid in TENANTS if together.connection(tenant_uid).port.confirmed}
    assert accepted == {FORWARDS}, "only one tenant forwards its events"
    together.poll()
    together.work()
    for number, (tenant_uid, port_id) in enumerate(ports.items()):
        together.act(
            tenant_uid, "create_virtual_border_router", physical_connection_id=port_id, vlan_id=120 + number % 2
        )
    together.poll()
    together.work()
    assert set(together.store.state.phases.values()) == {Phase.ACTIVE}

    _check_places(together)
    _check_ledger(together)
    assert together.asked == {VIRGINIA.account_id, HANGZHOU.account_id}
    before = together.store.state
    together.poll()
    assert together.store.state is before


def _check_places(together: Together) -> None:
    """Every connection and every command stands in its own account and region."""
    for tenant_uid, partner in TENANTS.items():
        connection = together.connection(tenant_uid)
        assert (connection.account_id, connection.region) == (partner.account_id, partner.region)
        assert connection.port.circuit_id.current == partner.circuit_id
    for entry in together.store.state.outbox.values():
        if entry.row.target == "cloud" and entry.row.connection_id is not None:
            stored = together.store.get(entry.row.connection_id)
            assert stored is not None
            said = entry.row.payload.get("account_id", stored.connection.account_id)
            assert said == stored.connection.account_id, entry.row.key
    assert {row.account_id for row in together.store.state.audit} <= {
        VIRGINIA.account_id,
        HANGZHOU.account_id,
        FORWARDS,
    }


def _check_ledger(together: Together) -> None:
    """Each record is in its account's currency, asked of its own tenant or of its own partner; one chain over all."""
    seal(store=together.store, clock=together.clock, ids=together.ids)
    told: dict[str, set[tuple[Any, ...]]] = {tenant_uid: set() for tenant_uid in TENANTS}
    for entry in together.store.state.ledger.values():
        content = entry.record.content
        tenant_uid = next(t for t in TENANTS if together.connection(t).connection_id == entry.connection_id)
        partner = TENANTS[tenant_uid]
        assert content["account_id"] == partner.account_id
        assert content["currency"] == partner.currency
        assert content["payer"] in (tenant_uid, partner.account_id)
        if content["kind"] == "port_usage":
            told[tenant_uid].add((content["purpose"], content["payer"], content["amount"]))
    for tenant_uid, partner in TENANTS.items():
        assert told[tenant_uid] == {("cost", partner.account_id, "50.00"), ("charge", tenant_uid, partner.price)}
    assert {entry.seq for entry in together.store.state.ledger.values()} == set(
        range(1, len(together.store.state.ledger) + 1)
    )


def test_an_order_in_another_partners_account_is_refused_and_calls_nobody(together: Together) -> None:
    tenant_uid = next(iter(TENANTS))
    verdict, reason = together.order(tenant_uid, HANGZHOU, 120)
    assert verdict == "rejected"
    assert "no_account_for_site" in reason
    together.work()
    assert together.asked == set()


@pytest.mark.parametrize(("partner", "shown"), [(VIRGINIA, 1), (HANGZHOU, 0)], ids=["its own", "the other's"])
def test_a_partners_credentials_open_nothing_of_the_other(together: Together, partner: Partner, shown: int) -> None:
    together.order(FORWARDS, VIRGINIA, 120)
    together.work()
    pages = together.cloud.list_ports(
        account_id=partner.account_id, region=VIRGINIA.region, circuit_id=VIRGINIA.circuit_id
    )
    assert sum(len(page.ports) for page in pages) == shown
