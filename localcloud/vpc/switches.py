"""What the documentation does not settle, and what a test wants to vary. Every [INF] has both answers here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from localcloud.vpc.names import Status
from localcloud.vpc.progression import Progression


class VbrVisibility(StrEnum):
    """Where a partner account sees a tenant's VBR on one of its ports. [INF]: the documentation contradicts itself."""

    CIRCUIT = "circuit"
    """Under the circuit and under the port."""
    PORT = "port"
    """Under the port only."""
    NONE = "none"
    """Nowhere."""


#: Stands for every account that has no visibility of its own.
ANY_ACCOUNT = "*"


class PaymentEnables(StrEnum):
    """What a paid port needs to become Enabled. [INF]"""

    ALONE = "alone"
    """The payment: a port can be Enabled while UnConfirmed."""
    WITH_ACCEPTANCE = "with acceptance"
    """Payment and acceptance, in either order."""


@dataclass(frozen=True, kw_only=True)
class Switches:
    """The settings of one VPC service; replace the whole object to change one."""

    progression: Progression = field(default_factory=Progression.at_once)
    """How enabling, terminating, recovering and VBR changes come about."""
    stale_reads: int = 0
    """How many list or describe calls still show a resource as it was before it was written."""
    payment_enables: PaymentEnables = PaymentEnables.ALONE
    vbr_visibility: Mapping[str, VbrVisibility] = field(default_factory=dict)
    """[INF] By partner account, ``ANY_ACCOUNT`` for the others; without either, VBRs are seen under the circuit."""
    withdraw_allowed: bool = True
    """[INF] Whether a partner may cancel or delete a tenant-paid port that was never accepted."""
    vlan_zero_excludes: bool = True
    """[INF] Whether VLAN 0 takes the whole circuit from other ports and VBRs, and they it."""
    vlan_change_moves_vbr: bool = False
    """[INF] Whether a port's VBR follows when the partner changes the port's VLAN ID."""
    outbound_billing_required: bool = True
    """Whether accepting needs OpenPhysicalConnectionService (error table of ConfirmPhysicalConnection)."""
    one_vbr_a_port: bool = True
    """Whether a second VBR on a port is refused; off, a scenario can make the violation."""
    vbr_vlan_inherited: bool = True
    """Whether a VBR on a port must have the port's VLAN ID; off, a scenario can make the violation."""
    ports_per_circuit: int | None = None
    """The quota, whose documented number was not found; None is no limit."""
    vbrs_per_account: int = 5
    """VBRs of one account on one circuit (quota ``ec_quota_same_acount_vbr_per_pconn``)."""
    fresh_port_status: str = Status.ALLOCATED
    """[INF] The ``Status`` of a port that was just pushed: one in which it can be deleted."""

    def visibility(self, account_id: str) -> VbrVisibility:
        """Where this partner account sees a tenant's VBR."""
        others = self.vbr_visibility.get(ANY_ACCOUNT, VbrVisibility.CIRCUIT)
        return self.vbr_visibility.get(account_id, others)
