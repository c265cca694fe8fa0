"""``decide_migration``: an order for a shared port that is made from a VBR which the tenant has had all along.

The older way gave the tenant a VBR directly on the partner's circuit. A migration puts a shared port between the two,
with the same VBR and without interruption (partner guide, "Add a shared port to an existing connection"; ruling 16).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crossport.domain.circuit import Circuit
from crossport.domain.connection import Migration, Refusal
from crossport.domain.groups import Sibling
from crossport.domain.observation import VbrObservation
from crossport.domain.orders import Contract, Order, OrderDecision, Tenant, open_connection
from crossport.domain.policy import Policy
from crossport.domain.specs import VBR_MBPS


@dataclass(frozen=True, kw_only=True, slots=True)
class MigrationOrder(Order):
    """An order for a port from a VBR. ``vlan_id`` is the VBR's, which the port takes over."""

    vbr_id: str
    #: The bandwidth cap that was agreed for the VBR, Mbit/s; None: the one of the ordered spec.
    bandwidth_mbps: int | None = None

    @property
    def cap_mbps(self) -> int:
        """The bandwidth cap that the VBR is to have, Mbit/s; 0 when neither it nor a known spec was given."""
        return VBR_MBPS.get(self.spec, 0) if self.bandwidth_mbps is None else self.bandwidth_mbps


def decide_migration(
    order: MigrationOrder,
    circuit: Circuit,
    tenant: Tenant | None,
    contracts: tuple[Contract, ...],
    policy: Policy,
    siblings: tuple[Sibling, ...] = (),
) -> OrderDecision:
    """Accept or refuse a migration by the checks of every order, and those of its own.

    Rule 2 with its exemption: the VLAN ID must be free of *our* holds; that a VBR in the cloud has it is why the order
    is there. Capacity is taken once, by the port: the VBR itself has never had a hold.
    """
    migration = Migration(vbr_id=order.vbr_id, bandwidth_mbps=order.cap_mbps)
    return open_connection(
        order,
        circuit,
        tenant,
        contracts,
        policy,
        siblings=siblings,
        migration=migration,
        also=tuple(_reasons(order)),
    )


def vbr_as_ordered(
    vbr: VbrObservation | None, migration: Migration, *, owner: str, vlan_id: int, circuit_id: str
) -> Refusal | None:
    """Rule 16: why this VBR cannot become the port that was ordered, or None.

    What the cloud did not say is not held against it.

    The port takes its tenant and VLAN ID from the VBR, so a mistake in the order must be found before the port is made.
    """
    if vbr is None:
        return Refusal(code="vbr_not_found", message=f"no VBR {migration.vbr_id} is shown", subject=migration.vbr_id)
    for code, seen, agreed in (
        ("vbr_of_other_tenant", vbr.owner_uid, owner),
        ("vbr_on_other_circuit", vbr.port_id, circuit_id),
        ("vbr_vlan_differs", vbr.vlan_id, vlan_id),
    ):
        if seen is not None and seen != agreed:
            return Refusal(code=code, message=f"VBR {vbr.vbr_id} has {seen}, ordered is {agreed}", subject=vbr.vbr_id)
    return None


def cap_makes_spec(order: MigrationOrder) -> Iterator[Refusal]:
    """Rule 16: the VBR has a bandwidth cap, and it is the one of which the ordered spec is made.

    CreateVpconnFromVbr takes no spec: the port gets the one that belongs to the VBR's cap ([INF]).
    """
    wanted = VBR_MBPS.get(order.spec)
    if wanted is not None and order.cap_mbps != wanted:
        message = f"a cap of {order.cap_mbps} Mbit/s does not make a port of {order.spec}; that takes {wanted}"
        yield Refusal(code="bandwidth_cap_differs", message=message, subject=order.spec)


def _reasons(order: MigrationOrder) -> Iterator[Refusal]:
    if order.vlan_id is None:
        yield Refusal(code="vbr_vlan_missing", message="a migration names the VLAN ID of its VBR", subject=order.vbr_id)
    yield from cap_makes_spec(order)
