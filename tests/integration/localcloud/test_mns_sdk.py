"""The official MNS SDK, unmodified, against the local MNS over HTTP."""

from __future__ import annotations

import asyncio
import base64
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, TypeVar

import pytest
from mns.account import Account as SdkAccount
from mns.message_property import MessagePropertyValue, PropertyType
from mns.mns_exception import MNSServerException
from mns.queue import Message, QueueMeta

from localcloud.accounts import AccessKey, Account, Directory
from localcloud.clock import Clock
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.mns.queues import Queues
from localcloud.mns.wire import MnsApplication
from localcloud.signing import Received, Verifier, mns_signature

T = TypeVar("T")

# The SDK marks its own counters of messages as deprecated, and then sets them itself in get_attributes().
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated function .*_messages:DeprecationWarning")


@dataclass
class Seconds:
    """A time source that a test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Cloud:
    """A running MNS endpoint and a way to act on its loop."""

    loop: asyncio.AbstractEventLoop
    listener: Listener
    queues: Queues
    seconds: Seconds
    key: AccessKey
    other: AccessKey
    opened: list[Any] = field(default_factory=list)

    def call(self, act: Callable[[], T]) -> T:
        """Run ``act`` on the loop of the local cloud."""

        async def on_loop() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(on_loop(), self.loop).result(10)

    def advance(self, seconds: float) -> None:
        """Let time pass for the queues."""

        def act() -> None:
            self.seconds.now += seconds
            self.queues.tick()

        self.call(act)

    def account(self, key: AccessKey | None = None, secret: str | None = None) -> Any:
        """An SDK account of its own: the SDK's objects are not thread safe."""
        key = key or self.key
        return self.stranger(key.access_key_id, secret or key.access_key_secret)

    def stranger(self, access_key_id: str, secret: str) -> Any:
        """An SDK account with any credentials."""
        account = SdkAccount(f"http://{self.listener.address}", access_key_id, secret)
        self.opened.append(account)
        return account


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    directory = Directory()
    key = directory.add(Account(account_id="1000000000000001", name="partner"))
    other = directory.add(Account(account_id="2000000000000002", name="tenant"))
    seconds = Seconds()
    queues = Queues(Journal(Clock()), seconds=seconds)
    listener = Listener(MnsApplication(queues, Verifier(directory)))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(listener.plug_in(), loop).result(10)
    made = Cloud(loop=loop, listener=listener, queues=queues, seconds=seconds, key=key, other=other)
    try:
        yield made
    finally:
        for account in made.opened:
            account.mns_client.close_connection()
        asyncio.run_coroutine_threadsafe(listener.unplug(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture
def queue(cloud: Cloud) -> Any:
    queue = cloud.account().get_queue("orders")
    queue.create(QueueMeta())
    return queue


def refused(act: Callable[[], object]) -> MNSServerException:
    """The cloud's error that ``act`` ends in."""
    with pytest.raises(MNSServerException) as caught:
        act()
    return caught.value


def test_a_queue_is_created_with_its_location_and_the_defaults_of_the_documentation(cloud: Cloud) -> None:
    queue = cloud.account().get_queue("orders")
    meta = QueueMeta()
    meta.set_visibilitytimeout(60)
    url = queue.create(meta)
    assert url == f"http://{cloud.listener.address}/queues/orders"
    assert queue.create(meta) == url
    found = queue.get_attributes()
    assert (found.queue_name, found.visibility_timeout, found.maximum_message_size) == ("orders", 60, 65_536)
    assert (found.delay_seconds, found.polling_wait_seconds, found.message_retention_period) == (0, 0, 345_600)


def test_creating_a_queue_again_with_other_attributes_conflicts(cloud: Cloud, queue: Any) -> None:
    meta = QueueMeta()
    meta.set_visibilitytimeout(77)
    problem = refused(lambda: queue.create(meta))
    assert problem.type == "QueueAlreadyExist"
    assert problem.req_id
    assert problem.host_id == f"http://{cloud.listener.address}"


def test_attributes_are_changed_one_by_one(queue: Any) -> None:
    meta = QueueMeta()
    meta.set_polling_wait_seconds(3)
    queue.set_attributes(meta)
    found = queue.get_attributes()
    assert (found.polling_wait_seconds, found.visibility_timeout) == (3, 30)
    meta.set_polling_wait_seconds(31)
    assert refused(lambda: queue.set_attributes(meta)).type == "InvalidArgument"


def test_queues_are_listed_in_pages_of_their_own_account(cloud: Cloud) -> None:
    account = cloud.account()
    for name in ("a-1", "a-2", "a-3", "b-1"):
        account.get_queue(name).create(QueueMeta())
    cloud.account(cloud.other).get_queue("a-9").create(QueueMeta())
    urls, marker = account.list_queue(prefix="a", ret_number=2)
    assert [url.rsplit("/", 1)[1] for url in urls] == ["a-1", "a-2"]
    urls, marker = account.list_queue(prefix="a", ret_number=2, marker=marker)
    assert [url.rsplit("/", 1)[1] for url in urls] == ["a-3"]
    assert marker == ""


def test_a_message_makes_the_round_trip(queue: Any) -> None:
    sent = queue.send_message(Message('héllo {"订单":1}', delay_seconds=0, priority=3))
    peeked = queue.peek_message()
    received = queue.receive_message_with_str_body(0)
    assert received.message_body == 'héllo {"订单":1}'
    assert received.message_id == sent.message_id == peeked.message_id
    assert received.message_body_md5 == sent.message_body_md5
    assert (received.priority, received.dequeue_count, peeked.dequeue_count) == (3, 1, 0)
    queue.delete_message(received.receipt_handle)
    assert refused(lambda: queue.receive_message(0)).type == "MessageNotExist"


def test_the_body_is_kept_as_it_was_on_the_wire(cloud: Cloud, queue: Any) -> None:
    queue.send_message(Message("coded"))
    queue.set_encoding(False)
    queue.send_message(Message('{"plain": "<&>"}'))
    account_id = cloud.key.account.account_id
    bodies = [m.body for m in cloud.call(lambda: cloud.queues.peek(account_id, "orders", batch=2))]
    assert bodies == [base64.b64encode(b"coded").decode(), '{"plain": "<&>"}']
    assert [m.message_body for m in queue.batch_receive_message(2)] == bodies


def test_properties_of_a_message_are_passed_through(queue: Any) -> None:
    message = Message("a")
    message.set_user_properties({"kind": MessagePropertyValue(PropertyType.STRING, "order")})
    queue.send_message(message)
    received = queue.receive_message(0)
    assert received.get_user_properties()["kind"].get_string_value_by_type() == "order"


def test_a_wrong_secret_gets_the_cloud_s_own_error(cloud: Cloud, queue: Any) -> None:
    stranger = cloud.account(secret="not-the-secret").get_queue("orders")
    problem = refused(lambda: stranger.send_message(Message("x")))
    assert problem.type == "SignatureDoesNotMatch"
    assert problem.req_id
    account_id = cloud.key.account.account_id
    assert cloud.call(lambda: cloud.queues.depth(account_id, "orders")).total == 0


def test_an_unknown_key_gets_the_cloud_s_own_error(cloud: Cloud) -> None:
    account = cloud.stranger("LTAIunknown", "secret")
    assert refused(lambda: account.get_queue("orders").receive_message(0)).type == "InvalidAccessKeyId"


def test_the_account_is_the_one_of_the_access_key(cloud: Cloud, queue: Any) -> None:
    theirs = cloud.account(cloud.other).get_queue("orders")
    assert refused(lambda: theirs.send_message(Message("x"))).type == "QueueNotExist"


def test_a_long_poll_returns_when_a_message_arrives(cloud: Cloud, queue: Any) -> None:
    """Time stands still for the queues, so only the arrival can end the poll."""
    bodies: list[bytes] = []
    consumer = cloud.account().get_queue("orders")
    poll = threading.Thread(target=lambda: bodies.append(consumer.receive_message(30).message_body))
    poll.start()
    while not cloud.call(lambda: bool(cloud.queues._waiting)):
        assert poll.is_alive()
    queue.send_message(Message("at last"))
    poll.join(10)
    assert bodies == [b"at last"]


def test_a_client_that_hangs_up_leaves_the_message_to_others(cloud: Cloud, queue: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.listener.port)
    connection.request("GET", "/queues/orders/messages?waitseconds=30", headers=_signed(cloud, "GET"))
    while not cloud.call(lambda: any(cloud.queues._waiting.values())):
        pass
    connection.close()
    while cloud.call(lambda: any(cloud.queues._waiting.values())):
        pass
    queue.send_message(Message("for another"))
    assert queue.receive_message(0).dequeue_count == 1


def _signed(cloud: Cloud, method: str) -> dict[str, str]:
    headers = {"date": formatdate(usegmt=True), "x-mns-version": "2015-06-06"}
    received = Received(
        method=method, path="/queues/orders/messages", query="waitseconds=30", headers=headers, body=b""
    )
    signature = mns_signature(received, cloud.key.access_key_secret)
    return {**headers, "Authorization": f"MNS {cloud.key.access_key_id}:{signature}"}


def test_an_unacknowledged_message_is_delivered_again_and_its_old_handle_is_dead(cloud: Cloud, queue: Any) -> None:
    queue.send_message(Message("a"))
    first = queue.receive_message(0)
    assert refused(lambda: queue.receive_message(0)).type == "MessageNotExist"
    cloud.advance(30)
    second = queue.receive_message(0)
    assert (second.message_id, second.dequeue_count) == (first.message_id, 2)
    assert refused(lambda: queue.delete_message(first.receipt_handle)).type == "MessageNotExist"
    queue.delete_message(second.receipt_handle)


def test_changing_the_visibility_gives_a_new_handle(cloud: Cloud, queue: Any) -> None:
    queue.send_message(Message("a"))
    received = queue.receive_message(0)
    changed = queue.change_message_visibility(received.receipt_handle, 300)
    assert changed.receipt_handle != received.receipt_handle
    assert int(changed.next_visible_time) == received.next_visible_time + 270_000
    assert refused(lambda: queue.delete_message(received.receipt_handle)).type == "MessageNotExist"
    cloud.advance(299)
    queue.delete_message(changed.receipt_handle)


def test_a_delayed_message_comes_later(cloud: Cloud, queue: Any) -> None:
    sent = queue.send_message(Message("later", delay_seconds=10))
    assert sent.receipt_handle
    assert refused(lambda: queue.receive_message(0)).type == "MessageNotExist"
    assert queue.get_attributes().delay_messages == 1
    cloud.advance(10)
    assert queue.receive_message(0).message_body == b"later"


def test_batches_are_sent_peeked_received_and_deleted(queue: Any) -> None:
    sent = queue.batch_send_message([Message(f"m{n}") for n in range(16)])
    assert len({message.message_id for message in sent}) == 16
    assert len(queue.batch_peek_message(16)) == 16
    received = queue.batch_receive_message(16, 0)
    assert [message.message_body for message in received] == [f"m{n}".encode() for n in range(16)]
    queue.batch_delete_message([message.receipt_handle for message in received])
    found = queue.get_attributes()
    assert (found.active_messages, found.inactive_messages, found.delay_messages) == (0, 0, 0)


def test_a_batch_send_says_which_messages_failed(queue: Any) -> None:
    messages = [Message("good"), Message("bad", priority=99), Message("good too")]
    problem = refused(lambda: queue.batch_send_message(messages))
    assert problem.type == "InvalidArgument"
    assert [sorted(part) for part in problem.sub_errors] == [
        ["MessageBodyMD5", "MessageId"],
        ["ErrorCode", "ErrorMessage"],
        ["MessageBodyMD5", "MessageId"],
    ]
    assert [m.message_body for m in queue.batch_receive_message(16, 0)] == [b"good", b"good too"]


def test_a_batch_delete_says_which_handles_failed(queue: Any) -> None:
    queue.batch_send_message([Message("a"), Message("b")])
    received = queue.batch_receive_message(2, 0)
    queue.delete_message(received[0].receipt_handle)
    handles = [message.receipt_handle for message in received]
    problem = refused(lambda: queue.batch_delete_message(handles))
    assert problem.type == "MessageNotExist"
    assert [part["ReceiptHandle"] for part in problem.sub_errors] == handles[:1]
    assert queue.get_attributes().inactive_messages == 0


def test_batches_have_limits(queue: Any) -> None:
    assert refused(lambda: queue.batch_send_message([Message("x")] * 17)).type == "InvalidArgument"
    queue.set_encoding(False)
    assert refused(lambda: queue.batch_send_message([Message("x" * 40_000)] * 2)).type == "InvalidArgument"
    assert refused(lambda: queue.batch_receive_message(17, 0)).type == "InvalidArgument"


def test_a_body_over_64_kib_on_the_wire_is_refused(queue: Any) -> None:
    """Base64 inflates: 49,152 bytes of text are the most that fit."""
    queue.send_message(Message("x" * 49_152))
    assert refused(lambda: queue.send_message(Message("x" * 49_153))).type == "InvalidArgument"


def test_a_missing_queue_has_its_own_error(cloud: Cloud) -> None:
    queue = cloud.account().get_queue("nowhere")
    for act in (
        lambda: queue.send_message(Message("x")),
        lambda: queue.batch_send_message([Message("x")]),
        lambda: queue.receive_message(0),
        queue.peek_message,
        lambda: queue.delete_message("1-" + "0" * 32),
        lambda: queue.batch_delete_message(["1-" + "0" * 32]),
        queue.get_attributes,
        lambda: queue.set_attributes(QueueMeta()),
        queue.delete,
    ):
        assert refused(act).type == "QueueNotExist"


def test_topics_fail_loudly(cloud: Cloud) -> None:
    from mns.topic import TopicMeta

    topic = cloud.account().get_topic("news")
    assert refused(lambda: topic.create(TopicMeta())).type == "NotImplemented"


def test_a_body_that_is_not_the_xml_of_the_operation_is_malformed(cloud: Cloud, queue: Any) -> None:
    from mns.mns_request import SendMessageRequest, SendMessageResponse

    client = queue.mns_client
    request = SendMessageRequest("orders", "control \x01 character", base64encode=False)
    assert refused(lambda: client.send_message(request, SendMessageResponse())).type == "MalformedXML"


def test_an_unplugged_endpoint_refuses_connections_and_loses_nothing(cloud: Cloud, queue: Any) -> None:
    from mns.mns_exception import MNSClientNetworkException

    queue.send_message(Message("kept"))
    asyncio.run_coroutine_threadsafe(cloud.listener.unplug(), cloud.loop).result(10)
    with pytest.raises(MNSClientNetworkException):
        cloud.account().get_queue("orders").receive_message(0)
    asyncio.run_coroutine_threadsafe(cloud.listener.plug_in(), cloud.loop).result(10)
    assert cloud.account().get_queue("orders").receive_message(0).message_body == b"kept"
