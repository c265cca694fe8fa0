"""The twenty rules of shared ports: what each says, where it comes from, and the function that enforces it.

A registry, so that an operator can ask what is enforced and a test can see that all of it is. It decides nothing: the
checks are called where things are decided, and ``Rule.checks`` refers to the very same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from crossport.domain.billing import periods, port_fee_sides
from crossport.domain.checks import (
    circuit_fit,
    order_mode_allowed,
    same_site,
    spec_allowed,
    tenant_uid_valid,
    vlan_change_harmless,
    vlan_free,
    vlan_in_range,
    within_capacity,
    zero_vlan_alone,
)
from crossport.domain.connection import token_of
from crossport.domain.cool_down import cool_down_ends
from crossport.domain.effects.commands import attach_due
from crossport.domain.facts import port_gone, vbr_gone
from crossport.domain.migration import cap_makes_spec, vbr_as_ordered
from crossport.domain.phase import in_service
from crossport.domain.rights import partner_may_call
from crossport.domain.teardown import next_step
from crossport.domain.trust import may_speak
from crossport.domain.violations import as_agreed, one_vbr_a_port


class Basis(StrEnum):
    """What a rule rests on."""

    DOCUMENTED = "documented"
    #: No documentation proves all of it: to be verified with the real cloud.
    INFERRED = "inferred"


class Where(StrEnum):
    """When a rule is looked at."""

    ORDER = "order"
    REQUEST = "request"
    OBSERVATION = "observation"
    COMMAND = "command"
    RECONCILE = "reconcile"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule of shared ports."""

    #: 1 to 20.
    number: int
    code: str
    title: str
    sentence: str
    #: The page or API operation that says so.
    source: str
    basis: Basis
    #: When the rule is enforced today; empty while it is not.
    enforced_at: tuple[Where, ...]
    #: The functions that enforce it, called from there.
    checks: tuple[Callable[..., Any], ...]
    #: Codes of refusals, violations and findings that the rule leads to.
    codes: tuple[str, ...] = ()
    #: The field of ``Policy`` that switches it or sets its measure; "" when nothing does.
    switch: str = ""
    #: What of the rule is not enforced yet, and what it waits for; "" when all of it is.
    missing: str = ""


_CREATE = "API reference, CreateVirtualPhysicalConnection"
_PARTNER_GUIDE = "User guide, Manage connections for tenants"
_TENANT_GUIDE = "User guide, Operation guide for tenants"
_DOCUMENTED, _INFERRED = Basis.DOCUMENTED, Basis.INFERRED

