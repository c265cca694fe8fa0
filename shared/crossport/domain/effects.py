"""Effects: the notices and commands that follow from merged facts.

Each effect has a deterministic key. The rules here are monotone: more observations can only add keys, whatever
their order, so every path to the same facts ends with the same keys. What is moot by the time it would be sent is
dropped then, with the reason (``moot``); skipping a phase therefore skips no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.facts import PortFacts
from crossport.domain.phase import VBR_UP, phase_of, suspension
from crossport.domain.policy import Policy
from crossport.domain.violations import Violation, unknown_values, violations_of
from crossport.domain.vocabulary import MilestoneName, OrderMode, Origin, Party, Phase

_BOTH = (Party.TENANT, Party.PARTNER)
_LOCKS = frozenset({"FinancialLocked", "SecurityLocked"})
#: Phases in which a port or an order still may become a service.
ALIVE = frozenset(
    {Phase.ORDERED, Phase.PROVISIONING, Phase.OFFERED, Phase.ACCEPTED, Phase.ENABLED, Phase.ACTIVE, Phase.SUSPENDED}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that one party is to be told. ``details`` are JSON values for the text."""

    key: str
    kind: str
    connection_id: str
    party: Party
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """Something that the relay is to do in the cloud: ``create_port``, ``pay_port`` or ``read_port``."""

    key: str
    kind: str
    connection_id: str
    details: dict[str, Any] = field(default_factory=dict)


Effect = Notice | Command


def effects_of(connection: Connection, policy: Policy) -> tuple[Effect, ...]:
    """Every effect that the facts call for, in a stable order. Saving inserts those whose key is new."""
    return (*_commands(connection, policy), *_notices(connection))


def _commands(connection: Connection, policy: Policy) -> Iterator[Effect]:
    port = connection.port
    if connection.intended_at is not None:
        yield _command(connection, "create_port")
    if connection.intended_at is not None and port is not None:
        # The create call answers with an id alone; the port's own words follow from a read.
        yield _command(connection, "read_port", port_id=port.port_id, cause="created")
    ours_to_pay = connection.origin is Origin.ORDER and connection.terms.order_mode == OrderMode.PARTNER_PAYS
    if port is not None and ours_to_pay and (policy.partner_pays_at == "created" or port.confirmed):
        yield _command(connection, "pay_port")


def _notices(connection: Connection) -> Iterator[Effect]:
    if connection.refusals:
        yield from _tell(connection, "order_refused", _BOTH, "", reasons=[r.code for r in connection.refusals])
    if connection.failure is not None:
        yield from _tell(connection, "provisioning_failed", (Party.PARTNER,), "", reasons=[connection.failure.code])
    port = connection.port
    if port is None:
        return
    if connection.origin is Origin.ORDER:
        yield from _tell(connection, "offer", _BOTH, "")
    elif connection.origin is Origin.CONSOLE:
        yield from _tell(connection, "port_adopted", _BOTH, "")
    if port.confirmed:
        yield from _tell(connection, "accepted", (Party.PARTNER,), "")
    if "Enabled" in port.status.values():
        yield from _tell(connection, "enabled", (Party.PARTNER,), "")
    for vbr in connection.vbrs:
        up = "Enabled" in port.status.values() and VBR_UP in vbr.status.values()
        if port.confirmed and up and connection.ever_conformed(vbr):
            yield from _tell(connection, "active", _BOTH, vbr.vbr_id, vbr_id=vbr.vbr_id)
    yield from _episodes(connection, port)
    yield from _ends(connection, port)
    yield from _violation_notices(connection, port)


def _episodes(connection: Connection, port: PortFacts) -> Iterator[Effect]:
    """One notice for each separate time that the port was locked or terminated, and for each return.

    Episodes are counted, not dated: a late observation may move when an episode began, never how many there were.
    """
    for value in sorted(_LOCKS):
        for number in range(1, port.business_status.count_runs(value) + 1):
            yield from _tell(connection, "suspended", _BOTH, f"{value}:{number}", cause=value)
    for number in range(1, port.business_status.count_runs("Normal", after=_LOCKS) + 1):
        yield from _tell(connection, "resumed", _BOTH, f"Normal:{number}")
    for number in range(1, port.status.count_runs("Terminated") + 1):
        yield from _tell(connection, "suspended", _BOTH, f"Terminated:{number}", cause="Terminated")
    for number in range(1, port.status.count_runs("Enabled", after={"Terminated"}) + 1):
        yield from _tell(connection, "resumed", _BOTH, f"Enabled:{number}")
    for end in sorted(port.end_time.values()):
        yield from _tell(connection, "paid_until", (Party.PARTNER,), end.isoformat(), end_time=end.isoformat())


def _ends(connection: Connection, port: PortFacts) -> Iterator[Effect]:
    if port.deleted:
        yield from _tell(connection, "port_gone", _BOTH, "")


