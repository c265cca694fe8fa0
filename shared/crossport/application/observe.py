"""Cloud events: from ActionTrail records to verdicts.

An event on a partner account's own bus is applied at once. A forwarded one comes from a tenant and is that tenant's
to write: it moves nothing, it only makes us read the port. What was refused is audited and claims no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crossport.application.actiontrail import CloudRecord, Meaning, meaning_of
from crossport.application.commit import MAX_ROUNDS, read_port, save_of, told
from crossport.application.endings import Ending
from crossport.application.errors import IntegrityConflictError, StoreUnavailableError
from crossport.application.ports import (
    Clock,
    InputRow,
    Loaded,
    OutboxRow,
    Policies,
    Save,
    SaveOutcome,
    Store,
    Stored,
    Unrouted,
)
from crossport.application.routing import port_route, routes_for, routes_of, vbr_route
from crossport.domain.decide import Decision, decide
from crossport.domain.trust import may_speak
from crossport.domain.vocabulary import Verdict

__all__ = ["CloudRecord", "observe"]

#: How far an event's time may lie ahead of our clock.
LONGEST_LEAD = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Input:
    """A record with its meaning and the routes that may lead to its connection."""

    record: CloudRecord
    meaning: Meaning
    routes: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    """The inputs of one batch that belong to one connection, in input order."""

    stored: Stored
    inputs: list[_Input] = field(default_factory=list)


def observe(
    records: Sequence[CloudRecord], *, function: str, store: Store, policies: Policies, clock: Clock
) -> list[Ending]:
    """Handle a batch of cloud events; one ending for each record, in order. Never raises for bad input."""
    return _Batch(function, store, policies, clock).run(records)


class _Batch:
    """One batch on its way: inputs that have no ending yet are loaded, decided and saved again."""

    def __init__(self, function: str, store: Store, policies: Policies, clock: Clock) -> None:
        self._function = function
        self._store = store
        self._policies = policies
        self._clock = clock
        self._endings: dict[int, Ending] = {}
        self._own = frozenset(policies.accounts())

    def run(self, records: Sequence[CloudRecord]) -> list[Ending]:
        open_inputs: dict[int, _Input] = {}
        try:
            for number, record in enumerate(records):
                meaning = self._screened(number, record)
                if meaning is not None:
                    open_inputs[number] = _Input(record, meaning, routes_for(meaning))
            for _ in range(MAX_ROUNDS):
                open_inputs = {n: i for n, i in open_inputs.items() if n not in self._endings}
                if not open_inputs:
                    break
                self._round(open_inputs)
        except StoreUnavailableError as error:
            return [self._endings.get(n) or _ending(r, Verdict.RETRY, error.code) for n, r in enumerate(records)]
        return [self._endings.get(n) or _ending(r, Verdict.RETRY, "contended") for n, r in enumerate(records)]

    def _screened(self, number: int, record: CloudRecord) -> Meaning | None:
        """The meaning of a record that may change something; None when its ending is already clear."""
        meaning = meaning_of(record)
        if meaning is None:
            self._dismiss(number, record, "unknown_event_name")
        elif not record.write:
            self._dismiss(number, record, "read_call")
        elif record.error_code:
            self._dismiss(number, record, "failed_call", error_code=record.error_code)
        elif not meaning.port_id and not meaning.vbr_id:
            self._dismiss(number, record, "no_subject")
        elif record.at > self._clock.now() + LONGEST_LEAD:
            # A date far ahead would close the past of its connection: nothing true could be said of it any more.
            self._settle(number, record, Verdict.REJECTED, "time_in_future", claims=False)
        else:
            return meaning
        return None

    def _dismiss(self, number: int, record: CloudRecord, reason: str, **details: str) -> None:
        known = self._store.load(keys=[record.key]).inbox.get(record.key)
        if known is None:
            self._settle(number, record, Verdict.IGNORED, reason, claims=True, details=details)
        else:
            self._repeated(number, record, known)

    def _round(self, inputs: dict[int, _Input]) -> None:
        loaded = self._store.load(
            routes={route for i in inputs.values() for route in i.routes},
            keys={i.record.key for i in inputs.values()},
            circuits={c for i in inputs.values() for c in (i.meaning.circuit_id, i.meaning.port_id) if c},
        )
        groups: dict[str, _Group] = {}
        taken: dict[str, str] = dict(loaded.inbox)
        numbers: dict[int, int] = {}
        for number, one in inputs.items():
            known = taken.get(one.record.key)
            if known is not None:
                self._repeated(number, one.record, known)
                continue
            stored = next((loaded.connections[r] for r in one.routes if r in loaded.connections), None)
            if stored is None:
                self._unknown_port(number, one, loaded)
            elif self._admitted(number, one, stored):
                group = groups.setdefault(stored.connection.connection_id, _Group(stored))
                group.inputs.append(one)
                numbers[id(one)] = number
            ending = self._endings.get(number)
            if ending is None or ending.verdict is not Verdict.REJECTED:
                taken[one.record.key] = one.record.digest
        self._save(list(groups.values()), loaded, numbers)

    def _repeated(self, number: int, record: CloudRecord, known_digest: str) -> None:
        if known_digest == record.digest:
            self._endings[number] = _ending(record, Verdict.DUPLICATE)
        else:
            # The same id with another body is a forgery, or a broken sender: alarm, and claim nothing.
            self._settle(number, record, Verdict.REJECTED, "payload_mismatch", claims=False)

    def _unknown_port(self, number: int, one: _Input, loaded: Loaded) -> None:
        """An event whose port no connection of ours has."""
        record, meaning = one.record, one.meaning
        stranger = record.account_id not in self._own
        if stranger and self._store.tenant(record.account_id) is None:
            return self._settle(number, record, Verdict.REJECTED, "unknown_account", claims=False)
        if meaning.port_id in loaded.circuits:
            return self._settle(number, record, Verdict.IGNORED, "circuit_operation", claims=True)
        if stranger and record.claimed_region not in {"", *(each.region for each in self._store.circuits())}:
            # It would have us call the API of a region that a tenant has made up.
            return self._settle(number, record, Verdict.REJECTED, "region_mismatch", claims=False)
        if stranger:
            if not meaning.port_id:
                # There is nothing to read, and what a tenant says of a VBR is not kept.
                return self._settle(number, record, Verdict.IGNORED, "unknown_vbr", claims=True)
            return self._ask(number, one, observations=False)
        if meaning.circuit_id:
            circuit = loaded.circuits.get(meaning.circuit_id)
            if circuit is None or circuit.account_id != record.account_id:
                return self._settle(number, record, Verdict.IGNORED, "foreign_circuit", claims=True)
        if not meaning.port_id:
            return self._keep(number, one)
        return self._ask(number, one, observations=True)

    def _admitted(self, number: int, one: _Input, stored: Stored) -> bool:
        """Whether the event may speak of this connection; forwarded ones end here, with a read of the port."""
        record, connection = one.record, stored.connection
        if record.account_id == connection.account_id:
            return True
        owner = connection.connection_id
        if not may_speak(record.account_id, connection, self._own):
            self._settle(number, record, Verdict.REJECTED, "account_mismatch", claims=False, connection_id=owner)
            return False
        if record.claimed_region not in {"", connection.region}:
            self._settle(number, record, Verdict.REJECTED, "region_mismatch", claims=False, connection_id=owner)
            return False
        port_id = connection.port_id or one.meaning.port_id
        if not port_id:
            # A Token led here, and neither side knows a port that could be read.
            self._settle(number, record, Verdict.IGNORED, "no_port_yet", claims=True, connection_id=owner)
            return False
        command = self._read(record, port_id, connection.connection_id, connection.account_id, connection.region)
        self._settle(
            number,
            record,
            Verdict.APPLIED,
            "forwarded",
            claims=True,
            connection_id=connection.connection_id,
            pending="read_port",
            outbox=(command,),
        )
        return False

    def _ask(self, number: int, one: _Input, *, observations: bool) -> None:
        """No connection yet: have the port read; what a trusted event said waits under the port's route."""
        record = one.record
        # Whose the port of a tenant may be is not known: each account of ours is asked (ruling 10).
        accounts = [record.account_id] if record.account_id in self._own else sorted(self._own)
        commands = [self._read(record, one.meaning.port_id, None, account, record.region) for account in accounts]
        waiting = _waiting(one, self._clock.now()) if observations else ()
        self._settle(
            number,
            record,
            Verdict.APPLIED,
            "unrouted" if observations else "forwarded",
            claims=True,
            pending="read_port",
            outbox=commands,
            unrouted=waiting,
        )

    def _keep(self, number: int, one: _Input) -> None:
        waiting = _waiting(one, self._clock.now())
        self._settle(number, one.record, Verdict.APPLIED, "unrouted", claims=True, unrouted=waiting)

    def _read(
        self, record: CloudRecord, port_id: str, connection_id: str | None, account_id: str, region: str
    ) -> OutboxRow:
        cause = f"event:{record.digest[:16]}:{int(record.at.timestamp())}"
        return read_port(
            port_id, cause=cause, account_id=account_id, region=region, after=record.at, connection_id=connection_id
        )

    def _save(self, groups: list[_Group], loaded: Loaded, numbers: dict[int, int]) -> None:
        if not groups:
            return
        saves = [self._decided(group, loaded) for group in groups]
        try:
            outcomes = self._store.save(saves)
        except IntegrityConflictError as error:
            self._alone(groups, loaded, numbers, error)
            return
        for group, save, outcome in zip(groups, saves, outcomes, strict=True):
            if outcome is SaveOutcome.SAVED:
                for one, row in zip(group.inputs, save.inputs, strict=True):
                    self._endings[numbers[id(one)]] = _ending_of(row)

    def _alone(
        self, groups: list[_Group], loaded: Loaded, numbers: dict[int, int], error: IntegrityConflictError
    ) -> None:
        """A save broke a constraint that no rule explains: one group, then one event at a time, finds the culprit."""
        if len(groups) > 1:
            # The store says whose save it was, as a rule: the others go together once more.
            guilty = [group for group in groups if group.stored.connection.connection_id == error.connection_id]
            others = [group for group in groups if group.stored.connection.connection_id != error.connection_id]
            for part in [others, guilty] if guilty else [[group] for group in groups]:
                self._save(part, loaded, numbers)
            return
        (group,) = groups
        first = group.inputs[0]
        if len(group.inputs) > 1:
            # The rest is loaded anew in the next round: this save moves the version.
            self._save([_Group(group.stored, [first])], loaded, numbers)
            return
        self._settle(
            numbers[id(first)],
            first.record,
            Verdict.DEAD_LETTER,
            error.code,
            claims=False,
            connection_id=group.stored.connection.connection_id,
            details={"error": error.message},
        )

    def _decided(self, group: _Group, loaded: Loaded) -> Save:
        """The events of a group folded through ``decide`` in input order to one new version."""
        connection = group.stored.connection
        policy = self._policies.of(connection.account_id)
        decisions: list[Decision] = []
        rows: list[InputRow] = []
        commands: list[OutboxRow] = []
        routes = {route for one in group.inputs for route in one.routes}
        waiting = [u for u in loaded.unrouted if u.route in routes]
        for one in group.inputs:
            extra = () if decisions else tuple(u.observation for u in waiting)
            before = decisions[-1].connection if decisions else connection
            decision = decide(before, (*extra, *one.meaning.observations), policy)
            decisions.append(decision)
            pending = not one.meaning.complete and bool(decision.connection.port_id or one.meaning.port_id)
            if pending:
                port_id = decision.connection.port_id or one.meaning.port_id
                commands.append(
                    self._read(one.record, port_id, connection.connection_id, connection.account_id, connection.region)
                )
            rows.append(
                self._row(
                    one.record,
                    Verdict.APPLIED,
                    "",
                    claims=True,
                    pending="read_port" if pending else "",
                    connection_id=connection.connection_id,
                    details={"changes": told(decision.changes), "actor": one.record.actor},
                )
            )
        return save_of(
            decisions,
            version=group.stored.version,
            at=self._clock.now(),
            inputs=tuple(rows),
            outbox=tuple(commands),
            routed=frozenset(routes_of(connection)),
            folded=tuple(u.key for u in waiting),
        )

    def _settle(
        self,
        number: int,
        record: CloudRecord,
        verdict: Verdict,
        reason: str,
        *,
        claims: bool,
        pending: str = "",
        connection_id: str | None = None,
        details: dict[str, str] | None = None,
        outbox: Iterable[OutboxRow] = (),
        unrouted: Iterable[Unrouted] = (),
    ) -> None:
        row = self._row(
            record,
            verdict,
            reason,
            claims=claims,
            pending=pending,
            connection_id=connection_id,
            details={**(details or {}), "actor": record.actor},
        )
        self._store.record([row], outbox=tuple(outbox), unrouted=tuple(unrouted))
        self._endings[number] = _ending_of(row)

    def _row(
        self,
        record: CloudRecord,
        verdict: Verdict,
        reason: str,
        *,
        claims: bool,
        pending: str,
        connection_id: str | None,
        details: Mapping[str, object],
    ) -> InputRow:
        return InputRow(
            key=record.key,
            digest=record.digest,
            claims=claims,
            at=self._clock.now(),
            function=self._function,
            verdict=verdict,
            reason=reason,
            pending=pending,
            account_id=record.account_id,
            connection_id=connection_id,
            name=record.name,
            details=details,
        )


def _waiting(one: _Input, at: datetime) -> tuple[Unrouted, ...]:
    route = port_route(one.meaning.port_id) if one.meaning.port_id else vbr_route(one.meaning.vbr_id)
    return tuple(
        Unrouted(key=f"{one.record.key}#{index}", route=route, observation=seen, at=at)
        for index, seen in enumerate(one.meaning.observations)
    )


def _ending(record: CloudRecord, verdict: Verdict, reason: str = "") -> Ending:
    return Ending(key=record.key, verdict=verdict, reason=reason, name=record.name)


def _ending_of(row: InputRow) -> Ending:
    return Ending(
        key=row.key,
        verdict=row.verdict,
        reason=row.reason,
        pending=row.pending,
        connection_id=row.connection_id,
        name=row.name,
    )
