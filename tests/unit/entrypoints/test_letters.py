"""Dead letters at the edge: every form that may arrive, and records that are given up."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crossport.application.dead_letters import input_of
from crossport.application.endings import Ending
from crossport.application.errors import StoreUnavailableError
from crossport.application.ports import DeadLetter
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Verdict
from crossport.entrypoints.clock import RandomIds
from crossport.entrypoints.envelope import Opened
from crossport.entrypoints.errors import RetryRecords
from crossport.entrypoints.function import Handler, Run, function
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.letters import elements, keep_dead_letters, letter_of, open_letters
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import App
from tests.fakes.memory_store import MemoryStore
from tests.fakes.partner_world import FixedPolicies

PARTNER, TENANT = "1111111111111111", "2222222222222222"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONTEXT = SimpleNamespace(request_id="r-1", function=SimpleNamespace(timeout=60))
ENVIRON = {"CROSSPORT_DB": "sqlite:////nowhere/x.db", "CROSSPORT_REGION": "us-east-1"}
ORDER = '{"type": "order.new",  "client_order_id":"PO-1"}'


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    logging.getLogger("crossport").handlers.clear()


def queue_event(body: str, queue: str = "orders", message_id: str = "m-1") -> dict[str, Any]:
    """A message as a queue trigger pushes it."""
    return {
        "id": message_id,
        "source": "acs:mns",
        "specversion": "1.0",
        "type": "mns:Queue:SendMessage",
        "subject": f"acs:mns:us-east-1:{PARTNER}:queues/{queue}",
        "aliyunaccountid": PARTNER,
        "data": {"requestId": "r", "messageId": message_id, "messageBody": body},
    }


def call(name: str, **changes: Any) -> dict[str, Any]:
    event = {
        "id": "e-1",
        "source": "acs.vpc",
        "specversion": "1.0",
        "type": "vpc:ActionTrail:ApiCall",
        "aliyunaccountid": PARTNER,
        "aliyunoriginalaccountid": TENANT,
        "aliyuneventbusname": "crossport-tenants",
        "data": {"eventName": name, "eventTime": "2026-03-02T11:59:00Z"},
    }
    return event | changes


def destination(payload: str, response: str, name: str = "relay", condition: str = "UnhandledInvocationError") -> str:
    envelope = {
        "timestamp": 1772464200000,
        "requestContext": {
            "requestId": "1-5c",
            "functionArn": f"acs:fc:us-east-1:{PARTNER}:functions/{name}",
            "condition": condition,
            "approximateInvokeCount": 4,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "functionError": condition},
        "responsePayload": response,
    }
    return json.dumps(envelope, ensure_ascii=False)


def asked_again(*reasons: str) -> str:
    """The error document of a function that asked for a redelivery."""
    verdicts = [{"key": "k", "verdict": "retry" if reason else "applied", "reason": reason} for reason in reasons]
    return json.dumps({"errorType": "RetryRecords", "errorMessage": json.dumps({"verdicts": verdicts})})


def arrived(*bodies: str, queue: str = "dead-letters") -> bytes:
    """A batch from the queue of dead letters."""
    return json.dumps([queue_event(body, queue, f"dl-m-{n}") for n, body in enumerate(bodies)]).encode()


TIMER = '{"triggerTime":"2026-03-02T12:00:00Z","triggerName":"every-minute","payload":""}'
FORMS = {
    "stream": (json.dumps(queue_event(ORDER)), ("orders", "orders", "retries_exhausted", "queue_event", "order.new")),
    "poke": (json.dumps(queue_event('{"type":"outbox.poke"}', "outbox")),
             ("relay", "outbox", "retries_exhausted", "queue_event", "outbox.poke")),
    "unreadable body in a known queue": (json.dumps(queue_event("no json", "usage")),
                                         ("billing", "usage", "retries_exhausted", "queue_event", "usage")),
    "raw data": (json.dumps({"requestId": "r", "messageId": "m", "messageBody": ORDER}),
                 ("orders", "", "retries_exhausted", "message", "order.new")),
    "bare body": (ORDER, ("orders", "", "retries_exhausted", "message", "order.new")),
    "bare body in base64": (base64.b64encode(ORDER.encode()).decode(),
                            ("orders", "", "retries_exhausted", "message", "order.new")),
    "bus, port": (json.dumps(call("ConfirmPhysicalConnection")),
                  ("port_events", "crossport-tenants", "retries_exhausted", "cloud_event",
                   "ConfirmPhysicalConnection")),
    "bus, VBR": (json.dumps(call("AttachVbrToVpconn")),
                 ("vbr_events", "crossport-tenants", "retries_exhausted", "cloud_event", "AttachVbrToVpconn")),
    "bus, other": (json.dumps(call("CreateVpc")),
                   ("", "crossport-tenants", "retries_exhausted", "cloud_event", "CreateVpc")),
    "timer, failed": (destination(TIMER, '{"errorMessage":"boom","errorType":"ValueError"}'),
                      ("relay", "every-minute", "function_failed", "destination", "every-minute")),
    "timer, too slow": (destination(TIMER, '{"errorMessage":"Function timed out after 60 seconds"}'),
                        ("relay", "every-minute", "function_timed_out", "destination", "every-minute")),
    "asked again": (destination(json.dumps([queue_event(ORDER)]), asked_again("", "order_unknown"), "orders"),
                    ("orders", "orders", "order_unknown", "destination", "order.new")),
    "batch": (json.dumps([queue_event(ORDER), queue_event(ORDER, message_id="m-2")]),
              ("orders", "orders", "retries_exhausted", "batch", "order.new")),
    "text": ("Hello?", ("", "", "unreadable", "unreadable", "")),
    "nothing": ("", ("", "", "unreadable", "unreadable", "")),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_classified_and_keeps_its_bytes(form: str) -> None:
    body, expected = FORMS[form]
    (opened,) = open_letters(arrived(body))
    letter = letter_of(opened.body, NOW)
    assert letter.body == body.encode()
    assert (letter.function, letter.source, letter.cause, letter.form, letter.name) == expected


def test_a_letter_without_a_message_around_it_is_kept_as_it_came() -> None:
    for body in (destination(TIMER, "{}"), json.dumps(call("CreateVpc")), "\x00 no json", '["a", {"b": 1}]'):
        assert [one.body for one in open_letters(body.encode())] == elements(body.encode())
    assert [one.body for one in open_letters(b"\xff\xfe")] == [b"\xff\xfe"]


def test_elements_are_the_bytes_between_the_commas() -> None:
    parts = [b'{"a": [1,2 ,{"b":"]," }]}', b"1.50", '"中\\u4e2d, "'.encode(), b"{ }"]
    assert elements(b" [" + b" ,\n".join(parts) + b" ] ") == parts
    for odd in (b"[1,", b"[1] x", b"[]", b"", b"{}", b"[1 2]", b"[1,]"):
        assert len(elements(odd)) == 1


def test_half_a_character_in_an_escape_is_not_replaced() -> None:
    event = json.dumps([queue_event("\ud800\x00", "dead-letters")]).encode()
    (opened,) = open_letters(event)
    assert opened.body == "\ud800\x00".encode("utf-8", "surrogatepass")


def test_what_a_destination_reports_is_replayed_as_the_function_got_it() -> None:
    got = json.dumps([queue_event(ORDER)], indent=1)
    letter = letter_of(destination(got, "{}").encode(), NOW)
    assert input_of(letter) == got.encode()
    assert input_of(letter_of(ORDER.encode(), NOW)) == ORDER.encode()


def test_one_record_in_other_wrapping_is_the_same_letter_and_another_record_is_not() -> None:
    first, second = queue_event(ORDER), queue_event(ORDER)
    second["data"]["requestId"], second["time"] = "another", "2026-03-02T12:00:00Z"
    assert key(json.dumps(first)) == key(json.dumps(second, indent=2))
    assert key(json.dumps(first)) != key(json.dumps(queue_event(ORDER, message_id="m-2")))
    assert key(json.dumps(first)) != key(json.dumps(queue_event(ORDER + " ", "usage")))
    assert key("Hello?") != key("Hello!")


def key(body: str) -> str:
    return letter_of(body.encode(), NOW).key


# --- Functions --------------------------------------------------------------------------------------------------


class Outage:
    """A store that can be switched off."""

    def __init__(self, behind: MemoryStore) -> None:
        self.behind = behind
        self.down = False

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise StoreUnavailableError("no store")
        return getattr(self.behind, name)


class World:
    """One function on a store in memory."""

    def __init__(self, run: Run = keep_dead_letters, **given: Any) -> None:
        self.memory = MemoryStore(now=lambda: NOW)
        self.store = Outage(self.memory)
        own: dict[str, Any] = {"opens": open_letters, "gives_up": False} if run is keep_dead_letters else {}
        name = "dead_letters" if own else "orders"
        self.handler: Handler
        self.handler, _, _ = function(name, run, environ=ENVIRON, wire=self.wire, **own, **given)

    def wire(self, settings: Settings, environ: Any) -> App:
        return App(
            settings=settings,
            clock=SimpleNamespace(now=lambda: NOW),
            ids=RandomIds(),
            environ=environ,
            given_store=self.store,
            given_policies=FixedPolicies(Policy(account_id=PARTNER, max_attempts=3)),
        )

    def verdicts(self, event: bytes) -> list[tuple[str, str]]:
        try:
            answer = self.handler(event, CONTEXT)
        except RetryRecords as error:
            answer = str(error)
        return [(one["verdict"], one["reason"]) for one in json.loads(answer)["verdicts"]]

    def letters(self) -> list[DeadLetter]:
        return list(self.memory.state.letters.values())

    def alerts(self) -> list[dict[str, Any]]:
        rows = [entry.row for entry in self.memory.state.outbox.values()]
        assert {row.target for row in rows} <= {"queue:notices"}
        return [dict(row.payload) for row in rows]


def test_the_function_keeps_each_letter_once_and_alerts_once_for_a_cause() -> None:
    world = World()
    failed = [destination(TIMER.replace("12:0", f"12:{n}"), '{"errorMessage":"boom"}') for n in range(3)]
    assert world.verdicts(arrived(*failed, ORDER)) == [("applied", "")] * 4
    assert world.verdicts(arrived(*failed, ORDER)) == [("duplicate", "")] * 4
    assert [letter.body for letter in world.letters()] == [body.encode() for body in (*failed, ORDER)]
    assert {letter.account_id for letter in world.letters()} == {PARTNER}
    told = [(one["details"]["function"], one["details"]["cause"], one["account_id"]) for one in world.alerts()]
    assert told == [("relay", "function_failed", PARTNER), ("orders", "retries_exhausted", PARTNER)]
    assert len(world.memory.state.audit) == 4


def test_a_letter_that_cannot_be_kept_stays_in_the_queue() -> None:
    world = World()
    world.store.down = True
    assert world.verdicts(arrived(ORDER, "Hello?")) == [("retry", "store_unavailable")] * 2
    world.store.down = False
    assert world.verdicts(arrived(ORDER, "Hello?")) == [("applied", "")] * 2


def bomb(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
    """A use case that a message with the id m-bomb breaks."""
    if any(one.key == "m-bomb" for one in opened):
        raise ZeroDivisionError("a bug")
    return [Ending(key=one.key, verdict=Verdict.APPLIED) for one in opened]


BATCH = [queue_event(ORDER), queue_event('{"type": "order.cease"}', message_id="m-bomb"), queue_event("{}")]


def test_a_record_that_has_been_tried_often_enough_is_kept_and_the_others_go_on() -> None:
    world = World(bomb)
    event = b"[" + b",  ".join(json.dumps(one).encode() for one in BATCH) + b"]"
    for _ in range(2):
        assert world.verdicts(event) == [("applied", ""), ("retry", "internal_error"), ("applied", "")]
    assert world.verdicts(event) == [("applied", ""), ("dead_letter", "internal_error"), ("applied", "")]
    (letter,) = world.letters()
    assert letter.body == json.dumps(BATCH[1]).encode()
    assert (letter.function, letter.source, letter.cause, letter.name) == (
        "orders",
        "orders",
        "internal_error",
        "order.cease",
    )
    (row,) = world.memory.state.audit
    assert (row.key, row.verdict, row.claims) == ("m-bomb", Verdict.DEAD_LETTER, False)
    # The same again is the same letter, told once.
    assert world.verdicts(event)[1] == ("dead_letter", "internal_error")
    assert len(world.letters()) == len(world.alerts()) == 1


def test_an_outage_of_the_store_is_no_try_of_any_record() -> None:
    world = World(bomb)
    event = json.dumps(BATCH).encode()
    world.verdicts(event)
    world.store.down = True
    for _ in range(5):
        assert world.verdicts(event)[1] == ("retry", "internal_error")
    world.store.down = False
    assert world.verdicts(event)[1] == ("retry", "internal_error")
    assert world.verdicts(event)[1] == ("dead_letter", "internal_error")


@pytest.mark.parametrize("reason", ["store_unavailable", "send_failed", "not_configured"])
def test_what_passes_by_itself_is_waited_for(reason: str) -> None:
    def waits(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
        return [Ending(key=one.key, verdict=Verdict.RETRY, reason=reason) for one in opened]

    world = World(waits)
    for _ in range(10):
        assert world.verdicts(arrived(ORDER, queue="orders")) == [("retry", reason)]
    assert world.letters() == []


def test_what_a_use_case_gives_up_itself_is_kept_at_once_or_comes_again() -> None:
    def broken(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
        return [Ending(key=one.key, verdict=Verdict.DEAD_LETTER, reason="integrity_conflict") for one in opened]

    world = World(broken)
    event = json.dumps(call("ConfirmPhysicalConnection")).encode()
    world.store.down = True
    assert world.verdicts(event) == [("retry", "store_unavailable")]
    world.store.down = False
    assert world.verdicts(event) == [("dead_letter", "integrity_conflict")]
    (letter,) = world.letters()
    assert (letter.body, letter.details["origin_account_id"]) == (event, TENANT)
    # The use case has written its own row.
    assert world.memory.state.audit == []


def test_records_in_one_element_are_kept_with_it() -> None:
    def waits(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
        return [Ending(key=one.key, verdict=Verdict.RETRY, reason="contended") for one in opened]

    world = World(waits)
    inner = json.dumps([call("ConfirmPhysicalConnection"), call("DeletePhysicalConnection", id="e-2")])
    event = json.dumps([queue_event(inner)]).encode()
    for _ in range(3):
        world.verdicts(event)
    (letter,) = world.letters()
    assert letter.body == event[1:-1]
    assert letter.details["records"] == 2
