"""``crossport status``: how everything stands, on one screen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crossport.cli.database import now, open_views
from crossport.cli.options import AsJson, Database
from crossport.cli.pause import said_of
from crossport.cli.rendering import moment, show_fields, show_json
from crossport.domain.maintenance import Maintenance
from crossport.domain.pause import Pause


def status(db: Database = "", as_json: AsJson = False) -> None:
    """Show how everything stands: pauses, what waits or was given up, connections by phase, open findings."""
    with open_views(db) as views:
        pauses = views.pauses()
        at = now()
        records = [one for one in views.open_maintenance() if one.state(at) != "planned"]
        told = views.standing()
    if as_json:
        known = {"paused": bool(pauses), "pauses": [_pause(each) for each in pauses]}
        show_json({"at": at, **known, "maintenance": [_record(one, at) for one in records], **told})
        return
    show_fields(
        "Crossport",
        [
            ("Commands to the cloud", [f"PAUSED in {said_of(each)}" for each in pauses] or "running"),
            ("Circuits in trouble", [_trouble(one, at) for one in records] or "none on record"),
            *((f"{what.capitalize()} to do", _waiting(told["outbox"][what])) for what in told["outbox"]),
            ("Connections", _counts(told["connections"]) or "none"),
            ("Open findings", _counts(told["findings"]) or "none"),
            ("Circuits compared", _compared(told["circuits"])),
            ("Configuration", f"version {told['configuration']}" if told["configuration"] else "none applied yet"),
        ],
        styles={
            "Commands to the cloud": "bold red" if pauses else "green",
            "Circuits in trouble": "bold red" if records else "green",
        },
    )


def _pause(pause: Pause) -> dict[str, Any]:
    return {
        "account_id": pause.account_id or None,
        "since": pause.since,
        "actor": pause.actor,
        "reason": pause.reason,
    }


def _record(record: Maintenance, at: datetime) -> dict[str, Any]:
    return {
        "record_id": record.record_id,
        "kind": str(record.kind),
        "state": record.state(at),
        "circuit_id": record.circuit_id,
        "cause": record.cause,
    }


def _trouble(record: Maintenance, at: datetime) -> str:
    """A record that holds, or whose window has passed without anybody saying that it is over."""
    still = "" if record.in_force(at) else " (its window is over: clear it)"
    return f"{record.kind} {record.record_id} on {record.circuit_id}: {record.cause}{still}"


def _waiting(backlog: dict[str, Any]) -> list[str]:
    """What is due and since when, why, and what was given up."""
    lines = ["nothing"]
    if backlog["due"]:
        lines = [f"{backlog['due']} due, the oldest since {moment(backlog['since'])} UTC"]
    lines += [f"  {count} wait: {reason}" for reason, count in backlog["waits"].items()]
    if backlog["failed"]:
        lines.append(f"{backlog['failed']} given up: crossport outbox list --state failed")
    return lines


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _compared(circuits: dict[str, Any]) -> str:
    """How fresh the comparison with the cloud is."""
    if not circuits["compared"]:
        return f"0 of {circuits['known']} with the cloud: crossport reconcile"
    oldest = f"the oldest {moment(circuits['oldest'])} UTC"
    partly = f", {circuits['broken_off']} not to the end" if circuits["broken_off"] else ""
    return f"{circuits['compared']} of {circuits['known']} with the cloud, {oldest}{partly}"
