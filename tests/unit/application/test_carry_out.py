"""Creating and paying ports: one intent is one port, whatever is lost; a refusal gives everything back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crossport.application.commands.create import MAYBE_SENT
from crossport.application.errors import StoreUnavailableError
from crossport.application.ports import Answer, CloudFailure, CreatePort, OutboxState
from crossport.application.relay import LEASE, LONGEST_PAUSE, Turn
from crossport.domain.vocabulary import MilestoneName, OrderMode, Phase
from tests.fakes.memory_cloud import LOST_ANSWER, LOST_REQUEST, NO_PRIVILEGE, THROTTLED, UNAVAILABLE, Fault
from tests.fakes.partner_world import (
    NEIGHBOUR,
    POLICY,
    VLAN,
    PartnerWorld,
    raising,
    told,
)

ANSWER_LOST_IN_5XX = Fault(failure=CloudFailure.RETRYABLE, cloud_code="ServiceUnavailable", after_effect=True)
AFTER_WINDOW = POLICY.consistency_window + timedelta(seconds=1)


def _turn(world: PartnerWorld, kind: str = "create_port") -> Turn:
    """One run of the relay; the last turn of a row of this kind."""
    return [turn for turn in world.relay().turns if turn.kind == kind][-1]


def _due(world: PartnerWorld, kind: str = "create_port") -> timedelta:
    """How long from now the row is due again."""
    (entry,) = world.outbox(kind)
    assert entry.row.not_before is not None
    return entry.row.not_before - world.clock.now()


# --- create ---------------------------------------------------------------------------------------------------------


def test_port_is_made_by_a_dry_run_and_then_the_call(world: PartnerWorld) -> None:
    world.place(world.order())
    assert _turn(world).state is OutboxState.DONE
    assert [call["dry_run"] for call in world.calls("create_port")] == [True, False]
    (request,) = world.creates()
    assert (request.vlan_id, request.spec, request.name) == (VLAN, "200M", "order-order-1")
    assert request.token == world.connection().token
    assert world.phase() is Phase.OFFERED


def test_vlan_zero_reaches_the_call(world: PartnerWorld) -> None:
    world.place(world.order(vlan_id=0))
    world.relay()
    (request,) = world.creates()
    assert request.vlan_id == 0
    assert world.connection().vlan_id == 0


def test_throttled_call_is_due_again_after_a_growing_pause(world: PartnerWorld) -> None:
    world.place(world.order())
    world.cloud.script("create_port", THROTTLED, THROTTLED, THROTTLED)
    pauses = []
    for _ in range(3):
        turn = _turn(world)
        assert (turn.state, turn.reason) == (OutboxState.DUE, "retryable:Throttling.User")
        pauses.append(_due(world).total_seconds())
        world.clock.advance(_due(world))
    assert pauses == [2, 4, 8]
    assert _turn(world).state is OutboxState.DONE
    assert len(world.cloud.ports()) == 1


@pytest.mark.parametrize("fault", [LOST_ANSWER, ANSWER_LOST_IN_5XX])
@pytest.mark.parametrize("lag", [timedelta(0), timedelta(seconds=20)])
def test_lost_answer_is_resolved_by_reading_and_never_makes_a_second_port(
    world: PartnerWorld, fault: Fault, lag: timedelta
) -> None:
    world.cloud.lag = lag
    world.place(world.order())
    world.cloud.script("create_port", None, fault)
    turn = _turn(world)
    assert turn.state is OutboxState.DUE
    assert turn.reason.startswith(MAYBE_SENT)

    turns = [turn for report in _patiently(world) for turn in report if turn.kind == "create_port"]

    assert (turns[-1].state, turns[-1].reason) == (OutboxState.DONE, "found")
    assert {turn.state for turn in turns[:-1]} <= {OutboxState.DUE}
    assert world.phase() is Phase.OFFERED
    assert len(world.creates()) == len(world.cloud.ports()) == 1


def _patiently(world: PartnerWorld, seconds: int = 180) -> list[list[Turn]]:
    """The relay runs every second for a while; the turns of each run."""
    reports = []
    for _ in range(seconds):
        world.clock.advance(timedelta(seconds=1))
        reports.append(world.relay().turns)
    return reports


@pytest.mark.parametrize("fault", [LOST_REQUEST, UNAVAILABLE])
def test_lost_request_is_repeated_with_the_same_token_after_the_window(world: PartnerWorld, fault: Fault) -> None:
    world.place(world.order())
    world.cloud.script("create_port", None, fault)
    world.relay()
    sent_at = world.clock.now()

    while len(world.creates()) == 1:
        assert world.clock.now() <= sent_at + 2 * POLICY.consistency_window + timedelta(seconds=2)
        world.clock.advance(timedelta(seconds=1))
        world.relay()

    assert world.clock.now() >= sent_at + POLICY.consistency_window
    first, second = world.creates()
    assert first == second
    assert world.phase() is Phase.OFFERED
    assert [call["dry_run"] for call in world.calls("create_port")] == [True, False, False]


def test_look_that_fails_keeps_in_mind_that_the_call_may_have_happened(world: PartnerWorld) -> None:
    world.place(world.order())
    world.cloud.script("create_port", None, LOST_ANSWER)
    world.cloud.script("find_port", THROTTLED, LOST_REQUEST)
    _patiently(world)
    assert world.phase() is Phase.OFFERED
    assert len(world.creates()) == 1


def test_lost_answers_again_and_again_are_one_port(world: PartnerWorld) -> None:
    world.cloud.lag = timedelta(seconds=29)
    world.place(world.order())
    world.cloud.script("create_port", None, LOST_REQUEST, LOST_REQUEST, ANSWER_LOST_IN_5XX)
    _patiently(world, 400)
    assert world.phase() is Phase.OFFERED
    assert len(world.cloud.ports()) == 1
    assert len({request.token for request in world.creates()}) == 1


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(seconds=20)])
def test_port_whose_answer_could_not_be_saved_is_not_taken_for_a_refusal(world: PartnerWorld, lag: timedelta) -> None:
    """The save is lost too often: with a lagging list, a second dry run would meet the port's own VLAN ID."""
    world.cloud.lag = lag
    world.place(world.order())
    world.store.lose = 8
    turn = _turn(world)
    assert turn.state is OutboxState.DUE
    assert turn.reason.startswith(MAYBE_SENT)
    _patiently(world)
    assert world.phase() is Phase.OFFERED
    assert len(world.cloud.ports()) == 1


