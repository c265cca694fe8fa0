"""Changes, ceases and cancellations of an existing connection, from the queue ``orders``; never a cloud call."""

from __future__ import annotations

from crossport.application.commit import outbox_rows, save_of, told
from crossport.application.endings import Ending
from crossport.application.order_input import (
    OrderMessage,
    ending_for,
    ending_of,
    order_inbox_key,
    refused_reply,
    refused_row,
    repeated,
    row_of,
    row_of_order_id,
    told_reasons,
    until_saved,
)
from crossport.application.ports import Clock, InputRow, OrderContext, Policies, Save, SaveOutcome, Store, Stored
from crossport.domain.connection import Connection, Refusal, Request, connection_id_for
from crossport.domain.effects import Notice
from crossport.domain.effects.replies import reply
from crossport.domain.groups import GUARDED
from crossport.domain.orders import Hold
from crossport.domain.requests import RequestDecision, decide_request
from crossport.domain.vocabulary import Verdict


def handle_request(message: OrderMessage, *, store: Store, policies: Policies, clock: Clock) -> Ending:
    """Accept or refuse one request. Never raises for bad input; ValueError for a message that carries no request.

    A refused request changes nothing: a row with every reason, and a reply. Its id stays refused, like that of an
    order, so that a second delivery cannot end otherwise than the first. A request whose order is not known yet is
    tried again: queues do not keep order.
    """
    request = message.request
    if request is None:
        raise ValueError(f"{message.name} carries no request")
    handling = _Handling(message, request, store, policies, clock)
    return until_saved(message, handling.attempt)


def load_context(store: Store, connection: Connection, keys: tuple[str, ...] = ()) -> OrderContext:
    """What a request on the connection is decided on, from one round trip."""
    return store.load_order(
        connection_id=connection.connection_id,
        account_id=connection.account_id,
        circuit_id=connection.circuit_id,
        tenant_uid=connection.tenant_uid,
        group_id=connection.group_id,
        keys=keys,
    )


def present_hold(context: OrderContext, connection: Connection) -> Hold | None:
    """The live hold of the connection's present VLAN ID; during a change of VLAN there is a second one."""
    return next((hold for hold in context.holds if hold.vlan_id == connection.vlan_id), None)


def request_save(decided: RequestDecision, stored: Stored, rows: tuple[InputRow, ...]) -> Save:
    """The save of an accepted request: the connection, its holds and the circuit, swapped together."""
    if decided.decision is None:
        raise ValueError("a refused request is not saved")
    return save_of(
        [decided.decision],
        version=stored.version,
        at=rows[0].at,
        inputs=rows,
        hold=decided.hold,
        release=() if decided.release is None else (decided.release,),
        circuit=decided.circuit,
    )


class _Handling:
    """One request on its way to its ending."""

    def __init__(self, message: OrderMessage, request: Request, store: Store, policies: Policies, clock: Clock) -> None:
        self._message = message
        self._request = request
        self._store = store
        self._policies = policies
        self._clock = clock

    def attempt(self) -> Ending | None:
        """One load, decision and save; None when the save was lost and must be tried again."""
        message = self._message
        connection_id = message.target_connection_id or connection_id_for(
            message.account_id, "order", message.target_order_id
        )
        found = self._store.get(connection_id)
        if found is None and message.target_order_id:
            return ending_for(message, Verdict.RETRY, "order_unknown")
        if found is None or found.connection.account_id != message.account_id:
            return self._refuse_unfound(
                Refusal(
                    code="connection_unknown",
                    message=f"{connection_id} is no connection of {message.account_id}",
                    subject=connection_id,
                )
            )
        order_key = order_inbox_key(message.account_id, message.client_order_id)
        context = load_context(self._store, found.connection, (message.key, order_key))
        known = repeated(context.inbox, message, order_key)
        if known is not None:
            return self._refuse_unfound(known) if isinstance(known, Refusal) else known
        return self._decide(context.connection or found, context)

    def _decide(self, stored: Stored, context: OrderContext) -> Ending | None:
        connection, circuit = stored.connection, context.circuit
        if circuit is None:
            subject = connection.circuit_id
            return self._refuse(
                connection, Refusal(code="circuit_unknown", message=f"{subject} is no circuit of ours", subject=subject)
            )
        policy = self._policies.of(connection.account_id)
        held = present_hold(context, connection)
        guarded = self._request.kind in GUARDED
        maintenance = self._store.open_maintenance() if guarded else ()
        decided = decide_request(self._request, connection, circuit, held, policy, context.siblings, maintenance)
        if decided.decision is None:
            return self._refuse(connection, *decided.refusals, notices=decided.notices)
        row = row_of(
            self._message,
            Verdict.APPLIED,
            "" if decided.decision.connection != connection else "known_already",
            at=self._clock.now(),
            claims=True,
            connection_id=connection.connection_id,
            details={**self._told(), "changes": told(decided.decision.changes)},
        )
        save = request_save(decided, stored, (row, row_of_order_id(row, self._message)))
        (outcome,) = self._store.save([save])
        return ending_of(row) if outcome is SaveOutcome.SAVED else None

    def _refuse(self, connection: Connection, *reasons: Refusal, notices: tuple[Notice, ...] = ()) -> Ending:
        """Refused on its merits: the answer stands, whatever the connection becomes."""
        row = row_of(
            self._message,
            Verdict.REJECTED,
            reasons[0].code,
            at=self._clock.now(),
            claims=True,
            connection_id=connection.connection_id,
            details={**self._told(), "reasons": told_reasons(reasons)},
        )
        answer = reply(connection, self._message.client_order_id, "rejected", reasons=reasons)
        self._store.record([row, row_of_order_id(row, self._message)], outbox=outbox_rows([answer, *notices]))
        return ending_of(row)

    def _refuse_unfound(self, *reasons: Refusal) -> Ending:
        row = refused_row(self._message, reasons, at=self._clock.now())
        self._store.record([row], outbox=refused_reply(self._message, reasons))
        return ending_of(row)

    def _told(self) -> dict[str, str]:
        """Who asked, and why a rule was overruled (ruling 22)."""
        forced = {"forced": self._request.forced} if self._request.forced else {}
        return {"actor": self._request.actor, **forced}
