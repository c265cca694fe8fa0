"""All queues of all accounts: what the wire, the triggers of functions and event targets use.

A queue belongs to an account. The region is not part of its key: the local cloud has one MNS endpoint. Times of
messages are real time, never the cloud's adjustable clock: visibility time-outs must run while a scenario stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.journal import Journal
from localcloud.mns.errors import (
    InvalidArgument,
    InvalidQueueName,
    QueueAlreadyExist,
    QueueNameLengthError,
    QueueNotExist,
    require_range,
)
from localcloud.mns.queue import (
    DEFAULT_PRIORITY,
    DeadLetterPolicy,
    Depth,
    Message,
    Property,
    Queue,
    QueueAttributes,
)

__all__ = ["DeadLetterPolicy", "Depth", "Message", "Property", "QueueAttributes", "QueueDescription", "Queues"]

BATCH_LIMIT = 16
"""Most messages in one batch call (BatchReceiveMessage and its siblings, API reference)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True, kw_only=True)
class QueueDescription:
    """What GetQueueAttributes tells. Times are seconds of the injected time source."""

    name: str
    attributes: QueueAttributes
    created_at: float
    modified_at: float
    depth: Depth


class Queues:
    """The queues of every account; used on one event loop, so nothing is locked.

    ``seconds`` is a monotonic time source. A test that moves its own source calls :meth:`tick` afterwards.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        seconds: Callable[[], float] = time.monotonic,
        epoch_seconds: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._seconds = seconds
        self._epoch = epoch_seconds() - seconds()
        self._queues: dict[tuple[str, str], Queue] = {}
        self._waiting: dict[tuple[str, str], list[asyncio.Future[None]]] = {}

    def milliseconds(self, at: float) -> int:
        """A time of the injected source as milliseconds since 1970, as the wire has it."""
        return int((self._epoch + at) * 1000)

    def create(self, account_id: str, name: str, attributes: QueueAttributes | None = None) -> bool:
        """Create a queue; False when an identical one exists.

        Raises QueueAlreadyExist when the attributes differ, InvalidQueueName or QueueNameLengthError.
        """
        if not 1 <= len(name) <= 256:
            raise QueueNameLengthError
        if not _NAME.fullmatch(name):
            raise InvalidQueueName
        wanted = attributes or QueueAttributes()
        existing = self._queues.get((account_id, name))
        if existing is not None:
            if existing.attributes != wanted:
                raise QueueAlreadyExist
            return False
        self._queues[account_id, name] = Queue(
            name=name,
            attributes=wanted,
            created_at=self._seconds(),
            on_dead_letter=lambda queue, message: self._dead_letter(account_id, queue, message),
            on_expired=lambda queue, message: self._expired(account_id, queue, message),
        )
        self._journal.write("mns", f"queue {name} created", account_id=account_id, queue=name)
        return True

    def remove(self, account_id: str, name: str) -> None:
        """Delete a queue with all its messages; waiting receives end with QueueNotExist. Raises QueueNotExist."""
        self._queue(account_id, name)
        del self._queues[account_id, name]
        self._wake(account_id, name)
        self._journal.write("mns", f"queue {name} deleted", account_id=account_id, queue=name)

    def describe(self, account_id: str, name: str) -> QueueDescription:
        """Attributes and depth of a queue. Raises QueueNotExist."""
        queue = self._queue(account_id, name)
        return QueueDescription(
            name=name,
            attributes=queue.attributes,
            created_at=queue.created_at,
            modified_at=queue.modified_at,
            depth=queue.depth(self._seconds()),
        )

    def set_attributes(self, account_id: str, name: str, attributes: QueueAttributes) -> None:
        """Replace the attributes of a queue; they hold from now on. Raises QueueNotExist."""
        queue = self._queue(account_id, name)
        queue.attributes = attributes
        queue.modified_at = self._seconds()
        self._wake(account_id, name)

    def names(self, account_id: str, prefix: str = "") -> list[str]:
        """The names of an account's queues that start with ``prefix``, sorted."""
        return sorted(name for owner, name in self._queues if owner == account_id and name.startswith(prefix))

    def send(
        self,
        account_id: str,
        queue: str,
        body: str,
        *,
        delay_seconds: int | None = None,
        priority: int = DEFAULT_PRIORITY,
        group_id: str = "",
        user_properties: tuple[Property, ...] = (),
        system_properties: tuple[Property, ...] = (),
    ) -> Message:
        """Put a message (``body`` stays exactly as given) and wake those who wait for it.

        ``delay_seconds`` None means the queue's own. Raises QueueNotExist or InvalidArgument.
        """
        message = self._queue(account_id, queue).put(
            body,
            self._seconds(),
            delay_seconds=delay_seconds,
            priority=priority,
            group_id=group_id,
            user_properties=user_properties,
            system_properties=system_properties,
        )
        self._journal.write(
            "mns", f"message sent to {queue}", account_id=account_id, queue=queue, message_id=message.message_id
        )
        self._wake(account_id, queue)
        return message

    async def receive(
        self, account_id: str, queue: str, *, batch: int = 1, wait_seconds: int | None = None
    ) -> list[Message]:
        """Receive up to ``batch`` (1 to 16) messages; an empty list when none came within ``wait_seconds`` (0 to 30).

        ``wait_seconds`` None means the queue's own. Returns as soon as at least one message is visible, however many
        were asked for. Raises QueueNotExist or InvalidArgument.
        """
        require_range("numOfMessages", batch, 1, BATCH_LIMIT, "messages")
        polling = self._queue(account_id, queue).attributes.polling_wait_seconds
        wait = polling if wait_seconds is None else wait_seconds
        require_range("waitseconds", wait, 0, 30)
        deadline = self._seconds() + wait
        while True:
            found = self._queue(account_id, queue)
            now = self._seconds()
            taken = found.take(batch, now)
            if taken or now >= deadline:
                return taken
            change = found.next_change()
            until = deadline if change is None else min(deadline, change)
            await self._woken(account_id, queue, until - now)

    def peek(self, account_id: str, queue: str, *, batch: int = 1) -> list[Message]:
        """Look at up to ``batch`` (1 to 16) visible messages without receiving them. Raises as :meth:`receive`."""
        require_range("numOfMessages", batch, 1, BATCH_LIMIT, "messages")
        return self._queue(account_id, queue).peek(batch, self._seconds())

    def delete(self, account_id: str, queue: str, receipt_handle: str) -> None:
        """Delete a received message. Raises QueueNotExist, MessageNotExist or ReceiptHandleError."""
        self._queue(account_id, queue).delete(receipt_handle, self._seconds())

    def change_visibility(self, account_id: str, queue: str, receipt_handle: str, seconds: int) -> tuple[str, float]:
        """Hide a received message for ``seconds`` (0 to 43200) from now; returns the new handle and the time.

        Raises QueueNotExist, MessageNotExist, ReceiptHandleError or InvalidArgument.
        """
        changed = self._queue(account_id, queue).change_visibility(receipt_handle, seconds, self._seconds())
        self._wake(account_id, queue)
        return changed

    def depth(self, account_id: str, queue: str) -> Depth:
        """How many messages are visible, in flight and delayed; for finding out whether all work is done."""
        return self._queue(account_id, queue).depth(self._seconds())

    def tick(self) -> None:
        """Look again at every queue now, and wake every waiting receive."""
        for (account_id, name), queue in list(self._queues.items()):
            queue.settle(self._seconds())
            self._wake(account_id, name)

    def _queue(self, account_id: str, name: str) -> Queue:
        queue = self._queues.get((account_id, name))
        if queue is None:
            raise QueueNotExist
        return queue

    async def _woken(self, account_id: str, queue: str, seconds: float) -> None:
        """Wait until the queue changes, or ``seconds`` have passed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault((account_id, queue), [])
        waiting.append(future)
        try:
            # Not wait_for: on 3.11 it swallows a cancellation that comes with the result, and a receive that was
            # given up would go on to take a message.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await future
        finally:
            if future in waiting:
                waiting.remove(future)

    def _wake(self, account_id: str, queue: str) -> None:
        for future in self._waiting.pop((account_id, queue), []):
            if not future.done():
                future.set_result(None)

    def _dead_letter(self, account_id: str, queue: Queue, message: Message) -> None:
        policy = queue.attributes.dead_letter
        target = None if policy is None else self._queues.get((account_id, policy.queue))
        fields = {"account_id": account_id, "queue": queue.name, "message_id": message.message_id}
        if target is None:
            self._journal.write("mns", f"message of {queue.name} lost: its dead-letter queue is gone", **fields)
            return
        origin = (
            Property(name="DLQSourceArn", value=f"acs:mns:*:{account_id}:/queues/{queue.name}", type="STRING"),
            Property(name="DLQOriginMessageId", value=message.message_id, type="STRING"),
        )
        self._journal.write("mns", f"message of {queue.name} moved to {target.name}", **fields)
        try:
            self.send(
                account_id,
                target.name,
                message.body,
                delay_seconds=0,
                priority=message.priority,
                user_properties=message.user_properties,
                system_properties=origin,
            )
        except InvalidArgument as problem:
            self._journal.write("mns", f"message of {queue.name} lost: {problem}", **fields)

    def _expired(self, account_id: str, queue: Queue, message: Message) -> None:
        self._journal.write(
            "mns",
            f"message of {queue.name} dropped: its retention period is over",
            account_id=account_id,
            queue=queue.name,
            message_id=message.message_id,
        )
