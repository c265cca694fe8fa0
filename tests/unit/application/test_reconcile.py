"""One circuit, compared with what we know, and healed: what no event has told is found by looking."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crossport.application.commit import find_vbr
from crossport.application.reconcile import CircuitReport, Reconciler
from crossport.domain.differences import Kind
from crossport.domain.vocabulary import Acceptance, OrderMode, Phase
from tests.fakes.memory_cloud import THROTTLED, UNAVAILABLE
from tests.fakes.partner_world import CIRCUIT, NEIGHBOUR, PARTNER, POLICY, REGION, STRANGER, TENANT, VLAN, PartnerWorld


def run(world: PartnerWorld, circuit_id: str = CIRCUIT, *, dry_run: bool = False) -> CircuitReport:
    """One run over one circuit, a while after whatever was done last."""
    world.clock.advance(timedelta(minutes=5))
    reconciler = Reconciler(
        store=world.store, cloud=world.cloud, policies=world.policies, clock=world.clock, dry_run=dry_run
    )
    circuit = world.store.circuit(circuit_id)
    assert circuit is not None
    return reconciler.circuit(circuit)


def outcomes(report: CircuitReport) -> list[tuple[str, str]]:
    """What became of each difference."""
    return [(str(one.difference.kind), one.outcome) for one in report.healed]


def test_nothing_is_written_when_nothing_differs(world: PartnerWorld) -> None:
    world.provisioned()
    run(world)
    world.settled()
    before = world.memory.state
    report = run(world)
    assert (report.healed, report.breaches, report.complete, report.listed) == ((), (), True, 1)
    assert world.memory.state is before


def test_an_acceptance_that_no_event_told_of_is_found(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    run(world)
    world.cloud.accept(port_id)
    report = run(world)
    (one,) = report.healed
    assert (one.outcome, one.difference.fields) == ("healed", ("acceptance",))
    assert [(gap.event_name, str(gap.party)) for gap in one.gaps] == [("ConfirmPhysicalConnection", "tenant")]
    assert world.phase() is Phase.ACCEPTED
    world.settled()
    assert ("accepted", "partner") in world.notices()


def test_a_whole_life_is_followed_by_looking_alone(world: PartnerWorld) -> None:
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    world.cloud.accept(port_id)
    run(world)
    world.settled()
    run(world)
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    report = run(world)
    assert outcomes(report) == [("changed", "healed")]
    assert report.vbrs_seen_by_circuit is True
    world.settled()
    assert world.phase() is Phase.ACTIVE
    assert run(world).healed == ()


def test_a_vbr_that_is_not_shown_by_its_circuit_is_never_taken_for_gone(world: PartnerWorld) -> None:
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    world.cloud.accept(port_id)
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    world.settled(8)
    world.cloud.vbrs_seen_by_circuit = False
    report = run(world)
    world.settled(8)
    assert report.vbrs_seen_by_circuit is False
    assert world.phase() is Phase.ACTIVE


def test_a_vbr_that_is_gone_is_confirmed_by_reading_its_port(world: PartnerWorld) -> None:
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    world.cloud.accept(port_id)
    vbr_id = world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    world.settled(8)
    world.cloud.remove_vbr(vbr_id)
    run(world)
    world.settled(8)
    assert world.phase() is Phase.ENABLED


def test_a_second_vbr_is_found_by_its_vlan_id_and_told_once(world: PartnerWorld) -> None:
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    world.cloud.accept(port_id)
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    world.settled(8)
    world.cloud.create_vbr(port_id, owner_uid=STRANGER, vlan_id=VLAN)
    run(world)
    world.settled(8)
    assert {violation.code for violation in world.violations()} == {"second_vbr", "wrong_vbr_owner"}


def _two_running(world: PartnerWorld) -> tuple[str, str]:
    """Two accepted ports of one tenant on one circuit, on VLAN 120 and 121."""
    first = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    second = world.provisioned("order-2", vlan_id=VLAN + 1, order_mode=str(OrderMode.PARTNER_PAYS))
    for port_id in (first, second):
        world.cloud.accept(port_id)
    run(world)
    world.settled(8)
    return first, second


@pytest.mark.parametrize("vlan_id", [VLAN + 1, VLAN + 2], ids=["another port's VLAN ID", "nobody's VLAN ID"])
def test_a_vbr_with_a_wrong_vlan_id_is_found_by_its_id_and_told(world: PartnerWorld, vlan_id: int) -> None:
    first, _ = _two_running(world)
    vbr_id = world.cloud.create_vbr(first, owner_uid=TENANT, vlan_id=vlan_id)
    run(world)
    world.settled(8)
    assert {(violation.code, violation.subject) for violation in world.violations()} == {("wrong_vlan", vbr_id)}
    assert world.connection("order-2").vbrs == ()
    before = world.memory.state
    assert run(world).healed == ()
    assert world.memory.state is before


def test_a_vbr_on_the_circuit_itself_is_asked_for_once_and_left_alone(world: PartnerWorld) -> None:
    vbr_id = world.cloud.push_vbr(CIRCUIT, owner_uid=TENANT, vlan_id=VLAN + 7)
    run(world)
    world.settled()
    run(world)
    world.settled()
    (asked,) = world.outbox("find_vbr")
    assert (asked.row.payload["vbr_id"], asked.state, asked.reason) == (vbr_id, "dropped", "not_on_a_port")
    assert world.calls("read_vbr") == [{"vbr_id": vbr_id}]


def test_a_vbr_that_nobody_shows_by_its_id_is_given_up(world: PartnerWorld) -> None:
    world.cloud.push_vbr(CIRCUIT, owner_uid=TENANT, vlan_id=VLAN + 7)
    run(world)
    (asked,) = world.outbox("find_vbr")
    world.cloud.remove_vbr(str(asked.row.payload["vbr_id"]))
    world.settled(POLICY.max_attempts + 1)
    (asked,) = world.outbox("find_vbr")
    assert (asked.state, asked.reason, asked.attempts) == ("dropped", "vbr_not_shown", POLICY.max_attempts)


def test_a_vbr_on_a_port_that_is_not_known_yet_comes_with_its_port(world: PartnerWorld) -> None:
    port_id = world.make_in_console()
    world.cloud.accept(port_id)
    vbr_id = world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN + 7)
    row = find_vbr(vbr_id, account_id=PARTNER, region=REGION, circuit_id=CIRCUIT)
    world.memory.record([], outbox=(row,))
    world.settled()
    assert [entry.reason for entry in world.outbox("find_vbr")] == ["port_unknown"]
    assert [vbr.vbr_id for vbr in world.adopted(port_id).vbrs] == [vbr_id]


def test_a_vbr_of_an_account_that_is_not_ours_is_not_looked_for(world: PartnerWorld) -> None:
    world.memory.record([], outbox=(find_vbr("vbr-1", account_id=STRANGER, region=REGION, circuit_id=CIRCUIT),))
    world.settled()
    (asked,) = world.outbox("find_vbr")
    assert (asked.state, asked.reason) == ("failed", "unknown_account")
    assert world.calls("read_vbr") == []


def test_a_gone_ports_vlan_id_does_not_hide_the_port_that_has_it_now(world: PartnerWorld) -> None:
    first = world.provisioned()
    world.cloud.change_port(first, acceptance=str(Acceptance.DELETED))
    run(world)
    world.settled()
    second = world.make_in_console(tenant_uid=NEIGHBOUR)
    world.cloud.accept(second)
    # The list shows the newest first: the gone port comes last.
    run(world)
    world.settled()
    vbr_id = world.cloud.create_vbr(second, owner_uid=NEIGHBOUR, vlan_id=VLAN)
    run(world)
    world.settled()
    assert [vbr.vbr_id for vbr in world.adopted(second).vbrs] == [vbr_id]
    assert world.outbox("find_vbr") == []


def test_an_unknown_port_is_read_and_adopted(world: PartnerWorld) -> None:
    port_id = world.make_in_console()
    report = run(world)
    assert outcomes(report) == [("unknown_port", "asked")]
    world.settled()
    assert world.adopted(port_id).tenant_uid == TENANT
    assert run(world).healed == ()


def test_a_port_is_gone_after_two_complete_lists_and_a_read_without_it(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.cloud.remove_port(port_id)
    assert outcomes(run(world)) == [("absent", "healed")]
    world.settled()
    assert world.phase() is Phase.OFFERED
    assert outcomes(run(world)) == [("absent", "healed")]
    world.settled()
    assert world.phase() is Phase.DECLINED
    assert run(world).healed == ()


@pytest.mark.parametrize("fault", [THROTTLED, UNAVAILABLE])
def test_a_list_that_breaks_off_says_nothing_of_what_it_lacks(world: PartnerWorld, fault: object) -> None:
    world.provisioned()
    first = world.connection().port_id
    second = world.provisioned("order-2", vlan_id=VLAN + 1)
    world.cloud.page_size = 1
    # The newest comes first: the list breaks off before the older one.
    world.cloud.accept(second)
    world.cloud.script("list_ports", None, fault)  # type: ignore[arg-type]
    report = run(world)
    assert not report.complete
    assert report.why.startswith("ListVirtualPhysicalConnections: ")
    assert [(one.difference.kind, one.difference.port_id) for one in report.healed] == [(Kind.CHANGED, second)]
    assert world.connection().port_id == first
    assert world.phase() is Phase.OFFERED


def test_vbrs_that_cannot_be_listed_are_not_missed(world: PartnerWorld) -> None:
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    world.cloud.accept(port_id)
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    world.settled(8)
    world.cloud.script("list_vbrs", UNAVAILABLE)
    report = run(world)
    assert (report.complete, report.healed) == (False, ())


def test_a_dry_run_shows_and_changes_nothing(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.cloud.accept(port_id)
    before = world.memory.state
    assert outcomes(run(world, dry_run=True)) == [("changed", "found")]
    assert world.memory.state is before


def test_a_clash_and_an_oversold_circuit_are_seen_on_the_circuit(world: PartnerWorld) -> None:
    world.provisioned()
    other = world.provisioned("order-2", vlan_id=VLAN + 1)
    world.cloud.change_port(other, vlan_id=VLAN, expect_spec="1G")
    report = run(world)
    assert [(breach.code, len(breach.port_ids)) for breach in report.breaches] == [
        ("vlan_clash", 2),
        ("over_capacity", 2),
    ]


def test_a_run_that_races_with_another_worker_decides_again(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.cloud.accept(port_id)
    world.store.before_save.append(lambda: world.observe_elsewhere(world.accepted(port_id)))
    report = run(world)
    assert outcomes(report)[0][1] in ("healed", "known")
    assert world.phase() is Phase.ACCEPTED


def test_a_save_that_is_lost_is_decided_again_and_one_that_always_is_says_so(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.cloud.accept(port_id)
    world.store.lose = 100
    assert outcomes(run(world)) == [("changed", "lost")]
    world.store.lose = 1
    assert outcomes(run(world)) == [("changed", "healed")]
    assert world.phase() is Phase.ACCEPTED


def test_a_port_that_changed_hands_is_a_violation(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.cloud.change_port(port_id, tenant_uid=STRANGER, acceptance=str(Acceptance.UNCONFIRMED))
    run(world)
    assert {violation.code for violation in world.violations()} == {"wrong_port_owner"}
    assert POLICY.consistency_window < timedelta(minutes=5)
