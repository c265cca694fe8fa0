"""Values as columns, and back: times as UTC text of fixed width, money as decimal text, bitmaps as hexadecimal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from crossport.adapters.store import observations, recent
from crossport.application.ports import CircuitRun, Completion, InputRow, OutboxRow, OutboxState, Save, Unrouted
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection
from crossport.domain.decide import Finding
from crossport.domain.effects import evidence
from crossport.domain.ledger import BillingRecord
from crossport.domain.orders import Contract, Hold, Tenant
from crossport.domain.vocabulary import Phase

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@lru_cache(maxsize=256)
def stamp(at: datetime) -> str:
    """An aware time as UTC text of fixed width: 2026-11-24T11:10:47.000000Z. Text order is time order."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def stamp_or_none(at: datetime | None) -> str | None:
    """``stamp``, and None for None."""
    return None if at is None else stamp(at)


def time_of(text: str) -> datetime:
    """The UTC time that ``stamp`` wrote."""
    return datetime.fromisoformat(text)


def json_text(value: Any) -> str:
    """JSON values as compact text."""
    return _encode(dict(value) if isinstance(value, Mapping) else value)


def connection_columns(save: Save) -> dict[str, Any]:
    """The connection's row, without its version."""
    connection = save.connection
    return {
        "id": connection.connection_id,
        "account_id": connection.account_id,
        "region": connection.region,
        "circuit_id": connection.circuit_id,
        "tenant_uid": connection.tenant_uid,
        "port_id": connection.port_id,
        "accepted_vbr_id": accepted_vbr_id(connection, save.phase),
        "vlan_id": connection.vlan_id,
        "spec": connection.spec,
        "order_mode": connection.order_mode,
        "flow": connection.flow,
        "origin": connection.origin,
        "group_id": connection.group_id,
        "phase": save.phase,
        "violations": _encode([evidence(violation) for violation in save.violations]) if save.violations else "[]",
        "port_glance": save.known.port if save.known else None,
        "vbrs_glance": save.known.vbrs if save.known else None,
        "port_over": int(save.known.over) if save.known else None,
        "document": recent.dump(connection),
        "created_at": stamp(connection.created_at),
        "at": stamp(save.at),
    }


def accepted_vbr_id(connection: Connection, phase: Phase) -> str | None:
    """The VBR that the connection counts as its own, for the column of that name.

    A save does not carry the consistency window, on which it hangs whether an absent VBR is gone already. A VBR that
    lives under the shortest window lives under every window. One that lives only under a long window is named while
    the phase, which was decided under the account's own window, says that a VBR lives.
    """
    vbr = connection.accepted_vbr(timedelta(0))
    if vbr is None and phase is Phase.ACTIVE:
        vbr = connection.accepted_vbr(timedelta.max)
    return None if vbr is None else vbr.vbr_id


def input_columns(row: InputRow, connection_id: str | None) -> dict[str, Any]:
    """An input's row for inbox and audit trail; ``connection_id`` where the input itself names none."""
    return {
        "kind": "input",
        "key": row.key,
        "digest": row.digest,
        "at": stamp(row.at),
        "function": row.function,
        "verdict": row.verdict,
        "reason": row.reason,
        "pending": row.pending,
        "account_id": row.account_id,
        "connection_id": row.connection_id if row.connection_id is not None else connection_id,
        "name": row.name,
        "actor": "",
        "details": json_text(row.details),
    }


def outbox_columns(row: OutboxRow, at: datetime) -> dict[str, Any]:
    """An outbox row as it is inserted."""
    return {
        "key": row.key,
        "kind": row.kind,
        "target": row.target,
        "payload": json_text(row.payload),
        "connection_id": row.connection_id,
        "not_before": stamp_or_none(row.not_before),
        "at": stamp(at),
    }


#: Higher than any version: what was judged at it was not judged too soon.
_NEVER = 2**31 - 1


def completion_columns(completion: Completion, at: datetime) -> dict[str, Any]:
    """The end of a leased row's turn as parameters of ``finish_outbox``."""
    return {
        "key": completion.key,
        "lease": completion.lease,
        "state": completion.state,
        "reason": completion.reason,
        "not_before": stamp_or_none(completion.not_before),
        "finished_at": None if completion.state is OutboxState.DUE else stamp(at),
        "seen": completion.seen if completion.seen is not None else _NEVER,
        "at": stamp(at),
    }


def cleared_columns(cleared: tuple[str, str], connection_id: str, at: datetime) -> dict[str, Any]:
    """A finding (code, subject) of the connection that is settled, as parameters."""
    code, subject = cleared
    return {"key": f"{connection_id}:{code}:{subject}", "at": stamp(at)}


def finding_columns(finding: Finding, connection_id: str, at: datetime) -> dict[str, Any]:
    """A finding as it is inserted; it is known by connection, code and subject."""
    return {
        "key": f"{connection_id}:{finding.code}:{finding.subject}",
        "connection_id": connection_id,
        "code": finding.code,
        "subject": finding.subject,
        "details": json_text(finding.details),
        "at": stamp(at),
    }


def hold_columns(hold: Hold, at: datetime) -> dict[str, Any]:
    """A hold as it is taken or given back at a time."""
    return {
        "circuit_id": hold.circuit_id,
        "vlan_id": hold.vlan_id,
        "mbps": hold.mbps,
        "connection_id": hold.connection_id,
        "at": stamp(at),
    }


def unrouted_columns(waiting: Unrouted) -> dict[str, Any]:
    """An observation that waits for its connection."""
    return {
        "key": waiting.key,
        "route": waiting.route,
        "observation": observations.dump(waiting.observation),
        "at": stamp(waiting.at),
    }


