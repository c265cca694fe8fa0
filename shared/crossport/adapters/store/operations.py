"""What a network operations centre asks: circuits, and where connections run. For the store and the views alike."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from crossport.adapters.store.administration import Administration
from crossport.adapters.store.engines import Engine
from crossport.adapters.store.rows import circuit_of, json_text, outbox_columns, stamp, stamp_or_none, time_of
from crossport.application.pausing import PAUSED
from crossport.application.ports import OutboxRow
from crossport.domain import glance
from crossport.domain.circuit import Circuit
from crossport.domain.maintenance import Maintenance, MaintenanceKind, Side
from crossport.domain.pause import Pause
from crossport.domain.placement import Placement
from crossport.domain.vocabulary import Phase

_PLACEMENT = (
    "connection_id", "account_id", "region", "circuit_id", "access_point", "tenant_uid", "group_id", "phase",
    "port_id", "vlan_id", "spec",
)  # fmt: skip


class NetworkReading:
    """``ports.Operations``, as far as it reads."""

    _engine: Engine

    def circuits(self) -> tuple[Circuit, ...]:
        """See ``Operations.circuits``."""
        return tuple(circuit_of(row) for row in self._engine.rows("circuits"))

    def placements(self, circuit_id: str | None = None) -> Iterator[Placement]:
        """See ``Operations.placements``."""
        return (_placement(row) for row in self._engine.rows("placements", {"circuit_id": circuit_id}))

    def pauses(self) -> tuple[Pause, ...]:
        """See ``Operations.pauses``."""
        return tuple(
            Pause(account_id=account_id, since=time_of(since), actor=actor, reason=reason)
            for account_id, since, actor, reason in self._engine.rows("pauses")
        )

    def open_maintenance(self) -> tuple[Maintenance, ...]:
        """See ``Operations.open_maintenance``."""
        return tuple(_maintenance(text) for (text,) in self._engine.rows("open_maintenance"))

    def maintenance(self) -> tuple[Maintenance, ...]:
        """Every record of maintenance and outages, the latest first."""
        return tuple(_maintenance(text) for (text,) in self._engine.rows("view_maintenance"))


class OperationsWriting(Administration):
    """``ports.Operations``, as far as it writes."""

    def pause(self, pause: Pause) -> bool:
        """See ``Operations.pause``."""
        columns = {"account_id": pause.account_id, "actor": pause.actor, "reason": pause.reason}
        with self._engine.writing():
            if self._engine.write("insert_pause", {**columns, "since": stamp(pause.since)}) == 0:
                return False
            self._audit(
                "pause",
                {"account_id": pause.account_id},
                actor=pause.actor,
                reason=pause.reason,
                at=pause.since,
                account_id=pause.account_id,
            )
        return True

    def resume(self, account_id: str, *, actor: str, reason: str, at: datetime) -> bool:
        """See ``Operations.resume``."""
        with self._engine.writing():
            if self._engine.write("delete_pause", {"account_id": account_id}) == 0:
                return False
            self._engine.write("wake_by_reason", {"waits_for": PAUSED})
            details = {"account_id": account_id}
            self._audit("resume", details, actor=actor, reason=reason, at=at, account_id=account_id)
        return True

    def add_maintenance(self, record: Maintenance, *, seen: Collection[str], outbox: Sequence[OutboxRow]) -> bool:
        """See ``Operations.add_maintenance``."""
        with self._engine.writing():
            there = (_maintenance(text) for (text,) in self._engine.rows("open_maintenance"))
            if any(one.circuit_id == record.circuit_id and one.record_id not in seen for one in there):
                return False
            if self._engine.write("insert_maintenance", _maintenance_columns(record)) == 0:
                return False
            self._engine.write_all("insert_outbox", [outbox_columns(row, record.recorded_at) for row in outbox])
            self._audit_record(record, record.actor, record.cause, record.recorded_at)
        return True

    def clear_maintenance(self, record: Maintenance, *, outbox: Sequence[OutboxRow]) -> bool:
        """See ``Operations.clear_maintenance``."""
        cleared_at = record.cleared_at
        if cleared_at is None:
            raise ValueError(f"{record.record_id} does not say when it was cleared")
        with self._engine.writing():
            if self._engine.write("clear_maintenance", _maintenance_columns(record)) == 0:
                return False
            for reason in (record.holds, record.muted):
                self._engine.write("wake_by_reason", {"waits_for": reason})
            self._engine.write_all("insert_outbox", [outbox_columns(row, cleared_at) for row in outbox])
            self._audit_record(record, record.cleared_by, record.outcome, cleared_at)
        return True

    def _audit_record(self, record: Maintenance, actor: str, reason: str, at: datetime) -> None:
        name = "maintenance" if record.cleared_at is None else "maintenance_cleared"
        details = _maintenance_values(record)
        self._audit(name, details, actor=actor, reason=reason, at=at, account_id=record.account_id)


_TIMES = ("starts_at", "ends_at", "recorded_at", "cleared_at")


def _maintenance_values(record: Maintenance) -> dict[str, Any]:
    values = asdict(record)
    return {**values, **{name: stamp_or_none(values[name]) for name in _TIMES}}


def _maintenance_columns(record: Maintenance) -> dict[str, Any]:
    values = _maintenance_values(record)
    columns = {name: values[name] for name in ("record_id", "circuit_id", "starts_at", "cleared_at")}
    return {**columns, "document": json_text(values)}


def _maintenance(text: str) -> Maintenance:
    values: dict[str, Any] = json.loads(text)
    times = {name: None if values[name] is None else time_of(values[name]) for name in _TIMES}
    kind, side = MaintenanceKind(values["kind"]), Side(values["side"])
    return Maintenance(**{**values, **times, "kind": kind, "side": side})


def _placement(row: tuple[Any, ...]) -> Placement:
    *columns, port_glance, over, updated_at = row
    values: dict[str, Any] = dict(zip(_PLACEMENT, columns, strict=True))
    port = None
    if port_glance is not None and not over:
        port = glance.port_difference(values["port_id"], "", port_glance, time_of(updated_at))
    return Placement(**{**values, "phase": Phase(values["phase"])}, port=port)
