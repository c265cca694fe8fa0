"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Database = Annotated[
    str,
    typer.Option(
        "--db", envvar="CROSSPORT_DB", metavar="URL", help="Crossport's database, such as sqlite:////tmp/crossport.db."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON and nothing else to stdout.")]
Actor = Annotated[str, typer.Option(help="Who is changing this; kept in the audit trail.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail.")]
