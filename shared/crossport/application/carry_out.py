"""Cloud commands: create a port, pay for it, read it. Each ends with a save that also completes its outbox row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from crossport.application.commit import MAX_ROUNDS, effect_of, read_port, save_of
from crossport.application.errors import CloudCallError
from crossport.application.ports import (
    Clock,
    Cloud,
    CloudFailure,
    Completion,
    CreatePort,
    LeasedRow,
    OutboxState,
    Policies,
    Read,
    SaveOutcome,
    Store,
    Stored,
)
from crossport.application.routing import port_route
from crossport.domain.adoption import decide_adoption
from crossport.domain.connection import Connection, Refusal
from crossport.domain.decide import Decision, conclude, decide
from crossport.domain.effects import moot
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.orders import Hold
from crossport.domain.policy import Policy
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Acceptance, Presence, Source

#: The cloud's Date has whole seconds: two reads in one second could not be told apart.
TICK = timedelta(seconds=1)
#: The longest pause between two looks at a create call that may have happened.
LONGEST_LOOK = timedelta(seconds=30)
#: How the reason of an outbox row begins after such a call.
MAYBE_SENT = "maybe_sent"

Done = tuple[Completion, bool]


class Carrier:
    """Carries out cloud commands. ``carry_out`` raises CloudCallError; the relay decides what follows from it."""

    def __init__(self, *, store: Store, cloud: Callable[[], Cloud], policies: Policies, clock: Clock) -> None:
        self._store = store
        self._cloud = cloud
        self._policies = policies
        self._clock = clock

    def carry_out(self, leased: LeasedRow) -> Done:
        """One command to its end: the completion, and whether a save has written it already."""
        if leased.row.kind == "read_port":
            return self._read_port(leased)
        stored = self._store.get(leased.row.connection_id or "")
        if stored is None:
            return _completion(leased, OutboxState.FAILED, "no_connection"), False
        policy = self._policies.of(stored.connection.account_id)
        dropped = moot(effect_of(leased.row), stored.connection, policy)
        if dropped is not None:
            return _completion(leased, OutboxState.DROPPED, dropped), False
        if leased.row.kind == "create_port":
            return self._create_port(leased, stored.connection, policy)
        if leased.row.kind == "pay_port":
            return self._pay_port(leased, stored.connection, policy)
        return _completion(leased, OutboxState.FAILED, "unknown_command"), False

    def give_up(self, leased: LeasedRow, error: CloudCallError) -> Done:
        """The cloud refused for good: a create call's connection has failed and gives its hold back."""
        reason = f"{error.failure}:{error.cloud_code}"
        completion = _completion(leased, OutboxState.FAILED, reason)
        if leased.row.kind != "create_port" or leased.row.connection_id is None:
            return completion, False
        failure = Refusal(code="cloud_refused", message=error.message, subject=error.cloud_code)
        return completion, self._fail(leased.row.connection_id, failure, completion)

    # --- create -----------------------------------------------------------------------------------------------------

    def _create_port(self, leased: LeasedRow, connection: Connection, policy: Policy) -> Done:
        """Look first whether an earlier try has made the port, then dry run, then the call, always with one Token."""
        maybe_sent_at = _maybe_sent_at(leased)
        if leased.attempts > 1:
            try:
                found = self._found(connection)
            except CloudCallError as error:
                if maybe_sent_at is None or error.failure is CloudFailure.PERMANENT:
                    raise
                return self._look_again(leased)
            if found.port is not None:
                seen = _shifted(found, policy)
                return self._observed(leased, connection, seen, _completion(leased, OutboxState.DONE, "found"))
            if maybe_sent_at is not None and found.date < maybe_sent_at + policy.consistency_window:
                # A list may lag behind a create call that did happen; the same call comes only after the window.
                return self._look_again(leased)
        request = _request(connection)
        if maybe_sent_at is None:
            # Not after a call that may have happened: its own port would make a dry run fail.
            self._cloud().create_port(request, dry_run=True)
        try:
            answer = self._cloud().create_port(request, dry_run=False)
        except CloudCallError as error:
            if error.failure not in (CloudFailure.UNKNOWN, CloudFailure.RETRYABLE):
                raise
            # Even a 5xx may come after the effect.
            return self._look_again(leased, f"{MAYBE_SENT}:{error.cloud_code}@{self._clock.now().isoformat()}")
        created = PortObservation(
            at=answer.date,
            source=Source.OWN_ANSWER,
            port_id=answer.value,
            acceptance=Acceptance.UNCONFIRMED,
            spec=request.spec,
            vlan_id=request.vlan_id,
            tenant_uid=request.tenant_uid,
            order_mode=request.order_mode,
            circuit_id=request.circuit_id,
            presence=Presence.PRESENT,
        )
        return self._observed(leased, connection, (created,), _completion(leased, OutboxState.DONE))

    def _found(self, connection: Connection) -> Read:
        return self._cloud().find_port(
            account_id=connection.account_id,
            region=connection.region,
            circuit_id=connection.circuit_id,
            vlan_id=connection.terms.vlan_id,
            tenant_uid=connection.tenant_uid,
        )

    def _look_again(self, leased: LeasedRow, reason: str = "") -> Done:
        """Due again soon. The reason is kept: it holds when a call of ours may have happened."""
        again_at = self._clock.now() + min(timedelta(seconds=2**leased.attempts), LONGEST_LOOK)
        return _completion(leased, OutboxState.DUE, reason or leased.reason, again_at), False

    def _fail(self, connection_id: str, failure: Refusal, completion: Completion) -> bool:
        for _ in range(MAX_ROUNDS):
            stored = self._store.get(connection_id)
            if stored is None or stored.connection.port is not None:
                return False
            connection = stored.connection
            circuit = self._store.circuit(connection.circuit_id)
            if circuit is None:
                return False
            decision = conclude(
                connection, replace(connection, failure=failure), self._policies.of(connection.account_id)
            )
            hold = Hold(
                circuit_id=circuit.circuit_id,
                vlan_id=connection.terms.vlan_id,
                mbps=MBPS.get(connection.terms.spec, 0),
                connection_id=connection_id,
            )
            save = save_of(
                [decision],
                version=stored.version,
                at=self._clock.now(),
                release=hold,
                circuit=circuit.release(hold.vlan_id, hold.mbps),
                completion=completion,
            )
            if self._store.save([save])[0] is SaveOutcome.SAVED:
                return True
        return False

    # --- pay --------------------------------------------------------------------------------------------------------

    def _pay_port(self, leased: LeasedRow, connection: Connection, policy: Policy) -> Done:
        """Place the partner's order for the port (ruling 1); what came of it is read, not assumed."""
        port_id = connection.port_id or ""
        answer = self._cloud().pay_port(
            account_id=connection.account_id,
            region=connection.region,
            port_id=port_id,
            months=policy.pay_months,
            auto_renew=policy.pay_auto_renew,
            token=f"{connection.token}-pay",
        )
        read = read_port(
            port_id,
            cause="paid",
            account_id=connection.account_id,
            region=connection.region,
            after=answer.date,
            connection_id=connection.connection_id,
        )
        self._store.record([], outbox=(read,))
        return _completion(leased, OutboxState.DONE, f"order:{answer.value}"), False

    # --- read -------------------------------------------------------------------------------------------------------

    def _read_port(self, leased: LeasedRow) -> Done:
        payload, port_id = leased.row.payload, str(leased.row.payload["port_id"])
        known = self._store.load(routes=[port_route(port_id)]).connections.get(port_route(port_id))
        account_id = known.connection.account_id if known else str(payload.get("account_id") or "")
        region = known.connection.region if known else str(payload.get("region") or "")
        if account_id not in set(self._policies.accounts()):
            return _completion(leased, OutboxState.FAILED, "unknown_account"), False
        policy = self._policies.of(account_id)
        read = self._cloud().read_port(account_id=account_id, region=region, port_id=port_id)
        completion = self._settled(leased, read, known, policy)
        if known is not None:
            seen = (*_shifted(read, policy), *_absent(read, known.connection, policy))
            return self._observed(leased, known.connection, seen, completion)
        if read.port is None:
            late = completion.state is OutboxState.DUE
            return (completion if late else _completion(leased, OutboxState.DROPPED, "not_our_port")), False
        return self._adopt(leased, read, policy, completion)

    def _settled(self, leased: LeasedRow, read: Read, known: Stored | None, policy: Policy) -> Completion:
        """Done, or due again: a read that may lag behind what caused it, or shows a VBR newly gone, is repeated."""
        stamped = read.date - policy.consistency_window
        after = leased.row.payload.get("after")
        wait = policy.consistency_window + TICK
        if after is not None and stamped < datetime.fromisoformat(after).replace(microsecond=0):
            return _completion(leased, OutboxState.DUE, "within_window", datetime.fromisoformat(after) + wait)
        listed = {vbr.vbr_id for vbr in read.vbrs}
        live = known.connection.live_vbrs(policy.consistency_window) if known else ()
        if any(vbr.vbr_id not in listed for vbr in live) and leased.attempts < policy.max_attempts:
            return _completion(leased, OutboxState.DUE, "vbr_not_listed", self._clock.now() + wait)
        return _completion(leased, OutboxState.DONE)

    def _adopt(self, leased: LeasedRow, read: Read, policy: Policy, completion: Completion) -> Done:
        """A port without a connection: ours to adopt when it is on one of our circuits (ruling 2)."""
        port = _shifted(read, policy)[0]
        if not isinstance(port, PortObservation):
            raise TypeError("the first observation of a read is the port's")
        for _ in range(MAX_ROUNDS):
            circuit = self._store.circuit(port.circuit_id or "")
            if circuit is None or circuit.account_id != policy.account_id:
                return _completion(leased, OutboxState.DROPPED, "not_our_port"), False
            loaded = self._store.load(routes=[port_route(port.port_id)])
            if loaded.connections:
                (stored,) = loaded.connections.values()
                return self._observed(leased, stored.connection, _shifted(read, policy), completion)
            context = self._store.load_order(
                connection_id="",
                account_id=circuit.account_id,
                circuit_id=circuit.circuit_id,
                tenant_uid=port.tenant_uid or "",
            )
            adoption = decide_adoption(port, circuit, context.tenant, context.contracts, policy)
            rest = (*(u.observation for u in loaded.unrouted), *_shifted(read, policy)[1:])
            decisions = [adoption.decision, decide(adoption.decision.connection, rest, policy)]
            save = save_of(
                decisions,
                version=None,
                at=self._clock.now(),
                hold=adoption.hold,
                circuit=adoption.circuit if adoption.hold else None,
                folded=tuple(u.key for u in loaded.unrouted),
                completion=replace(completion, reason=completion.reason or "adopted"),
            )
            if self._store.save([save])[0] is SaveOutcome.SAVED:
                return completion, True
        return _completion(leased, OutboxState.DUE, "contended", self._clock.now() + TICK), False

    # --- save -------------------------------------------------------------------------------------------------------

    def _observed(
        self, leased: LeasedRow, connection: Connection, seen: Sequence[Observation], completion: Completion
    ) -> Done:
        """Fold what a call has shown into the connection and complete the row, in one save."""
        for _ in range(MAX_ROUNDS):
            stored = self._store.get(connection.connection_id)
            if stored is None:
                return _completion(leased, OutboxState.FAILED, "no_connection"), False
            policy = self._policies.of(connection.account_id)
            waiting = self._waiting(stored.connection, seen)
            observations = (*seen, *(observation for _, observation in waiting))
            decision = decide(stored.connection, observations, policy)
            if decision.connection == stored.connection and not waiting:
                return completion, False
            if self._saved(stored, decision, completion, tuple(key for key, _ in waiting)):
                return completion, True
        return _completion(leased, OutboxState.DUE, "contended", self._clock.now() + TICK), False

    def _waiting(self, connection: Connection, seen: Sequence[Observation]) -> list[tuple[str, Observation]]:
        """Observations that waited for a route which this save will add."""
        if connection.port is not None:
            return []
        ports = {one.port_id for one in seen if isinstance(one, PortObservation)}
        loaded = self._store.load(routes=[port_route(port_id) for port_id in ports])
        return [(u.key, u.observation) for u in loaded.unrouted]

    def _saved(self, stored: Stored, decision: Decision, completion: Completion, folded: tuple[str, ...]) -> bool:
        save = save_of([decision], version=stored.version, at=self._clock.now(), folded=folded, completion=completion)
        return self._store.save([save])[0] is SaveOutcome.SAVED


