"""``crossport deadletters``: what was given up, looked at, sent to its function again, or put aside."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossport.cli.database import now, open_store, open_views
from crossport.cli.failures import RUNTIME_FAILURE, MisuseError, UnknownIdError
from crossport.cli.options import AsJson, Database
from crossport.cli.partner_cloud import progress_bars
from crossport.cli.rendering import Column, Row, moment_lines, show_fields, show_json, show_line, show_table

if TYPE_CHECKING:
    from crossport.adapters.store.sql_store import SqlStore
    from crossport.application.ports import DeadLetter, Functions

deadletters_app = typer.Typer(help="Inputs that were given up, kept as they came.")

#: Characters of a letter that are shown unless all of it is asked for.
_SHOWN = 2_000

State = Annotated[str, typer.Option(help="kept, replayed, discarded or all.")]
Cause = Annotated[str, typer.Option(metavar="CODE", help="Only letters of this cause.")]
Function = Annotated[str, typer.Option(metavar="NAME", help="Only letters of this function.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Letters by id, whatever their state.")]
All = Annotated[bool, typer.Option("--all", help="Every letter that is kept.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, only show what would be done.")]
Actor = Annotated[str, typer.Option(help="Who is doing this; kept in the audit trail; needed with --yes.")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit trail; needed with --yes.")]

Endpoint = Annotated[
    str,
    typer.Option(
        "--fc-endpoint", envvar="CROSSPORT_FC_ENDPOINT", metavar="HOST", help="Function Compute; default: the region's."
    ),
]

_STATE_STYLES = {"kept": "red", "replayed": "green", "discarded": "dim"}
#: More letters than there will ever be.
_EVERY = 2**31
_OUTCOME_STYLES = {"replayed": "green", "discarded": "dim", "would be sent": "", "would be discarded": ""}
_LETTERS = (
    Column("Letter\nInput", lambda row: [row["key"], row["name"]]),
    Column("Function\nCame by", lambda row: [row["function"], row["source"]]),
    Column("Cause\nForm", lambda row: [row["cause"], row["form"]]),
    Column("State\nBytes", lambda row: [row["state"], row["size"]], style=lambda r: _STATE_STYLES.get(r["state"], "")),
    Column("Kept\n(UTC)", lambda row: moment_lines(row["at"])),
)
_OUTCOMES = (
    Column("Letter", lambda row: [row["key"]]),
    Column("Function\nInput", lambda row: [row["function"], row["name"]]),
    Column("Cause", lambda row: [row["cause"]]),
    Column(
        "Outcome\nReason",
        lambda row: [row["outcome"], row["reason"]],
        style=lambda r: _OUTCOME_STYLES.get(r["outcome"], "red"),
    ),
)


@deadletters_app.command("list")
def list_letters(
    state: State = "kept", cause: Cause = "", function: Function = "", db: Database = "", as_json: AsJson = False
) -> None:
    """Letters, oldest first."""
    if state not in {*_STATE_STYLES, "all"}:
        raise MisuseError(f"--state {state}: kept, replayed, discarded or all")
    with open_views(db) as views:
        only = None if state == "all" else state
        rows = views.dead_letters(state=only, cause=cause or None, function=function or None)
    if as_json:
        show_json(rows)
    else:
        show_table("Dead letters", rows, _LETTERS, empty="There are none.")


@deadletters_app.command("show")
def show_letter(
    letter_id: Annotated[str, typer.Argument(metavar="ID")],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the bytes to a new file, exactly as they came.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show all of it, however long.")] = False,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """One letter: what is known of it, and its bytes with everything unprintable escaped."""
    with open_store(db) as store:
        letter = _letter(store, letter_id)
    if output is not None:
        try:
            with output.open("xb") as file:
                file.write(letter.body)
        except OSError as error:
            raise MisuseError(f"cannot write {output}: {error.strerror}") from error
    if as_json:
        show_json({**_values(letter), "body_base64": base64.b64encode(letter.body).decode("ascii")})
        return
    text = escaped(letter.body)
    shown = text if full or len(text) <= _SHOWN else text[:_SHOWN]
    details = [f"{name}: {_one_line(value)}" for name, value in letter.details.items()]
    values = _values(letter)
    fields = [(name, values[name]) for name in ("state", "function", "source", "cause", "form", "name", "account_id")]
    show_fields(letter.key, [*fields, ("at", values["at"]), ("details", details or ["-"]), ("bytes", len(letter.body))])
    show_line(shown)
    if len(shown) < len(text):
        show_line(f"({len(text) - len(shown)} characters more: --full)")


@deadletters_app.command("replay")
def replay_letters(
    letter_ids: Ids = None,
    cause: Cause = "",
    function: Function = "",
    every: All = False,
    to: Annotated[str, typer.Option(metavar="NAME", help="Send them to this function instead of their own.")] = "",
    yes: Yes = False,
    actor: Actor = "",
    reason: Reason = "",
    region: Annotated[str, typer.Option(envvar="CROSSPORT_REGION", help="The functions' region.")] = "",
    fc_endpoint: Endpoint = "",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """Send letters to their functions again, oldest first, as their whole event. A dry run unless --yes is given.

    A letter that its function takes is settled; one that is not taken stays. Sending one twice does no harm.
    """
    from crossport.application.dead_letters import replay

    _check_person(yes, actor, reason)
    functions = _functions(region, fc_endpoint) if yes else None

    def sent(letter: DeadLetter) -> Row:
        target = to or letter.function
        row = {"key": letter.key, "function": target, "name": letter.name, "cause": letter.cause}
        if not target:
            return {**row, "outcome": "not sent", "reason": "no function is known: give --to"}
        if functions is None:
            return {**row, "outcome": "would be sent", "reason": ""}
        said = replay(letter, functions=functions, store=store, function=target, actor=actor, reason=reason, at=now())
        told = [*dict.fromkeys(said.verdicts), *([said.reason] if said.reason else [])]
        return {**row, "outcome": "replayed" if said.taken else "not taken", "reason": ", ".join(told)}

    with open_store(db) as store:
        rows = _each(store, _chosen(store, db, letter_ids, cause, function, every), sent)
    return _told(rows, "replayed", yes=yes, as_json=as_json)


@deadletters_app.command("discard")
def discard_letters(
    letter_ids: Ids = None,
    cause: Cause = "",
    function: Function = "",
    every: All = False,
    yes: Yes = False,
    actor: Actor = "",
    reason: Reason = "",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """Put letters aside that nobody needs; their bytes stay. A dry run unless --yes is given."""
    from crossport.application.dead_letters import discard

    _check_person(yes, actor, reason)

    def put_aside(letter: DeadLetter) -> Row:
        row = {"key": letter.key, "function": letter.function, "name": letter.name, "cause": letter.cause}
        if not yes:
            return {**row, "outcome": "would be discarded", "reason": ""}
        done = discard(letter, store=store, actor=actor, reason=reason, at=now())
        return {
            **row,
            "outcome": "discarded" if done else "not discarded",
            "reason": "" if done else "settled meanwhile",
        }

    with open_store(db) as store:
        rows = _each(store, _chosen(store, db, letter_ids, cause, function, every), put_aside)
    return _told(rows, "discarded", yes=yes, as_json=as_json)


def escaped(body: bytes) -> str:
    """Bytes as text that does nothing to a terminal: what is not printable, or not UTF-8, is a backslash escape."""
    text = body.decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in text)


def _chosen(
    store: SqlStore, db: str, letter_ids: list[str] | None, cause: str, function: str, every: bool
) -> list[str]:
    """The ids of letters that were named, or of those that are kept and fit, oldest first."""
    if letter_ids:
        if cause or function or every:
            raise MisuseError("name letters, or choose them by --cause, --function or --all")
        return [_letter(store, each).key for each in letter_ids]
    if not (cause or function or every):
        raise MisuseError("which letters? name them, or give --cause, --function or --all")
    with open_views(db) as views:
        rows = views.dead_letters(state="kept", cause=cause or None, function=function or None, limit=_EVERY)
    return [str(row["key"]) for row in rows]


def _each(store: SqlStore, keys: list[str], act: Callable[[DeadLetter], Row]) -> list[Row]:
    """What became of each letter; their bytes are in memory one at a time, with a bar while it takes its time."""
    rows = []
    with progress_bars() as progress:
        bar = progress.add_task("Letters", total=len(keys))
        for key in keys:
            rows.append(act(_letter(store, key)))
            progress.update(bar, advance=1)
    return rows


def _told(rows: list[Row], done: str, *, yes: bool, as_json: bool) -> int:
    """Show what became, or would become, of the letters; 1 when one of them was not taken."""
    failed = [row for row in rows if str(row["outcome"]).startswith("not ")]
    if as_json:
        show_json({"dry_run": not yes, "letters": rows})
    else:
        show_table("Letters", rows, _OUTCOMES, empty="There are none.")
        if not yes:
            show_line("A dry run: nothing was done. With --yes, --actor and --reason it is.")
        elif rows:
            show_line(f"{len(rows) - len(failed)} of {len(rows)} {done}.")
    return RUNTIME_FAILURE if failed and yes else 0


def _letter(store: SqlStore, letter_id: str) -> DeadLetter:
    letter = store.dead_letter(letter_id)
    if letter is None:
        raise UnknownIdError(f"there is no dead letter {letter_id}")
    return letter


def _functions(region: str, endpoint: str) -> Functions:
    """Function Compute with the credentials of the environment. Raises at once when there are none."""
    from crossport.adapters.credentials import from_environment
    from crossport.adapters.fc import FunctionCompute

    if not region:
        raise MisuseError("which region? give --region or set CROSSPORT_REGION")
    from_environment()  # say so before any request rather than after one
    return FunctionCompute(region=region, endpoint=endpoint, credentials=from_environment)


def _check_person(yes: bool, actor: str, reason: str) -> None:
    for option, text in (("--actor", actor), ("--reason", reason)):
        if yes and not text.strip():
            raise MisuseError(f"--yes needs {option}: it is kept in the audit trail")


def _values(letter: DeadLetter) -> dict[str, Any]:
    return {
        "key": letter.key,
        "state": str(letter.state),
        "at": letter.at,
        "function": letter.function,
        "source": letter.source,
        "cause": letter.cause,
        "form": letter.form,
        "name": letter.name,
        "account_id": letter.account_id,
        "details": dict(letter.details),
    }


def _one_line(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
