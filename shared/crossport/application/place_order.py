"""Orders: the ``orders`` queue's messages against contract, rules and circuit; holds and intent, never a cloud call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossport.application.commit import MAX_ROUNDS, save_of, told
from crossport.application.endings import Ending
from crossport.application.errors import IntegrityConflictError, StoreUnavailableError
from crossport.application.ports import Clock, InputRow, Policies, SaveOutcome, Store
from crossport.application.routing import token_route
from crossport.domain.connection import Milestone, Refusal, connection_id_for, token_of
from crossport.domain.decide import Decision
from crossport.domain.orders import Order, decide_milestone, decide_order
from crossport.domain.vocabulary import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderMessage:
    """A message of the ``orders`` queue that was understood: exactly one of ``order`` and ``milestone`` is set."""

    key: str
    digest: str
    #: The message's type: ``order.new`` or ``order.milestone``.
    name: str
    account_id: str
    client_order_id: str
    order: Order | None = None
    milestone: Milestone | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Misread:
    """A message that was not understood, with every reason at once."""

    key: str
    digest: str
    name: str
    reasons: tuple[Refusal, ...]


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
            for _ in range(MAX_ROUNDS):
                ending = self._attempt()
                if ending is not None:
                    return ending
        except StoreUnavailableError as error:
            return self._ending(Verdict.RETRY, error.code)
        except IntegrityConflictError as error:
            # No rule explains it, so no retry will mend it: a person must look.
            row = self._row(Verdict.DEAD_LETTER, error.code, claims=False, details={"error": error.message})
            self._store.record([row])
            return _ending_of(row)
        return self._ending(Verdict.RETRY, "contended")

    def _attempt(self) -> Ending | None:
        """One load, decision and save; None when the save was lost and must be tried again."""
        message = self._message
        if isinstance(message, Misread):
            return self._misread(message)
        if message.account_id not in set(self._policies.accounts()):
            return self._refuse(_reason("unknown_account", f"{message.account_id} is no partner account of ours"))
        if message.order is not None:
            return self._place(message, message.order)
        if message.milestone is not None:
            return self._reach(message, message.milestone)
        raise ValueError("an order message carries an order or a milestone")

    def _misread(self, message: Misread) -> Ending:
        known = self._store.load(keys=[message.key]).inbox if message.key else {}
        if known.get(message.key) == message.digest:
            return self._ending(Verdict.DUPLICATE)
        return self._refuse(*message.reasons)

    def _place(self, message: OrderMessage, order: Order) -> Ending | None:
        order_key = order_inbox_key(message.account_id, message.client_order_id)
        context = self._store.load_order(
            connection_id=order.connection_id,
            account_id=order.account_id,
            circuit_id=order.circuit_id,
            tenant_uid=order.tenant_uid,
            keys=[message.key, order_key],
        )
        repeated = self._repeated(context.inbox, message, order_key)
        if repeated is not None:
            return repeated
        if context.connection is not None:
            # The inbox has forgotten the order, the connection has not.
            return self._refuse(_reason("order_id_reused", f"it has opened {order.connection_id} before"))
        if context.circuit is None:
            return self._refuse(_reason("circuit_unknown", f"{order.circuit_id} is no circuit of ours"))
        policy = self._policies.of(order.account_id)
        decided = decide_order(order, context.circuit, context.tenant, context.contracts, policy)
        verdict = Verdict.REJECTED if decided.refusals else Verdict.APPLIED
        row = self._row(
            verdict,
            decided.refusals[0].code if decided.refusals else "",
            claims=True,
            connection_id=order.connection_id,
            details={"reasons": _told(decided.refusals), "changes": told(decided.decision.changes)},
        )
        by_order_id = self._row(verdict, "", claims=True, connection_id=order.connection_id, key=order_key, shown=False)
        save = save_of(
            [decided.decision],
            version=None,
            at=self._clock.now(),
            inputs=(row, by_order_id),
            hold=decided.hold,
            circuit=decided.circuit,
        )
        (outcome,) = self._store.save([save])
        return _ending_of(row) if outcome is SaveOutcome.SAVED else None

    def _reach(self, message: OrderMessage, milestone: Milestone) -> Ending | None:
        connection_id = connection_id_for(message.account_id, "order", message.client_order_id)
        route = token_route(token_of(connection_id))
        loaded = self._store.load(routes=[route], keys=[message.key])
        repeated = self._repeated(loaded.inbox, message)
        if repeated is not None:
            return repeated
        stored = loaded.connections.get(route)
        if stored is None:
            # Queues do not keep order: the order itself may be right behind.
            return self._ending(Verdict.RETRY, "order_unknown")
        decision = decide_milestone(stored.connection, milestone, self._policies.of(message.account_id))
        row = self._row(
            Verdict.APPLIED,
            "" if decision.changed else "known_already",
            claims=True,
            connection_id=connection_id,
            details={"changes": told(decision.changes), "actor": milestone.actor},
        )
        return self._save(decision, stored.version, row)

    def _save(self, decision: Decision, version: int, row: InputRow) -> Ending | None:
        (outcome,) = self._store.save([save_of([decision], version=version, at=self._clock.now(), inputs=(row,))])
        return _ending_of(row) if outcome is SaveOutcome.SAVED else None

    def _repeated(self, inbox: Any, message: OrderMessage, order_key: str = "") -> Ending | None:
        """The ending of a message that was seen before, or whose order id was: same content or another."""
        for key, mismatch in ((message.key, "payload_mismatch"), (order_key, "order_id_reused")):
            known = inbox.get(key) if key else None
            if known is not None:
                return self._ending(Verdict.DUPLICATE) if known == message.digest else self._refuse(_reason(mismatch))
        return None

    def _refuse(self, *reasons: Refusal) -> Ending:
        row = self._row(Verdict.REJECTED, reasons[0].code, claims=False, details={"reasons": _told(reasons)})
        self._store.record([row])
        return _ending_of(row)

    def _ending(self, verdict: Verdict, reason: str = "") -> Ending:
        return Ending(key=self._message.key, verdict=verdict, reason=reason, name=self._message.name)

    def _row(
        self,
        verdict: Verdict,
        reason: str,
        *,
        claims: bool,
        connection_id: str | None = None,
        details: dict[str, Any] | None = None,
        key: str = "",
        shown: bool = True,
    ) -> InputRow:
        message = self._message
        return InputRow(
            key=key or message.key,
            digest=message.digest,
            claims=claims,
            shown=shown,
            at=self._clock.now(),
            function="orders",
            verdict=verdict,
            reason=reason,
            account_id=message.account_id if isinstance(message, OrderMessage) else "",
            connection_id=connection_id,
            name=message.name,
            details=details or {},
        )


def order_inbox_key(account_id: str, client_order_id: str) -> str:
    """The second inbox key of an order: the orderer's own id makes it idempotent, whatever message carries it."""
    return f"{account_id}|order|{client_order_id}"


def _reason(code: str, message: str = "") -> Refusal:
    return Refusal(code=code, message=message)


def _told(reasons: Sequence[Refusal]) -> list[dict[str, str]]:
    return [{"code": r.code, "message": r.message, "subject": r.subject} for r in reasons]


def _ending_of(row: InputRow) -> Ending:
    return Ending(key=row.key, verdict=row.verdict, reason=row.reason, connection_id=row.connection_id, name=row.name)
