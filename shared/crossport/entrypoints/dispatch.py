"""From opened records to the use cases: what each function runs.

Each run gives one ending for each record, in order. What cannot be an input of the use case is written down with its
reason, too: every first arrival has a row that says why it ended as it did.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from crossport.application.endings import Ending
from crossport.application.ports import InputRow
from crossport.domain.connection import Refusal
from crossport.domain.vocabulary import Verdict
from crossport.entrypoints.envelope import Opened
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.records import record_name, to_record
from crossport.entrypoints.wiring import App

Input = TypeVar("Input")

#: Refusals of inputs that are well formed and trusted, but not for us.
_NOT_OURS = frozenset({"unknown_event_type"})

#: Of a shard's time, what is kept for the call that is being made when the time is up.
SHARD_MARGIN = timedelta(seconds=20)

_log = logging.getLogger("crossport.dispatch")


def observe_calls(app: App, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
    """ActionTrail records of VPC calls, to ``application.observe``."""
    from crossport.application.observe import observe

    return _sorted_out(
        app,
        opened,
        invocation,
        to_record,
        lambda records: observe(
            records, function=invocation.function, store=app.store(), policies=app.policies(), clock=app.clock
        ),
    )


def take_orders(app: App, opened: Sequence[Opened], _invocation: Invocation) -> list[Ending]:
    """Messages of the queue ``orders``, to ``application.place_order``, which writes down the misread ones itself."""
    from crossport.application.place_order import place_orders
    from crossport.entrypoints.inputs import to_order

    messages = [to_order(one, app.clock.now()) for one in opened]
    return place_orders(messages, store=app.store(), policies=app.policies(), clock=app.clock)


def carry_out_commands(app: App, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
    """One round of the relay for any number of pokes and timers; each outbox row's turn is logged."""
    from crossport.application.relay import relay

    def work(calls: Sequence[Opened]) -> list[Ending]:
        for pause in app.store().pauses():
            fields = {"account_id": pause.account_id, "actor": pause.actor, "reason": pause.reason}
            _log.warning("paused", extra={"request_id": invocation.request_id, **fields})
        report = relay(
            store=app.store(),
            cloud=app.cloud,
            queue=app.queue,
            policies=app.policies(),
            clock=app.clock,
            ids=app.ids,
            # A turn that begins at the last moment may wait for the cloud as long as its time-outs allow.
            until=app.clock.now() + invocation.remaining() / 2,
        )
        for turn in report.turns:
            fields = {"key": turn.key, "kind": turn.kind, "state": str(turn.state), "reason": turn.reason}
            _log.info("outbox_turn", extra={"request_id": invocation.request_id, **fields})
        return [_worked(call, bool(report.turns)) for call in calls]

    return _sorted_out(app, opened, invocation, lambda one: _wake_up(one, "outbox.poke"), work)


