"""What every engine promises when several workers want the same: exactly one winner, and no deadlock that shows.

Each worker is a process with a store of its own and goes round until it is decided, as handlers do.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest

from crossport.adapters.store.open import open_store
from crossport.adapters.store.sql_store import SqlStore
from crossport.application.ports import Save, SaveOutcome
from crossport.domain.circuit import Circuit
from crossport.domain.orders import Hold
from tests.contract.store_examples import (
    CIRCUIT,
    MINUTE,
    NOW,
    command,
    connection,
    event,
    save,
    saved,
    stored,
    take,
    with_port,
)
from tests.effort import size

SAVED, LOST, DUPLICATE = SaveOutcome.SAVED, SaveOutcome.LOST, SaveOutcome.DUPLICATE
#: In ``make test`` few and many of them; as proof 2 to 8 in turn, for so many races of each kind on each engine.
ROUNDS = size("RACES", 0)
WORKERS = [2 + number % 7 for number in range(ROUNDS)] or [2, 8]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue({"sqlite": "database", "postgresql": "postgresql_url"}[request.param])
    return found


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with open_store(url) as store:
        store.put_circuit(CIRCUIT, actor="test", reason="example", at=NOW)
        yield store


def race(url: str, workers: int, run: Callable[[SqlStore, int], Any]) -> list[Any]:
    """What each worker, a process of its own, returns; they begin together."""
    context = get_context("fork")
    line = context.Barrier(workers)
    pipes = [context.Pipe(duplex=False) for _ in range(workers)]
    runners = [
        context.Process(target=_work, args=(url, run, number, line, pipe[1])) for number, pipe in enumerate(pipes)
    ]
    with warnings.catch_warnings():
        # Python warns of a fork beside threads. No thread of ours holds a lock, and the child touches nothing of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        for runner in runners:
            runner.start()
    for _, end in pipes:
        end.close()
    ends = [receiver.recv() for receiver, _ in pipes]
    for runner in runners:
        runner.join()
    failed = [told for fine, told in ends if not fine]
    assert not failed, failed[0]
    return [told for _, told in ends]


def _work(url: str, run: Callable[[SqlStore, int], Any], number: int, line: Barrier, pipe: Connection) -> None:
    """A worker's life. It ends at once: what it has inherited from its parent is not its own to close."""
    try:
        with open_store(url) as mine:
            mine.get("conn-1")
            line.wait(30)
            pipe.send((True, run(mine, number)))
    except BaseException:  # noqa: BLE001  # whatever it is, the parent must hear of it
        pipe.send((False, traceback.format_exc()))
    finally:
        pipe.close()
        os._exit(0)


def _circuit(store: SqlStore) -> Circuit:
    circuit = store.circuit(CIRCUIT.circuit_id)
    assert circuit is not None
    return circuit


def _order(worker: SqlStore, number: int, vlan_id: int, mbps: int) -> str:
    """Order until it is won, or the circuit has no room."""
    of = connection(number, vlan_id=vlan_id)
    held = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=vlan_id, mbps=mbps, connection_id=of.connection_id)
    while True:
        circuit = _circuit(worker)
        if not circuit.is_free(vlan_id) or circuit.held_mbps + mbps > circuit.bandwidth_mbps:
            return "refused"
        if worker.save([save(of, hold=held, circuit=circuit.hold(vlan_id, mbps))])[0] is SAVED:
            return "won"


@pytest.mark.parametrize("workers", WORKERS)
def test_many_orders_for_one_vlan_are_won_once(url: str, store: SqlStore, workers: int) -> None:
    ends = race(url, workers, lambda worker, number: _order(worker, number, 0, 50))
    assert Counter(ends) == {"won": 1, "refused": workers - 1}
    assert (_circuit(store).held_mbps, _circuit(store).vlan_bitmap) == (50, 1)


@pytest.mark.parametrize("workers", WORKERS)
def test_the_last_bandwidth_is_won_once(url: str, store: SqlStore, workers: int) -> None:
    ends = race(url, workers, lambda worker, number: _order(worker, number, number, 600))
    assert Counter(ends) == {"won": 1, "refused": workers - 1}
    assert _circuit(store).held_mbps == 600


@pytest.mark.parametrize("workers", WORKERS)
def test_one_order_that_comes_to_all_is_one_connection(url: str, store: SqlStore, workers: int) -> None:
    ends = race(url, workers, lambda worker, number: worker.save([save(connection(1), inputs=(event("o1"),))])[0])
    assert Counter(ends) == {SAVED: 1, LOST: workers - 1}
    assert stored(store).version == 1


