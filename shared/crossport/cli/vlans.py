"""Commands that show who holds, and who held, the VLAN IDs of a circuit. None of them changes anything."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from crossport.cli import tables
from crossport.cli.database import open_views
from crossport.cli.failures import MisuseError, UnknownIdError
from crossport.cli.options import AsJson, Database
from crossport.cli.rendering import Row, show_json, show_line, show_table
from crossport.domain.circuit import MAX_VLAN_ID

vlans_app = typer.Typer(help="VLAN IDs of a circuit: who holds them, and who held them when.")

_Circuit = Annotated[str, typer.Option("--circuit", metavar="ID", help="The circuit.")]


@vlans_app.command("list")
def list_vlans(circuit: _Circuit, db: Database = "", as_json: AsJson = False) -> None:
    """List the VLAN IDs that are held on a circuit, with its bandwidth and what each will be given back after."""
    with open_views(db) as views:
        held = views.vlans(circuit)
    if held is None:
        raise UnknownIdError(f"no circuit {circuit}")
    if as_json:
        show_json(held)
        return
    show_table(f"VLAN IDs on {circuit}", held["holds"], tables.VLANS, empty=f"No VLAN ID is held on {circuit}.")
    show_line(_bandwidth(held))


@vlans_app.command("history")
def vlan_history(
    circuit: _Circuit,
    vlan: Annotated[int | None, typer.Option(min=0, max=MAX_VLAN_ID, help="Only this VLAN ID.")] = None,
    on: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Only who held it on this day.")] = None,
    zone: Annotated[str, typer.Option(help="IANA time zone in which --on is a day.")] = "UTC",
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """List who held which VLAN ID on a circuit, from when to when."""
    since, until = (None, None) if on is None else _day(on, _zone(zone))
    with open_views(db) as views:
        if views.vlans(circuit) is None:
            raise UnknownIdError(f"no circuit {circuit}")
        rows = views.vlan_history(circuit, vlan, since, until)
    if as_json:
        show_json(rows)
        return
    what = "VLAN IDs" if vlan is None else f"VLAN {vlan}"
    when = "" if on is None else f" on {on} ({zone})"
    empty = f"Nobody held {'a VLAN ID' if vlan is None else what} on {circuit}{when}."
    show_table(f"{what} on {circuit}{when}", rows, tables.VLAN_HISTORY, empty=empty)


def _bandwidth(held: Row) -> str:
    free = held["free_mbps"]
    rest = f"{free} Mbit/s are free" if free >= 0 else f"it is oversold by {-free} Mbit/s"
    return f"{held['held_mbps']} of {held['bandwidth_mbps']} Mbit/s are held; {rest}."


def _day(text: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """The beginning of a day and of the next one, in UTC; a day may have 23 or 25 hours."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
        following = day + timedelta(days=1)
        return _midnight(day, zone), _midnight(following, zone)
    except (ValueError, OverflowError):
        raise MisuseError(f"--on: {text!r} is not a day, such as 2026-05-03") from None


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MisuseError(f"--zone: {name} is not an IANA time zone, such as Asia/Shanghai") from None
