"""A connection as people and programs read it: JSON values with names that speak."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from crossport.adapters.store.document import TIME_FIELDS
from crossport.domain.connection import Connection, Migration, Refusal, Request
from crossport.domain.facts import PORT_FIELDS, VBR_FIELDS, PortFacts, VbrFacts
from crossport.domain.history import History
from crossport.domain.phase import suspension
from crossport.domain.vocabulary import Phase


def portrait(connection: Connection) -> dict[str, Any]:
    """What a list shows of a connection; phase, violations and the accepted VBR stand in columns and are not here.

    Times are ISO 8601 in UTC; what is not known is None. ``vlan_id``, ``spec`` and ``order_mode`` are as the cloud last
    said, else as ordered.
    """
    port = connection.port
    return {
        "connection_id": connection.connection_id,
        "flow": str(connection.flow),
        "origin": str(connection.origin),
        "account_id": connection.account_id,
        "region": connection.region,
        "circuit_id": connection.circuit_id,
        "port_id": connection.port_id,
        "vlan_id": connection.vlan_id,
        "tenant_uid": connection.tenant_uid,
        "tenant_region": connection.tenant_region,
        "spec": connection.spec,
        "order_mode": connection.order_mode,
        "client_order_id": connection.client_order_id,
        "contract_number": connection.contract_number,
        "purchase_order": connection.purchase_order,
        "customer_reference": connection.customer_reference,
        "milestones": [
            {"name": str(m.name), "at": utc(m.at), "actor": m.actor, "evidence": m.evidence}
            for m in connection.milestones
        ],
        "requests": [_request(request) for request in connection.requests],
        "migration": None if connection.migration is None else _migration(connection.migration),
        "group_id": connection.group_id,
        "refusals": [_refusal(refusal) for refusal in connection.refusals],
        "failure": None if connection.failure is None else _refusal(connection.failure),
        "group_ready_at": utc(connection.group_ready_at),
        "intended_at": utc(connection.intended_at),
        "withdrawn_at": utc(connection.withdrawn_at),
        "hold_released_at": utc(connection.hold_released_at),
        "cease_recorded_at": utc(connection.cease_recorded_at),
        "attested_at": utc(connection.attested_at),
        "acceptance": None if port is None else str(port.acceptance),
        "status": None if port is None else port.status.current,
        "business_status": None if port is None else port.business_status.current,
        "expect_spec": None if port is None else port.expect_spec.current,
        "enabled_time": None if port is None else utc(port.enabled_time.current),
        "end_time": None if port is None else utc(port.end_time.current),
    }


def suspension_of(connection: Connection, phase: str) -> dict[str, str] | None:
    """Why a connection that was saved in phase ``suspended`` is suspended and who is waited for; else None.

    The reason may hang on the consistency window, which a list does not know: one that stands under the shortest
    window is preferred, else it is the one under which the VBR still counts.
    """
    if phase != Phase.SUSPENDED:
        return None
    found = suspension(connection, timedelta(0)) or suspension(connection, timedelta.max)
    if found is None:
        return None
    return {
        "reason": found.reason,
        "waiting_for": str(found.waiting_for),
        "fee": found.fee,
        "way_back": found.way_back,
    }


def facts(connection: Connection) -> dict[str, Any]:
    """Everything that was observed: each field's history, oldest first, of the port and of every VBR."""
    return {
        "port": None if connection.port is None else _port(connection.port),
        "vbrs": [_vbr(vbr) for vbr in connection.vbrs],
    }


def utc(at: datetime | None) -> str | None:
    """A time as ISO 8601 text in UTC, and None for None."""
    return None if at is None else at.astimezone(UTC).isoformat()


def _request(request: Request) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "kind": str(request.kind),
        "at": utc(request.at),
        "actor": request.actor,
        "spec": request.spec,
        "vlan_id": request.vlan_id,
        "forced": request.forced,
    }


def _migration(migration: Migration) -> dict[str, Any]:
    return {
        "vbr_id": migration.vbr_id,
        "bandwidth_mbps": migration.bandwidth_mbps,
        "before": json.loads(migration.before) if migration.before else None,
        "after": json.loads(migration.after) if migration.after else None,
        "untouched": migration.untouched,
    }


def _refusal(refusal: Refusal) -> dict[str, str]:
    return {"code": refusal.code, "message": refusal.message, "subject": refusal.subject}


def _port(port: PortFacts) -> dict[str, Any]:
    return {
        "port_id": port.port_id,
        "first_seen": utc(port.first_seen),
        "confirmed_at": utc(port.confirmed_at),
        "deleted": port.deleted,
        "unknown_acceptance": sorted(port.unknown_acceptance),
        **_histories(port, PORT_FIELDS),
    }


def _vbr(vbr: VbrFacts) -> dict[str, Any]:
    return {
        "vbr_id": vbr.vbr_id,
        "first_seen": utc(vbr.first_seen),
        "deleted": vbr.deleted,
        **_histories(vbr, VBR_FIELDS),
    }


def _histories(holder: PortFacts | VbrFacts, names: Iterable[str]) -> dict[str, Any]:
    return {name: _history(getattr(holder, name), times=name in TIME_FIELDS) for name in names}


def _history(history: History[Any], *, times: bool) -> list[dict[str, Any]]:
    return [
        {
            "at": utc(entry.at),
            "source": entry.source.name.lower(),
            "value": utc(entry.value) if times else entry.value,
        }
        for entry in history.entries
    ]