RULES: tuple[Rule, ...] = (
    Rule(
        number=1,
        code="vlan_in_range",
        title="VLAN ID in range",
        sentence="A VLAN ID is a whole number from 0 to 2999, and 0 is a valid one.",
        source=f"{_CREATE} (VlanId)",
        basis=_DOCUMENTED,
        enforced_at=(Where.ORDER, Where.REQUEST, Where.OBSERVATION),
        checks=(vlan_in_range,),
        codes=("vlan_out_of_range",),
    ),
    Rule(
        number=2,
        code="vlan_unique",
        title="VLAN ID unique on its circuit",
        sentence="No two live ports of a circuit have the same VLAN ID; one that is held is refused.",
        source=f"{_CREATE}; {_PARTNER_GUIDE}",
        basis=_DOCUMENTED,
        enforced_at=(Where.ORDER, Where.REQUEST, Where.OBSERVATION),
        checks=(vlan_free,),
        codes=("vlan_taken", "vlan_clash"),
        missing="an order is not compared with VBRs that the partner made on the circuit itself",
    ),
    Rule(
        number=3,
        code="zero_vlan_alone",
        title="VLAN 0 alone on its circuit",
        sentence="VLAN 0 takes the whole circuit: it excludes every other port and is excluded by any.",
        source=f"{_CREATE} (VlanId 0: one circuit, one VBR); its bearing on other ports is inferred",
        basis=_INFERRED,
        enforced_at=(Where.ORDER, Where.REQUEST, Where.OBSERVATION),
        checks=(zero_vlan_alone,),
        codes=("vlan_taken", "vlan_clash", "vlan_zero_not_alone"),
        switch="vlan_zero_is_exclusive",
    ),
    Rule(
        number=4,
        code="vlan_cool_down",
        title="VLAN ID rests after use",
        sentence=(
            "The cloud keeps the VLAN ID of a terminated VBR for 7 days; ours rests as long as policy says after the "
            "port or VBR was last seen. An offer never accepted leaves nothing behind."
        ),
        source="API reference, ModifyVirtualBorderRouterAttribute (7 days, of a terminated VBR alone)",
        basis=_DOCUMENTED,
        enforced_at=(Where.COMMAND,),
        checks=(cool_down_ends,),
        switch="cool_down",
    ),
    Rule(
        number=5,
        code="within_capacity",
        title="Within the circuit's bandwidth",
        sentence=(
            "The specs of all ports of a circuit together do not exceed its bandwidth; while a change is unpaid, the "
            "larger of both specs counts."
        ),
        source=f"{_PARTNER_GUIDE}; product overview, Modify configurations",
        basis=_DOCUMENTED,
        enforced_at=(Where.ORDER, Where.REQUEST, Where.OBSERVATION),
        checks=(within_capacity,),
        codes=("capacity_exceeded", "over_capacity"),
    ),
    Rule(
        number=6,
        code="spec_allowed",
        title="Spec offered and approved",
        sentence="A spec is one of the API's eleven and offered by the partner; 2G, 5G, 8G and 10G need approval.",
        source=f"{_CREATE} (Spec)",
        basis=_DOCUMENTED,
        enforced_at=(Where.ORDER, Where.REQUEST, Where.OBSERVATION),
        checks=(spec_allowed,),
        codes=("spec_unknown", "spec_not_offered", "spec_needs_approval"),
        switch="approved_above_1g",
    ),
    Rule(
        number=7,
        code="circuit_fit",
        title="Circuit fit for shared ports",
        sentence="The circuit is a dedicated one of the partner's own, Enabled, with no QoS policy bound.",
        source=f"{_CREATE} (preconditions)",
        basis=_DOCUMENTED,
        enforced_at=(Where.ORDER, Where.OBSERVATION),
        checks=(circuit_fit, as_agreed),
        codes=("circuit_of_other_account", "circuit_not_enabled", "wrong_port_circuit"),
        missing="circuits are declared, not read: a QoS policy is seen only when the cloud refuses the call",
    ),
    Rule(
        number=8,
        code="tenant_account_valid",
        title="Tenant's account valid",
        sentence=(
            "The tenant's UID is a main account's, in digits, on the partner's own site; the partner's own UID is "
            "a warning."
        ),
        source=f"{_CREATE} (VpconnAliUid); FAQ, shared ports across sites",
        basis=_INFERRED,
        enforced_at=(Where.ORDER, Where.OBSERVATION),
        checks=(tenant_uid_valid, same_site, as_agreed),
        codes=("tenant_uid_malformed", "no_account_for_site", "tenant_is_partner", "wrong_port_owner"),
        switch="site",
        missing="whether a UID is a main account's is declared by the tenant; the cloud's refusal is the authority",
    ),
    Rule(
        number=9,
        code="order_mode_explicit",
        title="Payer named and enabled",
        sentence="An order says who pays, the partner has that way enabled, and it is fixed once the port exists.",
        source=f"{_PARTNER_GUIDE} (payment account); {_CREATE} (OrderMode)",
        basis=_DOCUMENTED,
        enforced_at=(Where.ORDER, Where.OBSERVATION),
        checks=(order_mode_allowed, as_agreed),
        codes=("order_mode_unknown", "order_mode_not_enabled", "wrong_order_mode"),
        switch="order_modes",
    ),
    Rule(
        number=10,
        code="payer_bears_port_fee",
        title="Who bears which fee",
        sentence=(
            "The payer bears the port's fee and its renewals, the tenant always the outbound transfer; installation "
            "and VBR are free."
        ),
        source="Billing, Resource usage fee and Outbound data transfer fees",
        basis=_DOCUMENTED,
        enforced_at=(Where.OBSERVATION,),
        checks=(port_fee_sides,),
    ),
    Rule(
        number=11,
        code="stable_token",
        title="One Token for one intent",
        sentence="A create call carries a Token made from our own id, at most 64 ASCII characters; retries reuse it.",
        source=f"{_CREATE} (Token)",
        basis=_DOCUMENTED,
        enforced_at=(Where.COMMAND,),
        checks=(token_of,),
    ),
    Rule(
        number=12,
        code="acceptance_is_the_tenants",
        title="Only the tenant accepts",
        sentence="Accepting a port is the tenant's act alone; the partner's system never makes that call.",
        source=f"{_TENANT_GUIDE}; API reference, ConfirmPhysicalConnection",
        basis=_DOCUMENTED,
        enforced_at=(Where.COMMAND,),
        checks=(partner_may_call,),
    ),
    Rule(
        number=13,
        code="active_when_all_hold",
        title="Active only when all holds",
        sentence=(
            "A connection is active when its port is Confirmed and Enabled, nothing locks it, and the tenant's "
            "conforming VBR lives."
        ),
        source="API reference, AttachVbrToVpconn (Confirmed and Enabled); the rest is inferred",
        basis=_INFERRED,
        enforced_at=(Where.OBSERVATION,),
        checks=(in_service,),
    ),
    Rule(
        number=14,
        code="one_vbr_a_port",
        title="One VBR on a port",
        sentence="A port carries one live VBR, the tenant's, with the port's VLAN ID; anything else is flagged.",
        source=f"{_TENANT_GUIDE} (one VBR, VLAN ID inherited)",
        basis=_DOCUMENTED,
        enforced_at=(Where.OBSERVATION,),
        checks=(one_vbr_a_port,),
        codes=("second_vbr", "wrong_vbr_owner", "wrong_vlan"),
    ),
    Rule(
        number=15,
        code="vlan_change_by_partner",
        title="VLAN ID changed by the partner alone",
        sentence="Only the partner changes a port's VLAN ID, and not under a VBR unless it is forced with a reason.",
        source="API reference, UpdateVirtualPhysicalConnection; what happens to a VBR is inferred",
        basis=_INFERRED,
        enforced_at=(Where.REQUEST, Where.OBSERVATION),
        checks=(vlan_change_harmless, as_agreed),
        codes=("vbr_exists", "wrong_port_vlan"),
    ),
    Rule(
        number=16,
        code="migration_order",
        title="Migration in its order",
        sentence=(
            "A port is made from the VBR, the tenant confirms (and pays), then the partner attaches the same VBR, "
            "which has a bandwidth cap."
        ),
        source=f"{_PARTNER_GUIDE}; API reference, CreateVpconnFromVbr and AttachVbrToVpconn",
        basis=_DOCUMENTED,
        enforced_at=(Where.ORDER, Where.COMMAND, Where.OBSERVATION),
        checks=(cap_makes_spec, vbr_as_ordered, attach_due),
        codes=(
            "bandwidth_cap_differs",
            "vbr_vlan_missing",
            "vbr_not_found",
            "vbr_of_other_tenant",
            "vbr_on_other_circuit",
            "vbr_vlan_differs",
            "wrong_port_spec",
            "migration_changed_vbr",
        ),
        missing="outbound billing cannot be seen by the partner: the offer asks for it",
    ),
    Rule(
        number=17,
        code="teardown_order",
        title="Teardown in its order",
        sentence="VBRs go first, then the port is terminated, then deleted: a Terminated port is still billed.",
        source="API reference, TerminatePhysicalConnection and DeletePhysicalConnection",
        basis=_DOCUMENTED,
        enforced_at=(Where.COMMAND,),
        checks=(next_step,),
    ),
    Rule(
        number=18,
        code="billing_grid",
        title="Billing periods on the grid",
        sentence=(
            "The fee runs in UTC+8 from the second of activation to 00:00 of the day after the monthly anniversary; "
            "a renewal continues from the old end."
        ),
        source="Billing, Resource usage fee; that Enabled starts it is inferred",
        basis=_INFERRED,
        enforced_at=(Where.OBSERVATION,),
        checks=(periods,),
        codes=("enabled_time_changed",),
    ),
    Rule(
        number=19,
        code="event_trust",
        title="Events believed by their account",
        sentence=(
            "An event counts for the account that the platform put on it: the partner's own is applied, the tenant's "
            "makes us read, any other is rejected."
        ),
        source="EventBridge, VPC events; Cross-account event routing (aliyunoriginalaccountid)",
        basis=_INFERRED,
        enforced_at=(Where.OBSERVATION,),
        checks=(may_speak,),
        codes=("account_mismatch",),
    ),
    Rule(
        number=20,
        code="absence_is_proven",
        title="Absence is proven, not assumed",
        sentence=(
            "What is missing is gone only after two complete reads a consistency window apart; a failed read says "
            "nothing."
        ),
        source="API reference, ListVirtualPhysicalConnections (NextToken); the two reads are inferred",
        basis=_INFERRED,
        enforced_at=(Where.OBSERVATION, Where.COMMAND),
        checks=(port_gone, vbr_gone),
        codes=("lost_in_arrears",),
        switch="consistency_window",
    ),
)

