"""What reconciliation keeps: known ports, runs of circuits, and the shared budget of calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from crossport.adapters.store.engines import Engine
from crossport.adapters.store.rows import circuit_run_columns, finding_columns, run_audit_columns, stamp, time_of
from crossport.application.ports import CircuitRun
from crossport.domain.differences import Known
from crossport.domain.quota import CallQuota
from crossport.domain.sweep import SweptCircuit
from crossport.domain.visibility import VbrVisibility


class Sweeping:
    """The part of ``Store`` that reconciliation alone uses."""

    _engine: Engine

    def known_ports(self, circuit_id: str) -> Iterable[Known]:
        """See ``Store.known_ports``."""
        rows = self._engine.rows("known_ports", {"circuit_id": circuit_id})
        return (Known(port_id, owner, port, vbrs, bool(over)) for port_id, owner, port, vbrs, over in rows)

    def reconciled(self, run: CircuitRun) -> None:
        """See ``Store.reconciled``."""
        found = {finding_columns(each, run.circuit_id, run.at)["key"]: each for each in run.breaches}
        with self._engine.writing():
            self._engine.write("put_circuit_run", circuit_run_columns(run))
            opened = {key for (key,) in self._engine.rows("open_circuit_findings", {"circuit_id": run.circuit_id})}
            cleared = opened - found.keys() if run.complete else set[str]()
            for key in sorted(cleared):
                self._engine.write("clear_finding", {"key": key, "at": stamp(run.at)})
            for finding in found.values():
                self._engine.write("insert_finding", finding_columns(finding, run.circuit_id, run.at))
            if run.differences or cleared or found.keys() - opened or not run.complete:
                self._engine.write("insert_audit", run_audit_columns(run))

    def swept_circuits(self) -> Sequence[SweptCircuit]:
        """See ``Store.swept_circuits``."""
        return tuple(
            SweptCircuit(
                circuit_id=circuit_id,
                account_id=account_id,
                region=region,
                listed=listed,
                completed_at=time_of(completed_at) if completed_at else None,
            )
            for circuit_id, account_id, region, listed, completed_at in self._engine.rows("swept_circuits")
        )

    def vbr_visibility(self, account_id: str) -> VbrVisibility | None:
        """See ``Store.vbr_visibility``."""
        row = self._engine.row("get_vbr_visibility", {"account_id": account_id})
        return None if row is None else VbrVisibility(row[0])

    def put_vbr_visibility(self, account_id: str, visibility: VbrVisibility, *, evidence: str, at: datetime) -> None:
        """See ``Store.put_vbr_visibility``."""
        columns = {"account_id": account_id, "visibility": str(visibility), "evidence": evidence, "at": stamp(at)}
        self._engine.change("put_vbr_visibility", columns)

    def take_call(self, *, account_id: str, region: str, api: str, now: datetime, quota: CallQuota) -> bool:
        """See ``Store.take_call``."""
        columns = {"account_id": account_id, "region": region, "api": api, "now": stamp(now)}
        bucket = {"burst": quota.burst, "per_second": quota.per_second, "latest": stamp(now + quota.period)}
        return self._engine.change("take_call", {**columns, **bucket}) == 1

    def hold_calls(self, *, account_id: str, region: str, api: str, until: datetime) -> None:
        """See ``Store.hold_calls``."""
        columns = {"account_id": account_id, "region": region, "api": api, "until": stamp(until)}
        self._engine.change("hold_calls", columns)
