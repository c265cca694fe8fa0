"""What a partner has promised Alibaba Cloud and its tenants, checked over all circuits and connections at once.

The promises are those of "User guide, Manage connections for tenants" (requirements of partners). Each broken one comes
with its evidence; a promise that no API shows is listed as one that cannot be checked, never as kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from crossport.domain.circuit import IN_SERVICE, Circuit
from crossport.domain.circuit_audit import breaches_of
from crossport.domain.placement import Placement
from crossport.domain.policy import Policy
from crossport.domain.rules import Basis
from crossport.domain.vocabulary import Phase

#: Circuits that an access point must have.
CIRCUITS_AN_ACCESS_POINT = 2
_GUIDE = "User guide, Manage connections for tenants (requirements)"


class OwedTo(StrEnum):
    """To whom it was promised."""

    ALIBABA_CLOUD = "Alibaba Cloud"
    TENANTS = "tenants"


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """One promise that is not kept: about what, where, and the evidence in one sentence."""

    account_id: str
    #: An access point, a region, a circuit, a redundancy group or a tenant's UID.
    subject: str
    evidence: str
    circuit_ids: tuple[str, ...]
    connection_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _World:
    """All that is checked, sorted once."""

    circuits: Sequence[Circuit]
    placements: Sequence[Placement]
    policy_of: Callable[[str], Policy]


#: What it looked at, and what of it is broken.
Outcome = tuple[int, list[Broken]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Obligation:
    """One promise. ``check`` is None where nothing that we can ask shows whether it is kept."""

    name: str
    sentence: str
    owed_to: OwedTo
    source: str
    basis: Basis = Basis.DOCUMENTED
    #: What is counted in ``Checked.looked_at``; "" for a promise that cannot be checked.
    counts: str = ""
    check: Callable[[_World], Outcome] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """One promise and how it stands. ``looked_at`` is None where it cannot be checked."""

    obligation: Obligation
    looked_at: int | None
    broken: tuple[Broken, ...] = ()

    @property
    def state(self) -> str:
        """``kept``, ``broken`` or ``cannot check``."""
        if self.looked_at is None:
            return "cannot check"
        return "broken" if self.broken else "kept"


def check_obligations(
    circuits: Iterable[Circuit], placements: Iterable[Placement], policy_of: Callable[[str], Policy]
) -> tuple[Checked, ...]:
    """Every promise over these circuits and connections, of all accounts; ``policy_of`` gives an account's policy."""
    world = _World(
        sorted(circuits, key=lambda one: one.circuit_id),
        sorted(placements, key=lambda one: one.connection_id),
        policy_of,
    )
    return tuple(_checked(obligation, world) for obligation in OBLIGATIONS)


def _checked(obligation: Obligation, world: _World) -> Checked:
    if obligation.check is None:
        return Checked(obligation=obligation, looked_at=None)
    looked_at, broken = obligation.check(world)
    return Checked(obligation=obligation, looked_at=looked_at, broken=tuple(broken))


def _circuits_per_access_point(world: _World) -> Outcome:
    points: dict[tuple[str, str, str], list[Circuit]] = defaultdict(list)
    for circuit in world.circuits:
        points[circuit.account_id, circuit.region, circuit.access_point].append(circuit)
    broken = []
    for (account_id, region, access_point), there in sorted(points.items()):
        working = [circuit for circuit in there if circuit.status == IN_SERVICE]
        if len(working) < CIRCUITS_AN_ACCESS_POINT:
            out = [f"{circuit.circuit_id} is {circuit.status}" for circuit in there if circuit not in working]
            say = f"{len(working)} of {len(there)} circuits at {access_point} ({region}) in service"
            evidence = "; ".join([f"{say}, {CIRCUITS_AN_ACCESS_POINT} are promised", *out])
            broken.append(_about(account_id, access_point, evidence, there))
    return len(points), broken


