"""Redundancy groups from the queue to the cloud: both or none, and no half without a finding (ruling 17)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from crossport.application.commands.groups import UNDER_WAY
from crossport.application.order_input import OrderMessage
from crossport.application.ports import CloudFailure, OutboxState
from crossport.domain.connection import Connection, Request, connection_id_for
from crossport.domain.decide import Finding
from crossport.domain.vocabulary import Phase, RequestKind
from tests.fakes.memory_cloud import Fault
from tests.fakes.partner_world import CIRCUIT, PARTNER, POLICY, TENANT, VLAN, PartnerWorld, told

SECOND = "pc-second"
REFUSED = Fault(failure=CloudFailure.PERMANENT, cloud_code="OperationDenied", after_effect=False)


@pytest.fixture
def world() -> PartnerWorld:
    """Two circuits that end at different access points."""
    world = PartnerWorld()
    world.add_circuit(SECOND, access_point="ap-us-east-1-DC2")
    return world


def first(world: PartnerWorld, **changes: Any) -> OrderMessage:
    return world.order("first", **{"group_id": "G", **changes})


def second(world: PartnerWorld, **changes: Any) -> OrderMessage:
    return world.order("second", **{"group_id": "G", "circuit_id": SECOND, **changes})


def pair(world: PartnerWorld, *, active: bool = True) -> None:
    """Both members, provisioned and (unless told otherwise) in service."""
    world.place(first(world), second(world))
    world.settled()
    for name in ("first", "second") if active else ():
        port_id = world.connection(name).port_id
        assert port_id is not None
        world.cloud.accept(port_id)
        world.cloud.change_port(port_id, status="Enabled", enabled_time=world.clock.now())
        world.cloud.create_vbr(port_id, owner_uid=TENANT, vlan_id=VLAN)
        world.read(port_id, "active")
    world.settled()


def gone(world: PartnerWorld, name: str) -> None:
    port_id = world.connection(name).port_id
    assert port_id is not None
    world.cloud.change_port(port_id, acceptance="Deleted")
    world.read(port_id, "gone")
    world.settled()


def ask(world: PartnerWorld, name: str, kind: RequestKind, **changes: Any) -> tuple[str, str, str]:
    request_id = f"{kind}-{name}-{len(world.memory.state.audit)}"
    request = Request(request_id=request_id, kind=kind, at=world.clock.now(), actor="noc", **changes)
    message = OrderMessage(
        key=request_id,
        digest=request_id,
        name=f"order.{kind}",
        account_id=PARTNER,
        client_order_id=request_id,
        request=request,
        target_order_id=name,
    )
    (ending,) = world.place(message)
    return told(ending)


def half(world: PartnerWorld) -> dict[str, Finding]:
    """Findings of half provisioned groups, by connection."""
    found = world.memory.state.findings
    return {key.split(":")[0]: each for key, each in found.items() if each.code == "half_provisioned"}


def of(world: PartnerWorld, name: str) -> Connection:
    return world.connection(name)


def test_the_first_waits_with_its_hold_and_no_port_is_made(world: PartnerWorld) -> None:
    (ending,) = world.place(first(world))
    assert told(ending) == ("applied", "", "")
    world.settled()
    assert (world.phase("first"), world.creates()) == (Phase.ORDERED, [])
    assert world.circuit().holds(VLAN)


def test_both_are_made_once_both_are_valid(world: PartnerWorld) -> None:
    world.place(first(world))
    world.settled()
    world.place(second(world))
    world.settled()
    assert (world.phase("first"), world.phase("second")) == (Phase.OFFERED, Phase.OFFERED)
    assert sorted(request.circuit_id for request in world.creates()) == sorted([CIRCUIT, SECOND])
    assert half(world) == {}


def test_a_second_order_that_is_refused_leaves_the_first_waiting(world: PartnerWorld) -> None:
    world.place(first(world))
    (ending,) = world.place(second(world, spec="500M"))
    assert told(ending) == ("rejected", "group_spec_differs", "")
    world.settled()
    assert (world.phase("first"), world.creates()) == (Phase.ORDERED, [])
    (ending,) = world.place(world.order("third", group_id="G", circuit_id=SECOND))
    world.settled()
    assert (world.phase("first"), world.phase("third")) == (Phase.OFFERED, Phase.OFFERED)


def test_two_orders_that_did_not_see_each_other_find_each_other(world: PartnerWorld) -> None:
    """The second is committed between the first one's load and its save."""
    world.store.before_save.append(lambda: world.place_elsewhere(second(world)))
    world.place(first(world))
    assert {of(world, name).group_ready_at for name in ("first", "second")} == {None}
    world.settled()
    assert (world.phase("first"), world.phase("second")) == (Phase.OFFERED, Phase.OFFERED)
    assert len(world.creates()) == 2


def test_a_lost_race_of_the_join_is_run_again(world: PartnerWorld) -> None:
    world.place(first(world))
    world.settled()
    world.place(second(world))
    world.store.lose = 1
    world.settled()
    assert world.phase("first") is Phase.OFFERED


def test_a_group_of_another_account_or_none_is_no_group(world: PartnerWorld) -> None:
    world.place(first(world), second(world, group_id="H"), world.order("alone", vlan_id=130))
    world.settled()
    assert (world.phase("first"), world.phase("second"), world.phase("alone")) == (
        Phase.ORDERED, Phase.ORDERED, Phase.OFFERED,
    )  # fmt: skip


