"""One queue: its attributes, its messages and their states.

A message is *delayed*, *visible* (the cloud says Active) or *in flight* (Inactive). Its receipt handle is valid in the
state for which it was issued and dies when the state changes, so that a late consumer cannot delete what another
consumer has received meanwhile. Everything here is synchronous and is told the present time.
"""

from __future__ import annotations

import hashlib
import heapq
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from localcloud.mns.errors import InvalidArgument, MessageNotExist, ReceiptHandleError, require_range

DEFAULT_PRIORITY = 8
# Letters, digits and hyphens only: the official SDK puts handles into the URL without escaping them.
_HANDLE = re.compile(r"\d+-[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class DeadLetterPolicy:
    """Where a message goes after ``max_receive_count`` receives (1 to 1000) without being deleted."""

    queue: str
    max_receive_count: int

    def __post_init__(self) -> None:
        require_range("MaxReceiveCount", self.max_receive_count, 1, 1000, "times")


@dataclass(frozen=True, kw_only=True)
class QueueAttributes:
    """Attributes of a queue with the documented defaults; times in seconds, sizes in bytes.

    Raises InvalidArgument outside the ranges of ALIYUN::MNS::Queue (Resource Orchestration Service reference).
    """

    visibility_timeout: int = 30
    maximum_message_size: int = 65_536
    message_retention_period: int = 345_600
    delay_seconds: int = 0
    polling_wait_seconds: int = 0
    logging_enabled: bool = False
    dead_letter: DeadLetterPolicy | None = None

    def __post_init__(self) -> None:
        require_range("VisibilityTimeout", self.visibility_timeout, 1, 43_200)
        require_range("MaximumMessageSize", self.maximum_message_size, 1_024, 65_536, "bytes")
        require_range("MessageRetentionPeriod", self.message_retention_period, 60, 604_800)
        require_range("DelaySeconds", self.delay_seconds, 0, 604_800)
        require_range("PollingWaitSeconds", self.polling_wait_seconds, 0, 30)


@dataclass(frozen=True, kw_only=True)
class Property:
    """A user or system property of a message, passed through as it was sent."""

    name: str
    value: str
    type: str


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How many messages are in each state."""

    visible: int = 0
    in_flight: int = 0
    delayed: int = 0

    @property
    def total(self) -> int:
        """All messages that the queue still holds."""
        return self.visible + self.in_flight + self.delayed


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as a consumer sees it. Times are seconds of the injected time source; ``body`` is as it was sent."""

    message_id: str
    body: str
    body_md5: str
    priority: int
    enqueued_at: float
    first_dequeued_at: float
    dequeue_count: int
    next_visible_at: float
    receipt_handle: str
    group_id: str
    user_properties: tuple[Property, ...]
    system_properties: tuple[Property, ...]


@dataclass(kw_only=True)
class _Stored:
    """A message as the queue keeps it; ``generation`` counts its changes of state."""

    message_id: str
    body: str
    priority: int
    sequence: int
    enqueued_at: float
    group_id: str
    user_properties: tuple[Property, ...]
    system_properties: tuple[Property, ...]
    state: str = "visible"
    generation: int = 0
    visible_at: float = 0.0
    first_dequeued_at: float = 0.0
    dequeue_count: int = 0
    handle: str = ""

    @property
    def body_md5(self) -> str:
        """Upper-case hexadecimal MD5 of the text on the wire; whether the cloud hashes that is [INF]."""
        return hashlib.md5(self.body.encode(), usedforsecurity=False).hexdigest().upper()

    def view(self) -> Message:
        """What a consumer may see of it now."""
        return Message(
            message_id=self.message_id,
            body=self.body,
            body_md5=self.body_md5,
            priority=self.priority,
            enqueued_at=self.enqueued_at,
            first_dequeued_at=self.first_dequeued_at,
            dequeue_count=self.dequeue_count,
            next_visible_at=self.visible_at,
            receipt_handle=self.handle,
            group_id=self.group_id,
            user_properties=self.user_properties,
            system_properties=self.system_properties,
        )


@dataclass
class Queue:
    """The messages of one queue. ``on_dead_letter`` takes a message that has used up its receives."""

    name: str
    attributes: QueueAttributes
    created_at: float
    on_dead_letter: Callable[[Queue, Message], None]
    on_expired: Callable[[Queue, Message], None]
    modified_at: float = field(init=False)
    _messages: dict[str, _Stored] = field(default_factory=dict, init=False)
    _handles: dict[str, _Stored] = field(default_factory=dict, init=False)
    # Heaps with lazy deletion: an entry counts only while its generation is the message's own.
    _visible: list[tuple[int, int, int, str]] = field(default_factory=list, init=False)
    _timed: list[tuple[float, int, int, str]] = field(default_factory=list, init=False)
    _sequence: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.modified_at = self.created_at

    def put(
        self,
        body: str,
        now: float,
        *,
        delay_seconds: int | None,
        priority: int,
        group_id: str,
        user_properties: tuple[Property, ...],
        system_properties: tuple[Property, ...],
    ) -> Message:
        """Add a message; the result has a receipt handle when it is delayed. Raises InvalidArgument."""
        delay = self.attributes.delay_seconds if delay_seconds is None else delay_seconds
        require_range("DelaySeconds", delay, 0, 604_800)
        require_range("Priority", priority, 1, 16, "")
        size = len(body.encode())
        if not 1 <= size <= self.attributes.maximum_message_size:
            raise InvalidArgument(
                f"The value of MessageBody should between 1 and {self.attributes.maximum_message_size} bytes."
            )
        self._sequence += 1
        stored = _Stored(
            message_id=secrets.token_hex(16).upper(),
            body=body,
            priority=priority,
            sequence=self._sequence,
            enqueued_at=now,
            group_id=group_id,
            user_properties=user_properties,
            system_properties=system_properties,
        )
        self._messages[stored.message_id] = stored
        if delay:
            self._hide(stored, "delayed", now + delay)
        else:
            self._show(stored)
        return stored.view()

    def take(self, count: int, now: float) -> list[Message]:
        """Receive up to ``count`` visible messages, highest priority (1) first, then oldest first."""
        self.settle(now)
        taken: list[Message] = []
        while self._visible and len(taken) < count:
            _, _, generation, message_id = heapq.heappop(self._visible)
            stored = self._messages.get(message_id)
            if stored is None or stored.generation != generation:
                continue
            stored.dequeue_count += 1
            if stored.dequeue_count == 1:
                stored.first_dequeued_at = now
            self._hide(stored, "in_flight", now + self.attributes.visibility_timeout)
            taken.append(stored.view())
        return taken

    def peek(self, count: int, now: float) -> list[Message]:
        """The messages that :meth:`take` would return, without receiving them."""
        self.settle(now)
        visible = [stored for stored in self._messages.values() if stored.state == "visible"]
        return [stored.view() for stored in heapq.nsmallest(count, visible, key=lambda s: (s.priority, s.sequence))]

    def delete(self, handle: str, now: float) -> None:
        """Delete the message of a live receipt handle. Raises MessageNotExist or ReceiptHandleError."""
        stored = self._find(handle, now)
        del self._messages[stored.message_id], self._handles[handle]

    def change_visibility(self, handle: str, seconds: int, now: float) -> tuple[str, float]:
        """Move the next visible time to ``seconds`` (0 to 43200) from now; returns the new handle and that time.

        The old handle dies. Raises InvalidArgument, MessageNotExist or ReceiptHandleError.
        """
        require_range("VisibilityTimeout", seconds, 0, 43_200)
        stored = self._find(handle, now)
        self._hide(stored, stored.state, now + seconds)
        changed = stored.handle, stored.visible_at
        self.settle(now)
        return changed

    def depth(self, now: float) -> Depth:
        """How many messages are in each state now."""
        self.settle(now)
        return Depth(**Counter(stored.state for stored in self._messages.values()))

    def next_change(self) -> float | None:
        """When the next hidden message becomes visible, or None when nothing is hidden."""
        while self._timed:
            when, _, generation, message_id = self._timed[0]
            stored = self._messages.get(message_id)
            if stored is not None and stored.generation == generation:
                return when
            heapq.heappop(self._timed)
        return None

    def settle(self, now: float) -> None:
        """Apply what time alone has done: expiry, end of delays and of visibility time-outs, dead letters."""
        self._expire(now)
        while (when := self.next_change()) is not None and when <= now:
            stored = self._messages[heapq.heappop(self._timed)[3]]
            policy = self.attributes.dead_letter
            if policy is not None and stored.dequeue_count >= policy.max_receive_count:
                self._handles.pop(stored.handle, None)
                del self._messages[stored.message_id]
                self.on_dead_letter(self, stored.view())
            else:
                self._show(stored)

    def _expire(self, now: float) -> None:
        while self._messages:
            oldest = next(iter(self._messages.values()))
            if oldest.enqueued_at + self.attributes.message_retention_period > now:
                return
            self._handles.pop(oldest.handle, None)
            del self._messages[oldest.message_id]
            self.on_expired(self, oldest.view())

    def _find(self, handle: str, now: float) -> _Stored:
        if not _HANDLE.fullmatch(handle):
            raise ReceiptHandleError
        self.settle(now)
        stored = self._handles.get(handle)
        if stored is None:
            raise MessageNotExist
        return stored

    def _show(self, stored: _Stored) -> None:
        self._renew(stored, "visible", "")
        stored.visible_at = 0.0
        heapq.heappush(self._visible, (stored.priority, stored.sequence, stored.generation, stored.message_id))

    def _hide(self, stored: _Stored, state: str, until: float) -> None:
        self._renew(stored, state, f"{stored.generation + 1}-{secrets.token_hex(16)}")
        stored.visible_at = until
        self._handles[stored.handle] = stored
        heapq.heappush(self._timed, (until, stored.sequence, stored.generation, stored.message_id))

    def _renew(self, stored: _Stored, state: str, handle: str) -> None:
        self._handles.pop(stored.handle, None)
        stored.state, stored.handle = state, handle
        stored.generation += 1
