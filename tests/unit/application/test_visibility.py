"""Where VBRs are seen is probed and kept; what nobody could read is never taken for gone (ruling 8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crossport.application.reconcile import CircuitReport, Reconciler
from crossport.domain.visibility import VbrVisibility, vbr_told
from crossport.domain.vocabulary import MilestoneName, OrderMode, Phase
from tests.fakes.memory_cloud import UNAVAILABLE, MemoryCloud
from tests.fakes.partner_world import CIRCUIT, PARTNER, TENANT, VLAN, PartnerWorld

LIST_VBRS = "list_vbrs"


class Blind(MemoryCloud):
    """A cloud that shows its owner no VBR on a shared port, under the circuit or the port."""

    def list_vbrs(self, *, account_id: str, region: str, circuit_id: str) -> tuple[object, ...]:  # type: ignore[override]
        super().list_vbrs(account_id=account_id, region=region, circuit_id=circuit_id)
        return ()

    def read_port(self, *, account_id: str, region: str, port_id: str):  # type: ignore[no-untyped-def]
        return replace(super().read_port(account_id=account_id, region=region, port_id=port_id), vbrs=())


def run(world: PartnerWorld, after: timedelta = timedelta(minutes=10)) -> CircuitReport:
    """One run over the circuit, a while after whatever was done last."""
    world.clock.advance(after)
    circuit = world.store.circuit(CIRCUIT)
    assert circuit is not None
    reconciler = Reconciler(store=world.store, cloud=world.cloud, policies=world.policies, clock=world.clock)
    report = reconciler.circuit(circuit)
    world.settled(4)
    return report


def enabled(world: PartnerWorld) -> str:
    """A port that is accepted and enabled, and known to be."""
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    world.cloud.accept(port_id)
    run(world)
    run(world)
    assert world.phase() is Phase.ENABLED
    return port_id


def blind(world: PartnerWorld) -> None:
    world.cloud.__class__ = Blind


def seen(world: PartnerWorld) -> VbrVisibility | None:
    return world.store.vbr_visibility(PARTNER)  # type: ignore[no-any-return]


def codes(report: CircuitReport) -> list[str]:
    return [breach.code for breach in report.breaches]


def test_without_any_vbr_nothing_is_concluded(world: PartnerWorld) -> None:
    enabled(world)
    assert seen(world) is None


def test_a_vbr_that_its_circuit_lists_proves_that_circuits_do(world: PartnerWorld) -> None:
    port_id = enabled(world)
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    run(world)
    assert (seen(world), world.phase()) == (VbrVisibility.CIRCUIT, Phase.ACTIVE)


def test_a_vbr_that_only_its_port_lists_is_found_by_asking_for_ports(world: PartnerWorld) -> None:
    port_id = enabled(world)
    world.cloud.vbrs_seen_by_circuit = False
    vbr_id = world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    assert (seen(world), world.phase()) == (VbrVisibility.PORT, Phase.ACTIVE)
    assert run(world).healed == ()
    world.cloud.remove_vbr(vbr_id)
    run(world)
    run(world)
    assert world.phase() is Phase.ENABLED


def test_where_no_list_shows_vbrs_the_connection_stays_enabled_and_the_tenants_word_counts(world: PartnerWorld) -> None:
    port_id = enabled(world)
    blind(world)
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    assert (seen(world), world.phase()) == (None, Phase.ENABLED)
    world.place(world.milestone(MilestoneName.VBR_ATTESTED))
    report = run(world)
    assert (seen(world), world.phase()) == (VbrVisibility.NONE, Phase.ACTIVE)
    assert "says that it has a VBR" in world.memory.state.visibility[PARTNER][1]
    assert codes(report) == ["vbr_not_visible"]


def test_when_nothing_was_ever_shown_for_long_nobody_can_tell(world: PartnerWorld) -> None:
    enabled(world)
    blind(world)
    report = run(world, timedelta(days=2))
    assert (seen(world), codes(report)) == (None, [])
    report = run(world, timedelta(days=1))
    assert (seen(world), codes(report)) == (VbrVisibility.NONE, ["vbr_not_visible"])


def test_what_is_seen_after_all_corrects_it(world: PartnerWorld) -> None:
    port_id = enabled(world)
    run(world, timedelta(days=4))
    assert seen(world) is VbrVisibility.NONE
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    report = run(world)
    assert (seen(world), world.phase(), codes(report)) == (VbrVisibility.CIRCUIT, Phase.ACTIVE, [])


def test_a_vbr_that_nobody_could_read_is_not_missed(world: PartnerWorld) -> None:
    """Known from our own answer or an event alone: that no read shows it says nothing."""
    port_id = enabled(world)
    blind(world)
    vbr_id = world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
    request = {"PhysicalConnectionId": port_id, "VlanId": VLAN}
    world.observe(world.record("CreateVirtualBorderRouter", request=request, response={"VbrId": vbr_id}))
    before = [vbr.vbr_id for vbr in world.connection().live_vbrs(world.policy.consistency_window)]
    for _ in range(3):
        run(world)
    assert before == [vbr_id]
    assert [vbr.vbr_id for vbr in world.connection().live_vbrs(world.policy.consistency_window)] == before
    assert seen(world) is VbrVisibility.NONE


def test_a_port_without_a_vbr_for_days_is_a_finding_until_it_has_one(world: PartnerWorld) -> None:
    first = enabled(world)
    world.cloud.create_vbr(first, owner_uid=TENANT, vlan_id=VLAN)
    run(world)
    run(world)
    other = world.provisioned("order-2", vlan_id=VLAN + 1, order_mode=str(OrderMode.PARTNER_PAYS))
    world.cloud.accept(other)
    run(world)
    assert codes(run(world, timedelta(days=2))) == []
    report = run(world, timedelta(days=2))
    assert [(breach.code, breach.subject) for breach in report.breaches] == [("vbr_missing", other)]
    world.cloud.create_vbr(other, owner_uid=TENANT, vlan_id=VLAN + 1)
    run(world)
    assert codes(run(world)) == []
    assert not [key for key in world.memory.state.findings if "vbr_missing" in key]


def test_a_look_by_port_that_fails_concludes_nothing(world: PartnerWorld) -> None:
    enabled(world)
    world.cloud.script(LIST_VBRS, None, UNAVAILABLE)
    report = run(world, timedelta(days=4))
    assert (report.complete, seen(world)) == (True, None)


@pytest.mark.parametrize(
    ("phase", "has_vbr", "visibility", "told"),
    [
        (Phase.ACTIVE, True, None, "seen"),
        (Phase.ENABLED, False, VbrVisibility.NONE, "not_visible"),
        (Phase.ACTIVE, False, VbrVisibility.NONE, "not_visible"),
        (Phase.ENABLED, False, VbrVisibility.PORT, "missing"),
        (Phase.ENABLED, False, None, "unknown"),
        (Phase.ACCEPTED, False, VbrVisibility.NONE, ""),
    ],
)
def test_what_is_told_of_a_vbr(phase: Phase, has_vbr: bool, visibility: VbrVisibility | None, told: str) -> None:
    assert vbr_told(phase, seen=has_vbr, visibility=visibility) == told
