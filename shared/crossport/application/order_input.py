"""Messages of the queue ``orders`` as use cases take them, and what every one of them needs: rows, endings, repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crossport.application.commit import MAX_ROUNDS, outbox_rows
from crossport.application.endings import Ending
from crossport.application.errors import StoreUnavailableError
from crossport.application.ports import InputRow, OutboxRow
from crossport.domain.connection import Milestone, Refusal, Request
from crossport.domain.effects.replies import refusal_without_connection
from crossport.domain.orders import Order
from crossport.domain.vocabulary import Verdict

#: Refusals that are alarms about the sender: the orderer of the genuine message is not told of them.
_ALARMS = frozenset({"payload_mismatch"})


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderMessage:
    """A message of the ``orders`` queue that was understood: exactly one of ``order``, ``milestone``, ``request``."""

    key: str
    digest: str
    #: The message's type: ``order.new``, ``order.milestone``, ``order.cease``, ...
    name: str
    account_id: str
    client_order_id: str
    order: Order | None = None
    milestone: Milestone | None = None
    request: Request | None = None
    #: For a request: the client order id of the order that opened its connection, or the connection's own id; the
    #: other one is "".
    target_order_id: str = ""
    target_connection_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Misread:
    """A message that was not understood, with every reason at once."""

    key: str
    digest: str
    name: str
    reasons: tuple[Refusal, ...]
    #: Whom to answer, where the message was understood so far; else "".
    account_id: str = ""
    client_order_id: str = ""


def order_inbox_key(account_id: str, client_order_id: str) -> str:
    """The second inbox key of an order or request: the orderer's own id makes it idempotent, whatever carries it."""
    return f"{account_id}|order|{client_order_id}"


def until_saved(message: OrderMessage | Misread, attempt: Callable[[], Ending | None]) -> Ending:
    """Try until an attempt ends (None: its save was lost, load and decide again); ``retry`` when none does."""
    try:
        for _ in range(MAX_ROUNDS):
            ending = attempt()
            if ending is not None:
                return ending
    except StoreUnavailableError as error:
        return ending_for(message, Verdict.RETRY, error.code)
    return ending_for(message, Verdict.RETRY, "contended")


def repeated(inbox: Mapping[str, str], message: OrderMessage, order_key: str = "") -> Ending | Refusal | None:
    """What to make of a message that was seen before, or whose order id was; None for a new one.

    The same content is a duplicate; another content under the same key or id is refused.
    """
    for key, mismatch in ((message.key, "payload_mismatch"), (order_key, "order_id_reused")):
        known = inbox.get(key) if key else None
        if known is not None:
            return ending_for(message, Verdict.DUPLICATE) if known == message.digest else _reused(mismatch, message)
    return None


def row_of(
    message: OrderMessage | Misread,
    verdict: Verdict,
    reason: str,
    *,
    at: datetime,
    claims: bool,
    connection_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> InputRow:
    """The row of a message in the audit trail and, when it ``claims`` its key, in the inbox."""
    return InputRow(
        key=message.key,
        digest=message.digest,
        claims=claims,
        at=at,
        function="orders",
        verdict=verdict,
        reason=reason,
        account_id=message.account_id,
        connection_id=connection_id,
        name=message.name,
        details=details or {},
    )


def row_of_order_id(row: InputRow, message: OrderMessage) -> InputRow:
    """The second inbox key of a row: that of the orderer's own id. It has no line of its own in the audit trail."""
    return InputRow(
        key=order_inbox_key(message.account_id, message.client_order_id),
        digest=row.digest,
        claims=True,
        shown=False,
        at=row.at,
        function=row.function,
        verdict=row.verdict,
        account_id=row.account_id,
        connection_id=row.connection_id,
        name=row.name,
    )


def refused_row(message: OrderMessage | Misread, reasons: Sequence[Refusal], *, at: datetime) -> InputRow:
    """The row of a message that was refused before any connection was found: it claims no key."""
    return row_of(
        message, Verdict.REJECTED, reasons[0].code, at=at, claims=False, details={"reasons": told_reasons(reasons)}
    )


def refused_reply(message: OrderMessage | Misread, reasons: Sequence[Refusal]) -> tuple[OutboxRow, ...]:
    """The reply to such a message, where it says whom to answer; to alarms there is none."""
    if not message.account_id or not message.client_order_id or reasons[0].code in _ALARMS:
        return ()
    # The digest tells replies to several broken tries of one order apart.
    reply = refusal_without_connection(
        message.account_id, message.client_order_id, reasons, attempt=message.digest[:16]
    )
    return outbox_rows([reply])


def ending_for(message: OrderMessage | Misread, verdict: Verdict, reason: str = "") -> Ending:
    """An ending that leaves no row."""
    return Ending(key=message.key, verdict=verdict, reason=reason, name=message.name)


def ending_of(row: InputRow) -> Ending:
    """The ending that a row tells of."""
    return Ending(key=row.key, verdict=row.verdict, reason=row.reason, connection_id=row.connection_id, name=row.name)


def told_reasons(reasons: Sequence[Refusal]) -> list[dict[str, str]]:
    """Reasons as JSON values for the audit trail."""
    return [{"code": r.code, "message": r.message, "subject": r.subject} for r in reasons]


def _reused(code: str, message: OrderMessage) -> Refusal:
    sentences = {
        "payload_mismatch": "another message with this id has another content",
        "order_id_reused": f"{message.client_order_id} is the id of another order or request",
    }
    return Refusal(code=code, message=sentences[code], subject=message.client_order_id)
