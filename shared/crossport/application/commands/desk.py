"""What every command needs at hand: the cloud, the store, the clock, and the ways in which a turn may end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crossport.application.commit import MAX_ROUNDS, save_of
from crossport.application.ports import (
    Clock,
    Cloud,
    Completion,
    LeasedRow,
    OutboxRow,
    OutboxState,
    Policies,
    Read,
    SaveOutcome,
    Store,
    Stored,
)
from crossport.application.routing import port_route
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection
from crossport.domain.decide import Decision, Finding, decide
from crossport.domain.facts import VbrFacts
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.orders import Hold
from crossport.domain.policy import Policy
from crossport.domain.visibility import can_be_missed
from crossport.domain.vocabulary import Presence, Source

#: The cloud's Date has whole seconds: two reads in one second could not be told apart.
TICK = timedelta(seconds=1)
#: The longest pause between two looks at something that is waited for.
LONGEST_LOOK = timedelta(minutes=1)
#: The longest pause before a notice whose time has not come is looked at again, should no change have woken it.
LONGEST_PUT_OFF = timedelta(days=1)
#: Characters of a Token or ClientToken (API reference).
LONGEST_TOKEN = 64

#: A completion, and whether a save has written it already.
Done = tuple[Completion, bool]


@dataclass(frozen=True, slots=True)
class Task:
    """One command that is carried out: its leased row, its connection as just loaded, and the account's policy."""

    leased: LeasedRow
    stored: Stored
    policy: Policy

    @property
    def connection(self) -> Connection:
        """The connection as it was when the turn began."""
        return self.stored.connection

    def token(self, suffix: str) -> str:
        """A stable idempotency token of this connection for one act: at most 64 ASCII characters (rule 11)."""
        token = f"{self.connection.token}-{suffix}"
        if len(token) <= LONGEST_TOKEN and token.isascii():
            return token
        return f"{self.connection.token}-{hashlib.sha256(suffix.encode()).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class Desk:
    """The ports that commands work with. ``cloud`` is called only when it is needed: it imports an SDK."""

    store: Store
    cloud: Callable[[], Cloud]
    policies: Policies
    clock: Clock

    def done(self, leased: LeasedRow, reason: str = "") -> Done:
        """The row is done; nothing was written yet."""
        return completion(leased, OutboxState.DONE, reason), False

    def dropped(self, leased: LeasedRow, reason: str) -> Done:
        """The row is moot."""
        return completion(leased, OutboxState.DROPPED, reason), False

    def failed(self, leased: LeasedRow, reason: str) -> Done:
        """The row is given up."""
        return completion(leased, OutboxState.FAILED, reason), False

    def wait(self, leased: LeasedRow, reason: str, until: datetime | None = None) -> Done:
        """The command's time has not come: look again at ``until``, or after a pause that grows to a minute."""
        if until is None:
            until = self.clock.now() + min(timedelta(seconds=2 ** min(leased.attempts, 10)), LONGEST_LOOK)
        return completion(leased, OutboxState.DUE, reason, until), False

    def wait_for(self, task: Task, reason: str) -> Done:
        """The command waits for a change of its connection, which wakes it; without one, pauses grow as policy lets
        them. ``reason`` begins with ``waiting:``."""
        pause = min(timedelta(seconds=2 ** min(task.leased.attempts, 16)), task.policy.longest_wait)
        return completion(task.leased, OutboxState.DUE, reason, self.clock.now() + pause), False

    def read(self, task: Task) -> tuple[Read, tuple[Observation, ...]]:
        """Read the connection's port right now; the read, and what it says, absences included.

        Raises CloudCallError, and ValueError for a connection without a port.
        """
        connection = task.connection
        if connection.port_id is None:
            raise ValueError(f"{connection.connection_id} has no port to read")
        read = self.cloud().read_port(
            account_id=connection.account_id, region=connection.region, port_id=connection.port_id
        )
        return read, (*shifted(read, task.policy), *self.absences(read, connection, task.policy))

    def absences(self, read: Read, connection: Connection, policy: Policy) -> tuple[Observation, ...]:
        """What a complete read did not show any more, of what could have been seen."""
        return absent(read, connection, policy, self.missed(read, connection, policy))

    def missed(self, read: Read, connection: Connection, policy: Policy) -> tuple[VbrFacts, ...]:
        """The live VBRs that the read does not show although it could (ruling 8)."""
        listed = {vbr.vbr_id for vbr in read.vbrs}
        live = [vbr for vbr in connection.live_vbrs(policy.consistency_window) if vbr.vbr_id not in listed]
        if not live:
            return ()
        visibility = self.store.vbr_visibility(connection.account_id)
        return tuple(vbr for vbr in live if can_be_missed(vbr, visibility))

    def holds(self, connection: Connection) -> tuple[Hold, ...]:
        """The connection's live holds on its circuit."""
        return self.store.load_order(
            connection_id=connection.connection_id,
            account_id=connection.account_id,
            circuit_id=connection.circuit_id,
            tenant_uid=connection.tenant_uid,
        ).holds

    def observed(
        self,
        leased: LeasedRow,
        connection: Connection,
        seen: Sequence[Observation],
        ending: Completion,
        outbox: tuple[OutboxRow, ...] = (),
        findings: tuple[Finding, ...] = (),
    ) -> Done:
        """Fold what a call has shown into the connection and complete the row, in one save.

        ``findings`` are kept with it: what a person should look at because of this call.
        """
        for _ in range(MAX_ROUNDS):
            stored = self.store.get(connection.connection_id)
            if stored is None:
                return self.failed(leased, "no_connection")
            policy = self.policies.of(connection.account_id)
            waiting = self._waiting(stored.connection, seen)
            decision = decide(stored.connection, (*seen, *(observation for _, observation in waiting)), policy)
            if decision.connection == stored.connection and not (waiting or outbox or findings):
                return ending, False
            decision = replace(decision, findings=(*decision.findings, *findings))
            if self.saved(stored, decision, ending, folded=tuple(key for key, _ in waiting), outbox=outbox):
                return ending, True
        return completion(leased, OutboxState.DUE, "contended", self.clock.now() + TICK), False

    def saved(
        self,
        stored: Stored,
        decision: Decision,
        ending: Completion,
        *,
        folded: tuple[str, ...] = (),
        outbox: tuple[OutboxRow, ...] = (),
        release: tuple[Hold, ...] = (),
        hold: Hold | None = None,
        circuit: Circuit | None = None,
        findings: tuple[Finding, ...] = (),
        cleared: tuple[tuple[str, str], ...] = (),
    ) -> bool:
        """Save one decision with the completion; False when it was lost to another writer."""
        save = save_of(
            [replace(decision, findings=(*decision.findings, *findings))],
            version=stored.version,
            at=self.clock.now(),
            folded=folded,
            outbox=outbox,
            completion=ending,
            release=release,
            hold=hold,
            circuit=circuit,
            cleared=cleared,
        )
        return self.store.save([save])[0] is SaveOutcome.SAVED

    def _waiting(self, connection: Connection, seen: Sequence[Observation]) -> list[tuple[str, Observation]]:
        """Observations that waited for a route which this save will add."""
        if connection.port is not None:
            return []
        ports = {one.port_id for one in seen if isinstance(one, PortObservation)}
        loaded = self.store.load(routes=[port_route(port_id) for port_id in ports])
        return [(u.key, u.observation) for u in loaded.unrouted]


