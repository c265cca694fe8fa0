"""Notices: what each says, to whom, under which key; and the sentences that violations and suspensions carry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection, Migration, Refusal, Request, Terms
from crossport.domain.decide import decide
from crossport.domain.effects import Notice, evidence
from crossport.domain.effects.notices import notices_of
from crossport.domain.observation import Observation
from crossport.domain.phase import suspension
from crossport.domain.violations import Violation, violations_of
from crossport.domain.vocabulary import Flow, OrderMode, Origin, Party, Presence, RequestKind, Source
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    POLICY,
    PORT,
    STRANGER,
    TENANT,
    VLAN,
    WINDOW,
    connection,
    port_read,
    port_seen,
    vbr_read,
    vbr_seen,
)

HOUR = timedelta(hours=1)
RUNNING: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled"}
REASON = Refusal(code="no", message="no")
BOTH, PARTNER_ONLY = ("tenant", "partner"), ("partner",)


def after(*seen: Observation, **changes: Any) -> Connection:
    return decide(connection(**changes), seen, POLICY).connection


def request(kind: RequestKind, request_id: str = "CR-1", **changes: Any) -> Request:
    return Request(request_id=request_id, kind=kind, at=NOW, actor="noc", **changes)


def told(known: Connection) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
    """Kind and subject of every notice to whom it goes and what it says besides."""
    found: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {}
    for notice in notices_of(known):
        assert isinstance(notice, Notice)
        assert notice.connection_id == "conn-1"
        start, _, party = notice.key.rpartition(":")
        assert (party, start.startswith(f"conn-1:{notice.kind}")) == (str(notice.party), True)
        name = start.removeprefix("conn-1:")
        parties, _ = found.get(name, ((), {}))
        found[name] = ((*parties, str(notice.party)), dict(notice.details))
    return found


OFFER: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {"offer": (BOTH, {})}
SERVED = {**OFFER, "accepted": (PARTNER_ONLY, {}), "enabled": (PARTNER_ONLY, {})}


@pytest.mark.parametrize(
    ("known", "notices"),
    [
        (connection(), {}),
        (connection(refusals=(REASON, REASON)), {"order_refused": (BOTH, {"reasons": ["no", "no"]})}),
        (connection(failure=REASON), {"provisioning_failed": (PARTNER_ONLY, {"reasons": ["no"]})}),
        (
            connection(requests=(request(RequestKind.CANCEL, "hold-expired:conn-1"),)),
            {"order_expired": (BOTH, {})},
        ),
        (after(port_read()), OFFER),
        (after(port_read(), origin=Origin.CONSOLE), {"port_adopted": (BOTH, {})}),
        (after(port_read(), origin=Origin.IMPORT), {}),
        (after(port_read(acceptance="Confirmed")), {**OFFER, "accepted": (PARTNER_ONLY, {})}),
        (after(port_read(status="Enabled")), {**OFFER, "enabled": (PARTNER_ONLY, {})}),
        (after(port_read(**RUNNING)), SERVED),
        (after(port_read(**RUNNING), vbr_read()), {**SERVED, "active:vbr-1": (BOTH, {"vbr_id": "vbr-1"})}),
        (after(port_read(**RUNNING), vbr_read(status="unconfirmed")), SERVED),
        (after(port_read(status="Enabled"), vbr_read()), {**OFFER, "enabled": (PARTNER_ONLY, {})}),
        (after(port_read(acceptance="Confirmed"), vbr_read()), {**OFFER, "accepted": (PARTNER_ONLY, {})}),
        (
            after(port_read(**RUNNING), requests=(request(RequestKind.CHANGE_SPEC, spec="200M"),)),
            {**SERVED, "spec_change:CR-1": (BOTH, {"spec": "200M"})},
        ),
        (
            after(
                port_read(**RUNNING, vlan_id=0),
                requests=(request(RequestKind.CHANGE_VLAN, vlan_id=0, forced="window"),),
            ),
            {**SERVED, "vlan_change:CR-1": (BOTH, {"vlan_id": 0, "forced": "window"})},
        ),
        (
            after(port_read(**RUNNING), requests=(request(RequestKind.CEASE),)),
            {**SERVED, "cease:CR-1": (BOTH, {})},
        ),
        (after(port_read(), requests=(request(RequestKind.CANCEL),)), OFFER),
        (
            after(port_read(**RUNNING, business_status="SecurityLocked"), port_read(NOW + HOUR, **RUNNING)),
            {
                **SERVED,
                "suspended:SecurityLocked:1": (BOTH, {"cause": "SecurityLocked", "episode": 1}),
                "resumed:Normal:1": (BOTH, {"cause": "Normal", "episode": 1}),
            },
        ),
        (
            after(
                port_read(**RUNNING),
                port_read(NOW + HOUR, acceptance="Confirmed", status="Terminated"),
                port_read(NOW + 2 * HOUR, **RUNNING),
                port_read(NOW + 3 * HOUR, acceptance="Confirmed", status="Terminated"),
            ),
            {
                **SERVED,
                "suspended:Terminated:1": (BOTH, {"cause": "Terminated", "episode": 1}),
                "resumed:Enabled:1": (BOTH, {"cause": "Enabled", "episode": 1}),
                "suspended:Terminated:2": (BOTH, {"cause": "Terminated", "episode": 2}),
            },
        ),
        (
            after(port_read(**RUNNING, end_time=NOW + HOUR), port_read(NOW + HOUR, **RUNNING, end_time=NOW + 2 * HOUR)),
            {
                **SERVED,
                "paid_until:2022-08-01T10:00:00+00:00:1": (
                    PARTNER_ONLY,
                    {"end_time": "2022-08-01T10:00:00+00:00", "episode": 1},
                ),
                "paid_until:2022-08-01T11:00:00+00:00:1": (
                    PARTNER_ONLY,
                    {"end_time": "2022-08-01T11:00:00+00:00", "episode": 1},
                ),
            },
        ),
        (after(port_read(), port_seen(NOW + HOUR, acceptance="Deleted")), {**OFFER, "port_gone": (BOTH, {})}),
    ],
)
def test_what_is_told_to_whom(known: Connection, notices: dict[str, tuple[tuple[str, ...], dict[str, Any]]]) -> None:
    assert told(known) == notices


MOVING = {"flow": Flow.MIGRATION, "migration": Migration(vbr_id="vbr-1", bandwidth_mbps=100)}


@pytest.mark.parametrize(
    ("known", "subjects"),
    [
        (after(port_read(), vbr_read()), []),
        (after(port_read(), vbr_read(), vbr_read(vbr_id="vbr-0")), ["second_vbr:vbr-0", "second_vbr:vbr-1"]),
        (after(port_read(), vbr_read(owner_uid=STRANGER)), ["wrong_vbr_owner:vbr-1"]),
        (
            after(port_read(), vbr_read(owner_uid=STRANGER), vbr_read(NOW + HOUR, owner_uid="4")),
            ["wrong_vbr_owner:vbr-1"],
        ),
        (after(port_read(), vbr_read(vlan_id=0)), ["wrong_vlan:vbr-1"]),
        # The VBR has what was ordered, the port another: one of the two is wrong, and the port certainly.
        (after(port_read(vlan_id=7), vbr_read()), ["wrong_vlan:vbr-1", "wrong_port_vlan:pc-1"]),
        (
            after(port_read(), vbr_read(), requests=(request(RequestKind.CHANGE_VLAN, vlan_id=0),)),
            ["wrong_vlan:vbr-1", "wrong_port_vlan:pc-1"],
        ),
        (after(port_read(tenant_uid=STRANGER)), ["wrong_port_owner:pc-1"]),
        (after(port_read(circuit_id="pc-other")), ["wrong_port_circuit:pc-1"]),
        (after(port_read(order_mode=str(OrderMode.PARTNER_PAYS))), ["wrong_order_mode:pc-1"]),
        (after(port_read(spec="200M")), []),
        (after(port_read(spec="200M"), **MOVING), ["wrong_port_spec:pc-1"]),
        (after(port_read(), **MOVING), []),
        (
            after(port_read(status="Melted", business_status="Odd", acceptance="Maybe"), vbr_read(status="melting")),
            ["unknown_status:pc-1", "unknown_status:vbr-1"],
        ),
    ],
)
def test_every_reading_of_the_facts_as_a_violation_is_told_to_the_partner(
    known: Connection, subjects: list[str]
) -> None:
    found = {name: rest for name, rest in told(known).items() if name.startswith("violation:")}
    assert list(dict.fromkeys(name.rpartition(":")[0] for name in found)) == [f"violation:{one}" for one in subjects]
    for name, (parties, details) in found.items():
        subject, _, episode = name.removeprefix("violation:").rpartition(":")
        assert (parties, details) == (PARTNER_ONLY, {"violation": subject, "episode": int(episode)})


# --- Evidence -------------------------------------------------------------------------------------------------------


def test_a_violation_as_values() -> None:
    violation = Violation(code="wrong_vlan", subject="vbr-1", evidence="why")
    assert evidence(violation) == {"code": "wrong_vlan", "subject": "vbr-1", "evidence": "why"}
    assert violation.key == "wrong_vlan:vbr-1"


@pytest.mark.parametrize(
    ("known", "code", "subject", "said"),
    [
        (
            after(port_read(), vbr_read(), vbr_read(NOW + HOUR, vbr_id="vbr-0")),
            "second_vbr",
            "vbr-0",
            f"port {PORT} carries 2 VBRs; a shared port has one",
        ),
        (
            after(port_read(), vbr_read(owner_uid=STRANGER)),
            "wrong_vbr_owner",
            "vbr-1",
            f"the VBR belongs to {STRANGER}, the port to {TENANT}",
        ),
        (
            after(port_read(), vbr_read(vlan_id=0)),
            "wrong_vlan",
            "vbr-1",
            f"the VBR has VLAN 0, the port has VLAN {VLAN}",
        ),
        (
            after(port_read(tenant_uid=STRANGER)),
            "wrong_port_owner",
            PORT,
            f"the port was pushed to {STRANGER}, not to {TENANT}",
        ),
        (after(port_read(vlan_id=0)), "wrong_port_vlan", PORT, f"the port has VLAN 0, agreed is {VLAN}"),
        (
            after(port_read(circuit_id="pc-other")),
            "wrong_port_circuit",
            PORT,
            f"the port is on pc-other, not on {CIRCUIT}",
        ),
        (
            after(port_read(order_mode=str(OrderMode.PARTNER_PAYS))),
            "wrong_order_mode",
            PORT,
            f"the port is {OrderMode.PARTNER_PAYS}, the order {OrderMode.TENANT_PAYS}",
        ),
        (after(port_read(spec="200M"), **MOVING), "wrong_port_spec", PORT, "the port has 200M, agreed is 100M"),
        (after(port_read(status="Melted")), "unknown_status", PORT, "the cloud says Melted"),
        (after(port_read(business_status="Odd")), "unknown_status", PORT, "the cloud says Odd"),
        (after(port_read(acceptance="Maybe")), "unknown_status", PORT, "the cloud says Maybe"),
        (after(port_read(), vbr_read(status="melting")), "unknown_status", "vbr-1", "the cloud says melting"),
    ],
)
def test_a_violation_says_what_is_wrong_and_of_what(known: Connection, code: str, subject: str, said: str) -> None:
    assert violations_of(known, WINDOW) == (Violation(code=code, subject=subject, evidence=said),)


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        # None of the two conforms: the first is at fault by itself, the other one is one too many besides.
        ([vbr_read(vlan_id=0), vbr_read(vbr_id="vbr-2", vlan_id=0)], ["second_vbr", "wrong_vlan", "wrong_vlan"]),
        ([vbr_read(vbr_id="vbr-0", owner_uid=STRANGER), vbr_read()], ["second_vbr", "wrong_vbr_owner"]),
        ([vbr_read(vlan_id=None), vbr_read(NOW + HOUR, owner_uid=None)], []),
        ([vbr_read(vlan_id=None)], []),
        ([vbr_read(vlan_id=0), vbr_seen(NOW, Source.EVENT, deleted=True)], []),
        (
            [vbr_read(vlan_id=0), *(vbr_seen(NOW + n * HOUR, presence=Presence.NOT_LISTED) for n in (1, 2))],
            [],
        ),
    ],
)
def test_each_vbr_is_looked_at_by_itself(seen: list[Observation], codes: list[str]) -> None:
    assert [each.code for each in violations_of(after(port_read(), *seen), WINDOW)] == codes


def test_a_change_of_vlan_is_no_violation_until_the_port_has_shown_it() -> None:
    changes = (
        request(RequestKind.CHANGE_VLAN, "CR-1", vlan_id=7),
        request(RequestKind.CHANGE_SPEC, "CR-2", spec="200M"),
        request(RequestKind.CHANGE_VLAN, "CR-3", vlan_id=0),
    )
    waiting = after(port_read(), requests=changes)
    assert violations_of(waiting, WINDOW) == ()
    halfway = decide(waiting, [port_read(NOW + HOUR, vlan_id=7)], POLICY).connection
    assert violations_of(halfway, WINDOW) == ()
    done = decide(halfway, [port_read(NOW + 2 * HOUR, vlan_id=0)], POLICY).connection
    assert violations_of(done, WINDOW) == ()
    back = decide(done, [port_read(NOW + 3 * HOUR)], POLICY).connection
    assert [each.evidence for each in violations_of(back, WINDOW)] == [f"the port has VLAN {VLAN}, agreed is 0"]


def test_a_migrated_port_may_have_any_spec_that_was_agreed() -> None:
    changes = (request(RequestKind.CHANGE_SPEC, spec="200M"), request(RequestKind.CEASE, "CR-2"))
    for spec, wrong in (("100M", False), ("200M", False), ("300M", True), (None, False)):
        known = after(port_read(spec=spec), requests=changes, **MOVING)
        assert bool(violations_of(known, WINDOW)) is wrong
    assert violations_of(connection(), WINDOW) == ()


PARTNER_PAYS = {"terms": Terms(spec="100M", vlan_id=VLAN, order_mode=OrderMode.PARTNER_PAYS)}


@pytest.mark.parametrize(
    ("seen", "reason", "waiting_for", "way_back"),
    [
        (
            [port_read(**RUNNING, business_status="FinancialLocked")],
            "locked_financial",
            Party.TENANT,
            "settle the overdue payment",
        ),
        (
            [port_read(**RUNNING, business_status="SecurityLocked")],
            "locked_security",
            Party.TENANT,
            "clear the security lock with Alibaba Cloud",
        ),
        (
            [port_read(acceptance="Confirmed", status="Terminating")],
            "disabled_by_tenant",
            Party.TENANT,
            "recover the port",
        ),
        (
            [port_seen(NOW, Source.OWN_ANSWER, status="Terminated")],
            "disabled_by_partner",
            Party.PARTNER,
            "recover the port",
        ),
        (
            [port_read(**RUNNING), vbr_read(status="terminating")],
            "disabled_by_partner",
            Party.PARTNER,
            "recover the VBR",
        ),
        (
            [port_read(**RUNNING), vbr_read(status="recovering")],
            "disabled_by_partner",
            Party.PARTNER,
            "recover the VBR",
        ),
    ],
)
def test_a_suspension_says_how_it_ends(seen: list[Observation], reason: str, waiting_for: Party, way_back: str) -> None:
    found = suspension(after(*seen), WINDOW)
    assert found is not None
    assert (found.reason, found.waiting_for, found.way_back) == (reason, waiting_for, way_back)


def test_nothing_is_suspended_that_is_not_in_use() -> None:
    assert suspension(connection(), WINDOW) is None
    unused: tuple[dict[str, Any], ...] = (
        {"acceptance": "UnConfirmed", "status": "Enabled"},
        {"acceptance": "Confirmed"},
    )
    for offered in unused:
        assert suspension(after(port_read(**offered), vbr_read(status="terminated")), WINDOW) is None
    assert suspension(after(port_read(**RUNNING), vbr_read(status="terminated", owner_uid=STRANGER)), WINDOW) is None
    unpaid = suspension(after(port_seen(business_status="FinancialLocked"), **PARTNER_PAYS), WINDOW)
    assert unpaid is not None
    assert unpaid.waiting_for is Party.PARTNER