def _access_points_apart(world: _World) -> Outcome:
    regions: dict[tuple[str, str], list[Circuit]] = defaultdict(list)
    for circuit in world.circuits:
        regions[circuit.account_id, circuit.region].append(circuit)
    broken = []
    for (account_id, region), there in sorted(regions.items()):
        points = {circuit.access_point for circuit in there if circuit.status == IN_SERVICE}
        if len(points) < CIRCUITS_AN_ACCESS_POINT:
            named = f"only at {min(points)}" if points else "at none"
            broken.append(_about(account_id, region, f"circuits of {region} are in service {named}", there))
    return len(regions), broken


def _by_circuit(world: _World, *codes: str) -> Outcome:
    """What ``circuit_audit`` finds of these codes, over the ports that we know to be on each circuit."""
    ports: dict[str, dict[str, Placement]] = defaultdict(dict)
    for each in world.placements:
        if each.port is not None:
            ports[each.circuit_id][each.port.port_id] = each
    broken = []
    for circuit in world.circuits:
        there = ports[circuit.circuit_id]
        seen = [each.port for each in there.values() if each.port is not None]
        for breach in breaches_of(circuit, seen, world.policy_of(circuit.account_id)):
            if breach.code in codes:
                owners = tuple(there[port_id].connection_id for port_id in breach.port_ids)
                broken.append(_about(circuit.account_id, circuit.circuit_id, breach.evidence, [circuit], owners))
    return len(world.circuits), broken


def _specs_within_bandwidth(world: _World) -> Outcome:
    """Both what the ports show and what orders were promised must fit."""
    looked_at, broken = _by_circuit(world, "over_capacity")
    told = {each.subject for each in broken}
    for circuit in world.circuits:
        if circuit.free_mbps < 0 and circuit.circuit_id not in told:
            evidence = f"{circuit.held_mbps} Mbit/s are held for orders of {circuit.bandwidth_mbps} Mbit/s"
            broken.append(_about(circuit.account_id, circuit.circuit_id, evidence, [circuit]))
    return looked_at, broken


def _vlan_ids_unique(world: _World) -> Outcome:
    return _by_circuit(world, "vlan_clash", "vlan_zero_not_alone")


def _groups_apart(world: _World) -> Outcome:
    groups = _groups(world)
    broken = []
    for group_id, members in groups:
        by_circuit = _shared(members, "circuit_id")
        by_point = [] if by_circuit else _shared(members, "access_point")
        for place, together in (*by_circuit, *by_point):
            named = ", ".join(each.connection_id for each in together)
            kind = "circuit" if by_circuit else "access point"
            broken.append(_of(together, group_id, f"{kind} {place} carries more than one member: {named}"))
    return len(groups), broken


def _shared(members: Sequence[Placement], place: str) -> list[tuple[str, list[Placement]]]:
    """Places where more than one of them runs."""
    found: dict[str, list[Placement]] = defaultdict(list)
    for each in members:
        found[getattr(each, place)].append(each)
    return [(name, together) for name, together in sorted(found.items()) if len(together) > 1]


def _groups_whole(world: _World) -> Outcome:
    groups = _groups(world)
    broken = []
    for group_id, members in groups:
        carrying = [each for each in members if each.phase is Phase.ACTIVE]
        # One that nobody has taken into service yet is not missed: the promise is about what carries traffic.
        if len(carrying) == 1:
            rest = [f"{each.connection_id} is {each.phase}" for each in members if each is not carrying[0]]
            evidence = f"{carrying[0].connection_id} carries alone: {', '.join(rest) or 'it has no sibling'}"
            broken.append(_of(members, group_id, evidence))
    return len(groups), broken


def _tenants_spread(world: _World) -> Outcome:
    """Tenants with several connections in one region that are in no group: those in one are checked as a group."""
    tenants: dict[tuple[str, str, str], list[Placement]] = defaultdict(list)
    for each in world.placements:
        if each.there and not each.group_id:
            tenants[each.account_id, each.region, each.tenant_uid].append(each)
    several = {key: owned for key, owned in tenants.items() if len(owned) > 1}
    broken = []
    for (_, region, tenant_uid), owned in sorted(several.items()):
        crowded = _together(owned)
        if crowded:
            broken.append(_of(owned, tenant_uid, f"its {len(owned)} connections in {region} are all {crowded}"))
    return len(several), broken


