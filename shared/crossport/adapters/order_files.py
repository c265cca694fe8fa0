"""Files of orders: JSON (one message or an array of them) and CSV (a header with the field names of ``order.new``).

Every row is checked with the model that the function ``orders`` will use, and all reasons are told at once.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

from crossport.adapters.messages import Ordered, Problem, parse_message
from crossport.domain.errors import CrossportError

#: Fields of ``order.new`` whose cells are JSON rather than text.
_JSON_CELLS = frozenset({"milestones"})
_WHOLE_NUMBERS = frozenset({"vlan_id", "version"})


class OrdersInvalidError(CrossportError):
    """A file of orders cannot be submitted; the field ``problems`` says why, a sentence each."""

    code: ClassVar[str] = "orders_invalid"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One message of a file. ``number`` is its row as a spreadsheet counts (a CSV's header is row 1), or its place in
    a JSON array from 1."""

    number: int
    body: Any
    problems: tuple[Problem, ...]


def read_orders(file: Path) -> tuple[Row, ...]:
    """The messages of a file, each with everything that is wrong with it.

    A name that ends in ``.csv`` is CSV, any other JSON. Raises OrdersInvalidError when there are no messages in it:
    the file is not UTF-8, not JSON, empty, or its header names fields that no order has; OSError when it cannot be
    read.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(file, f"not UTF-8 (byte {error.start})") from None
    bodies = _csv_bodies(file, text) if file.suffix.lower() == ".csv" else _json_bodies(file, text)
    if not bodies:
        raise _invalid(file, "no orders in it")
    first: dict[tuple[str, str], int] = {}
    return tuple(_checked(number, body, first) for number, body in bodies)


def _checked(number: int, body: Any, first: dict[tuple[str, str], int]) -> Row:
    parsed = parse_message(body)
    if isinstance(parsed, list):
        return Row(number=number, body=body, problems=tuple(parsed))
    if not isinstance(parsed, get_args(Ordered)):
        wrong = Problem("unknown_message_type", "type", f"{parsed.type} is not a message of the queue orders")
        return Row(number=number, body=body, problems=(wrong,))
    problems: tuple[Problem, ...] = ()
    if parsed.type != "order.milestone":
        key = (parsed.account_id, parsed.client_order_id)
        if first.setdefault(key, number) != number:
            sentence = f"{parsed.client_order_id} is the id of row {first[key]} already"
            problems = (Problem("duplicate_id", "client_order_id", sentence),)
    return Row(number=number, body=body, problems=problems)


def _json_bodies(file: Path, text: str) -> list[tuple[int, Any]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(file, f"not JSON: {error}") from None
    return list(enumerate(content if isinstance(content, list) else [content], start=1))


def _csv_bodies(file: Path, text: str) -> list[tuple[int, Any]]:
    from crossport.adapters.messages import OrderNew

    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        known = set(OrderNew.model_fields)
        if len(header) == 1 and (separator := next((sign for sign in ";\t" if sign in header[0]), None)):
            named = "tabs" if separator == "\t" else "semicolons"
            raise _invalid(file, f"row 1: {named} between the cells; save it with commas")
        wrong = [f"row 1: {name or 'an empty name'} is no field of order.new" for name in header if name not in known]
        wrong += [f"row 1: {name} stands there twice" for name in sorted(known) if header.count(name) > 1]
        if wrong:
            raise _invalid(file, *wrong)
        return [(number, _body(header, cells)) for number, cells in enumerate(rows, start=2) if any(cells)]
    except csv.Error as error:
        raise _invalid(file, f"not CSV: {error} (line {rows.line_num})") from None


def _body(header: list[str], cells: list[str]) -> dict[str, Any]:
    """A row as a message; empty cells are fields that are not given, surplus cells are a field that does not exist."""
    body: dict[str, Any] = {"type": "order.new"}
    body |= {name: _value(name, cell.strip()) for name, cell in zip(header, cells, strict=False) if cell.strip()}
    surplus = [cell for cell in cells[len(header) :] if cell.strip()]
    return {**body, "cell without a heading": surplus} if surplus else body


def _value(name: str, cell: str) -> Any:
    if name in _WHOLE_NUMBERS and cell.isascii() and cell.isdecimal():
        return int(cell) if len(cell) < 10 else cell
    if name in _JSON_CELLS:
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell


def sentences(rows: tuple[Row, ...]) -> Iterator[str]:
    """Every problem of a file as a sentence."""
    for row in rows:
        for problem in row.problems:
            field = f"{problem.field}: " if problem.field else ""
            yield f"row {row.number}: {field}{problem.message} ({problem.code})"


def _invalid(file: Path, *problems: str) -> OrdersInvalidError:
    return OrdersInvalidError(f"{file}: {problems[0]}", file=file, problems=problems)
