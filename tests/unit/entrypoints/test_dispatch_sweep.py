"""What the function ``reconcile`` runs: ticks of its timer, and shards that it has started itself."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from crossport.application.errors import FunctionUnavailableError
from crossport.domain.sweep import slot_of
from crossport.domain.vocabulary import Phase
from crossport.entrypoints.dispatch import sweep
from crossport.entrypoints.envelope import open_envelope
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import App
from tests.fakes.memory_cloud import THROTTLED
from tests.fakes.partner_world import CIRCUIT, PARTNER, REGION, PartnerWorld

INVOCATION = Invocation(function="reconcile", request_id="r-1", deadline=540.0, now=lambda: 0.0)


class Taken:
    """``application.ports.Tasks`` that keeps what it is given."""

    def __init__(self) -> None:
        self.down = False
        self.payloads: list[bytes] = []

    def start(self, function: str, payload: bytes, *, task_id: str) -> bool:
        if self.down:
            raise FunctionUnavailableError("away")
        self.payloads.append(payload)
        return True


@pytest.fixture
def world() -> PartnerWorld:
    return PartnerWorld()


@pytest.fixture
def functions() -> Taken:
    return Taken()


@pytest.fixture
def app(world: PartnerWorld, functions: Taken) -> App:
    settings = Settings(database_url="sqlite:////nowhere/x.db", region=REGION)
    app = App(settings=settings, clock=world.clock, ids=world.ids, environ={}, given_tasks=functions)
    app.given_store, app.given_policies, app.given_cloud = world.store, world.policies, world.cloud
    return app


def run(app: App, *events: Any, invocation: Invocation = INVOCATION) -> list[tuple[str, str, str]]:
    """Verdict, reason and name of each record."""
    opened = [one for event in events for one in open_envelope(json.dumps(event).encode())]
    return [(str(ending.verdict), ending.reason, ending.name) for ending in sweep(app, opened, invocation)]


def tick(world: PartnerWorld, late: timedelta = timedelta(0)) -> dict[str, str]:
    """The event of the timer; it may come late."""
    at = world.clock.now() - late
    return {"triggerTime": f"{at:%Y-%m-%dT%H:%M:%SZ}", "triggerName": "every-ten-minutes", "payload": ""}


def test_a_tick_starts_shards_and_a_shard_finds_what_no_event_told(
    app: App, world: PartnerWorld, functions: Taken
) -> None:
    port_id = world.provisioned()
    world.cloud.accept(port_id)
    world.clock.advance(timedelta(minutes=10))
    assert run(app, tick(world)) == [("applied", "", "every-ten-minutes")]
    (payload,) = functions.payloads
    assert json.loads(payload)["circuit_ids"] == [CIRCUIT]
    assert run(app, json.loads(payload)) == [("applied", "", "reconcile.circuits")]
    assert world.phase() is Phase.ACCEPTED
    assert run(app, json.loads(payload)) == [("ignored", "nothing_due", "reconcile.circuits")]
    assert run(app, tick(world)) == [("ignored", "nothing_due", "every-ten-minutes")]


def test_a_late_tick_belongs_to_the_slot_in_which_it_was_due(app: App, world: PartnerWorld, functions: Taken) -> None:
    due = slot_of(world.clock.now())
    world.clock.advance(timedelta(minutes=12))
    run(app, tick(world, late=timedelta(minutes=12)))
    assert [json.loads(payload)["slot"] for payload in functions.payloads] == [due.isoformat()]


def test_a_list_that_breaks_off_is_said_so_and_not_tried_again(app: App, world: PartnerWorld, functions: Taken) -> None:
    run(app, tick(world))
    world.cloud.script("list_ports", THROTTLED)
    assert run(app, json.loads(functions.payloads[0])) == [("applied", "incomplete", "reconcile.circuits")]


def test_without_time_nothing_is_begun(app: App, world: PartnerWorld, functions: Taken) -> None:
    run(app, tick(world))
    short = Invocation(function="reconcile", request_id="r", deadline=21.0, now=lambda: 0.0)
    assert run(app, json.loads(functions.payloads[0]), invocation=short) == [
        ("ignored", "nothing_due", "reconcile.circuits")
    ]
    assert world.cloud.calls == []


def test_shards_that_cannot_be_started_are_asked_for_again(app: App, world: PartnerWorld, functions: Taken) -> None:
    functions.down = True
    assert run(app, tick(world)) == [("retry", "function_unavailable", "every-ten-minutes")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"circuit_ids": []}, "out_of_range"),
        ({"slot": "yesterday"}, "malformed"),
        ({"type": "order.cease"}, "missing_field"),
        ({"type": "outbox.poke"}, "unknown_field"),
        ({"extra": 1}, "unknown_field"),
    ],
)
def test_what_is_no_shard_is_refused(app: App, world: PartnerWorld, change: dict[str, Any], reason: str) -> None:
    shard = {
        "type": "reconcile.circuits",
        "version": 1,
        "account_id": PARTNER,
        "region": REGION,
        "slot": "2026-03-01T12:00:00Z",
        "circuit_ids": [CIRCUIT],
    }
    ((verdict, said, _),) = run(app, {**shard, **change})
    assert (verdict, said) == ("rejected", reason)
    assert len(world.memory.state.audit) == 1
