"""Migrations: the port is made from the tenant's VBR, compared with the order, and gets the same VBR, unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crossport.application.order_input import OrderMessage
from crossport.domain.connection import Migration, Request
from crossport.domain.migration import MigrationOrder
from crossport.domain.vocabulary import OrderMode, Phase, RequestKind
from tests.fakes.memory_cloud import LOST_ANSWER, LOST_REQUEST, THROTTLED
from tests.fakes.partner_world import CIRCUIT, GATES, PARTNER, POLICY, TENANT, VLAN, PartnerWorld

NEIGHBOUR = "9000000000000009"


def pushed(world: PartnerWorld, **changes: Any) -> str:
    """The VBR that the tenant has had all along; without a cap unless changed."""
    said: dict[str, Any] = {"owner_uid": TENANT, "vlan_id": VLAN, **changes}
    vbr_id = world.cloud.push_vbr(said.pop("circuit_id", CIRCUIT), **said)
    world.cloud.migrations.settings[vbr_id] = {"Name": "head office", "LocalGatewayIp": "10.0.0.1"}
    return vbr_id


def migrate(world: PartnerWorld, vbr_id: str, **changes: Any) -> str:
    """Order the migration; how the message ended: verdict and reason."""
    plain = MigrationOrder(
        client_order_id="order-1",
        account_id=PARTNER,
        circuit_id=CIRCUIT,
        tenant_uid=TENANT,
        spec="200M",
        order_mode=str(OrderMode.PARTNER_PAYS),
        received_at=world.clock.now(),
        vlan_id=VLAN,
        milestones=world.milestones(*GATES),
        vbr_id=vbr_id,
    )
    order = replace(plain, **changes)
    message = OrderMessage(
        key="message of order-1",
        digest="digest of order-1",
        name="order.migrate",
        account_id=PARTNER,
        client_order_id="order-1",
        order=order,
    )
    (ending,) = world.place(message)
    return f"{ending.verdict}:{ending.reason}"


def converted(world: PartnerWorld, **changes: Any) -> tuple[str, str]:
    """A VBR and the port that was made from it by an order."""
    vbr_id = pushed(world)
    assert migrate(world, vbr_id, **changes) == "applied:"
    world.settled()
    port_id = world.connection().port_id
    assert port_id is not None
    return vbr_id, port_id


def accepted(world: PartnerWorld, port_id: str) -> None:
    """The tenant accepts; the partner, who pays, does."""
    world.cloud.accept(port_id)
    world.observe(world.accepted(port_id))


def migration(world: PartnerWorld) -> Migration:
    found = world.connection().migration
    assert found is not None
    return found


def ended(world: PartnerWorld, kind: str) -> tuple[str, str]:
    """State and reason of the one outbox row of a kind."""
    (entry,) = world.outbox(kind)
    return str(entry.state), entry.reason


def test_a_migration_ends_active_with_the_same_vbr_unchanged(world: PartnerWorld) -> None:
    vbr_id, port_id = converted(world)
    assert world.phase() is Phase.OFFERED
    assert ("offer", "tenant") in world.notices()
    assert [call["bandwidth_mbps"] for call in world.calls("set_vbr_bandwidth")] == [200]
    assert not world.creates()
    accepted(world, port_id)
    world.settled(6)
    connection = world.connection()
    assert world.phase() is Phase.ACTIVE
    assert [vbr.vbr_id for vbr in connection.vbrs] == [vbr_id]
    assert migration(world).untouched is True
    assert '"Name": "head office"' in migration(world).before
    assert len(world.calls("attach_vbr")) == 1
    assert "migration_changed_vbr" not in world.findings()
    assert ("active", "tenant") in world.notices()


def test_capacity_and_vlan_id_are_taken_once(world: PartnerWorld) -> None:
    converted(world)
    assert world.circuit().held_mbps == 200
    assert world.memory.state.holds[CIRCUIT, VLAN].mbps == 200


def test_a_vbr_with_the_agreed_cap_is_left_as_it_is(world: PartnerWorld) -> None:
    vbr_id = pushed(world, bandwidth_mbps=200)
    migrate(world, vbr_id)
    world.settled()
    assert world.calls("set_vbr_bandwidth") == []
    assert world.phase() is Phase.OFFERED


@pytest.mark.parametrize(
    ("vbr", "reason"),
    [
        ({"owner_uid": NEIGHBOUR}, "vbr_of_other_tenant"),
        ({"vlan_id": VLAN + 1}, "vbr_vlan_differs"),
        ({"circuit_id": "pc-other"}, "vbr_on_other_circuit"),
    ],
)
def test_migration_order_does_not_touch_a_vbr_that_is_not_the_ordered_one(
    world: PartnerWorld, vbr: dict[str, Any], reason: str
) -> None:
    world.add_circuit("pc-other")
    migrate(world, pushed(world, **vbr))
    world.settled()
    assert world.phase() is Phase.FAILED
    assert [refusal.code for refusal in (world.connection().failure,) if refusal] == [reason]
    assert ended(world, "convert_vbr") == ("failed", reason)
    assert (world.calls("set_vbr_bandwidth"), world.calls("create_from_vbr")) == ([], [])
    assert world.circuit().held_mbps == 0


def test_a_vbr_that_nobody_shows_fails_the_order(world: PartnerWorld) -> None:
    migrate(world, "vbr-unknown")
    world.settled()
    assert ended(world, "convert_vbr") == ("failed", "vbr_not_found")


def test_a_vbr_that_the_tenant_has_not_confirmed_is_waited_for(world: PartnerWorld) -> None:
    vbr_id = pushed(world, status="unconfirmed")
    migrate(world, vbr_id)
    world.settled()
    assert ended(world, "convert_vbr") == ("due", "waiting:vbr_active")
    world.cloud.change_vbr(vbr_id, status="active")
    world.settled()
    assert world.phase() is Phase.OFFERED


@pytest.mark.parametrize("fault", [LOST_REQUEST, LOST_ANSWER, THROTTLED])
def test_one_port_is_made_whatever_happens_to_the_call(world: PartnerWorld, fault: Any) -> None:
    world.cloud.script("create_from_vbr", fault)
    converted(world)
    assert len(world.cloud.ports()) == 1
    assert {call["token"] for call in world.calls("create_from_vbr")} == {world.connection().token}
    assert world.phase() is Phase.OFFERED


@pytest.mark.parametrize("fault", [LOST_REQUEST, LOST_ANSWER, THROTTLED])
def test_the_vbr_is_attached_whatever_happens_to_the_call(world: PartnerWorld, fault: Any) -> None:
    world.cloud.script("attach_vbr", fault)
    _, port_id = converted(world)
    accepted(world, port_id)
    world.settled(6)
    assert world.phase() is Phase.ACTIVE
    assert migration(world).untouched is True


def test_a_vbr_that_somebody_else_attached_is_compared_all_the_same(world: PartnerWorld) -> None:
    vbr_id, port_id = converted(world)
    world.cloud.accept(port_id)
    world.cloud.change_vbr(vbr_id, port_id=port_id)
    world.observe(world.accepted(port_id))
    world.settled(6)
    assert world.calls("attach_vbr") == []
    assert world.phase() is Phase.ACTIVE
    assert migration(world).untouched is True


def test_nothing_is_attached_before_the_port_is_enabled(world: PartnerWorld) -> None:
    _, port_id = converted(world, order_mode=str(OrderMode.TENANT_PAYS))
    accepted(world, port_id)
    world.settled(6)
    assert world.phase() is Phase.ACCEPTED
    assert world.calls("attach_vbr") == []
    assert ended(world, "attach_vbr") == ("due", "waiting:enabled")


def test_a_vbr_that_was_changed_on_the_way_is_a_finding_with_both_snapshots(world: PartnerWorld) -> None:
    vbr_id, port_id = converted(world)
    world.cloud.migrations.settings[vbr_id]["LocalGatewayIp"] = "10.0.0.9"
    accepted(world, port_id)
    world.settled(6)
    assert migration(world).untouched is False
    (finding,) = [f for f in world.memory.state.findings.values() if f.code == "migration_changed_vbr"]
    assert finding.subject == vbr_id
    assert (finding.details["before"]["LocalGatewayIp"], finding.details["after"]["LocalGatewayIp"]) == (
        "10.0.0.1",
        "10.0.0.9",
    )


def test_a_vbr_that_went_elsewhere_is_not_attached(world: PartnerWorld) -> None:
    vbr_id, port_id = converted(world)
    world.add_circuit("pc-other")
    world.cloud.change_vbr(vbr_id, port_id="pc-other")
    accepted(world, port_id)
    world.settled(6)
    assert ended(world, "attach_vbr") == ("failed", "vbr_on_other_circuit")
    assert world.phase() is Phase.ENABLED


def test_nothing_is_attached_while_the_port_is_not_as_ordered(world: PartnerWorld) -> None:
    world.cloud.migrations.wrong_spec = "500M"
    _, port_id = converted(world)
    accepted(world, port_id)
    world.settled(6)
    assert world.calls("attach_vbr") == []
    assert ended(world, "attach_vbr") == ("due", "waiting:violation:wrong_port_spec")


def test_a_port_of_another_spec_is_a_violation_and_the_tenant_is_not_asked_to_accept(world: PartnerWorld) -> None:
    world.cloud.migrations.wrong_spec = "500M"
    _, port_id = converted(world)
    assert [v.code for v in world.violations()] == ["wrong_port_spec"]
    assert ("offer", "tenant") not in world.notices()
    assert ("violation", "partner") in world.notices()
    world.cloud.change_port(port_id, spec="200M")
    world.read(port_id, "mended")
    for _ in range(14):
        world.settled()
    assert world.violations() == ()
    assert ("offer", "tenant") in world.notices()


def test_a_migration_cancelled_before_acceptance_leaves_the_vbr_where_it_was(world: PartnerWorld) -> None:
    vbr_id, _ = converted(world)
    cancel = Request(request_id="CR-1", kind=RequestKind.CANCEL, at=world.clock.now(), actor="noc")
    message = OrderMessage(
        key="message of CR-1",
        digest="digest of CR-1",
        name="order.cancel",
        account_id=PARTNER,
        client_order_id="CR-1",
        request=cancel,
        target_order_id="order-1",
    )
    assert [str(ending.verdict) for ending in world.place(message)] == ["applied"]
    world.settled()
    assert world.phase() is Phase.WITHDRAWN
    assert world.cloud.ports() == ()
    vbr = world.cloud.read_vbr(account_id=PARTNER, region=world.connection().region, vbr_id=vbr_id).vbr
    assert vbr is not None
    assert (vbr.port_id, vbr.status) == (CIRCUIT, "active")
    assert world.calls("terminate_vbr") == world.calls("delete_vbr") == world.calls("attach_vbr") == []


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"bandwidth_mbps": 100}, ["bandwidth_cap_differs"]),
        ({"vlan_id": None}, ["vbr_vlan_missing"]),
        ({"spec": "7M", "tenant_uid": NEIGHBOUR}, ["tenant_unknown", "contract_missing", "spec_unknown"]),
    ],
)
def test_a_refused_migration_holds_nothing_and_is_told_all_reasons(
    world: PartnerWorld, changes: dict[str, Any], reasons: list[str]
) -> None:
    assert migrate(world, pushed(world), **changes) == f"rejected:{reasons[0]}"
    assert [refusal.code for refusal in world.connection().refusals] == reasons
    assert world.circuit().held_mbps == 0


def test_a_vbr_that_is_not_shown_yet_is_waited_for_as_long_as_lists_may_lag(world: PartnerWorld) -> None:
    migrate(world, "vbr-unknown")
    world.relay()
    assert ended(world, "convert_vbr") == ("due", "waiting:vbr_shown")
    world.clock.advance(POLICY.consistency_window)
    world.settled()
    assert ended(world, "convert_vbr") == ("failed", "vbr_not_found")
