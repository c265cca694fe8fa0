"""MnsQueue and the real SDK against a loopback server: the seven guards, and what failures mean."""

from __future__ import annotations

import base64
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mns
import pytest

from crossport.adapters.credentials import Credentials, MissingCredentialsError
from crossport.adapters.mns import (
    LONGEST_BODY,
    MessageTooLargeError,
    MnsQueue,
    QueueRefusedError,
    ReceivedMessage,
    decode,
    encode,
)
from crossport.application.errors import QueueUnavailableError
from crossport.domain.errors import CrossportError
from tests.fakes.loopback_server import Break, LoopbackServer, Reply

NAMESPACE = 'xmlns="http://mns.aliyuncs.com/doc/v1/"'
KEY = Credentials(access_key_id="LTAIunit", access_key_secret="unit-secret")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


Connect = Callable[..., MnsQueue]


@pytest.fixture
def connect(server: LoopbackServer) -> Iterator[Connect]:
    """Makes queues on the server, and closes their connections."""
    made: list[MnsQueue] = []

    def queue(credentials: Callable[[], Credentials] = lambda: KEY, timeout_seconds: float = 5.0) -> MnsQueue:
        made.append(
            MnsQueue(endpoint=f"http://{server.address}", credentials=credentials, timeout_seconds=timeout_seconds)
        )
        return made[-1]

    yield queue
    for each in made:
        each.close()


def xml(status: int, body: str, **options: Any) -> Reply:
    headers = (("x-mns-request-id", "R-1"),)
    return Reply(status=status, body=body, content_type="text/xml;charset=UTF-8", headers=headers, **options)


def sent(message_id: str = "M-1", **options: Any) -> Reply:
    body = f"<Message {NAMESPACE}><MessageId>{message_id}</MessageId><MessageBodyMD5>0</MessageBodyMD5></Message>"
    return xml(201, body, **options)


def received(*bodies: str) -> Reply:
    messages = "".join(
        f"<Message><MessageId>M-{n}</MessageId><MessageBodyMD5>0</MessageBodyMD5><MessageBody>{body}</MessageBody>"
        f"<EnqueueTime>1774353600000</EnqueueTime><FirstDequeueTime>1774353601000</FirstDequeueTime>"
        f"<NextVisibleTime>1774353631500</NextVisibleTime><ReceiptHandle>H-{n}</ReceiptHandle>"
        f"<DequeueCount>2</DequeueCount><Priority>8</Priority></Message>"
        for n, body in enumerate(bodies)
    )
    return xml(200, f"<Messages {NAMESPACE}>{messages}</Messages>")


def refusal(code: str, status: int = 400) -> Reply:
    sentence = "The string to sign was LTAIunit unit-security-token"
    inner = f"<Code>{code}</Code><Message>{sentence}</Message><RequestId>R-9</RequestId><HostId>h</HostId>"
    return xml(status, f"<Error {NAMESPACE}>{inner}</Error>")


def failure(act: Callable[[], object]) -> CrossportError:
    with pytest.raises(CrossportError) as caught:
        act()
    return caught.value


# --- Bodies -----------------------------------------------------------------------------------------------------------


def test_a_body_goes_over_the_wire_as_base64_of_utf8(server: LoopbackServer, connect: Connect) -> None:
    server.answer(sent("M-7"))
    assert connect().send("outbox", '{"tenant":"上海"}') == "M-7"
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/queues/outbox/messages")
    assert base64.b64encode('{"tenant":"上海"}'.encode()) in request.body


def test_messages_are_received_with_times_in_utc_and_bodies_as_they_were_meant(
    server: LoopbackServer, connect: Connect
) -> None:
    server.answer(received(encode('{"a":"é"}'), '{"a":1}', "test"))
    messages = connect().receive("orders", count=3, wait=5)
    assert [message.body for message in messages] == ['{"a":"é"}', '{"a":1}', "test"]
    assert messages[0] == ReceivedMessage(
        message_id="M-0",
        receipt_handle="H-0",
        body='{"a":"é"}',
        dequeue_count=2,
        enqueued_at=datetime(2026, 3, 24, 12, 0, tzinfo=UTC),
        next_visible_at=datetime(2026, 3, 24, 12, 0, 31, 500_000, tzinfo=UTC),
    )
    assert server.requests[0].target == "/queues/orders/messages?numOfMessages=3&waitseconds=5"


