"""MNS queue triggers: a stream reads a queue and pushes its messages to a function.

A queue trigger is an ``eventbridge`` trigger with ``eventSourceType: MNS``. EventBridge builds an event stream
for it that receives, forms batches, invokes, repeats a failed push and deletes what was dealt with (FC,
"SMQ queue triggers"; EventBridge, "Retry policies and dead-letter queues"). The unit of failure is the whole
batch: nothing like a partial failure is documented.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import json
import random
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from localcloud.clock import Clock
from localcloud.fc.errors import FcError
from localcloud.fc.runtime import ASYNC_PAYLOAD_LIMIT, SYNC_PAYLOAD_LIMIT, Functions, Sleep
from localcloud.fc.template import FunctionDefinition, QueueTrigger
from localcloud.journal import Journal
from localcloud.mns.errors import MnsError

RECEIVE_LIMIT = 16
"""Most messages that one receive returns (MNS, BatchReceiveMessage)."""

POLL_SECONDS = 20
"""How long one receive waits for the first message."""

BROKEN_QUEUE_SECONDS = 1.0
"""Pause before a queue that cannot be read is tried again."""


class ReceivedMessage(Protocol):
    """A message as received: ``body`` is exactly as it was sent."""

    @property
    def message_id(self) -> str:
        """The id that survives redelivery."""
        ...

    @property
    def body(self) -> str:
        """The text on the wire."""
        ...

    @property
    def receipt_handle(self) -> str:
        """What deletes it."""
        ...


class QueueSource(Protocol):
    """The in-process side of MNS; ``localcloud.mns.queues.Queues`` is one."""

    async def receive(
        self, account_id: str, queue: str, *, batch: int = 1, wait_seconds: int | None = None
    ) -> Sequence[ReceivedMessage]:
        """Up to ``batch`` messages; none if none came in time."""
        ...

    def delete(self, account_id: str, queue: str, receipt_handle: str) -> None:
        """Delete a received message."""
        ...

    def send(self, account_id: str, queue: str, body: str) -> Any:
        """Put a message."""
        ...


def retry_delays(exponential: bool, tolerant: bool, chance: random.Random) -> Iterator[float]:
    """Seconds before each repetition of a failed push; an intolerant stream never gives up.

    BACKOFF_RETRY: 3 times after 10 to 20 seconds. EXPONENTIAL_DECAY_RETRY: 176 times, doubling from 1 to 512
    seconds and then every 512 seconds, a day in all.
    """
    doubling = (float(min(2**step, 512)) for step in itertools.count())
    backing_off = (chance.uniform(10, 20) for _ in itertools.count())
    count = None if not tolerant else 176 if exponential else 3
    return itertools.islice(doubling if exponential else backing_off, count)


class Stream:
    """One queue trigger at work. ``run`` reads until it is cancelled."""

    def __init__(
        self,
        definition: FunctionDefinition,
        trigger: QueueTrigger,
        *,
        functions: Functions,
        queues: QueueSource,
        clock: Clock,
        journal: Journal,
        sleep: Sleep = asyncio.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self._function = definition
        self._trigger = trigger
        self._functions = functions
        self._queues = queues
        self._clock = clock
        self._journal = journal
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311  # jitter, not a secret
        self._name = f"MNS-{definition.name}-{trigger.name}"
        self._held = 0

    def busy(self) -> int:
        """Messages in hand: received, and neither deleted nor given up yet."""
        return self._held

    async def run(self) -> None:
        """Read the queue until cancelled. A queue that does not exist yet is tried again and again."""
        complained = False
        while True:
            try:
                for part in self._parts(await self._batch()):
                    await self._push(part)
                complained = False
            except MnsError as error:
                if not complained:
                    self._note(f"cannot read queue {self._trigger.queue}: {error}")
                complained = True
                await self._sleep(BROKEN_QUEUE_SECONDS)
            finally:
                self._held = 0

    async def _batch(self) -> list[ReceivedMessage]:
        """The next messages: ``batch_size`` of them, or what came within ``batch_seconds`` of the first."""
        account, trigger = self._functions.account_id, self._trigger
        size = trigger.batch_size if trigger.streaming else 1
        messages = list(
            await self._queues.receive(
                account, trigger.queue, batch=min(size, RECEIVE_LIMIT), wait_seconds=POLL_SECONDS
            )
        )
        self._held = len(messages)
        loop = asyncio.get_running_loop()
        # The window is real time, like everything about queues; MNS waits in whole seconds.
        deadline = loop.time() + trigger.batch_seconds
        while messages and len(messages) < size:
            wait = max(0, round(deadline - loop.time()))
            more = await self._queues.receive(
                account, trigger.queue, batch=min(size - len(messages), RECEIVE_LIMIT), wait_seconds=wait
            )
            messages += more
            self._held = len(messages)
            if not more and wait == 0:
                break
        return messages

    def _parts(self, messages: list[ReceivedMessage]) -> Iterator[list[ReceivedMessage]]:
        """The batch cut so that each part fits into one invocation (128 KB asynchronous, 32 MB synchronous)."""
        limit = ASYNC_PAYLOAD_LIMIT if self._trigger.asynchronous else SYNC_PAYLOAD_LIMIT
        part: list[ReceivedMessage] = []
        size = 2
        for message in messages:
            length = len(_bytes(self._element(message))) + 1
            if part and size + length > limit:
                yield part
                part, size = [], 2
            part.append(message)
            size += length
        if part:
            yield part

    async def _push(self, messages: list[ReceivedMessage]) -> None:
        elements = [self._element(message) for message in messages]
        payload = _bytes(elements if self._trigger.streaming else elements[0])
        delays = retry_delays(self._trigger.exponential, self._trigger.tolerant, self._chance)
        while (problem := await self._attempt(payload)) is not None:
            delay = next(delays, None)
            if delay is None:
                self._give_up(elements, problem)
                break
            self._note(f"push failed, again in {delay:.0f} s", error=problem, retry_after=delay)
            await self._sleep(delay)
        for message in messages:
            self._delete(message)

    async def _attempt(self, payload: bytes) -> str | None:
        """None for success. Accepted asynchronously is a success: what happens then is FC's business."""
        try:
            result = await self._functions.invoke(self._function.name, payload, asynchronous=self._trigger.asynchronous)
        except FcError as error:
            return f"{error.code}: {error.message}"
        if result.error_type is None:
            return None
        return f"{result.error_type}: {result.payload.decode('utf-8', 'replace')}"

    def _give_up(self, elements: list[dict[str, Any]], problem: str) -> None:
        """One dead letter for each event, as an event; the real form of a dead letter is undocumented [INF]."""
        queue = self._trigger.dead_letter_queue
        self._note(f"retries exhausted, {'dropped' if queue is None else f'moved to {queue}'}", error=problem)
        for element in elements if queue is not None else ():
            try:
                self._queues.send(self._functions.account_id, str(queue), _bytes(element).decode())
            except MnsError as error:
                self._note(f"dead letter lost: {error}", event=element)

    def _delete(self, message: ReceivedMessage) -> None:
        """A handle that has died meanwhile means a second delivery: at least once, as promised."""
        try:
            self._queues.delete(self._functions.account_id, self._trigger.queue, message.receipt_handle)
        except MnsError as error:
            self._note(f"message comes again: {error}", message_id=message.message_id)

    def _element(self, message: ReceivedMessage) -> dict[str, Any]:
        """A message as an event (FC, "Event formats"), or its data alone with eventSchema RawData."""
        body = decoded(message.body) if self._trigger.decode_base64 else message.body
        data = {
            "requestId": uuid.uuid5(uuid.NAMESPACE_OID, message.receipt_handle).hex.upper(),
            "messageId": message.message_id,
            "messageBody": body,
        }
        if self._trigger.raw_data:
            return data
        account, region = self._functions.account_id, self._function.region
        now = _timestamp(self._clock.now())
        return {
            "id": message.message_id,
            # The two documented samples differ: the stream's names the product, the event mode's the trigger.
            "source": "acs:mns" if self._trigger.streaming else self._name,
            "specversion": "1.0",
            "type": "mns:Queue:SendMessage",
            "datacontenttype": "application/json; charset=utf-8",
            "subject": f"acs:mns:{region}:{account}:queues/{self._trigger.queue}",
            "time": now,
            "aliyunaccountid": account,
            "aliyunpublishtime": now,
            "aliyunoriginalaccountid": account,
            "aliyuneventbusname": self._name,
            "aliyunregionid": region,
            "aliyunpublishaddr": "127.0.0.1",
            "data": data,
        }

    def _note(self, what: str, **fields: Any) -> None:
        self._journal.write(
            "fc", f"{self._name}: {what}", function=self._function.name, trigger=self._trigger.name, **fields
        )


def decoded(body: str) -> str:
    """``IsBase64Decode``: the text behind base64; a body that is no base64 of UTF-8 text stays as it is."""
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, ValueError):
        return body


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _timestamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
