"""Cloud events: what each one may do, and how a batch survives duplicates, forgeries, races and poison."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crossport.application.errors import IntegrityConflictError, StoreUnavailableError
from crossport.application.observe import LONGEST_LEAD
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Phase
from tests.fakes.partner_world import (
    CIRCUIT,
    NEIGHBOUR,
    PARTNER,
    POLICY,
    SECOND_PARTNER,
    STRANGER,
    TENANT,
    PartnerWorld,
    raising,
    told,
)


def test_own_create_event_finds_its_order_by_token_before_the_answer_does(world: PartnerWorld) -> None:
    world.place(world.order())
    token = world.connection().token

    (ending,) = world.observe(world.created("pc-early", token=token))

    assert told(ending) == ("applied", "", "")
    assert world.connection().port_id == "pc-early"
    assert world.phase() is Phase.OFFERED


def test_duplicate_changes_and_writes_nothing(world: PartnerWorld) -> None:
    world.place(world.order())
    event = world.created("pc-1", token=world.connection().token)
    world.observe(event)
    version, rows = world.version(), len(world.memory.state.audit)

    (ending,) = world.observe(event)

    assert told(ending) == ("duplicate", "", "")
    assert (world.version(), len(world.memory.state.audit)) == (version, rows)


def test_duplicate_within_one_batch_is_folded_once(world: PartnerWorld) -> None:
    world.place(world.order())
    event = world.created("pc-1", token=world.connection().token)
    version = world.version()

    endings = world.observe(event, event)

    assert [told(ending)[0] for ending in endings] == ["applied", "duplicate"]
    assert world.version() == version + 1
    assert len(world.audit(event.key)) == 1


@pytest.mark.parametrize("same_batch", [True, False])
def test_known_id_with_another_body_is_refused(world: PartnerWorld, same_batch: bool) -> None:
    world.place(world.order())
    event = world.created("pc-1", token=world.connection().token)
    forged = replace(event, digest="f" * 64, request={**event.request, "Spec": "1G"})

    batches = [[event, forged]] if same_batch else [[event], [forged]]
    endings = [ending for batch in batches for ending in world.observe(*batch)]

    assert [told(ending)[:2] for ending in endings] == [("applied", ""), ("rejected", "payload_mismatch")]
    assert {str(row.verdict) for row in world.audit(event.key)} == {"applied", "rejected"}
    assert world.memory.state.inbox[event.key] == event.digest
    assert world.connection().spec == "200M"


def test_refused_event_claims_no_key_so_that_the_genuine_one_still_works(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    genuine = world.accepted(port_id)
    forged = replace(genuine, account_id=STRANGER)

    assert told(world.observe(forged)[0]) == ("rejected", "account_mismatch", "")
    assert not world.claims(genuine.key)
    assert told(world.observe(genuine)[0]) == ("applied", "forwarded", "read_port")


def test_dismissed_event_with_another_body_is_refused_too(world: PartnerWorld) -> None:
    event = world.record("SomethingNew")
    assert told(world.observe(event)[0]) == ("ignored", "unknown_event_name", "")
    assert told(world.observe(event)[0]) == ("duplicate", "", "")
    assert told(world.observe(replace(event, digest="f" * 64))[0]) == ("rejected", "payload_mismatch", "")


@pytest.mark.parametrize("account_id", [STRANGER, NEIGHBOUR])
def test_events_of_another_account_than_the_ports_tenant_are_refused(world: PartnerWorld, account_id: str) -> None:
    port_id = world.provisioned()
    before = world.connection()

    (ending,) = world.observe(world.accepted(port_id, account_id=account_id))

    assert told(ending) == ("rejected", "account_mismatch", "")
    assert world.connection() == before
    assert not [entry for entry in world.outbox("read_port") if "event:" in entry.row.key]


def test_another_partner_account_of_ours_may_not_speak_for_a_connection() -> None:
    world = PartnerWorld(POLICY, Policy(account_id=SECOND_PARTNER))
    port_id = world.provisioned()
    (ending,) = world.observe(world.accepted(port_id, account_id=SECOND_PARTNER))
    assert told(ending) == ("rejected", "account_mismatch", "")


def test_unknown_account_with_an_unknown_port_is_refused(world: PartnerWorld) -> None:
    event = world.accepted("pc-unknown", account_id=STRANGER)
    assert told(world.observe(event)[0]) == ("rejected", "unknown_account", "")
    assert not world.claims(event.key)
    assert not world.memory.state.outbox


def test_known_tenants_unknown_port_is_read_and_what_it_says_is_not_kept(world: PartnerWorld) -> None:
    (ending,) = world.observe(world.accepted("pc-unknown"))

    assert told(ending) == ("applied", "forwarded", "read_port")
    assert not world.memory.state.unrouted
    (entry,) = world.outbox("read_port")
    assert (entry.row.payload["port_id"], entry.row.payload["account_id"]) == ("pc-unknown", PARTNER)


def test_known_tenants_unknown_port_is_looked_for_in_every_account_of_ours() -> None:
    world = PartnerWorld(POLICY, Policy(account_id=SECOND_PARTNER))
    world.observe(world.accepted("pc-unknown"))
    asked = {entry.row.payload["account_id"] for entry in world.outbox("read_port")}
    assert asked == {PARTNER, SECOND_PARTNER}


def test_forwarded_event_of_an_unknown_vbr_leaves_nothing_to_read(world: PartnerWorld) -> None:
    event = world.record("DeleteVirtualBorderRouter", account_id=TENANT, request={"VbrId": "vbr-unknown"})
    assert told(world.observe(event)[0]) == ("ignored", "unknown_vbr", "")
    assert not world.memory.state.outbox
    assert not world.memory.state.unrouted


def test_forwarded_event_without_a_port_cannot_have_nothing_read_in_a_connections_name(world: PartnerWorld) -> None:
    world.place(world.order())
    request = {"VbrId": "vbr-1", "Token": world.connection().token}
    (ending,) = world.observe(world.record("CreateVpconnFromVbr", account_id=TENANT, request=request))
    assert told(ending) == ("ignored", "no_port_yet", "")
    assert not world.outbox("read_port")


def test_forwarded_event_moves_nothing_and_has_the_port_read(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    before, version = world.connection(), world.version()
    event = world.accepted(port_id)

    (ending,) = world.observe(event)

    assert told(ending) == ("applied", "forwarded", "read_port")
    assert (world.connection(), world.version()) == (before, version)
    (command,) = (entry.row for entry in world.outbox("read_port") if "event:" in entry.row.key)
    assert command.connection_id == before.connection_id
    assert command.payload["port_id"] == port_id
    assert command.payload["after"] == event.at.isoformat()


def test_forwarded_lie_is_found_out_by_the_read(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    world.observe(world.accepted(port_id))
    world.settled()
    assert world.phase() is Phase.OFFERED

    world.cloud.accept(port_id)
    world.observe(world.accepted(port_id))
    world.settled()
    assert world.phase() is Phase.ACCEPTED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "RunInstances"}, "unknown_event_name"),
        ({"write": False}, "read_call"),
        ({"error_code": "OperationDenied.VlanIdInUse"}, "failed_call"),
        ({"request": {}, "response": {}}, "no_subject"),
        ({"request": {"PhysicalConnectionId": ["pc-1"]}}, "no_subject"),
    ],
)
def test_events_that_say_nothing_are_ignored_with_the_reason(
    world: PartnerWorld, changes: dict[str, Any], reason: str
) -> None:
    event = replace(world.accepted("pc-1", account_id=PARTNER), **changes)
    assert told(world.observe(event)[0]) == ("ignored", reason, "")
    (row,) = world.audit(event.key)
    assert (row.verdict, row.reason, row.claims) == ("ignored", reason, True)


def test_event_dated_ahead_is_refused(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    ahead = world.clock.now() + LONGEST_LEAD + timedelta(seconds=1)
    event = world.accepted(port_id, at=ahead)
    assert told(world.observe(event)[0]) == ("rejected", "time_in_future", "")
    assert not world.claims(event.key)


def test_operation_on_the_circuit_itself_is_ignored(world: PartnerWorld) -> None:
    (ending,) = world.observe(world.accepted(CIRCUIT, account_id=PARTNER))
    assert told(ending) == ("ignored", "circuit_operation", "")


def test_port_on_a_foreign_circuit_is_ignored(world: PartnerWorld) -> None:
    (ending,) = world.observe(world.created("pc-1", circuit_id="pc-of-somebody"))
    assert told(ending) == ("ignored", "foreign_circuit", "")
    assert not world.memory.state.outbox


def test_port_on_a_circuit_of_another_account_of_ours_is_foreign() -> None:
    world = PartnerWorld(POLICY, Policy(account_id=SECOND_PARTNER))
    (ending,) = world.observe(world.created("pc-1", account_id=SECOND_PARTNER))
    assert told(ending) == ("ignored", "foreign_circuit", "")


def test_console_created_port_waits_for_a_read(world: PartnerWorld) -> None:
    (ending,) = world.observe(world.created("pc-console"))
    assert told(ending) == ("applied", "unrouted", "read_port")
    assert [waiting.route for waiting in world.memory.state.unrouted.values()] == ["port:pc-console"]
    assert len(world.outbox("read_port")) == 1


def test_own_event_of_an_unknown_vbr_waits_for_its_route(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    deleted = world.record("DeleteVirtualBorderRouter", request={"VbrId": "vbr-1"})
    assert told(world.observe(deleted)[0]) == ("applied", "unrouted", "")

    world.observe(world.vbr_created(port_id, account_id=PARTNER, at=deleted.at - timedelta(minutes=1)))

    assert not world.memory.state.unrouted
    (vbr,) = world.connection().vbrs
    assert vbr.deleted


def test_incomplete_own_event_is_applied_and_completed_by_a_read(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    event = world.record("TerminatePhysicalConnection", request={"PhysicalConnectionId": port_id})
    assert told(world.observe(event)[0]) == ("applied", "", "read_port")
    assert world.phase() is Phase.SUSPENDED


def test_batch_on_two_connections_makes_one_new_version_of_each(world: PartnerWorld) -> None:
    world.sign(NEIGHBOUR)
    first, second = (
        world.provisioned(),
        world.provisioned("order-2", tenant_uid=NEIGHBOUR, vlan_id=121),
    )
    versions = world.version(), world.version("order-2")
    batch = [
        world.accepted(first, account_id=PARTNER),
        world.accepted(second, account_id=PARTNER),
        world.record("UpdateVirtualPhysicalConnection", request={"InstanceId": first, "ExpectSpec": "500M"}),
        world.vbr_created(second, "vbr-2", account_id=PARTNER, vlan_id=121),
    ]

    endings = world.observe(*batch)

    assert [told(ending) for ending in endings] == [("applied", "", "")] * 4
    assert (world.version(), world.version("order-2")) == (versions[0] + 1, versions[1] + 1)
    assert all(len(world.audit(event.key)) == 1 and world.claims(event.key) for event in batch)
    one, other = world.connection(), world.connection("order-2")
    assert one.port is not None
    assert one.port.expect_spec.current == "500M"
    assert one.port.confirmed
    assert [vbr.vbr_id for vbr in other.vbrs] == ["vbr-2"]


def test_each_row_of_a_batch_tells_the_changes_of_its_own_event(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    accepted = world.accepted(port_id, account_id=PARTNER)
    deleted = world.record("DeletePhysicalConnection", request={"PhysicalConnectionId": port_id})

    world.observe(accepted, deleted)

    phases = [
        [change["to"] for change in world.audit(event.key)[0].details["changes"] if change["kind"] == "phase"]
        for event in (accepted, deleted)
    ]
    assert phases == [[Phase.ACCEPTED], [Phase.RELEASED]]


def test_poison_in_a_batch_does_not_keep_the_others(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    poison = [
        world.record("Strange", request={"VlanId": 10**40}),
        world.created("pc-odd", vlan_id=-7, spec="??", tenant_uid="nobody"),
        world.vbr_created(port_id, "vbr-odd", vlan_id=10**40, account_id=PARTNER),
    ]
    endings = world.observe(*poison, world.accepted(port_id, account_id=PARTNER))
    assert [str(ending.verdict) for ending in endings] == ["ignored", "applied", "applied", "applied"]
    assert world.phase() is Phase.ACCEPTED


@pytest.mark.parametrize("rounds", [1, 7])
def test_lost_saves_are_decided_again(world: PartnerWorld, rounds: int) -> None:
    port_id = world.provisioned()
    version = world.version()
    world.store.lose = rounds

    (ending,) = world.observe(world.accepted(port_id, account_id=PARTNER))

    assert told(ending) == ("applied", "", "")
    assert world.version() == version + 1


def test_eight_lost_saves_end_as_retry_and_leave_nothing(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    before = world.connection()
    event = world.accepted(port_id, account_id=PARTNER)
    world.store.lose = 8

    assert told(world.observe(event)[0]) == ("retry", "contended", "")
    assert world.connection() == before
    assert not world.audit(event.key)
    assert told(world.observe(event)[0]) == ("applied", "", "")


def test_save_that_loses_to_another_worker_is_decided_on_what_that_one_wrote(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    rival = world.accepted(port_id, account_id=PARTNER)
    mine = world.vbr_created(port_id, account_id=PARTNER)
    world.store.before_save.append(lambda: world.observe_elsewhere(rival))

    (ending,) = world.observe(mine)

    assert told(ending) == ("applied", "", "")
    assert world.connection().vbrs
    assert world.phase() is Phase.ACCEPTED


def test_event_that_another_worker_has_just_saved_ends_as_a_duplicate(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    event = world.accepted(port_id, account_id=PARTNER)
    world.store.before_save.append(lambda: world.observe_elsewhere(event))

    (ending,) = world.observe(event)

    assert told(ending) == ("duplicate", "", "")
    assert len(world.audit(event.key)) == 1


def test_store_out_of_reach_is_a_retry_for_what_has_no_ending_yet(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    dismissed, event = world.record("Strange"), world.accepted(port_id, account_id=PARTNER)
    world.store.before_save.append(raising(StoreUnavailableError("the database is locked")))

    endings = world.observe(dismissed, event)

    assert [told(ending)[:2] for ending in endings] == [
        ("ignored", "unknown_event_name"),
        ("retry", "store_unavailable"),
    ]
    assert not world.audit(event.key)


def test_integrity_conflict_singles_out_the_culprit(world: PartnerWorld) -> None:
    """The second connection's create event names the port that the first one has."""
    world.sign(NEIGHBOUR)
    port_id = world.provisioned()
    world.place(world.order("order-2", tenant_uid=NEIGHBOUR, vlan_id=121))
    version = world.version()
    good = world.accepted(port_id, account_id=PARTNER)
    culprit = world.vbr_created(port_id, "vbr-7", account_id=PARTNER)
    conflict = IntegrityConflictError("record r is there already", connection_id="conn")
    # The batch of one group with two events fails; then the good event alone passes, and the culprit fails.
    world.store.before_save += [raising(conflict), lambda: None, raising(conflict)]

    endings = world.observe(good, culprit)

    assert [told(ending)[:2] for ending in endings] == [("applied", ""), ("dead_letter", "integrity_conflict")]
    assert world.version() == version + 1
    assert not world.claims(culprit.key)
    (row,) = world.audit(culprit.key)
    assert row.details["error"] == "record r is there already"


