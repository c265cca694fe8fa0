"""How answers are shown: exact JSON for programs, tables that fit a terminal for people.

Tables never shorten an id: what belongs together is stacked in one cell, and what still does not fit is folded. A
pipe gets a table of 100 columns, so that a terminal and a file show the same.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.table import Table

#: Columns of a table that is not on a terminal, and at most on one.
WIDTH = 100
#: Stands where there is nothing to show.
NOTHING = "-"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: its heading (may have two lines), the cell's lines from a row, and how they stand."""

    heading: str
    lines: Callable[[Row], Sequence[Any]]
    justify: Literal["left", "right"] = "left"
    #: The rich style of a cell, from the row.
    style: Callable[[Row], str] = lambda _row: ""


def plain(value: Any) -> Any:
    """The value as JSON knows it: decimals as exact strings, times as ISO 8601 in UTC."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def show_json(value: Any) -> None:
    """Write one JSON value and nothing else to stdout."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def show_table(title: str, rows: Iterable[Row], columns: Sequence[Column], *, empty: str) -> None:
    """Show rows as a table, or say that there are none."""
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if not rows:
        show_line(empty)
        return
    table = Table(
        title=f"{title} ({len(rows)})",
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=_box(),
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        leading=1,  # without a blank line between them, stacked cells of two rows run together
    )
    for column in columns:
        table.add_column(column.heading, justify=column.justify, overflow="fold", vertical="top")
    for row in rows:
        table.add_row(*(Text(_cell(column.lines(row)), style=column.style(row)) for column in columns))
    _print(table)


def show_fields(
    title: str, fields: Sequence[tuple[str, Any]], styles: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Show one thing as a list of names and values; values may have several lines. ``styles``: rich styles by name."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        show_header=False,
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        lines = value if isinstance(value, list | tuple) else [value]
        table.add_row(name, Text(_cell(lines), style=styles.get(name, "")))
    _print(table)


def show_line(text: str) -> None:
    """Write one sentence to stdout."""
    sys.stdout.write(f"{text}\n")


def moment(value: Any) -> str:
    """A time for a column whose heading names UTC: ``2026-11-24 11:10:47``; "-" for none."""
    if value in (None, ""):
        return NOTHING
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at.tzinfo else str(value)


def moment_lines(value: Any) -> list[str]:
    """A time as two lines, date and time of day, for narrow columns."""
    return moment(value).split(" ")


def phase_style(row: Row) -> str:
    """Green where all is well, red where someone must act, yellow while it is under way."""
    if row.get("violations"):
        return "red"
    return _PHASE_STYLES.get(str(row.get("phase")), "yellow")


_PHASE_STYLES = {
    "active": "green",
    "suspended": "red",
    "rejected": "red",
    "failed": "red",
    "released": "dim",
    "withdrawn": "dim",
    "declined": "dim",
}


def _cell(lines: Sequence[Any]) -> str:
    shown = [_printable(str(NOTHING if line is None or line == "" else line)) for line in lines]
    while len(shown) > 1 and shown[-1] == NOTHING:
        shown.pop()
    return "\n".join(shown)


def _printable(text: str) -> str:
    # Names in events come from outside: no escape sequence of theirs may reach the operator's terminal.
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _box() -> Any:
    from rich import box

    return box.SIMPLE_HEAD


def _print(table: Table) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    if (
        table.show_header
        and console.measure(table, options=console.options.update(width=10 * WIDTH)).maximum > console.width
    ):
        table.padding = (0, 0, 0, 0)  # closer columns first; what still does not fit is folded
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    # A terminal does not show the blanks that fill up a line; a file would keep them.
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
