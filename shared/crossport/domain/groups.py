"""Redundancy groups: connections of one tenant on different circuits and access points (ruling 17).

Both orders are checked before either port is made, and neither member is touched while the other one is not active.
A group lives within one partner account. Members that have ended, or whose end is asked for, no longer count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Refusal, Request
from crossport.domain.decide import Decision, Finding, conclude
from crossport.domain.effects import ALIVE, gates, ready_to_push
from crossport.domain.phase import phase_of
from crossport.domain.policy import Policy
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Phase, RequestKind

#: Requests that nobody makes while the sibling does not carry the traffic.
GUARDED = frozenset({RequestKind.CHANGE_SPEC, RequestKind.CHANGE_VLAN, RequestKind.CEASE})
#: Phases in which a member has a port that is, or may become, a service.
_THERE = ALIVE - {Phase.ORDERED, Phase.PROVISIONING}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sibling:
    """Another connection of the same group, and where its circuit ends."""

    connection: Connection
    #: "" when its circuit is not on record.
    access_point: str = ""


def siblings_fit(
    circuit: Circuit, tenant_uid: str, spec: str, siblings: Iterable[Sibling], policy: Policy
) -> Iterator[Refusal]:
    """Why an order does not fit the group: another tenant, the same circuit or access point, another bandwidth."""
    for sibling in living(siblings, policy):
        other = sibling.connection
        subject = other.connection_id
        if other.tenant_uid != tenant_uid:
            yield Refusal(code="group_of_other_tenant", message="the group is another tenant's", subject=other.group_id)
            return
        if other.circuit_id == circuit.circuit_id:
            message = f"{subject} of the group is on circuit {circuit.circuit_id} too"
            yield Refusal(code="group_same_circuit", message=message, subject=subject)
        elif sibling.access_point == circuit.access_point:
            message = f"{subject} of the group ends at access point {circuit.access_point} too"
            yield Refusal(code="group_same_access_point", message=message, subject=subject)
        if other.spec != spec and spec in MBPS:
            message = f"{subject} of the group has {other.spec}, not {spec}"
            yield Refusal(code="group_spec_differs", message=message, subject=subject)


def siblings_active(
    connection: Connection, request: Request, siblings: Iterable[Sibling], policy: Policy
) -> Iterator[Refusal]:
    """Why a member is not to be changed or ceased now: a sibling is not active. By force it is, with a reason."""
    if not connection.group_id or request.kind not in GUARDED or request.forced:
        return
    members = [sibling.connection for sibling in siblings if not sibling.connection.refusals]
    phases = {member.connection_id: phase_of(member, policy.consistency_window) for member in members}
    lasting = {key: phase for key, phase in phases.items() if phase in ALIVE or phase is Phase.RELEASING}
    for key, phase in sorted((lasting or phases).items()):
        if phase is not Phase.ACTIVE:
            message = f"{key} of the group is {phase}: the tenant would be without a line"
            yield Refusal(code="sibling_not_active", message=message, subject=key)


def living(siblings: Iterable[Sibling], policy: Policy) -> tuple[Sibling, ...]:
    """The siblings that are, or may still become, a service."""
    return tuple(s for s in siblings if phase_of(s.connection, policy.consistency_window) in ALIVE)


def complete_since(connection: Connection, siblings: Iterable[Sibling], policy: Policy) -> datetime | None:
    """When the connection's group had two valid orders, its own among them; None while it has not."""
    others = [sibling.connection.created_at for sibling in living(siblings, policy)]
    return max(connection.created_at, min(others)) if others else None


def decide_complete(connection: Connection, siblings: Iterable[Sibling], policy: Policy) -> Decision | None:
    """A member that has waited for its sibling waits no longer; None when there is nothing to decide."""
    waits = connection.group_id and connection.group_ready_at is None and not connection.refusals
    since = complete_since(connection, siblings, policy) if waits else None
    if since is None or phase_of(connection, policy.consistency_window) is not Phase.ORDERED:
        return None
    return conclude(connection, intended(replace(connection, group_ready_at=since), policy), policy)


def intended(connection: Connection, policy: Policy) -> Connection:
    """The connection, its create call intended once order, gates and group are there, in whatever order they came."""
    over = bool(connection.refusals) or connection.withdrawn_at is not None
    if connection.intended_at is not None or over or not ready_to_push(connection, policy):
        return connection
    return replace(connection, intended_at=reached_at(connection, policy))


def reached_at(connection: Connection, policy: Policy) -> datetime:
    """When the last of what gates the create call was there."""
    reached = (connection.milestone(name) for name in gates(policy))
    times = [milestone.at for milestone in reached if milestone is not None]
    if connection.group_ready_at is not None:
        times.append(connection.group_ready_at)
    return max([connection.created_at, *times])


def missing_siblings(connection: Connection, siblings: Iterable[Sibling], window: timedelta) -> tuple[Connection, ...]:
    """The siblings for want of which the group is half provisioned; empty while it is whole, or is not begun.

    The connection has a port, and of its siblings none has: they failed, were declined or are not there yet. A sibling
    whose end was asked for is missed by nobody.
    """
    if not _there(connection, window):
        return ()
    others = [s.connection for s in siblings if not s.connection.refusals and s.connection.cease_recorded_at is None]
    return () if any(_there(other, window) for other in others) else tuple(others)


def half_provisioned(
    connection: Connection, siblings: Iterable[Sibling], now: datetime, policy: Policy
) -> Finding | None:
    """The finding that the group is half provisioned, with the deadline for mending it; None when it is not."""
    window = policy.consistency_window
    missing = missing_siblings(connection, siblings, window)
    if not missing:
        return None
    return Finding(
        code="half_provisioned",
        subject=connection.group_id,
        details={
            "missing": [f"{each.connection_id} {phase_of(each, window)}" for each in missing],
            "since": now.isoformat(),
            "deadline": (now + policy.group_deadline).isoformat(),
        },
    )


def _there(connection: Connection, window: timedelta) -> bool:
    return connection.cease_recorded_at is None and phase_of(connection, window) in _THERE