def record_columns(record: BillingRecord, connection: Connection, at: datetime) -> dict[str, Any]:
    """A billing record as a ledger row. What lists ask for is repeated from its text, which alone counts."""
    content: Mapping[str, Any] = record.content
    end = content["period_end"]
    return {
        "key": record.key,
        "fact": record.fact,
        "revision": record.revision,
        "digest": record.digest,
        "connection_id": connection.connection_id,
        "account_id": connection.account_id,
        "kind": content["kind"],
        "purpose": content["purpose"],
        "biller": content["biller"],
        "payer": content["payer"],
        "amount": content["amount"],
        "currency": content["currency"],
        "period_start": stamp(datetime.fromisoformat(content["period_start"])),
        "period_end": None if end is None else stamp(datetime.fromisoformat(end)),
        "record": record.record,
        "reverses": record.reverses,
        "at": stamp(at),
    }


def sealed_payload(
    record: str, *, key: str, revision: int, seq: int, prev_hash: str, hash_: str, reverses: str | None
) -> dict[str, Any]:
    """The message of a sealed record: what it charges, and its place in the ledger. ``sign`` -1: it takes back."""
    return {
        **json.loads(record),
        "type": "billing.record",
        "version": 1,
        "key": key,
        "revision": revision,
        "seq": seq,
        "prev_hash": prev_hash,
        "hash": hash_,
        "reverses": reverses,
        "sign": 1 if reverses is None else -1,
    }


def circuit_columns(circuit: Circuit) -> dict[str, Any]:
    """A circuit as parameters; ``version`` is the one that was read."""
    return {
        "circuit_id": circuit.circuit_id,
        "account_id": circuit.account_id,
        "region": circuit.region,
        "name": circuit.name,
        "access_point": circuit.access_point,
        "line_operator": circuit.line_operator,
        "bandwidth_mbps": circuit.bandwidth_mbps,
        "status": circuit.status,
        "held_mbps": circuit.held_mbps,
        "vlan_bitmap": f"{circuit.vlan_bitmap:x}",
        "version": circuit.version,
    }


def circuit_of(row: Sequence[Any]) -> Circuit:
    """The circuit of a row of ``get_circuit``."""
    circuit_id, account_id, region, name, access_point, line_operator, bandwidth, status, held, bitmap, version = row
    return Circuit(
        circuit_id=circuit_id,
        account_id=account_id,
        region=region,
        name=name,
        access_point=access_point,
        line_operator=line_operator,
        bandwidth_mbps=bandwidth,
        status=status,
        held_mbps=held,
        vlan_bitmap=int(bitmap, 16),
        version=version,
    )


def hold_of(row: Sequence[Any]) -> Hold:
    """The hold of a row of ``load_order``."""
    circuit_id, vlan_id, mbps, connection_id = row
    return Hold(circuit_id=circuit_id, vlan_id=vlan_id, mbps=mbps, connection_id=connection_id)


def tenant_columns(tenant: Tenant) -> dict[str, Any]:
    """A tenant as parameters."""
    return {
        "tenant_uid": tenant.tenant_uid,
        "name": tenant.name,
        "site": tenant.site,
        "language": tenant.language,
        "email": tenant.email,
        "zone": tenant.zone,
    }


def tenant_of(row: Sequence[Any]) -> Tenant:
    """The tenant of a row of ``get_tenant``."""
    tenant_uid, name, site, language, email, zone = row
    return Tenant(tenant_uid=tenant_uid, name=name, site=site, language=language, email=email, zone=zone)


def contract_columns(contract: Contract) -> dict[str, Any]:
    """A contract as parameters; dates as ISO 8601 text."""
    return {
        "number": contract.number,
        "account_id": contract.account_id,
        "tenant_uid": contract.tenant_uid,
        "signed_on": _day_text(contract.signed_on),
        "valid_from": contract.valid_from.isoformat(),
        "valid_until": _day_text(contract.valid_until),
        "zone": contract.zone,
    }


def contract_of(row: Sequence[Any]) -> Contract:
    """The contract of a row of ``get_contract``."""
    number, account_id, tenant_uid, signed_on, valid_from, valid_until, zone = row
    return Contract(
        number=number,
        account_id=account_id,
        tenant_uid=tenant_uid,
        signed_on=_day(signed_on),
        valid_from=date.fromisoformat(valid_from),
        valid_until=_day(valid_until),
        zone=zone,
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _day_text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def circuit_run_columns(run: CircuitRun) -> dict[str, Any]:
    """A row of ``circuit_run``."""
    return {
        "circuit_id": run.circuit_id,
        "account_id": run.account_id,
        "at": stamp(run.at),
        "complete": int(run.complete),
        "why": run.why,
        "listed": run.listed,
        "differences": json_text(run.differences),
        "breaches": json_text([{"code": each.code, "subject": each.subject, **each.details} for each in run.breaches]),
        "completed_at": stamp(run.at) if run.complete else "",
        "completed_listed": run.listed if run.complete else 0,
    }


def run_audit_columns(run: CircuitRun) -> dict[str, Any]:
    """The line of a reconciliation in the audit trail."""
    columns = circuit_run_columns(run)
    details = {name: columns[name] for name in ("complete", "why", "listed")}
    details |= {"differences": list(run.differences), "breaches": [each.code for each in run.breaches]}
    return {
        "at": columns["at"],
        "kind": "reconciliation",
        "function": "reconcile",
        "key": "",
        "digest": "",
        "verdict": "",
        "reason": run.why,
        "pending": "",
        "account_id": run.account_id,
        "connection_id": None,
        "name": run.circuit_id,
        "actor": "crossport",
        "details": json_text(details),
    }
