"""From messages of our queues to the values that use cases take."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crossport.adapters.messages import (
    Message,
    MilestoneFields,
    NoticeSend,
    OrderCancel,
    OrderCease,
    OrderChangeSpec,
    OrderChangeVlan,
    OrderMigrate,
    OrderMilestone,
    OrderNew,
    OrderRecover,
    OrderRequest,
    ReconcileCircuits,
    UsageReported,
    addressee,
    parse_message,
)
from crossport.application.bill import UsageReading
from crossport.application.place_order import Misread, OrderMessage
from crossport.application.send_notices import NoticeRequest
from crossport.domain.connection import Milestone, Refusal, Request
from crossport.domain.migration import MigrationOrder
from crossport.domain.orders import Order
from crossport.domain.sweep import Shard
from crossport.domain.vocabulary import RequestKind
from crossport.entrypoints.envelope import Opened
from crossport.entrypoints.records import record_name

_KINDS: dict[type[OrderRequest], RequestKind] = {
    OrderChangeSpec: RequestKind.CHANGE_SPEC,
    OrderChangeVlan: RequestKind.CHANGE_VLAN,
    OrderCease: RequestKind.CEASE,
    OrderCancel: RequestKind.CANCEL,
    OrderRecover: RequestKind.RECOVER,
}


def to_order(one: Opened, received_at: datetime) -> OrderMessage | Misread:
    """A message of the queue ``orders``, or everything that is wrong with it."""
    message = understood(one)
    if isinstance(message, OrderNew | OrderMigrate):
        return OrderMessage(
            key=one.key,
            digest=one.digest,
            name=message.type,
            account_id=message.account_id,
            client_order_id=message.client_order_id,
            order=_order(message, received_at),
        )
    if isinstance(message, OrderMilestone):
        return OrderMessage(
            key=one.key,
            digest=one.digest,
            name=message.type,
            account_id=message.account_id,
            client_order_id=message.client_order_id,
            milestone=_milestone(message.milestone),
        )
    if isinstance(message, OrderRequest):
        return _to_request(one, message, received_at)
    reasons = message if isinstance(message, tuple) else (_not_here(message),)
    account_id, client_order_id = addressee(one.body)
    return Misread(
        key=one.key,
        digest=one.digest,
        name=record_name(one),
        reasons=reasons,
        account_id=account_id,
        client_order_id=client_order_id,
    )


def to_notice(one: Opened) -> NoticeRequest | Refusal:
    """A message of the queue ``notices``, or the first thing that is wrong with it."""
    message = understood(one)
    if isinstance(message, NoticeSend):
        return NoticeRequest(
            key=message.key,
            kind=message.kind,
            connection_id=message.connection_id,
            account_id=message.account_id,
            party=message.party,
            details=message.details,
        )
    return message[0] if isinstance(message, tuple) else _not_here(message)


def to_reading(one: Opened) -> UsageReading | Refusal:
    """A message of the queue ``usage``, or the first thing that is wrong with it."""
    message = understood(one)
    if isinstance(message, UsageReported):
        return UsageReading(
            key=one.key,
            digest=one.digest,
            account_id=message.account_id,
            port_id=message.port_id,
            reading_id=message.meter_reading_id,
            period_start=message.period_start,
            period_end=message.period_end,
            outbound_bytes=message.outbound_bytes,
        )
    return message[0] if isinstance(message, tuple) else _not_here(message)


def to_shard(one: Opened) -> Shard | Refusal:
    """A shard of the sweep, or the first thing that is wrong with it."""
    message = understood(one)
    if isinstance(message, ReconcileCircuits):
        return Shard(
            account_id=message.account_id,
            region=message.region,
            slot=message.slot,
            circuit_ids=message.circuit_ids,
        )
    return message[0] if isinstance(message, tuple) else _not_here(message)


def understood(one: Opened) -> Message | tuple[Refusal, ...]:
    """The message in an opened record, or every reason why there is none; at least one."""
    if one.kind == "unreadable":
        return (Refusal(code=one.reason, message=one.detail),)
    if one.kind != "message":
        return (Refusal(code="wrong_envelope", message=f"a queue message is expected, not a {one.kind}"),)
    parsed = parse_message(one.body)
    if isinstance(parsed, list):
        return tuple(Refusal(code=p.code, message=p.message, subject=p.field) for p in parsed)
    return parsed


def _to_request(one: Opened, message: OrderRequest, received_at: datetime) -> OrderMessage:
    return OrderMessage(
        key=one.key,
        digest=one.digest,
        name=one.body["type"],
        account_id=message.account_id,
        client_order_id=message.client_order_id,
        request=Request(
            request_id=message.client_order_id,
            kind=_KINDS[type(message)],
            at=received_at,
            actor=message.actor,
            spec=message.spec if isinstance(message, OrderChangeSpec) else "",
            vlan_id=message.vlan_id if isinstance(message, OrderChangeVlan) else None,
            forced=message.force_reason,
        ),
        target_order_id=message.order,
        target_connection_id=message.connection_id,
    )


def _order(message: OrderNew | OrderMigrate, received_at: datetime) -> Order:
    said: dict[str, Any] = {
        "client_order_id": message.client_order_id,
        "account_id": message.account_id,
        "circuit_id": message.circuit_id,
        "tenant_uid": message.tenant_uid,
        "spec": message.spec,
        "order_mode": message.order_mode,
        "received_at": received_at,
        "vlan_id": message.vlan_id,
        "tenant_region": message.tenant_region,
        "purchase_order": message.purchase_order,
        "customer_reference": message.customer_reference,
        "group_id": message.group_id,
        "milestones": tuple(_milestone(fields) for fields in message.milestones),
    }
    if isinstance(message, OrderMigrate):
        return MigrationOrder(**said, vbr_id=message.vbr_id, bandwidth_mbps=message.bandwidth_mbps)
    return Order(**said)


def _milestone(fields: MilestoneFields) -> Milestone:
    return Milestone(name=fields.name, at=fields.at, actor=fields.actor, evidence=fields.evidence)


def _not_here(message: Message) -> Refusal:
    return Refusal(code="unknown_message_type", message="not a message for this queue", subject=message.type)
