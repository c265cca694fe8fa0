"""Which effects are called for, and which are moot by the time they would be carried out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.domain.connection import Connection, Migration, Refusal, Request, Terms
from crossport.domain.decide import conclude, decide
from crossport.domain.effects import Command, Effect, Notice, effects_of, moot, too_early
from crossport.domain.observation import Observation
from crossport.domain.phase import phase_of
from crossport.domain.vocabulary import Flow, OrderMode, Party, Phase, Presence, RequestKind, Source
from tests.unit.domain.examples import NOW, POLICY, STRANGER, VLAN, connection, port_read, port_seen, vbr_read, vbr_seen

END = NOW + timedelta(days=30)


def after(*observations: Observation, **changes: Any) -> Connection:
    return decide(connection(**changes), observations, POLICY).connection


def at(hours: float) -> Any:
    return NOW + timedelta(hours=hours)


def running(hours: float = 0, **fields: Any) -> Observation:
    return port_read(at(hours), **{"acceptance": "Confirmed", "status": "Enabled", **fields})


def effect(kind: str, known: Connection, contains: str = "") -> Effect:
    """The one effect of this kind, for the partner where both are told."""
    (found,) = (
        one
        for one in effects_of(known, POLICY)
        if one.kind == kind and contains in one.key and not (isinstance(one, Notice) and one.party is Party.TENANT)
    )
    return found


def partner_paid(hours: float = 0, **fields: Any) -> Observation:
    mode = str(OrderMode.PARTNER_PAYS)
    return port_read(at(hours), **{"acceptance": "Confirmed", "order_mode": mode, **fields})


FAILED = Refusal(code="cloud_refused", message="the cloud refused")
PARTNER_PAYS = Terms(spec="100M", vlan_id=VLAN, order_mode=OrderMode.PARTNER_PAYS)
MIGRATION = Migration(vbr_id="vbr-1", bandwidth_mbps=100)
MOVING = connection(flow=Flow.MIGRATION, migration=MIGRATION)
CHANGE = Request(request_id="CR-1", kind=RequestKind.CHANGE_SPEC, at=NOW, actor="noc", spec="200M")
#: Two reads of the port without the VBR.
UNSEEN = [vbr_seen(at(n), presence=Presence.NOT_LISTED) for n in (2, 3)]
CEASE = Request(request_id="CR-2", kind=RequestKind.CEASE, at=NOW, actor="noc")


@pytest.mark.parametrize(
    ("kind", "contains", "known", "reason"),
    [
        ("offer", "", after(port_read()), None),
        ("offer", "", after(running()), "already_accepted"),
        ("offer", "", after(port_read(), port_seen(at(1), acceptance="Deleted")), "phase_is_declined"),
        ("accepted", "", after(running()), None),
        ("accepted", "", after(running(), port_seen(at(1), acceptance="Deleted")), "phase_is_released"),
        ("enabled", "", after(running()), None),
        ("enabled", "", after(running(), port_seen(at(1), acceptance="Deleted")), "phase_is_released"),
        ("active", "", after(running(), vbr_read()), None),
        ("active", "", after(running(), vbr_read(), vbr_seen(at(1), deleted=True)), "vbr_gone"),
        (
            "active",
            "",
            after(running(), vbr_read(), running(1, business_status="SecurityLocked")),
            "wait:phase_is_suspended",
        ),
        ("active", "vbr-2", after(running(), vbr_read(), vbr_read(at(1), vbr_id="vbr-2")), "wait:other_vbr"),
        (
            "active",
            "vbr-2",
            after(running(), vbr_read(), vbr_read(at(1), vbr_id="vbr-2"), vbr_seen(at(2), deleted=True)),
            None,
        ),
        ("active", "vbr-2", after(running(), vbr_read(), vbr_read(at(1), vbr_id="vbr-2"), *UNSEEN), None),
        ("suspended", "", after(running(business_status="FinancialLocked")), None),
        ("suspended", "", after(running(business_status="FinancialLocked"), running(1)), "not_suspended_any_more"),
        (
            "suspended",
            "FinancialLocked",
            after(running(business_status="FinancialLocked"), running(1, business_status="SecurityLocked")),
            "superseded",
        ),
        ("suspended", "", after(running(status="Terminated")), None),
        ("suspended", "expired", after(running(business_status="FinancialLocked", end_time=at(0))), None),
        (
            "suspended",
            "FinancialLocked",
            after(running(business_status="FinancialLocked", end_time=at(0))),
            "wait:expired",
        ),
        (
            "suspended",
            "expired",
            after(running(business_status="FinancialLocked", end_time=at(0)), port_seen(at(1), end_time=END)),
            "superseded",
        ),
        ("suspended", "vbr-1", after(running(), vbr_read(), vbr_read(at(1), status="terminated")), None),
        (
            "suspended",
            "vbr-1",
            after(running(), vbr_read(), vbr_read(at(1), status="terminated"), vbr_read(at(2))),
            "not_suspended_any_more",
        ),
        (
            "suspended",
            "Terminated",
            after(running(status="Terminated"), cease_recorded_at=at(0)),
            "phase_is_releasing",
        ),
        ("resumed", "vbr-1", after(running(), vbr_read(status="terminated"), vbr_read(at(2))), None),
        ("resumed", "", after(running(business_status="FinancialLocked"), running(1)), None),
        (
            "suspended",
            "",
            after(running(status="Terminated"), running(1), vbr_read(), *UNSEEN),
            "not_suspended_any_more",
        ),
        ("resumed", "", after(running(status="Terminated"), running(1), vbr_read(), *UNSEEN), None),
        (
            "resumed",
            "",
            after(
                running(business_status="FinancialLocked"), running(1), running(2, business_status="FinancialLocked")
            ),
            "suspended_again",
        ),
        (
            "resumed",
            "Normal:1",
            after(*(running(n, business_status=("FinancialLocked", "Normal")[n % 2]) for n in range(4))),
            "superseded",
        ),
        (
            "resumed",
            "Enabled",
            after(running(status="Terminated"), running(1), running(2, status="Terminated")),
            "suspended_again",
        ),
        (
            "resumed",
            "Enabled:1",
            after(*(running(n, status=("Terminated", "Enabled")[n % 2]) for n in range(4))),
            "superseded",
        ),
        ("pay_port", "", after(partner_paid(), terms=PARTNER_PAYS, cease_recorded_at=NOW), "phase_is_releasing"),
        ("paid_until", "", after(running(end_time=END)), None),
        (
            "paid_until",
            END.date().isoformat(),
            after(running(end_time=END), running(1, end_time=at(999))),
            "superseded",
        ),
        (
            "paid_until",
            f"{END.isoformat()}:1",
            after(running(end_time=END), running(1, end_time=at(999)), running(2, end_time=END)),
            "superseded",
        ),
        (
            "paid_until",
            f"{END.isoformat()}:2",
            after(running(end_time=END), running(1, end_time=at(999)), running(2, end_time=END)),
            None,
        ),
        (
            "resumed",
            "Normal",
            after(running(business_status="FinancialLocked"), running(1, status="Terminated")),
            "wait:not_resumed",
        ),
        (
            "resumed",
            "Normal",
            after(running(business_status="FinancialLocked"), running(1), running(2, business_status="Odd")),
            "wait:not_resumed",
        ),
        (
            "suspended",
            "FinancialLocked:1",
            after(
                running(business_status="FinancialLocked"), running(1), running(2, business_status="FinancialLocked")
            ),
            "superseded",
        ),
        ("offer", "", after(port_read(), port_seen(at(1), status="Canceled")), "wait:phase_is_declined"),
        ("offer", "", after(port_read(), withdrawn_at=at(1)), "withdrawn"),
        ("offer", "", after(port_read(vlan_id=VLAN + 1)), "wait:violation:wrong_port_vlan"),
        ("enabled", "", after(running(), cease_recorded_at=at(1)), "wait:phase_is_releasing"),
        ("violation", "", after(running(), vbr_read(vlan_id=VLAN + 1)), None),
        ("violation", "vbr-1:2", after(running(), vbr_read(vlan_id=VLAN + 1), vbr_read(at(1))), "wait:no_violation"),
        ("create_port", "", connection(), None),
        ("create_port", "", after(port_read()), "port_exists"),
        ("create_port", "", connection(failure=FAILED), "phase_is_failed"),
        ("convert_vbr", "", MOVING, None),
        ("convert_vbr", "", after(port_read(), flow=Flow.MIGRATION, migration=MIGRATION), "port_exists"),
        ("attach_vbr", "", after(running(), flow=Flow.MIGRATION, migration=MIGRATION), None),
        (
            "attach_vbr",
            "",
            after(running(), port_seen(at(1), acceptance="Deleted"), flow=Flow.MIGRATION, migration=MIGRATION),
            "phase_is_released",
        ),
        ("update_port", "", after(running(), requests=(CHANGE,)), None),
        ("update_port", "", after(running(), requests=(CHANGE,), cease_recorded_at=NOW), "wait:phase_is_releasing"),
        ("spec_change", "", after(running(), requests=(CHANGE,)), None),
        ("spec_change", "", after(running(), requests=(CHANGE,), cease_recorded_at=NOW), "wait:phase_is_releasing"),
        ("cease", "", after(running(), requests=(CEASE,), cease_recorded_at=NOW), None),
        ("cease", "", after(running(), requests=(CEASE,)), "wait:phase_is_enabled"),
        ("pay_port", "", after(partner_paid(), terms=PARTNER_PAYS), None),
        ("pay_port", "", after(partner_paid(), partner_paid(1, status="Enabled"), terms=PARTNER_PAYS), "already_paid"),
        (
            "pay_port",
            "",
            after(partner_paid(), partner_paid(1, business_status="FinancialLocked"), terms=PARTNER_PAYS),
            "wait:phase_is_suspended",
        ),
        ("provisioning_failed", "", connection(failure=FAILED), None),
        ("port_gone", "", after(running(), port_seen(at(1), acceptance="Deleted")), None),
    ],
)
def test_what_is_moot_and_what_must_wait_says_why(
    kind: str, contains: str, known: Connection, reason: str | None
) -> None:
    one = effect(kind, known, contains)
    early = too_early(one, known, POLICY)
    assert (moot(one, known, POLICY) or (early and f"wait:{early}")) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"refusals": (FAILED,)},
        {"failure": FAILED},
        {"withdrawn_at": NOW},
        {"intended_at": None},
        {"failure": FAILED, "withdrawn_at": NOW},
    ],
)
@pytest.mark.parametrize("kind", ["create_port", "convert_vbr"])
def test_a_port_is_made_in_the_phase_provisioning_alone(kind: str, changes: dict[str, Any]) -> None:
    """A create call that slipped through after a withdrawal would push a port that nobody wants any more."""
    wanted, known = connection(), connection(**changes)
    create = Command(key="conn-1:create", kind=kind, connection_id="conn-1")
    assert moot(create, wanted, POLICY) is None
    assert moot(create, known, POLICY) == f"phase_is_{phase_of(known, POLICY.consistency_window)}"
    assert phase_of(known, POLICY.consistency_window) is not Phase.PROVISIONING


def test_a_violation_that_comes_back_is_told_again_and_its_old_notice_is_superseded() -> None:
    told: list[str] = []
    known = after(running(), vbr_read())
    for hours, vlan_id in enumerate((VLAN + 1, VLAN, VLAN + 1, VLAN), 1):
        known = decide(known, [vbr_read(at(hours), vlan_id=vlan_id)], POLICY).connection
        told += [
            one.key
            for one in effects_of(known, POLICY)
            if one.kind == "violation" and moot(one, known, POLICY) is None and too_early(one, known, POLICY) is None
        ]
    assert told == ["conn-1:violation:wrong_vlan:vbr-1:2:partner", "conn-1:violation:wrong_vlan:vbr-1:4:partner"]


def test_an_offer_that_is_taken_back_is_not_paid_for_unless_the_tenant_was_faster() -> None:
    policy = replace(POLICY, partner_pays_at="created")
    offered = after(partner_paid(acceptance="UnConfirmed"), terms=PARTNER_PAYS)
    (pay,) = [one for one in effects_of(offered, policy) if one.kind == "pay_port"]
    assert too_early(pay, offered, policy) is None
    taken_back = replace(offered, withdrawn_at=NOW)
    assert too_early(pay, taken_back, policy) == "withdrawn"
    accepted = decide(taken_back, [partner_paid(1)], policy).connection
    assert too_early(pay, accepted, policy) is None


def test_a_violation_that_came_back_is_told_by_its_new_episode_alone() -> None:
    wrong = after(running(), vbr_read(vlan_id=VLAN + 1))
    first = effect("violation", wrong)
    again = decide(wrong, [vbr_read(at(1)), vbr_read(at(2), vlan_id=VLAN + 1)], POLICY).connection
    assert moot(first, wrong, POLICY) is None
    assert moot(first, again, POLICY) == "superseded"
    unheard_of = {"violation": "wrong_vlan:vbr-9", "episode": 1}
    notice = Notice(key="k", kind="violation", connection_id="conn-1", party=Party.PARTNER, details=unheard_of)
    assert moot(notice, again, POLICY) is None


def test_what_was_told_of_a_port_is_moot_where_there_is_none() -> None:
    assert moot(effect("paid_until", after(running(end_time=END))), connection(), POLICY) == "superseded"


def test_an_effect_without_a_rule_always_matters() -> None:
    gone = after(running(), port_seen(at(1), acceptance="Deleted"))
    assert moot(Command(key="k", kind="release_hold", connection_id="conn-1"), gone, POLICY) is None


def test_what_is_proven_absent_makes_effects_wait_only_after_the_window_of_the_policy() -> None:
    paid = running(end_time=END, business_status="FinancialLocked")
    known = after(
        paid,
        vbr_read(vlan_id=1),
        *(port_seen(at(n), presence=Presence.NOT_LISTED) for n in (1, 2)),
        port_seen(at(2), presence=Presence.NOT_FOUND),
        *(vbr_seen(at(n), presence=Presence.NOT_LISTED) for n in (1, 2)),
    )
    patient = replace(POLICY, consistency_window=timedelta(hours=2))
    reasons = {
        kind: tuple(too_early(effect(kind, known, contains), known, policy) for policy in (POLICY, patient))
        for kind, contains in (("accepted", ""), ("violation", "wrong_vlan"), ("paid_until", ""))
    }
    assert reasons == {
        "accepted": ("phase_is_released", None),
        "violation": ("no_violation", None),
        "paid_until": (None, None),
    }


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (after(port_read()), None),
        (after(port_seen()), None),
        (after(port_read(tenant_uid=STRANGER)), "violation:wrong_port_owner"),
        (after(port_read(tenant_uid=STRANGER, vlan_id=0)), "violation:wrong_port_owner"),
        (after(port_read(tenant_uid=STRANGER), vbr_read(), *UNSEEN), "violation:wrong_port_owner"),
        # Not the port's own fault.
        (after(port_read(), vbr_read(vlan_id=0)), None),
        # Moot is not early.
        (after(running(tenant_uid=STRANGER)), None),
        (after(port_seen(), flow=Flow.MIGRATION, migration=MIGRATION), "port_not_read"),
        (after(port_seen(spec="100M"), flow=Flow.MIGRATION, migration=MIGRATION), "port_not_read"),
        (after(port_seen(spec="100M", vlan_id=VLAN), flow=Flow.MIGRATION, migration=MIGRATION), None),
    ],
)
def test_an_offer_waits_until_the_port_is_as_ordered(known: Connection, reason: str | None) -> None:
    assert too_early(effect("offer", known), known, POLICY) == reason


def test_only_an_offer_waits_for_its_time() -> None:
    known = after(port_read(tenant_uid=STRANGER))
    assert too_early(effect("create_port", known), known, POLICY) is None
    assert too_early(effect("violation", known), known, POLICY) is None


def test_active_waits_until_the_vbr_was_seen_up() -> None:
    """Called for any sooner, the notice would be dropped as moot and never be sent."""
    coming_up = decide(after(running()), [vbr_read(status="unconfirmed")], POLICY)
    assert "active" not in {one.kind for one in coming_up.effects}
    up = decide(coming_up.connection, [vbr_read(at(1))], POLICY)
    assert [one.party for one in up.effects if isinstance(one, Notice) and one.kind == "active"] == [
        Party.TENANT,
        Party.PARTNER,
    ]


def test_each_lock_and_each_return_is_told_once_to_both() -> None:
    told: list[str] = []
    known = after(running())
    for hours, status in enumerate(("FinancialLocked", "FinancialLocked", "Normal", "FinancialLocked", "Normal"), 1):
        decision = decide(known, [running(hours, business_status=status)], POLICY)
        known = decision.connection
        told += [one.key.removeprefix("conn-1:") for one in decision.effects]
    assert [key for key in told if key.endswith("partner")] == [
        "suspended:FinancialLocked:1:partner",
        "resumed:Normal:1:partner",
        "suspended:FinancialLocked:2:partner",
        "resumed:Normal:2:partner",
    ]
    assert len(told) == 8


def test_a_vbr_is_told_to_be_off_and_back_once_for_each_time_and_only_when_it_is_the_proper_one() -> None:
    twice = ("active", "terminating", "terminated", "terminated", "recovering", "active", "terminated")

    def told(*statuses: str, **vbr: Any) -> list[str]:
        seen = [vbr_read(at(hours), status=status, **vbr) for hours, status in enumerate(statuses)]
        kinds = ("suspended", "resumed")
        decided = [decide(after(running()), order, POLICY).effects for order in (seen, seen[::-1])]
        keys = [sorted(e.key for e in effects if e.kind in kinds) for effects in decided]
        assert keys[0] == keys[1]
        return [key.removeprefix("conn-1:") for key in keys[0] if key.endswith("tenant")]

    assert told(*twice) == ["resumed:vbr-1:1:tenant", "suspended:vbr-1:1:tenant", "suspended:vbr-1:2:tenant"]
    assert told(*twice, vlan_id=VLAN + 1) == []


@pytest.mark.parametrize("deleted_first", [True, False])
def test_a_port_that_vanishes_while_locked_is_a_finding_and_told_to_both_whatever_is_heard_first(
    deleted_first: bool,
) -> None:
    """Ruling 13."""
    seen = [running(1, business_status="FinancialLocked"), port_seen(at(2), acceptance="Deleted")]
    first, second = reversed(seen) if deleted_first else seen
    one = decide(after(running()), [first], POLICY)
    two = decide(one.connection, [second], POLICY)
    assert [finding.code for finding in (*one.findings, *two.findings)] == ["lost_in_arrears"]
    told = [e for e in (*one.effects, *two.effects) if isinstance(e, Notice) and e.kind == "port_gone"]
    assert [notice.party for notice in told] == [Party.TENANT, Party.PARTNER]
    assert two.phase is Phase.RELEASED


def test_a_port_that_one_look_missed_is_told_to_be_gone_only_when_that_is_proven() -> None:
    missed = after(running(), port_seen(at(1), presence=Presence.NOT_FOUND))
    assert too_early(effect("port_gone", missed), missed, POLICY) == "port_not_gone"
    looks = [port_seen(at(hours), presence=Presence.NOT_LISTED) for hours in (2, 3)]
    gone = decide(missed, looks, POLICY).connection
    assert too_early(effect("port_gone", gone), gone, POLICY) is None


def test_an_odd_status_in_between_is_no_second_return() -> None:
    known = after(running(business_status="FinancialLocked"), running(1))
    odd = decide(known, [running(2, business_status="Odd"), running(3)], POLICY)
    assert {one.kind for one in odd.effects} == {"violation"}


def test_skipping_a_phase_skips_no_effect() -> None:
    decision = decide(connection(), [running(), vbr_read()], POLICY)
    assert {one.kind for one in decision.effects} == {
        "read_port", "offer", "accepted", "enabled", "active", "order_reply",
    }  # fmt: skip


def test_keys_are_unique_and_every_notice_names_its_party() -> None:
    known = after(running(end_time=END), vbr_read(vlan_id=1), vbr_read(at(1)), vbr_read(at(2), vbr_id="vbr-2"))
    effects = effects_of(known, POLICY)
    assert len({one.key for one in effects}) == len(effects)
    assert all(one.key.endswith(f":{one.party}") for one in effects if isinstance(one, Notice))


def test_a_failure_is_told_to_the_partner() -> None:
    decision = conclude(connection(), connection(failure=FAILED), POLICY)
    (notice,) = [one for one in decision.effects if isinstance(one, Notice)]
    assert (notice.kind, notice.party, notice.details) == (
        "provisioning_failed",
        Party.PARTNER,
        {"reasons": ["cloud_refused"]},
    )


def test_an_event_about_another_port_is_a_finding_and_changes_nothing() -> None:
    """A create call repeated by hand with our Token leads here; no exception may follow from it."""
    known = after(port_read())
    decision = decide(known, [port_seen(at(1), Source.EVENT, port_id="pc-2", acceptance="Confirmed")], POLICY)
    assert decision.connection == known
    assert [(one.code, one.subject) for one in decision.findings] == [("second_port", "pc-2")]
    assert decision.effects == ()
    assert decision.findings[0].details == {"at": at(1).isoformat()}
    assert decision.changed


def test_changes_name_what_a_person_follows() -> None:
    decision = decide(after(port_read()), [running(1, vlan_id=0)], POLICY)
    said = {(c.kind, c.details.get("field")): (c.details.get("from"), c.details.get("to")) for c in decision.changes}
    assert said["phase", None] == ("offered", "enabled")
    assert said["field", "vlan_id"] == (VLAN, 0)
    assert ("violation", None) in said
    assert not decide(decision.connection, [running(1, vlan_id=0)], POLICY).changed
