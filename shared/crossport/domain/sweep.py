"""Which circuits are reconciled next, and in which shards: a plan within the quota of calls.

The timer ticks each slot of ten minutes and starts what has no complete run in it. What does not fit into the quota is
left out instead of being started and starved: the circuits whose last complete run is the oldest come first, so each
has its turn.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crossport.domain.quota import QUOTA, CallQuota

#: How often the timer ticks (``s.yaml``).
SLOT = timedelta(minutes=10)
#: Time in which all shards of a slot together make their calls; below the function's own time-out.
WORKING_TIME = timedelta(minutes=8)
#: Items on a page of the shorter list, that of VBRs (API reference, PageSize at most 50).
_PAGE = 50
#: A shard is closed when it has this many calls or circuits: short enough to be done again when it is lost.
_CALLS, _CIRCUITS = 120, 40


@dataclass(frozen=True, kw_only=True, slots=True)
class SweptCircuit:
    """A circuit and how its latest complete run ended. Times are the cloud's, the consistency window taken off."""

    circuit_id: str
    account_id: str
    region: str
    #: Ports that the latest run has seen.
    listed: int = 0
    #: None while no run was complete.
    completed_at: datetime | None = None

    @property
    def calls(self) -> int:
        """How many calls of the API that is called most a run will take, at most."""
        return self.listed // _PAGE + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """Circuits of one account and region that one invocation reconciles, one after another."""

    account_id: str
    region: str
    slot: datetime
    circuit_ids: tuple[str, ...]

    @property
    def task_id(self) -> str:
        """The same for the same circuits in the same slot: ``[A-Za-z_][A-Za-z0-9_-]{0,127}`` (InvokeFunction)."""
        digest = hashlib.sha256("\n".join((self.account_id, self.region, *self.circuit_ids)).encode()).hexdigest()
        return f"reconcile-{self.slot.astimezone(UTC):%Y%m%dT%H%MZ}-{digest[:24]}"


def slot_of(at: datetime) -> datetime:
    """The beginning of the slot that a time lies in, UTC."""
    begun = at.astimezone(UTC).replace(second=0, microsecond=0)
    return begun - timedelta(minutes=begun.minute % (SLOT // timedelta(minutes=1)))


def shards_of(circuits: Iterable[SweptCircuit], slot: datetime, quota: CallQuota = QUOTA) -> tuple[Shard, ...]:
    """The shards of circuits that are due, in a stable order; what the quota has no room for is left for later.

    The first circuit of an account and region is always taken, however large it is.
    """
    by_place: dict[tuple[str, str], list[SweptCircuit]] = defaultdict(list)
    for circuit in sorted(circuits, key=_age):
        by_place[circuit.account_id, circuit.region].append(circuit)
    room = quota.within(WORKING_TIME)
    return tuple(
        Shard(account_id=account_id, region=region, slot=slot, circuit_ids=ids)
        for (account_id, region), found in sorted(by_place.items())
        for ids in _packed(_fitting(found, room))
    )


def _age(circuit: SweptCircuit) -> tuple[str, str]:
    last = circuit.completed_at
    return ("" if last is None else last.astimezone(UTC).isoformat(), circuit.circuit_id)


def _fitting(circuits: Iterable[SweptCircuit], room: int) -> Iterator[SweptCircuit]:
    taken = 0
    for circuit in circuits:
        if taken and taken + circuit.calls > room:
            return
        taken += circuit.calls
        yield circuit


def _packed(circuits: Iterable[SweptCircuit]) -> Iterator[tuple[str, ...]]:
    ids: list[str] = []
    calls = 0
    for circuit in circuits:
        if ids and (calls + circuit.calls > _CALLS or len(ids) == _CIRCUITS):
            yield tuple(ids)
            ids, calls = [], 0
        ids.append(circuit.circuit_id)
        calls += circuit.calls
    if ids:
        yield tuple(ids)
