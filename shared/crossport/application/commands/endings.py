"""Take an offer back, end a service that we pay for, and give VLAN ID and bandwidth back when nothing uses them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from crossport.application.commands.create import hand_made
from crossport.application.commands.desk import TICK, Desk, Done, Task, completion, shifted
from crossport.application.commit import MAX_ROUNDS
from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure, OutboxState
from crossport.domain.connection import made_by_hand
from crossport.domain.cool_down import cool_down_ends
from crossport.domain.decide import Finding, conclude
from crossport.domain.facts import port_gone
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.teardown import TeardownStep, next_step
from crossport.domain.vocabulary import Acceptance, Source

#: A create call that began before the withdrawal was recorded has ended by then: longer than a relay's lease.
CREATE_MAY_LAST = timedelta(minutes=3)


def withdraw_port(desk: Desk, task: Task) -> Done:
    """Take an open offer back. The port is read right before: if it was accepted meanwhile, nothing is done.

    A paid offer is terminated first (ruling 1). Whether a tenant-paid offer may be withdrawn is [INF] (ruling 4): a
    refusal is a finding, ``withdraw_blocked``, and the offer stays open. So does one that was made by hand.
    """
    leased, connection = task.leased, task.connection
    if connection.port_id is None:
        return _unless_created(desk, task) or desk.done(leased, "no_port")
    read, seen = desk.read(task)
    if read.port is None or (connection.port is not None and connection.port.deleted):
        return desk.observed(leased, connection, seen, completion(leased, OutboxState.DONE, "gone_already"))
    if read.port.acceptance == Acceptance.CONFIRMED:
        return desk.observed(leased, connection, seen, completion(leased, OutboxState.DROPPED, "accepted_meanwhile"))
    if made_by_hand(connection, read.name):
        ending = completion(leased, OutboxState.FAILED, "port_made_by_hand")
        return desk.observed(leased, connection, seen, ending, findings=(hand_made(read.port),))
    match next_step(read.port.status, has_vbrs=False):
        case TeardownStep.TERMINATE_PORT:
            return _terminate(desk, task, seen)
        case TeardownStep.WAIT:
            return _again(desk, task, seen, "waiting:terminated")
        case _:
            return _delete(desk, task, seen, blocked="withdraw_blocked")


def end_port(desk: Desk, task: Task) -> Done:
    """End a service that the partner pays: VBRs, then the port's termination, then its deletion (rule 17)."""
    leased, connection = task.leased, task.connection
    if connection.port_id is None:
        return desk.dropped(leased, "no_port")
    read, seen = desk.read(task)
    if read.port is None or (connection.port is not None and connection.port.deleted):
        return desk.observed(leased, connection, seen, completion(leased, OutboxState.DONE, "gone_already"))
    match next_step(read.port.status, has_vbrs=bool(read.vbrs)):
        case TeardownStep.END_VBR:
            return _end_vbr(desk, task, seen, read.vbrs[0])
        case TeardownStep.TERMINATE_PORT:
            return _terminate(desk, task, seen)
        case TeardownStep.WAIT:
            return _again(desk, task, seen, "waiting:terminated")
        case _:
            return _delete(desk, task, seen, blocked="end_blocked")


def release_hold(desk: Desk, task: Task) -> Done:
    """Give VLAN IDs and bandwidth back once the port is gone and both cool-downs are over (ruling 15)."""
    leased = task.leased
    if task.connection.port is None and (waiting := _unless_created(desk, task)) is not None:
        return waiting
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(task.connection.connection_id)
        if stored is None:
            return desk.failed(leased, "no_connection")
        connection = stored.connection
        if connection.port is None and connection.withdrawn_at is None:
            return desk.wait_for(task, "waiting:port")
        if connection.port is not None and not port_gone(connection.port, task.policy.consistency_window):
            return desk.wait_for(task, "waiting:port_gone")
        until = cool_down_ends(connection, task.policy.cool_down)
        if until is not None and desk.clock.now() < until:
            return desk.wait(leased, "cool_down", until)
        circuit = desk.store.circuit(connection.circuit_id)
        holds = desk.holds(connection)
        if circuit is None or not holds:
            return desk.done(leased, "nothing_held")
        for hold in holds:
            circuit = circuit.release(hold.vlan_id, hold.mbps)
        after = connection
        if connection.port is None:
            after = replace(connection, hold_released_at=desk.clock.now())
        decision = conclude(connection, after, task.policy)
        ending = completion(leased, OutboxState.DONE)
        if desk.saved(stored, decision, ending, release=holds, circuit=circuit):
            return ending, True
    return desk.wait(leased, "contended")


