"""Records of maintenance and outages: when they hold, what they refuse, what waits, and whom they keep quiet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from crossport.domain.connection import Request
from crossport.domain.effects import Command, Notice
from crossport.domain.groups import Sibling
from crossport.domain.impact import impact_of
from crossport.domain.maintenance import (
    Maintenance,
    MaintenanceKind,
    Side,
    muted_by,
    notices_of_record,
    record_id_for,
    waits_for,
    why_not_recorded,
)
from crossport.domain.requests import decide_request
from crossport.domain.vocabulary import Party, RequestKind
from tests.unit.domain.examples import CIRCUIT, NOW, PARTNER, POLICY, circuit, connection
from tests.unit.domain.test_obligations import SOUND, grouped, placed

HOUR = timedelta(hours=1)
PLANNED, OUTAGE = MaintenanceKind.PLANNED, MaintenanceKind.OUTAGE


def record(kind: MaintenanceKind = PLANNED, begins: int = 1, ends: int | None = 3, **changes: Any) -> Maintenance:
    """Work on the example's circuit from one hour after ``NOW`` to three; hours of an outage likewise."""
    plain = Maintenance(
        record_id=f"mnt-{kind}-{begins}",
        kind=kind,
        account_id=PARTNER,
        circuit_id=CIRCUIT,
        starts_at=NOW + begins * HOUR,
        ends_at=None if ends is None else NOW + ends * HOUR,
        zone="UTC",
        side=Side.PARTNER,
        cause="a line card is replaced",
        actor="wang",
        recorded_at=NOW,
    )
    return replace(plain, **changes)


def at(hours: float) -> datetime:
    return NOW + hours * HOUR


@pytest.mark.parametrize(
    ("one", "states"),
    [
        (record(), ["planned", "in force", "over"]),
        (record(OUTAGE), ["planned", "in force", "in force"]),
        (record(OUTAGE, ends=None), ["planned", "in force", "in force"]),
        (record(cleared_at=at(0.5)), ["called off"] * 3),
        (record(cleared_at=at(2.5)), ["cleared"] * 3),
    ],
)
def test_planned_work_ends_with_its_window_and_an_outage_when_it_is_cleared(
    one: Maintenance, states: list[str]
) -> None:
    assert [one.state(at(hours)) for hours in (0.5, 1, 3)] == states
    assert [one.in_force(at(hours)) for hours in (0.5, 1, 3)] == [state == "in force" for state in states]


@pytest.mark.parametrize(
    ("wanted", "other", "codes"),
    [
        (record(begins=2, ends=4), record(), ["maintenance_overlaps"]),
        (record(begins=3, ends=4), record(), []),
        (record(begins=0, ends=1), record(), []),
        (record(begins=2, ends=4), record(circuit_id="pc-other"), []),
        (record(OUTAGE, 0, None), record(), []),
        (record(OUTAGE, 0, None), record(OUTAGE, -5, -4), ["maintenance_overlaps"]),
        (record(OUTAGE, 0, None), record(begins=-1, ends=1), ["maintenance_overlaps"]),
        (record(begins=0, ends=1), record(OUTAGE, -1, None), ["maintenance_overlaps"]),
        (record(begins=3, ends=2), record(), ["window_backwards"]),
        (record(begins=-3, ends=0), record(circuit_id="pc-other"), ["window_over"]),
    ],
)
def test_a_circuit_has_one_record_at_a_time(wanted: Maintenance, other: Maintenance, codes: list[str]) -> None:
    assert [refusal.code for refusal in why_not_recorded(wanted, [other], [])] == codes


def test_work_does_not_begin_while_the_siblings_circuit_is_in_trouble_unless_forced() -> None:
    members = [grouped(1, "pc-a1", "A"), grouped(2, "pc-b1", "B")]
    affected = impact_of("pc-a1", members, {each.circuit_id: each for each in SOUND})
    work, away = record(circuit_id="pc-a1"), record(circuit_id="pc-b1", begins=2)
    (refusal,) = why_not_recorded(work, [away], affected)
    assert (refusal.code, refusal.subject) == ("sibling_in_maintenance", "conn-1")
    assert why_not_recorded(replace(work, forced="agreed with the tenant"), [away], affected) == ()
    assert why_not_recorded(record(OUTAGE, 1, None, circuit_id="pc-a1"), [away], affected) == ()
    assert why_not_recorded(work, [replace(away, starts_at=at(3), ends_at=at(4))], affected) == ()


def asked(kind: RequestKind, hours: float, forced: str = "", **rest: Any) -> Request:
    return Request(request_id="r-1", kind=kind, at=at(hours), actor="noc", forced=forced, **rest)


def codes(request: Request, *records: Maintenance, siblings: tuple[Sibling, ...] = ()) -> set[str]:
    """The codes of maintenance with which a request is refused."""
    of = connection(group_id="HA" if siblings else "")
    refusals = decide_request(request, of, circuit(), None, POLICY, siblings, records).refusals
    return {each.code for each in refusals if each.code.endswith("in_maintenance")}


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        (RequestKind.CHANGE_SPEC, {"spec": "200M"}),
        (RequestKind.CHANGE_VLAN, {"vlan_id": 0}),
        (RequestKind.CEASE, {}),
    ],
)
def test_a_service_is_not_changed_or_ceased_in_the_window_unless_forced(kind: RequestKind, rest: Any) -> None:
    work = record()
    assert codes(asked(kind, 0.5, **rest), work) == set()
    assert codes(asked(kind, 1, **rest), work) == {"circuit_in_maintenance"}
    assert codes(asked(kind, 3, **rest), work) == set()
    assert codes(asked(kind, 2, "it mends the outage", **rest), work) == set()
    assert codes(asked(kind, 2, **rest), record(circuit_id="pc-other")) == set()


