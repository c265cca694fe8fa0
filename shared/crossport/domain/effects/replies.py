"""Which replies follow from a connection: what the orderer's own systems are told on the reply queue.

Four states: ``accepted``, ``waiting`` (with what for), ``rejected`` (with all reasons), ``completed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from crossport.domain.connection import Connection, Refusal, Request
from crossport.domain.effects.commands import gates
from crossport.domain.effects.kinds import Reply, key_of
from crossport.domain.phase import VBR_UP
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Origin, RequestKind


def replies_of(connection: Connection, policy: Policy) -> Iterator[Reply]:
    """Every reply that the order, its requests and the facts call for."""
    if connection.origin is not Origin.ORDER:
        return
    order_id = connection.client_order_id
    if connection.refusals:
        yield reply(connection, order_id, "rejected", reasons=connection.refusals)
        return
    yield reply(connection, order_id, "accepted")
    missing = sorted(name for name in gates(policy) if connection.milestone(name) is None)
    if missing:
        yield reply(connection, order_id, "waiting", waiting_for=list(missing))
    if connection.failure is not None:
        yield reply(connection, order_id, "rejected", reasons=(connection.failure,))
    if ever_active(connection):
        yield reply(connection, order_id, "completed")
    for request in connection.requests:
        yield reply(connection, request.request_id, "accepted")
        if _fulfilled(connection, request):
            yield reply(connection, request.request_id, "completed")


def reply(
    connection: Connection, request_id: str, state: str, *, reasons: Iterable[Refusal] = (), **more: Any
) -> Reply:
    """One reply. ``request_id`` is the client order id of the order or request that it answers."""
    message = {
        "type": "order.reply",
        "version": 1,
        "client_order_id": request_id,
        "connection_id": connection.connection_id,
        "account_id": connection.account_id,
        "state": state,
        "reasons": [{"code": r.code, "message": r.message, "subject": r.subject} for r in reasons],
        **more,
    }
    return Reply(
        key=key_of(connection, "reply", request_id, state),
        kind="order_reply",
        connection_id=connection.connection_id,
        details=message,
    )


def ever_active(connection: Connection) -> bool:
    """Whether everything that an active connection needs was seen at some time. Monotone."""
    port = connection.port
    if port is None or not port.confirmed or "Enabled" not in port.status.values():
        return False
    return any(VBR_UP in vbr.status.values() and connection.ever_conformed(vbr) for vbr in connection.vbrs)


def _fulfilled(connection: Connection, request: Request) -> bool:
    """Whether what was asked for was seen to be so, after it was asked for. Monotone."""
    port = connection.port
    if port is None:
        return False
    if request.kind is RequestKind.CHANGE_SPEC:
        return any(e.value == request.spec and e.at >= request.at for e in port.spec.entries)
    if request.kind is RequestKind.CHANGE_VLAN:
        return any(e.value == request.vlan_id and e.at >= request.at for e in port.vlan_id.entries)
    return port.deleted
