"""The relay: carries out what saves have left in the outbox.

Rows are taken by lease; no transaction is open during a call. Delivery is at least once, with the row's key (or the
create call's Token) as the receiver's idempotency key; a row's turn ends by compare-and-swap on its lease.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crossport.application.carry_out import Carrier
from crossport.application.commands.create import maybe_sent_at
from crossport.application.commands.desk import LONGEST_PUT_OFF, put_off
from crossport.application.commit import effect_of
from crossport.application.errors import CloudCallError
from crossport.application.maintaining import quiet
from crossport.application.pausing import guarded
from crossport.application.ports import (
    Clock,
    Cloud,
    CloudFailure,
    Completion,
    Ids,
    LeasedRow,
    OutboxState,
    Policies,
    Queue,
    Store,
)
from crossport.domain.effects import ALIVE, moot, too_early
from crossport.domain.errors import CrossportError
from crossport.domain.phase import phase_of
from crossport.domain.vocabulary import Phase

#: Longer than any call of ours may take with its time-outs, so that a lease is lost only by a dead worker.
LEASE = timedelta(minutes=2)
#: The longest pause between two tries of one row.
LONGEST_PAUSE = timedelta(minutes=5)
#: Rows taken at a time.
BATCH = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """How one row's turn ended: its key and kind, the state it was left in, and why."""

    key: str
    kind: str
    state: OutboxState
    reason: str = ""


@dataclass(slots=True)
class Report:
    """What one run of the relay did."""

    turns: list[Turn] = field(default_factory=list)

    def count(self, state: OutboxState) -> int:
        """How many turns ended in this state."""
        return sum(1 for turn in self.turns if turn.state is state)


def relay(
    *,
    store: Store,
    cloud: Callable[[], Cloud],
    queue: Callable[[], Queue],
    policies: Policies,
    clock: Clock,
    ids: Ids,
    until: datetime,
) -> Report:
    """Carry out due rows until none is left or ``until`` has come.

    ``cloud`` and ``queue`` are called only when a row needs them, so that a run with nothing to do imports no SDK.
    A row that fails for now is due again after a growing pause; the run goes on with the next.
    """
    worker = _Relay(store, cloud, queue, policies, clock)
    report = Report()
    while clock.now() < until:
        rows = store.take(now=clock.now(), lease_for=LEASE, lease=ids.new(), limit=BATCH)
        if not rows:
            break
        report.turns += [worker.turn(row) for row in rows]
    return report


class _Relay:
    def __init__(
        self,
        store: Store,
        cloud: Callable[[], Cloud],
        queue: Callable[[], Queue],
        policies: Policies,
        clock: Clock,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._policies = policies
        self._carrier = Carrier(store=store, cloud=guarded(cloud, store), policies=policies, clock=clock)

    def turn(self, leased: LeasedRow) -> Turn:
        """Carry out one row; whatever goes wrong with it stays with it."""
        try:
            completion, written = self._tried(leased)
        except CrossportError as error:
            ended = self._later if error.retryable else self._failed
            completion, written = ended(leased, error.code), False
        except Exception as error:  # noqa: BLE001
            # A bug in one row's way must not keep the others waiting; the row says so and is tried again.
            completion, written = self._later(leased, f"internal_error:{type(error).__name__}"), False
        if not written:
            self._store.finish(completion, at=self._clock.now())
        return Turn(key=leased.row.key, kind=leased.row.kind, state=completion.state, reason=completion.reason)

    def _tried(self, leased: LeasedRow) -> tuple[Completion, bool]:
        """``_carry_out``, and what follows where the cloud has refused."""
        try:
            return self._carry_out(leased)
        except CloudCallError as error:
            return self._after_cloud_error(leased, error)

    def _carry_out(self, leased: LeasedRow) -> tuple[Completion, bool]:
        """The row's completion, and whether it was written already together with what the call has shown."""
        row = leased.row
        if row.target == "cloud":
            return self._carrier.carry_out(leased)
        kept_back = self._kept_back(leased)
        if kept_back is not None:
            return kept_back, False
        queue = row.target.removeprefix("queue:")
        self._queue().send(queue, json.dumps(row.payload, sort_keys=True, ensure_ascii=False))
        return self._completion(leased, OutboxState.DONE), False

    def _kept_back(self, leased: LeasedRow) -> Completion | None:
        """How a notice's turn ends that is not sent now: dropped for good, or put off; None when it may go."""
        row = leased.row
        if row.target != "queue:notices" or row.connection_id is None:
            return None
        stored = self._store.get(row.connection_id)
        if stored is None:
            return self._completion(leased, OutboxState.DROPPED, "no_connection")
        effect, policy = effect_of(row), self._policies.of(stored.connection.account_id)
        dropped = moot(effect, stored.connection, policy)
        if dropped is not None:
            return self._completion(leased, OutboxState.DROPPED, dropped)
        early, now = too_early(effect, stored.connection, policy), self._clock.now()
        if early is None:
            return quiet(self._store, leased, effect, stored.connection, now)
        over = phase_of(stored.connection, policy.consistency_window) not in (*ALIVE, Phase.RELEASING)
        if over and now - leased.created_at > policy.settlement_age:
            # Of a connection that has ended without a word of the cloud's; nothing new can be said of that past.
            return self._completion(leased, OutboxState.DROPPED, "too_late")
        return put_off(leased, early, now, seen=stored.version, longest=LONGEST_PUT_OFF)

    def _after_cloud_error(self, leased: LeasedRow, error: CloudCallError) -> tuple[Completion, bool]:
        reason = f"{error.failure}:{error.cloud_code}"
        if error.failure is CloudFailure.PERMANENT:
            return self._carrier.give_up(leased, error)
        if error.failure is CloudFailure.PRIVILEGE:
            # The privilege is a window of a day: ask again now and then, for as long as it takes (ruling 6).
            return self._completion(leased, OutboxState.DUE, reason, self._clock.now() + LONGEST_PAUSE), False
        return self._later(leased, reason), False

    def _later(self, leased: LeasedRow, reason: str) -> Completion:
        if maybe_sent_at(leased) is not None:
            # Whatever went wrong since, the call may have happened: forgotten, a dry run would meet our own port.
            reason = leased.reason
        return self._completion(leased, OutboxState.DUE, reason, self._clock.now() + pause(leased.attempts))

    def _failed(self, leased: LeasedRow, reason: str) -> Completion:
        return self._completion(leased, OutboxState.FAILED, reason)

    @staticmethod
    def _completion(
        leased: LeasedRow, state: OutboxState, reason: str = "", not_before: datetime | None = None
    ) -> Completion:
        return Completion(key=leased.row.key, lease=leased.lease, state=state, reason=reason, not_before=not_before)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 2, 4, 8, ... seconds, at most five minutes."""
    return min(LONGEST_PAUSE, timedelta(seconds=2 ** min(attempts, 16)))
