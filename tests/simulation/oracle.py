"""What should be so, derived from the cloud's truth with arithmetic of its own: nothing here imports the phases,
the billing or the circuits of the code under test."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.cloud_model import CloudModel, ModelPort, ModelVbr

#: Mbit/s of the specs that the simulation uses.
MBPS = {"100M": 100, "200M": 200, "500M": 500, "1G": 1_000}
#: What a month costs, by spec: Alibaba Cloud's price outside the mainland, and the partner's own.
LIST_PRICE = {"100M": "40.00", "200M": "55.00", "500M": "140.00", "1G": "210.00"}
PARTNER_PRICE = {"100M": "65.50", "200M": "80.00", "500M": "190.00", "1G": "300.00"}
PARTNER_PAYS = "PayByPhysicalConnectionOwner"
_BEIJING = timezone(timedelta(hours=8))


@dataclass
class Deal:
    """What we know of a connection without asking the code under test: what was agreed, and what was said to us."""

    connection_id: str
    account_id: str
    tenant_uid: str
    token: str
    #: The VBR of a migration, and what the order said of it; "" for another order.
    vbr_id: str = ""
    vlan_id: int = -1
    circuit_id: str = ""
    #: Port id of an adopted port; "" for an order.
    port_id: str = ""
    #: Port id of a port that the partner made in the console just as ordered, and that the order took for its own.
    claimed: str = ""
    refused: bool = False
    milestones: set[str] = field(default_factory=set)
    withdrawn: bool = False
    ceased: bool = False
    #: Ids of VBRs that a healing read found conforming; those a person may have seen are in the cloud's own list.
    vbrs_healed: set[str] = field(default_factory=set)
    #: Whether a healing read found the port accepted.
    acceptance_healed: bool = False

    def port(self, cloud: CloudModel) -> ModelPort | None:
        """The port that belongs to it in the cloud."""
        if self.port_id or self.claimed:
            return cloud.ports[self.port_id or self.claimed]
        # A port may be deleted before its order has found it; the order then makes another.
        return next((port for port in reversed(cloud.ports.values()) if self.token and port.token == self.token), None)


def paid_until(enabled: datetime, months: int) -> datetime:
    """The end of so many paid months: 00:00 UTC+8 of the day after the first anniversary, then monthly."""
    day = enabled.astimezone(_BEIJING).date()
    first = _same_day(day, 1) + timedelta(days=1)
    return datetime.combine(_same_day(first, months - 1), time(), _BEIJING)


def phases(deal: Deal, cloud: CloudModel) -> set[str]:
    """The phases that the connection may be in once everything was read. More than one only where the cloud itself
    has forgotten what would tell them apart."""
    port = deal.port(cloud)
    if deal.refused and port is None:
        return {"rejected"}
    if port is None:
        return _without_port(deal, cloud)
    if port.deleted:
        return _ended(deal, port, cloud)
    if deal.ceased:
        return {"releasing"}
    return _living(deal, port, cloud)


def _without_port(deal: Deal, cloud: CloudModel) -> set[str]:
    if deal.token in cloud.refused:
        # A worker may have died with the refusal in hand, and the order been taken back before another asked again.
        return {"failed", "withdrawn"} if deal.withdrawn else {"failed"}
    if not {"last_mile_ready", "uid_confirmed"} <= deal.milestones:
        return {"withdrawn" if deal.withdrawn else "ordered"}
    if not deal.vbr_id:
        return {"withdrawn" if deal.withdrawn else "provisioning"}
    vbr = cloud.vbrs[deal.vbr_id]
    agreed = (deal.tenant_uid, deal.vlan_id, deal.circuit_id)
    if vbr.deleted or (vbr.owner_uid, vbr.vlan_id, vbr.port_id) != agreed:
        # Withdrawn when that came before anybody looked at the VBR.
        return {"failed", "withdrawn"} if deal.withdrawn else {"failed"}
    if deal.withdrawn:
        return {"withdrawn"}
    # With its VBR up, nothing keeps a migration from its port.
    return {"provisioning"} if vbr.status != "active" else set()


def _ended(deal: Deal, port: ModelPort, cloud: CloudModel) -> set[str]:
    never_ours = {"withdrawn" if deal.withdrawn else "declined"}
    carried = any(vbr.port_id == port.port_id for vbr in cloud.vbrs.values())
    if deal.acceptance_healed:
        return {"released"}
    return never_ours | {"released"} if port.accepted or carried else never_ours


def _living(deal: Deal, port: ModelPort, cloud: CloudModel) -> set[str]:
    if port.business_status != "Normal" or port.status in ("Terminating", "Terminated"):
        return {"suspended"}
    if not port.accepted:
        return {"offered"}
    if port.status != "Enabled":
        return {"accepted"}
    fitting = [vbr for vbr in cloud.vbrs_on(port) if conforms(vbr, port)]
    # Of several the earliest counts; ids ascend.
    if fitting:
        return {"active" if min(fitting, key=lambda vbr: vbr.vbr_id).status == "active" else "suspended"}
    if "vbr_attested" not in deal.milestones or cloud.vbrs_on(port):
        return {"enabled"}
    # The tenant's word counts where no VBR was ever seen; one that has gone may have been seen or not.
    carried = any(vbr.port_id == port.port_id for vbr in cloud.vbrs.values())
    return {"active", "enabled"} if carried else {"active"}


def conforms(vbr: ModelVbr, port: ModelPort) -> bool:
    """Whether a VBR is the port's proper one."""
    return vbr.owner_uid == port.tenant_uid and vbr.vlan_id == port.vlan_id


