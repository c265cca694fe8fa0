"""The queue model of the local cloud: states, handles, time-outs, dead letters. Time is moved, never waited for."""

from __future__ import annotations

import asyncio

import pytest

from localcloud.clock import Clock
from localcloud.journal import Journal
from localcloud.mns.errors import (
    InvalidArgument,
    InvalidQueueName,
    MessageNotExist,
    QueueAlreadyExist,
    QueueNameLengthError,
    QueueNotExist,
    ReceiptHandleError,
)
from localcloud.mns.queues import DeadLetterPolicy, Depth, QueueAttributes, Queues

ACCOUNT = "1000000000000001"


class Seconds:
    """A time source that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def journal() -> Journal:
    return Journal(Clock())


@pytest.fixture
def queues(journal: Journal, seconds: Seconds) -> Queues:
    made = Queues(journal, seconds=seconds, epoch_seconds=lambda: 1_700_000_000.0)
    made.create(ACCOUNT, "orders")
    return made


def receive(queues: Queues, batch: int = 1, queue: str = "orders") -> list[tuple[str, int, str]]:
    """Body, receive count and handle of what is visible now."""
    found = asyncio.run(queues.receive(ACCOUNT, queue, batch=batch, wait_seconds=0))
    return [(m.body, m.dequeue_count, m.receipt_handle) for m in found]


def test_a_queue_is_created_once_and_other_attributes_conflict(queues: Queues) -> None:
    assert queues.create(ACCOUNT, "orders") is False
    with pytest.raises(QueueAlreadyExist):
        queues.create(ACCOUNT, "orders", QueueAttributes(visibility_timeout=31))
    assert queues.create("other", "orders", QueueAttributes(visibility_timeout=31)) is True
    assert queues.names(ACCOUNT) == ["orders"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", QueueNameLengthError),
        ("q" * 257, QueueNameLengthError),
        ("a_b", InvalidQueueName),
        ("-a", InvalidQueueName),
    ],
)
def test_queue_names_are_letters_digits_and_hyphens(queues: Queues, name: str, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        queues.create(ACCOUNT, name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("visibility_timeout", 0),
        ("visibility_timeout", 43_201),
        ("maximum_message_size", 1_023),
        ("maximum_message_size", 65_537),
        ("message_retention_period", 59),
        ("delay_seconds", 604_801),
        ("polling_wait_seconds", 31),
    ],
)
def test_attributes_have_documented_ranges(field: str, value: int) -> None:
    with pytest.raises(InvalidArgument):
        QueueAttributes(**{field: value})  # type: ignore[arg-type]


def test_a_queue_of_another_account_does_not_exist(queues: Queues) -> None:
    with pytest.raises(QueueNotExist):
        queues.send("other", "orders", "x")


def test_a_body_comes_back_exactly_as_it_was_sent(queues: Queues) -> None:
    for body in ('{"a": 1}', "eyJhIjogMX0=", "订单 <&> ]]>"):
        queues.send(ACCOUNT, "orders", body)
    assert [body for body, _, _ in receive(queues, 16)] == ['{"a": 1}', "eyJhIjogMX0=", "订单 <&> ]]>"]


def test_priority_one_comes_first_and_equals_come_in_order(queues: Queues) -> None:
    for body, priority in (("late", 16), ("first", 8), ("second", 8), ("urgent", 1)):
        queues.send(ACCOUNT, "orders", body, priority=priority)
    assert [body for body, _, _ in receive(queues, 16)] == ["urgent", "first", "second", "late"]


def test_a_received_message_is_hidden_until_its_time_out_and_its_handle_dies_then(
    queues: Queues, seconds: Seconds
) -> None:
    queues.send(ACCOUNT, "orders", "a")
    [(_, count, first_handle)] = receive(queues)
    assert count == 1
    seconds.now += 29.9
    assert receive(queues) == []
    assert queues.depth(ACCOUNT, "orders") == Depth(in_flight=1)
    seconds.now += 0.1
    with pytest.raises(MessageNotExist):
        queues.delete(ACCOUNT, "orders", first_handle)
    [(body, count, second_handle)] = receive(queues)
    assert (body, count) == ("a", 2)
    assert second_handle != first_handle
    queues.delete(ACCOUNT, "orders", second_handle)
    assert queues.depth(ACCOUNT, "orders").total == 0
    with pytest.raises(MessageNotExist):
        queues.delete(ACCOUNT, "orders", second_handle)


def test_changing_the_visibility_moves_the_time_and_kills_the_old_handle(queues: Queues, seconds: Seconds) -> None:
    queues.send(ACCOUNT, "orders", "a")
    [(_, _, handle)] = receive(queues)
    changed, next_visible_at = queues.change_visibility(ACCOUNT, "orders", handle, 100)
    assert next_visible_at == seconds.now + 100
    with pytest.raises(MessageNotExist):
        queues.delete(ACCOUNT, "orders", handle)
    seconds.now += 99
    assert receive(queues) == []
    queues.delete(ACCOUNT, "orders", changed)


def test_a_visibility_of_zero_gives_the_message_back_at_once(queues: Queues) -> None:
    queues.send(ACCOUNT, "orders", "a")
    [(_, _, handle)] = receive(queues)
    changed, _ = queues.change_visibility(ACCOUNT, "orders", handle, 0)
    assert queues.depth(ACCOUNT, "orders") == Depth(visible=1)
    with pytest.raises(MessageNotExist):
        queues.delete(ACCOUNT, "orders", changed)
    assert [count for _, count, _ in receive(queues)] == [2]


def test_handles_have_only_characters_that_may_stand_in_a_url(queues: Queues) -> None:
    queues.send(ACCOUNT, "orders", "a")
    [(_, _, handle)] = receive(queues)
    assert handle.replace("-", "").isalnum()
    assert handle.isascii()
    with pytest.raises(ReceiptHandleError):
        queues.delete(ACCOUNT, "orders", "1-ODU4OTkz+/")


def test_a_delayed_message_waits_and_can_be_deleted_by_its_own_handle(queues: Queues, seconds: Seconds) -> None:
    queues.send(ACCOUNT, "orders", "later", delay_seconds=5)
    regretted = queues.send(ACCOUNT, "orders", "regretted", delay_seconds=5)
    assert queues.depth(ACCOUNT, "orders") == Depth(delayed=2)
    queues.delete(ACCOUNT, "orders", regretted.receipt_handle)
    seconds.now += 5
    assert [body for body, _, _ in receive(queues, 16)] == ["later"]


def test_a_message_overrides_the_delay_of_its_queue(queues: Queues) -> None:
    queues.set_attributes(ACCOUNT, "orders", QueueAttributes(delay_seconds=60))
    queues.send(ACCOUNT, "orders", "slow")
    queues.send(ACCOUNT, "orders", "fast", delay_seconds=0)
    assert [body for body, _, _ in receive(queues, 16)] == ["fast"]


def test_sizes_and_priorities_outside_their_ranges_are_refused(queues: Queues) -> None:
    queues.send(ACCOUNT, "orders", "x" * 65_536)
    for body, delay, priority in (("x" * 65_537, 0, 8), ("", 0, 8), ("x", 0, 0), ("x", 0, 17), ("x", -1, 8)):
        with pytest.raises(InvalidArgument):
            queues.send(ACCOUNT, "orders", body, delay_seconds=delay, priority=priority)
    assert queues.depth(ACCOUNT, "orders").total == 1


def test_a_message_expires_after_its_retention_period_even_in_flight(
    queues: Queues, seconds: Seconds, journal: Journal
) -> None:
    queues.set_attributes(ACCOUNT, "orders", QueueAttributes(message_retention_period=60, visibility_timeout=100))
    queues.send(ACCOUNT, "orders", "a")
    [(_, _, handle)] = receive(queues)
    seconds.now += 60
    assert queues.depth(ACCOUNT, "orders").total == 0
    with pytest.raises(MessageNotExist):
        queues.delete(ACCOUNT, "orders", handle)
    assert "retention" in journal.entries("mns")[-1].what


def test_peek_shows_without_receiving(queues: Queues) -> None:
    queues.send(ACCOUNT, "orders", "b")
    queues.send(ACCOUNT, "orders", "a", priority=1)
    assert [m.body for m in queues.peek(ACCOUNT, "orders", batch=2)] == ["a", "b"]
    assert [m.dequeue_count for m in queues.peek(ACCOUNT, "orders", batch=2)] == [0, 0]
    assert queues.depth(ACCOUNT, "orders") == Depth(visible=2)


def test_a_message_that_used_up_its_receives_goes_to_the_dead_letter_queue(queues: Queues, seconds: Seconds) -> None:
    queues.create(ACCOUNT, "dead")
    policy = DeadLetterPolicy(queue="dead", max_receive_count=2)
    queues.set_attributes(ACCOUNT, "orders", QueueAttributes(dead_letter=policy))
    sent = queues.send(ACCOUNT, "orders", "poison")
    for count in (1, 2):
        assert [c for _, c, _ in receive(queues)] == [count]
        seconds.now += 30
    assert receive(queues) == []
    assert queues.depth(ACCOUNT, "orders").total == 0
    [dead] = asyncio.run(queues.receive(ACCOUNT, "dead"))
    assert (dead.body, dead.dequeue_count) == ("poison", 1)
    assert {p.name: p.value for p in dead.system_properties}["DLQOriginMessageId"] == sent.message_id


def test_a_long_poll_returns_when_a_message_arrives(queues: Queues) -> None:
    async def scenario() -> list[str]:
        poll = asyncio.ensure_future(queues.receive(ACCOUNT, "orders", wait_seconds=30))
        await asyncio.sleep(0)
        assert not poll.done()
        queues.send(ACCOUNT, "orders", "a")
        return [message.body for message in await poll]

    assert asyncio.run(scenario()) == ["a"]


def test_a_long_poll_returns_when_a_hidden_message_becomes_visible_again(queues: Queues, seconds: Seconds) -> None:
    async def scenario() -> list[int]:
        queues.send(ACCOUNT, "orders", "a")
        await queues.receive(ACCOUNT, "orders")
        poll = asyncio.ensure_future(queues.receive(ACCOUNT, "orders", wait_seconds=30))
        await asyncio.sleep(0)
        seconds.now += 30
        queues.tick()
        return [message.dequeue_count for message in await poll]

    assert asyncio.run(scenario()) == [2]


def test_a_long_poll_ends_empty_at_its_deadline(queues: Queues, seconds: Seconds) -> None:
    async def scenario() -> list[object]:
        poll = asyncio.ensure_future(queues.receive(ACCOUNT, "orders", wait_seconds=7))
        await asyncio.sleep(0)
        seconds.now += 7
        queues.tick()
        return list(await poll)

    assert asyncio.run(scenario()) == []


def test_of_two_long_polls_one_gets_the_message_and_the_other_goes_on_waiting(queues: Queues) -> None:
    async def scenario() -> tuple[int, int]:
        polls = [asyncio.ensure_future(queues.receive(ACCOUNT, "orders", wait_seconds=30)) for _ in range(2)]
        await asyncio.sleep(0)
        queues.send(ACCOUNT, "orders", "a")
        done, waiting = await asyncio.wait(polls, return_when=asyncio.FIRST_COMPLETED)
        for poll in waiting:
            poll.cancel()
        return len(done), len(waiting)

    assert asyncio.run(scenario()) == (1, 1)


def test_a_cancelled_long_poll_takes_no_message(queues: Queues) -> None:
    async def scenario() -> Depth:
        poll = asyncio.ensure_future(queues.receive(ACCOUNT, "orders", wait_seconds=30))
        await asyncio.sleep(0)
        queues.send(ACCOUNT, "orders", "a")  # wakes the poll in the same turn in which it is given up
        poll.cancel()
        with pytest.raises(asyncio.CancelledError):
            await poll
        return queues.depth(ACCOUNT, "orders")

    assert asyncio.run(scenario()) == Depth(visible=1)


def test_a_long_poll_on_a_deleted_queue_ends_with_an_error(queues: Queues) -> None:
    async def scenario() -> None:
        poll = asyncio.ensure_future(queues.receive(ACCOUNT, "orders", wait_seconds=30))
        await asyncio.sleep(0)
        queues.remove(ACCOUNT, "orders")
        await poll

    with pytest.raises(QueueNotExist):
        asyncio.run(scenario())