@pytest.mark.parametrize("body", ["", "x", "hello world", '{"a":1}', "[1]", "上海", "test", "a" * 300])
def test_every_body_comes_back_from_base64_and_plain(body: str) -> None:
    assert decode(encode(body)) == body
    # A plain word can look like base64; these do not, or decode to no UTF-8.
    assert decode(body) == body


def test_base64_that_was_wrapped_into_lines_is_base64() -> None:
    assert decode(base64.encodebytes(b'{"text":"' + b"long " * 50 + b'"}').decode()).startswith('{"text"')


def test_a_body_that_is_too_long_after_base64_is_not_sent(server: LoopbackServer, connect: Connect) -> None:
    server.answer(sent())
    longest = "a" * (LONGEST_BODY // 4 * 3)
    assert connect().send("outbox", longest) == "M-1"
    error = failure(lambda: connect().send("outbox", longest + "a"))
    assert isinstance(error, MessageTooLargeError)
    assert not error.retryable
    assert len(server.requests) == 1


# --- Failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("QueueNotExist", 404, QueueRefusedError),
        ("AccessDenied", 403, QueueRefusedError),
        ("SignatureDoesNotMatch", 403, QueueRefusedError),
        ("InvalidArgument", 400, QueueRefusedError),
        ("QpsLimitExceeded", 400, QueueUnavailableError),
        ("TimeExpired", 408, QueueUnavailableError),
        ("InternalError", 500, QueueUnavailableError),
        ("NeverHeardOf", 400, QueueUnavailableError),
    ],
)
def test_what_an_error_code_means(
    server: LoopbackServer, connect: Connect, code: str, status: int, kind: type[CrossportError]
) -> None:
    server.answer(refusal(code, status))
    error = failure(lambda: connect().send("outbox", "{}"))
    assert type(error) is kind
    assert error.retryable is (kind is QueueUnavailableError)
    assert error.fields["cloud_code"] == code
    assert "R-9" in str(error)
    assert "LTAIunit" not in str(error)
    assert "unit-security-token" not in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        Break.RESET,
        Break.SILENCE,
        Reply(status=502, body="<html>Bad Gateway</html>", content_type="text/html"),
        Reply(status=201, body="", content_type="text/xml"),
        xml(302, ""),
    ],
    ids=["reset", "silence", "HTML 502", "empty", "redirect"],
)
def test_a_broken_answer_is_worth_a_retry(server: LoopbackServer, connect: Connect, answer: Reply | Break) -> None:
    server.answer(answer)
    error = failure(lambda: connect(timeout_seconds=0.1).send("outbox", "{}"))
    assert isinstance(error, QueueUnavailableError)


def test_a_refused_connection_is_worth_a_retry(server: LoopbackServer, connect: Connect) -> None:
    server.stop()
    assert isinstance(failure(lambda: connect().send("outbox", "{}")), QueueUnavailableError)


def test_an_empty_queue_is_an_empty_answer_and_a_missing_one_is_refused(
    server: LoopbackServer, connect: Connect
) -> None:
    server.answer(refusal("MessageNotExist", 404), refusal("QueueNotExist", 404))
    assert connect().receive("orders") == ()
    assert failure(lambda: connect().receive("orders")).fields["cloud_code"] == "QueueNotExist"


@pytest.mark.parametrize(("count", "wait"), [(0, 0), (17, 0), (1, -1), (1, 31)])
def test_numbers_out_of_range_are_a_mistake_of_the_caller(connect: Connect, count: int, wait: int) -> None:
    with pytest.raises(ValueError, match="is not in"):
        connect().receive("orders", count, wait)


