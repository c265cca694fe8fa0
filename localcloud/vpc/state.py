"""What the VPC service knows, and who may see it. The rules of circuits are in ``rules``."""

from __future__ import annotations

from localcloud.accounts import Account, Directory
from localcloud.clock import Clock
from localcloud.vpc.call import Call
from localcloud.vpc.errors import connection_not_found, vbr_not_found
from localcloud.vpc.ids import Ids
from localcloud.vpc.names import Acceptance
from localcloud.vpc.progression import Changes
from localcloud.vpc.resources import Circuit, Order, Port, Vbr
from localcloud.vpc.switches import Switches
from localcloud.vpc.table import Table


class State:
    """Circuits, ports, VBRs, orders and what the cloud knows about accounts.

    It is touched on one event loop only. Resources are immutable values: a change saves a new one.
    """

    def __init__(self, *, directory: Directory, clock: Clock, ids: Ids, switches: Switches) -> None:
        self.directory = directory
        self.clock = clock
        self.ids = ids
        self.switches = switches
        self.circuits: Table[Circuit] = Table()
        self.ports: Table[Port] = Table()
        self.vbrs: Table[Vbr] = Table()
        self.orders: Table[Order] = Table()
        self.changes = Changes()
        self.outbound_billing: set[tuple[str, str]] = set()
        """(account, region) with outbound data transfer billing enabled."""
        self.without_privilege: set[str] = set()
        """Accounts whose permission to create ports has expired."""
        self.with_large_specs: set[str] = set()
        """Accounts whose account manager approved the specs above 1G."""
        self.without_balance: set[str] = set()
        """Accounts whose balance does not cover an automatic payment."""

    def settle(self) -> None:
        """Finish the changes that are due by the clock."""
        self.changes.settle(self.clock.now())

    def fresh_port_id(self) -> str:
        """An id for a new port; circuits share the prefix, so one that was installed under such an id is skipped."""
        port_id = self.ids.resource("pc")
        while self.circuits.get(port_id) is not None:
            port_id = self.ids.resource("pc")
        return port_id

    def save_circuit(self, circuit: Circuit) -> None:
        """Insert or replace a circuit."""
        self.circuits.put(circuit.circuit_id, circuit, self.switches.stale_reads)

    def save_port(self, port: Port) -> Port:
        """Insert or replace a port."""
        self.ports.put(port.port_id, port, self.switches.stale_reads)
        return port

    def save_vbr(self, vbr: Vbr) -> Vbr:
        """Insert or replace a VBR."""
        self.vbrs.put(vbr.vbr_id, vbr, self.switches.stale_reads)
        return vbr

    def remove_vbr(self, vbr_id: str) -> None:
        """Forget a deleted VBR."""
        self.vbrs.remove(vbr_id, self.switches.stale_reads)

    def save_order(self, order: Order) -> Order:
        """Insert or replace an order."""
        self.orders.put(order.order_id, order)
        return order

    def live_port(self, port_id: str | None) -> Port | None:
        """A port that is not deleted."""
        port = self.ports.get(port_id) if port_id is not None else None
        return None if port is None or port.acceptance == Acceptance.DELETED else port

    def live_ports(self, circuit_id: str) -> list[Port]:
        """All ports of a circuit that are not deleted."""
        return [p for p in self.ports.all() if p.circuit_id == circuit_id and p.acceptance != Acceptance.DELETED]

    def vbrs_on(self, connection_id: str) -> list[Vbr]:
        """The VBRs that are attached to a port, or directly to a circuit."""
        return [v for v in self.vbrs.all() if v.connection_id == connection_id]

    def own_circuit(self, call: Call, circuit_id: str) -> Circuit:
        """A circuit of the caller in the region of the call. Raises ResourceNotFound.PhysicalConnectionId."""
        circuit = self.circuits.get(circuit_id)
        if circuit is None or circuit.account_id != call.account_id or circuit.region != call.region:
            raise connection_not_found()
        return circuit

    def seen_port(self, call: Call, port_id: str) -> Port:
        """A port that the caller pushed or received. Raises ResourceNotFound.PhysicalConnectionId."""
        port = self.live_port(port_id)
        if port is None or call.account_id not in {port.partner_id, port.tenant_id} or port.region != call.region:
            raise connection_not_found()
        return port

    def seen_vbr(self, call: Call, vbr_id: str) -> Vbr:
        """A VBR that the caller owns or that is on a circuit of the caller. Raises ResourceNotFound.VbrId."""
        vbr = self.vbrs.get(vbr_id)
        if vbr is None or vbr.region != call.region:
            raise vbr_not_found()
        if call.account_id not in {vbr.owner_id, self.circuit_owner_id(vbr)}:
            raise vbr_not_found()
        return vbr

    def circuit_owner_id(self, vbr: Vbr) -> str:
        """The account that owns the circuit below a VBR."""
        circuit = self.circuits.get(vbr.circuit_id)
        return "" if circuit is None else circuit.account_id

    def main_account(self, account_id: str) -> Account | None:
        """A main account; RAM users and unknown numbers are none."""
        return self.directory.account(account_id)