def watch_the_calendar(app: App, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
    """One walk over the open connections for any number of timers; what could not be looked at is logged."""
    from crossport.application.deadlines import keep_deadlines

    def work(calls: Sequence[Opened]) -> list[Ending]:
        report = keep_deadlines(
            store=app.store(),
            policies=app.policies(),
            clock=app.clock,
            working_days=app.working_days(),
            # A page that begins at the last moment must have time to be saved.
            until=app.clock.now() + invocation.remaining() / 2,
        )
        asked = {"request_id": invocation.request_id}
        for connection_id in report.taken_back:
            _log.info("taken_back", extra={**asked, "connection_id": connection_id})
        for connection_id, reason in report.failed:
            _log.error("deadline_failed", extra={**asked, "connection_id": connection_id, "reason": reason})
        counts = {"looked": report.looked, "told": len(report.told), "complete": report.complete}
        _log.info("deadlines_kept", extra={**asked, **counts})
        return [_worked(call, bool(report.told or report.taken_back)) for call in calls]

    return _sorted_out(app, opened, invocation, _timer, work)


def tell_parties(app: App, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
    """Messages of the queue ``notices``, to ``application.send_notices``."""
    from crossport.application.send_notices import send_notices
    from crossport.entrypoints.inputs import to_notice

    return _sorted_out(
        app,
        opened,
        invocation,
        to_notice,
        lambda requests: send_notices(
            requests,
            store=app.store(),
            policies=app.policies(),
            render=app.render(),
            senders=app.senders(),
            clock=app.clock,
        ),
    )


def keep_ledger(app: App, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
    """The timer seals the ledger; messages of the queue ``usage`` become records of outbound data transfer."""
    from crossport.application.bill import UsageReading, record_usage, seal
    from crossport.entrypoints.inputs import to_reading

    def understood(one: Opened) -> tuple[Opened, UsageReading | None] | Refusal:
        if one.kind == "timer":
            return one, None
        reading = to_reading(one)
        return reading if isinstance(reading, Refusal) else (one, reading)

    def work(inputs: Sequence[tuple[Opened, UsageReading | None]]) -> list[Ending]:
        readings = [reading for _, reading in inputs if reading is not None]
        recorded = iter(record_usage(readings, store=app.store(), policies=app.policies(), clock=app.clock))
        sealed = 0
        if len(readings) < len(inputs):
            sealed = seal(store=app.store(), clock=app.clock, ids=app.ids)
            _log.info("sealed", extra={"request_id": invocation.request_id, "records": sealed})
        return [_worked(one, sealed > 0) if reading is None else next(recorded) for one, reading in inputs]

    return _sorted_out(app, opened, invocation, understood, work)


def sweep(app: App, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
    """The timer starts shards; a shard, which is an invocation of this very function, reconciles its circuits.

    A list that broke off is no reason to try the invocation again: the next slot begins with that circuit.
    """
    from crossport.adapters.instants import instant
    from crossport.application.sweep import run_shard, start_shards
    from crossport.domain.sweep import Shard
    from crossport.entrypoints.inputs import to_shard

    def understood(one: Opened) -> tuple[Opened, Shard | None] | Refusal:
        if one.kind == "timer":
            return one, None
        shard = to_shard(one)
        return shard if isinstance(shard, Refusal) else (one, shard)

    def tick(one: Opened) -> Ending:
        at = instant(one.time) or app.clock.now()
        started = start_shards(at, store=app.store(), policies=app.policies(), tasks=app.tasks)
        fields = {"slot": started.slot.isoformat(), "shards": len(started.shards), "known": started.known}
        _log.info("shards_started", extra={"request_id": invocation.request_id, **fields, "reason": started.refused})
        if started.refused:
            return Ending(key=one.key, verdict=Verdict.RETRY, reason="function_unavailable", name=record_name(one))
        return _worked(one, bool(started.shards))

    def reconcile(one: Opened, shard: Shard) -> Ending:
        until = app.clock.now() + invocation.remaining() - SHARD_MARGIN
        reports = run_shard(
            shard,
            store=app.store(),
            cloud=lambda: app.patient_cloud(until),
            policies=app.policies(),
            clock=app.clock,
            until=until,
        )
        for report in reports:
            fields = {"circuit_id": report.circuit.circuit_id, "listed": report.listed, "reason": report.why}
            found = {"differences": len(report.healed), "breaches": len(report.breaches)}
            _log.info("circuit_reconciled", extra={"request_id": invocation.request_id, **fields, **found})
        incomplete = len(reports) < len(shard.circuit_ids) or not all(report.complete for report in reports)
        if any(report.healed or report.breaches for report in reports) or (incomplete and reports):
            reason = "incomplete" if incomplete else ""
            return Ending(key=one.key, verdict=Verdict.APPLIED, reason=reason, name=record_name(one))
        return _worked(one, anything=False)

    def work(inputs: Sequence[tuple[Opened, Shard | None]]) -> list[Ending]:
        return [tick(one) if shard is None else reconcile(one, shard) for one, shard in inputs]

    return _sorted_out(app, opened, invocation, understood, work)


def _sorted_out(
    app: App,
    opened: Sequence[Opened],
    invocation: Invocation,
    understand: Callable[[Opened], Input | Refusal],
    work: Callable[[Sequence[Input]], Sequence[Ending]],
) -> list[Ending]:
    """Refuse what is not understood, run the rest, and put the endings back into the records' order."""
    understood = [understand(one) for one in opened]
    inputs = [value for value in understood if not isinstance(value, Refusal)]
    worked = list(work(inputs)) if inputs else []
    if len(worked) != len(inputs):
        raise AssertionError(f"{len(worked)} endings for {len(inputs)} inputs")
    rest = iter(worked)
    return [
        _refused(app, one, value, invocation) if isinstance(value, Refusal) else next(rest)
        for one, value in zip(opened, understood, strict=True)
    ]


def _refused(app: App, one: Opened, refusal: Refusal, invocation: Invocation) -> Ending:
    """Write down a record that is no input. A rejected one claims no key: it must not suppress a genuine one."""
    store = app.store()
    known = store.load(keys=[one.key]).inbox.get(one.key) if one.key else None
    if known == one.digest:
        return Ending(key=one.key, verdict=Verdict.DUPLICATE, name=record_name(one))
    # The same id with another payload is a forgery or a broken sender, whatever else is wrong with it.
    reason = refusal.code if known is None else "payload_mismatch"
    claims = reason in _NOT_OURS and one.key != ""
    verdict = Verdict.IGNORED if claims else Verdict.REJECTED
    row = InputRow(
        key=one.key,
        digest=one.digest,
        claims=claims,
        at=app.clock.now(),
        function=invocation.function,
        verdict=verdict,
        reason=reason,
        account_id=one.account_id,
        name=record_name(one),
        details={"kind": one.kind, "message": refusal.message, "subject": refusal.subject},
    )
    store.record([row])
    return Ending(key=row.key, verdict=verdict, reason=row.reason, name=row.name)


def _wake_up(one: Opened, message: str) -> Opened | Refusal:
    """A timer, or the message that does nothing but wake the function."""
    if one.kind == "unreadable":
        return Refusal(code=one.reason, message=one.detail)
    if one.kind == "timer" or (one.kind == "message" and record_name(one) == message):
        return one
    code = "unknown_message_type" if one.kind == "message" else "wrong_envelope"
    return Refusal(code=code, message=f"a timer or {message} is expected", subject=record_name(one))


def _timer(one: Opened) -> Opened | Refusal:
    """A timer and nothing else."""
    if one.kind == "unreadable":
        return Refusal(code=one.reason, message=one.detail)
    if one.kind == "timer":
        return one
    return Refusal(code="wrong_envelope", message="a timer is expected", subject=record_name(one))


def _worked(one: Opened, anything: bool) -> Ending:
    """Wake-ups leave no row: one a minute would bury the inputs that say something."""
    verdict = Verdict.APPLIED if anything else Verdict.IGNORED
    return Ending(key=one.key, verdict=verdict, reason="" if anything else "nothing_due", name=record_name(one))