@pytest.mark.parametrize("workers", WORKERS)
def test_no_event_of_one_connection_is_lost_or_doubled(url: str, store: SqlStore, workers: int) -> None:
    """Every event is delivered to two workers; each must be taken exactly once and each save must count.

    Where the workers are odd in number, the last one's events are delivered once.
    """
    saved(store, save(connection(1)))

    def deliver(worker: SqlStore, number: int) -> list[SaveOutcome]:
        ends = []
        for n in range(4):
            end = LOST
            while end is LOST:
                seen = stored(worker)
                mine = replace(seen.connection, customer_reference=seen.connection.customer_reference + "x")
                (end,) = worker.save([save(mine, seen, inputs=(event(f"e{number // 2}/{n}"),))])
            ends.append(end)
        return ends

    ends = Counter(end for ends in race(url, workers, deliver) for end in ends)
    events = 4 * ((workers + 1) // 2)
    assert ends == {SAVED: events, DUPLICATE: 4 * workers - events}
    assert stored(store).connection.customer_reference == "x" * events
    assert stored(store).version == events + 1


@pytest.mark.parametrize("workers", WORKERS)
def test_batches_that_overlap_in_every_order(url: str, store: SqlStore, workers: int) -> None:
    """Each worker adds its mark to six connections at once, half of the workers from the other end."""
    saved(store, *(save(connection(number)) for number in range(6)))

    def mark(worker: SqlStore, number: int) -> None:
        waiting = sorted(range(6), reverse=bool(number % 2))
        while waiting:
            saves: list[Save] = []
            for n in waiting:
                seen = stored(worker, f"conn-{n}")
                mine = replace(seen.connection, customer_reference=seen.connection.customer_reference + "x")
                saves.append(save(mine, seen, inputs=(event(f"{number}/{n}"),)))
            ends = worker.save(saves)
            assert DUPLICATE not in ends
            waiting = [n for n, end in zip(waiting, ends, strict=True) if end is LOST]

    race(url, workers, mark)
    for n in range(6):
        assert stored(store, f"conn-{n}").connection.customer_reference == "x" * workers
    assert len(store.load(keys=[f"{number}/{n}" for number in range(workers) for n in range(6)]).inbox) == 6 * workers


@pytest.mark.parametrize("workers", WORKERS)
def test_one_key_for_two_connections_is_taken_by_one(url: str, store: SqlStore, workers: int) -> None:
    """Two batches claim the same keys for different connections: one has all of them, or each has some."""
    saved(store, *(save(connection(number)) for number in range(2 * workers)))
    seen = stored(store, "conn-0").version

    def claim(worker: SqlStore, number: int) -> list[SaveOutcome]:
        mine = [2 * number, 2 * number + 1]
        keys = sorted(("a", "b"), reverse=bool(number % 2))
        batch = [
            replace(save(connection(n)), version=seen, inputs=(event(key),)) for n, key in zip(mine, keys, strict=True)
        ]
        return list(worker.save(batch))

    ends = Counter(end for ends in race(url, workers, claim) for end in ends)
    assert ends == {SAVED: 2, DUPLICATE: 2 * workers - 2}
    moved = [n for n in range(2 * workers) if stored(store, f"conn-{n}").version == 2]
    assert len(moved) == 2


@pytest.mark.parametrize("workers", WORKERS)
def test_a_row_is_leased_to_one_worker(url: str, store: SqlStore, workers: int) -> None:
    keys = {f"c{n}" for n in range(5 * workers)}
    saved(store, save(connection(1), outbox=tuple(command(key) for key in sorted(keys))))

    def work(worker: SqlStore, number: int) -> list[str]:
        found = []
        while mine := take(worker, lease=f"w{number}", limit=3):
            found.extend(mine)
        return found

    taken = [key for worker in race(url, workers, work) for key in worker]
    # A worker may find nothing while another one has not committed yet; nobody finds what another one has.
    assert len(taken) == len(set(taken))
    assert set(taken) | set(take(store, limit=100)) == keys


@pytest.mark.parametrize("workers", WORKERS)
def test_one_seals_at_a_time(url: str, store: SqlStore, workers: int) -> None:
    from tests.contract.store_examples import billing_record

    saved(store, save(with_port(connection(1)), records=tuple(billing_record(n) for n in range(1, 9))))

    def seal(worker: SqlStore, number: int) -> int:
        return worker.seal(now=NOW, holder=f"w{number}", lease_for=MINUTE, limit=10)

    assert sorted(race(url, workers, seal)) == [0] * (workers - 1) + [8]
