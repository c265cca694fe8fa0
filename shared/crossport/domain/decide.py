"""``decide``: the one place where observations turn into a new connection and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from crossport.domain.billing import charges_of, unpriced
from crossport.domain.connection import Connection
from crossport.domain.differences import Known, known_of
from crossport.domain.effects import Effect, effects_of, evidence
from crossport.domain.facts import merge_port, merge_vbr, settle
from crossport.domain.ledger import BillingRecord, settle_records
from crossport.domain.observation import Observation, PortObservation
from crossport.domain.phase import lost_in_arrears, phase_of
from crossport.domain.policy import Policy
from crossport.domain.violations import Violation, violations_of
from crossport.domain.vocabulary import Phase


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One line of the audit trail: what changed. ``details`` are JSON values."""

    kind: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that a person should look at; it changes nothing by itself. ``key`` is unique within the connection."""

    code: str
    subject: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What follows: the new connection, the audit trail's lines, effects with new keys, and records to append."""

    connection: Connection
    phase: Phase
    violations: tuple[Violation, ...] = ()
    changes: tuple[Change, ...] = ()
    effects: tuple[Effect, ...] = ()
    records: tuple[BillingRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: What is known of the port from now on, for reconciliation; None while there is none.
    known: Known | None = None

    @property
    def changed(self) -> bool:
        """Whether anything would be written besides the inbox."""
        return bool(self.changes or self.effects or self.records or self.findings)


def decide(connection: Connection, observations: Iterable[Observation], policy: Policy) -> Decision:
    """Fold observations into a connection.

    Any order and any repeats of the same observations end in the same facts, the same set of effect keys and the
    same live records. Observations of a settled past, and those of another port than the connection's, change nothing
    and are findings.
    """
    merged, findings = connection, []
    for seen in observations:
        code = _objection(merged, seen, policy)
        if code is None:
            merged = _merge(merged, seen)
        else:
            findings.append(_refused(code, seen))
    return conclude(connection, _settled(merged, policy), policy, findings=tuple(findings))


def conclude(
    before: Connection | None, after: Connection, policy: Policy, *, findings: tuple[Finding, ...] = ()
) -> Decision:
    """What follows from a connection's move from ``before`` (None: it is new) to ``after``.

    Effects are those of ``after`` less those of ``before``, which an earlier save has inserted already.
    """
    heads, records = settle_records(after.heads, charges_of(after, policy))
    after = after.but(heads=heads) if heads != after.heads else after
    old = None if before is None else _standing_of(before, policy)
    effects = effects_of(after, policy)
    new = _keep_standing(after, policy, effects)
    missing = tuple(
        Finding(code="price_missing", subject=subject, details={})
        for subject in new.unpriced
        if old is None or subject not in old.unpriced
    )
    return Decision(
        connection=after,
        phase=new.phase,
        violations=new.violations,
        changes=_changes(old, new),
        effects=effects if old is None else tuple(effect for effect in effects if effect.key not in old.effects),
        records=records,
        findings=(
            *findings,
            *missing,
            *_series_findings(before, after),
            *_late_port(before, after),
            *_lost_findings(before, after, policy.consistency_window),
        ),
        known=known_of(after, policy.consistency_window),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Standing:
    """What is compared of a connection before and after: all of it follows from the connection and the policy."""

    policy: Policy
    phase: Phase
    violations: tuple[Violation, ...]
    #: The fields that a person follows.
    followed: Mapping[str, Any]
    #: Keys of the effects.
    effects: frozenset[str]
    unpriced: tuple[str, ...]


def _standing_of(connection: Connection, policy: Policy) -> _Standing:
    """Where a connection stands; derived once for each value, because what is saved is often the next to be loaded."""
    kept = connection.derived.get("standing")
    if isinstance(kept, _Standing) and kept.policy is policy:
        return kept
    return _keep_standing(connection, policy, effects_of(connection, policy))


def _keep_standing(connection: Connection, policy: Policy, effects: Iterable[Effect]) -> _Standing:
    window = policy.consistency_window
    standing = _Standing(
        policy=policy,
        phase=phase_of(connection, window),
        violations=violations_of(connection, window),
        followed=_followed(connection, window),
        effects=frozenset([effect.key for effect in effects]),
        unpriced=unpriced(connection, policy),
    )
    connection.derived["standing"] = standing
    return standing


def _merge(connection: Connection, seen: Observation) -> Connection:
    if isinstance(seen, PortObservation):
        return connection.but(port=merge_port(connection.port, seen))
    others = [vbr for vbr in connection.vbrs if vbr.vbr_id != seen.vbr_id]
    known = next((vbr for vbr in connection.vbrs if vbr.vbr_id == seen.vbr_id), None)
    merged = sorted([*others, merge_vbr(known, seen)], key=lambda vbr: vbr.vbr_id)
    return connection.but(vbrs=tuple(merged))


def _objection(connection: Connection, seen: Observation, policy: Policy) -> str | None:
    """Why an observation cannot count, as a finding's code; None when it does."""
    port = connection.port
    if port is not None and isinstance(seen, PortObservation) and seen.port_id != port.port_id:
        return "second_port"
    until = _settled_until(connection, policy)
    return "late_observation" if until is not None and seen.at < until else None


def _settled_until(connection: Connection, policy: Policy) -> datetime | None:
    """The end of the settled past: the settlement age before the latest thing known; None while nothing is known."""
    known = connection.known_between
    return known[1] - policy.settlement_age if known is not None else None


def _settled(connection: Connection, policy: Policy) -> Connection:
    known = connection.known_between
    if known is None or known[0] >= (until := known[1] - policy.settlement_age):
        return connection
    port = settle(connection.port, until) if connection.port is not None else None
    vbrs = tuple(settle(vbr, until) for vbr in connection.vbrs)
    if port is connection.port and all(new is old for new, old in zip(vbrs, connection.vbrs, strict=True)):
        return connection
    return connection.but(port=port, vbrs=vbrs)


def _refused(code: str, seen: Observation) -> Finding:
    subject = seen.port_id if isinstance(seen, PortObservation) else seen.vbr_id
    return Finding(code=code, subject=subject, details={"at": seen.at.isoformat()})


def _late_port(before: Connection | None, after: Connection) -> tuple[Finding, ...]:
    """A port of an order that had none to expect any more: somebody should decide what it is for."""
    port = after.port
    if port is None or not after.came_late or (before is not None and before.port is not None):
        return ()
    given_up = "refused" if after.refusals else "failed" if after.failure is not None else "withdrawn"
    return (Finding(code="port_after_failure", subject=port.port_id, details={"order": given_up}),)


def _series_findings(before: Connection | None, after: Connection) -> tuple[Finding, ...]:
    """A changed EnabledTime opens a new billing series; a person should know why (ruling 7)."""
    known = before.port.enabled_times_read() if before is not None and before.port is not None else ()
    now = after.port.enabled_times_read() if after.port is not None else ()
    if len(now) < 2 or now == known:
        return ()
    return tuple(
        Finding(code="enabled_time_changed", subject=at.isoformat(), details={"known": [t.isoformat() for t in known]})
        for at in now
        if at not in known
    )


def _lost_findings(before: Connection | None, after: Connection, window: timedelta) -> tuple[Finding, ...]:
    """A port lost in arrears (ruling 13): told once, when it becomes so."""
    port = after.port
    known = before is not None and lost_in_arrears(before, window)
    if port is None or known or not lost_in_arrears(after, window):
        return ()
    details = {"end_time": _iso(port.end_time.current), "order_mode": after.order_mode}
    return (Finding(code="lost_in_arrears", subject=port.port_id, details=details),)


def _changes(before: _Standing | None, after: _Standing) -> tuple[Change, ...]:
    """The audit trail's lines: the phase, the fields a person follows, and violations that came or went."""
    changes = []
    phase, old, had = (None, {}, ()) if before is None else (before.phase, before.followed, before.violations)
    if phase is not after.phase:
        changes.append(Change(kind="phase", details={"from": phase, "to": after.phase}))
    new = after.followed
    changes += [
        Change(kind="field", details={"field": name, "from": old.get(name), "to": new[name]})
        for name in sorted(new)
        if old.get(name) != new[name]
    ]
    if had or after.violations:
        changes += _violation_changes(had, after.violations)
    return tuple(changes)


def _violation_changes(before: Iterable[Violation], after: Iterable[Violation]) -> list[Change]:
    had, has = ({violation.key: violation for violation in violations} for violations in (before, after))
    return [
        *(Change(kind="violation", details=evidence(has[key])) for key in sorted(has.keys() - had.keys())),
        *(Change(kind="violation_cleared", details=evidence(had[key])) for key in sorted(had.keys() - has.keys())),
    ]


def _followed(connection: Connection, window: timedelta) -> dict[str, Any]:
    fields: dict[str, Any] = {"milestones": [m.name for m in connection.milestones]} if connection.milestones else {}
    port = connection.port
    if port is not None:
        fields |= {"port_id": port.port_id, "acceptance": port.acceptance}
        for name in ("status", "business_status", "spec", "expect_spec", "vlan_id", "tenant_uid", "order_mode"):
            fields[name] = getattr(port, name).current
        for name in ("enabled_time", "end_time"):
            fields[name] = _iso(getattr(port, name).current)
    for vbr in connection.vbrs:
        fields[f"{vbr.vbr_id}"] = "deleted" if vbr.deleted else vbr.status.current or "seen"
    accepted = connection.accepted_vbr(window)
    fields["vbr_id"] = accepted.vbr_id if accepted else None
    return {name: value for name, value in fields.items() if value is not None}


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value is not None else None
