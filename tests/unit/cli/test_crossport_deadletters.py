"""``crossport deadletters``: shown safely, sent again or put aside only when somebody says so."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crossport.adapters.fc import FunctionRefusedError
from crossport.adapters.store.open import open_store
from crossport.application.dead_letters import keep
from crossport.application.errors import FunctionUnavailableError
from crossport.application.ports import FunctionAnswer
from crossport.cli import deadletters
from crossport.domain.errors import CrossportError
from crossport.domain.policy import Policy
from crossport.entrypoints.letters import letter_of
from tests.fakes.partner_world import FixedPolicies

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PERSON = ("--actor", "ops", "--reason", "fixed the parser")
NASTY = b'{"type": "order.cease", "x": "\x1b[2J\xe2\x80\xae\r\n' + "\u4e2d".encode() + b'\xff"}'
BODIES = (b'{"type": "order.new"}', b'{"type": "usage.reported"}', NASTY)


@pytest.fixture
def kept(empty: str) -> tuple[str, list[str]]:
    """A database with three letters, and their ids, oldest first."""
    ids = []
    with open_store(empty) as store:
        for number, body in enumerate(BODIES):
            cause = "internal_error" if number else "order_unknown"
            letter = letter_of(body, NOW + timedelta(minutes=number), cause=cause)
            keep(letter, store=store, policies=FixedPolicies(Policy(account_id="1")))
            ids.append(letter.key)
    return empty, ids


@dataclass
class Compute:
    """Function Compute that gives the answers that it was told to."""

    answers: list[FunctionAnswer | CrossportError] = field(default_factory=list)
    invoked: list[tuple[str, bytes]] = field(default_factory=list)

    def invoke(self, function: str, payload: bytes) -> FunctionAnswer:
        self.invoked.append((function, payload))
        answer = self.answers.pop(0) if self.answers else says("applied")
        if isinstance(answer, CrossportError):
            raise answer
        return answer


def says(verdict: str, reason: str = "") -> FunctionAnswer:
    return FunctionAnswer(payload=json.dumps({"verdicts": [{"verdict": verdict, "reason": reason}]}).encode())


def asks_again(reason: str) -> FunctionAnswer:
    answer = json.dumps({"verdicts": [{"verdict": "retry", "reason": reason}]})
    document = {"errorType": "RetryRecords", "errorMessage": answer}
    return FunctionAnswer(payload=json.dumps(document).encode(), error_type="UnhandledInvocationError")


@pytest.fixture
def compute(monkeypatch: pytest.MonkeyPatch) -> Compute:
    """What every replay of the test reaches."""
    made = Compute()
    monkeypatch.setattr(deadletters, "_functions", lambda _region, _endpoint: made)
    return made


def states(run: Run, db: str) -> dict[str, str]:
    return {row["key"]: row["state"] for row in run("deadletters", "list", "--state", "all", "--db", db, "--json").json}


def test_letters_are_listed_by_state_cause_and_function(run: Run, kept: tuple[str, list[str]]) -> None:
    db, ids = kept
    listed = run("deadletters", "list", "--db", db, "--json").json
    assert [row["key"] for row in listed] == ids
    assert [row["size"] for row in listed] == [len(body) for body in BODIES]
    for options, expected in (
        (("--cause", "order_unknown"), ids[:1]),
        (("--function", "billing"), ids[1:2]),
        (("--state", "replayed"), []),
    ):
        assert [row["key"] for row in run("deadletters", "list", *options, "--db", db, "--json").json] == expected
    table = run("deadletters", "list", "--db", db).out
    assert all(key in table for key in ids)
    assert run("deadletters", "list", "--state", "lost", "--db", db).code == 2


def test_a_letter_is_shown_so_that_it_does_nothing_to_a_terminal(run: Run, kept: tuple[str, list[str]]) -> None:
    db, ids = kept
    shown = run("deadletters", "show", ids[2], "--db", db).out
    assert r"\x1b[2J\u202e\r\n" in shown
    assert "\u4e2d" in shown
    assert r"\xff" in shown
    assert {sign for sign in shown if not sign.isprintable()} == {"\n"}
    assert run("deadletters", "show", "dl-none", "--db", db).code == 1


def test_a_long_letter_is_cut_unless_all_of_it_is_asked_for(run: Run, empty: str) -> None:
    letter = letter_of(b"x" * 5_000, NOW)
    with open_store(empty) as store:
        keep(letter, store=store, policies=FixedPolicies())
    assert "characters more: --full" in run("deadletters", "show", letter.key, "--db", empty).out
    assert "x" * 5_000 in run("deadletters", "show", letter.key, "--full", "--db", empty).out


def test_the_bytes_leave_exactly_as_they_came(run: Run, kept: tuple[str, list[str]], tmp_path: Path) -> None:
    db, ids = kept
    file = tmp_path / "letter"
    told = run("deadletters", "show", ids[2], "--output", file, "--db", db, "--json").json
    assert file.read_bytes() == base64.b64decode(told["body_base64"]) == NASTY
    assert run("deadletters", "show", ids[2], "--output", file, "--db", db).code == 2


@pytest.mark.parametrize("command", ["replay", "discard"])
def test_nothing_is_done_unless_somebody_says_so(
    run: Run, kept: tuple[str, list[str]], compute: Compute, command: str
) -> None:
    db, ids = kept
    told = run("deadletters", command, "--all", "--db", db)
    assert told.code == 0
    assert "dry run" in told.out
    assert compute.invoked == []
    assert set(states(run, db).values()) == {"kept"}
    assert run("deadletters", command, "--all", "--yes", "--db", db).code == 2
    assert run("deadletters", command, "--all", "--yes", "--actor", "ops", "--reason", " ", "--db", db).code == 2
    assert run("deadletters", command, "--db", db).code == 2
    assert run("deadletters", command, ids[0], "--all", "--db", db).code == 2
    assert run("deadletters", command, "dl-none", "--db", db).code == 1


def test_letters_go_to_their_functions_oldest_first(run: Run, kept: tuple[str, list[str]], compute: Compute) -> None:
    db, ids = kept
    told = run("deadletters", "replay", "--all", "--yes", *PERSON, "--db", db)
    assert compute.invoked == [("orders", BODIES[0]), ("billing", BODIES[1])]
    # Nobody can tell whose the third is.
    assert told.code == 1
    assert "2 of 3 replayed" in told.out
    assert states(run, db) == {ids[0]: "replayed", ids[1]: "replayed", ids[2]: "kept"}


def test_what_a_function_does_not_take_stays(run: Run, kept: tuple[str, list[str]], compute: Compute) -> None:
    db, ids = kept
    compute.answers = [
        asks_again("order_unknown"),
        FunctionUnavailableError("no answer came"),
        FunctionRefusedError("function orders: FunctionNotFound (404)"),
    ]
    told = run("deadletters", "replay", "--all", "--to", "orders", "--yes", *PERSON, "--db", db, "--json")
    assert told.code == 1
    assert [row["outcome"] for row in told.json["letters"]] == ["not taken"] * 3
    reasons = [row["reason"] for row in told.json["letters"]]
    assert reasons[0] == "retry, order_unknown"
    assert reasons[1].startswith("function_unavailable")
    assert reasons[2].startswith("function_refused")
    assert set(states(run, db).values()) == {"kept"}
    assert [function for function, _ in compute.invoked] == ["orders"] * 3
    assert ids[0] in told.out


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (says("duplicate"), True),
        (says("ignored", "foreign_circuit"), True),
        (says("rejected", "vlan_taken"), True),
        (says("dead_letter", "internal_error"), False),
        (FunctionAnswer(payload=b"no json"), False),
        (FunctionAnswer(payload=b'{"verdicts": []}'), False),
        (FunctionAnswer(payload=b'{"errorMessage": "boom"}', error_type="UnhandledInvocationError"), False),
    ],
)
def test_a_letter_is_settled_when_its_function_has_given_its_verdict(
    run: Run, kept: tuple[str, list[str]], compute: Compute, answer: FunctionAnswer, taken: bool
) -> None:
    db, ids = kept
    compute.answers = [answer]
    told = run("deadletters", "replay", ids[0], "--yes", *PERSON, "--db", db)
    assert told.code == (0 if taken else 1)
    assert states(run, db)[ids[0]] == ("replayed" if taken else "kept")


def test_a_letter_that_names_no_function_waits_for_a_person_to_say(run: Run, empty: str, compute: Compute) -> None:
    letter = letter_of(b"Hello?", NOW)
    with open_store(empty) as store:
        keep(letter, store=store, policies=FixedPolicies())
    assert run("deadletters", "replay", letter.key, "--yes", *PERSON, "--db", empty).code == 1
    assert compute.invoked == []
    assert run("deadletters", "replay", letter.key, "--to", "orders", "--yes", *PERSON, "--db", empty).code == 0
    assert compute.invoked == [("orders", b"Hello?")]


def test_a_discarded_letter_keeps_its_bytes_and_can_be_replayed_by_name(
    run: Run, kept: tuple[str, list[str]], compute: Compute
) -> None:
    db, ids = kept
    assert run("deadletters", "discard", "--cause", "order_unknown", "--yes", *PERSON, "--db", db).code == 0
    assert states(run, db) == {ids[0]: "discarded", ids[1]: "kept", ids[2]: "kept"}
    run("deadletters", "replay", "--all", "--yes", *PERSON, "--db", db)
    assert states(run, db)[ids[0]] == "discarded"
    assert run("deadletters", "replay", ids[0], "--yes", *PERSON, "--db", db).code == 0
    assert compute.invoked[-1] == ("orders", BODIES[0])
    assert states(run, db)[ids[0]] == "replayed"


def test_a_replay_needs_a_region_and_a_key(
    run: Run, kept: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, _ = kept
    for name in ("CROSSPORT_REGION", "CROSSPORT_FC_ENDPOINT", "ALIBABA_CLOUD_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    assert run("deadletters", "replay", "--all", "--yes", *PERSON, "--db", db).code == 2
    missing = run("deadletters", "replay", "--all", "--yes", *PERSON, "--region", "us-east-1", "--db", db)
    assert missing.code == 1
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in missing.err
