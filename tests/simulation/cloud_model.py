"""The cloud of the simulation: ports with both status axes, VBRs, payment, locks, endings, tokens, lag and events.

It is a model, written for truth rather than for the wire: ``ports`` and ``vbrs`` say what is so, the port of the use
cases shows it late and fails by script, and every write leaves an ActionTrail record on the caller's account. Which
facts are [INF] is a switch.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn

from crossport.application.actiontrail import CloudRecord
from crossport.application.errors import CloudCallError
from crossport.application.ports import Answer, CloudFailure, CreatePort, PortPage, Read
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.vocabulary import OrderMode, Presence, Source
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_cloud import Fault
from tests.simulation.oracle import MBPS, paid_until

#: A port that is terminated, or recovered, is so after this long.
TERMINATION = timedelta(seconds=60)
#: How far a list or read may lag behind; less than the consistency window of the policy.
LAG = timedelta(seconds=20)


@dataclass(kw_only=True)
class ModelPort:
    """What is so of one shared port."""

    port_id: str
    account_id: str
    circuit_id: str
    tenant_uid: str
    vlan_id: int
    spec: str
    order_mode: str
    created_at: datetime
    #: Token of the create call; "" when it was made in the console.
    token: str = ""
    #: Its Name; "" when it was made in the console, or from a VBR.
    name: str = ""
    #: The VBR that it was made from; "" for a port of its own.
    origin: str = ""
    accepted: bool = False
    deleted: bool = False
    #: Whether a deleted port is still listed, as Deleted. The documentation names the status and no more.
    listed_when_deleted: bool = True
    status: str = "Allocated"
    business_status: str = "Normal"
    expect_spec: str = ""
    enabled_time: datetime | None = None
    end_time: datetime | None = None
    months: int = 0
    terminated_at: datetime | None = None
    #: How often it came to be in each BusinessStatus.
    locks: Counter[str] = field(default_factory=Counter)
    #: Every spec and VLAN ID that it had, with the time since when.
    specs: list[tuple[datetime, str]] = field(default_factory=list)
    vlan_ids: list[int] = field(default_factory=list)
    #: What it looked like since when; what reads show.
    looks: list[tuple[datetime, PortObservation | None]] = field(default_factory=list)

    @property
    def acceptance(self) -> str:
        """VirtualPhysicalConnectionStatus."""
        if self.deleted:
            return "Deleted"
        return "Confirmed" if self.accepted else "UnConfirmed"


@dataclass(kw_only=True)
class ModelVbr:
    """What is so of one VBR."""

    vbr_id: str
    #: The port that it hangs on, or the circuit of a VBR of the older way.
    port_id: str
    owner_uid: str
    vlan_id: int
    status: str = "active"
    deleted: bool = False
    #: Bandwidth cap, Mbit/s; None is unlimited.
    cap: int | None = None
    #: How often its owner has changed what a migration must leave alone.
    settings: int = 0
    looks: list[tuple[datetime, VbrObservation | None]] = field(default_factory=list)


@dataclass
class CloudModel:
    """The acts of the parties in the console, and every call of ``application.ports.Cloud`` but a migration's."""

    clock: ManualClock
    #: Circuit id to (account, region, Mbit/s).
    circuits: dict[str, tuple[str, str, int]]
    #: Whether payment alone enables a port, or payment and acceptance together.
    payment_enables: bool = True
    #: Whether a create call is known by its Token for ever, or forgotten at once.
    remembers_tokens: bool = True
    #: Whether the partner may delete an unaccepted port that the tenant pays.
    withdrawable: bool = True
    lag: timedelta = timedelta(0)
    ports: dict[str, ModelPort] = field(default_factory=dict)
    vbrs: dict[str, ModelVbr] = field(default_factory=dict)
    #: Records of write calls, not delivered yet.
    events: list[CloudRecord] = field(default_factory=list)
    #: What the next calls suffer; None lets one pass.
    faults: deque[Fault | None] = field(default_factory=deque)
    #: Tokens of create calls that were refused for good.
    refused: set[str] = field(default_factory=set)
    _answers: dict[tuple[str, str, str], str] = field(default_factory=dict)
    #: Port, or circuit, to the VBRs that hang on it, gone ones included; a VBR moves from its circuit to a port only.
    _hung: dict[str, dict[str, ModelVbr]] = field(default_factory=dict)
    _made: int = 0

    # --- The parties in the console ---------------------------------------------------------------------------------

    def accept(self, port: ModelPort) -> None:
        """The tenant accepts the offer."""
        port.accepted = True
        self._enable_if_due(port)
        self._changed(port)
        self._record(port.tenant_uid, "ConfirmPhysicalConnection", {"PhysicalConnectionId": port.port_id})

    def pay(self, port: ModelPort, months: int = 1) -> None:
        """The payer pays: for the first time, for a renewal, and for the spec that was ordered."""
        port.months += months
        if port.expect_spec:
            port.spec, port.expect_spec = port.expect_spec, ""
            port.specs.append((self.clock.now(), port.spec))
        self._enable_if_due(port)
        if port.enabled_time is not None:
            port.end_time = paid_until(port.enabled_time, port.months)
        self._changed(port)
        payer = port.account_id if port.order_mode == OrderMode.PARTNER_PAYS else port.tenant_uid
        self._record(payer, "CreatePhysicalConnectionOccupancyOrder", {"PhysicalConnectionId": port.port_id})

    def lock(self, port: ModelPort, business_status: str) -> None:
        """The cloud locks or unlocks the port; no call is made, so there is no record."""
        port.locks[business_status] += business_status != port.business_status
        port.business_status = business_status
        self._changed(port)

    def move_end(self, port: ModelPort, by: timedelta) -> None:
        """The cloud ends the paid time elsewhere than on the grid, such as after a refund."""
        if port.end_time is not None and port.enabled_time is not None:
            port.end_time = max(port.enabled_time + timedelta(days=1), port.end_time - by)
            self._changed(port)

    def make_vbr(self, port: ModelPort, owner_uid: str, vlan_id: int) -> ModelVbr:
        """Somebody creates a VBR on the port, conforming or not."""
        vbr = ModelVbr(vbr_id=self._new_id("vbr"), port_id=port.port_id, owner_uid=owner_uid, vlan_id=vlan_id)
        self.vbrs[vbr.vbr_id] = vbr
        self._changed_vbr(vbr)
        request = {"PhysicalConnectionId": port.port_id, "VlanId": vlan_id}
        self._record(owner_uid, "CreateVirtualBorderRouter", request, {"VbrId": vbr.vbr_id})
        return vbr

    def drop_vbr(self, vbr: ModelVbr, account_id: str) -> None:
        """A VBR is deleted."""
        vbr.deleted = True
        self._changed_vbr(vbr)
        self._record(account_id, "DeleteVirtualBorderRouter", {"VbrId": vbr.vbr_id})

    def switch_vbr(self, vbr: ModelVbr, status: str) -> None:
        """The circuit's owner terminates or recovers a VBR."""
        vbr.status = status
        self._changed_vbr(vbr)
        name = "RecoverVirtualBorderRouter" if status == "active" else "TerminateVirtualBorderRouter"
        self._record(self.circuits[self.circuit_of(vbr)][0], name, {"VbrId": vbr.vbr_id})

    def make_port(
        self,
        *,
        circuit_id: str,
        tenant_uid: str,
        vlan_id: int,
        spec: str,
        order_mode: str,
        token: str = "",
        name: str = "",
        origin: ModelVbr | None = None,
    ) -> ModelPort:
        """The partner creates a port, by a call of ours or in the console, perhaps from a VBR of the older way.

        Raises CloudCallError.
        """
        action = "CreateVirtualPhysicalConnection" if origin is None else "CreateVpconnFromVbr"
        account_id, _, bandwidth = self.circuits[circuit_id]
        siblings = [port for port in self.ports.values() if port.circuit_id == circuit_id and not port.deleted]
        held = {port.vlan_id for port in siblings} | self._vlans_of_vbrs(circuit_id, but=origin)
        if vlan_id in held or 0 in held or (vlan_id == 0 and held):
            refuse(action, "OperationDenied.VlanIdInUse")
        if sum(MBPS[port.spec] for port in siblings) + MBPS[spec] > bandwidth:
            refuse(action, "OperationDenied.InsufficientBandwidth")
        now = self.clock.now()
        port = ModelPort(
            port_id=self._new_id("pc"),
            account_id=account_id,
            circuit_id=circuit_id,
            tenant_uid=tenant_uid,
            vlan_id=vlan_id,
            spec=spec,
            order_mode=order_mode,
            created_at=now,
            token=token,
            name=name,
            origin=origin.vbr_id if origin is not None else "",
            specs=[(now, spec)],
            vlan_ids=[vlan_id],
        )
        self.ports[port.port_id] = port
        self._changed(port)
        request = {"OrderMode": order_mode, "Token": token}
        if origin is None:
            request |= {"PhysicalConnectionId": circuit_id, "Spec": spec, "VpconnAliUid": tenant_uid}
        told = {"VlanId": vlan_id} if origin is None else {"VbrId": origin.vbr_id}
        self._record(account_id, action, request | told, {"VirtualPhysicalConnection": port.port_id})
        return port

    def _vlans_of_vbrs(self, circuit_id: str, *, but: ModelVbr | None = None) -> set[int]:
        """VLAN IDs of the VBRs that hang on the circuit itself."""
        living = (vbr for vbr in self.vbrs.values() if vbr.port_id == circuit_id and not vbr.deleted)
        return {vbr.vlan_id for vbr in living if vbr is not but}

    def terminate(self, port: ModelPort, account_id: str) -> None:
        """Either side terminates an enabled port."""
        if port.deleted or port.status != "Enabled":
            refuse("TerminatePhysicalConnection", "IncorrectStatus.PhysicalConnection")
        port.status, port.terminated_at = "Terminating", self.clock.now()
        self._changed(port)
        self._record(account_id, "TerminatePhysicalConnection", {"PhysicalConnectionId": port.port_id})

    def recover(self, port: ModelPort, account_id: str) -> None:
        """Either side recovers a terminated port."""
        port.status, port.terminated_at = "Enabled", None
        self._changed(port)
        self._record(account_id, "RecoverPhysicalConnection", {"InstanceId": port.port_id})

    def delete(self, port: ModelPort, account_id: str) -> None:
        """Either side deletes a port that is unpaid or terminated and carries no VBR."""
        action = "DeletePhysicalConnection"
        if port.deleted:
            return
        if port.status not in ("Allocated", "Terminated"):
            refuse(action, "IncorrectStatus.PhysicalConnection")
        if self.vbrs_on(port):
            refuse(action, "DependencyViolation.VirtualBorderRouter")
        if account_id == port.account_id and port.order_mode == OrderMode.TENANT_PAYS and not self.withdrawable:
            refuse(action, "Forbidden.NotPayer")
        port.deleted = True
        self._changed(port)
        self._record(account_id, action, {"PhysicalConnectionId": port.port_id})

    def vbrs_on(self, port: ModelPort) -> list[ModelVbr]:
        """The VBRs that hang on a port now."""
        return [vbr for vbr in self.vbrs.values() if vbr.port_id == port.port_id and not vbr.deleted]

    def circuit_of(self, vbr: ModelVbr) -> str:
        """The circuit that a VBR hangs on, itself or by its port."""
        return self.ports[vbr.port_id].circuit_id if vbr.port_id in self.ports else vbr.port_id

    def settle(self) -> None:
        """Let asynchronous acts whose time has come take effect."""
        for port in self.ports.values():
            if port.terminated_at is not None and port.status == "Terminating":
                done = port.terminated_at + TERMINATION
                if done <= self.clock.now():
                    port.status = "Terminated"
                    self._changed(port, done)

    # --- The port of the use cases ----------------------------------------------------------------------------------

    def create_port(self, request: CreatePort, *, dry_run: bool) -> Answer:
        """See ``application.ports.Cloud``."""

        def act() -> str:
            if dry_run:
                return ""
            try:
                return self.make_port(
                    circuit_id=request.circuit_id,
                    tenant_uid=request.tenant_uid,
                    vlan_id=request.vlan_id,
                    spec=request.spec,
                    order_mode=request.order_mode,
                    token=request.token,
                    name=request.name,
                ).port_id
            except CloudCallError:
                self.refused.add(request.token)
                raise

        remembered = self.remembers_tokens and not dry_run
        return self._suffer("CreateVirtualPhysicalConnection", act, request.token if remembered else "")

    def pay_port(
        self, *, account_id: str, region: str, port_id: str, months: int, auto_renew: bool, token: str
    ) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "CreatePhysicalConnectionOccupancyOrder"

        def act() -> str:
            port = self._own(action, account_id, port_id)
            if port.months:
                refuse(action, "IncorrectStatus.PhysicalConnection")
            self.pay(port, months)
            return self._new_id("order")

        return self._suffer(action, act, token)

    def update_port(
        self, *, account_id: str, region: str, port_id: str, vlan_id: int, expect_spec: str, token: str
    ) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "UpdateVirtualPhysicalConnection"

        def act() -> str:
            port = self._own(action, account_id, port_id)
            others = [p for p in self.ports.values() if p.circuit_id == port.circuit_id and p is not port]
            taken = {p.vlan_id for p in others if not p.deleted} | self._vlans_of_vbrs(port.circuit_id)
            if vlan_id in taken:
                refuse(action, "OperationDenied.VlanIdInUse")
            if vlan_id != port.vlan_id:
                port.vlan_id = vlan_id
                port.vlan_ids.append(vlan_id)
            port.expect_spec = expect_spec or port.expect_spec
            self._changed(port)
            self._record(account_id, action, {"InstanceId": port_id, "VlanId": vlan_id, "ExpectSpec": expect_spec})
            return ""

        return self._suffer(action, act, token)

    def terminate_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "TerminatePhysicalConnection"
        return self._suffer(action, lambda: self.terminate(self._own(action, account_id, port_id), account_id), token)

    def delete_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "DeletePhysicalConnection"
        return self._suffer(action, lambda: self.delete(self.ports[port_id], account_id), token)

    def recover_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "RecoverPhysicalConnection"
        return self._suffer(action, lambda: self.recover(self._own(action, account_id, port_id), account_id), token)

    def recover_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        return self._suffer("RecoverVirtualBorderRouter", lambda: self.switch_vbr(self.vbrs[vbr_id], "active"), token)

    def terminate_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        return self._suffer(
            "TerminateVirtualBorderRouter",
            lambda: self.switch_vbr(self.vbrs[vbr_id], "terminated"),
            token,
        )

    def delete_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        return self._suffer(
            "DeleteVirtualBorderRouter",
            lambda: self.drop_vbr(self.vbrs[vbr_id], account_id),
            token,
        )

    def read_port(self, *, account_id: str, region: str, port_id: str) -> Read:
        """See ``application.ports.Cloud``; what is shown may lag behind what is so."""
        self._suffer("ListVirtualPhysicalConnections", str, "")
        return self._read(self.ports.get(port_id), account_id)

    def find_port(self, *, account_id: str, region: str, circuit_id: str, vlan_id: int, tenant_uid: str) -> Read:
        """See ``application.ports.Cloud``."""
        self._suffer("ListVirtualPhysicalConnections", str, "")
        for port in reversed(self.ports.values()):
            if (port.circuit_id, port.tenant_uid) != (circuit_id, tenant_uid):
                continue
            read = self._read(port, account_id)
            if read.port is not None and read.port.vlan_id == vlan_id and read.port.acceptance != "Deleted":
                return read
        return Read(date=self.clock.now(), port=None)

    def list_ports(self, *, account_id: str, region: str, circuit_id: str) -> Iterator[PortPage]:
        """See ``application.ports.Cloud``; one page."""
        self._suffer("ListVirtualPhysicalConnections", str, "")
        ports = (port for port in self.ports.values() if port.circuit_id == circuit_id)
        shown = tuple(read.port for read in (self._read(port, account_id) for port in ports) if read.port is not None)
        yield PortPage(started=self.clock.now(), ports=shown, total=len(shown))

    def list_vbrs(self, *, account_id: str, region: str, circuit_id: str) -> tuple[VbrObservation, ...]:
        """See ``application.ports.Cloud``; VBRs on ports are shown with their circuit's."""
        self._suffer("DescribeVirtualBorderRoutersForPhysicalConnection", str, "")
        places = {circuit_id, *(port.port_id for port in self.ports.values() if port.circuit_id == circuit_id)}
        looks = (self._shown(vbr.looks) for vbr in self.vbrs.values() if vbr.port_id in places)
        return tuple(replace(vbr, at=self.clock.now(), port_id=None) for vbr in looks if vbr is not None)

    # --- Inside -----------------------------------------------------------------------------------------------------

    def _read(self, port: ModelPort | None, account_id: str) -> Read:
        now = self.clock.now()
        shown = self._shown(port.looks) if port is not None and port.account_id == account_id else None
        if port is None or shown is None:
            return Read(date=now, port=None)
        vbrs = (self._shown(vbr.looks) for vbr in self._hung.get(port.port_id, {}).values())
        seen = tuple(replace(vbr, at=now) for vbr in vbrs if vbr is not None)
        return Read(date=now, port=replace(shown, at=now), vbrs=seen, name=port.name)

    def _shown(self, looks: list[tuple[datetime, Any]]) -> Any:
        then = [look for at, look in looks if at <= self.clock.now() - self.lag]
        return then[-1] if then else None

    def _own(self, action: str, account_id: str, port_id: str) -> ModelPort:
        port = self.ports.get(port_id)
        if port is None or port.deleted or port.account_id != account_id:
            refuse(action, "InvalidPhysicalConnectionId.NotFound")
        return port

    def _enable_if_due(self, port: ModelPort) -> None:
        if port.months and port.enabled_time is None and (self.payment_enables or port.accepted):
            port.status, port.enabled_time = "Enabled", self.clock.now()
            port.end_time = paid_until(port.enabled_time, port.months)

    def _changed(self, port: ModelPort, at: datetime | None = None) -> None:
        look = PortObservation(
            at=self.clock.now(),
            source=Source.READ,
            port_id=port.port_id,
            acceptance=port.acceptance,
            status=port.status,
            business_status=port.business_status,
            spec=port.spec,
            expect_spec=port.expect_spec,
            vlan_id=port.vlan_id,
            tenant_uid=port.tenant_uid,
            order_mode=port.order_mode,
            circuit_id=port.circuit_id,
            enabled_time=port.enabled_time,
            end_time=port.end_time,
            presence=Presence.PRESENT,
        )
        listed = not port.deleted or port.listed_when_deleted
        port.looks.append((at or self.clock.now(), look if listed else None))

    def _changed_vbr(self, vbr: ModelVbr) -> None:
        look = VbrObservation(
            at=self.clock.now(),
            source=Source.READ,
            vbr_id=vbr.vbr_id,
            port_id=vbr.port_id,
            owner_uid=vbr.owner_uid,
            vlan_id=vbr.vlan_id,
            status=vbr.status,
            presence=Presence.PRESENT,
        )
        vbr.looks.append((self.clock.now(), None if vbr.deleted else look))
        for hung in (self._hung.get(place, {}) for place in {self.circuit_of(vbr), vbr.port_id}):
            hung.pop(vbr.vbr_id, None)
        self._hung.setdefault(vbr.port_id, {})[vbr.vbr_id] = vbr

    def _record(
        self, account_id: str, name: str, request: dict[str, Any], response: dict[str, Any] | None = None
    ) -> None:
        region = next(iter(self.circuits.values()))[1]
        self.events.append(
            record_of(self._new_id("event"), account_id, region, name, self.clock.now(), request, response or {})
        )

    def _suffer(self, action: str, act: Callable[[], str | None], token: str) -> Answer:
        fault = self.faults.popleft() if self.faults else None
        if fault is None or fault.after_effect:
            key = (action, token, "")
            value = self._answers[key] if token and key in self._answers else act() or ""
            if token:
                self._answers[key] = value
        if fault is not None:
            raise CloudCallError(
                f"{action}: {fault.cloud_code}", failure=fault.failure, cloud_code=fault.cloud_code, action=action
            )
        return Answer(value=value, date=self.clock.now())

    def _new_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}-{self._made:04d}"


def record_of(
    event_id: str,
    account_id: str,
    region: str,
    name: str,
    at: datetime,
    request: dict[str, Any],
    response: dict[str, Any],
) -> CloudRecord:
    """The ActionTrail record of a successful write call, as the functions understand it."""
    digest = hashlib.sha256(repr((event_id, name, at, sorted(request.items()), response)).encode()).hexdigest()
    return CloudRecord(
        key=f"{account_id}|acs.vpc|{event_id}",
        digest=digest,
        account_id=account_id,
        region=region,
        name=name,
        at=at,
        request=request,
        response=response,
        error_code="",
        write=True,
        actor=account_id,
    )


def refuse(action: str, code: str) -> NoReturn:
    """The cloud says no, for good."""
    raise CloudCallError(f"{action}: {code}", failure=CloudFailure.PERMANENT, cloud_code=code, action=action)
