"""Plain examples of the domain's values, for tests to vary: one partner, one tenant, one circuit, one order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Milestone, Terms
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.orders import Contract, Order, Tenant
from crossport.domain.policy import Policy
from crossport.domain.prices import PriceList
from crossport.domain.vocabulary import Flow, MilestoneName, OrderMode, Origin, Presence, Source

PARTNER = "1000000000000001"
TENANT = "2000000000000002"
STRANGER = "3000000000000003"
CIRCUIT = "pc-circuit"
PORT = "pc-1"
VBR = "vbr-1"
VLAN = 120
REGION = "us-east-1"
NOW = datetime(2022, 8, 1, 9, 0, tzinfo=UTC)
WINDOW = timedelta(seconds=30)

PARTNER_PRICES = PriceList(
    name="partner",
    version="1",
    currency="USD",
    port_month={"outside": {"100M": Decimal("65.50"), "200M": Decimal("80.00")}},
    outbound_gb={},
)
POLICY = Policy(account_id=PARTNER, order_modes=frozenset(OrderMode), partner_price_list=PARTNER_PRICES)


def connection(**changes: Any) -> Connection:
    """An accepted order for 100M on VLAN 120, tenant-paid, its create call intended."""
    plain = Connection(
        connection_id="conn-1",
        account_id=PARTNER,
        region=REGION,
        circuit_id=CIRCUIT,
        tenant_uid=TENANT,
        flow=Flow.NEW,
        origin=Origin.ORDER,
        terms=Terms(spec="100M", vlan_id=VLAN, order_mode=OrderMode.TENANT_PAYS),
        created_at=NOW,
        intended_at=NOW,
    )
    return replace(plain, **changes)


def port_seen(at: datetime = NOW, source: Source = Source.READ, **fields: Any) -> PortObservation:
    """What is said about our port."""
    return PortObservation(at=at, source=source, port_id=fields.pop("port_id", PORT), **fields)


def port_read(at: datetime = NOW, **fields: Any) -> PortObservation:
    """A complete read of our port, unaccepted and unpaid unless ``fields`` say otherwise."""
    said: dict[str, Any] = {
        "acceptance": "UnConfirmed",
        "status": "Allocated",
        "business_status": "Normal",
        "spec": "100M",
        "expect_spec": "",
        "vlan_id": VLAN,
        "tenant_uid": TENANT,
        "order_mode": str(OrderMode.TENANT_PAYS),
        "circuit_id": CIRCUIT,
        "presence": Presence.PRESENT,
    }
    return port_seen(at, **{**said, **fields})


def vbr_seen(at: datetime = NOW, source: Source = Source.READ, **fields: Any) -> VbrObservation:
    """What is said about the tenant's VBR."""
    return VbrObservation(at=at, source=source, vbr_id=fields.pop("vbr_id", VBR), **fields)


def vbr_read(at: datetime = NOW, **fields: Any) -> VbrObservation:
    """A complete read of the tenant's VBR, conforming unless ``fields`` say otherwise."""
    said: dict[str, Any] = {
        "port_id": PORT,
        "owner_uid": TENANT,
        "vlan_id": VLAN,
        "status": "active",
        "presence": Presence.PRESENT,
    }
    return vbr_seen(at, **{**said, **fields})


def circuit(**changes: Any) -> Circuit:
    """An enabled circuit of 1 Gbit/s that nothing is held on."""
    plain = Circuit(
        circuit_id=CIRCUIT,
        account_id=PARTNER,
        region=REGION,
        name="Equinix DC11",
        access_point="ap-us-east-1-equinix-dc11",
        line_operator="Equinix",
        bandwidth_mbps=1_000,
    )
    return replace(plain, **changes)


def tenant(**changes: Any) -> Tenant:
    """The tenant as declared."""
    return replace(Tenant(tenant_uid=TENANT, name="Example Trading"), **changes)


def contract(**changes: Any) -> Contract:
    """A contract in force all through 2022, in UTC."""
    plain = Contract(
        number="C-1",
        account_id=PARTNER,
        tenant_uid=TENANT,
        signed_on=date(2022, 1, 1),
        valid_from=date(2022, 1, 1),
        valid_until=date(2022, 12, 31),
    )
    return replace(plain, **changes)


def order(**changes: Any) -> Order:
    """A first-time order for 100M on VLAN 120, tenant-paid, with nothing reached yet."""
    plain = Order(
        client_order_id="order-1",
        account_id=PARTNER,
        circuit_id=CIRCUIT,
        tenant_uid=TENANT,
        spec="100M",
        order_mode=str(OrderMode.TENANT_PAYS),
        received_at=NOW,
        vlan_id=VLAN,
    )
    return replace(plain, **changes)


def milestone(name: MilestoneName, at: datetime = NOW) -> Milestone:
    """A milestone reached."""
    return Milestone(name=name, at=at, actor="operator")