class TestHalfProvisioned:
    """One has a port and the other has not."""

    def test_a_sibling_that_the_cloud_refuses_is_a_finding_with_a_deadline(self, world: PartnerWorld) -> None:
        world.place(first(world), second(world))
        world.cloud.script("create_port", None, None, REFUSED)
        world.settled()
        failed, made = sorted(("first", "second"), key=lambda name: world.phase(name) is not Phase.FAILED)
        assert world.phase(made) is Phase.OFFERED
        (found,) = half(world).items()
        assert found[0] == of(world, made).connection_id
        assert found[1].details["missing"] == [f"{of(world, failed).connection_id} failed"]
        since, deadline = (datetime.fromisoformat(found[1].details[name]) for name in ("since", "deadline"))
        assert deadline - since == POLICY.group_deadline

    def test_a_sibling_that_is_declined_is_one_and_a_replacement_closes_it(self, world: PartnerWorld) -> None:
        pair(world, active=False)
        gone(world, "second")
        assert set(half(world)) == {of(world, "first").connection_id}
        (ending,) = world.place(world.order("third", group_id="G", circuit_id=SECOND, vlan_id=130))
        assert told(ending) == ("applied", "", "")
        world.settled()
        assert (world.phase("third"), half(world)) == (Phase.OFFERED, {})

    def test_a_sibling_whose_call_is_under_way_is_waited_for(self, world: PartnerWorld) -> None:
        world.place(first(world), second(world))
        busy = Fault(failure=CloudFailure.RETRYABLE, cloud_code="Throttling", after_effect=False)
        world.cloud.script("create_port", None, None, *[busy] * 40)
        world.settled()
        assert half(world) == {}
        world.clock.advance(UNDER_WAY + timedelta(minutes=2))
        world.settled()
        assert len(half(world)) == 1

    def test_a_sibling_that_waits_for_its_line_is_missed_at_once(self, world: PartnerWorld) -> None:
        world.place(first(world), second(world, milestones=()))
        world.settled()
        assert (world.phase("first"), world.phase("second")) == (Phase.OFFERED, Phase.ORDERED)
        assert len(half(world)) == 1

    def test_a_sibling_that_is_cancelled_is_one(self, world: PartnerWorld) -> None:
        pair(world, active=False)
        assert ask(world, "second", RequestKind.CANCEL) == ("applied", "", "")
        world.settled(8)
        assert world.phase("second") is Phase.WITHDRAWN
        assert set(half(world)) == {of(world, "first").connection_id}

    def test_both_gone_is_no_half(self, world: PartnerWorld) -> None:
        pair(world, active=False)
        gone(world, "second")
        assert len(half(world)) == 1
        gone(world, "first")
        assert half(world) == {}

    def test_a_look_that_loses_its_race_looks_again(self, world: PartnerWorld) -> None:
        pair(world, active=False)
        port_id = of(world, "second").port_id
        assert port_id is not None
        world.cloud.change_port(port_id, acceptance="Deleted")
        world.read(port_id, "gone")
        world.relay()
        world.store.lose = 20
        world.settled()
        world.store.lose = 0
        world.clock.advance(timedelta(minutes=5))
        world.settled()
        assert len(half(world)) == 1


class TestUntouched:
    """No member is changed or ceased while its sibling is not active."""

    def test_while_both_are_active_one_may_be_changed(self, world: PartnerWorld) -> None:
        pair(world)
        assert ask(world, "first", RequestKind.CHANGE_SPEC, spec="500M") == ("applied", "", "")

    @pytest.mark.parametrize(
        ("kind", "wanted"),
        [
            (RequestKind.CHANGE_SPEC, {"spec": "500M"}),
            (RequestKind.CEASE, {}),
            (RequestKind.CHANGE_VLAN, {"vlan_id": 9}),
        ],
    )
    def test_without_an_active_sibling_only_by_force(
        self, world: PartnerWorld, kind: RequestKind, wanted: dict[str, Any]
    ) -> None:
        pair(world)
        port_id = of(world, "second").port_id
        assert port_id is not None
        world.cloud.change_port(port_id, business_status="FinancialLocked")
        world.read(port_id, "locked")
        world.settled()
        verdict, reason, _ = ask(world, "first", kind, **wanted)
        assert (verdict, reason in {"sibling_not_active", "vbr_exists"}) == ("rejected", True)
        assert ask(world, "first", kind, forced="the tenant agreed", **wanted) == ("applied", "", "")

    def test_ending_a_group_takes_force_for_the_last_one_and_is_no_half(self, world: PartnerWorld) -> None:
        pair(world)
        assert ask(world, "first", RequestKind.CEASE) == ("applied", "", "")
        world.settled()
        assert half(world) == {}
        assert ask(world, "second", RequestKind.CEASE)[:2] == ("rejected", "sibling_not_active")
        assert ask(world, "second", RequestKind.CEASE, forced="the group ends") == ("applied", "", "")


def test_commands_of_a_group_end(world: PartnerWorld) -> None:
    pair(world)
    rows = [*world.outbox("join_group"), *world.outbox("check_group")]
    assert len(rows) == 4
    assert {row.state for row in rows} == {OutboxState.DONE}
    assert of(world, "first").connection_id == connection_id_for(PARTNER, "order", "first")