def test_cancelling_and_recovering_go_on_in_the_window() -> None:
    for kind in (RequestKind.CANCEL, RequestKind.RECOVER):
        assert codes(asked(kind, 2), record()) == set()


def test_a_member_is_not_changed_while_its_siblings_circuit_is_in_trouble() -> None:
    sibling = Sibling(connection=connection(connection_id="conn-2", circuit_id="pc-b1", group_id="HA"))
    request = asked(RequestKind.CEASE, 2)
    assert codes(request, record(circuit_id="pc-b1"), siblings=(sibling,)) == {"sibling_in_maintenance"}
    assert codes(request, record(circuit_id="pc-b1")) == set()


@pytest.mark.parametrize("kind", ["create_port", "convert_vbr", "attach_vbr", "update_port", "end_port"])
def test_commands_of_the_line_wait_and_others_go(kind: str) -> None:
    command, work = Command(key="k", kind=kind, connection_id="conn-1"), record()
    assert waits_for(command, connection(), [work], at(2)) == work
    assert waits_for(command, connection(), [work], at(0)) is None
    for other in ("pay_port", "withdraw_port", "recover", "read_port", "release_hold"):
        assert waits_for(replace(command, kind=other), connection(), [work], at(2)) is None


def test_what_was_forced_since_the_record_began_does_not_wait() -> None:
    update = Command(key="k", kind="update_port", connection_id="conn-1")
    forced = connection(requests=(asked(RequestKind.CHANGE_VLAN, 1.5, "mends it", vlan_id=9),))
    earlier = connection(requests=(asked(RequestKind.CHANGE_VLAN, 0.5, "long ago", vlan_id=9),))
    assert waits_for(update, forced, [record()], at(2)) is None
    assert waits_for(update, earlier, [record()], at(2)) == record()
    assert waits_for(replace(update, kind="create_port"), forced, [record()], at(2)) == record()


def alarm(kind: str, **details: Any) -> Notice:
    return Notice(key="k", kind=kind, connection_id="conn-1", party=Party.TENANT, details=details)


@pytest.mark.parametrize(
    ("notice", "muted"),
    [
        (alarm("violation", violation="second_vbr:vbr-2"), True),
        (alarm("delivery_jeopardy"), True),
        (alarm("suspended", cause="Terminated"), True),
        (alarm("suspended", cause="terminated"), True),
        (alarm("resumed", cause="Enabled"), True),
        (alarm("suspended", cause="FinancialLocked"), False),
        (alarm("suspended", cause="SecurityLocked"), False),
        (alarm("suspended", cause="expired"), False),
        (alarm("offer"), False),
        (alarm("port_gone"), False),
    ],
)
def test_only_alarms_that_work_on_a_line_explains_are_kept_quiet(notice: Notice, muted: bool) -> None:
    assert (muted_by(notice, at(1.5), connection(), [record()], at(2)) is not None) is muted
    # What arose before is not explained by it, and after the window nothing is.
    assert muted_by(notice, at(0.5), connection(), [record()], at(2)) is None
    assert muted_by(notice, at(1.5), connection(), [record()], at(3)) is None


def test_each_tenant_is_told_for_each_connection_and_the_partner_once() -> None:
    there = [placed(1), grouped(2, "pc-a1", "A"), grouped(3, "pc-b1", "B")]
    affected = impact_of("pc-a1", there, {each.circuit_id: each for each in SOUND})
    work = record(circuit_id="pc-a1", record_id="mnt-1")
    told = notices_of_record(work, affected)
    assert [(each.key, each.party) for each in told] == [
        ("conn-1:maintenance_planned:mnt-1:tenant", Party.TENANT),
        ("conn-2:maintenance_planned:mnt-1:tenant", Party.TENANT),
        ("conn-1:maintenance_planned:mnt-1:partner", Party.PARTNER),
    ]
    assert [each.details.get("carried") for each in told] == [False, True, None]
    assert (told[2].details["connections"], told[2].details["tenants"], told[2].details["cut_off"]) == (2, 1, 1)
    assert {each.kind for each in notices_of_record(replace(work, kind=OUTAGE), affected)} == {"outage"}
    over = replace(work, cleared_at=at(2), outcome="done")
    assert {each.kind for each in notices_of_record(over, affected)} == {"maintenance_cleared"}
    assert notices_of_record(work, ()) == ()


def test_ids_of_records_tell_circuits_kinds_and_times_apart() -> None:
    ids = {
        record_id_for(name, kind, begins, NOW)
        for name in ("pc-1", "pc-2")
        for kind in MaintenanceKind
        for begins in (at(1), at(2))
    }
    assert len(ids) == 8
    assert all(each.startswith("mnt-") and len(each) == 12 for each in ids)
