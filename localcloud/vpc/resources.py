"""Circuits, shared ports, VBRs and orders as the service keeps them. All times are aware; bandwidths are Mbit/s."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from localcloud.vpc.names import SPECS, Acceptance, BusinessStatus, OrderMode, OrderStatus, Status, VbrStatus

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """A dedicated Express Connect circuit of a partner."""

    circuit_id: str
    account_id: str
    region: str
    bandwidth_mbps: int
    access_point_id: str
    line_operator: str
    name: str
    created_at: datetime
    status: str = Status.ENABLED
    business_status: str = BusinessStatus.NORMAL
    qos_id: str = ""

    @property
    def spec(self) -> str:
        """The circuit's spec: ``1G and below``, or whole Gbit/s."""
        return "1G and below" if self.bandwidth_mbps <= SPECS["1G"] else f"{self.bandwidth_mbps // 1000}G"


@dataclass(frozen=True, kw_only=True)
class Port:
    """A shared port: pushed by a partner on a circuit to a tenant."""

    port_id: str
    circuit_id: str
    partner_id: str
    tenant_id: str
    region: str
    vlan_id: int
    spec: str
    order_mode: str
    created_at: datetime
    status: str
    acceptance: str = Acceptance.UNCONFIRMED
    business_status: str = BusinessStatus.NORMAL
    expect_spec: str = ""
    name: str = ""
    description: str = ""
    resource_group_id: str = ""
    tags: Tags = ()
    enabled_at: datetime | None = None
    end_at: datetime | None = None
    paid_months: int = 0
    """Months of a paid term; 0 while nothing is paid."""
    auto_renew: bool = False
    source_vbr_id: str = ""
    """The cross-account VBR from which a migrated port was made."""

    @property
    def payer_id(self) -> str:
        """The account that pays for the port."""
        return self.partner_id if self.order_mode == OrderMode.PARTNER else self.tenant_id

    @property
    def reserved_mbps(self) -> int:
        """What the port takes from its circuit: the larger of its spec and a pending one."""
        return max(SPECS[self.spec], SPECS.get(self.expect_spec, 0))


@dataclass(frozen=True, kw_only=True)
class Vbr:
    """A virtual border router, on a port or directly on a circuit (the older, cross-account way)."""

    vbr_id: str
    owner_id: str
    region: str
    circuit_id: str
    port_id: str | None
    vlan_id: int
    created_at: datetime
    status: str
    bandwidth_mbps: int | None = None
    """The cap of a VBR on a circuit; None is unlimited. A VBR on a port has the port's bandwidth."""
    business_status: str = BusinessStatus.NORMAL
    name: str = ""
    description: str = ""
    circuit_code: str = ""
    resource_group_id: str = ""
    local_gateway_ip: str = ""
    peer_gateway_ip: str = ""
    peering_subnet_mask: str = ""
    enable_ipv6: bool = False
    local_ipv6_gateway_ip: str = ""
    peer_ipv6_gateway_ip: str = ""
    peering_ipv6_subnet_mask: str = ""
    min_tx_interval: int = 1000
    min_rx_interval: int = 1000
    detect_multiplier: int = 3
    mtu: int = 1500
    sitelink_enable: bool = False
    tags: Tags = ()
    activated_at: datetime | None = None
    terminated_at: datetime | None = None
    recovered_at: datetime | None = None

    @property
    def connection_id(self) -> str:
        """The port or circuit to which the VBR is attached (``PhysicalConnectionId``)."""
        return self.circuit_id if self.port_id is None else self.port_id

    @property
    def recoverable(self) -> bool:
        """Whether the VBR is terminated or on the way there."""
        return self.status in {VbrStatus.TERMINATING, VbrStatus.TERMINATED}


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order in the billing system: the first term of a port, or a change of its spec."""

    order_id: str
    port_id: str
    account_id: str
    months: int
    created_at: datetime
    status: str = OrderStatus.UNPAID
    expect_spec: str = ""
    """The spec that the order pays for; empty for a first term."""
    auto_renew: bool = False
