"""Small whole examples for the store's contract: a circuit, connections on it, and saves of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from crossport.application.ports import InputRow, OutboxRow, Save, SaveOutcome, Store, Stored
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection, Terms
from crossport.domain.facts import merge_port, merge_vbr
from crossport.domain.ledger import BillingRecord, record_key
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.orders import Contract, Tenant
from crossport.domain.vocabulary import Flow, OrderMode, Origin, Phase, Source, Verdict

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PARTNER = "1111111111111111"
TENANT = "2222222222222222"
CIRCUIT = Circuit(
    circuit_id="pc-circuit",
    account_id=PARTNER,
    region="us-east-1",
    name="DC11 number 1",
    access_point="ap-us-ashburn",
    line_operator="Equinix",
    bandwidth_mbps=1_000,
)

DECLARED = Tenant(tenant_uid=TENANT, name="Beijing tenant", language="zh-CN", email="ops@example.com")
SIGNED = Contract(
    number="C-2",
    account_id=PARTNER,
    tenant_uid=TENANT,
    signed_on=date(2026, 1, 2),
    valid_from=date(2026, 2, 1),
    zone="Asia/Shanghai",
)


def connection(number: int = 1, *, vlan_id: int = 120, origin: Origin = Origin.ORDER) -> Connection:
    """A connection with nothing in the cloud yet."""
    return Connection(
        connection_id=f"conn-{number}",
        account_id=PARTNER,
        region="us-east-1",
        circuit_id=CIRCUIT.circuit_id,
        tenant_uid=TENANT,
        flow=Flow.NEW,
        origin=origin,
        terms=Terms(spec="200M", vlan_id=vlan_id, order_mode=OrderMode.TENANT_PAYS),
        created_at=NOW,
    )


def with_port(before: Connection, port_id: str = "pc-port", *, at: datetime = NOW, **seen: Any) -> Connection:
    """The connection with a port that was read."""
    observation = PortObservation(at=at, source=Source.READ, port_id=port_id, **seen)
    return replace(before, port=merge_port(before.port, observation))


def with_vbr(before: Connection, vbr_id: str = "vbr-1", *, at: datetime = NOW, **seen: Any) -> Connection:
    """The connection with a VBR seen on its port."""
    observation = VbrObservation(at=at, source=Source.READ, vbr_id=vbr_id, port_id=before.port_id, **seen)
    return replace(before, vbrs=(*before.vbrs, merge_vbr(None, observation)))


def save(of: Connection, stored: Stored | None = None, **rest: Any) -> Save:
    """A save of a connection over what is stored."""
    version = stored.version if stored is not None else None
    given: dict[str, Any] = {"phase": Phase.ORDERED, "violations": (), "version": version, "at": NOW} | rest
    return Save(connection=of, **given)


def event(key: str = "e1", **rest: Any) -> InputRow:
    """An input that was applied and claims its key."""
    given: dict[str, Any] = {
        "key": key,
        "digest": f"digest of {key}",
        "claims": True,
        "at": NOW,
        "function": "port_events",
        "verdict": Verdict.APPLIED,
        "account_id": PARTNER,
        "name": "CreateVirtualPhysicalConnection",
    }
    return InputRow(**given | rest)


def command(key: str = "c1", **rest: Any) -> OutboxRow:
    """Something for the relay to do."""
    given: dict[str, Any] = {
        "key": key,
        "kind": "read_port",
        "target": "cloud",
        "payload": {"port_id": "pc-port", "vlan_id": 0},
    }
    return OutboxRow(**given | rest)


def billing_record(number: int = 1, *, revision: int = 0, amount: str | None = "36.00") -> BillingRecord:
    """The record of one billing fact of connection 1."""
    fact = f"conn-1/port_usage/20260301T200000/{number}/statement"
    content = {
        "fact": fact,
        "kind": "port_usage",
        "purpose": "statement",
        "biller": "alibaba_cloud",
        "payer": TENANT,
        "amount": amount,
        "currency": "USD",
        "period_start": "2026-03-01T20:00:00+08:00",
        "period_end": None,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    digest = f"digest{amount}"
    key = record_key(fact, revision, digest)
    return BillingRecord(key=key, fact=fact, revision=revision, digest=digest, record=text)


def reversal(of: BillingRecord) -> BillingRecord:
    """The record that takes another one back."""
    return BillingRecord(
        key=f"{of.key}:reversal",
        fact=of.fact,
        revision=of.revision,
        digest=of.digest,
        record=of.record,
        reverses=of.key,
    )


def stored(store: Store, connection_id: str = "conn-1") -> Stored:
    """What stands in the store, which must be there."""
    found = store.get(connection_id)
    assert found is not None
    return found


def saved(store: Store, *saves: Save) -> None:
    """Save, and see to it that every save was won."""
    assert list(store.save(saves)) == [SaveOutcome.SAVED] * len(saves)


def take(store: Store, *, at: datetime = NOW, lease: str = "worker", limit: int = 10) -> list[str]:
    """Lease due rows for a minute; their keys."""
    return [leased.row.key for leased in store.take(now=at, lease_for=MINUTE, lease=lease, limit=limit)]
