"""What every ``Queue`` promises: the in-memory fake, and the real SDK against the local cloud's MNS.

The round trip also runs against a real queue, which it empties, when CROSSPORT_REAL_QUEUE_ENDPOINT (its account's URL)
and CROSSPORT_REAL_QUEUE_NAME are set, with the credentials that Function Compute uses.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from crossport.adapters.credentials import Credentials, from_environment
from crossport.adapters.mns import MessageTooLargeError, MnsQueue, QueueRefusedError, ReceivedMessage
from crossport.application.errors import QueueUnavailableError
from crossport.application.ports import Queue
from crossport.domain.errors import CrossportError
from localcloud.accounts import Account, Directory
from localcloud.clock import Clock as CloudClock
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.mns.queues import Queues
from localcloud.mns.wire import MnsApplication
from localcloud.signing import Verifier
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_queue import MemoryQueue
from tests.integration.localcloud.conftest import LoopThread

ACCOUNT = "1000000000000001"
VISIBILITY = timedelta(seconds=30)


class ReceivingQueue(Queue, Protocol):
    """A queue with the side that tools use."""

    def receive(self, queue: str, count: int = 1, wait: int = 0) -> tuple[ReceivedMessage, ...]:
        """Messages, hidden from others for a while."""
        ...

    def delete(self, queue: str, receipt_handle: str) -> bool:
        """Whether the handle was alive and the message is gone."""
        ...


@dataclass
class World:
    """Queues, one that exists, and how time passes there (None: it cannot be moved)."""

    queue: ReceivingQueue
    name: str
    advance: Callable[[timedelta], None] | None = None


def _memory() -> Iterator[World]:
    clock = ManualClock()
    yield World(MemoryQueue(clock, ["orders"], visibility=VISIBILITY), "orders", clock.advance)


def _local() -> Iterator[World]:
    thread = LoopThread()
    directory = Directory()
    key = directory.add(Account(account_id=ACCOUNT, name="partner"))
    seconds = [datetime.now(UTC).timestamp()]
    queues = thread.call(Queues, Journal(CloudClock()), seconds=lambda: seconds[0])
    thread.call(queues.create, ACCOUNT, "orders")
    listener = Listener(MnsApplication(queues, Verifier(directory)))
    thread.run(listener.plug_in())
    values = Credentials(access_key_id=key.access_key_id, access_key_secret=key.access_key_secret)
    queue = MnsQueue(endpoint=f"http://{listener.address}", credentials=lambda: values)

    def advance(by: timedelta) -> None:
        seconds[0] += by.total_seconds()
        thread.call(queues.tick)

    yield World(queue, "orders", advance)
    queue.close()
    thread.run(listener.unplug())
    thread.stop()


def _real() -> Iterator[World]:
    names = ("CROSSPORT_REAL_QUEUE_ENDPOINT", "CROSSPORT_REAL_QUEUE_NAME")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        pytest.skip(f"the real queue is opt-in: {', '.join(missing)} not set")
    endpoint, name = (os.environ[variable] for variable in names)
    queue = MnsQueue(endpoint=endpoint, credentials=from_environment)
    yield World(queue, name)
    queue.close()


@pytest.fixture(params=[_memory, _local], ids=["memory", "local cloud"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from request.param()


@pytest.fixture(params=[_memory, _local, _real], ids=["memory", "local cloud", "real cloud"])
def any_world(request: pytest.FixtureRequest) -> Iterator[World]:
    yield from request.param()


def failure(act: Callable[[], object]) -> CrossportError:
    with pytest.raises(CrossportError) as caught:
        act()
    return caught.value


def test_what_is_sent_is_received_once_it_is_deleted_it_is_gone(any_world: World) -> None:
    queue, name = any_world.queue, any_world.name
    body = json.dumps({"order": "1", "tenant": "上海 <&> \u00e9"}, ensure_ascii=False)
    message_id = queue.send(name, body)
    (message,) = queue.receive(name, 1, 1)
    assert (message.message_id, message.body, message.dequeue_count) == (message_id, body, 1)
    assert message.next_visible_at > message.enqueued_at
    assert queue.delete(name, message.receipt_handle) is True
    assert queue.delete(name, message.receipt_handle) is False
    assert queue.receive(name) == ()


def test_a_received_message_is_hidden_and_comes_back_with_another_handle(world: World) -> None:
    world.queue.send(world.name, "{}")
    (first,) = world.queue.receive(world.name)
    assert world.queue.receive(world.name) == ()
    assert world.advance is not None
    world.advance(VISIBILITY + timedelta(seconds=1))
    (again,) = world.queue.receive(world.name)
    assert (again.message_id, again.dequeue_count) == (first.message_id, 2)
    assert again.receipt_handle != first.receipt_handle
    assert world.queue.delete(world.name, first.receipt_handle) is False
    assert world.queue.delete(world.name, again.receipt_handle) is True


def test_at_most_as_many_messages_come_as_were_asked_for(world: World) -> None:
    for number in range(5):
        world.queue.send(world.name, json.dumps({"number": number}))
    received = [*world.queue.receive(world.name, 3), *world.queue.receive(world.name, 16)]
    assert sorted(json.loads(message.body)["number"] for message in received) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="is not in"):
        world.queue.receive(world.name, 17)


def test_a_queue_that_does_not_exist_is_refused_for_good(world: World) -> None:
    for act in (
        lambda: world.queue.send("nowhere", "{}"),
        lambda: world.queue.receive("nowhere"),
        lambda: world.queue.delete("nowhere", "handle"),
    ):
        error = failure(act)
        assert isinstance(error, QueueRefusedError)
        assert not error.retryable
        assert error.fields["cloud_code"] == "QueueNotExist"


def test_a_body_that_is_too_long_is_refused_and_the_longest_is_not(world: World) -> None:
    longest = "é" * (49_152 // 2)
    world.queue.send(world.name, longest)
    (message,) = world.queue.receive(world.name)
    assert message.body == longest
    assert isinstance(failure(lambda: world.queue.send(world.name, longest + "a")), MessageTooLargeError)


def test_threads_that_share_a_queue_get_their_own_answers(world: World) -> None:
    """The SDK's own objects, shared, gave a third of the answers to the wrong thread."""

    def send(number: int) -> tuple[str, str]:
        body = json.dumps({"number": number})
        return world.queue.send(world.name, body), body

    with ThreadPoolExecutor(8) as pool:
        sent = dict(pool.map(send, range(100)))
    received: dict[str, str] = {}
    while messages := world.queue.receive(world.name, 16):
        received |= {message.message_id: message.body for message in messages}
    assert received == sent
    assert len(sent) == 100


def test_the_fake_fails_as_the_adapter_does() -> None:
    queue = MemoryQueue(ManualClock(), ["orders"])
    queue.fail_next_send("orders")
    queue.fail_next_send("orders", after_effect=True)
    for bodies in ([], ["{}"]):
        assert isinstance(failure(lambda: queue.send("orders", "{}")), QueueUnavailableError)
        assert queue.bodies("orders") == bodies
    assert queue.send("orders", "{}")
