"""``crossport orders``: check files of orders and hand them to the queue that the function ``orders`` reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossport.cli.failures import MISUSE, MisuseError
from crossport.cli.options import AsJson
from crossport.cli.rendering import show_json, show_line
from crossport.domain.errors import CrossportError

if TYPE_CHECKING:
    from crossport.adapters.order_files import Row
    from crossport.application.ports import Queue

#: The queue that the function ``orders`` reads.
ORDERS_QUEUE = "orders"

orders_app = typer.Typer(help="Files of orders and of requests on connections.")

_File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="JSON: one message or an array of them. CSV: the header names fields of order.new."
    ),
]
_Endpoint = Annotated[
    str,
    typer.Option(
        "--mns-endpoint", envvar="CROSSPORT_MNS_ENDPOINT", metavar="URL", help="The queue service of the account."
    ),
]


@orders_app.command("validate")
def validate(file: _File, as_json: AsJson = False) -> int:
    """Check every message of a file and tell everything that is wrong with it; nothing is sent."""
    rows = _rows(file)
    if as_json:
        _show(file, rows, sent=0)
        return MISUSE if any(row.problems for row in rows) else 0
    _refuse_invalid(file, rows)
    show_line(f"{_count(rows)} in {file}: all well formed. Whether they can be filled shows when they are placed.")
    return 0


@orders_app.command("submit")
def submit(
    file: _File,
    mns_endpoint: _Endpoint = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file and send nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check every message of a file and send all of them, or none when any is wrong.

    Sending a file again is harmless: each order and request carries its own id, and the same content under the same id
    is a duplicate.
    """
    rows = _rows(file)
    if as_json and any(row.problems for row in rows):
        _show(file, rows, sent=0)
        return MISUSE
    _refuse_invalid(file, rows)
    if not dry_run:
        if not mns_endpoint:
            raise MisuseError("no queue service: give --mns-endpoint URL or set CROSSPORT_MNS_ENDPOINT")
        _send(file, rows, open_queue(mns_endpoint))
    if as_json:
        _show(file, rows, sent=0 if dry_run else len(rows))
    elif dry_run:
        show_line(f"{_count(rows)} in {file} would be sent to the queue {ORDERS_QUEUE}; nothing was.")
    else:
        show_line(f"{_count(rows)} sent to the queue {ORDERS_QUEUE}; replies come on the queue order-replies.")
    return 0


def open_queue(endpoint: str) -> Queue:
    """The queue service at this URL, with the credentials of the environment."""
    from crossport.adapters.credentials import from_environment
    from crossport.adapters.mns import MnsQueue

    from_environment()  # say at once when there are none, rather than after a request
    return MnsQueue(endpoint=endpoint, credentials=from_environment)


def _rows(file: Path) -> tuple[Row, ...]:
    from crossport.adapters.order_files import read_orders

    try:
        return read_orders(file)
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror or error}") from None


def _refuse_invalid(file: Path, rows: tuple[Row, ...]) -> None:
    from crossport.adapters.order_files import OrdersInvalidError, sentences

    problems = tuple(sentences(rows))
    if problems:
        raise OrdersInvalidError(problems[0], file=file, problems=problems)


def _send(file: Path, rows: tuple[Row, ...], queue: Queue) -> None:
    for sent, row in enumerate(rows):
        try:
            queue.send(ORDERS_QUEUE, json.dumps(row.body, ensure_ascii=False))
        except CrossportError as error:
            raise _InterruptedError(
                f"{file}: row {row.number} could not be sent, {sent} of {len(rows)} were ({error.message}); "
                "send the file again once that is mended"
            ) from error


class _InterruptedError(CrossportError):
    """Sending stopped half way."""

    code = "orders_interrupted"


def _show(file: Path, rows: tuple[Row, ...], *, sent: int) -> None:
    problems: list[dict[str, Any]] = [
        {"row": row.number, "code": problem.code, "field": problem.field, "message": problem.message}
        for row in rows
        for problem in row.problems
    ]
    show_json({"file": str(file), "messages": len(rows), "valid": not problems, "sent": sent, "problems": problems})


def _count(rows: tuple[Row, ...]) -> str:
    return f"{len(rows)} message{'' if len(rows) == 1 else 's'}"
