"""What a decision says besides the new connection: the audit trail's lines, findings, and what was already known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection
from crossport.domain.decide import Change, Decision, Finding, conclude, decide
from crossport.domain.effects import effects_of
from crossport.domain.observation import Observation
from crossport.domain.vocabulary import Acceptance, MilestoneName, Phase, Presence, Source
from tests.unit.domain.examples import (
    NOW,
    POLICY,
    PORT,
    STRANGER,
    TENANT,
    VLAN,
    connection,
    milestone,
    port_read,
    port_seen,
    vbr_read,
    vbr_seen,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RUNNING: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled"}
END = datetime(2022, 9, 1, 16, tzinfo=UTC)
KNOWN = decide(connection(), [port_read()], POLICY).connection


def fields(decision: Decision) -> dict[str, tuple[Any, Any]]:
    """Name of each field whose change is on record to (from, to)."""
    lines = [change for change in decision.changes if change.kind == "field"]
    assert [line.details["field"] for line in lines] == sorted(line.details["field"] for line in lines)
    assert all(set(line.details) == {"field", "from", "to"} for line in lines)
    return {line.details["field"]: (line.details["from"], line.details["to"]) for line in lines}


def rest(decision: Decision) -> list[tuple[str, Any, Any]]:
    """Every other line: kind and what it tells."""
    return [
        (
            line.kind,
            line.details.get("from", line.details.get("code")),
            line.details.get("to", line.details.get("evidence")),
        )
        for line in decision.changes
        if line.kind != "field"
    ]


@pytest.mark.parametrize("part", ["changes", "effects", "records", "findings"])
def test_a_decision_with_any_of_its_parts_is_written(part: str) -> None:
    nothing = Decision(connection=KNOWN, phase=Phase.OFFERED)
    assert not nothing.changed
    something: dict[str, Any] = {part: (object(),)}
    assert replace(nothing, **something).changed


# --- The audit trail ------------------------------------------------------------------------------------------------


def test_a_first_read_names_everything_that_a_person_follows() -> None:
    seen = port_read(**RUNNING, expect_spec="200M", enabled_time=NOW, end_time=END)
    decision = decide(connection(), [seen, vbr_read()], POLICY)
    assert fields(decision) == {
        "acceptance": (None, Acceptance.CONFIRMED),
        "business_status": (None, "Normal"),
        "enabled_time": (None, NOW.isoformat()),
        "end_time": (None, END.isoformat()),
        "expect_spec": (None, "200M"),
        "order_mode": (None, "PayByVirtualPhysicalConnectionOwner"),
        "port_id": (None, PORT),
        "spec": (None, "100M"),
        "status": (None, "Enabled"),
        "tenant_uid": (None, TENANT),
        "vbr-1": (None, "active"),
        "vbr_id": (None, "vbr-1"),
        "vlan_id": (None, VLAN),
    }
    assert rest(decision) == [("phase", Phase.PROVISIONING, Phase.ACTIVE)]
    assert decision.phase is Phase.ACTIVE


def test_a_new_connection_begins_the_trail() -> None:
    decision = conclude(None, connection(milestones=(milestone(MilestoneName.QUOTED),)), POLICY)
    assert rest(decision) == [("phase", None, Phase.PROVISIONING)]
    assert fields(decision) == {"milestones": (None, [MilestoneName.QUOTED])}
    assert fields(conclude(None, connection(), POLICY)) == {}
    both = conclude(None, replace(KNOWN, milestones=(milestone(MilestoneName.QUOTED),)), POLICY)
    assert {"milestones", "port_id"} <= fields(both).keys()


def test_only_what_changed_is_on_record() -> None:
    decision = decide(KNOWN, [port_read(NOW + HOUR, spec="200M", vlan_id=VLAN)], POLICY)
    assert fields(decision) == {"spec": ("100M", "200M")}
    assert rest(decision) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (vbr_read(), ("active", {"vbr-1": (None, "active"), "vbr_id": (None, "vbr-1")})),
        (vbr_read(status=None), ("seen", {"vbr-1": (None, "seen"), "vbr_id": (None, "vbr-1")})),
        (vbr_seen(deleted=True, status="active"), ("deleted", {"vbr-1": (None, "deleted")})),
    ],
)
def test_a_vbr_is_followed_by_its_own_name(said: Observation, told: tuple[str, dict[str, Any]]) -> None:
    assert fields(decide(KNOWN, [said], POLICY)) == told[1]


def test_violations_come_and_go_on_record() -> None:
    wrong = decide(KNOWN, [port_read(NOW + HOUR, tenant_uid=STRANGER, vlan_id=0)], POLICY)
    owner = f"the port was pushed to {STRANGER}, not to {TENANT}"
    vlan = f"the port has VLAN 0, agreed is {VLAN}"
    assert rest(wrong) == [("violation", "wrong_port_owner", owner), ("violation", "wrong_port_vlan", vlan)]
    assert [each.code for each in wrong.violations] == ["wrong_port_owner", "wrong_port_vlan"]
    right = decide(wrong.connection, [port_read(NOW + 2 * HOUR)], POLICY)
    assert rest(right) == [
        ("violation_cleared", "wrong_port_owner", owner),
        ("violation_cleared", "wrong_port_vlan", vlan),
    ]
    assert right.violations == ()
    assert right.changes[-1] == Change(
        kind="violation_cleared", details={"code": "wrong_port_vlan", "subject": PORT, "evidence": vlan}
    )
    assert rest(decide(wrong.connection, [port_read(NOW + 2 * HOUR, tenant_uid=STRANGER, vlan_id=0)], POLICY)) == []


def test_a_proven_absence_is_a_change_of_phase_after_the_policys_window() -> None:
    running = decide(connection(), [port_read(**RUNNING), vbr_read(vlan_id=0)], POLICY).connection
    absent = [port_seen(NOW + n * HOUR, presence=Presence.NOT_LISTED) for n in (1, 2)]
    absent.append(port_seen(NOW + 2 * HOUR, presence=Presence.NOT_FOUND))
    hidden = [vbr_seen(NOW + n * HOUR, presence=Presence.NOT_LISTED) for n in (1, 2)]
    gone = decide(running, [*absent, *hidden], POLICY)
    assert rest(gone)[0] == ("phase", Phase.ENABLED, Phase.RELEASED)
    assert ("violation_cleared", "wrong_vlan") in {line[:2] for line in rest(gone)}
    patient = replace(POLICY, consistency_window=2 * HOUR)
    assert rest(decide(running, [*absent, *hidden], patient)) == []


# --- Findings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "subject"),
    [
        (port_seen(NOW - HOUR, status="Enabled"), PORT),
        (vbr_seen(NOW - HOUR, Source.EVENT, status="active"), "vbr-1"),
    ],
)
def test_what_is_older_than_the_settlement_age_is_a_finding(late: Observation, subject: str) -> None:
    known = decide(KNOWN, [port_read(NOW + POLICY.settlement_age)], POLICY).connection
    decision = decide(known, [late], POLICY)
    assert decision.connection == known
    assert decision.findings == (
        Finding(code="late_observation", subject=subject, details={"at": (NOW - HOUR).isoformat()}),
    )
    in_time = decide(known, [port_seen(NOW, status="Enabled")], POLICY)
    assert in_time.findings == ()
    assert in_time.connection != known


def test_the_past_of_port_and_vbrs_is_settled_together() -> None:
    seen: list[Observation] = [port_read(NOW + n * HOUR) for n in range(5)]
    seen += [vbr_read(NOW + n * HOUR) for n in range(5)]
    much_later = NOW + POLICY.settlement_age + DAY
    known = decide(connection(), [*seen, vbr_read(much_later)], POLICY).connection
    assert known.port is not None
    (vbr,) = known.vbrs
    for history, times in (
        (known.port.status, [NOW, NOW + 4 * HOUR]),
        (vbr.status, [NOW, NOW + 4 * HOUR, much_later]),
    ):
        assert [entry.at for entry in history.entries] == times
        assert history.settled_until == much_later - POLICY.settlement_age


@pytest.mark.parametrize("early", ["port", "vbr"])
def test_a_past_is_settled_whichever_of_the_two_has_one(early: str) -> None:
    much_later = NOW + POLICY.settlement_age + DAY
    port = [port_read(NOW + n * HOUR if early == "port" else much_later) for n in range(3)]
    vbr = [vbr_read(NOW + n * HOUR if early == "vbr" else much_later) for n in range(3)]
    seen: list[Observation] = sorted([*port, *vbr], key=lambda each: each.at)
    known = decide(connection(), seen, POLICY).connection
    assert known.port is not None
    history = known.port.status if early == "port" else known.vbrs[0].status
    assert [entry.at for entry in history.entries] == [NOW, NOW + 2 * HOUR]
    assert history.settled_until == much_later - POLICY.settlement_age


def test_a_second_enabled_time_is_found_once_with_what_was_known() -> None:
    first = decide(KNOWN, [port_read(NOW + HOUR, **RUNNING, enabled_time=NOW, end_time=END)], POLICY)
    assert first.findings == ()
    changed = port_read(NOW + 2 * HOUR, **RUNNING, enabled_time=NOW + HOUR, end_time=END)
    second = decide(first.connection, [changed], POLICY)
    assert second.findings == (
        Finding(
            code="enabled_time_changed",
            subject=(NOW + HOUR).isoformat(),
            details={"known": [NOW.isoformat()]},
        ),
    )
    assert decide(second.connection, [port_read(NOW + 3 * HOUR, **RUNNING, spec="200M")], POLICY).findings == ()
    at_once = decide(KNOWN, [port_read(NOW, **RUNNING, enabled_time=NOW), changed], POLICY)
    assert [(each.subject, each.details) for each in at_once.findings] == [
        (NOW.isoformat(), {"known": []}),
        ((NOW + HOUR).isoformat(), {"known": []}),
    ]


def test_a_missing_price_is_found_with_what_else_there_is() -> None:
    given = (Finding(code="given", subject="x", details={}),)
    seen = decide(connection(), [port_read(**RUNNING, spec="9G", enabled_time=NOW, end_time=END)], POLICY).connection
    decision = conclude(None, seen, POLICY, findings=given)
    missing = Finding(code="price_missing", subject="alibaba-cloud-published:us-east-1:9G", details={})
    assert decision.findings == (*given, missing)
    assert conclude(seen, seen, POLICY).findings == ()


# --- What was known before ------------------------------------------------------------------------------------------


def test_effects_and_records_are_those_that_are_new() -> None:
    paid = [port_read(NOW + HOUR, **RUNNING, enabled_time=NOW, end_time=END)]
    decision = decide(KNOWN, paid, POLICY)
    before = {effect.key for effect in effects_of(KNOWN, POLICY)}
    assert {effect.kind for effect in decision.effects} == {"accepted", "enabled", "paid_until"}
    assert not before & {effect.key for effect in decision.effects}
    assert [record.fact for record in decision.records] == [head.fact for head in decision.connection.heads]
    assert len(decision.records) == 2
    again = decide(decision.connection, paid, POLICY)
    assert (again.connection, again.effects, again.records, again.changed) == (decision.connection, (), (), False)
    fresh = conclude(None, decision.connection, POLICY)
    assert fresh.effects == effects_of(decision.connection, POLICY)


def test_vbrs_are_kept_by_id_whatever_the_order() -> None:
    one, other = vbr_read(vbr_id="vbr-1"), vbr_read(vbr_id="vbr-0")
    known: list[Connection] = [decide(KNOWN, seen, POLICY).connection for seen in ([one, other], [other, one, one])]
    assert [[vbr.vbr_id for vbr in each.vbrs] for each in known] == [["vbr-0", "vbr-1"]] * 2
    assert known[0] == known[1]


def test_the_word_of_another_port_does_not_keep_the_next_from_counting() -> None:
    decision = decide(KNOWN, [port_read(NOW + HOUR, port_id="pc-9"), port_read(NOW + HOUR, spec="200M")], POLICY)
    assert [(each.code, each.subject) for each in decision.findings] == [("second_port", "pc-9")]
    assert decision.connection.spec == "200M"
