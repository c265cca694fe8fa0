"""The named checks of what is asked for: one function for each rule, shared by orders, requests and adoption.

Each yields the refusals that its rule calls for, none when the rule is kept. None of them knows who asks: an order
turns refusals into a rejection, an adopted port turns them into findings. ``domain.rules`` lists every rule with its
check and its source.
"""

from __future__ import annotations

from collections.abc import Iterator

from crossport.domain.circuit import IN_SERVICE, MAX_VLAN_ID, Circuit
from crossport.domain.connection import Connection, Refusal
from crossport.domain.policy import Policy
from crossport.domain.specs import MBPS, NEEDS_APPROVAL
from crossport.domain.vocabulary import OrderMode


def vlan_in_range(vlan_id: int) -> Iterator[Refusal]:
    """Rule 1: a VLAN ID is 0 to 2999; 0 is valid (API reference, CreateVirtualPhysicalConnection)."""
    if not 0 <= vlan_id <= MAX_VLAN_ID:
        yield Refusal(code="vlan_out_of_range", message=f"VLAN {vlan_id} is not within 0..{MAX_VLAN_ID}")


def vlan_free(vlan_id: int, circuit: Circuit) -> Iterator[Refusal]:
    """Rule 2: a VLAN ID is used once on a circuit, by ports and VBRs alike (partner guide, "Create a shared port")."""
    if circuit.holds(vlan_id):
        message = f"VLAN {vlan_id} is taken on {circuit.circuit_id}"
        yield Refusal(code="vlan_taken", message=message, subject=str(vlan_id))


def zero_vlan_alone(vlan_id: int, circuit: Circuit, policy: Policy) -> Iterator[Refusal]:
    """Rule 3: VLAN 0 takes the whole circuit ([INF] for other ports; ``Policy.vlan_zero_is_exclusive``)."""
    if policy.vlan_zero_is_exclusive and circuit.clashes_with_zero(vlan_id):
        why = "other VLAN IDs are in use" if vlan_id == 0 else "VLAN 0 takes the whole circuit"
        yield Refusal(
            code="vlan_taken",
            message=f"VLAN {vlan_id} cannot be used on {circuit.circuit_id}: {why}",
            subject=str(vlan_id),
        )


def within_capacity(spec: str, circuit: Circuit, *, present_mbps: int = 0, held_mbps: int = 0) -> Iterator[Refusal]:
    """Rule 5: all ports of a circuit fit its bandwidth, each counted with the larger of its spec and the spec ordered.

    ``present_mbps`` is what the port has now, ``held_mbps`` what is held for it already; both are 0 for a new port. A
    spec that the API does not list is rule 6's to refuse (help page "Modify configurations").
    """
    if spec not in MBPS:
        return
    more, free = max(MBPS[spec], present_mbps) - held_mbps, circuit.free_mbps
    if more > free:
        message = f"{spec} takes {more} Mbit/s more, which exceeds the {max(free, 0)} Mbit/s that are free"
        yield Refusal(code="capacity_exceeded", message=message, subject=spec)


def spec_allowed(spec: str, policy: Policy) -> Iterator[Refusal]:
    """Rule 6: the spec is one of the API's eleven, offered here, and approved when it is above 1G."""
    if spec not in MBPS:
        yield Refusal(code="spec_unknown", message=f"{spec} is not a spec of the API", subject=spec)
    elif spec not in policy.specs:
        yield Refusal(code="spec_not_offered", message=f"{spec} is not offered here", subject=spec)
    elif spec in NEEDS_APPROVAL and not policy.approved_above_1g:
        yield Refusal(code="spec_needs_approval", message=f"{spec} needs the account manager's approval", subject=spec)


def circuit_fit(circuit: Circuit, account_id: str, policy: Policy) -> Iterator[Refusal]:
    """Rule 7: the circuit is the partner's own and Enabled (API reference, CreateVirtualPhysicalConnection)."""
    subject = circuit.circuit_id
    if circuit.account_id != account_id or policy.account_id != account_id:
        message = f"circuit {subject} does not belong to {account_id}"
        yield Refusal(code="circuit_of_other_account", message=message, subject=subject)
    if circuit.status != IN_SERVICE:
        message = f"circuit {subject} is {circuit.status}"
        yield Refusal(code="circuit_not_enabled", message=message, subject=subject)


def tenant_uid_valid(tenant_uid: str) -> Iterator[Refusal]:
    """Rule 8, first part: a tenant's UID is digits, kept as a string (ruling 11)."""
    if not (tenant_uid.isascii() and tenant_uid.isdecimal()):
        yield Refusal(code="tenant_uid_malformed", message="a tenant's UID is digits", subject=tenant_uid)


def same_site(tenant_uid: str, site: str, policy: Policy) -> Iterator[Refusal]:
    """Rule 8, second part: tenant and partner are on one Alibaba Cloud site; cross-site pushes are refused (FAQ)."""
    if site != policy.site:
        message = f"the tenant is on site {site}, the partner account on {policy.site}"
        yield Refusal(code="no_account_for_site", message=message, subject=tenant_uid)


def order_mode_allowed(order_mode: str, policy: Policy) -> Iterator[Refusal]:
    """Rule 9: the order says who pays, and that way is enabled for the partner (partner guide, "Payment account")."""
    if order_mode not in set(OrderMode):
        yield Refusal(code="order_mode_unknown", message=f"{order_mode} is no order mode", subject=order_mode)
    elif order_mode not in policy.order_modes:
        yield Refusal(code="order_mode_not_enabled", message=f"{order_mode} is not enabled here", subject=order_mode)


def vlan_change_harmless(connection: Connection, policy: Policy, *, forced: bool) -> Iterator[Refusal]:
    """Rule 15: no VLAN change under a VBR, which inherited it. By force it is the partner's, with an outage
    (ruling 18, [INF])."""
    if connection.live_vbrs(policy.consistency_window) and not forced:
        yield Refusal(code="vbr_exists", message="a VBR hangs on the port; forcing the change interrupts traffic")