def _violation_notices(connection: Connection, port: PortFacts) -> Iterator[Effect]:
    """A notice for every way in which the facts can be read as a violation; false ones are moot when sent.

    Violations themselves come and go with later facts, so their notices hang on pairs of values ever seen.
    """
    ids = sorted(vbr.vbr_id for vbr in connection.vbrs)
    subjects = [f"second_vbr:{vbr_id}" for vbr_id in ids] if len(ids) > 1 else []
    vlans = port.vlan_id.values() | {connection.terms.vlan_id}
    for vbr in connection.vbrs:
        subjects += [f"wrong_vbr_owner:{vbr.vbr_id}" for owner in vbr.owner_uid.values() - {connection.tenant_uid}][:1]
        if any(ours != theirs for ours in vlans for theirs in vbr.vlan_id.values()):
            subjects.append(f"wrong_vlan:{vbr.vbr_id}")
    for code, values, agreed in (
        ("wrong_port_owner", port.tenant_uid.values(), connection.tenant_uid),
        ("wrong_port_vlan", port.vlan_id.values(), connection.terms.vlan_id),
        ("wrong_port_circuit", port.circuit_id.values(), connection.circuit_id),
        ("wrong_order_mode", port.order_mode.values(), str(connection.terms.order_mode)),
    ):
        if any(value != agreed for value in values):
            subjects.append(f"{code}:{port.port_id}")
    subjects += [f"unknown_status:{subject}" for subject, _ in unknown_values(connection)]
    for subject in dict.fromkeys(subjects):
        yield from _tell(connection, "violation", (Party.PARTNER,), subject, violation=subject)


def moot(effect: Effect, connection: Connection, policy: Policy) -> str | None:
    """Why an effect need not be carried out any more, or None when it still matters."""
    phase = phase_of(connection, policy.consistency_window)
    rule = _MOOT.get(effect.kind)
    return rule(effect, connection, phase, policy) if rule else None


def _moot_offer(_effect: Effect, connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    if connection.port is not None and connection.port.confirmed:
        return "already_accepted"
    return None if phase is Phase.OFFERED else f"phase_is_{phase}"


def _moot_active(_effect: Effect, _connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    return None if phase is Phase.ACTIVE else f"phase_is_{phase}"


def _moot_enabled(_effect: Effect, _connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    return None if phase in ALIVE else f"phase_is_{phase}"


def _moot_suspended(effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    if suspension(connection, policy.consistency_window) is None:
        return "not_suspended_any_more"
    port = connection.port
    value = effect.details.get("cause")
    current = port and (port.status.current if value == "Terminated" else port.business_status.current)
    return None if current == value else "superseded"


def _moot_resumed(_effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    return "suspended_again" if suspension(connection, policy.consistency_window) else None


def _moot_paid_until(effect: Effect, connection: Connection, _phase: Phase, _policy: Policy) -> str | None:
    current = connection.port.end_time.current if connection.port else None
    return None if current is not None and current.isoformat() == effect.details["end_time"] else "superseded"


def _moot_violation(effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    live = {v.key for v in violations_of(connection, policy.consistency_window)}
    return None if effect.details["violation"] in live else "cleared"


def _moot_create(_effect: Effect, connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    if connection.port is not None:
        return "port_exists"
    return None if phase is Phase.PROVISIONING else f"phase_is_{phase}"


def _moot_pay(_effect: Effect, connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    if connection.port is not None and connection.port.status.current == "Enabled":
        return "already_paid"
    return None if phase in (Phase.OFFERED, Phase.ACCEPTED) else f"phase_is_{phase}"


_MOOT: dict[str, Callable[[Any, Connection, Phase, Policy], str | None]] = {
    "offer": _moot_offer,
    "active": _moot_active,
    "enabled": _moot_enabled,
    "accepted": _moot_enabled,
    "suspended": _moot_suspended,
    "resumed": _moot_resumed,
    "paid_until": _moot_paid_until,
    "violation": _moot_violation,
    "create_port": _moot_create,
    "pay_port": _moot_pay,
}


def gates(policy: Policy) -> frozenset[MilestoneName]:
    """The milestones that must be reached before the create call may be intended (rulings 5 and 11)."""
    return frozenset({policy.push_after, *([MilestoneName.UID_CONFIRMED] if policy.confirm_uid else [])})


def ready_to_push(connection: Connection, policy: Policy) -> bool:
    """Whether the create call may be intended now: every milestone that gates it is reached."""
    return all(connection.milestone(name) is not None for name in gates(policy))


def evidence(violation: Violation) -> dict[str, str]:
    """A violation as JSON values."""
    return {"code": violation.code, "subject": violation.subject, "evidence": violation.evidence}


def _tell(
    connection: Connection, kind: str, parties: tuple[Party, ...], subject: str, **details: Any
) -> Iterator[Notice]:
    for party in parties:
        key = ":".join(part for part in (connection.connection_id, kind, subject, str(party)) if part)
        yield Notice(key=key, kind=kind, connection_id=connection.connection_id, party=party, details=details)


def _command(connection: Connection, kind: str, **details: Any) -> Command:
    cause = details.get("cause")
    key = ":".join(part for part in (connection.connection_id, kind, cause) if part)
    return Command(key=key, kind=kind, connection_id=connection.connection_id, details=details)
