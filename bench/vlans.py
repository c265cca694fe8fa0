"""VLAN IDs (P8): what a pick costs, whether a full circuit is slower, and two processes on one circuit."""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench.ours import ordered, put_circuit
from bench.work import ACCOUNT, BEGAN, CIRCUIT, TENANT, Subject
from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.application.ports import Save, SaveOutcome
from crossport.domain.circuit import MAX_VLAN_ID, Circuit
from crossport.domain.orders import Hold
from crossport.domain.vocabulary import Phase

POOL = ((1, MAX_VLAN_ID),)
_PICKS = 20_000


@dataclass(frozen=True, kw_only=True)
class Vlans:
    """``pick`` in seconds at the slowest fill; rates in allocations a second; counts of the two processes."""

    pick: float
    first_tenth: float
    last_tenth: float
    taken: int
    different: int
    lost: int


def picks() -> dict[int, float]:
    """Held VLAN IDs to the seconds of one pick of the lowest free one."""
    empty = Circuit(account_id=ACCOUNT, region="", circuit_id=CIRCUIT, name="", access_point="", line_operator="",
                    bandwidth_mbps=0)  # fmt: skip
    found = {}
    for held in (0, 1_500, 2_998):
        circuit = replace(empty, vlan_bitmap=((1 << held) - 1) << 1)
        began = time.process_time()
        for _ in range(_PICKS):
            circuit.lowest_free(POOL)
        found[held] = (time.process_time() - began) / _PICKS
        if circuit.lowest_free(POOL) != held + 1:
            raise AssertionError(f"{circuit.lowest_free(POOL)} was picked with {held} held")
    return found


def allocate(url: str, worker: int, gate: object, results: object) -> None:
    """Take VLAN IDs of the circuit, each for a connection of its own, until there is none."""
    store = open_store(url)
    taken: list[tuple[float, int]] = []
    lost = number = 0
    gate.wait()  # type: ignore[attr-defined]
    while True:
        subject = Subject(worker * 10_000 + number)
        context = store.load_order(
            connection_id=subject.connection_id, account_id=ACCOUNT, circuit_id=CIRCUIT, tenant_uid=TENANT
        )
        circuit = context.circuit
        vlan_id = None if circuit is None else circuit.lowest_free(POOL)
        if circuit is None or vlan_id is None:
            break
        hold = Hold(circuit_id=CIRCUIT, vlan_id=vlan_id, mbps=50, connection_id=subject.connection_id)
        save: Save = replace(
            ordered(subject), phase=Phase.ORDERED, hold=hold, circuit=circuit.hold(vlan_id, 50), at=BEGAN
        )
        if store.save([save])[0] is SaveOutcome.SAVED:
            taken.append((time.monotonic(), vlan_id))
            number += 1
        else:
            lost += 1
    store.close()
    results.put((taken, lost))  # type: ignore[attr-defined]


def measured(url: str) -> Vlans:
    """Everything, on a new store at ``url``."""
    migrate(url)
    put_circuit(url, CIRCUIT)
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(2), context.Queue()
    workers = [context.Process(target=allocate, args=(url, n, gate, results)) for n in range(2)]
    for worker in workers:
        worker.start()
    ends = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    taken = sorted(entry for entries, _ in ends for entry in entries)
    tenth = MAX_VLAN_ID // 10
    times = [at for at, _ in taken]
    return Vlans(
        pick=max(picks().values()),
        first_tenth=tenth / (times[tenth] - times[0]),
        last_tenth=tenth / (times[-1] - times[-1 - tenth]),
        taken=len(taken),
        different=len({vlan_id for _, vlan_id in taken}),
        lost=sum(lost for _, lost in ends),
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(measured(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(folder) / 'vlans.db'}"))