def _together(members: Sequence[Placement]) -> str:
    """Where all of several connections run, in words; "" when no single failure takes all of them."""
    circuits = {each.circuit_id for each in members}
    points = {each.access_point for each in members}
    if len(points) > 1:
        return ""
    return f"on circuit {min(circuits)}" if len(circuits) == 1 else f"at access point {min(points)}"


def _groups(world: _World) -> list[tuple[str, list[Placement]]]:
    groups: dict[tuple[str, str], list[Placement]] = defaultdict(list)
    for each in world.placements:
        if each.group_id and each.there:
            groups[each.account_id, each.group_id].append(each)
    return [(group_id, members) for (_, group_id), members in sorted(groups.items())]


def _about(
    account_id: str, subject: str, evidence: str, circuits: Iterable[Circuit], connections: tuple[str, ...] = ()
) -> Broken:
    circuit_ids = tuple(circuit.circuit_id for circuit in circuits)
    return Broken(
        account_id=account_id,
        subject=subject,
        evidence=evidence,
        circuit_ids=circuit_ids,
        connection_ids=connections,
    )


def _of(members: Sequence[Placement], subject: str, evidence: str) -> Broken:
    return Broken(
        account_id=members[0].account_id,
        subject=subject,
        evidence=evidence,
        circuit_ids=tuple(sorted({each.circuit_id for each in members})),
        connection_ids=tuple(each.connection_id for each in members),
    )


def broken_of(checked: Iterable[Checked]) -> Iterator[tuple[Obligation, Broken]]:
    """Every broken promise with its evidence."""
    return ((each.obligation, one) for each in checked for one in each.broken)


OBLIGATIONS: tuple[Obligation, ...] = (
    Obligation(
        name="circuits_an_access_point",
        sentence="Each access point has at least two circuits in service.",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=_GUIDE,
        counts="access points",
        check=_circuits_per_access_point,
    ),
    Obligation(
        name="access_points_apart",
        sentence="The circuits of a region end at different access points.",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=_GUIDE,
        counts="regions",
        check=_access_points_apart,
    ),
    Obligation(
        name="specs_within_bandwidth",
        sentence="The specs of all ports of a circuit together do not exceed its bandwidth.",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=_GUIDE,
        counts="circuits",
        check=_specs_within_bandwidth,
    ),
    Obligation(
        name="vlan_ids_unique",
        sentence="No two ports of a circuit share a VLAN ID, and VLAN 0 is alone on its circuit.",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=f"{_GUIDE}; that VLAN 0 excludes other ports is inferred",
        counts="circuits",
        check=_vlan_ids_unique,
    ),
    Obligation(
        name="groups_apart",
        sentence="The members of a redundancy group run on different circuits, at different access points.",
        owed_to=OwedTo.TENANTS,
        source=f"{_GUIDE}; ruling 17",
        counts="redundancy groups",
        check=_groups_apart,
    ),
    Obligation(
        name="groups_whole",
        sentence="A member of a redundancy group that carries traffic has a sibling that carries, too.",
        owed_to=OwedTo.TENANTS,
        source="ruling 17",
        basis=Basis.INFERRED,
        counts="redundancy groups",
        check=_groups_whole,
    ),
    Obligation(
        name="tenants_spread",
        sentence="A tenant with several connections in a region has them on different circuits and access points.",
        owed_to=OwedTo.TENANTS,
        source=f"{_GUIDE}; that several connections mean high availability is inferred",
        basis=Basis.INFERRED,
        counts="tenants",
        check=_tenants_spread,
    ),
    Obligation(
        name="bandwidth_managed",
        sentence="The partner's switches limit and measure each port's bandwidth (bps, pps, bytes passed and dropped).",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=_GUIDE,
    ),
    Obligation(
        name="arp_limited",
        sentence="ARP is limited at the device that faces the tenant, typically to 1 packet a second.",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=_GUIDE,
    ),
    Obligation(
        name="icmp_not_choked",
        sentence="A limit on ICMP, where there is one, lets more than 500 echo requests a second pass.",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=_GUIDE,
    ),
    Obligation(
        name="compliant_carrier",
        sentence="Circuits come from carriers that are licensed where they lie.",
        owed_to=OwedTo.ALIBABA_CLOUD,
        source=_GUIDE,
    ),
)
