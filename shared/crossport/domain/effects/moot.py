"""When an effect need not be carried out any more; asked right before it would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.effects.kinds import ALIVE, Effect
from crossport.domain.facts import PortFacts
from crossport.domain.phase import TERMINATED, VBR_DOWN, phase_of, suspension
from crossport.domain.policy import Policy
from crossport.domain.recovery import tenant_must_act
from crossport.domain.violations import violations_of
from crossport.domain.vocabulary import Phase


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


def _moot_suspended(effect: Effect, connection: Connection, phase: Phase, policy: Policy) -> str | None:
    found, port = suspension(connection, policy.consistency_window), connection.port
    if found is None or port is None:
        return "not_suspended_any_more"
    if phase is not Phase.SUSPENDED:
        return f"phase_is_{phase}"
    return None if _is_the_cause(effect.details, connection, port, found.reason) else "superseded"


def _is_the_cause(details: Mapping[str, object], connection: Connection, port: PortFacts, reason: str) -> bool:
    """Whether what a notice of a suspension tells is what suspends the connection now."""
    cause = details.get("cause")
    if cause == "expired":
        end = port.end_time.current
        return reason == "expired" and end is not None and details["end_time"] == end.isoformat()
    if cause == "vbr_terminated":
        off = {vbr.vbr_id for vbr in connection.vbrs if vbr.status.current in VBR_DOWN}
        return details["vbr_id"] in off and port.status.current == "Enabled"
    if cause == "Terminated":
        return port.status.current in TERMINATED
    return reason != "expired" and port.business_status.current == cause


def _moot_recovery(_effect: Effect, connection: Connection, phase: Phase, policy: Policy) -> str | None:
    if phase is not Phase.SUSPENDED:
        return f"phase_is_{phase}"
    return None if tenant_must_act(connection, policy.consistency_window) else "superseded"


def _moot_resumed(_effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    return "suspended_again" if suspension(connection, policy.consistency_window) else None


def _moot_paid_until(effect: Effect, connection: Connection, _phase: Phase, _policy: Policy) -> str | None:
    current = connection.port.end_time.current if connection.port else None
    return None if current is not None and current.isoformat() == effect.details["end_time"] else "superseded"


def _moot_violation(effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    live = {v.key for v in violations_of(connection, policy.consistency_window)}
    return None if effect.details["violation"] in live else "cleared"


def _moot_attach(_effect: Effect, _connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    return None if phase in ALIVE else f"phase_is_{phase}"


def _moot_cease(_effect: Effect, _connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    return None if phase is Phase.RELEASING else f"phase_is_{phase}"


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
    "spec_change": _moot_enabled,
    "vlan_change": _moot_enabled,
    "cease": _moot_cease,
    "create_port": _moot_create,
    "convert_vbr": _moot_create,
    "pay_port": _moot_pay,
    "attach_vbr": _moot_attach,
    "update_port": _moot_attach,
    "recover": _moot_attach,
    "recovery": _moot_recovery,
}
