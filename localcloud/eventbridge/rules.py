"""What a bus is told to do: rules and their targets."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from localcloud.eventbridge.patterns import Pattern
from localcloud.mns.queues import Queues

FUNCTION = "acs.fc.function"
QUEUE = "acs.mns.queue"
BUS = "acs.eventbridge"
TARGET_TYPES = frozenset({FUNCTION, QUEUE, BUS})
DEFAULT_BUS = "default"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a rule sends its events.

    ``type`` is one of TARGET_TYPES and ``name`` that of the function, the queue or the bus. ``account_id`` and
    ``region`` are those of the destination; empty means those of the rule, and the bus fills them in.
    ``base64_body`` is the parameter IsBase64Encode of a queue. ``dead_letter_queue`` is a queue of the rule's account
    for what could not be delivered; "" drops it.
    """

    target_id: str
    type: str
    name: str
    account_id: str = ""
    region: str = ""
    base64_body: bool = False
    dead_letter_queue: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Events that match ``pattern`` go to every one of ``targets``; nothing happens while not ``enabled``."""

    name: str
    pattern: Pattern
    targets: tuple[Target, ...]
    enabled: bool = True


Delivery = Callable[[Target, dict[str, Any]], Awaitable[None]]
"""Hands one event to one target; raising means that it was not delivered."""


def deliver_to_queue(queues: Queues) -> Delivery:
    """A delivery for ``acs.mns.queue``: the CloudEvent as JSON is the message body."""

    async def deliver(target: Target, event: dict[str, Any]) -> None:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        if target.base64_body:
            body = base64.b64encode(body.encode()).decode("ascii")
        queues.send(target.account_id, target.name, body)

    return deliver
