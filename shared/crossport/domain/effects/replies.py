"""Which replies follow from a connection: what the orderer's own systems are told on the reply queue.

Four states: ``accepted``, ``waiting`` (with what for), ``rejected`` (with all reasons), ``completed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from crossport.domain.connection import Connection, Refusal, Request, expiry_id, offer_expiry_id
from crossport.domain.effects.commands import gates
from crossport.domain.effects.kinds import Reply, key_of
from crossport.domain.phase import VBR_UP
from crossport.domain.policy import Policy
from crossport.domain.recovery import vlan_at_risk
from crossport.domain.vocabulary import Origin, RequestKind

#: What an order waits for in ``waiting_for`` while no sibling of its group is there (ruling 17).
REDUNDANCY_GROUP = "redundancy_group"


def replies_of(connection: Connection, policy: Policy) -> Iterator[Reply]:
    """Every reply that the order, its requests and the facts call for. An adopted port has requests alone."""
    if connection.origin is Origin.ORDER:
        yield from _of_order(connection, policy)
    for request in connection.requests:
        if request.request_id in (expiry_id(connection.connection_id), offer_expiry_id(connection.connection_id)):
            continue
        yield reply(connection, request.request_id, "accepted", **_warnings(connection, request))
        if fulfilled(connection, request):
            yield reply(connection, request.request_id, "completed")


def _warnings(connection: Connection, request: Request) -> dict[str, Any]:
    """What the orderer should know although the request was accepted; empty when there is nothing."""
    if not vlan_at_risk(connection, request):
        return {}
    message = "the VBR was terminated five days ago or more: recovering it may fail, its VLAN ID lost"
    return {"warnings": [{"code": "vlan_at_risk", "message": message, "subject": str(connection.vlan_id)}]}


def _of_order(connection: Connection, policy: Policy) -> Iterator[Reply]:
    order_id = connection.client_order_id
    if connection.refusals:
        yield reply(connection, order_id, "rejected", reasons=connection.refusals)
        return
    yield reply(connection, order_id, "accepted")
    missing: list[str] = sorted(name for name in gates(policy) if connection.milestone(name) is None)
    if connection.group_id and connection.group_ready_at is None:
        missing.append(REDUNDANCY_GROUP)
    if missing:
        yield reply(connection, order_id, "waiting", waiting_for=missing)
    if connection.failure is not None:
        yield reply(connection, order_id, "rejected", reasons=(connection.failure,))
    if connection.expired:
        # Nobody asked for this: the orderer hears of it as the end of its order.
        reason = Refusal(code="hold_expired", message="the order waited too long; its VLAN ID and bandwidth are free")
        yield reply(connection, order_id, "rejected", reasons=(reason,))
    elif connection.offer_expired:
        message = "the offer was not accepted in time and is taken back, unless the tenant is faster"
        reason = Refusal(code="offer_expired", message=message)
        yield reply(connection, order_id, "rejected", reasons=(reason,))
    if ever_active(connection):
        yield reply(connection, order_id, "completed")


def reply(
    connection: Connection, request_id: str, state: str, *, reasons: Iterable[Refusal] = (), **more: Any
) -> Reply:
    """One reply. ``request_id`` is the client order id of the order or request that it answers."""
    return Reply(
        key=key_of(connection, "reply", request_id, state),
        kind="order_reply",
        connection_id=connection.connection_id,
        details=_message(connection.account_id, request_id, connection.connection_id, state, reasons, **more),
    )


def refusal_without_connection(account_id: str, request_id: str, reasons: Iterable[Refusal], *, attempt: str) -> Reply:
    """The reply to an order or request that was refused before there was a connection to speak of.

    Such a refusal claims nothing, so that the orderer may try again: ``attempt`` tells the tries apart.
    """
    return Reply(
        key=f"{account_id}:reply:{request_id}:rejected:{attempt}",
        kind="order_reply",
        connection_id="",
        details=_message(account_id, request_id, "", "rejected", reasons),
    )


def _message(
    account_id: str, request_id: str, connection_id: str, state: str, reasons: Iterable[Refusal], **more: Any
) -> dict[str, Any]:
    return {
        "type": "order.reply",
        "version": 1,
        "client_order_id": request_id,
        "connection_id": connection_id,
        "account_id": account_id,
        "state": state,
        "reasons": [{"code": r.code, "message": r.message, "subject": r.subject} for r in reasons],
        **more,
    }


def ever_active(connection: Connection) -> bool:
    """Whether everything that an active connection needs was seen at some time. Monotone."""
    port = connection.port
    if port is None or not port.confirmed or "Enabled" not in port.status.values():
        return False
    return any(VBR_UP in vbr.status.values() and connection.ever_conformed(vbr) for vbr in connection.vbrs)


def fulfilled(connection: Connection, request: Request) -> bool:
    """Whether what was asked for was seen to be so, after it was asked for. Monotone."""
    port = connection.port
    if port is None:
        # Without a port, and none under way, a cancelled order has ended at once.
        return request.kind is RequestKind.CANCEL and connection.intended_at is None
    if request.kind is RequestKind.CHANGE_SPEC:
        return any(e.value == request.spec and e.at >= request.at for e in port.spec.entries)
    if request.kind is RequestKind.CHANGE_VLAN:
        return any(e.value == request.vlan_id and e.at >= request.at for e in port.vlan_id.entries)
    if request.kind is RequestKind.RECOVER:
        up = any(e.value == "Enabled" and e.at >= request.at for e in port.status.entries)
        vbrs = [vbr for vbr in connection.vbrs if vbr.vbr_id == request.vbr_id]
        return up and all(any(e.value == VBR_UP and e.at >= request.at for e in vbr.status.entries) for vbr in vbrs)
    return port.deleted
