"""Create a port. One intent has one Token; a call that may have happened is looked for before it is made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from crossport.application.commands.desk import Desk, Done, Task, completion, shifted
from crossport.application.commit import MAX_ROUNDS
from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure, Completion, CreatePort, LeasedRow, OutboxState, Read
from crossport.application.routing import port_route
from crossport.domain.connection import Connection, Refusal, made_by_hand
from crossport.domain.decide import Finding, conclude
from crossport.domain.observation import PortObservation
from crossport.domain.vocabulary import Acceptance, Presence, Source

#: How the reason of an outbox row begins after a call that may have happened.
MAYBE_SENT = "maybe_sent"


def create_port(desk: Desk, task: Task) -> Done:
    """CreateVirtualPhysicalConnection, with a dry run before it."""
    request = _request(task.connection)

    def rehearse() -> None:
        desk.cloud().create_port(request, dry_run=True)

    def create() -> PortObservation:
        answer = desk.cloud().create_port(request, dry_run=False)
        return PortObservation(
            at=answer.date,
            source=Source.OWN_ANSWER,
            port_id=answer.value,
            acceptance=Acceptance.UNCONFIRMED,
            spec=request.spec,
            vlan_id=request.vlan_id,
            tenant_uid=request.tenant_uid,
            order_mode=request.order_mode,
            circuit_id=request.circuit_id,
            presence=Presence.PRESENT,
        )

    return make_port(desk, task, prepare=rehearse, make=create)


def make_port(
    desk: Desk, task: Task, *, prepare: Callable[[], Done | None], make: Callable[[], PortObservation]
) -> Done:
    """Look first whether an earlier try has made the port, then prepare, then make it, always with one Token.

    ``prepare`` runs before every call but one that may have happened already: the port of that would make a dry run
    fail. What it returns, unless None, ends the turn.
    """
    leased, connection = task.leased, task.connection
    sent_at = maybe_sent_at(leased)
    earlier = _earlier_try(desk, task, sent_at) if leased.attempts > 1 else None
    if earlier is not None:
        return earlier
    if connection.withdrawn_at is not None:
        return desk.dropped(leased, "withdrawn")
    try:
        ended = prepare() if sent_at is None else None
    except CloudCallError as error:
        if not _in_doubt(leased, error):
            raise
        return _look_again(desk, leased, error.cloud_code)
    if ended is not None:
        return ended
    try:
        made = make()
    except CloudCallError as error:
        # Even a 5xx may come after the effect.
        if error.failure not in (CloudFailure.UNKNOWN, CloudFailure.RETRYABLE) and not _in_doubt(leased, error):
            raise
        return _look_again(desk, leased, error.cloud_code)
    try:
        ending, written = desk.observed(leased, connection, (made,), completion(leased, OutboxState.DONE))
    except Exception as error:  # noqa: BLE001
        # Whatever kept the answer from being saved, the port is there: another dry run would meet its VLAN ID, and
        # that refusal would be taken for good.
        return _look_again(desk, leased, type(error).__name__)
    return (ending, written) if ending.state is not OutboxState.DUE else _look_again(desk, leased, ending.reason)


def _earlier_try(desk: Desk, task: Task, sent_at: datetime | None) -> Done | None:
    """The port that an earlier try has made, or the wait until none can show up any more; None: make it."""
    leased, connection = task.leased, task.connection
    try:
        found = _found(desk, connection)
    except CloudCallError as error:
        if sent_at is None or error.failure is CloudFailure.PERMANENT:
            raise
        return desk.wait(leased, leased.reason)
    by_hand = made_by_hand(connection, found.name)
    if found.port is not None and (not by_hand or _fits(desk, connection, found.port)):
        ending = completion(leased, OutboxState.DONE, "found")
        findings = (hand_made(found.port),) if by_hand else ()
        return desk.observed(leased, connection, shifted(found, task.policy), ending, findings=findings)
    if sent_at is not None and found.date < sent_at + task.policy.consistency_window:
        # A list may lag behind a create call that did happen; the same call comes only after the window.
        return desk.wait(leased, leased.reason)
    return None


def provisioning_failed(desk: Desk, leased: LeasedRow, failure: Refusal, ending: Completion) -> Done:
    """The cloud refused for good: the connection has failed and gives its hold back."""
    for _ in range(MAX_ROUNDS):
        stored = desk.store.get(leased.row.connection_id or "")
        if stored is None or stored.connection.port is not None or stored.connection.failure is not None:
            return ending, False
        connection = stored.connection
        # In one statement: a withdrawal may have given the hold back while this worker was held up.
        context = desk.store.load_order(
            connection_id=connection.connection_id,
            account_id=connection.account_id,
            circuit_id=connection.circuit_id,
            tenant_uid=connection.tenant_uid,
        )
        if context.circuit is None:
            return ending, False
        policy, after = desk.policies.of(connection.account_id), context.circuit
        decision = conclude(connection, replace(connection, failure=failure), policy)
        for hold in context.holds:
            after = after.release(hold.vlan_id, hold.mbps)
        if desk.saved(stored, decision, ending, release=context.holds, circuit=after):
            return ending, True
    # Given up now, the row would leave the connection provisioning and its hold taken for ever.
    return desk.wait(leased, "contended")


def maybe_sent_at(leased: LeasedRow) -> datetime | None:
    """When a create call was made that may have happened, or None when none was."""
    kind, _, at = leased.reason.partition("@")
    return datetime.fromisoformat(at) if kind.startswith(MAYBE_SENT) and at else None


def _in_doubt(leased: LeasedRow, error: CloudCallError) -> bool:
    """Whether a refusal may be about our own port: one that a worker made after its lease had ended, not listed yet."""
    return error.failure is CloudFailure.PERMANENT and leased.attempts > 1 and maybe_sent_at(leased) is None


def _look_again(desk: Desk, leased: LeasedRow, cause: str) -> Done:
    """Due again soon; the reason says when a call was made that may have happened."""
    return desk.wait(leased, f"{MAYBE_SENT}:{cause}@{desk.clock.now().isoformat()}")


def _found(desk: Desk, connection: Connection) -> Read:
    return desk.cloud().find_port(
        account_id=connection.account_id,
        region=connection.region,
        circuit_id=connection.circuit_id,
        vlan_id=connection.terms.vlan_id,
        tenant_uid=connection.tenant_uid,
    )


def _fits(desk: Desk, connection: Connection, port: PortObservation) -> bool:
    """Whether a port made by hand is exactly what was ordered, and no other connection's.

    One that is not stays what it is: the create call is then refused for its VLAN ID, and the port adopted.
    """
    terms = connection.terms
    if (port.spec, port.order_mode) != (terms.spec, str(terms.order_mode)):
        return False
    owners = desk.store.load(routes=[port_route(port.port_id)]).connections.values()
    return all(owner.connection.connection_id == connection.connection_id for owner in owners)


def hand_made(port: PortObservation) -> Finding:
    """The finding that an order's port was not made by our call."""
    details = {"circuit_id": port.circuit_id, "vlan_id": port.vlan_id}
    return Finding(code="port_made_by_hand", subject=port.port_id, details=details)


def _request(connection: Connection) -> CreatePort:
    """The create call of a connection."""
    return CreatePort(
        account_id=connection.account_id,
        region=connection.region,
        circuit_id=connection.circuit_id,
        tenant_uid=connection.tenant_uid,
        vlan_id=connection.terms.vlan_id,
        spec=connection.terms.spec,
        order_mode=str(connection.terms.order_mode),
        name=connection.port_name,
        token=connection.token,
    )
