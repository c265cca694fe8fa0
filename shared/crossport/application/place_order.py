"""Orders: the ``orders`` queue's messages against contract, rules and circuit; holds and intent, never a cloud call."""

from __future__ import annotations

from collections.abc import Sequence

from crossport.application.commit import save_of, told
from crossport.application.endings import Ending
from crossport.application.errors import IntegrityConflictError
from crossport.application.handle_request import handle_request
from crossport.application.order_input import (
    Misread,
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
from crossport.application.ports import Clock, InputRow, OrderContext, Policies, SaveOutcome, Store
from crossport.application.routing import token_route
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Milestone, Refusal, connection_id_for, token_of
from crossport.domain.decide import Decision
from crossport.domain.migration import MigrationOrder, decide_migration
from crossport.domain.orders import Order, OrderDecision, decide_milestone, decide_order
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import MilestoneName, Verdict

__all__ = ["Misread", "OrderMessage", "order_inbox_key", "place_orders"]


def place_orders(
    messages: Sequence[OrderMessage | Misread], *, store: Store, policies: Policies, clock: Clock
) -> list[Ending]:
    """Handle a batch of order messages; one ending for each, in order. Never raises for bad input."""
    return [_Handling(message, store, policies, clock).run() for message in messages]


class _Handling:
    """One message on its way to its ending."""

    def __init__(self, message: OrderMessage | Misread, store: Store, policies: Policies, clock: Clock) -> None:
        self._message = message
        self._store = store
        self._policies = policies
        self._clock = clock

    def run(self) -> Ending:
        try:
            return until_saved(self._message, self._attempt)
        except IntegrityConflictError as error:
            # No rule explains it, so no retry will mend it: a person must look.
            row = row_of(
                self._message,
                Verdict.DEAD_LETTER,
                error.code,
                at=self._clock.now(),
                claims=False,
                details={"error": error.message},
            )
            self._store.record([row])
            return ending_of(row)

    def _attempt(self) -> Ending | None:
        """One load, decision and save; None when the save was lost and must be tried again."""
        message = self._message
        if isinstance(message, Misread):
            return self._misread(message)
        if message.account_id not in set(self._policies.accounts()):
            return self._refuse(
                Refusal(code="unknown_account", message=f"{message.account_id} is no partner account of ours")
            )
        if message.order is not None:
            return self._place(message, message.order)
        if message.milestone is not None:
            return self._reach(message, message.milestone)
        return handle_request(message, store=self._store, policies=self._policies, clock=self._clock)

    def _misread(self, message: Misread) -> Ending:
        known = self._store.load(keys=[message.key]).inbox if message.key else {}
        if known.get(message.key) == message.digest:
            return ending_for(message, Verdict.DUPLICATE)
        return self._refuse(*message.reasons)

    def _place(self, message: OrderMessage, order: Order) -> Ending | None:
        context = self._store.load_order(
            connection_id=order.connection_id,
            account_id=order.account_id,
            circuit_id=order.circuit_id,
            tenant_uid=order.tenant_uid,
            group_id=order.group_id,
            keys=[message.key, order_inbox_key(message.account_id, message.client_order_id)],
        )
        known = repeated(context.inbox, message, order_inbox_key(message.account_id, message.client_order_id))
        if known is not None:
            return self._refuse(known) if isinstance(known, Refusal) else known
        if context.connection is not None:
            # The inbox has forgotten the order, the connection has not.
            return self._refuse(Refusal(code="order_id_reused", message=f"it has opened {order.connection_id} before"))
        if context.circuit is None:
            return self._refuse(
                Refusal(
                    code="circuit_unknown",
                    message=f"{order.circuit_id} is no circuit of ours",
                    subject=order.circuit_id,
                )
            )
        policy = self._policies.of(order.account_id)
        decided = _decided(order, context.circuit, context, policy)
        row = row_of(
            message,
            Verdict.REJECTED if decided.refusals else Verdict.APPLIED,
            decided.refusals[0].code if decided.refusals else "",
            at=self._clock.now(),
            claims=True,
            connection_id=order.connection_id,
            details={"reasons": told_reasons(decided.refusals), "changes": told(decided.decision.changes)},
        )
        save = save_of(
            [decided.decision],
            version=None,
            at=self._clock.now(),
            inputs=(row, row_of_order_id(row, message)),
            hold=decided.hold,
            circuit=decided.circuit,
        )
        (outcome,) = self._store.save([save])
        return ending_of(row) if outcome is SaveOutcome.SAVED else None

    def _reach(self, message: OrderMessage, milestone: Milestone) -> Ending | None:
        connection_id = connection_id_for(message.account_id, "order", message.client_order_id)
        route = token_route(token_of(connection_id))
        loaded = self._store.load(routes=[route], keys=[message.key])
        known = repeated(loaded.inbox, message)
        if known is not None:
            return self._refuse(known) if isinstance(known, Refusal) else known
        stored = loaded.connections.get(route)
        if stored is None:
            # Queues do not keep order: the order itself may be right behind.
            return ending_for(message, Verdict.RETRY, "order_unknown")
        if milestone.name is MilestoneName.VBR_ATTESTED and stored.connection.port is None:
            # Only who has the port can have a VBR on it: what tells us of the port is on its way.
            return ending_for(message, Verdict.RETRY, "port_unknown")
        decision = decide_milestone(stored.connection, milestone, self._policies.of(message.account_id))
        row = row_of(
            message,
            Verdict.APPLIED,
            "" if decision.changed else "known_already",
            at=self._clock.now(),
            claims=True,
            connection_id=connection_id,
            details={"changes": told(decision.changes), "actor": milestone.actor},
        )
        return self._save(decision, stored.version, row)

    def _save(self, decision: Decision, version: int, row: InputRow) -> Ending | None:
        (outcome,) = self._store.save([save_of([decision], version=version, at=self._clock.now(), inputs=(row,))])
        return ending_of(row) if outcome is SaveOutcome.SAVED else None

    def _refuse(self, *reasons: Refusal) -> Ending:
        row = refused_row(self._message, reasons, at=self._clock.now())
        self._store.record([row], outbox=refused_reply(self._message, reasons))
        return ending_of(row)


def _decided(order: Order, circuit: Circuit, context: OrderContext, policy: Policy) -> OrderDecision:
    if isinstance(order, MigrationOrder):
        return decide_migration(order, circuit, context.tenant, context.contracts, policy, context.siblings)
    return decide_order(order, circuit, context.tenant, context.contracts, policy, context.siblings)
