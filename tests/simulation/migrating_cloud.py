"""The cloud of the simulation with VBRs of the older way, directly on a circuit, and the calls of a migration."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from crossport.application.errors import CloudCallError
from crossport.application.ports import Answer, VbrRead
from crossport.domain.specs import VBR_MBPS
from tests.simulation.cloud_model import CloudModel, ModelPort, ModelVbr, refuse


@dataclass
class MigratingCloud(CloudModel):
    """Satisfies ``application.ports.Cloud``."""

    def push_vbr(self, circuit_id: str, owner_uid: str, vlan_id: int) -> ModelVbr:
        """The partner makes a VBR on its circuit for a tenant. Raises CloudCallError when the VLAN ID is taken."""
        action = "CreateVirtualBorderRouter"
        ports = (port for port in self.ports.values() if port.circuit_id == circuit_id and not port.deleted)
        if vlan_id in {port.vlan_id for port in ports} | self._vlans_of_vbrs(circuit_id):
            refuse(action, "OperationDenied.VlanIdInUse")
        vbr = ModelVbr(vbr_id=self._new_id("vbr"), port_id=circuit_id, owner_uid=owner_uid, vlan_id=vlan_id)
        self.vbrs[vbr.vbr_id] = vbr
        self._changed_vbr(vbr)
        request = {"PhysicalConnectionId": circuit_id, "VlanId": vlan_id, "VbrOwnerId": owner_uid}
        self._record(self.circuits[circuit_id][0], action, request, {"VbrId": vbr.vbr_id})
        return vbr

    def settings_changed(self, vbr: ModelVbr) -> None:
        """The tenant sets something that a migration must leave alone."""
        vbr.settings += 1

    def port_from(self, vbr_id: str) -> ModelPort | None:
        """The living port that was made from a VBR."""
        made = (port for port in self.ports.values() if port.origin == vbr_id and not port.deleted)
        return next(made, None)

    # --- The port of the use cases ----------------------------------------------------------------------------------

    def set_vbr_bandwidth(
        self, *, account_id: str, region: str, vbr_id: str, bandwidth_mbps: int, token: str
    ) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "UpdateVirtualBorderBandwidth"

        def act() -> str:
            vbr = self._living(action, vbr_id)
            vbr.cap = bandwidth_mbps
            self._record(account_id, action, {"VbrId": vbr_id, "Bandwidth": bandwidth_mbps})
            return ""

        return self._suffer(action, act, token)

    def create_from_vbr(self, *, account_id: str, region: str, vbr_id: str, order_mode: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""

        def act() -> str:
            try:
                return self._converted(vbr_id, order_mode, token)
            except CloudCallError:
                self.refused.add(token)
                raise

        return self._suffer("CreateVpconnFromVbr", act, token if self.remembers_tokens else "")

    def attach_vbr(self, *, account_id: str, region: str, vbr_id: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "AttachVbrToVpconn"

        def act() -> str:
            vbr, port = self._living(action, vbr_id), self._own(action, account_id, port_id)
            if port.origin != vbr_id:
                refuse(action, "IllegalParam.VpconnId")
            if vbr.port_id != port_id:
                if not port.accepted or port.status != "Enabled":
                    refuse(action, "IncorrectStatus.PhysicalConnection")
                vbr.port_id = port_id
                self._changed_vbr(vbr)
                self._record(account_id, action, {"VbrId": vbr_id, "VpconnId": port_id})
            return ""

        return self._suffer(action, act, token)

    def read_vbr(self, *, account_id: str, region: str, vbr_id: str) -> VbrRead:
        """See ``application.ports.Cloud``; what is shown may lag behind what is so."""
        self._suffer("DescribeVirtualBorderRouters", str, "")
        vbr, now = self.vbrs.get(vbr_id), self.clock.now()
        shown = self._shown(vbr.looks) if vbr is not None else None
        if vbr is None or shown is None:
            return VbrRead(date=now, vbr=None)
        configuration = {"VbrId": vbr_id, "VlanId": vbr.vlan_id, "Settings": vbr.settings}
        return VbrRead(
            date=now,
            vbr=replace(shown, at=now),
            configuration=json.dumps(configuration, sort_keys=True),
            bandwidth_mbps=vbr.cap if vbr.port_id in self.circuits else None,
        )

    # --- Inside -----------------------------------------------------------------------------------------------------

    def _converted(self, vbr_id: str, order_mode: str, token: str) -> str:
        action = "CreateVpconnFromVbr"
        vbr = self._living(action, vbr_id)
        if vbr.port_id not in self.circuits or self.port_from(vbr_id) is not None:
            refuse(action, "QuotaExceeded.VPCONN")
        if vbr.status != "active":
            refuse(action, "IncorrectStatus.VirtualBorderRouter")
        spec = next((spec for spec, cap in VBR_MBPS.items() if cap == vbr.cap), None)
        if spec is None:
            refuse(action, "IllegalParam.Bandwidth")
        port = self.make_port(
            circuit_id=vbr.port_id,
            tenant_uid=vbr.owner_uid,
            vlan_id=vbr.vlan_id,
            spec=spec,
            order_mode=order_mode,
            token=token,
            origin=vbr,
        )
        return port.port_id

    def _living(self, action: str, vbr_id: str) -> ModelVbr:
        vbr = self.vbrs.get(vbr_id)
        if vbr is None or vbr.deleted:
            refuse(action, "InvalidVbrId.NotFound")
        return vbr
