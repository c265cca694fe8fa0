"""When an effect can never matter again; asked right before it would be carried out.

An effect has one key for ever: what is dropped is never called for again. So only what rests on monotone facts (the
cloud has said Deleted, the port was Confirmed, our own recorded acts) or was overtaken by a newer episode is moot.
What may still come true waits (``too_early``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.effects.episodes import (
    LOCKS,
    payment_episodes,
    port_episodes,
    return_episodes,
    vbr_episodes,
    vbr_return_episodes,
    violation_episodes,
)
from crossport.domain.effects.kinds import ALIVE, Effect
from crossport.domain.effects.replies import ever_active
from crossport.domain.facts import VbrFacts
from crossport.domain.phase import VBR_DOWN, VBR_OFF, VBR_UP, phase_of
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Phase

#: Effects that are about a port which is there.
_OF_A_PORT = frozenset(
    {
        "offer", "active", "enabled", "accepted", "suspended", "resumed", "paid_until", "violation", "spec_change",
        "vlan_change", "cease", "pay_port", "attach_vbr", "update_port", "recover", "recovery", "offer_reminder",
        "offer_expired", "cease_reminder", "subscription_ends", "arrears_reminder", "delivery_jeopardy",
        "recovery_may_lose_vlan", "group_deadline",
    }
)  # fmt: skip


def moot(effect: Effect, connection: Connection, policy: Policy) -> str | None:
    """Why an effect can never matter again, or None when it still may."""
    phase, port = phase_of(connection, policy.consistency_window), connection.port
    if effect.kind in _OF_A_PORT and port is not None and port.deleted:
        return f"phase_is_{phase}"
    rule = _MOOT.get(effect.kind)
    return rule(effect, connection, phase) if rule else None


def _moot_offer(_effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    if connection.port is not None and connection.port.confirmed:
        return "already_accepted"
    return "withdrawn" if connection.withdrawn_at is not None else None


def _moot_offer_expired(effect: Effect, connection: Connection, phase: Phase) -> str | None:
    """That an offer is to be taken back does not settle that it is open still: the cloud may have refused."""
    if connection.port is not None and connection.port.confirmed:
        return "already_accepted"
    if connection.withdrawn_at is not None and not effect.details["withdrawn"]:
        return "withdrawn"
    return None if phase is Phase.OFFERED else f"phase_is_{phase}"


def _moot_active(effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    deleted = {vbr.vbr_id for vbr in connection.vbrs if vbr.deleted}
    return "vbr_gone" if effect.details["vbr_id"] in deleted else None


def _moot_suspended(effect: Effect, connection: Connection, phase: Phase) -> str | None:
    """What comes after a run of a value is another value for good, or a new run with a number of its own."""
    port, value = connection.port, effect.details["cause"]
    if port is None:
        return None
    if connection.cease_recorded_at is not None:
        return f"phase_is_{phase}"
    if value == "expired":
        current_end = port.end_time.current
        return None if current_end and effect.details["end_time"] == current_end.isoformat() else "superseded"
    if value == VBR_OFF:
        return _moot_vbr(effect, connection, vbr_episodes, VBR_DOWN, "not_suspended_any_more")
    current = port.status.current if value == "Terminated" else port.business_status.current
    if effect.details["episode"] < port_episodes(port, value):
        return "superseded"
    if current == value:
        return None
    return "superseded" if current in LOCKS else "not_suspended_any_more"


def _moot_resumed(effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    port, value = connection.port, effect.details["cause"]
    if port is None:
        return None
    if value == VBR_OFF:
        return _moot_vbr(effect, connection, vbr_return_episodes, {VBR_UP}, "suspended_again")
    if effect.details["episode"] < return_episodes(port, value):
        return "superseded"
    away, current = (LOCKS, port.business_status) if value == "Normal" else ({"Terminated"}, port.status)
    return "suspended_again" if current.current in away else None


def _moot_vbr(
    effect: Effect, connection: Connection, episodes: Callable[[VbrFacts], int], still: Collection[str], over: str
) -> str | None:
    """A newer episode of the VBR, or its status now, has overtaken what the notice tells."""
    vbr = next((vbr for vbr in connection.vbrs if vbr.vbr_id == effect.details["vbr_id"]), None)
    if vbr is None or effect.details["episode"] < episodes(vbr):
        return "superseded"
    return None if vbr.status.current in still else over


def _moot_recovery(_effect: Effect, _connection: Connection, phase: Phase) -> str | None:
    """It is about this moment: what has come back meanwhile needs nobody."""
    return None if phase is Phase.SUSPENDED else f"phase_is_{phase}"


def _moot_recover(_effect: Effect, connection: Connection, phase: Phase) -> str | None:
    return f"phase_is_{phase}" if connection.cease_recorded_at is not None else None


def _moot_paid_until(effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    if connection.port is None:
        return "superseded"
    current = connection.port.end_time.current
    if current is None or current.isoformat() != effect.details["end_time"]:
        return "superseded"
    return "superseded" if effect.details["episode"] < payment_episodes(connection.port, current) else None


def _moot_subscription_ends(effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    current = connection.port.end_time.current if connection.port is not None else None
    return None if current is not None and current.isoformat() == effect.details["end_time"] else "superseded"


def _moot_arrears(effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    port = connection.port
    if port is None or effect.details["episode"] < port_episodes(port, "FinancialLocked"):
        return "superseded"
    return None if port.business_status.current == "FinancialLocked" else "not_suspended_any_more"


def _moot_vlan_loss(effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    if any(vbr.deleted for vbr in connection.vbrs if vbr.vbr_id == effect.details["vbr_id"]):
        return "vbr_gone"
    return _moot_vbr(effect, connection, vbr_episodes, {VBR_OFF}, "not_suspended_any_more")


def _moot_jeopardy(_effect: Effect, connection: Connection, phase: Phase) -> str | None:
    if ever_active(connection):
        return "delivered"
    return None if phase in ALIVE else f"phase_is_{phase}"


def _moot_hold_ending(_effect: Effect, _connection: Connection, phase: Phase) -> str | None:
    return None if phase is Phase.ORDERED else f"phase_is_{phase}"


def _moot_group_deadline(_effect: Effect, connection: Connection, phase: Phase) -> str | None:
    """Whether the sibling has come is not known here; a member that ends has no group to mend."""
    return None if phase in ALIVE and connection.cease_recorded_at is None else f"phase_is_{phase}"


def _moot_violation(effect: Effect, connection: Connection, _phase: Phase) -> str | None:
    subject = effect.details["violation"]
    return "superseded" if effect.details["episode"] < violation_episodes(connection).get(subject, 0) else None


def _moot_claim(_effect: Effect, _connection: Connection, phase: Phase) -> str | None:
    """A port that has gone needs no hold; one claimed after that would never be given back."""
    return None if phase in ALIVE | {Phase.RELEASING} else f"phase_is_{phase}"


def _moot_create(_effect: Effect, connection: Connection, phase: Phase) -> str | None:
    """A port is made while its making is wanted, and never beside another one."""
    if connection.port is not None:
        return "port_exists"
    return None if phase is Phase.PROVISIONING else f"phase_is_{phase}"


def _moot_pay(_effect: Effect, connection: Connection, phase: Phase) -> str | None:
    if connection.port is not None and "Enabled" in connection.port.status.values():
        return "already_paid"
    return f"phase_is_{phase}" if connection.cease_recorded_at is not None else None


_MOOT: dict[str, Callable[[Any, Connection, Phase], str | None]] = {
    "offer": _moot_offer,
    "active": _moot_active,
    "suspended": _moot_suspended,
    "resumed": _moot_resumed,
    "recover": _moot_recover,
    "recovery": _moot_recovery,
    "paid_until": _moot_paid_until,
    "violation": _moot_violation,
    "offer_reminder": _moot_offer,
    "offer_expired": _moot_offer_expired,
    "subscription_ends": _moot_subscription_ends,
    "arrears_reminder": _moot_arrears,
    "recovery_may_lose_vlan": _moot_vlan_loss,
    "delivery_jeopardy": _moot_jeopardy,
    "hold_ending": _moot_hold_ending,
    "group_deadline": _moot_group_deadline,
    "create_port": _moot_create,
    "convert_vbr": _moot_create,
    "pay_port": _moot_pay,
    "claim_hold": _moot_claim,
    "hold_port": _moot_claim,
}