def test_port_whose_answer_met_a_locked_store_is_not_taken_for_a_refusal(world: PartnerWorld) -> None:
    world.cloud.lag = timedelta(seconds=20)
    world.place(world.order())
    world.store.before_save.append(raising(StoreUnavailableError("locked")))
    world.relay()
    _patiently(world)
    assert world.phase() is Phase.OFFERED
    assert len(world.cloud.ports()) == 1


def test_expired_privilege_waits_with_everything_held_and_goes_on_by_itself(world: PartnerWorld) -> None:
    world.place(world.order())
    world.cloud.script("create_port", NO_PRIVILEGE, NO_PRIVILEGE)
    for _ in range(2):
        turn = _turn(world)
        assert (turn.state, turn.reason) == (OutboxState.DUE, "privilege:InvalidParameter.Bandwidth")
        assert _due(world) == LONGEST_PAUSE
        assert world.phase() is Phase.PROVISIONING
        assert not world.circuit().is_free(VLAN)
        world.clock.advance(LONGEST_PAUSE)
    assert _turn(world).state is OutboxState.DONE


def test_refusal_for_good_fails_the_connection_and_gives_its_hold_back(world: PartnerWorld) -> None:
    world.place(world.order())
    _taken_in_the_cloud(world)

    turn = _turn(world)

    assert (turn.state, turn.reason) == (OutboxState.FAILED, "permanent:OperationDenied.VlanIdInUse")
    assert world.phase() is Phase.FAILED
    failure = world.connection().failure
    assert failure is not None
    assert (failure.code, failure.subject) == ("cloud_refused", "OperationDenied.VlanIdInUse")
    assert ("provisioning_failed", "partner") in world.notices()
    assert world.circuit().held_mbps == 0
    assert told(world.place(world.order("order-2"))[0]) == ("applied", "", "")
    assert not world.creates()[1:]


def _taken_in_the_cloud(world: PartnerWorld) -> None:
    """Somebody has made a port with our VLAN ID behind our back."""
    world.make_in_console(tenant_uid=NEIGHBOUR)


def test_refusal_that_cannot_be_saved_comes_again(world: PartnerWorld) -> None:
    """Giving up the row alone would leave the connection provisioning, and its hold taken, for ever."""
    world.place(world.order())
    _taken_in_the_cloud(world)
    world.store.lose = 8
    assert _turn(world).state is OutboxState.DUE
    assert world.phase() is Phase.PROVISIONING

    _patiently(world)
    assert world.phase() is Phase.FAILED
    assert world.circuit().held_mbps == 0


def test_create_command_is_moot_once_the_event_has_told_of_the_port(world: PartnerWorld) -> None:
    world.place(world.order())
    world.observe(world.created("pc-early", token=world.connection().token))
    turn = _turn(world)
    assert (turn.state, turn.reason) == (OutboxState.DROPPED, "port_exists")
    assert not world.creates()


def test_port_of_the_cloud_is_asked_for_its_own_words(world: PartnerWorld) -> None:
    """The create call answers with an id alone."""
    world.provisioned()
    port = world.connection().port
    assert port is not None
    assert port.status.current == "Allocated"


# --- pay ------------------------------------------------------------------------------------------------------------


def test_partner_pays_once_the_tenant_has_accepted(world: PartnerWorld) -> None:
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    assert not world.calls("pay_port")

    world.cloud.accept(port_id)
    world.observe(world.accepted(port_id))
    world.settled()

    (call,) = world.calls("pay_port")
    assert (call["port_id"], call["months"], call["auto_renew"]) == (port_id, 1, True)
    assert world.phase() is Phase.ENABLED


