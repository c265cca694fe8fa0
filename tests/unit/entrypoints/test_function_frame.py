"""The frame around every function: verdicts out, no exception but RetryRecords."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from crossport.application.endings import Ending
from crossport.application.errors import StoreUnavailableError
from crossport.application.ports import Queue
from crossport.domain.vocabulary import Verdict
from crossport.entrypoints.clock import RandomIds, SystemClock
from crossport.entrypoints.envelope import Opened, open_envelope
from crossport.entrypoints.errors import RetryRecords
from crossport.entrypoints.function import function
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import App

ENVIRON = {"CROSSPORT_DB": "sqlite:////nowhere/x.db", "CROSSPORT_REGION": "us-east-1"}
CONTEXT = SimpleNamespace(request_id="r-1", function=SimpleNamespace(timeout=60))


@dataclass
class Pokes:
    """A queue that remembers, or fails."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    error: Exception | None = None

    def send(self, queue: str, body: str) -> str:
        self.sent.append((queue, body))
        if self.error is not None:
            raise self.error
        return "m-1"


def wire(queue: Queue | None = None) -> Callable[[Settings, Mapping[str, str]], App]:
    return lambda settings, environ: App(
        settings=settings, clock=SystemClock(), ids=RandomIds(), environ=environ, given_poke_queue=queue
    )


def batch(*names: str) -> bytes:
    return json.dumps([{"messageId": name, "messageBody": json.dumps({"type": name})} for name in names]).encode()


def ending(one: Opened, verdict: Verdict = Verdict.APPLIED, reason: str = "") -> Ending:
    return Ending(key=one.key, verdict=verdict, reason=reason, name=one.body["type"])


