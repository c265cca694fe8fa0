"""Maintenance and outages in the relay: what waits goes when the record is cleared, and so does what is still true."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from crossport.application.maintaining import clear_maintenance, record_maintenance
from crossport.application.ports import OutboxState
from crossport.application.relay import LONGEST_PAUSE
from crossport.domain.maintenance import Maintenance, MaintenanceKind, Side
from crossport.domain.vocabulary import Phase, Verdict
from tests.fakes.memory_cloud import LOST_ANSWER
from tests.fakes.partner_world import CIRCUIT, PARTNER, VLAN, PartnerWorld

HOUR = timedelta(hours=1)


def trouble(world: PartnerWorld, **changes: object) -> Maintenance:
    """An outage of the circuit that begins now, put on record."""
    plain = Maintenance(
        record_id="mnt-1",
        kind=MaintenanceKind.OUTAGE,
        account_id=PARTNER,
        circuit_id=CIRCUIT,
        starts_at=world.clock.now(),
        ends_at=None,
        zone="UTC",
        side=Side.UNKNOWN,
        cause="a fibre is cut",
        actor="wang",
        recorded_at=world.clock.now(),
    )
    record = replace(plain, **changes)  # type: ignore[arg-type]
    assert record_maintenance(record, world.store).refusals == ()
    return record


def over(world: PartnerWorld, record: Maintenance) -> bool:
    done = clear_maintenance(record, world.store, actor="wang", outcome="mended", at=world.clock.now())
    return done is not None


def states(world: PartnerWorld, kind: str) -> set[tuple[OutboxState, str]]:
    return {(entry.state, entry.reason) for entry in world.outbox(kind)}


def test_a_new_port_waits_for_the_end_of_an_outage(world: PartnerWorld) -> None:
    record = trouble(world)
    assert [ending.verdict for ending in world.place(world.order())] == [Verdict.APPLIED]
    for _ in range(10):
        world.relay()
        world.clock.advance(LONGEST_PAUSE)
    assert states(world, "create_port") == {(OutboxState.DUE, "maintenance:mnt-1")}
    assert world.calls("create_port") == []
    world.relay()
    assert over(world, record)
    world.relay()
    assert world.phase() is Phase.OFFERED


def test_a_planned_window_that_nobody_clears_ends_by_itself(world: PartnerWorld) -> None:
    trouble(world, kind=MaintenanceKind.PLANNED, ends_at=world.clock.now() + HOUR)
    world.place(world.order())
    world.relay()
    world.clock.advance(HOUR)
    world.relay()
    assert world.phase() is Phase.OFFERED


def test_a_call_that_may_have_happened_is_looked_for_through_an_outage(world: PartnerWorld) -> None:
    world.place(world.order())
    world.cloud.script("create_port", None, LOST_ANSWER)
    world.relay()
    trouble(world)
    world.clock.advance(timedelta(minutes=2))
    world.relay()
    assert world.phase() is Phase.OFFERED
    assert len(world.creates()) == 1


def test_tenant_and_partner_are_told_once_of_the_outage_and_of_its_end(world: PartnerWorld) -> None:
    world.provisioned()
    world.settled()
    record = trouble(world)
    world.relay()
    assert over(world, record)
    assert not over(world, record)
    world.relay()
    for kind in ("outage", "maintenance_cleared"):
        entries = world.outbox(kind)
        assert sorted(entry.row.payload["party"] for entry in entries) == ["partner", "tenant"], kind
        assert {entry.state for entry in entries} == {OutboxState.DONE}


def second_vbr(world: PartnerWorld) -> None:
    """The port gets two VBRs, which is a violation."""
    port_id = world.connection().port_id or ""
    world.observe(world.vbr_created(port_id, "vbr-1", account_id=PARTNER, vlan_id=VLAN))
    world.observe(world.vbr_created(port_id, "vbr-2", account_id=PARTNER, vlan_id=VLAN))


def test_an_alarm_that_the_outage_explains_is_kept_quiet_and_comes_out_if_it_is_still_true(
    world: PartnerWorld,
) -> None:
    world.provisioned()
    world.settled()
    record = trouble(world)
    world.clock.advance(timedelta(minutes=1))
    second_vbr(world)
    assert world.violations()  # recorded all the same
    for _ in range(4):
        world.relay()
        world.clock.advance(LONGEST_PAUSE)
    assert (OutboxState.DUE, "muted:mnt-1") in states(world, "violation")
    assert OutboxState.DONE not in {state for state, _ in states(world, "violation")}
    assert over(world, record)
    world.relay()
    assert OutboxState.DONE in {state for state, _ in states(world, "violation")}
    assert "muted:mnt-1" not in {reason for _, reason in states(world, "violation")}


def test_two_people_who_record_at_once_are_not_both_believed(world: PartnerWorld) -> None:
    record = trouble(world)
    other = replace(record, record_id="mnt-2")
    assert not world.store.add_maintenance(other, seen=[], outbox=[])
    (refusal,) = record_maintenance(other, world.store).refusals
    assert refusal.code == "maintenance_overlaps"
