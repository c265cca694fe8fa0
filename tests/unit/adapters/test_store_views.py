"""What the command line and the console are shown."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crossport.adapters.migrations import migrate
from crossport.adapters.store.rows import accepted_vbr_id, stamp, time_of
from crossport.adapters.store.sqlite import SqliteStore
from crossport.adapters.store.views import Views
from crossport.application.errors import StoreNotMigratedError
from crossport.domain.connection import Connection, Milestone, Refusal
from crossport.domain.decide import Finding
from crossport.domain.facts import merge_vbr
from crossport.domain.observation import VbrObservation
from crossport.domain.orders import Hold
from crossport.domain.violations import Violation
from crossport.domain.vocabulary import MilestoneName, Phase, Presence, Source, Verdict
from tests.contract.store_examples import (
    CIRCUIT,
    MINUTE,
    NOW,
    PARTNER,
    TENANT,
    billing_record,
    command,
    connection,
    event,
    reversal,
    save,
    with_port,
    with_vbr,
)


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


def _live(store: SqliteStore) -> None:
    """Connection 1 with everything on it: an order on VLAN 0 that is active, noticed and billed."""
    quoted = Milestone(name=MilestoneName.QUOTED, at=NOW, actor="wang", evidence="Q-1")
    of = replace(connection(vlan_id=0), milestones=(quoted,), client_order_id="O-1", contract_number="C-1")
    seen: dict[str, Any] = {"acceptance": "Confirmed", "status": "Enabled", "business_status": "Normal", "vlan_id": 0}
    of = with_port(of, **seen, enabled_time=NOW, end_time=NOW + timedelta(days=31))
    of = with_vbr(of, vlan_id=0, owner_uid=TENANT, status="active")
    circuit = store.circuit(CIRCUIT.circuit_id)
    assert circuit is not None
    record = billing_record()
    store.save(
        [
            save(
                of,
                phase=Phase.ACTIVE,
                violations=(Violation(code="second_vbr", subject="vbr-2", evidence="two"),),
                inputs=(event("e1", details={"changes": [{"kind": "phase"}]}),),
                outbox=(command("n1", target="queue:notices", connection_id="conn-1"), command("c1")),
                records=(record, reversal(record)),
                findings=(Finding(code="price_missing", subject="usd", details={"spec": "200M"}),),
                hold=Hold(circuit_id=CIRCUIT.circuit_id, vlan_id=0, mbps=200, connection_id="conn-1"),
                circuit=circuit.hold(0, 200),
            )
        ]
    )
    store.receipt(key="n1", channel="mail", recipient="ops@example.com", at=NOW, reference="250 ok")


def test_a_connection_in_a_list(store: SqliteStore, views: Views) -> None:
    _live(store)
    (row,) = views.connections()
    assert json.loads(json.dumps(row)) == row, "JSON values only"
    assert (
        row.items()
        >= {
            "connection_id": "conn-1",
            "phase": "active",
            "flow": "new",
            "origin": "order",
            "account_id": PARTNER,
            "region": "us-east-1",
            "circuit_id": "pc-circuit",
            "port_id": "pc-port",
            "vlan_id": 0,
            "vbr_id": "vbr-1",
            "tenant_uid": TENANT,
            "spec": "200M",
            "order_mode": "PayByVirtualPhysicalConnectionOwner",
            "client_order_id": "O-1",
            "contract_number": "C-1",
            "acceptance": "Confirmed",
            "status": "Enabled",
            "business_status": "Normal",
            "enabled_time": "2026-03-01T12:00:00+00:00",
            "end_time": "2026-04-01T12:00:00+00:00",
            "failure": None,
        }.items()
    )
    assert (row["requests"], row["migration"], row["group_id"]) == ([], None, "")
    assert (row["suspension"], row["attested"], row["expect_spec"]) == (None, False, None)
    assert row["violations"] == [{"code": "second_vbr", "subject": "vbr-2", "evidence": "two"}]
    assert row["milestones"][0]["name"] == "quoted"
    assert row["updated_at"] == row["created_at"] == "2026-03-01T12:00:00.000000Z"


def test_connections_by_phase_newest_first(store: SqliteStore, views: Views) -> None:
    for number, phase in ((1, Phase.ORDERED), (2, Phase.ACTIVE), (3, Phase.ORDERED)):
        of = replace(connection(number), created_at=NOW + number * MINUTE)
        store.save([save(of, phase=phase)])
    assert [row["connection_id"] for row in views.connections()] == ["conn-3", "conn-2", "conn-1"]
    assert [row["connection_id"] for row in views.connections(phase="ordered")] == ["conn-3", "conn-1"]
    assert [row["connection_id"] for row in views.connections(limit=1)] == ["conn-3"]


def test_one_connection_with_everything(store: SqliteStore, views: Views) -> None:
    _live(store)
    shown = views.connection("conn-1")
    assert shown is not None
    assert json.loads(json.dumps(shown)) == shown, "JSON values only"
    assert shown["facts"]["port"]["vlan_id"] == [{"at": "2026-03-01T12:00:00+00:00", "source": "read", "value": 0}]
    assert shown["facts"]["vbrs"][0]["vbr_id"] == "vbr-1"
    assert [row["event_key"] for row in shown["audit"]] == ["e1"]
    assert shown["audit"][0]["details"] == {"changes": [{"kind": "phase"}]}
    assert [row["sign"] for row in shown["records"]] == [1, -1]
    assert [(row["key"], len(row["receipts"])) for row in shown["outbox"]] == [("n1", 1)]
    assert [row["code"] for row in shown["findings"]] == ["price_missing"]
    assert [(row["vlan_id"], row["released_at"]) for row in shown["holds"]] == [(0, None)]


def test_an_unknown_connection_is_none(views: Views) -> None:
    assert views.connection("conn-1") is None


def test_a_refused_order_says_why(store: SqliteStore, views: Views) -> None:
    refusal = Refusal(code="vlan_taken", message="VLAN 7 is taken", subject="7")
    store.save([save(replace(connection(), refusals=(refusal,)), phase=Phase.REJECTED)])
    (row,) = views.connections(phase="rejected")
    assert row["refusals"] == [{"code": "vlan_taken", "message": "VLAN 7 is taken", "subject": "7"}]
    assert (row["port_id"], row["status"], row["vbr_id"]) == (None, None, None)


def test_ledger(store: SqliteStore, views: Views) -> None:
    _live(store)
    store.seal(now=NOW, holder="a", lease_for=MINUTE, limit=1)
    first, second = views.ledger()
    assert first.items() >= {"amount": "36.00", "payer": TENANT, "sign": 1, "seq": 1, "reverses": None}.items()
    assert second.items() >= {"sign": -1, "seq": None, "hash": None, "reverses": first["key"]}.items()
    assert views.ledger("conn-1") == [first, second]
    assert views.ledger("conn-2") == []


def test_notices_with_their_receipts(store: SqliteStore, views: Views) -> None:
    _live(store)
    (notice,) = views.notices()
    assert (notice["key"], notice["state"], notice["reason"]) == ("n1", "due", "")
    assert notice["receipts"] == [
        {
            "channel": "mail",
            "recipient": "ops@example.com",
            "at": "2026-03-01T12:00:00.000000Z",
            "reference": "250 ok",
        }
    ]
    assert [row["key"] for row in views.outbox(target="cloud")] == ["c1"]


def test_events_are_inputs_newest_first(store: SqliteStore, views: Views) -> None:
    store.record([event("e1", verdict=Verdict.IGNORED, reason="read_call"), event("e2")])
    assert [(row["event_key"], row["verdict"]) for row in views.events()] == [("e2", "applied"), ("e1", "ignored")]
    assert [row["event_key"] for row in views.events(limit=1)] == ["e2"]


def test_administration_is_audited_with_actor_and_reason(store: SqliteStore, tmp_path: Path) -> None:
    store.put_configuration({"accounts": []}, actor="li", reason="first", at=NOW)
    with sqlite3.connect(tmp_path / "crossport.db") as database:
        rows = database.execute("SELECT name, actor, reason FROM audit WHERE kind = 'administration' ORDER BY id")
        assert rows.fetchall() == [("circuit", "wang", "ticket 7"), ("configuration", "li", "first")]
    database.close()


def test_findings_that_are_open(store: SqliteStore, views: Views, tmp_path: Path) -> None:
    _live(store)
    assert [row["details"] for row in views.findings()] == [{"spec": "200M"}]
    with sqlite3.connect(tmp_path / "crossport.db") as database:
        database.execute("UPDATE finding SET cleared_at = at")
    database.close()
    assert views.findings() == []
    assert len(views.findings(cleared=True)) == 1


def test_views_cannot_write(url: str) -> None:
    with Views(url) as views, pytest.raises(sqlite3.OperationalError, match="readonly"), views._engine.writing():
        views._engine.write("delete_unrouted", {"key": "x"})


def test_views_of_nothing_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreNotMigratedError):
        Views(f"sqlite:///{tmp_path / 'none.db'}")


class TestAcceptedVbr:
    def absent(self, seconds: int) -> Connection:
        """Connection 1 whose VBR two complete reads, ``seconds`` apart, did not show."""
        of = with_vbr(with_port(connection(vlan_id=0)), vlan_id=0, presence=Presence.PRESENT)
        (vbr,) = of.vbrs
        for at in (NOW + MINUTE, NOW + MINUTE + timedelta(seconds=seconds)):
            seen = VbrObservation(at=at, source=Source.READ, vbr_id=vbr.vbr_id, presence=Presence.NOT_LISTED)
            vbr = merge_vbr(vbr, seen)
        return replace(of, vbrs=(vbr,))

    @pytest.mark.parametrize(("phase", "named"), [(Phase.ACTIVE, "vbr-1"), (Phase.ENABLED, None)])
    def test_absence_counts_as_the_phase_counted_it(self, phase: Phase, named: str | None) -> None:
        assert accepted_vbr_id(self.absent(5), phase) == named

    def test_one_that_lives_is_named_in_any_phase(self) -> None:
        of = with_vbr(with_port(connection(vlan_id=0)), vlan_id=0)
        assert accepted_vbr_id(of, Phase.SUSPENDED) == "vbr-1"


@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_times_as_text_keep_their_order_and_width(microsecond: int) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, microsecond, tzinfo=UTC)
    assert len(stamp(at)) == 27
    assert time_of(stamp(at)) == at
    assert stamp(at) < stamp(at + timedelta(microseconds=1))
