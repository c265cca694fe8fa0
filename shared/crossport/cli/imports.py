"""``crossport import``: take over the ports that exist on the partner's circuits on day one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossport.cli.database import now, open_store, person
from crossport.cli.failures import RUNTIME_FAILURE, complain
from crossport.cli.options import Actor, AsJson, Database, Reason
from crossport.cli.partner_cloud import (
    Account,
    CommandClock,
    Endpoint,
    OneCircuit,
    chosen_account,
    chosen_circuits,
    policies_of,
    progress_bars,
    vpc_cloud,
)
from crossport.cli.rendering import Column, Row, show_json, show_line, show_table
from crossport.domain.errors import CrossportError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from crossport.adapters.configuration import ConfiguredPolicies
    from crossport.adapters.store.sql_store import SqlStore
    from crossport.application.import_ports import ImportedPort, PortImport
    from crossport.domain.circuit import Circuit

_COLUMNS = (
    Column("Port\nCircuit", lambda row: [row["port_id"], row["circuit_id"]]),
    Column("Outcome\nConnection", lambda row: [row["outcome"], row["connection_id"]]),
    Column("VLAN", lambda row: ["" if row["vlan_id"] is None else str(row["vlan_id"])], justify="right"),
    Column("Tenant\nPhase", lambda row: [row["tenant_uid"], row["phase"]]),
    Column("Look at", lambda row: [*row["findings"], row["reason"]], style=lambda _row: "yellow"),
)


@dataclass(slots=True)
class _Report:
    """What an import did, circuit by circuit."""

    ports: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    circuits: list[dict[str, Any]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every circuit was listed to its end and every port dealt with."""
        return all(circuit["complete"] for circuit in self.circuits) and not self.counts["failed"]


def import_ports(
    account: Account = "",
    circuit: OneCircuit = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be imported and save nothing.")] = False,
    vpc_endpoint: Endpoint = "",
    actor: Actor = "",
    reason: Reason = "import of day one",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """Import the shared ports that exist on the circuits of an account. Nobody is told of the past.

    Can be repeated: what is known already is left alone, and an import that was stopped goes on.
    """
    with open_store(db) as store:
        policies = policies_of(store)
        chosen = chosen_account(policies, account)
        circuits = chosen_circuits(store, policies, chosen, circuit)
        work = _work(store, policies, chosen, vpc_endpoint, actor or person(), reason, dry_run=dry_run)
        report = _run(work, circuits)
    _show(report, dry_run=dry_run, as_json=as_json)
    return 0 if report.complete else RUNTIME_FAILURE


def _work(
    store: SqlStore,
    policies: ConfiguredPolicies,
    account_id: str,
    endpoint: str,
    actor: str,
    reason: str,
    *,
    dry_run: bool,
) -> PortImport:
    from crossport.application.import_ports import PortImport

    cloud = vpc_cloud(store, account_id, endpoint)
    return PortImport(
        store=store,
        cloud=lambda: cloud,
        policies=policies,
        clock=CommandClock(),
        actor=actor,
        reason=reason,
        dry_run=dry_run,
    )


def _run(work: PortImport, circuits: Sequence[Circuit]) -> _Report:
    report = _Report()
    with progress_bars() as progress:
        for circuit in circuits:
            bar = progress.add_task(circuit.circuit_id, total=None)
            failure = _one_circuit(work, circuit, report, progress, bar)
            report.circuits.append(
                {"circuit_id": circuit.circuit_id, "complete": failure is None, "reason": failure or ""}
            )
    return report


def _one_circuit(work: PortImport, circuit: Circuit, report: _Report, progress: Progress, bar: TaskID) -> str | None:
    """Import one circuit; why its listing is not complete, or None."""
    try:
        for port in work.circuit(circuit):
            _note(report, port)
            progress.update(bar, advance=1, total=port.listed)
    except CrossportError as error:
        return f"{getattr(error, 'cloud_code', '') or error.code}: {error.message}"
    return None


def _note(report: _Report, port: ImportedPort) -> None:
    report.counts[str(port.outcome)] += 1
    if port.outcome != "known":
        report.ports.append({**asdict(port), "outcome": str(port.outcome), "findings": list(port.findings)})


def _show(report: _Report, *, dry_run: bool, as_json: bool) -> None:
    counts = dict(sorted(report.counts.items()))
    if as_json:
        show_json(
            {
                "at": now(),
                "dry_run": dry_run,
                "complete": report.complete,
                "counts": counts,
                "circuits": report.circuits,
                "ports": report.ports,
            }
        )
        return
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no ports"
    show_table("Ports", report.ports, _COLUMNS, empty="Nothing that is not known already.")
    show_line(f"{len(report.circuits)} circuits: {told}{' (dry run: nothing was saved)' if dry_run else ''}.")
    for circuit in report.circuits:
        if not circuit["complete"]:
            complain(f"{circuit['circuit_id']} was not listed to its end ({circuit['reason']}); import again")