def test_partner_that_pays_at_creation_does_not_wait_for_the_tenant() -> None:
    world = PartnerWorld(replace(POLICY, partner_pays_at="created"))
    port_id = world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    assert len(world.calls("pay_port")) == 1
    assert world.phase() is Phase.OFFERED
    world.cloud.accept(port_id)
    world.observe(world.accepted(port_id))
    world.settled()
    assert world.phase() is Phase.ENABLED
    assert len(world.calls("pay_port")) == 1


@pytest.mark.parametrize("fault", [LOST_ANSWER, LOST_REQUEST, ANSWER_LOST_IN_5XX, THROTTLED])
def test_payment_is_repeated_with_the_same_token(fault: Fault) -> None:
    world = PartnerWorld(replace(POLICY, partner_pays_at="created"))
    world.cloud.script("pay_port", fault)
    world.provisioned(order_mode=str(OrderMode.PARTNER_PAYS))
    first, *others = world.calls("pay_port")
    assert all(other == first for other in others)
    port = world.connection().port
    assert port is not None
    assert port.status.current == "Enabled"
    (entry,) = world.outbox("pay_port")
    # Either the repeat was answered, or a read had shown meanwhile that the payment went through.
    assert (entry.state, entry.reason.partition(":")[0]) in {
        (OutboxState.DONE, "order"),
        (OutboxState.DROPPED, "already_paid"),
    }


def test_tenant_paid_port_is_never_paid_by_us(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.cloud.accept(port_id)
    world.observe(world.accepted(port_id))
    world.settled()
    assert not world.outbox("pay_port")
    assert world.phase() is Phase.ACCEPTED


# --- moot and unknown -----------------------------------------------------------------------------------------------


def test_commands_of_no_kind_or_of_no_connection_fail_with_the_reason(world: PartnerWorld) -> None:
    world.place(world.order(milestones=()))
    connection_id = world.connection().connection_id
    world.command("dance", connection_id=connection_id)
    world.command("create_port", connection_id="conn-unknown")
    turns = {turn.kind: (turn.state, turn.reason) for turn in world.relay().turns}
    assert turns["dance"] == (OutboxState.FAILED, "unknown_command")
    assert turns["create_port"] == (OutboxState.FAILED, "no_connection")
    assert not world.cloud.calls


def test_nothing_is_pushed_while_a_gate_is_missing(world: PartnerWorld) -> None:
    world.place(world.order(milestones=world.milestones(MilestoneName.LAST_MILE_READY)))
    world.settled()
    assert not world.cloud.calls
    assert world.phase() is Phase.ORDERED


def test_an_outage_of_the_store_does_not_forget_that_a_call_may_have_happened(world: PartnerWorld) -> None:
    """The list lags, the store fails once: a dry run would meet our own port, and its refusal would count for good."""
    world.cloud.lag = timedelta(seconds=20)
    world.place(world.order())
    world.cloud.script("create_port", None, LOST_ANSWER)
    assert _turn(world).reason.startswith(MAYBE_SENT)
    world.clock.advance(_due(world))
    world.store.before_get.append(raising(StoreUnavailableError("the store did not answer")))
    assert _turn(world).reason.startswith(MAYBE_SENT)
    world.settled()
    assert world.phase() is Phase.OFFERED
    assert len(world.cloud.ports()) == 1


def test_what_another_worker_has_given_up_is_not_given_up_again(world: PartnerWorld) -> None:
    """Two workers are refused for good; the first one's save counts, the second one changes nothing and raises none."""
    world.place(world.order())
    world.make_in_console(tenant_uid=NEIGHBOUR)
    rivals: list[Turn] = []

    def rival() -> None:
        world.clock.advance(LEASE + timedelta(seconds=1))
        rivals.append(_turn(world))
        world.clock.advance(AFTER_WINDOW)
        rivals.append(_turn(world))

    world.store.before_get += [lambda: None, rival]
    assert _turn(world).state is OutboxState.FAILED
    assert [turn.state for turn in rivals] == [OutboxState.DUE, OutboxState.FAILED]
    assert world.phase() is Phase.FAILED
    assert world.circuit().held_mbps == 0


def test_a_port_made_under_a_lost_lease_is_not_taken_for_anothers(world: PartnerWorld) -> None:
    """A worker is held up before its create call; what it made is not listed yet when the next one is refused."""
    world.cloud.lag = timedelta(seconds=20)
    world.place(world.order())
    create_port, late = world.cloud.create_port, [True]

    def held_up(request: CreatePort, *, dry_run: bool) -> Answer:
        if late and not dry_run:
            late.clear()
            world.clock.advance(LEASE + timedelta(seconds=1))
            world.cloud.script("create_port", THROTTLED)
            assert _turn(world).state is OutboxState.DUE
        return create_port(request, dry_run=dry_run)

    world.cloud.create_port = held_up  # type: ignore[method-assign]
    world.relay()
    world.clock.advance(timedelta(seconds=5))
    assert _turn(world).reason.startswith(MAYBE_SENT)
    world.settled()
    assert world.phase() is Phase.OFFERED
    assert len(world.cloud.ports()) == 1
