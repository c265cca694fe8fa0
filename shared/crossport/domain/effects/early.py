"""When an effect must wait for its time; asked right before its turn.

Its premise does not hold now and may hold later. It is put off until its connection changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.effects.kinds import ALIVE, Effect
from crossport.domain.effects.moot import moot
from crossport.domain.facts import port_gone
from crossport.domain.phase import VBR_OFF, phase_of, suspension
from crossport.domain.policy import Policy
from crossport.domain.violations import violations_of
from crossport.domain.vocabulary import Flow, Phase


def too_early(effect: Effect, connection: Connection, policy: Policy) -> str | None:
    """Why an effect must wait, or None when it may go now. What is moot is not early."""
    if moot(effect, connection, policy) is not None:
        return None
    rule = _EARLY.get(effect.kind)
    return rule(effect, connection, phase_of(connection, policy.consistency_window), policy) if rule else None


def _early_offer(_effect: Effect, connection: Connection, phase: Phase, policy: Policy) -> str | None:
    """A tenant is asked to accept only what is as it was ordered.

    The call that makes a port from a VBR says neither spec nor VLAN ID, so both are read back first (ruling 16).
    """
    port = connection.port
    if port is None or (connection.flow is Flow.MIGRATION and None in (port.spec.current, port.vlan_id.current)):
        return "port_not_read"
    if phase is not Phase.OFFERED:
        return f"phase_is_{phase}"
    standing = [v.code for v in violations_of(connection, policy.consistency_window) if v.subject == port.port_id]
    return f"violation:{standing[0]}" if standing else None


def _early_active(effect: Effect, connection: Connection, phase: Phase, policy: Policy) -> str | None:
    if phase is not Phase.ACTIVE:
        return f"phase_is_{phase}"
    accepted = connection.accepted_vbr(policy.consistency_window)
    return None if accepted is not None and accepted.vbr_id == effect.details["vbr_id"] else "other_vbr"


def _early_unless_alive(_effect: Effect, _connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    return None if phase in ALIVE else f"phase_is_{phase}"


def _early_suspended(effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    """An ended subscription is told as such, not as any billing lock; a VBR that is off when its port is not."""
    found, value = suspension(connection, policy.consistency_window), effect.details["cause"]
    reason = found.reason if found is not None else "not_suspended"
    if value == "expired":
        return None if reason == "expired" else reason
    if value == VBR_OFF:
        return None if reason == "disabled_by_partner" else reason
    return reason if value == "FinancialLocked" and reason == "expired" else None


def _early_port_gone(_effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    """A port is told to be gone when its absence is proven, which one look that missed it does not."""
    port = connection.port
    return None if port is not None and port_gone(port, policy.consistency_window) else "port_not_gone"


def _early_resumed(effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    """Told when the value that came back stands, and nothing else keeps the service down."""
    port, value = connection.port, effect.details["cause"]
    if value == VBR_OFF:
        return "not_resumed" if suspension(connection, policy.consistency_window) is not None else None
    current = port and (port.business_status.current if value == "Normal" else port.status.current)
    if current != value or suspension(connection, policy.consistency_window) is not None:
        return "not_resumed"
    return None


def _early_violation(effect: Effect, connection: Connection, _phase: Phase, policy: Policy) -> str | None:
    live = {v.key for v in violations_of(connection, policy.consistency_window)}
    return None if effect.details["violation"] in live else "no_violation"


def _early_cease(_effect: Effect, _connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    return None if phase is Phase.RELEASING else f"phase_is_{phase}"


def _early_pay(_effect: Effect, connection: Connection, phase: Phase, _policy: Policy) -> str | None:
    """What is being taken back is not paid for, unless the tenant was faster and has accepted it."""
    if connection.withdrawn_at is not None and phase is Phase.OFFERED:
        return "withdrawn"
    return None if phase in (Phase.OFFERED, Phase.ACCEPTED) else f"phase_is_{phase}"


_EARLY: dict[str, Callable[[Any, Connection, Phase, Policy], str | None]] = {
    "offer": _early_offer,
    "active": _early_active,
    "enabled": _early_unless_alive,
    "accepted": _early_unless_alive,
    "spec_change": _early_unless_alive,
    "vlan_change": _early_unless_alive,
    "attach_vbr": _early_unless_alive,
    "update_port": _early_unless_alive,
    "suspended": _early_suspended,
    "resumed": _early_resumed,
    "port_gone": _early_port_gone,
    "recover": _early_unless_alive,
    "violation": _early_violation,
    "cease": _early_cease,
    "pay_port": _early_pay,
}
