"""``crossport pause`` and ``crossport resume``: stop our commands to the cloud, and let them go again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from crossport.cli.database import now, open_store, person
from crossport.cli.failures import MisuseError, UnknownIdError
from crossport.cli.options import AsJson, Database, Reason
from crossport.cli.rendering import moment, show_json, show_line
from crossport.domain.pause import EVERY_ACCOUNT, Pause, pause_of

if TYPE_CHECKING:
    from crossport.adapters.store.sql_store import SqlStore

_Account = Annotated[str, typer.Option(metavar="ID", help="Only in this partner account; all of them if unset.")]
_Who = Annotated[str, typer.Option("--actor", help="Who does this; whoever is logged in if unset. Audited.")]


def pause(
    reason: Reason, account: _Account = EVERY_ACCOUNT, actor: _Who = "", db: Database = "", as_json: AsJson = False
) -> None:
    """Stop commands to the cloud: they stay in the outbox until crossport resume.

    Reading the cloud, orders, notices and billing go on. A call that is under way is not called back.
    """
    with open_store(db) as store:
        _require_account(store, account)
        wanted = Pause(account_id=account, since=now(), actor=_said(actor or person(), "--actor"), reason=_said(reason))
        changed = store.pause(wanted)
        found = pause_of(account, store.pauses()) or wanted
    if as_json:
        show_json({**_row(found), "changed": changed})
    elif changed:
        show_line(f"PAUSED: commands to the cloud wait in {_where(account)}. To let them go: {_resume(account)}")
    else:
        show_line(f"It was paused already: {said_of(found)}. Nothing has changed.")


def resume(
    reason: Reason, account: _Account = EVERY_ACCOUNT, actor: _Who = "", db: Database = "", as_json: AsJson = False
) -> None:
    """Let commands to the cloud go again: those that waited are due at once."""
    with open_store(db) as store:
        changed = store.resume(account, actor=_said(actor or person(), "--actor"), reason=_said(reason), at=now())
        left = store.pauses()
    if as_json:
        show_json({"account_id": account or None, "changed": changed, "pauses": [_row(each) for each in left]})
        return
    if changed:
        show_line(f"Commands to the cloud go again in {_where(account)}; the relay takes them within a minute.")
    else:
        show_line(f"Nothing was paused in {_where(account)}.")
    for each in left:
        show_line(f"STILL PAUSED: {said_of(each)}. To let them go: {_resume(each.account_id)}")


def said_of(pause: Pause) -> str:
    """A pause in one clause."""
    return f"{_where(pause.account_id)} since {moment(pause.since)} UTC by {pause.actor}: {pause.reason}"


def _where(account_id: str) -> str:
    return f"account {account_id}" if account_id else "all accounts"


def _resume(account_id: str) -> str:
    return f"crossport resume{f' --account {account_id}' if account_id else ''} --reason ..."


def _row(pause: Pause) -> dict[str, object]:
    return {
        "account_id": pause.account_id or None,
        "since": pause.since,
        "actor": pause.actor,
        "reason": pause.reason,
    }


def _said(text: str, option: str = "--reason") -> str:
    if not text.strip():
        raise MisuseError(f"{option} says nothing")
    return text


def _require_account(store: SqlStore, account_id: str) -> None:
    """A misspelt account would pause nothing, and nobody would notice."""
    if account_id and all(circuit.account_id != account_id for circuit in store.circuits()):
        raise UnknownIdError(f"no circuit of account {account_id} is on record: nothing there could be paused")
