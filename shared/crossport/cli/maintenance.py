"""``crossport maintenance``: planned work on circuits and outages of them, told to those affected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from crossport.cli.database import now, open_store, open_views, person
from crossport.cli.failures import RUNTIME_FAILURE, MisuseError, UnknownIdError, complain
from crossport.cli.options import AsJson, Database, Reason
from crossport.cli.rendering import Column, Row, moment, show_json, show_line, show_table
from crossport.domain.maintenance import Maintenance, MaintenanceKind, Side, in_force_on, record_id_for

if TYPE_CHECKING:
    from crossport.application.maintaining import Recorded
    from crossport.domain.circuit import Circuit

maintenance_app = typer.Typer(help="Planned maintenance and outages of circuits.")

_OneCircuit = Annotated[str, typer.Option("--circuit", metavar="ID", help="The circuit.")]
_Cause = Annotated[str, typer.Option(help="What is the matter, as tenants are told; kept in the audit trail.")]
_Side = Annotated[Side, typer.Option(help="On whose side of the demarcation the cause lies.")]
_Zone = Annotated[str, typer.Option(help="IANA time zone of the times given here.")]
_Who = Annotated[str, typer.Option("--actor", help="Who does this; whoever is logged in if unset. Audited.")]

_STATES = {"in force": "red", "planned": "yellow", "over": "yellow"}
_RECORDS = (
    Column("Record\nCircuit", lambda row: [row["record_id"], row["circuit_id"]]),
    Column("Kind\nState", lambda row: [row["kind"], row["state"]], style=lambda row: _STATES.get(row["state"], "dim")),
    Column("From, until\n(UTC)", lambda row: [moment(row["starts_at"]), _end(row)]),
    Column("Cause\nLies with", lambda row: [row["cause"], row["side"].replace("_", " ")]),
    Column("By\nCleared (UTC)", lambda row: [row["actor"], moment(row["cleared_at"]) if row["cleared_at"] else ""]),
)


@maintenance_app.command("plan")
def plan(
    circuit: _OneCircuit,
    starts: Annotated[str, typer.Option("--from", metavar="TIME", help="When it begins, such as 2026-12-06T02:00.")],
    ends: Annotated[str, typer.Option("--until", metavar="TIME", help="When it ends.")],
    cause: _Cause,
    zone: _Zone = "UTC",
    side: _Side = Side.PARTNER,
    force: Annotated[str, typer.Option(metavar="REASON", help="Plan it although a sibling's circuit is out.")] = "",
    actor: _Who = "",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """Put planned work on record and tell those affected."""
    window = (_time(starts, zone, "--from"), _time(ends, zone, "--until"))
    given = {"zone": zone, "side": side, "cause": cause, "actor": actor, "forced": force}
    return _put_down(db, circuit, MaintenanceKind.PLANNED, window, given, as_json=as_json)


@maintenance_app.command("start")
def start(
    circuit: _OneCircuit,
    cause: _Cause,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When it began; now if unset.")] = "",
    ends: Annotated[str, typer.Option("--until", metavar="TIME", help="When it is expected to end, if known.")] = "",
    zone: _Zone = "UTC",
    side: _Side = Side.UNKNOWN,
    actor: _Who = "",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """Put an outage on record and tell those affected."""
    began = _time(at, zone, "--at") if at else now()
    window = (began, _time(ends, zone, "--until") if ends else None)
    given = {"zone": zone, "side": side, "cause": cause, "actor": actor}
    return _put_down(db, circuit, MaintenanceKind.OUTAGE, window, given, as_json=as_json)


@maintenance_app.command("clear")
def clear(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="The record (mnt-...), or the circuit in trouble.")],
    reason: Reason,
    actor: _Who = "",
    db: Database = "",
    as_json: AsJson = False,
) -> int:
    """Say that work is done, an outage over, or planned work called off, and tell those affected."""
    from crossport.application.maintaining import clear_maintenance

    with open_store(db) as store:
        at = now()
        here = in_force_on(wanted, store.open_maintenance(), at)
        record = here or next((one for one in store.maintenance() if one.record_id == wanted), None)
        if record is None:
            raise UnknownIdError(f"no record {wanted}, and no circuit of that id is in trouble")
        done = None
        if record.cleared_at is None:
            outcome = _said(reason, "--reason")
            done = clear_maintenance(record, store, actor=actor or person(), outcome=outcome, at=at)
        current = next(one for one in store.maintenance() if one.record_id == record.record_id)
    if as_json:
        show_json({**_row(current), "changed": done is not None, "told": _told(done)})
    elif done is None:
        show_line(f"It is {current.state(now())} already, by {current.cleared_by}; nothing has changed.")
    else:
        show_line(
            f"{record.record_id} is {current.state(now())}; {_who_is_told(done)}. What waited goes within a minute."
        )
    return 0


@maintenance_app.command("list")
def list_maintenance(
    cleared: Annotated[bool, typer.Option("--cleared", help="Also those that are cleared.")] = False,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """List records of planned work and outages, the latest first."""
    with open_views(db) as views:
        rows = [_row(one) for one in views.maintenance() if cleared or one.cleared_at is None]
    if as_json:
        show_json(rows)
    else:
        show_table("Maintenance and outages", rows, _RECORDS, empty="No circuit is under maintenance or out.")


def _put_down(
    db: str,
    circuit_id: str,
    kind: MaintenanceKind,
    window: tuple[datetime, datetime | None],
    given: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    from crossport.application.maintaining import record_maintenance

    with open_store(db) as store:
        circuit = store.circuit(circuit_id)
        if circuit is None:
            raise UnknownIdError(f"no circuit {circuit_id}")
        record = _record(circuit, kind, window, given)
        done = record_maintenance(record, store)
    if as_json:
        refused = [{"code": each.code, "message": each.message, "subject": each.subject} for each in done.refusals]
        show_json({**_row(record), "changed": not refused, "refused": refused, "told": _told(done)})
    elif not done.refusals:
        _show(record, done)
    for refusal in done.refusals:
        complain(f"{refusal.code}: {refusal.message}")
    return RUNTIME_FAILURE if done.refusals else 0


def _record(
    circuit: Circuit, kind: MaintenanceKind, window: tuple[datetime, datetime | None], given: dict[str, Any]
) -> Maintenance:
    at = now()
    cause, actor = _said(given["cause"], "--cause"), given["actor"] or person()
    return Maintenance(
        record_id=record_id_for(circuit.circuit_id, kind, window[0], at),
        kind=kind,
        account_id=circuit.account_id,
        circuit_id=circuit.circuit_id,
        starts_at=window[0],
        ends_at=window[1],
        recorded_at=at,
        **{**given, "cause": cause, "actor": actor},
    )


def _show(record: Maintenance, done: Recorded) -> None:
    window = f"from {moment(record.starts_at)} UTC"
    if record.ends_at is not None:
        window += f" until {moment(record.ends_at)} UTC"
    show_line(f"{record.record_id}: {record.kind} on {record.circuit_id} {window}; {_who_is_told(done)}.")
    cut_off = [one.placement for one in done.affected if one.cut_off]
    if cut_off:
        named = ", ".join(f"{each.connection_id} ({each.tenant_uid})" for each in cut_off[:10])
        more = f" and {len(cut_off) - 10} more" if len(cut_off) > 10 else ""
        show_line(f"No sibling carries for {named}{more}: crossport circuits impact {record.circuit_id}")
    show_line(f"When it is over: crossport maintenance clear {record.record_id} --reason ...")


def _who_is_told(done: Recorded) -> str:
    tenants = {one.placement.tenant_uid for one in done.affected if one.placement.there}
    if not done.told:
        return "no connection lies on it, nobody is told"
    count = len(done.told) - 1
    return (
        f"{count} {'connection' if count == 1 else 'connections'} of {len(tenants)} "
        f"{'tenant' if len(tenants) == 1 else 'tenants'} and the partner are told"
    )


def _told(done: Recorded | None) -> list[dict[str, str]]:
    notices = done.told if done is not None else ()
    return [{"key": each.key, "connection_id": each.connection_id, "party": str(each.party)} for each in notices]


def _row(record: Maintenance) -> Row:
    return {
        "record_id": record.record_id,
        "kind": str(record.kind),
        "state": record.state(now()),
        "account_id": record.account_id,
        "circuit_id": record.circuit_id,
        "starts_at": record.starts_at,
        "ends_at": record.ends_at,
        "zone": record.zone,
        "side": str(record.side),
        "cause": record.cause,
        "actor": record.actor,
        "forced": record.forced,
        "recorded_at": record.recorded_at,
        "cleared_at": record.cleared_at,
        "cleared_by": record.cleared_by,
        "outcome": record.outcome,
    }


def _end(row: Row) -> str:
    if row["ends_at"] is None:
        return "until cleared"
    expected = " (expected)" if row["kind"] == MaintenanceKind.OUTAGE else ""
    return f"{moment(row['ends_at'])}{expected}"


def _time(text: str, zone: str, option: str) -> datetime:
    """A time as given, in the zone unless it names an offset itself."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ZoneInfoNotFoundError, OSError):
        raise MisuseError(f"--zone: {zone} is not an IANA time zone, such as Asia/Shanghai") from None
    except (ValueError, OverflowError):
        raise MisuseError(f"{option}: {text!r} is not a time, such as 2026-12-06T02:00") from None


def _said(text: str, option: str) -> str:
    if not text.strip():
        raise MisuseError(f"{option} says nothing")
    return text
