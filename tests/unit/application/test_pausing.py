"""A pause holds every command to the cloud and nothing else; what waited goes when it ends."""

from __future__ import annotations

import inspect
from datetime import timedelta

import pytest

from crossport.application.pausing import READS, PausedError, guarded
from crossport.application.ports import Cloud, CreatePort, OutboxState
from crossport.application.relay import LONGEST_PAUSE
from crossport.domain.pause import EVERY_ACCOUNT, Pause
from crossport.domain.vocabulary import Phase
from tests.fakes.memory_cloud import LOST_ANSWER
from tests.fakes.partner_world import CIRCUIT, PARTNER, REGION, SECOND_PARTNER, TENANT, VLAN, PartnerWorld


def pause(world: PartnerWorld, account_id: str = EVERY_ACCOUNT) -> None:
    wanted = Pause(account_id=account_id, since=world.clock.now(), actor="wang", reason="a fibre is cut")
    assert world.store.pause(wanted)


def resume(world: PartnerWorld, account_id: str = EVERY_ACCOUNT) -> bool:
    return bool(world.store.resume(account_id, actor="wang", reason="mended", at=world.clock.now()))


def reasons(world: PartnerWorld, kind: str) -> list[tuple[OutboxState, str]]:
    return [(entry.state, entry.reason) for entry in world.outbox(kind)]


@pytest.mark.parametrize("account_id", [EVERY_ACCOUNT, PARTNER])
def test_a_paused_command_stays_due_and_sends_nothing(world: PartnerWorld, account_id: str) -> None:
    pause(world, account_id)
    world.place(world.order())
    world.relay()
    assert reasons(world, "create_port") == [(OutboxState.DUE, "paused")]
    assert world.calls("create_port") == []
    assert world.phase() is Phase.PROVISIONING


def test_resume_releases_it_at_once(world: PartnerWorld) -> None:
    pause(world)
    world.place(world.order())
    for _ in range(12):
        world.relay()
        world.clock.advance(LONGEST_PAUSE)
    world.relay()
    assert resume(world)
    world.relay()
    assert len(world.creates()) == 1
    assert world.phase() is Phase.OFFERED


def test_a_pause_of_another_account_holds_nothing(world: PartnerWorld) -> None:
    pause(world, SECOND_PARTNER)
    world.place(world.order())
    world.relay()
    assert world.phase() is Phase.OFFERED


def test_what_was_paused_twice_waits_for_both(world: PartnerWorld) -> None:
    pause(world)
    pause(world, PARTNER)
    world.place(world.order())
    assert resume(world)
    world.relay()
    assert reasons(world, "create_port") == [(OutboxState.DUE, "paused")]
    assert resume(world, PARTNER)
    world.relay()
    assert world.phase() is Phase.OFFERED


def test_notices_and_reads_go_on(world: PartnerWorld) -> None:
    world.place(world.order())
    world.relay()
    pause(world)
    read = world.cloud.read_port(account_id=PARTNER, region=REGION, port_id=world.connection().port_id or "")
    through = guarded(lambda: world.cloud, world.store)()
    assert through.read_port(account_id=PARTNER, region=REGION, port_id=world.connection().port_id or "") == read
    assert through.list_vbrs(account_id=PARTNER, region=REGION, circuit_id=CIRCUIT) == ()
    world.relay()
    assert {entry.state for entry in world.outbox("offer")} == {OutboxState.DONE}


def test_a_call_that_may_have_happened_is_not_forgotten_through_a_pause(world: PartnerWorld) -> None:
    world.place(world.order())
    world.cloud.script("create_port", None, LOST_ANSWER)
    world.relay()
    ((_, before),) = reasons(world, "create_port")
    assert before.startswith("maybe_sent:")
    pause(world)
    world.clock.advance(timedelta(minutes=2))
    world.relay()
    # The port is looked for, which is a read, and found: nothing is sent again.
    assert world.phase() is Phase.OFFERED
    assert len(world.creates()) == 1


def test_a_call_between_two_of_one_command_is_held_back(world: PartnerWorld) -> None:
    """The dry run was made, then somebody paused: the create call itself is not made."""
    world.place(world.order())
    made: list[bool] = []

    class Rehearsed:
        def create_port(self, request: object, *, dry_run: bool) -> None:
            made.append(dry_run)
            pause(world)

    request = world_request(world)
    through = guarded(Rehearsed, world.store)()  # type: ignore[arg-type]
    through.create_port(request, dry_run=True)
    with pytest.raises(PausedError, match="paused by wang: a fibre is cut"):
        through.create_port(request, dry_run=False)
    assert made == [True]


def world_request(world: PartnerWorld) -> CreatePort:
    return CreatePort(
        account_id=PARTNER,
        region=REGION,
        circuit_id=CIRCUIT,
        tenant_uid=TENANT,
        vlan_id=VLAN,
        spec="200M",
        order_mode="PayByVirtualPhysicalConnectionOwner",
        name="order-1",
        token=world.connection().token,
    )


def test_every_method_of_the_cloud_is_a_read_or_names_its_account() -> None:
    """What the guard lets through is listed; what it stops it can tell the account of."""
    methods = {name: method for name, method in vars(Cloud).items() if not name.startswith("_") and callable(method)}
    assert set(methods) >= READS
    for name in methods.keys() - READS:
        parameters = inspect.signature(methods[name]).parameters
        assert "account_id" in parameters or name == "create_port", name
