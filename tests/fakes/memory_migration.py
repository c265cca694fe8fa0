"""What ``MemoryCloud`` knows of VBRs directly on circuits, and of ports that are made from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure, VbrRead
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.specs import VBR_MBPS
from crossport.domain.vocabulary import Acceptance, Presence, Source


@dataclass
class Migrations:
    """Caps and configurations by VBR, and which port was made from which VBR."""

    #: Mbit/s; None is unlimited.
    caps: dict[str, int | None] = field(default_factory=dict)
    #: What a tenant set on its VBR and a migration must leave alone; empty until a test says something.
    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Spec that the next conversion gives its port, whatever the cap; "" for the right one.
    wrong_spec: str = ""
    #: Port to the VBR that it was made from.
    origins: dict[str, str] = field(default_factory=dict)

    def cap(self, action: str, vbr: VbrObservation, bandwidth_mbps: int) -> None:
        """Set a VBR's cap."""
        if bandwidth_mbps not in VBR_MBPS.values():
            raise refused(action, "IllegalParam.Bandwidth")
        self.caps[vbr.vbr_id] = bandwidth_mbps

    def convert(
        self, action: str, vbr: VbrObservation, order_mode: str, port_id: str, now: datetime
    ) -> PortObservation:
        """The port that is made from a VBR, with its owner, VLAN ID and cap."""
        if vbr.status != "active":
            raise refused(action, "IncorrectStatus.VirtualBorderRouter")
        spec = next((spec for spec, cap in VBR_MBPS.items() if cap == self.caps.get(vbr.vbr_id)), None)
        if spec is None:
            raise refused(action, "IllegalParam.VbrId")
        if vbr.vbr_id in self.origins.values():
            raise refused(action, "QuotaExceeded.VPCONN")
        self.origins[port_id] = vbr.vbr_id
        return PortObservation(
            at=now,
            source=Source.READ,
            port_id=port_id,
            acceptance=Acceptance.UNCONFIRMED,
            status="Allocated",
            business_status="Normal",
            spec=self.wrong_spec or spec,
            expect_spec="",
            vlan_id=vbr.vlan_id,
            tenant_uid=vbr.owner_uid,
            order_mode=order_mode,
            circuit_id=vbr.port_id,
            presence=Presence.PRESENT,
        )

    def attach(self, action: str, vbr: VbrObservation | None, port: PortObservation) -> VbrObservation:
        """The VBR on the port that was made from it; one that is there already stays."""
        if vbr is None or self.origins.get(port.port_id) != vbr.vbr_id:
            raise refused(action, "IllegalParam.VpconnId")
        if vbr.port_id != port.port_id and (port.acceptance != Acceptance.CONFIRMED or port.status != "Enabled"):
            raise refused(action, "IncorrectStatus.PhysicalConnection")
        return replace(vbr, port_id=port.port_id)

    def read(self, vbr: VbrObservation) -> VbrRead:
        """The VBR with its configuration; on a port it has no cap of its own."""
        described = {"VbrId": vbr.vbr_id, "VlanId": vbr.vlan_id, "Status": vbr.status}
        return VbrRead(
            date=vbr.at,
            vbr=vbr,
            configuration=json.dumps({**described, **self.settings.get(vbr.vbr_id, {})}, sort_keys=True),
            bandwidth_mbps=None if vbr.port_id in self.origins else self.caps.get(vbr.vbr_id),
        )


def refused(action: str, code: str) -> CloudCallError:
    """The cloud said no, for good."""
    return CloudCallError(f"{action}: {code}", failure=CloudFailure.PERMANENT, cloud_code=code, action=action)