def _unless_created(desk: Desk, task: Task) -> Done | None:
    """None once it is sure that a withdrawn order has no port; else the wait, or the port that was found.

    A create call whose answer was lost may have happened, and one that was under way may still: the cloud is asked,
    and believed only when no call can be on its way and no list can lag any more.
    """
    leased, connection = task.leased, task.connection
    if connection.intended_at is None:
        return None
    if connection.withdrawn_at is None:
        return desk.wait_for(task, "waiting:port")
    found = desk.cloud().find_port(
        account_id=connection.account_id,
        region=connection.region,
        circuit_id=connection.circuit_id,
        vlan_id=connection.terms.vlan_id,
        tenant_uid=connection.tenant_uid,
    )
    if found.port is not None and not made_by_hand(connection, found.name):
        ending, _ = desk.wait_for(task, "waiting:port")
        return desk.observed(leased, connection, shifted(found, task.policy), ending)
    sure = connection.withdrawn_at + CREATE_MAY_LAST + task.policy.consistency_window
    return desk.wait(leased, "maybe_created", max(sure, desk.clock.now() + TICK)) if found.date < sure else None


def _terminate(desk: Desk, task: Task, seen: tuple[Observation, ...]) -> Done:
    connection = task.connection
    answer = desk.cloud().terminate_port(
        account_id=connection.account_id,
        region=connection.region,
        port_id=connection.port_id or "",
        token=task.token("terminate"),
    )
    said = PortObservation(
        at=answer.date, source=Source.OWN_ANSWER, port_id=connection.port_id or "", status="Terminating"
    )
    return _again(desk, task, (*seen, said), "waiting:terminated")


def _delete(desk: Desk, task: Task, seen: tuple[Observation, ...], *, blocked: str) -> Done:
    leased, connection = task.leased, task.connection
    try:
        answer = desk.cloud().delete_port(
            account_id=connection.account_id,
            region=connection.region,
            port_id=connection.port_id or "",
            token=task.token("delete"),
        )
    except CloudCallError as error:
        if error.failure is not CloudFailure.PERMANENT:
            raise
        ending = completion(leased, OutboxState.FAILED, f"{blocked}:{error.cloud_code}")
        details = {"cloud_code": error.cloud_code, "message": error.message}
        finding = Finding(code=blocked, subject=connection.port_id or "", details=details)
        return desk.observed(leased, connection, seen, ending, findings=(finding,))
    said = PortObservation(
        at=answer.date, source=Source.OWN_ANSWER, port_id=connection.port_id or "", acceptance=Acceptance.DELETED
    )
    return desk.observed(leased, connection, (*seen, said), completion(leased, OutboxState.DONE))


def _end_vbr(desk: Desk, task: Task, seen: tuple[Observation, ...], vbr: VbrObservation) -> Done:
    """One VBR at a time: disable it, then delete it (partner guide, "More operations", for the payer)."""
    connection = task.connection
    if vbr.status == "active":
        desk.cloud().terminate_vbr(
            account_id=connection.account_id,
            region=connection.region,
            vbr_id=vbr.vbr_id,
            token=task.token(f"stop-{vbr.vbr_id}"),
        )
    elif vbr.status in ("terminated", "unconfirmed"):
        desk.cloud().delete_vbr(
            account_id=connection.account_id,
            region=connection.region,
            vbr_id=vbr.vbr_id,
            token=task.token(f"end-{vbr.vbr_id}"),
        )
    return _again(desk, task, seen, "waiting:vbr_gone")


def _again(desk: Desk, task: Task, seen: tuple[Observation, ...], reason: str) -> Done:
    ending, _ = desk.wait_for(task, reason)
    return desk.observed(task.leased, task.connection, seen, ending)
