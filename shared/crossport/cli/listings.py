"""Commands that show what is in the store. None of them changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from crossport.application.ports import OutboxState
from crossport.cli import tables
from crossport.cli.database import open_views
from crossport.cli.failures import UnknownIdError
from crossport.cli.options import AsJson, Database
from crossport.cli.rendering import Column, Row, show_fields, show_json, show_line, show_table
from crossport.domain.vocabulary import Phase

#: A list that a person asked for is never cut off silently.
ALL = 2**31 - 1

connections_app = typer.Typer(help="Connections: one tenant's shared port and its VBR.")
ledger_app = typer.Typer(help="Billing records.")
notices_app = typer.Typer(help="Notices to tenants and to the partner.")
events_app = typer.Typer(help="What came in, how it ended, and why.")
outbox_app = typer.Typer(help="What commits have left to do: commands, notices, messages.")
findings_app = typer.Typer(help="What a person should look at.")


@connections_app.command("list")
def list_connections(
    phase: Annotated[Phase | None, typer.Option(help="Only those in this phase.")] = None,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """List connections, the newest first."""
    with open_views(db) as views:
        rows = views.connections(phase, limit=ALL)
    empty = "No connections." if phase is None else f"No connections are {phase}."
    _show("Connections", rows, tables.CONNECTIONS, empty, as_json=as_json)


@connections_app.command("show")
def show_connection(
    connection_id: Annotated[str, typer.Argument(metavar="ID", help="The connection's id, conn-...")],
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """Show one connection with all that is known of it."""
    with open_views(db) as views:
        row = views.connection(connection_id)
    if row is None:
        raise UnknownIdError(f"no connection {connection_id}")
    if as_json:
        show_json(row)
        return
    show_fields(f"Connection {connection_id}", tables.connection_fields(row))
    notices = [each for each in row["outbox"] if each["target"] == "queue:notices"]
    for title, rows, columns, empty in (
        ("Billing records", row["records"], tables.LEDGER, "No billing records."),
        ("Notices", notices, tables.NOTICES, "No notices."),
        ("Events", [each for each in row["audit"] if each["kind"] == "input"], tables.EVENTS, "No events."),
        ("Findings", row["findings"], tables.FINDINGS, "No findings."),
    ):
        show_line("")
        show_table(title, rows, columns, empty=empty)


@ledger_app.command("list")
def list_ledger(
    connection: Annotated[str | None, typer.Option(metavar="ID", help="Only records of this connection.")] = None,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """List billing records in the order in which they were written."""
    with open_views(db) as views:
        if connection is not None and views.connection(connection) is None:
            raise UnknownIdError(f"no connection {connection}")
        rows = views.ledger(connection, limit=ALL)
    _show("Billing records", rows, tables.LEDGER, "No billing records.", as_json=as_json)


@notices_app.command("list")
def list_notices(db: Database = "", as_json: AsJson = False) -> None:
    """List notices with where each was sent."""
    with open_views(db) as views:
        rows = views.notices(limit=ALL)
    _show("Notices", rows, tables.NOTICES, "No notices.", as_json=as_json)


@outbox_app.command("list")
def list_outbox(
    state: Annotated[OutboxState | None, typer.Option(help="Only rows in this state.")] = None,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """List what commits have left to do, in the order in which it arose."""
    with open_views(db) as views:
        rows = [row for row in views.outbox(limit=ALL) if state is None or row["state"] == state]
    empty = "Nothing in the outbox." if state is None else f"Nothing in the outbox is {state}."
    _show("Outbox", rows, tables.OUTBOX, empty, as_json=as_json)


@events_app.command("list")
def list_events(
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the latest.")] = 100,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """List inputs (cloud events, orders, timers) with their verdicts, the latest first."""
    with open_views(db) as views:
        rows = views.events(limit=limit)
    _show("Events", rows, tables.EVENTS, "No events.", as_json=as_json)


@findings_app.command("list")
def list_findings(
    cleared: Annotated[bool, typer.Option("--cleared", help="Also those that are settled.")] = False,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """List open findings, the oldest first."""
    with open_views(db) as views:
        rows = views.findings(cleared=cleared, limit=ALL)
    _show("Findings", rows, tables.FINDINGS, "No findings.", as_json=as_json)


def _show(title: str, rows: Sequence[Row], columns: Sequence[Column], empty: str, *, as_json: bool) -> None:
    if as_json:
        show_json(rows)
    else:
        show_table(title, rows, columns, empty=empty)
