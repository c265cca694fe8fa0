"""A migrated database with the example configuration, and one with a life in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crossport.adapters.configuration import ConfiguredPolicies, load_configuration
from crossport.adapters.migrations import migrate
from crossport.adapters.store.open import open_store
from crossport.adapters.store.sql_store import SqlStore
from crossport.application.commit import save_of
from crossport.application.ports import InputRow, SaveOutcome
from crossport.cli.main import main
from crossport.domain.connection import Milestone
from crossport.domain.decide import decide
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.orders import Contract, Order, OrderDecision, decide_order
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import MilestoneName, Source, Verdict

EXAMPLE = Path(__file__).parents[3] / "events" / "scenarios" / "partner.yaml"
ACCOUNT = "1180000000000001"
TENANT = "1290000000000011"
CIRCUIT = "pc-dc11equinix0000001"
PORT = "pc-0xi5p1vb2c9w7d4e8f6g3"
VBR = "vbr-0xi9k2m4n6p8r1s3t5u7"
START = datetime(2026, 11, 24, 11, 10, 47, tzinfo=UTC)


@dataclass(frozen=True)
class Result:
    """How one run of ``crossport`` ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON value and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``crossport`` in this process, without what the environment says."""
    for name in ("CROSSPORT_DB", "CROSSPORT_CONFIG", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def empty(tmp_path: Path) -> str:
    """The URL of a migrated database with nothing in it."""
    url = f"sqlite:///{tmp_path / 'crossport.db'}"
    migrate(url)
    return url


@pytest.fixture
def applied(empty: str, run: Run) -> str:
    """The URL of a database in which the example configuration is in force."""
    assert run("apply", EXAMPLE, "--db", empty, "--actor", "test", "--reason", "test").code == 0
    return empty


@pytest.fixture
def lived(applied: str) -> str:
    """The URL of a database with one active connection (VLAN 0) with a second VBR, and one refused order."""
    with open_store(applied) as store:
        contract = Contract(
            number="C-1", account_id=ACCOUNT, tenant_uid=TENANT, signed_on=START.date(), valid_from=START.date()
        )
        store.put_contract(contract, actor="test", reason="test", at=START)
        _active(store)
        _refused(store)
        store.record(
            [
                InputRow(
                    key="",
                    digest="",
                    claims=False,
                    at=START + timedelta(hours=2),
                    function="port_events",
                    verdict=Verdict.IGNORED,
                    reason="unknown_event",
                    name="Evil\x1b[31mName",
                    account_id=ACCOUNT,
                )
            ]
        )
    return applied


def _order(store: SqlStore, number: str, vlan_id: int, spec: str) -> tuple[OrderDecision, Policy]:
    order = Order(
        client_order_id=number,
        account_id=ACCOUNT,
        circuit_id=CIRCUIT,
        tenant_uid=TENANT,
        spec=spec,
        order_mode="PayByVirtualPhysicalConnectionOwner",
        received_at=START,
        vlan_id=vlan_id,
        milestones=tuple(
            Milestone(name=name, at=START, actor="noc")
            for name in (MilestoneName.LAST_MILE_READY, MilestoneName.UID_CONFIRMED)
        ),
    )
    context = store.load_order(
        connection_id=order.connection_id, account_id=ACCOUNT, circuit_id=CIRCUIT, tenant_uid=TENANT
    )
    assert context.circuit is not None
    policy = ConfiguredPolicies(load_configuration(EXAMPLE).document()).of(ACCOUNT)
    return decide_order(order, context.circuit, context.tenant, context.contracts, policy), policy


def _input(name: str, connection_id: str, verdict: Verdict, at: datetime) -> InputRow:
    return InputRow(
        key=f"{connection_id}:{name}",
        digest="d",
        claims=True,
        at=at,
        function="port_events",
        verdict=verdict,
        name=name,
        account_id=ACCOUNT,
        connection_id=connection_id,
    )


def _active(store: SqlStore) -> None:
    ordered, policy = _order(store, "PO-1", 0, "200M")
    connection = ordered.decision.connection
    later = START + timedelta(hours=1)
    seen = decide(
        connection,
        [
            PortObservation(
                at=later,
                source=Source.READ,
                port_id=PORT,
                acceptance="Confirmed",
                status="Enabled",
                business_status="Normal",
                spec="200M",
                vlan_id=0,
                tenant_uid=TENANT,
                order_mode="PayByVirtualPhysicalConnectionOwner",
                circuit_id=CIRCUIT,
                enabled_time=START,
                end_time=START + timedelta(days=30),
            ),
            VbrObservation(
                at=later, source=Source.READ, vbr_id=VBR, port_id=PORT, owner_uid=TENANT, vlan_id=0, status="active"
            ),
            VbrObservation(
                at=later, source=Source.READ, vbr_id="vbr-2", port_id=PORT, owner_uid=TENANT, vlan_id=7, status="active"
            ),
        ],
        policy,
    )
    save = save_of(
        [ordered.decision, seen],
        version=None,
        at=later,
        hold=ordered.hold,
        circuit=ordered.circuit,
        inputs=(_input("CreateVirtualPhysicalConnection", connection.connection_id, Verdict.APPLIED, later),),
    )
    assert store.save([save]) == [SaveOutcome.SAVED]
    notice = next(row for row in save.outbox if row.target == "queue:notices" and row.payload["party"] == "tenant")
    store.receipt(key=notice.key, channel="mail", recipient="network@tenant-one.example", at=later, reference="1")


def _refused(store: SqlStore) -> None:
    ordered, _ = _order(store, "PO-2", 100, "10G")
    connection_id = ordered.decision.connection.connection_id
    rejected = _input("order.place", connection_id, Verdict.REJECTED, START)
    save = save_of([ordered.decision], version=None, at=START + timedelta(minutes=1), inputs=(rejected,))
    assert store.save([save]) == [SaveOutcome.SAVED]
