"""``decide_order``: a first-time order against the rules, the circuit and the contract.

Orders are first come, first served. A refused order holds nothing and is told every reason at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from crossport.domain.checks import (
    circuit_fit,
    order_mode_allowed,
    same_site,
    spec_allowed,
    tenant_uid_valid,
    vlan_free,
    vlan_in_range,
    within_capacity,
    zero_vlan_alone,
)
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Migration, Milestone, Refusal, Terms, connection_id_for
from crossport.domain.decide import Decision, Finding, conclude
from crossport.domain.errors import aware
from crossport.domain.groups import Sibling, complete_since, intended, siblings_fit
from crossport.domain.policy import Policy
from crossport.domain.specs import mbps
from crossport.domain.vocabulary import BEFORE_PUSH, Flow, MilestoneName, Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A first-time order as it came in. ``vlan_id`` None: the lowest free one of the pool."""

    client_order_id: str
    account_id: str
    circuit_id: str
    tenant_uid: str
    spec: str
    order_mode: str
    received_at: datetime
    vlan_id: int | None = None
    tenant_region: str = ""
    purchase_order: str = ""
    customer_reference: str = ""
    #: The redundancy group that it belongs to (ruling 17); "" for none.
    group_id: str = ""
    milestones: tuple[Milestone, ...] = ()

    def __post_init__(self) -> None:
        aware(self.received_at, "an order's time of receipt")

    @property
    def connection_id(self) -> str:
        """The connection that this order opens."""
        return connection_id_for(self.account_id, "order", self.client_order_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenant:
    """A tenant as declared. ``tenant_uid`` is a main account's id, digits kept as a string (ruling 11)."""

    tenant_uid: str
    name: str
    #: Alibaba Cloud site, declared; the cloud's error is the authority.
    site: str = "international"
    #: ``en`` or ``zh-CN``.
    language: str = "en"
    email: str = ""
    #: IANA zone of the recipient.
    zone: str = "UTC"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """A contract between the partner account and a tenant. Both dates are inclusive, in the contract's zone."""

    number: str
    account_id: str
    tenant_uid: str
    signed_on: date | None
    valid_from: date
    valid_until: date | None = None
    zone: str = "UTC"

    def in_force(self, now: datetime) -> bool:
        """Whether it is signed and valid on today's date in its own zone (ruling 21)."""
        # Every event function imports this module, and only orders ask for a zone.
        from zoneinfo import ZoneInfo

        today = now.astimezone(ZoneInfo(self.zone)).date()
        if self.signed_on is None or self.signed_on > today or self.valid_from > today:
            return False
        return self.valid_until is None or today <= self.valid_until


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A VLAN ID and bandwidth kept for one connection on one circuit."""

    circuit_id: str
    vlan_id: int
    mbps: int
    connection_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderDecision:
    """What follows from an order: the connection's decision, and, unless refused, the hold and the circuit after it."""

    decision: Decision
    refusals: tuple[Refusal, ...] = ()
    hold: Hold | None = None
    circuit: Circuit | None = None


def decide_order(
    order: Order,
    circuit: Circuit,
    tenant: Tenant | None,
    contracts: tuple[Contract, ...],
    policy: Policy,
    siblings: tuple[Sibling, ...] = (),
) -> OrderDecision:
    """Accept or refuse a first-time order. ``contracts`` are those between this account and this tenant, ``siblings``
    the other connections of its redundancy group."""
    return open_connection(order, circuit, tenant, contracts, policy, siblings=siblings)


def open_connection(
    order: Order,
    circuit: Circuit,
    tenant: Tenant | None,
    contracts: tuple[Contract, ...],
    policy: Policy,
    *,
    siblings: tuple[Sibling, ...] = (),
    migration: Migration | None = None,
    also: Iterable[Refusal] = (),
) -> OrderDecision:
    """What every flow shares: the checks of an order, its connection, its hold and its intent.

    ``also`` are the reasons against it that only the flow knows; they are told with the others.
    """
    vlan_id = order.vlan_id
    if vlan_id is None:
        vlan_id = circuit.lowest_free(policy.vlan_pool, zero_is_exclusive=policy.vlan_zero_is_exclusive)
    fit = siblings_fit(circuit, order.tenant_uid, order.spec, siblings, policy)
    reasons = (*_reasons(order, vlan_id, circuit, tenant, contracts, policy), *fit, *also)
    contract = next((c for c in contracts if c.in_force(order.received_at)), None)
    connection = Connection(
        connection_id=order.connection_id,
        account_id=order.account_id,
        region=circuit.region,
        circuit_id=circuit.circuit_id,
        tenant_uid=order.tenant_uid,
        flow=Flow.NEW if migration is None else Flow.MIGRATION,
        origin=Origin.ORDER,
        terms=Terms(spec=order.spec, vlan_id=-1 if vlan_id is None else vlan_id, order_mode=order.order_mode),
        created_at=order.received_at,
        client_order_id=order.client_order_id,
        contract_number=contract.number if contract else "",
        purchase_order=order.purchase_order,
        customer_reference=order.customer_reference,
        tenant_region=order.tenant_region,
        milestones=tuple(sorted(order.milestones, key=lambda m: (m.at, m.name))),
        migration=migration,
        group_id=order.group_id,
        refusals=reasons,
    )
    if reasons or vlan_id is None:
        return OrderDecision(decision=conclude(None, connection, policy), refusals=reasons)
    hold = Hold(
        circuit_id=circuit.circuit_id,
        vlan_id=vlan_id,
        mbps=mbps(order.spec),
        connection_id=connection.connection_id,
    )
    if order.group_id:
        connection = replace(connection, group_ready_at=complete_since(connection, siblings, policy))
    connection = intended(connection, policy)
    return OrderDecision(
        decision=conclude(None, connection, policy, findings=_findings(order)),
        hold=hold,
        circuit=circuit.hold(vlan_id, hold.mbps),
    )


def _findings(order: Order) -> tuple[Finding, ...]:
    """What a person should look at although the order may be filled: the partner's own UID is a warning (ruling 11)."""
    if order.tenant_uid != order.account_id:
        return ()
    return (Finding(code="tenant_is_partner", subject=order.tenant_uid, details={"account_id": order.account_id}),)


def decide_milestone(connection: Connection, milestone: Milestone, policy: Policy) -> Decision:
    """Record a milestone; the first of its name counts. When all that gate the push are there, intend the call."""
    if connection.milestone(milestone.name) is not None:
        return conclude(connection, connection, policy)
    reached = tuple(sorted((*connection.milestones, milestone), key=lambda m: (m.at, m.name)))
    attested = milestone.at if milestone.name is MilestoneName.VBR_ATTESTED else connection.attested_at
    after = replace(connection, milestones=reached, attested_at=attested)
    return conclude(connection, intended(after, policy), policy)


def _reasons(
    order: Order,
    vlan_id: int | None,
    circuit: Circuit,
    tenant: Tenant | None,
    contracts: tuple[Contract, ...],
    policy: Policy,
) -> Iterator[Refusal]:
    yield from _of_tenant(order, tenant, contracts, policy)
    for milestone in order.milestones:
        if milestone.name not in BEFORE_PUSH:
            message = f"{milestone.name} cannot be reached before there is a port"
            yield Refusal(code="milestone_needs_port", message=message, subject=milestone.name)
    yield from spec_allowed(order.spec, policy)
    yield from order_mode_allowed(order.order_mode, policy)
    yield from circuit_fit(circuit, order.account_id, policy)
    yield from within_capacity(order.spec, circuit)
    if vlan_id is None:
        yield Refusal(code="vlan_pool_exhausted", message=f"no VLAN of the pool is free on {circuit.circuit_id}")
        return
    yield from vlan_in_range(vlan_id)
    if order.vlan_id is not None:
        yield from vlan_free(vlan_id, circuit)
        yield from zero_vlan_alone(vlan_id, circuit, policy)


def _of_tenant(
    order: Order, tenant: Tenant | None, contracts: tuple[Contract, ...], policy: Policy
) -> Iterator[Refusal]:
    uid = order.tenant_uid
    yield from tenant_uid_valid(uid)
    if tenant is None:
        yield Refusal(code="tenant_unknown", message=f"no tenant {uid} is on record", subject=uid)
    else:
        yield from same_site(uid, tenant.site, policy)
    if not any(contract.in_force(order.received_at) for contract in contracts):
        code = "contract_missing" if not contracts else "contract_not_in_force"
        yield Refusal(code=code, message=f"no contract with {uid} is signed and valid today", subject=uid)
