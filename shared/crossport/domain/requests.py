"""Changes, ceases and cancellations: decided against the connection, its circuit and the rights of the parties.

A refused request changes nothing and is told every reason at once. An accepted one stands on the connection; what
follows from it in the cloud are commands, derived like all effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from crossport.domain.checks import (
    spec_allowed,
    vlan_change_harmless,
    vlan_free,
    vlan_in_range,
    within_capacity,
    zero_vlan_alone,
)
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Refusal, Request
from crossport.domain.decide import Decision, conclude
from crossport.domain.effects import Notice
from crossport.domain.effects.notices import recovery_notices
from crossport.domain.effects.replies import fulfilled
from crossport.domain.groups import Sibling, siblings_active
from crossport.domain.maintenance import Maintenance, free_of_maintenance
from crossport.domain.orders import Hold
from crossport.domain.phase import VBR_DOWN, phase_of
from crossport.domain.policy import Policy
from crossport.domain.recovery import recovery_allowed
from crossport.domain.specs import MBPS, mbps
from crossport.domain.violations import violations_of
from crossport.domain.vocabulary import Phase, RequestKind

#: Phases in which a connection has ended or never began: nothing can be asked of it.
_OVER = frozenset({Phase.REJECTED, Phase.FAILED, Phase.WITHDRAWN, Phase.DECLINED, Phase.RELEASED})
#: Phases in which a port can be changed: it is the tenant's and works, or could.
_CHANGEABLE = frozenset({Phase.OFFERED, Phase.ACCEPTED, Phase.ENABLED, Phase.ACTIVE})
_CHANGES = frozenset({RequestKind.CHANGE_SPEC, RequestKind.CHANGE_VLAN})
#: Phases in which an order or offer can still be taken back.
_CANCELLABLE = frozenset({Phase.ORDERED, Phase.PROVISIONING, Phase.OFFERED})


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestDecision:
    """What follows from a request. Refused: ``refusals`` and ``notices``, nothing else.

    ``hold`` and ``release`` come with the ``circuit`` after both; a change of spec releases the hold that it takes
    again with another bandwidth.
    """

    decision: Decision | None
    refusals: tuple[Refusal, ...] = ()
    #: Whom a refusal leaves to act is told so.
    notices: tuple[Notice, ...] = ()
    hold: Hold | None = None
    release: Hold | None = None
    circuit: Circuit | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything that a request is decided on."""

    request: Request
    connection: Connection
    circuit: Circuit
    held: Hold | None
    policy: Policy
    siblings: tuple[Sibling, ...]
    maintenance: Sequence[Maintenance]

    @property
    def phase(self) -> Phase:
        return phase_of(self.connection, self.policy.consistency_window)

    @property
    def held_mbps(self) -> int:
        return self.held.mbps if self.held else 0

    @property
    def present_mbps(self) -> int:
        return MBPS.get(self.connection.spec, 0)

    @property
    def asked_vlan_id(self) -> int:
        """The VLAN ID asked for; one that is never valid when none was named."""
        return -1 if self.request.vlan_id is None else self.request.vlan_id


def decide_request(
    request: Request,
    connection: Connection,
    circuit: Circuit,
    held: Hold | None,
    policy: Policy,
    siblings: tuple[Sibling, ...] = (),
    maintenance: Sequence[Maintenance] = (),
) -> RequestDecision:
    """Accept or refuse a request on an existing connection.

    ``held`` is the connection's live hold of its present VLAN ID, None when it has none; ``siblings`` are the other
    connections of its redundancy group, and ``maintenance`` the records of circuits that are not cleared.
    """
    if any(earlier.request_id == request.request_id for earlier in connection.requests):
        return RequestDecision(decision=conclude(connection, connection, policy))
    case = _Case(request, connection, circuit, held, policy, siblings, maintenance)
    reasons = tuple(_reasons(case))
    if reasons:
        told = recovery_notices(connection, request, policy) if request.kind is RequestKind.RECOVER else ()
        return RequestDecision(decision=None, refusals=reasons, notices=tuple(told))
    return _ACCEPT[request.kind](case)


def _reasons(case: _Case) -> Iterator[Refusal]:
    if case.phase in _OVER:
        subject = case.connection.connection_id
        yield Refusal(code="connection_over", message=f"the connection is {case.phase}", subject=subject)
        return
    yield from _CHECKS[case.request.kind](case)
    yield from siblings_active(case.connection, case.request, case.siblings, case.policy)
    yield from free_of_maintenance(case.connection, case.request, case.siblings, case.maintenance, case.policy)


def _changeable(case: _Case) -> Iterator[Refusal]:
    if case.phase not in _CHANGEABLE:
        message = f"nothing is changed while it is {case.phase}"
        yield Refusal(code="phase_forbids_change", message=message, subject=case.phase)
    if case.connection.request(RequestKind.CEASE) is not None:
        yield Refusal(code="cease_recorded", message="the end of the service is recorded")
    for pending in case.connection.requests:
        if pending.kind in _CHANGES and not fulfilled(case.connection, pending):
            # One change at a time: what each of them holds and gives back is then never in doubt.
            message = f"{pending.kind} {pending.request_id} has not taken effect yet"
            yield Refusal(code="change_pending", message=message, subject=pending.request_id)
    if not case.request.forced:
        for violation in violations_of(case.connection, case.policy.consistency_window):
            yield Refusal(code="violation_open", message=violation.evidence, subject=violation.key)


