"""From decisions to saves, and the loop that loads, decides and saves until it wins or gives up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from crossport.application.ports import OutboxRow, Save
from crossport.domain.decide import Change, Decision
from crossport.domain.effects import Command, Effect, Notice, Reply
from crossport.domain.vocabulary import Party

#: How often a lost save is loaded and decided again before the input ends as ``retry`` (design section 3).
MAX_ROUNDS = 8
#: Where replies to orders and requests go.
REPLIES_TARGET = "queue:order-replies"


def save_of(decisions: Sequence[Decision], *, version: int | None, at: datetime, **rest: Any) -> Save:
    """One save for a chain of decisions on one connection: the last state, and what each of them called for."""
    last = decisions[-1]
    extra: tuple[OutboxRow, ...] = rest.pop("outbox", ())
    return Save(
        connection=last.connection,
        phase=last.phase,
        violations=last.violations,
        version=version,
        at=at,
        outbox=(*outbox_rows(effect for d in decisions for effect in d.effects), *extra),
        records=tuple(record for d in decisions for record in d.records),
        findings=tuple(finding for d in decisions for finding in d.findings),
        wakes=any(d.changes or d.effects for d in decisions),
        known=last.known,
        **rest,
    )


def outbox_rows(effects: Iterable[Effect]) -> tuple[OutboxRow, ...]:
    """Outbox rows of effects: commands for the cloud, notices for the ``notices`` queue."""
    return tuple(_row(effect) for effect in effects)


def effect_of(row: OutboxRow) -> Effect:
    """The effect that an outbox row was made from; the inverse of ``outbox_rows``."""
    connection_id = row.connection_id or ""
    if row.target == "cloud":
        return Command(key=row.key, kind=row.kind, connection_id=connection_id, details=dict(row.payload))
    return Notice(
        key=row.key,
        kind=row.kind,
        connection_id=connection_id,
        party=Party(row.payload["party"]),
        details=row.payload["details"],
    )


def read_port(
    port_id: str,
    *,
    cause: str,
    account_id: str,
    region: str,
    after: datetime | None,
    connection_id: str | None,
    circuit_id: str = "",
    vbr_ids: Sequence[str] = (),
) -> OutboxRow:
    """The command to read a port. ``after``: the read must be later than this to settle the matter.

    ``vbr_ids`` are VBRs of the circuit ``circuit_id`` that may hang on it; those that do not are looked for.
    """
    supposed = {"circuit_id": circuit_id, "vbr_ids": list(vbr_ids)} if vbr_ids else {}
    return OutboxRow(
        key=f"{connection_id or f'{account_id}/{port_id}'}:read_port:{cause}",
        kind="read_port",
        target="cloud",
        connection_id=connection_id,
        payload={
            "port_id": port_id,
            "cause": cause,
            "account_id": account_id,
            "region": region,
            "after": after.isoformat() if after is not None else None,
            **supposed,
        },
    )


def find_vbr(vbr_id: str, *, account_id: str, region: str, circuit_id: str) -> OutboxRow:
    """The command to find the port that a VBR of a circuit's list hangs on. It is given once for each VBR."""
    return OutboxRow(
        key=f"{account_id}/{vbr_id}:find_vbr",
        kind="find_vbr",
        target="cloud",
        payload={"vbr_id": vbr_id, "account_id": account_id, "region": region, "circuit_id": circuit_id},
    )


def told(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Changes as JSON values for the audit trail."""
    return [{"kind": change.kind, **change.details} for change in changes]


def _row(effect: Effect) -> OutboxRow:
    if isinstance(effect, Notice):
        payload = {
            "type": "notice.send",
            "version": 1,
            "key": effect.key,
            "kind": effect.kind,
            "connection_id": effect.connection_id,
            "party": str(effect.party),
            "details": effect.details,
        }
        return OutboxRow(
            key=effect.key,
            kind=effect.kind,
            target="queue:notices",
            payload=payload,
            connection_id=effect.connection_id,
        )
    if isinstance(effect, Reply):
        return OutboxRow(
            key=effect.key,
            kind=effect.kind,
            target=REPLIES_TARGET,
            payload=effect.details,
            connection_id=effect.connection_id or None,
        )
    return OutboxRow(
        key=effect.key, kind=effect.kind, target="cloud", payload=effect.details, connection_id=effect.connection_id
    )
