"""The sweep over all circuits: a timer starts shards, each shard reconciles its circuits.

Nothing of it needs to be certain: a shard that is never started, is killed or fails leaves circuits without a complete
run, and the next slot starts with those whose last complete run is the oldest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crossport.application.ports import Clock, Cloud, Policies, Store, Tasks
from crossport.application.reconcile import CircuitReport, Reconciler
from crossport.domain.errors import CrossportError
from crossport.domain.sweep import SLOT, Shard, SweptCircuit, shards_of, slot_of

#: The function that reconciles, and the message that tells it what.
FUNCTION, MESSAGE = "reconcile", "reconcile.circuits"
#: A circuit is not begun with less time than this: a listing that breaks off says nothing of what is gone.
SHORTEST = timedelta(seconds=15)


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """What a tick of the timer has started. ``refused`` is why some shards could not be, "" when none."""

    slot: datetime
    shards: tuple[Shard, ...]
    #: How many of them were taken before.
    known: int
    refused: str = ""


def start_shards(at: datetime, *, store: Store, policies: Policies, tasks: Callable[[], Tasks]) -> Started:
    """Start a shard for every circuit without a complete run in the slot of ``at``, within the quota.

    ``tasks`` is called only when there is something to start: it imports an SDK. Raises StoreUnavailableError.
    """
    slot = slot_of(at)
    ours = set(policies.accounts())
    due = [one for one in store.swept_circuits() if one.account_id in ours and not _done(one, slot, policies)]
    shards = shards_of(due, slot)
    known, refused = 0, ""
    for shard in shards:
        try:
            known += not tasks().start(FUNCTION, message_of(shard), task_id=shard.task_id)
        except CrossportError as error:
            refused = error.message
    return Started(slot=slot, shards=shards, known=known, refused=refused)


def run_shard(
    shard: Shard, *, store: Store, cloud: Callable[[], Cloud], policies: Policies, clock: Clock, until: datetime
) -> Sequence[CircuitReport]:
    """Reconcile the shard's circuits until ``until``; those with a complete run in its slot are left alone.

    So a shard that is run again, or overlaps another, goes on where the first one stopped. Raises
    StoreUnavailableError.
    """
    known = {one.circuit_id: one for one in store.swept_circuits()}
    reports = []
    for circuit_id in shard.circuit_ids:
        swept, circuit = known.get(circuit_id), store.circuit(circuit_id)
        if swept is None or circuit is None or circuit.account_id != shard.account_id:
            continue
        if _done(swept, shard.slot, policies):
            continue
        if clock.now() + SHORTEST > until:
            break
        reconciler = Reconciler(store=store, cloud=cloud(), policies=policies, clock=clock)
        reports.append(reconciler.circuit(circuit))
    return reports


def message_of(shard: Shard) -> bytes:
    """The event of a shard's invocation."""
    return json.dumps(
        {
            "type": MESSAGE,
            "version": 1,
            "account_id": shard.account_id,
            "region": shard.region,
            "slot": shard.slot.isoformat(),
            "circuit_ids": list(shard.circuit_ids),
        }
    ).encode()


def _done(circuit: SweptCircuit, slot: datetime, policies: Policies) -> bool:
    """Whether a complete run began in the slot; runs are dated with their beginning less the consistency window."""
    window = policies.of(circuit.account_id).consistency_window
    last = circuit.completed_at
    return last is not None and slot - window <= last < slot + SLOT