def completion(
    leased: LeasedRow, state: OutboxState, reason: str = "", not_before: datetime | None = None
) -> Completion:
    """The completion of a leased row."""
    return Completion(key=leased.row.key, lease=leased.lease, state=state, reason=reason, not_before=not_before)


def put_off(leased: LeasedRow, reason: str, now: datetime, *, seen: int, longest: timedelta) -> Completion:
    """The row's time has not come (``too_early``): due again when its connection, judged at version ``seen``, changes.

    Should nothing wake it, it looks again after a pause that grows to ``longest``.
    """
    pause = min(timedelta(seconds=2 ** min(leased.attempts, 17)), longest)
    ending = completion(leased, OutboxState.DUE, f"too_early:{reason}", now + pause)
    return replace(ending, seen=seen)


def shifted(read: Read, policy: Policy) -> tuple[Observation, ...]:
    """What a read showed, stamped with the answer's Date less the consistency window; the port comes first."""
    at = read.date - policy.consistency_window
    port = () if read.port is None else (replace(read.port, at=at),)
    return (*port, *(replace(vbr, at=at) for vbr in read.vbrs))


def absent(read: Read, connection: Connection, policy: Policy, missed: Iterable[VbrFacts]) -> tuple[Observation, ...]:
    """What a complete read did not show any more: the port, or VBRs known to hang on it (``Desk.missed``)."""
    at = read.date - policy.consistency_window
    gone: list[Observation] = [
        VbrObservation(at=at, source=Source.READ, vbr_id=vbr.vbr_id, presence=Presence.NOT_LISTED) for vbr in missed
    ]
    if read.port is None and connection.port_id is not None:
        gone.append(PortObservation(at=at, source=Source.READ, port_id=connection.port_id, presence=Presence.NOT_FOUND))
    return tuple(gone)
