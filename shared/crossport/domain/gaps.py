"""Which event never came: what a list shows and no event had told.

Only acts that somebody calls leave an event; locks, renewals taken by the cloud and the progress of construction do
not (ActionTrail records write calls). An act of a tenant is told only where a rule forwards that tenant's events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crossport.domain.differences import Difference, Kind
from crossport.domain.observation import PortObservation
from crossport.domain.vocabulary import Acceptance, OrderMode, Party

_DELETED = "DeletePhysicalConnection"
_PAID = "CreatePhysicalConnectionOccupancyOrder"
#: By the new Status of a port: the act that led there.
_BY_STATUS = {
    "Enabled": _PAID,
    "Terminating": "TerminatePhysicalConnection",
    "Terminated": "TerminatePhysicalConnection",
    "Canceled": "CancelPhysicalConnection",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """One act of which no event has told."""

    event_name: str
    #: Whose call it was; None when either side may have made it.
    party: Party | None
    #: When the act took effect, where the cloud says so; None when only that it did is known.
    at: datetime | None = None


def gaps_of(difference: Difference) -> tuple[Gap, ...]:
    """The events that should have told of a difference."""
    if difference.kind is Kind.UNKNOWN:
        return (Gap(event_name="CreateVirtualPhysicalConnection", party=Party.PARTNER),)
    if difference.kind is Kind.ABSENT:
        return (Gap(event_name=_DELETED, party=None),)
    found: dict[str, Gap] = {}
    for seen in difference.seen:
        for gap in _of_port(seen) if isinstance(seen, PortObservation) else ():
            found.setdefault(gap.event_name, gap)
    return tuple(found.values())


def _of_port(seen: PortObservation) -> tuple[Gap, ...]:
    gaps = []
    if seen.acceptance == Acceptance.CONFIRMED:
        gaps.append(Gap(event_name="ConfirmPhysicalConnection", party=Party.TENANT))
    if seen.acceptance == Acceptance.DELETED:
        gaps.append(Gap(event_name=_DELETED, party=None))
    name = _BY_STATUS.get(seen.status or "")
    if name is not None:
        gaps.append(Gap(event_name=name, party=_payer(seen) if name == _PAID else None, at=seen.enabled_time))
    if seen.vlan_id is not None or seen.expect_spec:
        gaps.append(Gap(event_name="UpdateVirtualPhysicalConnection", party=Party.PARTNER))
    return tuple(gaps)


def _payer(seen: PortObservation) -> Party | None:
    payers = {str(OrderMode.PARTNER_PAYS): Party.PARTNER, str(OrderMode.TENANT_PAYS): Party.TENANT}
    return payers.get(seen.order_mode or "")