#: Refusals, violations and findings that none of the twenty rules leads to: code and why there is one.
OTHER_CODES: Mapping[str, str] = MappingProxyType(
    {
        "tenant_unknown": "the order names a tenant that is not on record",
        "contract_missing": "there is no contract with the tenant",
        "contract_not_in_force": "no contract with the tenant is signed and valid today",
        "port_without_contract": "a port was found that no contract covers",
        "vlan_pool_exhausted": "the order names no VLAN ID and the pool has none left",
        "connection_over": "nothing can be asked of a connection that has ended",
        "phase_forbids_change": "nothing is changed in this phase",
        "cease_recorded": "the end of the service is recorded already",
        "group_of_other_tenant": "a redundancy group belongs to one tenant (ruling 17)",
        "group_same_circuit": "the members of a redundancy group are on different circuits (ruling 17)",
        "group_same_access_point": "the members of a redundancy group end at different access points (ruling 17)",
        "group_spec_differs": "the members of a redundancy group have equal specs (ruling 17)",
        "sibling_not_active": "no member is changed or ceased while its sibling is not active (ruling 17)",
        "vbr_missing": "an accepted and enabled port has no VBR for days",
        "vbr_not_visible": "no list shows the account its tenants' VBRs (ruling 8)",
        "expiry_near": "a port's term ends within days and was not renewed (ruling 13)",
        "billing_gap": "a port is Enabled and nothing is charged for it",
        "half_provisioned": "one member of a redundancy group has a port and no sibling has (ruling 17)",
        "circuit_in_maintenance": "nothing is changed or ceased on a circuit that is worked on or out, unless forced",
        "sibling_in_maintenance": "nothing is changed or begun while the circuit of a sibling is worked on or out",
        "maintenance_overlaps": "a circuit has one record of maintenance or outage at a time",
        "window_backwards": "a window ends after it begins",
        "window_over": "work is planned for the future",
        "violation_open": "nothing is changed while a violation is open, unless forced",
        "spec_unchanged": "the spec asked for is the present one",
        "vlan_unchanged": "the VLAN ID asked for is the present one",
        "change_pending": "an earlier change has not taken effect yet",
        "not_accepted_yet": "an order or offer is cancelled, not ceased",
        "accepted_already": "a service is ceased, not cancelled",
        "milestone_needs_port": "an order cannot bring a milestone that only a port makes possible",
        "nothing_to_recover": "neither the port nor its VBR was terminated",
        "locked_not_terminated": "a lock is settled, renewed or cleared, not recovered",
        "recovery_is_the_tenants": "a port that the tenant pays is recovered by the tenant, unless forced (ruling 4)",
        "hold_expired": "the order waited so long that it was taken back",
        "offer_expired": "the offer was not accepted in time and was taken back",
        "group_overdue": "a half provisioned redundancy group was not mended in time (ruling 17)",
        "port_after_failure": "a port turned up for an order that was refused, failed or taken back",
        "port_made_by_hand": "the port of an order was made by hand: our calls name theirs after the order",
        "withdraw_blocked": "the cloud did not let an offer be taken back",
        "end_blocked": "the cloud did not let a port be deleted",
        "price_missing": "no price list has a price for what should be charged",
        "unknown_status": "the cloud shows a status that no documentation lists",
    }
)


def rule(number: int) -> Rule | None:
    """The rule of this number, or None when there is none."""
    return next((each for each in RULES if each.number == number), None)


def rules_of(code: str) -> tuple[Rule, ...]:
    """The rules that lead to a refusal, violation or finding of this code; empty when none does."""
    return tuple(each for each in RULES if code in each.codes)


def check_names(of: Rule) -> tuple[str, ...]:
    """The enforcing functions as ``module.function`` below ``crossport.domain``."""
    return tuple(f"{check.__module__.removeprefix('crossport.domain.')}.{check.__name__}" for check in of.checks)
