"""Orders that have waited too long: they are taken back, and their VLAN IDs and bandwidth are free again."""

from __future__ import annotations

import hashlib
from datetime import datetime

from crossport.application.commit import MAX_ROUNDS, told
from crossport.application.handle_request import load_context, present_hold, request_save
from crossport.application.ports import Clock, InputRow, Policies, SaveOutcome, Store
from crossport.domain.connection import Connection, Request, expiry_id
from crossport.domain.phase import phase_of
from crossport.domain.policy import Policy
from crossport.domain.requests import decide_request
from crossport.domain.vocabulary import Phase, RequestKind, Verdict

#: Orders looked at in one run; what is left over is found by the next.
LIMIT = 100
#: Who takes these orders back, in the audit trail.
ACTOR = "crossport"


def expire_orders(store: Store, policies: Policies, clock: Clock) -> list[str]:
    """Take back every order that still waits for its milestones after its account's ``hold_lifetime``.

    Returns the ids of their connections. The parties are told, and the orderer gets a reply. Raises
    StoreUnavailableError.
    """
    now = clock.now()
    lifetimes = {account_id: policies.of(account_id).hold_lifetime for account_id in policies.accounts()}
    if not lifetimes:
        return []
    expired: list[str] = []
    limit = LIMIT
    while True:
        stale = store.stale_orders(before=now - min(lifetimes.values()), limit=limit)
        expired += [each for each in stale if _expire(each, store, policies, now)]
        # Accounts that hold longer must not keep the others' orders out of sight.
        if expired or len(stale) < limit:
            return expired
        limit *= 2


def _expire(connection_id: str, store: Store, policies: Policies, now: datetime) -> bool:
    """Whether the order was taken back; not when it is younger than its account allows, or has moved on meanwhile."""
    for _ in range(MAX_ROUNDS):
        found = store.get(connection_id)
        if found is None or found.connection.account_id not in set(policies.accounts()):
            return False
        policy = policies.of(found.connection.account_id)
        context = load_context(store, found.connection)
        stored = context.connection or found
        if context.circuit is None or not _waits_too_long(stored.connection, policy, now):
            return False
        hold = present_hold(context, stored.connection)
        decided = decide_request(_request(connection_id, now), stored.connection, context.circuit, hold, policy)
        if decided.decision is None:
            return False
        row = _row(stored.connection, now, told(decided.decision.changes))
        if store.save([request_save(decided, stored, (row,))])[0] is SaveOutcome.SAVED:
            return True
    return False


def _waits_too_long(connection: Connection, policy: Policy, now: datetime) -> bool:
    waits = phase_of(connection, policy.consistency_window) is Phase.ORDERED
    return waits and connection.created_at < now - policy.hold_lifetime


def _request(connection_id: str, now: datetime) -> Request:
    return Request(request_id=expiry_id(connection_id), kind=RequestKind.CANCEL, at=now, actor=ACTOR)


def _row(connection: Connection, now: datetime, changes: list[dict[str, object]]) -> InputRow:
    key = expiry_id(connection.connection_id)
    return InputRow(
        key=key,
        digest=hashlib.sha256(key.encode()).hexdigest(),
        claims=True,
        at=now,
        function="relay",
        verdict=Verdict.APPLIED,
        reason="hold_expired",
        account_id=connection.account_id,
        connection_id=connection.connection_id,
        name="order.expire",
        details={"actor": ACTOR, "changes": changes},
    )
