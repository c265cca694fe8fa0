"""A small, honest model of the VPC API behind ``application.ports.Cloud``: circuits, shared ports, VBRs, tokens.

It keeps the rules that the contract suite checks on every implementation (tests/contract/test_cloud_contract.py) and
nothing else: no signatures, no paging, no progression. Those belong to the local cloud.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from crossport.application.errors import CloudCallError
from crossport.application.ports import Answer, Clock, CreatePort, PortPage, Read, VbrRead
from crossport.domain.billing import cut
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Acceptance, OrderMode, Presence, Source
from tests.fakes.faults import LOST_ANSWER, LOST_REQUEST, NO_PRIVILEGE, THROTTLED, UNAVAILABLE, Fault
from tests.fakes.memory_migration import Migrations, refused

__all__ = ["LOST_ANSWER", "LOST_REQUEST", "NO_PRIVILEGE", "THROTTLED", "UNAVAILABLE", "Fault", "MemoryCloud"]


@dataclass
class _Circuit:
    account_id: str
    region: str
    bandwidth_mbps: int


@dataclass
class MemoryCloud:
    """Circuits are added by the test; ports come from ``create_port``; the tenant's side are the methods below it.

    ``calls`` lists (method, arguments) of every call of the port, faulty ones included.
    """

    clock: Clock
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    #: Whether payment alone enables a port, or payment and acceptance together. The documentation does not say.
    payment_enables: bool = True
    #: Whether VBRs on ports are shown to who asks for the circuit (ruling 8, [INF]).
    vbrs_seen_by_circuit: bool = True
    #: How long lists do not show a port yet that was made.
    lag: timedelta = timedelta(0)
    #: The code with which the recovery of a VBR is refused; "" lets it pass.
    refuse_recovery: str = ""
    #: Ports on a page of ``list_ports``.
    page_size: int = 100
    _circuits: dict[str, _Circuit] = field(default_factory=dict)
    _ports: dict[str, PortObservation] = field(default_factory=dict)
    #: Port to its Name; a port made from a VBR has none.
    names: dict[str, str] = field(default_factory=dict)
    _made_at: dict[str, datetime] = field(default_factory=dict)
    _vbrs: dict[str, VbrObservation] = field(default_factory=dict)
    _paid_months: dict[str, int] = field(default_factory=dict)
    _answers: dict[tuple[str, str, str], tuple[object, str]] = field(default_factory=dict)
    _faults: defaultdict[str, deque[Fault | None]] = field(default_factory=lambda: defaultdict(deque))
    _made: int = 0
    #: VBRs that were given to tenants directly on a circuit, and the ports made from them.
    migrations: Migrations = field(default_factory=Migrations)

    # What a test arranges.

    def add_circuit(self, circuit_id: str, *, account_id: str, region: str, bandwidth_mbps: int = 10_000) -> None:
        """A dedicated circuit of a partner, enabled."""
        self._circuits[circuit_id] = _Circuit(account_id, region, bandwidth_mbps)

    def script(self, method: str, *faults: Fault | None) -> None:
        """Faults for the next calls of a method (``create_port``, ...), one a call; None lets one pass."""
        self._faults[method].extend(faults)

    def accept(self, port_id: str) -> None:
        """The tenant accepts the port."""
        self.change_port(port_id, acceptance=Acceptance.CONFIRMED)
        self._enable_if_due(port_id)

    def create_vbr(self, port_id: str, *, owner_uid: str, vlan_id: int) -> str:
        """Somebody creates a VBR on the port, conforming or not; returns its id."""
        vbr_id = self._new_id("vbr")
        self._vbrs[vbr_id] = VbrObservation(
            at=self.clock.now(),
            source=Source.READ,
            vbr_id=vbr_id,
            port_id=port_id,
            owner_uid=owner_uid,
            vlan_id=vlan_id,
            status="active",
            presence=Presence.PRESENT,
        )
        return vbr_id

    def push_vbr(
        self,
        circuit_id: str,
        *,
        owner_uid: str,
        vlan_id: int,
        bandwidth_mbps: int | None = None,
        status: str = "active",
    ) -> str:
        """A VBR that the circuit's owner gave to another account, the older way; returns its id."""
        vbr_id = self.create_vbr(circuit_id, owner_uid=owner_uid, vlan_id=vlan_id)
        self._vbrs[vbr_id] = replace(self._vbrs[vbr_id], status=status)
        self.migrations.caps[vbr_id] = bandwidth_mbps
        return vbr_id

    def change_vbr(self, vbr_id: str, **changes: Any) -> None:
        """The VBR changes behind our back."""
        self._vbrs[vbr_id] = replace(self._vbrs[vbr_id], **changes)

    def remove_vbr(self, vbr_id: str) -> None:
        """The VBR goes away."""
        del self._vbrs[vbr_id]

    def change_port(self, port_id: str, **changes: Any) -> None:
        """The port changes behind our back: ``status="Terminated"``, ``business_status="FinancialLocked"``, ..."""
        self._ports[port_id] = replace(self._ports[port_id], **changes)

    def remove_port(self, port_id: str) -> None:
        """The port goes away; lists no longer show it."""
        del self._ports[port_id]

    def ports(self) -> tuple[PortObservation, ...]:
        """All ports, in the order of creation."""
        return tuple(self._ports.values())

    # The port of the use cases.

    def create_port(self, request: CreatePort, *, dry_run: bool) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "CreateVirtualPhysicalConnection"

        def act() -> str:
            self._check_create(action, request)
            if dry_run:
                return ""
            port_id = self._new_port_id()
            self.names[port_id] = request.name
            self._ports[port_id] = PortObservation(
                at=self.clock.now(),
                source=Source.READ,
                port_id=port_id,
                acceptance=Acceptance.UNCONFIRMED,
                status="Allocated",
                business_status="Normal",
                spec=request.spec,
                expect_spec="",
                vlan_id=request.vlan_id,
                tenant_uid=request.tenant_uid,
                order_mode=request.order_mode,
                circuit_id=request.circuit_id,
                presence=Presence.PRESENT,
            )
            return port_id

        self.calls.append(("create_port", {"request": request, "dry_run": dry_run}))
        token = "" if dry_run else request.token
        return self._suffer("create_port", action, lambda: self._once(action, request.account_id, token, request, act))

    def pay_port(
        self, *, account_id: str, region: str, port_id: str, months: int, auto_renew: bool, token: str
    ) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "CreatePhysicalConnectionOccupancyOrder"
        parameters = {"account_id": account_id, "region": region, "port_id": port_id, "months": months}
        parameters |= {"auto_renew": auto_renew, "token": token}

        def act() -> str:
            port = self._seen(account_id, region, port_id)
            if port is None:
                raise refused(action, "InvalidPhysicalConnectionId.NotFound")
            if port.order_mode != OrderMode.PARTNER_PAYS:
                raise refused(action, "OperationDenied.NotPayer")
            if port_id in self._paid_months:
                raise refused(action, "IncorrectStatus.PhysicalConnection")
            self._paid_months[port_id] = months
            self._enable_if_due(port_id)
            return self._new_id("order")

        self.calls.append(("pay_port", parameters))
        return self._suffer("pay_port", action, lambda: self._once(action, account_id, token, parameters, act))

    def update_port(
        self, *, account_id: str, region: str, port_id: str, vlan_id: int, expect_spec: str, token: str
    ) -> Answer:
        """See ``application.ports.Cloud``. An ExpectSpec takes effect when ``pay_expected_spec`` is called."""
        action = "UpdateVirtualPhysicalConnection"
        parameters = {"port_id": port_id, "vlan_id": vlan_id, "expect_spec": expect_spec, "token": token}

        def act() -> str:
            port = self._known(action, account_id, region, port_id)
            siblings = [p for p in self._ports.values() if p.circuit_id == port.circuit_id and p is not port]
            if vlan_id in {p.vlan_id for p in siblings}:
                raise refused(action, "OperationDenied.VlanIdInUse")
            self.change_port(port_id, vlan_id=vlan_id, **({"expect_spec": expect_spec} if expect_spec else {}))
            return ""

        self.calls.append(("update_port", parameters))
        return self._suffer("update_port", action, lambda: self._once(action, account_id, token, parameters, act))

    def terminate_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``; the port is Terminated at once."""
        action = "TerminatePhysicalConnection"

        def act() -> str:
            port = self._known(action, account_id, region, port_id)
            if any(vbr.port_id == port_id for vbr in self._vbrs.values()):
                raise refused(action, "DependencyViolation.VirtualBorderRouter")
            if port.status != "Enabled":
                raise refused(action, "IncorrectStatus.PhysicalConnection")
            self.change_port(port_id, status="Terminated")
            return ""

        self.calls.append(("terminate_port", {"port_id": port_id, "token": token}))
        return self._suffer("terminate_port", action, lambda: self._once(action, account_id, token, port_id, act))

    def delete_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``. The partner deletes what it pays, and open offers."""
        action = "DeletePhysicalConnection"

        def act() -> str:
            port = self._seen(account_id, region, port_id)
            if port is None:
                return ""
            if any(vbr.port_id == port_id for vbr in self._vbrs.values()):
                raise refused(action, "DependencyViolation.VirtualBorderRouter")
            if port.order_mode != OrderMode.PARTNER_PAYS and port.acceptance == Acceptance.CONFIRMED:
                raise refused(action, "OperationDenied.NotPayer")
            if port.status in {"Enabled", "Terminating"}:
                raise refused(action, "IncorrectStatus.PhysicalConnection")
            self.remove_port(port_id)
            return ""

        self.calls.append(("delete_port", {"port_id": port_id, "token": token}))
        return self._suffer("delete_port", action, lambda: self._once(action, account_id, token, port_id, act))

    def recover_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``; the port is Enabled at once."""
        action = "RecoverPhysicalConnection"

        def act() -> str:
            if self._known(action, account_id, region, port_id).status != "Terminated":
                raise refused(action, "IncorrectStatus.PhysicalConnection")
            self.change_port(port_id, status="Enabled")
            return ""

        self.calls.append(("recover_port", {"port_id": port_id, "token": token}))
        return self._suffer("recover_port", action, lambda: self._once(action, account_id, token, port_id, act))

    def recover_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``; the VBR is active at once."""
        action = "RecoverVirtualBorderRouter"

        def act() -> str:
            vbr = self._vbrs.get(vbr_id)
            if vbr is None or not self._ours(account_id, region, vbr.port_id):
                raise refused(action, "ResourceNotFound.VbrId")
            if vbr.status != "terminated":
                raise refused(action, "IncorrectStatus.VirtualBorderRouter")
            if self.refuse_recovery:
                raise refused(action, self.refuse_recovery)
            self._vbrs[vbr_id] = replace(vbr, status="active")
            return ""

        self.calls.append(("recover_vbr", {"vbr_id": vbr_id, "token": token}))
        return self._suffer("recover_vbr", action, lambda: self._once(action, account_id, token, vbr_id, act))

    def terminate_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``; the VBR is terminated at once."""
        action = "TerminateVirtualBorderRouter"

        def act() -> str:
            if vbr_id not in self._vbrs:
                raise refused(action, "ResourceNotFound.VbrId")
            self._vbrs[vbr_id] = replace(self._vbrs[vbr_id], status="terminated")
            return ""

        self.calls.append(("terminate_vbr", {"vbr_id": vbr_id, "token": token}))
        return self._suffer("terminate_vbr", action, lambda: self._once(action, account_id, token, vbr_id, act))

    def delete_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "DeleteVirtualBorderRouter"

        def act() -> str:
            self._vbrs.pop(vbr_id, None)
            return ""

        self.calls.append(("delete_vbr", {"vbr_id": vbr_id, "token": token}))
        return self._suffer("delete_vbr", action, lambda: self._once(action, account_id, token, vbr_id, act))

    def set_vbr_bandwidth(
        self, *, account_id: str, region: str, vbr_id: str, bandwidth_mbps: int, token: str
    ) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "UpdateVirtualBorderBandwidth"
        parameters = {"vbr_id": vbr_id, "bandwidth_mbps": bandwidth_mbps, "token": token}

        def act() -> str:
            self.migrations.cap(action, self._pushed(action, account_id, region, vbr_id), bandwidth_mbps)
            return ""

        self.calls.append(("set_vbr_bandwidth", parameters))
        return self._suffer("set_vbr_bandwidth", action, lambda: self._once(action, account_id, token, parameters, act))

    def create_from_vbr(self, *, account_id: str, region: str, vbr_id: str, order_mode: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "CreateVpconnFromVbr"
        parameters = {"vbr_id": vbr_id, "order_mode": order_mode, "token": token}

        def act() -> str:
            vbr = self._pushed(action, account_id, region, vbr_id)
            port = self.migrations.convert(action, vbr, order_mode, self._new_port_id(), self.clock.now())
            self._ports[port.port_id] = port
            return port.port_id

        self.calls.append(("create_from_vbr", parameters))
        return self._suffer("create_from_vbr", action, lambda: self._once(action, account_id, token, parameters, act))

    def attach_vbr(self, *, account_id: str, region: str, vbr_id: str, port_id: str, token: str) -> Answer:
        """See ``application.ports.Cloud``."""
        action = "AttachVbrToVpconn"
        parameters = {"vbr_id": vbr_id, "port_id": port_id, "token": token}

        def act() -> str:
            port = self._known(action, account_id, region, port_id)
            self._vbrs[vbr_id] = self.migrations.attach(action, self._vbrs.get(vbr_id), port)
            return ""

        self.calls.append(("attach_vbr", parameters))
        return self._suffer("attach_vbr", action, lambda: self._once(action, account_id, token, parameters, act))

    def read_vbr(self, *, account_id: str, region: str, vbr_id: str) -> VbrRead:
        """See ``application.ports.Cloud``."""
        self.calls.append(("read_vbr", {"vbr_id": vbr_id}))
        self._suffer("read_vbr", "DescribeVirtualBorderRouters", lambda: "")
        now, vbr = self.clock.now(), self._vbrs.get(vbr_id)
        if vbr is None or not self._ours(account_id, region, vbr.port_id):
            return VbrRead(date=now, vbr=None)
        return self.migrations.read(replace(vbr, at=now))

    def _pushed(self, action: str, account_id: str, region: str, vbr_id: str) -> VbrObservation:
        """A VBR on a circuit of the caller's."""
        vbr = self._vbrs.get(vbr_id)
        if vbr is None or not self._ours(account_id, region, vbr.port_id):
            raise refused(action, "ResourceNotFound.VbrId")
        if vbr.port_id in self._ports:
            raise refused(action, "IncorrectStatus.VirtualBorderRouter")
        return vbr

    def _ours(self, account_id: str, region: str, connection_id: str | None) -> bool:
        """Whether a circuit, or the circuit of a port, is the account's."""
        port = self._ports.get(connection_id or "")
        circuit = self._circuits.get((port.circuit_id if port else connection_id) or "")
        return circuit is not None and (circuit.account_id, circuit.region) == (account_id, region)

    def pay_expected_spec(self, port_id: str) -> None:
        """The payer pays for the spec that was ordered: it takes effect."""
        port = self._ports[port_id]
        if port.expect_spec:
            self.change_port(port_id, spec=port.expect_spec, expect_spec="")

    def read_port(self, *, account_id: str, region: str, port_id: str) -> Read:
        """See ``application.ports.Cloud``."""
        self.calls.append(("read_port", {"account_id": account_id, "region": region, "port_id": port_id}))
        self._suffer("read_port", "ListVirtualPhysicalConnections", lambda: "")
        now = self.clock.now()
        port = self._seen(account_id, region, port_id)
        if port is None or not self._listed(port_id):
            return Read(date=now, port=None)
        vbrs = tuple(replace(vbr, at=now) for vbr in self._vbrs.values() if vbr.port_id == port_id)
        return Read(date=now, port=replace(port, at=now), vbrs=vbrs, name=self.names.get(port_id, ""))

    def find_port(self, *, account_id: str, region: str, circuit_id: str, vlan_id: int, tenant_uid: str) -> Read:
        """See ``application.ports.Cloud``."""
        parameters = {"account_id": account_id, "region": region, "circuit_id": circuit_id}
        self.calls.append(("find_port", {**parameters, "vlan_id": vlan_id, "tenant_uid": tenant_uid}))
        self._suffer("find_port", "ListVirtualPhysicalConnections", lambda: "")
        now = self.clock.now()
        live = [
            port
            for port in self._ports.values()
            if self._seen(account_id, region, port.port_id) is not None
            and (port.circuit_id, port.vlan_id, port.tenant_uid) == (circuit_id, vlan_id, tenant_uid)
            and port.acceptance != Acceptance.DELETED
            and self._listed(port.port_id)
        ]
        if not live:
            return Read(date=now, port=None)
        return Read(date=now, port=replace(live[-1], at=now), name=self.names.get(live[-1].port_id, ""))

    def list_ports(self, *, account_id: str, region: str, circuit_id: str) -> Iterator[PortPage]:
        """See ``application.ports.Cloud``; ``page_size`` ports a page, the newest first."""
        known = [
            port.port_id
            for port in reversed(self._ports.values())
            if port.circuit_id == circuit_id
            and self._seen(account_id, region, port.port_id) is not None
            and self._listed(port.port_id)
        ]
        started = self.clock.now()
        for first in range(0, max(len(known), 1), self.page_size):
            self.calls.append(("list_ports", {"account_id": account_id, "region": region, "circuit_id": circuit_id}))
            self._suffer("list_ports", "ListVirtualPhysicalConnections", lambda: "")
            now = self.clock.now()
            wanted = (self._ports.get(port_id) for port_id in known[first : first + self.page_size])
            ports = tuple(replace(port, at=now) for port in wanted if port is not None)
            yield PortPage(started=started, ports=ports, total=len(known))

    def list_vbrs(self, *, account_id: str, region: str, circuit_id: str) -> tuple[VbrObservation, ...]:
        """See ``application.ports.Cloud``; ``vbrs_seen_by_circuit`` says whether those on ports are shown."""
        self.calls.append(("list_vbrs", {"account_id": account_id, "region": region, "circuit_id": circuit_id}))
        self._suffer("list_vbrs", "DescribeVirtualBorderRoutersForPhysicalConnection", lambda: "")
        ports = {port.port_id for port in self._ports.values() if port.circuit_id == circuit_id}
        places = {circuit_id} | (ports if self.vbrs_seen_by_circuit else set())
        shown = (vbr for vbr in self._vbrs.values() if vbr.port_id in places)
        return tuple(replace(vbr, at=self.clock.now(), port_id=None) for vbr in shown)

    def _check_create(self, action: str, request: CreatePort) -> None:
        circuit = self._circuits.get(request.circuit_id)
        if circuit is None or (circuit.account_id, circuit.region) != (request.account_id, request.region):
            raise refused(action, "ResourceNotFound.PhysicalConnectionId")
        if request.spec not in MBPS:
            raise refused(action, "IllegalParam.Spec")
        living = (port for port in self._ports.values() if port.acceptance != Acceptance.DELETED)
        siblings = [port for port in living if port.circuit_id == request.circuit_id]
        held = {port.vlan_id for port in siblings}
        if request.vlan_id in held or 0 in held or (request.vlan_id == 0 and held):
            raise refused(action, "OperationDenied.VlanIdInUse")
        if sum(MBPS[port.spec or ""] for port in siblings) + MBPS[request.spec] > circuit.bandwidth_mbps:
            raise refused(action, "OperationDenied.InsufficientBandwidth")

    def _seen(self, account_id: str, region: str, port_id: str) -> PortObservation | None:
        port = self._ports.get(port_id)
        circuit = None if port is None else self._circuits.get(port.circuit_id or "")
        return port if circuit is not None and (circuit.account_id, circuit.region) == (account_id, region) else None

    def _known(self, action: str, account_id: str, region: str, port_id: str) -> PortObservation:
        port = self._seen(account_id, region, port_id)
        if port is None:
            raise refused(action, "ResourceNotFound.PhysicalConnectionId")
        return port

    def _new_port_id(self) -> str:
        port_id = self._new_id("pc")
        self._made_at[port_id] = self.clock.now()
        return port_id

    def _listed(self, port_id: str) -> bool:
        return self._made_at[port_id] + self.lag <= self.clock.now()

    def _enable_if_due(self, port_id: str) -> None:
        port = self._ports[port_id]
        months = self._paid_months.get(port_id)
        if months is None or port.enabled_time is not None:
            return
        if self.payment_enables or port.acceptance == Acceptance.CONFIRMED:
            now = self.clock.now()
            self.change_port(port_id, status="Enabled", enabled_time=now, end_time=cut(now, months - 1))

    def _once(self, action: str, account_id: str, token: str, parameters: object, act: Callable[[], str]) -> str:
        """The same token and parameters: the same answer. The same token with other parameters is refused."""
        key = (account_id, action, token)
        known = self._answers.get(key) if token else None
        if known is not None and known[0] != parameters:
            raise refused(action, "IdempotentParameterMismatch")
        if known is not None:
            return known[1]
        value = act()
        if token:
            self._answers[key] = (parameters, value)
        return value

    def _suffer(self, method: str, action: str, act: Callable[[], str]) -> Answer:
        script = self._faults[method]
        fault = script.popleft() if script else None
        if fault is None or fault.after_effect:
            value = act()
        if fault is not None:
            raise CloudCallError(
                f"{action}: {fault.cloud_code}", failure=fault.failure, cloud_code=fault.cloud_code, action=action
            )
        return Answer(value=value, date=self.clock.now())

    def _new_id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}-memory{self._made:06d}"
