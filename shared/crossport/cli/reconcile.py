"""``crossport reconcile``: compare the cloud's lists with what we know, and heal what no event has told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crossport.cli.database import now, open_store
from crossport.cli.failures import RUNTIME_FAILURE, complain
from crossport.cli.options import AsJson, Database
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

if TYPE_CHECKING:
    from crossport.application.reconcile import CircuitReport

_DIFFERENCES = (
    Column("Port\nCircuit", lambda row: [row["port_id"], row["circuit_id"]]),
    Column("Difference\nOutcome", lambda row: [row["kind"], row["outcome"]]),
    Column("Fields", lambda row: row["fields"]),
    Column("Event that never came", lambda row: [each["event_name"] for each in row["missed_events"]]),
    Column("Connection", lambda row: [row["connection_id"]]),
)
_BREACHES = (
    Column("Circuit", lambda row: [row["circuit_id"]]),
    Column("Wrong", lambda row: [row["code"], row["subject"]], style=lambda _row: "red"),
    Column("Ports", lambda row: row["port_ids"]),
    Column("Evidence", lambda row: [row["evidence"]]),
)


def reconcile(
    account: Account = "",
    circuit: OneCircuit = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what differs and save nothing.")] = False,
    vpc_endpoint: Endpoint = "",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """List the shared ports and VBRs of an account's circuits, compare them with what we know, and heal.

    What only a read by port can tell is left to the relay. A list that breaks off is unknown, never an absence.
    """
    from crossport.application.reconcile import Reconciler

    reports: list[CircuitReport] = []
    with open_store(db) as store:
        policies = policies_of(store)
        chosen = chosen_account(policies, account)
        circuits = chosen_circuits(store, policies, chosen, circuit)
        cloud = vpc_cloud(store, chosen, vpc_endpoint)
        reconciler = Reconciler(store=store, cloud=cloud, policies=policies, clock=CommandClock(), dry_run=dry_run)
        with progress_bars() as progress:
            bar = progress.add_task("Circuits", total=len(circuits))
            for one in circuits:
                reports.append(reconciler.circuit(one))
                progress.update(bar, advance=1)
    _show(reports, dry_run=dry_run, as_json=as_json)
    return 0 if all(report.complete for report in reports) else RUNTIME_FAILURE


def _show(reports: list[CircuitReport], *, dry_run: bool, as_json: bool) -> None:
    differences, breaches, circuits = _rows(reports)
    if as_json:
        told = {"circuits": circuits, "differences": differences, "breaches": breaches}
        show_json({"at": now(), "dry_run": dry_run, **told})
        return
    show_table("Differences", differences, _DIFFERENCES, empty="Everything is as we know it.")
    if breaches:
        show_table("Circuits", breaches, _BREACHES, empty="")
    listed = sum(report.listed for report in reports)
    show_line(f"{len(reports)} circuits, {listed} ports{' (dry run: nothing was saved)' if dry_run else ''}.")
    for report in reports:
        if not report.complete:
            complain(f"{report.circuit.circuit_id} was not listed to its end ({report.why}); the next run looks again")


def _rows(reports: list[CircuitReport]) -> tuple[list[Row], list[Row], list[Row]]:
    from crossport.application.reconcile import breach_values, difference_values

    differences: list[Row] = []
    breaches: list[Row] = []
    circuits: list[Row] = []
    for report in reports:
        circuit_id = report.circuit.circuit_id
        differences += [{"circuit_id": circuit_id, **difference_values(one)} for one in report.healed]
        breaches += [{"circuit_id": circuit_id, **breach_values(one)} for one in report.breaches]
        circuits.append(
            {
                "circuit_id": circuit_id,
                "complete": report.complete,
                "why": report.why,
                "listed": report.listed,
                "vbrs_seen_by_circuit": report.vbrs_seen_by_circuit,
            }
        )
    return differences, breaches, circuits
