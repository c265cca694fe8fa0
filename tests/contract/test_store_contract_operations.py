"""What every store promises a network operations centre: the circuits, and where connections run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crossport.application.ports import Completion, OutboxState
from crossport.domain.maintenance import Maintenance, MaintenanceKind, Side
from crossport.domain.pause import EVERY_ACCOUNT, Pause
from crossport.domain.placement import Placement
from crossport.domain.vocabulary import Phase
from tests.contract.store_examples import CIRCUIT, MINUTE, NOW, command, connection, save, saved, take, with_port
from tests.contract.store_insight import Stores
from tests.contract.test_store_contract_reconcile import with_known

SECOND = replace(CIRCUIT, circuit_id="pc-second", access_point="ap-second")


@pytest.fixture
def two(stores: Stores) -> Stores:
    """Two circuits."""
    stores.store.put_circuit(SECOND, actor="test", reason="example", at=NOW)  # type: ignore[attr-defined]
    return stores


def test_circuits_are_listed_by_id(two: Stores) -> None:
    listed = two.other.circuits()
    assert [circuit.circuit_id for circuit in listed] == ["pc-circuit", "pc-second"]
    assert listed[1].access_point == "ap-second"


def test_a_placement_tells_where_a_connection_runs_and_how_it_stands(two: Stores) -> None:
    seen = with_port(connection(vlan_id=0), spec="200M", expect_spec="500M", vlan_id=0, acceptance="Confirmed")
    saved(two.store, with_known(save(seen, phase=Phase.ACCEPTED)))
    (one,) = two.other.placements()
    assert one.port is not None
    assert (one.port.port_id, one.port.vlan_id, one.expect_spec, one.mbps) == ("pc-port", 0, "500M", 500)
    assert replace(one, port=None) == Placement(
        connection_id="conn-1",
        account_id=CIRCUIT.account_id,
        region=CIRCUIT.region,
        circuit_id=CIRCUIT.circuit_id,
        access_point=CIRCUIT.access_point,
        tenant_uid=seen.tenant_uid,
        group_id="",
        phase=Phase.ACCEPTED,
        port_id="pc-port",
        vlan_id=0,
        spec="200M",
    )


def test_a_port_that_has_gone_is_not_shown(two: Stores) -> None:
    gone = with_port(connection(), spec="200M", acceptance="Deleted")
    saved(two.store, with_known(save(gone, phase=Phase.RELEASED)))
    (one,) = two.store.placements()
    assert (one.port_id, one.port, one.phase) == ("pc-port", None, Phase.RELEASED)


def test_the_siblings_of_a_circuits_connections_come_with_them(two: Stores) -> None:
    for number, circuit_id, group_id in (
        (1, "pc-circuit", "HA"),
        (2, "pc-second", "HA"),
        (3, "pc-second", "other"),
        (4, "pc-second", ""),
        (5, "pc-circuit", ""),
        (6, "pc-elsewhere", "HA"),
    ):
        saved(two.store, save(replace(connection(number), circuit_id=circuit_id, group_id=group_id)))
    saved(two.store, save(replace(connection(7), account_id="3333333333333333", group_id="HA", circuit_id="pc-x")))
    found = {one.connection_id: one.access_point for one in two.other.placements("pc-circuit")}
    assert found == {"conn-1": "ap-us-ashburn", "conn-2": "ap-second", "conn-5": "ap-us-ashburn", "conn-6": ""}
    assert len(list(two.store.placements())) == 7
    assert list(two.store.placements("pc-nowhere")) == []


def paused(account_id: str = EVERY_ACCOUNT, actor: str = "wang") -> Pause:
    return Pause(account_id=account_id, since=NOW, actor=actor, reason="a fibre is cut")


def resumed(stores: Stores, account_id: str = EVERY_ACCOUNT) -> bool:
    return stores.other.resume(account_id, actor="wang", reason="mended", at=NOW + MINUTE)


def test_a_pause_is_seen_by_all_until_it_is_ended(stores: Stores) -> None:
    assert list(stores.store.pauses()) == []
    assert stores.store.pause(paused(CIRCUIT.account_id))
    assert stores.store.pause(paused())
    assert list(stores.other.pauses()) == [paused(), paused(CIRCUIT.account_id)]
    assert resumed(stores)
    assert list(stores.store.pauses()) == [paused(CIRCUIT.account_id)]
    assert not resumed(stores)


def test_the_first_of_two_pauses_stands(stores: Stores) -> None:
    assert stores.store.pause(paused())
    assert not stores.other.pause(paused(actor="li"))
    assert list(stores.store.pauses()) == [paused()]


def test_what_waited_for_the_end_of_a_pause_is_due_at_once(stores: Stores) -> None:
    store = stores.store
    store.record([], outbox=[command("held"), command("other")])
    for leased in store.take(now=NOW, lease_for=MINUTE, lease="w", limit=9):
        reason = "paused" if leased.row.key == "held" else "within_window"
        later = Completion(
            key=leased.row.key, lease="w", state=OutboxState.DUE, reason=reason, not_before=NOW + 99 * MINUTE
        )
        assert store.finish(later, at=NOW)
    assert take(store, at=NOW + MINUTE) == []
    assert store.pause(paused())
    assert resumed(stores)
    assert take(store, at=NOW + MINUTE) == ["held"]


def record(number: int = 1, **changes: Any) -> Maintenance:
    """An outage of the circuit, on record."""
    plain = Maintenance(
        record_id=f"mnt-{number}",
        kind=MaintenanceKind.OUTAGE,
        account_id=CIRCUIT.account_id,
        circuit_id=CIRCUIT.circuit_id,
        starts_at=NOW,
        ends_at=None,
        zone="Asia/Shanghai",
        side=Side.UNKNOWN,
        cause="a fibre is cut",
        actor="wang",
        recorded_at=NOW,
    )
    return replace(plain, **changes)


def test_a_record_is_open_until_it_is_cleared_and_brings_its_notices_once(stores: Stores) -> None:
    store, one = stores.store, record()
    planned = record(2, kind=MaintenanceKind.PLANNED, starts_at=NOW - MINUTE, ends_at=NOW + MINUTE, circuit_id="pc-x")
    assert store.add_maintenance(one, seen=[], outbox=[command("told")])
    assert store.add_maintenance(planned, seen=[], outbox=[])
    assert list(stores.other.open_maintenance()) == [planned, one]
    over = replace(one, cleared_at=NOW + MINUTE, cleared_by="li", outcome="mended")
    assert stores.other.clear_maintenance(over, outbox=[command("told again")])
    assert not store.clear_maintenance(over, outbox=[command("told a third time")])
    assert list(store.open_maintenance()) == [planned]
    assert take(store, at=NOW + MINUTE) == ["told", "told again"]


def test_a_record_decided_without_sight_of_another_one_is_not_written(stores: Stores) -> None:
    assert stores.store.add_maintenance(record(), seen=[], outbox=[])
    assert not stores.other.add_maintenance(record(2), seen=[], outbox=[command("never")])
    assert not stores.other.add_maintenance(record(), seen=["mnt-1"], outbox=[command("never")])
    assert stores.other.add_maintenance(record(3), seen=["mnt-1"], outbox=[])
    assert stores.other.add_maintenance(record(4, circuit_id="pc-other"), seen=[], outbox=[])
    assert take(stores.store) == []


def test_what_a_record_held_back_is_due_when_it_is_cleared(stores: Stores) -> None:
    store, one = stores.store, record()
    assert store.add_maintenance(one, seen=[], outbox=[])
    reasons = {"command": one.holds, "alarm": one.muted, "other": record(2).holds}
    store.record([], outbox=[command(key) for key in reasons])
    for leased in store.take(now=NOW, lease_for=MINUTE, lease="w", limit=9):
        key = leased.row.key
        later = Completion(key=key, lease="w", state=OutboxState.DUE, reason=reasons[key], not_before=NOW + 99 * MINUTE)
        assert store.finish(later, at=NOW)
    over = replace(one, cleared_at=NOW + MINUTE, cleared_by="li", outcome="mended")
    assert stores.other.clear_maintenance(over, outbox=[])
    assert sorted(take(store, at=NOW + MINUTE)) == ["alarm", "command"]
