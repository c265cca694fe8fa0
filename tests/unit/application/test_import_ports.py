"""Importing what exists on day one: adopted as it is, told to nobody, charged from now on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crossport.application.errors import CloudCallError
from crossport.application.import_ports import ImportedPort, ImportOutcome, PortImport
from crossport.application.ports import OutboxState
from crossport.domain.connection import connection_id_for
from crossport.domain.vocabulary import OrderMode, Origin, Phase
from tests.fakes.memory_cloud import LOST_REQUEST, THROTTLED
from tests.fakes.partner_world import CIRCUIT, NEIGHBOUR, PARTNER, POLICY, TENANT, VLAN, PartnerWorld

PAID_FROM = datetime(2025, 11, 17, 8, 0, tzinfo=UTC)
PAID_UNTIL = datetime(2026, 5, 17, 16, 0, tzinfo=UTC)


def importer(world: PartnerWorld, **changes: Any) -> PortImport:
    return PortImport(
        store=world.store,
        cloud=lambda: world.cloud,
        policies=world.policies,
        clock=world.clock,
        actor="noc",
        reason="day one",
        **changes,
    )


def run(world: PartnerWorld, **changes: Any) -> list[ImportedPort]:
    return list(importer(world, **changes).circuit(world.circuit()))


def running_port(world: PartnerWorld, **changes: Any) -> str:
    """A port that the tenant has had for months, with its VBR."""
    port_id = world.make_in_console(**changes)
    world.cloud.change_port(
        port_id, acceptance="Confirmed", status="Enabled", enabled_time=PAID_FROM, end_time=PAID_UNTIL
    )
    world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=changes.get("vlan_id", VLAN))
    return port_id


def test_a_running_port_is_imported_with_its_vbr_and_nobody_is_told(world: PartnerWorld) -> None:
    port_id = running_port(world)
    (found,) = run(world)
    assert (found.outcome, found.port_id, found.phase) == (ImportOutcome.IMPORTED, port_id, Phase.ACTIVE)
    connection = world.adopted(port_id)
    assert (connection.origin, connection.contract_number) == (Origin.IMPORT, f"C-{TENANT}")
    assert world.circuit().holds(VLAN)
    world.settled()
    assert world.notices() == []
    # What happens from now on is told.
    world.cloud.change_port(port_id, business_status="FinancialLocked")
    world.read(port_id, "later")
    world.settled()
    assert world.notices() == [("suspended", "tenant"), ("suspended", "partner")]


def test_it_is_charged_from_the_first_period_that_begins_here(world: PartnerWorld) -> None:
    port_id = running_port(world)
    run(world)
    records = [entry.record.content for entry in world.memory.state.ledger.values()]
    starts = sorted(datetime.fromisoformat(str(r["period_start"])) for r in records if r["kind"] == "port_usage")
    assert starts == [datetime(2026, month, 17, 16, tzinfo=UTC) for month in (3, 4)]
    assert all(start >= world.adopted(port_id).created_at for start in starts)
    assert {r["kind"] for r in records} == {"port_usage", "vbr", "outbound_data_transfer"}


def test_a_renewal_continues_on_the_clouds_own_grid(world: PartnerWorld) -> None:
    port_id = running_port(world)
    run(world)
    world.cloud.change_port(port_id, end_time=PAID_UNTIL + timedelta(days=31))
    world.read(port_id, "renewed")
    world.settled()
    records = [entry.record.content for entry in world.memory.state.ledger.values()]
    ends = sorted(datetime.fromisoformat(str(r["period_end"])) for r in records if r["kind"] == "port_usage")
    assert ends[-1] == PAID_UNTIL + timedelta(days=31)
    assert all(entry.record.reverses is None for entry in world.memory.state.ledger.values())


def test_a_second_run_changes_nothing(world: PartnerWorld) -> None:
    running_port(world)
    run(world)
    before = world.memory.state.copy()
    (found,) = run(world)
    assert found.outcome is ImportOutcome.KNOWN
    assert world.memory.state == before


def test_a_dry_run_saves_nothing_and_says_the_same(world: PartnerWorld) -> None:
    running_port(world)
    before = world.memory.state.copy()
    (dry,) = run(world, dry_run=True)
    assert world.memory.state == before
    assert run(world) == [dry]


def test_a_port_without_a_contract_is_imported_and_is_a_finding(world: PartnerWorld) -> None:
    world.make_in_console(tenant_uid=NEIGHBOUR)
    (found,) = run(world)
    assert (found.outcome, found.findings) == (ImportOutcome.IMPORTED, ("port_without_contract",))
    assert world.findings() == {"port_without_contract"}


def test_who_imported_and_why_stands_in_the_audit_trail(world: PartnerWorld) -> None:
    port_id = running_port(world)
    run(world)
    (row,) = [row for row in world.memory.state.audit if row.function == "import"]
    assert row.connection_id in (None, connection_id_for(PARTNER, "port", port_id))
    assert row.details == {"actor": "noc", "reason": "day one", "port_id": port_id}


def test_a_port_that_was_ordered_is_known(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    (found,) = run(world)
    assert (found.outcome, found.connection_id) == (ImportOutcome.KNOWN, world.connection().connection_id)
    assert found.port_id == port_id


def test_the_port_of_an_order_that_still_looks_for_it_is_left_to_that_order(world: PartnerWorld) -> None:
    world.place(world.order())
    port_id = world.make_in_console(token=world.connection().token)
    (found,) = run(world)
    assert (found.outcome, found.reason) == (ImportOutcome.WAITING, "vlan_held")
    assert run(world) == [found]
    (asked,) = world.outbox("read_port")
    assert asked.row.payload["origin"] == "import"
    assert connection_id_for(PARTNER, "port", port_id) not in world.memory.state.connections


def test_one_port_that_cannot_be_read_does_not_stop_the_others(world: PartnerWorld) -> None:
    first, second = (world.make_in_console(vlan_id=vlan_id) for vlan_id in (130, 131))
    world.cloud.script("read_port", THROTTLED)
    outcomes = {found.port_id: found.outcome for found in run(world)}
    assert outcomes == {second: ImportOutcome.FAILED, first: ImportOutcome.IMPORTED}
    assert {found.outcome for found in run(world)} == {ImportOutcome.KNOWN, ImportOutcome.IMPORTED}


def test_a_listing_that_breaks_off_keeps_what_it_had_and_says_so(world: PartnerWorld) -> None:
    world.cloud.page_size = 1
    ports = [world.make_in_console(vlan_id=vlan_id) for vlan_id in (130, 131)]
    world.cloud.script("list_ports", None, LOST_REQUEST)
    seen: list[ImportedPort] = []

    def all_of(found: Iterator[ImportedPort]) -> None:
        seen.extend(found)

    with pytest.raises(CloudCallError):
        all_of(importer(world).circuit(world.circuit()))
    assert [found.port_id for found in run(world) if found.outcome is ImportOutcome.IMPORTED] == ports[:1]


def test_deleted_ports_and_those_that_go_meanwhile_are_gone(world: PartnerWorld) -> None:
    deleted, vanished = (world.make_in_console(vlan_id=vlan_id) for vlan_id in (130, 131))
    world.cloud.change_port(deleted, acceptance="Deleted")
    found = importer(world).circuit(world.circuit())
    world.cloud.lag = timedelta(0)
    (page,) = world.cloud.list_ports(account_id=PARTNER, region="us-east-1", circuit_id=CIRCUIT)
    assert len(page.ports) == 2
    world.cloud.remove_port(vanished)
    assert {each.outcome for each in found} == {ImportOutcome.GONE}


def test_a_partner_paid_port_is_charged_on_both_sides_and_never_paid_again(world: PartnerWorld) -> None:
    port_id = running_port(world, order_mode=str(OrderMode.PARTNER_PAYS))
    run(world)
    world.settled()
    assert world.calls("pay_port") == []
    assert world.adopted(port_id).order_mode == OrderMode.PARTNER_PAYS
    purposes = {e.record.content["purpose"] for e in world.memory.state.ledger.values()}
    assert "cost" in purposes


class TestAVlanIdThatIsHeldElsewhere:
    """An adopted port gets its hold when the other connection gives it back."""

    @pytest.fixture
    def port_id(self, world: PartnerWorld) -> str:
        """A port whose VLAN ID an order of the neighbour's holds, adopted after all."""
        world.sign(NEIGHBOUR)
        world.place(world.order("of-neighbour", tenant_uid=NEIGHBOUR, milestones=()))
        port_id = world.make_in_console()
        run(world)
        for _ in range(POLICY.max_attempts + 1):
            world.relay()
            world.clock.advance(timedelta(minutes=POLICY.max_attempts))
        assert world.adopted(port_id).origin is Origin.IMPORT
        return port_id

    def test_until_then_it_is_a_finding_and_the_claim_waits(self, world: PartnerWorld, port_id: str) -> None:
        assert world.findings() == {"vlan_clash"}
        (claim,) = world.outbox("claim_hold")
        assert (claim.state, claim.reason) == (OutboxState.DUE, "waiting:vlan_id")
        assert world.memory.state.holds[CIRCUIT, VLAN].connection_id != world.adopted(port_id).connection_id

    def test_it_is_held_once_it_is_given_back(self, world: PartnerWorld, port_id: str) -> None:
        world.memory.state.hold_history.clear()
        circuit = world.circuit().release(VLAN, 200)
        world.memory.state.circuits[CIRCUIT] = circuit
        world.clock.advance(timedelta(hours=2))
        world.relay()
        hold = world.memory.state.holds[CIRCUIT, VLAN]
        assert (hold.connection_id, hold.mbps) == (world.adopted(port_id).connection_id, 200)
        assert world.circuit().held_mbps == 200
        assert world.findings() == set()

    def test_nothing_is_claimed_for_a_port_that_has_gone(self, world: PartnerWorld, port_id: str) -> None:
        world.cloud.change_port(port_id, acceptance="Deleted")
        world.read(port_id, "later")
        world.settled()
        world.clock.advance(timedelta(hours=2))
        world.relay()
        (claim,) = world.outbox("claim_hold")
        assert (claim.state, claim.reason) == (OutboxState.DROPPED, "phase_is_declined")
