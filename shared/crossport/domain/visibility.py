"""Where a partner account sees the VBRs that tenants create on its ports (ruling 8, [INF])."""

from __future__ import annotations

from enum import StrEnum

from crossport.domain.facts import VbrFacts
from crossport.domain.vocabulary import Phase, Presence, Source


class VbrVisibility(StrEnum):
    """What was found out by looking; what was not found out yet is None."""

    #: Under the circuit, and under the port.
    CIRCUIT = "circuit"
    #: Under the port alone.
    PORT = "port"
    #: Nowhere.
    NONE = "none"


def was_read(vbr: VbrFacts) -> bool:
    """Whether the VBR was ever seen by reading, so that reading can also miss it."""
    return any(entry.source is Source.READ and entry.value == Presence.PRESENT for entry in vbr.presence.entries)


def can_be_missed(vbr: VbrFacts, visibility: VbrVisibility | None) -> bool:
    """Whether a complete read that does not show the VBR says anything: not of one that nobody could read."""
    if visibility is None:
        return was_read(vbr)
    return visibility is not VbrVisibility.NONE


def vbr_told(phase: str, *, seen: bool, visibility: VbrVisibility | None) -> str:
    """What to say of a connection's VBR: ``seen``; where one is due and was not seen ``missing``, ``not_visible``
    (the account is shown none) or ``unknown`` (nothing tells yet whether it would be shown); "" where none is due."""
    if seen:
        return "seen"
    if phase not in (Phase.ENABLED, Phase.ACTIVE):
        return ""
    if visibility is None:
        return "unknown"
    return "not_visible" if visibility is VbrVisibility.NONE else "missing"