def _request(connection: Connection) -> CreatePort:
    """The create call of a connection. The port's name carries the order number only (ruling 11)."""
    return CreatePort(
        account_id=connection.account_id,
        region=connection.region,
        circuit_id=connection.circuit_id,
        tenant_uid=connection.tenant_uid,
        vlan_id=connection.terms.vlan_id,
        spec=connection.terms.spec,
        order_mode=str(connection.terms.order_mode),
        name=f"order-{connection.client_order_id}",
        token=connection.token,
    )


def _shifted(read: Read, policy: Policy) -> tuple[Observation, ...]:
    """What a read showed, stamped with the answer's Date less the consistency window; the port comes first."""
    at = read.date - policy.consistency_window
    port = () if read.port is None else (replace(read.port, at=at),)
    return (*port, *(replace(vbr, at=at) for vbr in read.vbrs))


def _absent(read: Read, connection: Connection, policy: Policy) -> tuple[Observation, ...]:
    """What a complete read did not show any more: the port, or VBRs known to hang on it."""
    at = read.date - policy.consistency_window
    listed = {vbr.vbr_id for vbr in read.vbrs}
    gone: list[Observation] = [
        VbrObservation(at=at, source=Source.READ, vbr_id=vbr.vbr_id, presence=Presence.NOT_LISTED)
        for vbr in connection.live_vbrs(policy.consistency_window)
        if vbr.vbr_id not in listed
    ]
    if read.port is None and connection.port_id is not None:
        gone.append(PortObservation(at=at, source=Source.READ, port_id=connection.port_id, presence=Presence.NOT_FOUND))
    return tuple(gone)


def _maybe_sent_at(leased: LeasedRow) -> datetime | None:
    """When a create call was made that may have happened, or None when none was."""
    kind, _, at = leased.reason.partition("@")
    return datetime.fromisoformat(at) if kind.startswith(MAYBE_SENT) and at else None


def _completion(
    leased: LeasedRow, state: OutboxState, reason: str = "", not_before: datetime | None = None
) -> Completion:
    return Completion(key=leased.row.key, lease=leased.lease, state=state, reason=reason, not_before=not_before)
