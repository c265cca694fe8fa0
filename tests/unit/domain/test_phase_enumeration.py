"""Every combination of what can be known of a connection has exactly one phase, and it is the one of the design.

The oracle below states, in words of its own and phase by phase, when a connection is in it; the conditions exclude one
another by themselves, while the product's own table relies on the first match.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection, Refusal, Terms
from crossport.domain.facts import PortFacts, VbrFacts, merge_port, merge_vbr
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.phase import lost_in_arrears, phase_of, suspension
from crossport.domain.violations import violations_of
from crossport.domain.vocabulary import PORT_STATUSES, OrderMode, Party, Phase, Presence, Source
from tests.effort import stride
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    STRANGER,
    VLAN,
    WINDOW,
    connection,
    port_read,
    port_seen,
    vbr_read,
    vbr_seen,
)

LATER = NOW + timedelta(hours=1)
MUCH_LATER = NOW + timedelta(hours=2)
REASON = Refusal(code="reason", message="for a reason")

#: What was said of the acceptance, in order.
ACCEPTANCES: dict[str, tuple[str, ...]] = {
    "offered": ("UnConfirmed",),
    "accepted": ("UnConfirmed", "Confirmed"),
    "deleted unaccepted": ("UnConfirmed", "Deleted"),
    "deleted accepted": ("Confirmed", "Deleted"),
}
STATUSES = (None, "Never heard of", *sorted(PORT_STATUSES))
#: Business status as last seen, and the port's EndTime.
BUSINESS: dict[str, tuple[str | None, datetime | None]] = {
    "unsaid": (None, None),
    "unknown": ("Never heard of", None),
    "normal": ("Normal", None),
    "normal, past its end": ("Normal", NOW - WINDOW),
    "locked for billing": ("FinancialLocked", None),
    "locked for billing before its end": ("FinancialLocked", NOW + WINDOW),
    "locked for billing at its end": ("FinancialLocked", NOW),
    "locked for security": ("SecurityLocked", NOW - WINDOW),
}
PRESENCES: dict[str, tuple[Presence, ...]] = {
    "seen": (Presence.PRESENT,),
    "missing": (Presence.PRESENT, Presence.NOT_LISTED),
    "gone": (Presence.PRESENT, Presence.NOT_LISTED, Presence.NOT_LISTED, Presence.NOT_FOUND),
}
VBRS: dict[str, tuple[VbrObservation, ...]] = {
    "none": (),
    "conforming": (vbr_read(),),
    "conforming, status unsaid": (vbr_read(status=None),),
    "conforming, owner unsaid": (vbr_read(owner_uid=None),),
    "conforming, unknown status": (vbr_read(status="Never heard of"),),
    "unconfirmed": (vbr_read(status="unconfirmed"),),
    "terminated": (vbr_read(status="terminated"),),
    "deleting": (vbr_read(status="deleting"),),
    "deleted": (vbr_read(), vbr_seen(LATER, Source.EVENT, deleted=True)),
    "gone": (vbr_read(), *(vbr_seen(at, presence=Presence.NOT_LISTED) for at in (LATER, MUCH_LATER))),
    "wrong VLAN": (vbr_read(vlan_id=VLAN + 1),),
    "wrong owner": (vbr_read(owner_uid=STRANGER),),
    "on the circuit": (vbr_read(port_id=CIRCUIT),),
    "two, one wrong": (vbr_read(vbr_id="vbr-0", vlan_id=0), vbr_read()),
}
ACTS = ("refused", "gave_up", "took_back", "cease", "intended", "attested")


@dataclass(frozen=True)
class Case:
    """One combination. ``acceptance`` is None when there is no port."""

    acts: frozenset[str]
    acceptance: str | None = None
    status: str | None = None
    business: str = "unsaid"
    presence: str = "seen"
    vbr: str = "none"


# --- The oracle: design section 1, "Phase", with rulings 1, 4, 8 and 14 --------------------------------------------

_UP = {"conforming", "conforming, status unsaid", "conforming, owner unsaid", "two, one wrong"}
_NEVER_ON_THE_PORT = {"none", "on the circuit"}


def _refused(case: Case) -> bool:
    """A port that is there all the same is followed like any other."""
    return "refused" in case.acts and case.acceptance is None


def _gave_up(case: Case) -> bool:
    broken_off = case.status in {"Rejected", "Allocation Failed", "AllocationFailed"}
    return broken_off or ("gave_up" in case.acts and case.acceptance is None)


def _the_tenants(case: Case) -> bool:
    """Whether the port ever was more than an offer; nobody can hang a VBR on a port that he has not accepted."""
    return case.acceptance in {"accepted", "deleted accepted"} or case.vbr not in {"none", "on the circuit"}


def _over(case: Case) -> bool:
    return case.acceptance in {"deleted unaccepted", "deleted accepted"} or case.presence == "gone"


def _offer_over(case: Case) -> bool:
    if case.acceptance is None:
        return "took_back" in case.acts
    if _the_tenants(case):
        return False
    return _over(case) or case.status == "Canceled"


def _pursued(case: Case) -> bool:
    return not _refused(case) and not _gave_up(case)


def _going_on(case: Case) -> bool:
    """Neither ended nor ending."""
    ending = "cease" in case.acts or case.status == "Canceled"
    return _pursued(case) and not _over(case) and not _offer_over(case) and not ending


def _suspended(case: Case) -> bool:
    if case.acceptance is None:
        return False
    vbr_off = case.vbr == "terminated" and case.acceptance == "accepted" and case.status == "Enabled"
    locked = case.business.startswith("locked")
    return locked or case.status in {"Terminating", "Terminated"} or vbr_off


def _served(case: Case) -> bool:
    return case.vbr in _UP or ("attested" in case.acts and case.vbr in _NEVER_ON_THE_PORT)


def _working(case: Case) -> bool:
    """Going on, not suspended, with a port that is accepted and paid."""
    return (
        _going_on(case) and not _suspended(case) and case.acceptance == "accepted" and case.status == "Enabled"
    )  # fmt: skip


ORACLE: dict[Phase, Callable[[Case], bool]] = {
    Phase.REJECTED: _refused,
    Phase.FAILED: lambda c: _gave_up(c) and not _refused(c),
    Phase.WITHDRAWN: lambda c: _pursued(c) and _offer_over(c) and "took_back" in c.acts,
    Phase.DECLINED: lambda c: _pursued(c) and _offer_over(c) and "took_back" not in c.acts,
    Phase.RELEASED: lambda c: _pursued(c) and _over(c) and _the_tenants(c),
    Phase.RELEASING: lambda c: (
        _pursued(c) and not _over(c) and not _offer_over(c) and ("cease" in c.acts or c.status == "Canceled")
    ),
    Phase.SUSPENDED: lambda c: _going_on(c) and _suspended(c),
    Phase.ACTIVE: lambda c: _working(c) and _served(c),
    Phase.ENABLED: lambda c: _working(c) and not _served(c),
    Phase.ACCEPTED: lambda c: (
        _going_on(c) and not _suspended(c) and c.acceptance == "accepted" and c.status != "Enabled"
    ),
    Phase.OFFERED: lambda c: _going_on(c) and not _suspended(c) and c.acceptance == "offered",
    Phase.PROVISIONING: lambda c: _going_on(c) and c.acceptance is None and "intended" in c.acts,
    Phase.ORDERED: lambda c: _going_on(c) and c.acceptance is None and "intended" not in c.acts,
}


# --- The product ----------------------------------------------------------------------------------------------------


def _port(acceptance: str, status: str | None, business: str, presence: str) -> PortFacts:
    business_status, end = BUSINESS[business]
    said: list[PortObservation] = [
        port_read(status=status, business_status=business_status, end_time=end, acceptance=None)
    ]
    said += [port_seen(LATER, acceptance=word) for word in ACCEPTANCES[acceptance]]
    said += [port_seen(NOW + number * WINDOW, presence=seen) for number, seen in enumerate(PRESENCES[presence])]
    port: PortFacts | None = None
    for one in said:
        port = merge_port(port, one)
    assert port is not None
    return port


def _vbrs(observations: tuple[VbrObservation, ...]) -> tuple[VbrFacts, ...]:
    merged: dict[str, VbrFacts] = {}
    for one in observations:
        merged[one.vbr_id] = merge_vbr(merged.get(one.vbr_id), one)
    return tuple(merged.values())


def _acted(acts: frozenset[str], port: PortFacts | None = None, vbrs: tuple[VbrFacts, ...] = ()) -> Connection:
    return connection(
        refusals=(REASON,) if "refused" in acts else (),
        failure=REASON if "gave_up" in acts else None,
        withdrawn_at=NOW if "took_back" in acts else None,
        cease_recorded_at=NOW if "cease" in acts else None,
        intended_at=NOW if "intended" in acts else None,
        attested_at=NOW if "attested" in acts else None,
        port=port,
        vbrs=vbrs,
    )


def _acts() -> list[frozenset[str]]:
    return [frozenset(itertools.compress(ACTS, done)) for done in itertools.product((0, 1), repeat=len(ACTS))]


def _cases_with_port(acceptance: str) -> Iterator[tuple[Case, Connection]]:
    vbrs = {name: _vbrs(observations) for name, observations in VBRS.items()}
    acts_done = _acts()
    every = stride(len(vbrs) * len(acts_done))
    for turn, (status, business, presence) in enumerate(itertools.product(STATUSES, BUSINESS, PRESENCES)):
        port = _port(acceptance, status, business, presence)
        beside = itertools.product(vbrs.items(), acts_done)
        for (vbr, facts), acts in itertools.islice(beside, turn % every, None, every):
            yield Case(acts, acceptance, status, business, presence, vbr), _acted(acts, port, facts)


def _by_oracle(case: Case) -> Phase:
    phases = [phase for phase, holds in ORACLE.items() if holds(case)]
    assert len(phases) == 1, f"{case}: {phases}"
    return phases[0]


@pytest.mark.parametrize("acceptance", ACCEPTANCES)
def test_every_port_has_exactly_the_phase_of_the_design(acceptance: str) -> None:
    met = set()
    for case, known in _cases_with_port(acceptance):
        phase = phase_of(known, WINDOW)
        assert phase is _by_oracle(case), case
        met.add(phase)
    assert met >= {Phase.FAILED, Phase.RELEASED}
    assert Phase.REJECTED not in met


def test_every_order_without_a_port_has_exactly_the_phase_of_the_design() -> None:
    phases = {acts: phase_of(_acted(acts), WINDOW) for acts in _acts()}
    assert phases == {acts: _by_oracle(Case(acts)) for acts in phases}
    assert set(phases.values()) == {
        Phase.REJECTED, Phase.FAILED, Phase.WITHDRAWN, Phase.RELEASING, Phase.PROVISIONING, Phase.ORDERED,
    }  # fmt: skip


def test_the_oracle_knows_every_phase() -> None:
    assert set(ORACLE) == set(Phase)


# --- Why it is suspended: rulings 13 and 14 ---------------------------------------------------------------------------


def _reason(case: Case) -> tuple[str, str] | None:
    """Reason and whether the fee runs, by the oracle; ``case`` is not over."""
    if case.business == "locked for billing at its end":
        return "expired", "no"
    if case.business.startswith("locked"):
        return f"locked_{'security' if case.business.endswith('security') else 'financial'}", "unknown"
    if case.status in {"Terminating", "Terminated"}:
        return "disabled_by_tenant", "yes"
    return ("disabled_by_partner", "yes") if _suspended(case) else None


@pytest.mark.parametrize("acceptance", ["offered", "accepted"])
def test_every_suspension_has_the_reason_of_the_ruling(acceptance: str) -> None:
    met = set()
    for status, business, vbr in itertools.product(STATUSES, BUSINESS, VBRS):
        known = _acted(frozenset(), _port(acceptance, status, business, "seen"), _vbrs(VBRS[vbr]))
        found = suspension(known, WINDOW)
        case = Case(frozenset(), acceptance, status, business, "seen", vbr)
        assert (None if found is None else (found.reason, found.fee)) == _reason(case), case
        met.add(None if found is None else found.reason)
    by_partner = {"disabled_by_partner"} if acceptance == "accepted" else set()
    assert met == {None, "expired", "locked_financial", "locked_security", "disabled_by_tenant"} | by_partner


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("business", BUSINESS)
@pytest.mark.parametrize("presence", PRESENCES)
def test_a_port_is_lost_in_arrears_when_it_vanishes_locked_for_billing(
    accepted: bool, business: str, presence: str
) -> None:
    """Ruling 13; its phase stays what the table says."""
    known = _acted(frozenset(), _port("accepted" if accepted else "offered", "Enabled", business, presence))
    lost = accepted and business.startswith("locked for billing") and presence == "gone"
    assert lost_in_arrears(known, WINDOW) is lost
    if lost:
        assert phase_of(known, WINDOW) is Phase.RELEASED


# --- What the phase alone does not say ------------------------------------------------------------------------------


def _after(*observations: Observation, order_mode: str = OrderMode.TENANT_PAYS) -> Connection:
    terms = Terms(spec="100M", vlan_id=VLAN, order_mode=order_mode)
    port: PortFacts | None = None
    for one in observations:
        if isinstance(one, PortObservation):
            port = merge_port(port, one)
    vbrs = _vbrs(tuple(one for one in observations if isinstance(one, VbrObservation)))
    return connection(port=port, vbrs=vbrs, terms=terms)


RUNNING: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled"}


@pytest.mark.parametrize(
    ("observations", "reason", "waiting_for"),
    [
        ([port_read(**RUNNING, business_status="FinancialLocked")], "locked_financial", Party.TENANT),
        (
            [port_read(**RUNNING, business_status="FinancialLocked", order_mode=str(OrderMode.PARTNER_PAYS))],
            "locked_financial",
            Party.PARTNER,
        ),
        ([port_read(**RUNNING, business_status="SecurityLocked")], "locked_security", Party.TENANT),
        ([port_read(acceptance="Confirmed", status="Terminated")], "disabled_by_tenant", Party.TENANT),
        ([port_seen(source=Source.OWN_ANSWER, status="Terminating")], "disabled_by_partner", Party.PARTNER),
        (
            [port_seen(source=Source.EVENT, status="Terminating"), port_read(LATER, status="Terminated")],
            "disabled_by_partner",
            Party.PARTNER,
        ),
        (
            [
                port_seen(source=Source.OWN_ANSWER, status="Terminating"),
                port_read(LATER, status="Enabled"),
                port_read(MUCH_LATER, status="Terminated"),
            ],
            "disabled_by_tenant",
            Party.TENANT,
        ),
        ([port_read(**RUNNING, business_status="FinancialLocked", end_time=NOW)], "expired", Party.TENANT),
        (
            [
                port_read(**RUNNING, business_status="FinancialLocked", end_time=NOW),
                port_seen(LATER, end_time=MUCH_LATER),
            ],
            "locked_financial",
            Party.TENANT,
        ),
        ([port_read(**RUNNING), vbr_read(status="terminated")], "disabled_by_partner", Party.PARTNER),
    ],
)
def test_a_suspension_names_its_reason_and_whom_it_waits_for(
    observations: list[Observation], reason: str, waiting_for: Party
) -> None:
    found = suspension(_after(*observations), WINDOW)
    assert found is not None
    assert (found.reason, found.waiting_for) == (reason, waiting_for)
    assert found.way_back


@pytest.mark.parametrize(
    ("observations", "expected"),
    [
        ([port_read(), vbr_read()], set()),
        ([port_read(vlan_id=0)], {"wrong_port_vlan:pc-1"}),
        ([port_read(tenant_uid=STRANGER)], {"wrong_port_owner:pc-1"}),
        ([port_read(circuit_id="pc-other")], {"wrong_port_circuit:pc-1"}),
        ([port_read(order_mode=str(OrderMode.PARTNER_PAYS))], {"wrong_order_mode:pc-1"}),
        ([port_read(), vbr_read(vlan_id=0)], {"wrong_vlan:vbr-1"}),
        ([port_read(), vbr_read(owner_uid=STRANGER)], {"wrong_vbr_owner:vbr-1"}),
        ([port_read(), vbr_read(), vbr_read(LATER, vbr_id="vbr-0")], {"second_vbr:vbr-0"}),
        ([port_read(status="Melted")], {"unknown_status:pc-1"}),
        ([port_read(status="Melted"), port_read(LATER)], set()),
        ([port_read(acceptance="Considered")], {"unknown_status:pc-1"}),
        ([port_read(), vbr_read(status="Melted")], {"unknown_status:vbr-1"}),
        ([port_read(status="Melted"), port_read(LATER), vbr_read(status="Melted")], {"unknown_status:vbr-1"}),
        ([port_read(), vbr_read(vlan_id=0), vbr_read(LATER)], set()),
        ([port_read(), vbr_read(vlan_id=0), vbr_seen(LATER, Source.EVENT, deleted=True)], set()),
    ],
)
def test_violations_stand_beside_the_phase_and_clear_by_themselves(
    observations: list[Observation], expected: set[str]
) -> None:
    found = violations_of(_after(*observations), WINDOW)
    assert {violation.key for violation in found} == expected
    assert all(violation.evidence for violation in found)
