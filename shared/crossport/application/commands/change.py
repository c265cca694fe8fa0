"""Change a port's spec or VLAN ID, hold what a port uses, and give back what has become free."""

from __future__ import annotations

from crossport.application.commands.desk import Desk, Done, Task, completion
from crossport.application.commit import MAX_ROUNDS, read_port
from crossport.application.ports import OutboxState, Stored
from crossport.domain.checks import vlan_in_range
from crossport.domain.connection import Connection, Request
from crossport.domain.decide import Finding, conclude
from crossport.domain.facts import merge_port
from crossport.domain.observation import PortObservation
from crossport.domain.orders import Hold
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import RequestKind, Source


def update_port(desk: Desk, task: Task) -> Done:
    """UpdateVirtualPhysicalConnection for one accepted request, then a read of the port and its VBRs.

    The VLAN ID is a required parameter even when only the spec changes (API reference), so the present one is read
    right before. That read may lag behind a change of ours, which counts for more: sending what it shows would take the
    change back. A VLAN change by force is two-phase (ruling 18): the port here, its VBR in the read that follows.
    """
    leased, connection = task.leased, task.connection
    request = _request_of(connection, leased.row.payload.get("cause"))
    if request is None or connection.port_id is None:
        return desk.failed(leased, "no_such_request")
    read, seen = desk.read(task)
    if read.port is None:
        return desk.observed(leased, connection, seen, completion(leased, OutboxState.DROPPED, "port_not_found"))
    known = connection.port
    for one in seen:
        known = merge_port(known, one) if isinstance(one, PortObservation) else known
    present = connection.but(port=known).vlan_id
    vlan_id = present if request.vlan_id is None else request.vlan_id
    answer = desk.cloud().update_port(
        account_id=connection.account_id,
        region=connection.region,
        port_id=connection.port_id,
        vlan_id=vlan_id,
        expect_spec=request.spec,
        token=task.token(request.request_id),
    )
    changed = PortObservation(
        at=answer.date,
        source=Source.OWN_ANSWER,
        port_id=connection.port_id,
        vlan_id=vlan_id,
        expect_spec=request.spec or None,
    )
    again = read_port(
        connection.port_id,
        cause=f"updated:{request.request_id}",
        account_id=connection.account_id,
        region=connection.region,
        after=answer.date,
        connection_id=connection.connection_id,
    )
    return desk.observed(leased, connection, (*seen, changed), completion(leased, OutboxState.DONE), outbox=(again,))


def settle_hold(desk: Desk, task: Task) -> Done:
    """Once a change has taken effect, hold what the port now uses and nothing more.

    A new spec: the hold's bandwidth becomes that of the spec in effect. A new VLAN ID: the old one is given back when
    neither the port nor a VBR uses it.
    """
    leased = task.leased
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(task.connection.connection_id)
        if stored is None:
            return desk.failed(leased, "no_connection")
        connection = stored.connection
        request = _request_of(connection, leased.row.payload.get("cause"))
        port = connection.port
        if request is None or port is None or port.deleted:
            return desk.dropped(leased, "port_gone")
        if request.kind is RequestKind.CHANGE_SPEC:
            if connection.spec != request.spec:
                return desk.wait_for(task, "waiting:payment")
        elif connection.vlan_id != request.vlan_id:
            return desk.wait_for(task, "waiting:port")
        holds = desk.holds(connection)
        if not holds:
            # An adopted port whose VLAN ID another connection holds: nothing is ours to move.
            return desk.done(leased, "nothing_held")
        if _saved(desk, task, stored, holds):
            return completion(leased, OutboxState.DONE), True
        if _old_vlans_in_use(task, connection):
            return desk.wait_for(task, "waiting:vbr")
    return desk.wait(leased, "contended")


def claim_hold(desk: Desk, task: Task) -> Done:
    """Hold the VLAN ID of an adopted port once the connection that held it has given it back.

    It keeps waiting for as long as the port lives: an order could otherwise be sold what the port uses.
    """
    leased = task.leased
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(task.connection.connection_id)
        circuit = desk.store.circuit(task.connection.circuit_id)
        if stored is None or circuit is None:
            return desk.failed(leased, "no_connection")
        connection = stored.connection
        if desk.holds(connection):
            return desk.done(leased, "held_already")
        if circuit.holds(connection.vlan_id):
            return desk.wait_for(task, "waiting:vlan_id")
        hold = Hold(
            circuit_id=circuit.circuit_id,
            vlan_id=connection.vlan_id,
            mbps=MBPS.get(connection.spec, 0),
            connection_id=connection.connection_id,
        )
        decision = conclude(connection, connection, task.policy)
        ending = completion(leased, OutboxState.DONE)
        after = circuit.hold(hold.vlan_id, hold.mbps)
        cleared = (("vlan_clash", connection.port_id or ""),)
        if desk.saved(stored, decision, ending, hold=hold, circuit=after, cleared=cleared):
            return ending, True
    return desk.wait(leased, "contended")


def hold_port(desk: Desk, task: Task) -> Done:
    """Hold again what a port uses that turned up after its order's hold had been given back.

    Where another connection has the VLAN ID by now, that is the finding ``vlan_clash``, and the row waits for it.
    """
    leased, connection, circuit = task.leased, task.connection, desk.store.circuit(task.connection.circuit_id)
    port = connection.port
    if port is None or port.vlan_id.current is None:
        return desk.wait_for(task, "waiting:port")
    if circuit is None:
        return desk.failed(leased, "no_connection")
    if desk.holds(connection):
        return desk.done(leased, "held_already")
    vlan_id = port.vlan_id.current
    details = {"circuit_id": circuit.circuit_id, "vlan_id": vlan_id}
    wrong = tuple(vlan_in_range(vlan_id))
    if wrong:
        ending = completion(leased, OutboxState.FAILED, "vlan_out_of_range")
        findings = tuple(Finding(code=r.code, subject=port.port_id, details=details) for r in wrong)
        return desk.observed(leased, connection, (), ending, findings=findings)
    if circuit.holds(vlan_id) and not leased.reason.startswith("waiting:vlan_id"):
        ending, _ = desk.wait_for(task, "waiting:vlan_id")
        finding = Finding(code="vlan_clash", subject=port.port_id, details=details)
        return desk.observed(leased, connection, (), ending, findings=(finding,))
    return claim_hold(desk, task)


def _saved(desk: Desk, task: Task, stored: Stored, holds: tuple[Hold, ...]) -> bool:
    """Move the holds to what is in use, in one save; False when that must wait or was lost."""
    connection = stored.connection
    circuit = desk.store.circuit(connection.circuit_id)
    if circuit is None or _old_vlans_in_use(task, connection):
        return False
    ending = completion(task.leased, OutboxState.DONE)
    decision = conclude(connection, connection, task.policy)
    wanted = Hold(
        circuit_id=connection.circuit_id,
        vlan_id=connection.vlan_id,
        mbps=MBPS.get(connection.spec, 0),
        connection_id=connection.connection_id,
    )
    for hold in holds:
        circuit = circuit.release(hold.vlan_id, hold.mbps)
    return desk.saved(
        stored,
        decision,
        ending,
        release=holds,
        hold=wanted,
        circuit=circuit.hold(wanted.vlan_id, wanted.mbps),
    )


def _old_vlans_in_use(task: Task, connection: Connection) -> bool:
    live = connection.live_vbrs(task.policy.consistency_window)
    return any(vbr.vlan_id.current not in (None, connection.vlan_id) for vbr in live)


def _request_of(connection: Connection, request_id: object) -> Request | None:
    return next((request for request in connection.requests if request.request_id == request_id), None)
