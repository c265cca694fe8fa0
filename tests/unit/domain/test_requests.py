"""Changes, ceases and cancellations: what each is refused for, and what an accepted one holds, releases and records."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Refusal, Request
from crossport.domain.decide import decide
from crossport.domain.observation import Observation
from crossport.domain.orders import Hold
from crossport.domain.policy import Policy
from crossport.domain.requests import RequestDecision, decide_request
from crossport.domain.specs import MBPS
from crossport.domain.vocabulary import Phase, Presence, RequestKind
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    POLICY,
    STRANGER,
    VLAN,
    WINDOW,
    circuit,
    connection,
    port_read,
    port_seen,
    vbr_read,
    vbr_seen,
)

SPEC, VLAN_CHANGE, CEASE, CANCEL, RECOVER = RequestKind
HOUR = timedelta(hours=1)
HELD = Hold(circuit_id=CIRCUIT, vlan_id=VLAN, mbps=100, connection_id="conn-1")
LINE = circuit().hold(VLAN, 100)
ACCEPTED: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled"}


def after(*seen: Observation, **changes: Any) -> Connection:
    return decide(connection(**changes), seen, POLICY).connection


ORDERED = connection(intended_at=None)
INTENDED = connection()
OFFERED = after(port_read())
ENABLED = after(port_read(**ACCEPTED))
ACTIVE = after(port_read(**ACCEPTED), vbr_read())
GONE = after(port_read(**ACCEPTED), port_seen(NOW + HOUR, acceptance="Deleted"))
LOCKED = after(port_read(**ACCEPTED, business_status="FinancialLocked"))
TERMINATED = after(port_read(acceptance="Confirmed", status="Terminated"))


def request(kind: RequestKind, **changes: Any) -> Request:
    said: dict[str, Any] = {"request_id": "CR-1", "kind": kind, "at": NOW + HOUR, "actor": "noc"}
    said |= {"spec": "200M"} if kind is SPEC else {}
    said |= {"vlan_id": 121} if kind is VLAN_CHANGE else {}
    return Request(**{**said, **changes})


def asked(
    one: Request, of: Connection = ENABLED, *, on: Circuit = LINE, held: Hold | None = HELD, policy: Policy = POLICY
) -> RequestDecision:
    return decide_request(one, of, on, held, policy)


def refused(code: str, message: str, subject: str = "") -> Refusal:
    return Refusal(code=code, message=message, subject=subject)


# --- Refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RequestKind)
@pytest.mark.parametrize(
    "over",
    [
        connection(refusals=(refused("no", "no"),)),
        connection(failure=refused("no", "no")),
        connection(intended_at=None, withdrawn_at=NOW),
        after(port_read(), port_seen(NOW + HOUR, acceptance="Deleted")),
        GONE,
    ],
)
def test_nothing_can_be_asked_of_a_connection_that_is_over(over: Connection, kind: RequestKind) -> None:
    (reason,) = asked(request(kind), over).refusals
    phase = decide(over, [], POLICY).phase
    assert reason == refused("connection_over", f"the connection is {phase}", "conn-1")


@pytest.mark.parametrize("kind", [SPEC, VLAN_CHANGE])
@pytest.mark.parametrize(
    ("of", "phase"),
    [
        (ORDERED, Phase.ORDERED),
        (INTENDED, Phase.PROVISIONING),
        (LOCKED, Phase.SUSPENDED),
        (TERMINATED, Phase.SUSPENDED),
        (OFFERED, None),
        (after(port_read(acceptance="Confirmed")), None),
        (ENABLED, None),
        (ACTIVE, None),
    ],
)
def test_only_a_port_that_works_or_could_is_changed(of: Connection, phase: Phase | None, kind: RequestKind) -> None:
    found = list(asked(request(kind, forced="yes"), of).refusals)
    assert found == (
        [refused("phase_forbids_change", f"nothing is changed while it is {phase}", str(phase))] if phase else []
    )


def test_a_service_that_ends_is_not_changed_any_more() -> None:
    ceasing = replace(ENABLED, requests=(request(CEASE, request_id="CR-0"),))
    recorded = refused("cease_recorded", "the end of the service is recorded")
    assert recorded in asked(request(SPEC), ceasing).refusals
    assert recorded in asked(request(VLAN_CHANGE), ceasing).refusals
    again = refused("cease_recorded", "the end of the service is recorded already")
    assert asked(request(CEASE), ceasing).refusals == (again,)


@pytest.mark.parametrize(
    ("pending", "seen", "waits"),
    [
        (request(SPEC, request_id="CR-0"), [], True),
        (request(SPEC, request_id="CR-0"), [port_read(NOW + HOUR, **ACCEPTED, spec="200M")], False),
        # Older than the request: that is not its effect.
        (request(SPEC, request_id="CR-0"), [port_seen(NOW + HOUR - WINDOW, spec="200M")], True),
        (request(VLAN_CHANGE, request_id="CR-0"), [], True),
        (request(VLAN_CHANGE, request_id="CR-0"), [port_read(NOW + HOUR, **ACCEPTED, vlan_id=121)], False),
        (request(VLAN_CHANGE, request_id="CR-0"), [port_seen(NOW + HOUR - WINDOW, vlan_id=121)], True),
    ],
)
def test_one_change_at_a_time(pending: Request, seen: list[Observation], waits: bool) -> None:
    known = decide(replace(ENABLED, requests=(pending,)), seen, POLICY).connection
    message = f"{pending.kind} CR-0 has not taken effect yet"
    reasons = asked(request(SPEC, spec="300M", forced="yes"), known).refusals
    assert reasons == ((refused("change_pending", message, "CR-0"),) if waits else ())


def test_a_violation_stands_in_the_way_unless_a_reason_is_given() -> None:
    foreign = after(port_read(**ACCEPTED, tenant_uid=STRANGER))
    (reason,) = asked(request(SPEC), foreign).refusals
    assert (reason.code, reason.subject) == ("violation_open", "wrong_port_owner:pc-1")
    assert reason.message == f"the port was pushed to {STRANGER}, not to {foreign.tenant_uid}"
    assert asked(request(SPEC, forced="told by the tenant"), foreign).refusals == ()


def test_a_missing_vbr_is_no_violation_once_its_absence_is_proven() -> None:
    second = vbr_read(vbr_id="vbr-2")
    missing = [vbr_seen(NOW + n * HOUR, vbr_id="vbr-2", presence=Presence.NOT_LISTED) for n in (1, 2)]
    known = decide(ACTIVE, [second, *missing], POLICY).connection
    assert asked(request(SPEC), known).refusals == ()
    patient = replace(POLICY, consistency_window=2 * HOUR)
    assert [r.code for r in asked(request(SPEC), known, policy=patient).refusals] == ["violation_open"]


@pytest.mark.parametrize(
    ("spec", "on", "reasons"),
    [
        ("100M", LINE, [refused("spec_unchanged", "the spec is 100M already", "100M")]),
        ("9G", LINE, [refused("spec_unknown", "9G is not a spec of the API", "9G")]),
        ("500M", circuit(bandwidth_mbps=500).hold(VLAN, 100), []),
        (
            "1G",
            circuit(bandwidth_mbps=500).hold(VLAN, 100),
            [
                refused(
                    "capacity_exceeded", "1G takes 900 Mbit/s more, which exceeds the 400 Mbit/s that are free", "1G"
                )
            ],
        ),
        ("50M", circuit(bandwidth_mbps=100).hold(VLAN, 100), []),
    ],
)
def test_a_spec_is_changed_within_the_circuit(spec: str, on: Circuit, reasons: list[Refusal]) -> None:
    assert list(asked(request(SPEC, spec=spec), on=on).refusals) == reasons


def test_a_port_whose_present_spec_is_larger_than_its_hold_counts_with_it() -> None:
    grown = after(port_read(**ACCEPTED, spec="500M"))
    line = circuit(bandwidth_mbps=500).hold(VLAN, 100)
    assert asked(request(SPEC, spec="50M"), grown, on=line).refusals == ()
    (reason,) = asked(request(SPEC), on=circuit(bandwidth_mbps=199), held=None).refusals
    assert reason.code == "capacity_exceeded"
    tight = circuit(bandwidth_mbps=499).hold(VLAN, 100)
    assert [r.code for r in asked(request(SPEC, spec="50M"), grown, on=tight).refusals] == ["capacity_exceeded"]
    assert [r.code for r in asked(request(SPEC, spec="500M"), ENABLED, on=line, held=None).refusals] == [
        "capacity_exceeded"
    ]


@pytest.mark.parametrize(
    ("vlan_id", "of", "on", "reasons"),
    [
        (None, ENABLED, LINE, [refused("vlan_out_of_range", "VLAN -1 is not within 0..2999")]),
        (3_000, ENABLED, LINE, [refused("vlan_out_of_range", "VLAN 3000 is not within 0..2999")]),
        (VLAN, ENABLED, LINE, [refused("vlan_unchanged", f"the VLAN ID is {VLAN} already", str(VLAN))]),
        (7, ENABLED, LINE.hold(7, 50), [refused("vlan_taken", f"VLAN 7 is taken on {CIRCUIT}", "7")]),
        (
            0,
            ENABLED,
            LINE,
            [refused("vlan_taken", f"VLAN 0 cannot be used on {CIRCUIT}: other VLAN IDs are in use", "0")],
        ),
        (
            121,
            ACTIVE,
            LINE,
            [refused("vbr_exists", "a VBR hangs on the port; forcing the change interrupts traffic")],
        ),
        (121, ENABLED, LINE, []),
    ],
)
def test_a_vlan_is_changed_to_a_free_one_with_nothing_on_the_port(
    vlan_id: int | None, of: Connection, on: Circuit, reasons: list[Refusal]
) -> None:
    assert list(asked(request(VLAN_CHANGE, vlan_id=vlan_id), of, on=on).refusals) == reasons


def test_zero_beside_others_and_a_change_under_a_vbr_are_possible_where_allowed() -> None:
    lenient = replace(POLICY, vlan_zero_is_exclusive=False)
    assert asked(request(VLAN_CHANGE, vlan_id=0), policy=lenient).refusals == ()
    assert asked(request(VLAN_CHANGE, forced="window agreed"), ACTIVE).refusals == ()


@pytest.mark.parametrize(
    ("kind", "of", "reason"),
    [
        (CEASE, ORDERED, refused("not_accepted_yet", "it is ordered: cancel the order instead", "ordered")),
        (CEASE, INTENDED, refused("not_accepted_yet", "it is provisioning: cancel the order instead", "provisioning")),
        (CEASE, OFFERED, refused("not_accepted_yet", "it is offered: cancel the order instead", "offered")),
        (CEASE, ENABLED, None),
        (CEASE, LOCKED, None),
        (CANCEL, ORDERED, None),
        (CANCEL, INTENDED, None),
        (CANCEL, OFFERED, None),
        (CANCEL, ENABLED, refused("accepted_already", "it is enabled: cease the service instead", "enabled")),
        (CANCEL, LOCKED, refused("accepted_already", "it is suspended: cease the service instead", "suspended")),
    ],
)
def test_an_order_is_cancelled_and_a_service_ceased(kind: RequestKind, of: Connection, reason: Refusal | None) -> None:
    found = asked(request(kind), of)
    assert found.refusals == ((reason,) if reason else ())
    assert (found.decision is None) is (reason is not None)
    if reason is not None:
        assert (found.hold, found.release, found.circuit) == (None, None, None)


# --- What an accepted request does ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "of", "mbps"),
    [
        ("200M", ENABLED, 200),
        ("50M", ENABLED, 100),
        # Not a spec that we know: nothing is known of what it takes.
        ("200M", after(port_read(**ACCEPTED, spec="9G")), 200),
    ],
)
def test_a_change_of_spec_holds_the_larger_of_the_two(spec: str, of: Connection, mbps: int) -> None:
    found = asked(request(SPEC, spec=spec), of)
    assert found.release == HELD
    assert found.hold == replace(HELD, mbps=mbps)
    assert found.circuit == circuit().hold(VLAN, mbps)
    assert found.decision is not None
    assert found.decision.connection == replace(of, requests=(request(SPEC, spec=spec),))
    assert {effect.kind for effect in found.decision.effects} == {
        "update_port", "settle_hold", "spec_change", "order_reply",
    }  # fmt: skip


def test_a_change_of_vlan_holds_the_new_one_beside_the_old_and_no_bandwidth() -> None:
    found = asked(request(VLAN_CHANGE))
    assert found.hold == Hold(circuit_id=CIRCUIT, vlan_id=121, mbps=0, connection_id="conn-1")
    assert (found.release, found.circuit) == (None, LINE.hold(121, 0))
    assert found.decision is not None
    assert found.decision.connection == replace(ENABLED, requests=(request(VLAN_CHANGE),))


def test_a_cease_is_dated_by_its_request_and_gives_nothing_back_yet() -> None:
    found = asked(request(CEASE))
    assert (found.hold, found.release, found.circuit) == (None, None, None)
    assert found.decision is not None
    assert found.decision.connection == replace(ENABLED, requests=(request(CEASE),), cease_recorded_at=NOW + HOUR)
    assert found.decision.phase is Phase.RELEASING


@pytest.mark.parametrize(
    ("of", "held", "released"),
    [(ORDERED, HELD, True), (ORDERED, None, False), (INTENDED, HELD, False), (OFFERED, HELD, False)],
)
def test_a_cancelled_order_gives_its_hold_back_unless_a_port_may_exist(
    of: Connection, held: Hold | None, released: bool
) -> None:
    found = asked(request(CANCEL), of, held=held)
    assert (found.release, found.circuit) == ((HELD, circuit()) if released else (None, None))
    assert found.hold is None
    assert found.decision is not None
    ended = NOW + HOUR if of is ORDERED else None
    expected = replace(of, requests=(request(CANCEL),), withdrawn_at=NOW + HOUR, hold_released_at=ended)
    assert found.decision.connection == expected


@pytest.mark.parametrize(("kind", "of"), [(SPEC, ENABLED), (CEASE, ENABLED), (CANCEL, OFFERED)])
def test_a_request_is_accepted_without_a_hold_too(kind: RequestKind, of: Connection) -> None:
    found = asked(request(kind), of, on=circuit(), held=None)
    assert (found.refusals, found.hold, found.release, found.circuit) == ((), None, None, None)
    assert found.decision is not None
    assert found.decision.connection.requests == (request(kind),)


def test_requests_stand_in_the_order_in_which_they_came() -> None:
    known = replace(LOCKED, requests=(request(SPEC, request_id="CR-0"),))
    found = asked(request(CEASE), known)
    assert found.decision is not None
    assert [each.request_id for each in found.decision.connection.requests] == ["CR-0", "CR-1"]


def test_a_request_that_is_known_changes_nothing() -> None:
    known = replace(ENABLED, requests=(request(SPEC), request(CEASE, request_id="CR-2")))
    again = asked(request(SPEC), known)
    assert again.decision is not None
    assert not again.decision.changed
    assert (again.decision.connection, again.refusals, again.circuit) == (known, (), None)


def test_specs_above_one_gigabit_count_as_they_are() -> None:
    policy = replace(POLICY, specs=frozenset(MBPS), approved_above_1g=True)
    found = asked(request(SPEC, spec="2G"), on=circuit(bandwidth_mbps=10_000).hold(VLAN, 100), policy=policy)
    assert found.hold == replace(HELD, mbps=2_000)