def all_applied(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
    return [ending(one) for one in opened]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    logging.getLogger("crossport").handlers.clear()


def verdicts(answer: str) -> list[tuple[str, str, str]]:
    return [(one["key"], one["verdict"], one["reason"]) for one in json.loads(answer)["verdicts"]]


def logged(capsys: pytest.CaptureFixture[str], event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line["event"] == event]


def test_answer_has_a_verdict_for_each_record(capsys: pytest.CaptureFixture[str]) -> None:
    handler, _, _ = function("orders", all_applied, environ=ENVIRON, wire=wire())
    answer = json.loads(handler(batch("a", "b"), CONTEXT))
    assert (answer["function"], answer["request_id"]) == ("orders", "r-1")
    assert answer["verdicts"][0] == {
        "key": "a",
        "verdict": "applied",
        "reason": "",
        "pending": "",
        "connection_id": None,
        "name": "a",
    }
    lines = logged(capsys, "record")
    assert [(line["key"], line["verdict"], line["request_id"]) for line in lines] == [
        ("a", "applied", "r-1"),
        ("b", "applied", "r-1"),
    ]


def test_retry_of_one_record_asks_for_the_batch_and_still_says_what_became_of_the_others() -> None:
    def run(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
        return [ending(one, Verdict.RETRY if one.key == "b" else Verdict.APPLIED) for one in opened]

    handler, _, _ = function("orders", run, environ=ENVIRON, wire=wire())
    with pytest.raises(RetryRecords) as caught:
        handler(batch("a", "b"), CONTEXT)
    assert [verdict for _, verdict, _ in verdicts(str(caught.value))] == ["applied", "retry"]


def test_record_that_breaks_the_use_case_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    def run(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
        if any(one.key == "bomb" for one in opened):
            raise ZeroDivisionError("a bug")
        return [ending(one) for one in opened]

    handler, _, _ = function("orders", run, environ=ENVIRON, wire=wire())
    with pytest.raises(RetryRecords) as caught:
        handler(batch("a", "bomb", "c"), CONTEXT)
    assert verdicts(str(caught.value)) == [
        ("a", "applied", ""),
        ("bomb", "retry", "internal_error"),
        ("c", "applied", ""),
    ]
    assert "ZeroDivisionError: a bug" in logged(capsys, "run_failed")[-1]["traceback"]


def test_missing_endings_are_an_internal_error() -> None:
    handler, _, _ = function("orders", lambda _a, _o, _i: [], environ=ENVIRON, wire=wire())
    with pytest.raises(RetryRecords) as caught:
        handler(batch("a"), CONTEXT)
    assert verdicts(str(caught.value)) == [("a", "retry", "internal_error")]


def test_trouble_that_all_records_share_is_met_once() -> None:
    calls = []

    def run(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
        calls.append(len(opened))
        raise StoreUnavailableError("locked")

    handler, _, _ = function("orders", run, environ=ENVIRON, wire=wire())
    with pytest.raises(RetryRecords) as caught:
        handler(batch("a", "b"), CONTEXT)
    assert calls == [2]
    assert {reason for _, _, reason in verdicts(str(caught.value))} == {"store_unavailable"}


def test_no_time_left_means_again_not_killed() -> None:
    now = [0.0]
    calls: list[int] = []

    def run(_app: App, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
        calls.append(len(opened))
        now[0] = invocation.deadline
        raise ValueError("slow and broken")

    invocation = Invocation(function="orders", request_id="", deadline=50.0, now=lambda: now[0])
    from crossport.entrypoints.function import _Frame, _Kind

    frame = _Frame(_Kind("orders", run, frozenset(), False, open_envelope, gives_up=True), ENVIRON, wire())
    opened = [Opened(kind="message", key=key, digest="", body={"type": key}) for key in ("a", "b")]
    endings = frame._endings(opened, invocation)
    assert calls == [2]
    assert [(one.verdict, one.reason) for one in endings] == [(Verdict.RETRY, "out_of_time")] * 2


def test_wrong_settings_keep_the_event() -> None:
    handler, initialize, _ = function("orders", all_applied, environ={}, wire=wire())
    initialize(CONTEXT)
    with pytest.raises(RetryRecords) as caught:
        handler(batch("a"), CONTEXT)
    assert verdicts(str(caught.value)) == [("a", "retry", "settings_invalid")]


def test_initialize_and_pre_stop_never_raise(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_settings: Settings, _environ: Mapping[str, str]) -> App:
        raise RuntimeError("no ports today")

    _, initialize, pre_stop = function("orders", all_applied, environ=ENVIRON, wire=broken)
    initialize(None)
    pre_stop(None)
    assert logged(capsys, "initialize_failed")[0]["reason"] == "internal_error"


@pytest.mark.parametrize("context", [None, object(), SimpleNamespace(request_id=7, function=None)])
def test_context_of_any_runtime(context: Any) -> None:
    handler, _, _ = function("orders", all_applied, environ=ENVIRON, wire=wire())
    assert json.loads(handler(batch("a"), context))["request_id"] == ""


def test_ports_are_made_once_for_a_warm_instance() -> None:
    made = []

    def counting(settings: Settings, environ: Mapping[str, str]) -> App:
        made.append(settings)
        return wire()(settings, environ)

    handler, _, _ = function("orders", all_applied, environ=ENVIRON, wire=counting)
    handler(batch("a"), CONTEXT)
    handler(batch("b"), CONTEXT)
    assert len(made) == 1


def test_poke_follows_what_was_written() -> None:
    queue = Pokes()
    handler, _, _ = function("orders", all_applied, pokes=True, environ=ENVIRON, wire=wire(queue))
    handler(batch("a", "b"), CONTEXT)
    assert queue.sent == [("outbox", '{"type": "outbox.poke", "version": 1}')]


def test_no_poke_when_nothing_was_written() -> None:
    queue = Pokes()

    def run(_app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
        return [ending(one, Verdict.DUPLICATE) for one in opened]

    handler, _, _ = function("orders", run, pokes=True, environ=ENVIRON, wire=wire(queue))
    handler(batch("a"), CONTEXT)
    assert queue.sent == []


@pytest.mark.parametrize("error", [OSError("unplugged"), StoreUnavailableError("x")])
def test_failed_poke_changes_nothing(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    handler, _, _ = function("orders", all_applied, pokes=True, environ=ENVIRON, wire=wire(Pokes(error=error)))
    assert verdicts(handler(batch("a"), CONTEXT)) == [("a", "applied", "")]
    assert len(logged(capsys, "poke_failed")) == 1


def test_invocation_keeps_a_margin_before_the_time_out() -> None:
    now = [100.0]
    invocation = Invocation.of("orders", CONTEXT, now=lambda: now[0])
    assert invocation.remaining().total_seconds() == 57
    now[0] = 200.0
    assert not invocation.remaining()
    short = SimpleNamespace(function=SimpleNamespace(timeout=3))
    assert Invocation.of("orders", short, now=lambda: 0.0).remaining().total_seconds() == 1.5