@pytest.mark.parametrize("code", ["MessageNotExist", "ReceiptHandleError"])
def test_a_dead_handle_deletes_nothing(server: LoopbackServer, connect: Connect, code: str) -> None:
    server.answer(refusal(code, 404), Reply(status=204, body="", headers=(("x-mns-request-id", "R"),)))
    assert connect().delete("orders", "H-1") is False
    assert connect().delete("orders", "H-1") is True
    assert server.requests[1].target == "/queues/orders/messages?ReceiptHandle=H-1"


@pytest.mark.parametrize("name", ["", "a/b", "a?b", "-a", "a b", "x" * 257])
def test_a_name_that_would_change_the_url_is_refused_before_sending(connect: Connect, name: str) -> None:
    assert failure(lambda: connect().send(name, "{}")).fields["cloud_code"] == "InvalidQueueName"


# --- The guards -------------------------------------------------------------------------------------------------------


def test_the_sdk_sends_again_after_a_lost_answer_so_delivery_is_at_least_once(
    server: LoopbackServer, connect: Connect
) -> None:
    server.answer(Break.CLOSE, sent("M-2"))
    assert connect().send("outbox", "{}") == "M-2"
    assert [request.method for request in server.requests] == ["POST", "POST"]


def test_a_permanent_key_sends_no_token_and_a_rotated_one_is_used_at_once(
    server: LoopbackServer, connect: Connect
) -> None:
    server.answer(sent())
    current = [KEY]
    queue = connect(credentials=lambda: current[0])
    queue.send("outbox", "{}")
    current[0] = Credentials(access_key_id="LTAIother", access_key_secret="s", security_token="st")
    queue.send("outbox", "{}")
    first, second = (request.headers for request in server.requests)
    assert first["authorization"].startswith("MNS LTAIunit:")
    assert "security-token" not in first
    assert second["authorization"].startswith("MNS LTAIother:")
    assert second["security-token"] == "st"


def test_missing_credentials_say_so(connect: Connect) -> None:
    def none() -> Credentials:
        raise MissingCredentialsError("none")

    assert isinstance(failure(lambda: connect(credentials=none).send("outbox", "{}")), MissingCredentialsError)


def test_https_has_a_time_out_too() -> None:
    # Accepts connections by its backlog and never speaks: without a time-out the handshake would wait for ever.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        queue = MnsQueue(
            endpoint=f"https://127.0.0.1:{silent.getsockname()[1]}", credentials=lambda: KEY, timeout_seconds=0.1
        )
        errors: list[CrossportError] = []
        thread = threading.Thread(target=lambda: errors.append(failure(lambda: queue.send("q", "{}"))), daemon=True)
        thread.start()
        thread.join(10)
        assert [type(error) for error in errors] == [QueueUnavailableError]
        queue.close()


def test_a_connection_that_is_open_already_gets_the_time_out_of_the_next_request(
    server: LoopbackServer, connect: Connect
) -> None:
    server.answer(sent(keep_alive=True))
    queue = connect(timeout_seconds=5.0)
    queue.send("outbox", "{}")
    line = queue._line()
    assert line._connection.sock.gettimeout() == 5.0
    line.limit(35.0)
    assert line._connection.sock.gettimeout() == 35.0


def test_a_connection_of_a_thread_is_closed_when_the_thread_has_ended(server: LoopbackServer, connect: Connect) -> None:
    server.answer(sent(keep_alive=True))
    queue = connect()
    connections: list[Any] = []

    def work() -> None:
        queue.send("outbox", "{}")
        connections.extend(line._connection for line in queue._lines)
        assert connections[0].sock is not None

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    gc.collect()
    assert [connection.sock for connection in connections] == [None]


def test_each_thread_has_its_own_connection(server: LoopbackServer, connect: Connect) -> None:
    server.answer(sent())
    queue = connect()
    barrier = threading.Barrier(4)
    lines: list[int] = []

    def work() -> None:
        queue.send("outbox", "{}")
        lines.append(id(queue._line()))
        barrier.wait(10)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(set(lines)) == 4


def test_the_sdk_writes_no_log_file(server: LoopbackServer, connect: Connect) -> None:
    server.answer(sent())
    connect().send("outbox", "{}")
    assert list(Path(str(mns.__file__)).parent.rglob("*.log*")) == []
