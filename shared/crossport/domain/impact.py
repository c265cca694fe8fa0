"""What stands or falls with a circuit: its connections, and whether a sibling still carries for each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossport.domain.circuit import IN_SERVICE, Circuit
from crossport.domain.effects.kinds import ALIVE
from crossport.domain.placement import Placement
from crossport.domain.vocabulary import Phase

#: Phases in which a connection is still to do with its circuit.
CONCERNED = ALIVE | {Phase.RELEASING}


@dataclass(frozen=True, kw_only=True, slots=True)
class SiblingState:
    """A sibling of the same redundancy group. ``why_not`` is "" while it carries."""

    placement: Placement
    why_not: str

    @property
    def carries(self) -> bool:
        """Whether it can take the traffic."""
        return not self.why_not


@dataclass(frozen=True, kw_only=True, slots=True)
class Affected:
    """One connection of the circuit, and those that stand for it."""

    placement: Placement
    siblings: tuple[SiblingState, ...]

    @property
    def carried(self) -> bool:
        """Whether a sibling carries while the circuit does not."""
        return any(sibling.carries for sibling in self.siblings)

    @property
    def cut_off(self) -> bool:
        """Whether it is in service and nothing stands for it: its traffic stops with the circuit."""
        return self.placement.phase is Phase.ACTIVE and not self.carried


def impact_of(
    circuit_id: str,
    placements: Iterable[Placement],
    circuits: Mapping[str, Circuit],
    troubled: Mapping[str, str] | None = None,
) -> tuple[Affected, ...]:
    """Every connection that is to do with the circuit, those that are cut off first, then by tenant and id.

    ``placements`` hold the siblings on other circuits as well; ``troubled`` are circuits that are under maintenance or
    out, with what the trouble is.
    """
    placements = list(placements)
    groups: dict[tuple[str, str], list[Placement]] = defaultdict(list)
    for each in placements:
        if each.group_id and each.phase in CONCERNED:
            groups[each.account_id, each.group_id].append(each)
    found = [
        Affected(placement=each, siblings=_siblings(each, groups, circuits, troubled or {}))
        for each in placements
        if each.circuit_id == circuit_id and each.phase in CONCERNED
    ]
    return tuple(
        sorted(found, key=lambda one: (not one.cut_off, one.placement.tenant_uid, one.placement.connection_id))
    )


def _siblings(
    of: Placement,
    groups: Mapping[tuple[str, str], Sequence[Placement]],
    circuits: Mapping[str, Circuit],
    troubled: Mapping[str, str],
) -> tuple[SiblingState, ...]:
    members = groups.get((of.account_id, of.group_id), ()) if of.group_id else ()
    return tuple(
        SiblingState(placement=each, why_not=_why_not(of, each, circuits, troubled))
        for each in sorted(members, key=lambda one: one.connection_id)
        if each.connection_id != of.connection_id
    )


def _why_not(of: Placement, sibling: Placement, circuits: Mapping[str, Circuit], troubled: Mapping[str, str]) -> str:
    """What keeps a sibling from carrying; "" when nothing does."""
    if sibling.phase is not Phase.ACTIVE:
        return f"it is {sibling.phase}"
    if sibling.circuit_id == of.circuit_id:
        return "it is on the same circuit"
    if sibling.circuit_id in troubled:
        return f"its circuit: {troubled[sibling.circuit_id]}"
    circuit = circuits.get(sibling.circuit_id)
    if circuit is not None and circuit.status != IN_SERVICE:
        return f"its circuit is {circuit.status}"
    return ""
