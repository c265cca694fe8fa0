"""Crossport's ``Cloud`` on the VPC API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crossport.adapters.vpc import answers
from crossport.adapters.vpc.failures import DRY_RUN_PASSED, PORT_GONE, VBR_GONE
from crossport.adapters.vpc.reads import Place, VpcReads
from crossport.application.errors import CloudCallError
from crossport.application.ports import Answer, CloudFailure, CreatePort


class VpcCloud(VpcReads):
    """The VPC API of every partner account and region. Thread safe.

    Writes are tried once, because when to repeat one is the caller's decision; how reads are tried, and what the
    constructor takes, says ``VpcReads``.
    """

    def create_port(self, request: CreatePort, *, dry_run: bool) -> Answer:
        """CreateVirtualPhysicalConnection, once. A dry run that passes is an answer with the value "".

        The cloud reports a passed dry run as an error code, and the SDK's errors carry no headers: its date is then
        our own clock's.

        Raises CloudCallError; UNKNOWN means that the port may exist: read before anything else, then repeat with the
        same token.
        """
        action = "create_virtual_physical_connection"
        parameters = {
            "region_id": request.region,
            "physical_connection_id": request.circuit_id,
            # The wire is text either way; a string keeps whatever the tenant's id is.
            "vpconn_ali_uid": request.tenant_uid,
            "vlan_id": request.vlan_id,
            "spec": request.spec,
            "order_mode": request.order_mode,
            "name": request.name or None,
            "token": request.token,
            "dry_run": True if dry_run else None,
        }
        place = Place(request.account_id, request.region)
        try:
            date, body = self._write(place, action, parameters, hidden=request.token)
        except CloudCallError as error:
            if dry_run and error.cloud_code == DRY_RUN_PASSED:
                return Answer(value="", date=self._clock.now())
            raise
        if dry_run:
            self._check(answers.Acknowledged, body, action, write=True)
            return Answer(value="", date=date)
        created = self._check(answers.CreatedPort, body, action, write=True)
        return Answer(value=created.virtual_physical_connection, date=date)

    def pay_port(
        self, *, account_id: str, region: str, port_id: str, months: int, auto_renew: bool, token: str
    ) -> Answer:
        """CreatePhysicalConnectionOccupancyOrder with automatic payment, once; the value is the order's id.

        ``months`` is 1 to 9 (API reference, Period with PricingCycle Month). An answer is an order, not a payment:
        without the balance the order stays abnormal, so only a read tells that the port is paid. Raises
        CloudCallError.
        """
        action = "create_physical_connection_occupancy_order"
        parameters = {
            "region_id": region,
            "physical_connection_id": port_id,
            "instance_charge_type": "PrePaid",
            "pricing_cycle": "Month",
            "period": months,
            "auto_pay": True,
            "auto_renew": auto_renew,
            "client_token": token,
        }
        date, body = self._write(Place(account_id, region), action, parameters, hidden=token)
        order = self._check(answers.PlacedOrder, body, action, write=True)
        return Answer(value=order.data.order_id, date=date)

    def update_port(
        self, *, account_id: str, region: str, port_id: str, vlan_id: int, expect_spec: str, token: str
    ) -> Answer:
        """UpdateVirtualPhysicalConnection, once. VlanId is sent even when only the spec changes: the API requires it.

        The value is empty. Raises CloudCallError.
        """
        parameters = {"instance_id": port_id, "vlan_id": vlan_id, "expect_spec": expect_spec or None, "token": token}
        return self._act(Place(account_id, region), "update_virtual_physical_connection", parameters, token)

    def terminate_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """TerminatePhysicalConnection, once: asynchronous, so a read must see Terminated. Raises CloudCallError."""
        parameters = {"physical_connection_id": port_id, "client_token": token}
        return self._act(Place(account_id, region), "terminate_physical_connection", parameters, token)

    def delete_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """DeletePhysicalConnection, once. A port that is gone already is deleted. Raises CloudCallError."""
        parameters = {"physical_connection_id": port_id, "client_token": token}
        place = Place(account_id, region)
        return self._act(place, "delete_physical_connection", parameters, token, settled=PORT_GONE)

    def recover_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """RecoverPhysicalConnection, once: asynchronous, so a read must see Enabled. Raises CloudCallError."""
        parameters = {"instance_id": port_id, "token": token}
        return self._act(Place(account_id, region), "recover_physical_connection", parameters, token)

    def recover_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """RecoverVirtualBorderRouter, once: asynchronous, so a read must see active. Raises CloudCallError."""
        parameters = {"vbr_id": vbr_id, "client_token": token}
        return self._act(Place(account_id, region), "recover_virtual_border_router", parameters, token)

    def terminate_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """TerminateVirtualBorderRouter, once: the circuit's owner disables a VBR. Raises CloudCallError."""
        parameters = {"vbr_id": vbr_id, "client_token": token}
        return self._act(Place(account_id, region), "terminate_virtual_border_router", parameters, token)

    def delete_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """DeleteVirtualBorderRouter, once. A VBR that is gone already is deleted. Raises CloudCallError."""
        parameters = {"vbr_id": vbr_id, "client_token": token}
        place = Place(account_id, region)
        return self._act(place, "delete_virtual_border_router", parameters, token, settled=VBR_GONE)

    def set_vbr_bandwidth(
        self, *, account_id: str, region: str, vbr_id: str, bandwidth_mbps: int, token: str
    ) -> Answer:
        """UpdateVirtualBorderBandwidth, once; the value is empty. Raises CloudCallError."""
        parameters = {"virtual_border_router_id": vbr_id, "bandwidth": bandwidth_mbps, "client_token": token}
        return self._act(Place(account_id, region), "update_virtual_border_bandwidth", parameters, token)

    def create_from_vbr(self, *, account_id: str, region: str, vbr_id: str, order_mode: str, token: str) -> Answer:
        """CreateVpconnFromVbr, once; the value is the port's id. Raises CloudCallError; UNKNOWN as ``create_port``."""
        action = "create_vpconn_from_vbr"
        parameters = {"region_id": region, "vbr_id": vbr_id, "order_mode": order_mode, "token": token}
        date, body = self._write(Place(account_id, region), action, parameters, hidden=token)
        created = self._check(answers.CreatedPort, body, action, write=True)
        return Answer(value=created.virtual_physical_connection, date=date)

    def attach_vbr(self, *, account_id: str, region: str, vbr_id: str, port_id: str, token: str) -> Answer:
        """AttachVbrToVpconn, once. After a refusal the VBR is read: on this port already, it is attached.

        No code is documented for that case. The value is empty. Raises CloudCallError.
        """
        parameters = {"vbr_id": vbr_id, "vpconn_id": port_id, "token": token}
        try:
            return self._act(Place(account_id, region), "attach_vbr_to_vpconn", parameters, token)
        except CloudCallError as error:
            if error.failure is not CloudFailure.PERMANENT:
                raise
            read = self.read_vbr(account_id=account_id, region=region, vbr_id=vbr_id)
            if read.vbr is None or read.vbr.port_id != port_id:
                raise
            return Answer(value="", date=read.date)

    def _act(
        self,
        place: Place,
        action: str,
        parameters: dict[str, Any],
        token: str,
        settled: frozenset[str] = frozenset(),
    ) -> Answer:
        """A write that answers with a request id alone. A refusal with a code of ``settled`` says: it is so already."""
        try:
            date, body = self._write(place, action, {"region_id": place.region, **parameters}, hidden=token)
        except CloudCallError as error:
            if error.cloud_code in settled:
                return Answer(value="", date=self._clock.now())
            raise
        self._check(answers.Acknowledged, body, action, write=True)
        return Answer(value="", date=date)

    def _write(self, place: Place, action: str, parameters: dict[str, Any], hidden: str) -> tuple[datetime, Any]:
        return self._call(place, action, parameters, write=True, hidden=hidden)