@dataclass(frozen=True)
class Line:
    """One line that the net ledger must have: what it is about, and the amounts that are right for it."""

    fact: str
    payer: str
    biller: str
    period: tuple[datetime, datetime | None]
    amounts: frozenset[Decimal | None]


def ledger(deal: Deal, port: ModelPort) -> Iterator[Line]:
    """What the net ledger of the connection must say of its port, VBRs and outbound transfer apart."""
    if port.enabled_time is None or port.end_time is None:
        return
    enabled, partner = port.enabled_time, port.order_mode == PARTNER_PAYS
    payer = port.account_id if partner else deal.tenant_uid
    yield Line(f"{deal.connection_id}/installation", payer, "alibaba_cloud", (enabled, None), _money("0.00"))
    stamp = enabled.astimezone(_BEIJING).strftime("%Y%m%dT%H%M%S")
    for index, (start, end) in enumerate(_months(enabled, port.end_time)):
        specs = _specs_near(port, start)
        prefix = f"{deal.connection_id}/port_usage/{stamp}/{index}/"
        listed = frozenset(Decimal(LIST_PRICE[spec]) for spec in specs)
        if not partner:
            yield Line(f"{prefix}statement", deal.tenant_uid, "alibaba_cloud", (start, end), listed)
            continue
        own = frozenset(Decimal(PARTNER_PRICE[spec]) for spec in specs)
        yield Line(f"{prefix}cost", port.account_id, "alibaba_cloud", (start, end), listed)
        yield Line(f"{prefix}charge", deal.tenant_uid, "partner", (start, end), own)


def _specs_near(port: ModelPort, start: datetime) -> set[str]:
    """The specs by which a period may be priced: what was in effect; where a change was read late, what was before."""
    return {spec for number, (since, spec) in enumerate(port.specs) if since <= start or number == 0}


def _months(enabled: datetime, end: datetime) -> Iterable[tuple[datetime, datetime]]:
    cuts = [enabled]
    while cuts[-1] < end:
        cuts.append(min(paid_until(enabled, len(cuts)), end))
    return pairwise(cuts)


def _same_day(day: date, months: int) -> date:
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _money(amount: str) -> frozenset[Decimal | None]:
    return frozenset({Decimal(amount)})
