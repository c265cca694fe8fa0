"""What commands that call the cloud share: whose credentials, which circuits, and a bar while it takes its time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from crossport.cli.database import now
from crossport.cli.failures import MisuseError, UnknownIdError

if TYPE_CHECKING:
    from rich.progress import Progress

    from crossport.adapters.configuration import ConfiguredPolicies
    from crossport.adapters.store.sql_store import SqlStore
    from crossport.application.ports import Cloud
    from crossport.domain.circuit import Circuit

Account = Annotated[str, typer.Option(metavar="ID", help="Only this partner account; its key must be set.")]
OneCircuit = Annotated[str, typer.Option(metavar="ID", help="Only this circuit.")]
Endpoint = Annotated[
    str,
    typer.Option(
        "--vpc-endpoint",
        envvar="CROSSPORT_VPC_ENDPOINT",
        metavar="HOST",
        help="The VPC API; the region's own if unset.",
    ),
]

#: How long a command may wait for the quota of calls, all in all.
PATIENCE = timedelta(hours=12)


class CommandClock:
    """``application.ports.Clock`` of a command."""

    def now(self) -> datetime:
        return now()


def policies_of(store: SqlStore) -> ConfiguredPolicies:
    """The policies in force. Raises NotConfiguredError before the first ``crossport apply``."""
    from crossport.adapters.configuration import ConfiguredPolicies
    from crossport.application.errors import NotConfiguredError

    applied = store.configuration()
    if applied is None:
        raise NotConfiguredError("the store holds no configuration yet: run `crossport apply`")
    return ConfiguredPolicies(applied[1])


def chosen_account(policies: ConfiguredPolicies, wanted: str) -> str:
    """The one account whose key the environment holds: credentials never cross accounts (ruling 10).

    Raises UnknownIdError, and MisuseError when there are several.
    """
    accounts = policies.accounts()
    if wanted and wanted not in accounts:
        raise UnknownIdError(f"{wanted} is no partner account of ours")
    if not wanted and len(accounts) > 1:
        raise MisuseError(
            f"which account? give --account, one of {', '.join(accounts)}, with its key in the environment"
        )
    return wanted or accounts[0]


def chosen_circuits(store: SqlStore, policies: ConfiguredPolicies, account_id: str, wanted: str) -> list[Circuit]:
    """The account's circuits, or the one that is wanted. Raises UnknownIdError."""
    known = policies.circuits(account_id)
    if wanted and wanted not in known:
        raise UnknownIdError(f"{wanted} is no circuit of account {account_id}")
    found = (store.circuit(circuit_id) for circuit_id in known if wanted in ("", circuit_id))
    return [circuit for circuit in found if circuit is not None]


def vpc_cloud(store: SqlStore, account_id: str, endpoint: str) -> Cloud:
    """The VPC API with the credentials of the environment, within the quota that it shares with the functions.

    A command waits for its calls, up to ``PATIENCE``. Raises at once when there are no credentials.
    """
    from crossport.adapters.credentials import EnvironmentCredentials, from_environment
    from crossport.adapters.vpc import VpcCloud
    from crossport.application.quota import SharedQuota

    from_environment()  # say so before any request rather than after one
    clock = CommandClock()
    calls = SharedQuota(lambda: store, clock)
    calls.until = clock.now() + PATIENCE
    credentials = EnvironmentCredentials(account_id)
    return VpcCloud(credentials=credentials, endpoint=endpoint or None, clock=clock, calls=calls)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar for each circuit on stderr, where there is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield progress