def _spec_reasons(case: _Case) -> Iterator[Refusal]:
    yield from _changeable(case)
    spec = case.request.spec
    yield from spec_allowed(spec, case.policy)
    if spec == case.connection.spec:
        yield Refusal(code="spec_unchanged", message=f"the spec is {spec} already", subject=spec)
    yield from within_capacity(spec, case.circuit, present_mbps=case.present_mbps, held_mbps=case.held_mbps)


def _vlan_reasons(case: _Case) -> Iterator[Refusal]:
    yield from _changeable(case)
    vlan_id = case.asked_vlan_id
    out_of_range = tuple(vlan_in_range(vlan_id))
    if out_of_range:
        yield from out_of_range
        return
    if vlan_id == case.connection.vlan_id:
        yield Refusal(code="vlan_unchanged", message=f"the VLAN ID is {vlan_id} already", subject=str(vlan_id))
    else:
        yield from vlan_free(vlan_id, case.circuit)
        yield from zero_vlan_alone(vlan_id, case.circuit, case.policy)
    yield from vlan_change_harmless(case.connection, case.policy, forced=bool(case.request.forced))


def _cease_reasons(case: _Case) -> Iterator[Refusal]:
    if case.connection.request(RequestKind.CEASE) is not None:
        yield Refusal(code="cease_recorded", message="the end of the service is recorded already")
    if case.phase in _CANCELLABLE:
        message = f"it is {case.phase}: cancel the order instead"
        yield Refusal(code="not_accepted_yet", message=message, subject=case.phase)


def _cancel_reasons(case: _Case) -> Iterator[Refusal]:
    if case.phase not in _CANCELLABLE:
        message = f"it is {case.phase}: cease the service instead"
        yield Refusal(code="accepted_already", message=message, subject=case.phase)


def _recover_reasons(case: _Case) -> Iterator[Refusal]:
    window = case.policy.consistency_window
    yield from recovery_allowed(case.connection, window, forced=bool(case.request.forced))


def _accept_spec(case: _Case) -> RequestDecision:
    """Capacity counts the larger of the two specs until the new one is paid and in effect (rule 5)."""
    decision, held = _recorded(case), case.held
    if held is None:
        return RequestDecision(decision=decision)
    hold = replace(held, mbps=max(mbps(case.request.spec), case.present_mbps))
    after = case.circuit.release(held.vlan_id, held.mbps).hold(hold.vlan_id, hold.mbps)
    return RequestDecision(decision=decision, hold=hold, release=held, circuit=after)


def _accept_vlan(case: _Case) -> RequestDecision:
    """The new VLAN ID is held beside the old one, which is given back when nothing uses it any more.

    The second hold takes no bandwidth: there is still one port.
    """
    circuit, vlan_id = case.circuit, case.asked_vlan_id
    hold = Hold(circuit_id=circuit.circuit_id, vlan_id=vlan_id, mbps=0, connection_id=case.connection.connection_id)
    return RequestDecision(decision=_recorded(case), hold=hold, circuit=circuit.hold(vlan_id, 0))


def _accept_cease(case: _Case) -> RequestDecision:
    return RequestDecision(decision=_recorded(case, cease_recorded_at=case.request.at))


def _accept_recover(case: _Case) -> RequestDecision:
    """VLAN ID and bandwidth were held all the time. What is off is noted, for its return is what completes it."""
    vbr = case.connection.accepted_vbr(case.policy.consistency_window)
    off = vbr.vbr_id if vbr is not None and vbr.status.current in VBR_DOWN else ""
    return RequestDecision(decision=_recorded(replace(case, request=replace(case.request, vbr_id=off))))


def _accept_cancel(case: _Case) -> RequestDecision:
    """Without a port the order ends at once; a port that may exist is withdrawn by the relay, which looks first."""
    held = case.held
    if case.connection.port is not None or case.connection.intended_at is not None:
        return RequestDecision(decision=_recorded(case, withdrawn_at=case.request.at))
    decision = _recorded(case, withdrawn_at=case.request.at, hold_released_at=case.request.at)
    if held is None:
        return RequestDecision(decision=decision)
    after = case.circuit.release(held.vlan_id, held.mbps)
    return RequestDecision(decision=decision, release=held, circuit=after)


def _recorded(case: _Case, **changes: object) -> Decision:
    requests = (*case.connection.requests, case.request)
    after = replace(case.connection, requests=requests, **changes)  # type: ignore[arg-type]
    return conclude(case.connection, after, case.policy)


_CHECKS: dict[RequestKind, Callable[[_Case], Iterator[Refusal]]] = {
    RequestKind.CHANGE_SPEC: _spec_reasons,
    RequestKind.CHANGE_VLAN: _vlan_reasons,
    RequestKind.CEASE: _cease_reasons,
    RequestKind.CANCEL: _cancel_reasons,
    RequestKind.RECOVER: _recover_reasons,
}
_ACCEPT: dict[RequestKind, Callable[[_Case], RequestDecision]] = {
    RequestKind.CHANGE_SPEC: _accept_spec,
    RequestKind.CHANGE_VLAN: _accept_vlan,
    RequestKind.CEASE: _accept_cease,
    RequestKind.CANCEL: _accept_cancel,
    RequestKind.RECOVER: _accept_recover,
}
