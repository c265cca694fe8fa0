"""The sweep: a tick starts shards, a shard reconciles its circuits, and what was lost is begun with next time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.application.errors import FunctionUnavailableError
from crossport.application.sweep import SHORTEST, Started, message_of, run_shard, start_shards
from crossport.domain.sweep import SLOT, Shard, slot_of
from crossport.domain.vocabulary import Phase
from tests.fakes.memory_cloud import THROTTLED
from tests.fakes.partner_world import CIRCUIT, PARTNER, START, PartnerWorld

TIME = timedelta(minutes=8)


class Taken:
    """``application.ports.Tasks`` that keeps what it is given; ``down`` refuses the next calls."""

    def __init__(self, down: int = 0) -> None:
        self.down = down
        self.shards: dict[str, dict[str, Any]] = {}

    def start(self, function: str, payload: bytes, *, task_id: str) -> bool:
        assert function == "reconcile"
        if self.down:
            self.down -= 1
            raise FunctionUnavailableError("the service is away")
        new = task_id not in self.shards
        self.shards.setdefault(task_id, json.loads(payload))
        return new


def tick(world: PartnerWorld, functions: Taken) -> Started:
    """One tick of the timer."""
    return start_shards(world.clock.now(), store=world.store, policies=world.policies, tasks=lambda: functions)


def run(world: PartnerWorld, shard: Shard, time: timedelta = TIME) -> list[str]:
    """One invocation of a shard; the circuits that it has reconciled."""
    reports = run_shard(
        shard,
        store=world.store,
        cloud=lambda: world.cloud,
        policies=world.policies,
        clock=world.clock,
        until=world.clock.now() + time,
    )
    return [report.circuit.circuit_id for report in reports]


def add_circuits(world: PartnerWorld, names: Iterable[str], account_id: str = PARTNER) -> None:
    for name in names:
        world.add_circuit(name, account_id=account_id)


def test_a_tick_starts_what_has_no_complete_run_in_its_slot(world: PartnerWorld) -> None:
    functions = Taken()
    started = tick(world, functions)
    (shard,) = started.shards
    assert (shard.circuit_ids, started.slot, started.known) == ((CIRCUIT,), slot_of(START), 0)
    assert json.loads(message_of(shard)) == next(iter(functions.shards.values()))
    assert run(world, shard) == [CIRCUIT]
    assert tick(world, functions).shards == ()
    world.clock.advance(SLOT)
    assert len(tick(world, functions).shards) == 1
    assert len(functions.shards) == 2


def test_a_tick_that_comes_twice_starts_nothing_twice(world: PartnerWorld) -> None:
    functions = Taken()
    first, again = tick(world, functions), tick(world, functions)
    assert (first.shards, again.known) == (again.shards, 1)
    assert len(functions.shards) == 1


def test_what_was_polled_moves_the_connection(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.cloud.accept(port_id)
    world.clock.advance(SLOT)
    (shard,) = tick(world, Taken()).shards
    run(world, shard)
    assert world.phase() is Phase.ACCEPTED


def never_started(world: PartnerWorld, functions: Taken) -> None:
    functions.down = 1
    assert tick(world, functions).refused == "the service is away"


def killed(world: PartnerWorld, functions: Taken) -> None:
    tick(world, functions)


def broke_off(world: PartnerWorld, functions: Taken) -> None:
    world.cloud.script("list_ports", THROTTLED)
    (shard,) = tick(world, functions).shards
    run(world, shard)


def out_of_time(world: PartnerWorld, functions: Taken) -> None:
    (shard,) = tick(world, functions).shards
    assert run(world, shard, SHORTEST / 2) == []


@pytest.mark.parametrize("lost", [never_started, killed, broke_off, out_of_time])
def test_a_lost_shard_is_picked_up_by_the_next_tick(
    world: PartnerWorld, lost: Callable[[PartnerWorld, Taken], None]
) -> None:
    functions = Taken()
    lost(world, functions)
    world.clock.advance(SLOT)
    (shard,) = tick(world, functions).shards
    assert run(world, shard) == [CIRCUIT]
    (swept,) = world.store.swept_circuits()
    assert swept.completed_at is not None


def test_a_shard_that_runs_again_goes_on_where_it_stopped(world: PartnerWorld) -> None:
    add_circuits(world, ["pc-a", "pc-b", "pc-z"])
    (shard,) = tick(world, Taken()).shards
    assert set(shard.circuit_ids) == {CIRCUIT, "pc-a", "pc-b", "pc-z"}
    first = replace(shard, circuit_ids=shard.circuit_ids[:2])
    assert run(world, first) == list(first.circuit_ids)
    assert run(world, shard) == list(shard.circuit_ids[2:])
    assert run(world, shard) == []


def test_circuits_of_nobody_are_left_alone(world: PartnerWorld) -> None:
    add_circuits(world, ["pc-foreign"], account_id="9")
    (shard,) = tick(world, Taken()).shards
    assert shard.circuit_ids == (CIRCUIT,)
    assert run(world, replace(shard, circuit_ids=("pc-foreign", "pc-nowhere"))) == []


def test_one_shard_that_cannot_be_started_does_not_keep_the_others(world: PartnerWorld) -> None:
    add_circuits(world, [f"pc-{number:03}" for number in range(60)])
    functions = Taken(down=1)
    started = tick(world, functions)
    assert (len(started.shards), len(functions.shards), started.refused) == (2, 1, "the service is away")
    assert tick(world, functions).known == 1
    assert len(functions.shards) == 2
