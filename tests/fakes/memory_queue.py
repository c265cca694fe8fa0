"""Message queues in memory, behind ``application.ports.Queue``, with the receiving side that tools use."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crossport.adapters.mns import LONGEST_BODY, MessageTooLargeError, QueueRefusedError, ReceivedMessage, encode
from crossport.application.errors import QueueUnavailableError
from crossport.application.ports import Clock


@dataclass
class _Held:
    message_id: str
    body: str
    enqueued_at: datetime
    visible_at: datetime
    dequeue_count: int = 0
    handle: str = ""


class MemoryQueue:
    """Queues that exist from the start; sending to any other is refused. At least once, like the real ones."""

    def __init__(self, clock: Clock, queues: Iterable[str], *, visibility: timedelta = timedelta(seconds=30)) -> None:
        self._clock = clock
        self._queues: dict[str, list[_Held]] = {name: [] for name in queues}
        self._visibility = visibility
        self._failures: defaultdict[str, deque[bool]] = defaultdict(deque)
        # Threads share a queue; next() is atomic.
        self._numbers = itertools.count(1)

    def fail_next_send(self, queue: str, *, after_effect: bool = False) -> None:
        """The next send to the queue raises QueueUnavailableError; with ``after_effect`` the message is there."""
        self._failures[queue].append(after_effect)

    def bodies(self, queue: str) -> list[str]:
        """The bodies of all messages that were not deleted, oldest first."""
        return [held.body for held in self._queues[queue]]

    def send(self, queue: str, body: str) -> str:
        """See ``application.ports.Queue``; raises as ``MnsQueue.send``."""
        size = len(encode(body))
        if size > LONGEST_BODY:
            raise MessageTooLargeError(f"a message to {queue} has {size} bytes", queue=queue, size=size)
        messages = self._messages(queue)
        failures = self._failures[queue]
        after_effect = failures.popleft() if failures else None
        if after_effect is False:
            raise QueueUnavailableError(f"queue {queue} did not answer", queue=queue)
        now = self._clock.now()
        held = _Held(f"message-{next(self._numbers)}", body, enqueued_at=now, visible_at=now)
        messages.append(held)
        if after_effect:
            raise QueueUnavailableError(f"queue {queue} did not answer", queue=queue)
        return held.message_id

    def receive(self, queue: str, count: int = 1, wait: int = 0) -> tuple[ReceivedMessage, ...]:
        """As ``MnsQueue.receive``, without waiting: nothing arrives while a test stands still."""
        if not 1 <= count <= 16 or not 0 <= wait <= 30:
            raise ValueError(f"count {count} is not in 1..16, or wait {wait} not in 0..30")
        now = self._clock.now()
        visible = [held for held in self._messages(queue) if held.visible_at <= now][:count]
        for held in visible:
            held.dequeue_count += 1
            held.handle = f"handle-{next(self._numbers)}"
            held.visible_at = now + self._visibility
        return tuple(
            ReceivedMessage(
                message_id=held.message_id,
                receipt_handle=held.handle,
                body=held.body,
                dequeue_count=held.dequeue_count,
                enqueued_at=held.enqueued_at,
                next_visible_at=held.visible_at,
            )
            for held in visible
        )

    def delete(self, queue: str, receipt_handle: str) -> bool:
        """As ``MnsQueue.delete``."""
        messages = self._messages(queue)
        now = self._clock.now()
        for held in messages:
            if held.handle == receipt_handle and now < held.visible_at:
                messages.remove(held)
                return True
        return False

    def _messages(self, queue: str) -> list[_Held]:
        try:
            return self._queues[queue]
        except KeyError:
            raise QueueRefusedError(f"queue {queue}: QueueNotExist", queue=queue, cloud_code="QueueNotExist") from None
