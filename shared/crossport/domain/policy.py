"""What a partner account has decided: one frozen value that every decision takes as an argument."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from crossport.domain.prices import ALIBABA_CLOUD, PriceList
from crossport.domain.specs import MBPS, NEEDS_APPROVAL
from crossport.domain.vocabulary import MilestoneName, OrderMode

_BELOW_APPROVAL = frozenset(MBPS) - NEEDS_APPROVAL


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules that one partner account chose (``partner.yaml``; design section 7)."""

    account_id: str
    #: Alibaba Cloud site of the account: ``international`` or ``china``.
    site: str = "international"
    #: Specs offered to tenants; a subset of the API's.
    specs: frozenset[str] = _BELOW_APPROVAL
    #: Whether the account manager has approved the specs above 1G.
    approved_above_1g: bool = False
    #: Inclusive ranges from which VLAN IDs are picked when an order names none.
    vlan_pool: tuple[tuple[int, int], ...] = ((1, 2_999),)
    #: Whether VLAN 0 excludes all other VLAN IDs of a circuit (ruling 18, [INF]).
    vlan_zero_is_exclusive: bool = True
    order_modes: frozenset[OrderMode] = frozenset({OrderMode.TENANT_PAYS})
    #: The milestone that gates the create call (ruling 5).
    push_after: MilestoneName = MilestoneName.LAST_MILE_READY
    #: Whether a tenant's UID must be confirmed before the first push (ruling 11).
    confirm_uid: bool = True
    #: ``accepted`` or ``created``: when the partner pays a partner-paid port (ruling 1).
    partner_pays_at: str = "accepted"
    #: Months of a partner-paid subscription order (API: 1..9).
    pay_months: int = 1
    pay_auto_renew: bool = True
    #: Reads may lag behind writes by this much; a read is stamped that much earlier.
    consistency_window: timedelta = timedelta(seconds=30)
    #: Histories older than this are compacted; later news of that past are findings.
    settlement_age: timedelta = timedelta(days=35)
    #: How long an offer is to be open at most; what happens then says ``offer_expiry``.
    offer_lifetime: timedelta = timedelta(days=14)
    #: ``keep``: an offer whose time is over stays open, and both parties are told; ``withdraw``: it is taken back.
    offer_expiry: str = "keep"
    #: Days after the offer on which a tenant who has not accepted is reminded, ascending.
    offer_reminders: tuple[int, ...] = (1, 3, 7)
    #: How long an order that waits for its milestones holds its VLAN ID and bandwidth.
    hold_lifetime: timedelta = timedelta(days=30)
    #: Our own pause before a VLAN ID is used again (ruling 15).
    cool_down: timedelta = timedelta(days=7)
    #: How long a redundancy group may be half provisioned (ruling 17).
    group_deadline: timedelta = timedelta(days=7)
    #: How long an accepted and enabled port may be without a VBR before a person should ask (ruling 8).
    vbr_missing_after: timedelta = timedelta(days=3)
    #: The longest pause before a command that waits for a change of its connection looks again by itself.
    longest_wait: timedelta = timedelta(hours=1)
    #: How often a record may end as ``retry`` before it becomes a dead letter.
    max_attempts: int = 8
    #: What Alibaba Cloud charges.
    price_list: PriceList = field(default=ALIBABA_CLOUD)
    #: What the partner charges tenants for partner-paid ports; None when it sells none.
    partner_price_list: PriceList | None = None
