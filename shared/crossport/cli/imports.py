"""``crossport import``: take over the ports that exist on the partner's circuits on day one."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossport.cli.database import now, open_store, person
from crossport.cli.failures import RUNTIME_FAILURE, MisuseError, UnknownIdError, complain
from crossport.cli.options import Actor, AsJson, Database, Reason
from crossport.cli.rendering import Column, Row, show_json, show_line, show_table
from crossport.domain.errors import CrossportError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from crossport.adapters.configuration import ConfiguredPolicies
    from crossport.adapters.store.sql_store import SqlStore
    from crossport.application.import_ports import ImportedPort, PortImport
    from crossport.domain.circuit import Circuit

_Endpoint = Annotated[
    str,
    typer.Option(
        "--vpc-endpoint",
        envvar="CROSSPORT_VPC_ENDPOINT",
        metavar="HOST",
        help="The VPC API; the region's own if unset.",
    ),
]

_COLUMNS = (
    Column("Port\nCircuit", lambda row: [row["port_id"], row["circuit_id"]]),
    Column("Outcome\nConnection", lambda row: [row["outcome"], row["connection_id"]]),
    Column("VLAN", lambda row: ["" if row["vlan_id"] is None else str(row["vlan_id"])], justify="right"),
    Column("Tenant\nPhase", lambda row: [row["tenant_uid"], row["phase"]]),
    Column("Look at", lambda row: [*row["findings"], row["reason"]], style=lambda _row: "yellow"),
)


class _Clock:
    """``application.ports.Clock`` of a command."""

    def now(self) -> datetime:
        return now()


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
    account: Annotated[str, typer.Option(metavar="ID", help="Only this partner account; its key must be set.")] = "",
    circuit: Annotated[str, typer.Option(metavar="ID", help="Only this circuit.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be imported and save nothing.")] = False,
    vpc_endpoint: _Endpoint = "",
    actor: Actor = "",
    reason: Reason = "import of day one",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """Import the shared ports that exist on the circuits of an account. Nobody is told of the past.

    Can be repeated: what is known already is left alone, and an import that was stopped goes on.
    """
    with open_store(db) as store:
        policies = _policies(store)
        chosen = _account(policies, account)
        circuits = _circuits(store, policies, chosen, circuit)
        work = _work(store, policies, chosen, vpc_endpoint, actor or person(), reason, dry_run=dry_run)
        report = _run(work, circuits)
    _show(report, dry_run=dry_run, as_json=as_json)
    return 0 if report.complete else RUNTIME_FAILURE


def _policies(store: SqlStore) -> ConfiguredPolicies:
    from crossport.adapters.configuration import ConfiguredPolicies
    from crossport.application.errors import NotConfiguredError

    applied = store.configuration()
    if applied is None:
        raise NotConfiguredError("the store holds no configuration yet: run `crossport apply`")
    return ConfiguredPolicies(applied[1])


def _account(policies: ConfiguredPolicies, wanted: str) -> str:
    """The one account whose key the environment holds: credentials never cross accounts (ruling 10)."""
    accounts = policies.accounts()
    if wanted and wanted not in accounts:
        raise UnknownIdError(f"{wanted} is no partner account of ours")
    if not wanted and len(accounts) > 1:
        raise MisuseError(
            f"which account? give --account, one of {', '.join(accounts)}, with its key in the environment"
        )
    return wanted or accounts[0]


def _circuits(store: SqlStore, policies: ConfiguredPolicies, account_id: str, wanted: str) -> list[Circuit]:
    known = policies.circuits(account_id)
    if wanted and wanted not in known:
        raise UnknownIdError(f"{wanted} is no circuit of account {account_id}")
    found = (store.circuit(circuit_id) for circuit_id in known if wanted in ("", circuit_id))
    return [circuit for circuit in found if circuit is not None]


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
    from crossport.adapters.credentials import EnvironmentCredentials, from_environment
    from crossport.adapters.vpc import VpcCloud
    from crossport.application.import_ports import PortImport

    from_environment()  # say at once when there are none, rather than after a request
    clock = _Clock()
    cloud = VpcCloud(credentials=EnvironmentCredentials(account_id), endpoint=endpoint or None, clock=clock)
    return PortImport(
        store=store,
        cloud=lambda: cloud,
        policies=policies,
        clock=clock,
        actor=actor,
        reason=reason,
        dry_run=dry_run,
    )


def _run(work: PortImport, circuits: Sequence[Circuit]) -> _Report:
    report = _Report()
    with _progress() as progress:
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


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar for each circuit on stderr, where there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield progress


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
