"""The VPC service of the local cloud, put together, with what a scenario does behind the API's back."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from localcloud.accounts import Directory
from localcloud.clock import Clock
from localcloud.journal import Journal
from localcloud.signing import Verifier
from localcloud.vpc import (
    circuits,
    endings,
    migration,
    payments,
    port_lists,
    ports,
    router_endings,
    router_lists,
    routers,
)
from localcloud.vpc.call import Operation
from localcloud.vpc.faults import Faults
from localcloud.vpc.ids import Ids
from localcloud.vpc.names import BusinessStatus
from localcloud.vpc.resources import Circuit, Order, Port, Vbr
from localcloud.vpc.state import State
from localcloud.vpc.switches import Switches
from localcloud.vpc.terms import renewed_end
from localcloud.vpc.throttle import Throttle
from localcloud.vpc.wire import Endpoint, Publish

T = TypeVar("T")

OPERATIONS: dict[str, Operation] = {
    **ports.OPERATIONS,
    **port_lists.OPERATIONS,
    **payments.OPERATIONS,
    **endings.OPERATIONS,
    **migration.OPERATIONS,
    **routers.OPERATIONS,
    **router_endings.OPERATIONS,
    **router_lists.OPERATIONS,
    **circuits.OPERATIONS,
}
"""What the local cloud implements; every other action is answered with 501 and noted in the journal."""


class Vpc:
    """The VPC API on one endpoint for all accounts and regions.

    ``publish`` gets every ActionTrail event with the account and region of its call. ``throttle_limit`` is the number
    of calls in 60 seconds (real time) for each operation, account and region. All methods must be called on the loop
    that serves ``application``.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        clock: Clock,
        journal: Journal,
        publish: Publish,
        ids: Ids,
        switches: Switches | None = None,
        faults: Faults | None = None,
        throttle_limit: int = 300,
    ) -> None:
        self.state = State(directory=directory, clock=clock, ids=ids, switches=switches or Switches())
        self.faults = faults or Faults()
        self.application = Endpoint(
            state=self.state,
            operations=OPERATIONS,
            verifier=Verifier(directory),
            journal=journal,
            publish=publish,
            faults=self.faults,
            throttle=Throttle(throttle_limit),
        )
        self._journal = journal

    @property
    def switches(self) -> Switches:
        """The settings; assign another object to change them."""
        return self.state.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.state.switches = switches

    # What there is.

    def circuit(self, circuit_id: str) -> Circuit:
        """A circuit. Raises KeyError."""
        return _found(self.state.circuits.get(circuit_id), circuit_id)

    def port(self, port_id: str) -> Port:
        """A port, deleted ones included. Raises KeyError."""
        self.state.settle()
        return _found(self.state.ports.get(port_id), port_id)

    def vbr(self, vbr_id: str) -> Vbr:
        """A VBR that exists. Raises KeyError."""
        self.state.settle()
        return _found(self.state.vbrs.get(vbr_id), vbr_id)

    def order(self, order_id: str) -> Order:
        """An order of the billing system. Raises KeyError."""
        return _found(self.state.orders.get(order_id), order_id)

    def ports(self, circuit_id: str | None = None) -> list[Port]:
        """All ports, deleted ones included, or those of one circuit."""
        self.state.settle()
        return [port for port in self.state.ports.all() if circuit_id in {None, port.circuit_id}]

    def vbrs(self, connection_id: str | None = None) -> list[Vbr]:
        """All VBRs, or those attached to one port or directly to one circuit."""
        self.state.settle()
        return [vbr for vbr in self.state.vbrs.all() if connection_id in {None, vbr.connection_id}]

    def orders(self, port_id: str | None = None) -> list[Order]:
        """All orders, or those of one port."""
        return [order for order in self.state.orders.all() if port_id in {None, order.port_id}]

    # What happens without a call of the API.

    def add_circuit(
        self,
        circuit_id: str,
        account_id: str,
        region: str,
        bandwidth_mbps: int,
        access_point_id: str = "ap-local",
        line_operator: str = "Other",
        name: str = "",
    ) -> Circuit:
        """Install a dedicated circuit, Enabled. Raises ValueError for an unknown account or an id in use."""
        if self.state.directory.account(account_id) is None:
            raise ValueError(f"there is no account {account_id}")
        if self.state.circuits.get(circuit_id) or self.state.ports.get(circuit_id):
            raise ValueError(f"the id {circuit_id} is in use")
        circuit = Circuit(
            circuit_id=circuit_id,
            account_id=account_id,
            region=region,
            bandwidth_mbps=bandwidth_mbps,
            access_point_id=access_point_id,
            line_operator=line_operator,
            name=name,
            created_at=self.state.clock.now(),
        )
        self.state.save_circuit(circuit)
        return circuit

    def renew(self, port_id: str, months: int = 1) -> Port:
        """Extend a port's term by whole months from its old end. Raises ValueError for a port without a term."""
        port = self.port(port_id)
        if port.end_at is None or months < 1:
            raise ValueError(f"{port_id} has no term to renew by {months} months")
        return self.state.save_port(replace(port, end_at=renewed_end(port.end_at, months)))

    def lock(self, resource_id: str, business_status: str = BusinessStatus.FINANCIAL_LOCKED) -> None:
        """Lock a circuit, port or VBR for billing (FinancialLocked) or security (SecurityLocked) reasons."""
        self._set_business_status(resource_id, business_status)

    def unlock(self, resource_id: str) -> None:
        """Lift the lock of a circuit, port or VBR."""
        self._set_business_status(resource_id, BusinessStatus.NORMAL)

    def pay_order(self, order_id: str) -> None:
        """Pay an unpaid order, as in the billing console. Raises KeyError or ValueError."""
        payments.pay(self.state, order_id)

    def cancel_order(self, order_id: str) -> None:
        """Cancel an unpaid or abnormal order, as in the billing console. Raises KeyError or ValueError."""
        payments.cancel_order(self.state, order_id)

    def set_balance(self, account_id: str, *, sufficient: bool) -> None:
        """Whether an account's balance covers an automatic payment; it does until said otherwise."""
        _put(self.state.without_balance, account_id, present=not sufficient)

    def set_privilege(self, account_id: str, *, granted: bool) -> None:
        """Whether a partner may create ports (Quota Center); it may until said otherwise."""
        _put(self.state.without_privilege, account_id, present=not granted)

    def approve_large_specs(self, account_id: str, *, approved: bool = True) -> None:
        """Whether a partner may use 2G, 5G, 8G and 10G; it may not until said otherwise."""
        _put(self.state.with_large_specs, account_id, present=approved)

    def open_outbound_billing(self, account_id: str, region: str) -> None:
        """Enable an account's outbound data transfer billing in a region, as in the console."""
        self.state.outbound_billing.add((account_id, region))

    def _set_business_status(self, resource_id: str, business_status: str) -> None:
        if (port := self.state.live_port(resource_id)) is not None:
            self.state.save_port(replace(port, business_status=business_status))
        elif (vbr := self.state.vbrs.get(resource_id)) is not None:
            self.state.save_vbr(replace(vbr, business_status=business_status))
        else:
            self.state.save_circuit(replace(self.circuit(resource_id), business_status=business_status))
        self._journal.write("vpc", f"{resource_id} is {business_status}", resource_id=resource_id)


def _put(members: set[str], account_id: str, *, present: bool) -> None:
    if present:
        members.add(account_id)
    else:
        members.discard(account_id)


def _found(value: T | None, resource_id: str) -> T:
    if value is None:
        raise KeyError(resource_id)
    return value
