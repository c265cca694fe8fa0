"""From messages of our queues to the values that use cases take."""

from __future__ import annotations

from datetime import datetime

from crossport.adapters.messages import (
    Message,
    MilestoneFields,
    NoticeSend,
    OrderMilestone,
    OrderNew,
    UsageReported,
    parse_message,
)
from crossport.application.bill import UsageReading
from crossport.application.place_order import Misread, OrderMessage
from crossport.application.send_notices import NoticeRequest
from crossport.domain.connection import Milestone, Refusal
from crossport.domain.orders import Order
from crossport.entrypoints.envelope import Opened
from crossport.entrypoints.records import record_name


def to_order(one: Opened, received_at: datetime) -> OrderMessage | Misread:
    """A message of the queue ``orders``, or everything that is wrong with it."""
    message = understood(one)
    if isinstance(message, OrderNew):
        return OrderMessage(
            key=one.key,
            digest=one.digest,
            name=message.type,
            account_id=message.account_id,
            client_order_id=message.client_order_id,
            order=Order(
                client_order_id=message.client_order_id,
                account_id=message.account_id,
                circuit_id=message.circuit_id,
                tenant_uid=message.tenant_uid,
                spec=message.spec,
                order_mode=message.order_mode,
                received_at=received_at,
                vlan_id=message.vlan_id,
                tenant_region=message.tenant_region,
                purchase_order=message.purchase_order,
                customer_reference=message.customer_reference,
                milestones=tuple(_milestone(fields) for fields in message.milestones),
            ),
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
    reasons = message if isinstance(message, tuple) else (_not_here(message),)
    return Misread(key=one.key, digest=one.digest, name=record_name(one), reasons=reasons)


def to_notice(one: Opened) -> NoticeRequest | Refusal:
    """A message of the queue ``notices``, or the first thing that is wrong with it."""
    message = understood(one)
    if isinstance(message, NoticeSend):
        return NoticeRequest(
            key=message.key,
            kind=message.kind,
            connection_id=message.connection_id,
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


def _milestone(fields: MilestoneFields) -> Milestone:
    return Milestone(name=fields.name, at=fields.at, actor=fields.actor, evidence=fields.evidence)


def _not_here(message: Message) -> Refusal:
    return Refusal(code="unknown_message_type", message="not a message for this queue", subject=message.type)
