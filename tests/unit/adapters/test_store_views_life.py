"""What the command line and the console are shown of changes, migrations, suspensions and VLAN IDs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crossport.adapters.migrations import migrate
from crossport.adapters.store.sqlite import SqliteStore
from crossport.adapters.store.views import Views
from crossport.domain.connection import Connection, Migration, Request
from crossport.domain.facts import merge_port, merge_vbr
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.orders import Hold
from crossport.domain.phase import phase_of
from crossport.domain.vocabulary import Flow, Presence, RequestKind, Source
from tests.contract.store_examples import CIRCUIT, MINUTE, NOW, TENANT, connection, save, with_port, with_vbr

WINDOW = timedelta(minutes=5)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'crossport.db'}"
    migrate(url)
    return url


@pytest.fixture
def store(url: str) -> Iterator[SqliteStore]:
    with SqliteStore(url) as store:
        store.put_circuit(CIRCUIT, actor="wang", reason="ticket 7", at=NOW)
        yield store


@pytest.fixture
def views(url: str) -> Iterator[Views]:
    with Views(url) as views:
        yield views


def _ours(**seen: Any) -> Connection:
    """Connection 1 with an accepted, paid port on VLAN 0."""
    given: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled", "business_status": "Normal", "vlan_id": 0}
    return with_port(connection(vlan_id=0), **given | seen)


def _shown(store: SqliteStore, views: Views, of: Connection) -> dict[str, Any]:
    """The connection as a list shows it, saved in the phase that the window gives it."""
    store.save([save(of, phase=phase_of(of, WINDOW))])
    (row,) = views.connections()
    assert json.loads(json.dumps(row)) == row, "JSON values only"
    return row


def test_requests_in_the_order_in_which_they_came(store: SqliteStore, views: Views) -> None:
    of = replace(
        _ours(expect_spec="500M"),
        requests=(
            Request(request_id="R-1", kind=RequestKind.CHANGE_SPEC, at=NOW, actor="li", spec="500M"),
            Request(
                request_id="R-2", kind=RequestKind.CHANGE_VLAN, at=NOW + MINUTE, actor="wang", vlan_id=0, forced="T-9"
            ),
        ),
        group_id="G-1",
    )
    row = _shown(store, views, of)
    assert row["requests"] == [
        {
            "request_id": "R-1",
            "kind": "change_spec",
            "at": "2026-03-01T12:00:00+00:00",
            "actor": "li",
            "spec": "500M",
            "vlan_id": None,
            "forced": "",
        },
        {
            "request_id": "R-2",
            "kind": "change_vlan",
            "at": "2026-03-01T12:01:00+00:00",
            "actor": "wang",
            "spec": "",
            "vlan_id": 0,
            "forced": "T-9",
        },
    ]
    assert (row["expect_spec"], row["group_id"]) == ("500M", "G-1")


@pytest.mark.parametrize(
    ("before", "after", "untouched"),
    [("", "", None), ('{"mtu":1500}', "", None), ('{"mtu":1500}', '{"mtu":1500}', True), ("{}", "[]", False)],
)
def test_a_migration_shows_both_snapshots(
    store: SqliteStore, views: Views, before: str, after: str, untouched: bool | None
) -> None:
    moved = Migration(vbr_id="vbr-9", bandwidth_mbps=200, before=before, after=after)
    row = _shown(store, views, replace(connection(), flow=Flow.MIGRATION, migration=moved))
    assert row["migration"] == {
        "vbr_id": "vbr-9",
        "bandwidth_mbps": 200,
        "before": json.loads(before or "null"),
        "after": json.loads(after or "null"),
        "untouched": untouched,
    }


class TestSuspension:
    def test_a_lock_names_who_is_waited_for(self, store: SqliteStore, views: Views) -> None:
        row = _shown(store, views, _ours(business_status="FinancialLocked"))
        assert row["phase"] == "suspended"
        assert row["suspension"] == {
            "reason": "locked_financial",
            "waiting_for": "tenant",
            "fee": "unknown",
            "way_back": "settle the overdue payment",
        }

    def test_a_terminated_vbr_is_the_partners_doing(self, store: SqliteStore, views: Views) -> None:
        row = _shown(store, views, with_vbr(_ours(), vlan_id=0, owner_uid=TENANT, status="terminated"))
        assert row["phase"] == "suspended"
        assert (row["suspension"]["reason"], row["suspension"]["waiting_for"]) == ("disabled_by_partner", "partner")

    def test_one_that_counts_only_within_the_window_is_told_as_the_phase_counted_it(
        self, store: SqliteStore, views: Views
    ) -> None:
        of = with_vbr(_ours(), vlan_id=0, owner_uid=TENANT, status="terminated", presence=Presence.PRESENT)
        (vbr,) = of.vbrs
        for seconds in (60, 65):
            at = NOW + timedelta(seconds=seconds)
            missing = VbrObservation(at=at, source=Source.READ, vbr_id=vbr.vbr_id, presence=Presence.NOT_LISTED)
            vbr = merge_vbr(vbr, missing)
        row = _shown(store, views, replace(of, vbrs=(vbr,)))
        assert row["phase"] == "suspended"
        assert row["suspension"]["reason"] == "disabled_by_partner"

    def test_a_service_that_is_ending_is_not_suspended(self, store: SqliteStore, views: Views) -> None:
        of = replace(_ours(business_status="FinancialLocked"), cease_recorded_at=NOW)
        row = _shown(store, views, of)
        assert (row["phase"], row["suspension"]) == ("releasing", None)

    def test_a_lock_that_was_lifted_is_over(self, store: SqliteStore, views: Views) -> None:
        locked = _ours(business_status="FinancialLocked")
        lifted = PortObservation(at=NOW + MINUTE, source=Source.READ, port_id="pc-port", business_status="Normal")
        row = _shown(store, views, replace(locked, port=merge_port(locked.port, lifted)))
        assert (row["phase"], row["suspension"]) == ("enabled", None)


class TestAttested:
    def test_active_by_the_tenants_word(self, store: SqliteStore, views: Views) -> None:
        row = _shown(store, views, replace(_ours(), attested_at=NOW))
        assert (row["phase"], row["vbr_id"], row["attested"]) == ("active", None, True)
        assert row["one_vbr"] == "cannot check"

    def test_a_vbr_that_is_seen_needs_no_word(self, store: SqliteStore, views: Views) -> None:
        seen = with_vbr(replace(_ours(), attested_at=NOW), vlan_id=0, owner_uid=TENANT, status="active")
        row = _shown(store, views, seen)
        assert (row["phase"], row["vbr_id"], row["attested"]) == ("active", "vbr-1", False)
        assert row["one_vbr"] == "kept"

    def test_a_word_that_does_not_count_yet(self, store: SqliteStore, views: Views) -> None:
        row = _shown(store, views, replace(_ours(status="Confirmed"), attested_at=NOW))
        assert (row["phase"], row["attested"]) == ("accepted", False)
        assert row["one_vbr"] == "not due"


class TestVlanHistory:
    @pytest.fixture(autouse=True)
    def lives(self, store: SqliteStore) -> None:
        """Connection 1 held VLAN 0 for an hour, connection 2 holds it from the next hour on."""
        self._take(store, 1, 0)
        circuit = store.circuit(CIRCUIT.circuit_id)
        assert circuit is not None
        gone = save(
            connection(1, vlan_id=0),
            store.get("conn-1"),
            release=(Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=0, mbps=200, connection_id="conn-1"),),
            circuit=circuit.release(0, 200),
            at=NOW + timedelta(hours=1),
        )
        store.save([gone])
        self._take(store, 2, 2)

    def _take(self, store: SqliteStore, number: int, hours: int) -> None:
        circuit = store.circuit(CIRCUIT.circuit_id)
        assert circuit is not None
        hold = Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=0, mbps=200, connection_id=f"conn-{number}")
        taken = save(
            connection(number, vlan_id=0), hold=hold, circuit=circuit.hold(0, 200), at=NOW + timedelta(hours=hours)
        )
        store.save([taken])

    @pytest.mark.parametrize(
        ("minutes", "who"),
        [(-1, []), (0, ["conn-1"]), (59, ["conn-1"]), (60, []), (119, []), (120, ["conn-2"]), (9_999, ["conn-2"])],
    )
    def test_at_a_moment_one_connection_or_none(self, views: Views, minutes: int, who: list[str]) -> None:
        rows = views.vlan_history(CIRCUIT.circuit_id, 0, NOW + minutes * MINUTE)
        assert [row["connection_id"] for row in rows] == who

    def test_during_a_time_everyone(self, views: Views) -> None:
        rows = views.vlan_history(CIRCUIT.circuit_id, 0, NOW + 30 * MINUTE, NOW + 121 * MINUTE)
        assert [row["connection_id"] for row in rows] == ["conn-1", "conn-2"]
        rows = views.vlan_history(CIRCUIT.circuit_id, 0, NOW + 60 * MINUTE, NOW + 120 * MINUTE)
        assert rows == []

    def test_by_vlan_and_circuit(self, views: Views) -> None:
        assert [row["connection_id"] for row in views.vlan_history()] == ["conn-1", "conn-2"]
        assert views.vlan_history("pc-other") == []
        assert views.vlan_history(vlan_id=1) == []
        assert [row["tenant"] for row in views.vlan_history(vlan_id=0)] == [None, None], "no tenant is on record"

    def test_of_a_circuit_that_is_not_known(self, views: Views) -> None:
        assert views.vlans("pc-other") is None

    def test_released_holds_are_not_live(self, views: Views) -> None:
        live = views.vlans(CIRCUIT.circuit_id)
        assert live is not None
        assert [(row["connection_id"], row["vlan_id"]) for row in live["holds"]] == [("conn-2", 0)]
        assert (live["held_mbps"], live["free_mbps"]) == (200, 800)
