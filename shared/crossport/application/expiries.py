"""What we take back ourselves because its time is over: orders that wait for ever, offers that nobody accepts."""

from __future__ import annotations

import hashlib
from datetime import datetime

from crossport.application.commit import MAX_ROUNDS, told
from crossport.application.handle_request import load_context, present_hold, request_save
from crossport.application.ports import InputRow, SaveOutcome, Store, Stored
from crossport.domain.connection import Connection, Request, expiry_id, offer_expiry_id
from crossport.domain.deadlines import Expiry, expiry_of
from crossport.domain.policy import Policy
from crossport.domain.requests import decide_request
from crossport.domain.vocabulary import RequestKind, Verdict

#: Who takes these back, in the audit trail.
ACTOR = "crossport"
#: Whose row in the audit trail it is.
FUNCTION = "deadlines"


def take_back(found: Stored, store: Store, policy: Policy, now: datetime) -> Stored:
    """Take the order or offer back if its time is over; the connection as it stands afterwards.

    An order without a port ends at once, and its VLAN ID and bandwidth are free. Of an offer the withdrawal is
    recorded; the relay reads the port right before, and what was accepted meanwhile stays (ruling 4). The parties are
    told, and the orderer gets a reply. Raises StoreUnavailableError.
    """
    for _ in range(MAX_ROUNDS):
        expiry = _over(found.connection, policy, now)
        if expiry is None:
            return found
        context = load_context(store, found.connection)
        stored = context.connection or found
        expiry = _over(stored.connection, policy, now)
        if context.circuit is None or expiry is None:
            return stored
        hold = present_hold(context, stored.connection)
        request = _request(stored.connection, expiry, now)
        decided = decide_request(request, stored.connection, context.circuit, hold, policy)
        if decided.decision is None:
            return stored
        row = _row(stored.connection, expiry, now, told(decided.decision.changes))
        if store.save([request_save(decided, stored, (row,))])[0] is SaveOutcome.SAVED:
            return Stored(connection=decided.decision.connection, version=stored.version + 1)
        found = store.get(found.connection.connection_id) or found
    return found


def _over(connection: Connection, policy: Policy, now: datetime) -> Expiry | None:
    expiry = expiry_of(connection, policy)
    return expiry if expiry is not None and expiry.at < now else None


def _id(connection: Connection, expiry: Expiry) -> str:
    naming = expiry_id if expiry.what == "order" else offer_expiry_id
    return naming(connection.connection_id)


def _request(connection: Connection, expiry: Expiry, now: datetime) -> Request:
    return Request(request_id=_id(connection, expiry), kind=RequestKind.CANCEL, at=now, actor=ACTOR)


def _row(connection: Connection, expiry: Expiry, now: datetime, changes: list[dict[str, object]]) -> InputRow:
    key = _id(connection, expiry)
    return InputRow(
        key=key,
        digest=hashlib.sha256(key.encode()).hexdigest(),
        claims=True,
        at=now,
        function=FUNCTION,
        verdict=Verdict.APPLIED,
        reason="hold_expired" if expiry.what == "order" else "offer_expired",
        account_id=connection.account_id,
        connection_id=connection.connection_id,
        name=f"{expiry.what}.expire",
        details={"actor": ACTOR, "changes": changes},
    )