def test_integrity_conflict_of_one_connection_leaves_the_other_alone(world: PartnerWorld) -> None:
    world.sign(NEIGHBOUR)
    port_id = world.provisioned()
    world.place(world.order("order-2", tenant_uid=NEIGHBOUR, vlan_id=121))
    good = world.vbr_created(port_id, account_id=PARTNER)
    # Routed by its Token, because the port has no other route: a second connection claims the first one's port.
    thief = world.created("pc-fresh", token=world.connection("order-2").token, tenant_uid=NEIGHBOUR, vlan_id=121)
    world.store.before_save += [
        raising(IntegrityConflictError("port belongs to another")),
        lambda: None,
        raising(IntegrityConflictError("port belongs to another")),
    ]

    endings = world.observe(good, thief)

    assert [str(ending.verdict) for ending in endings] == ["applied", "dead_letter"]
    assert world.connection().vbrs
    assert world.connection("order-2").port_id is None


def test_observations_of_a_settled_past_are_findings(world: PartnerWorld) -> None:
    port_id = world.provisioned()
    old = world.accepted(port_id, account_id=PARTNER, at=world.clock.now() - POLICY.settlement_age - timedelta(days=1))
    assert told(world.observe(old)[0]) == ("applied", "", "")
    assert world.findings() == {"late_observation"}
    assert world.phase() is Phase.OFFERED
