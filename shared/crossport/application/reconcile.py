"""Reconciliation of one circuit: what its lists show, compared with what we know, and healed by the same ``decide``.

Polling is how the partner learns most of what tenants do, so this is a main path. A listing that fails or breaks off is
*unknown*: what it has shown until then is true, and of all else nothing is known, least of all that it is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from crossport.application.commit import MAX_ROUNDS, find_vbr, read_port, save_of
from crossport.application.errors import CloudCallError, IntegrityConflictError
from crossport.application.ports import CircuitRun, Clock, Cloud, OutboxRow, Policies, Save, SaveOutcome, Store
from crossport.application.visibility import Probe, Sight
from crossport.domain import glance
from crossport.domain.circuit import Circuit
from crossport.domain.circuit_audit import CircuitBreach, breaches_of
from crossport.domain.decide import Finding, decide
from crossport.domain.differences import Difference, Kind, Known, Listed, differences
from crossport.domain.gaps import Gap, gaps_of
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.policy import Policy
from crossport.domain.port_audit import overdue_of
from crossport.domain.visibility import VbrVisibility
from crossport.domain.vocabulary import Acceptance

#: Connections written in one transaction.
BATCH = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Healed:
    """One difference and what became of it."""

    difference: Difference
    #: healed (saved), asked (the relay reads the port), known (nothing new after all), lost (another writer was faster
    #: each time, or a constraint broke: the next run looks again), or found (dry run: nothing was done).
    outcome: str
    #: What no event has told.
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitReport:
    """What one run found on one circuit. Times are aware."""

    circuit: Circuit
    at: datetime
    #: Whether both lists were read to their ends; ``why`` says why not.
    complete: bool
    why: str
    #: Ports that the list has shown.
    listed: int
    #: Whether VBRs of the circuit's ports are seen by asking for the circuit (ruling 8); None: there was none to see.
    vbrs_seen_by_circuit: bool | None
    healed: tuple[Healed, ...]
    breaches: tuple[CircuitBreach, ...]


@dataclass(slots=True)
class _Listing:
    """What the lists of one circuit have shown."""

    started: datetime | None = None
    ports: dict[str, PortObservation] = field(default_factory=dict)
    #: None when they could not be listed.
    vbrs: tuple[VbrObservation, ...] | None = None
    ports_complete: bool = False
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """What the comparison of one circuit goes by. ``at``: the listing's time less the consistency window."""

    circuit: Circuit
    policy: Policy
    at: datetime
    #: Port to the ids of VBRs that may hang on it.
    supposed: Mapping[str, Sequence[str]]

    def read(self, one: Difference) -> OutboxRow:
        """The command to read the port of a difference."""
        return read_port(
            one.port_id,
            cause=f"reconcile:{int(self.at.timestamp())}",
            account_id=self.circuit.account_id,
            region=self.circuit.region,
            after=None,
            connection_id=one.connection_id or None,
            circuit_id=self.circuit.circuit_id,
            vbr_ids=self.supposed.get(one.port_id, ()),
        )

    def find(self, vbr_id: str) -> OutboxRow:
        """The command to find the port that a VBR hangs on."""
        circuit = self.circuit
        return find_vbr(vbr_id, account_id=circuit.account_id, region=circuit.region, circuit_id=circuit.circuit_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciler:
    """Reconciles circuits, one at a time. A circuit has at most 3,000 ports, and nothing else is kept in memory.

    ``dry_run`` writes nothing.
    """

    store: Store
    cloud: Cloud
    policies: Policies
    clock: Clock
    dry_run: bool = False

    def circuit(self, circuit: Circuit) -> CircuitReport:
        """List the circuit's ports and VBRs, compare, and heal. Raises StoreUnavailableError."""
        policy = self.policies.of(circuit.account_id)
        known = tuple(self.store.known_ports(circuit.circuit_id))
        listing = self._listed(circuit)
        at = (listing.started or self.clock.now()) - policy.consistency_window
        vbrs = _VbrsOf(listing, known)
        probe = Probe(store=self.store, cloud=self.cloud, circuit=circuit, policy=policy, at=at)
        looked = listing.ports_complete and listing.vbrs is not None
        if looked:
            vbrs.sight = probe.sight(listing.ports, known, shown=vbrs.known_shown, supposed=bool(vbrs.supposed))
            self._keep_sight(circuit, vbrs.sight, at)
        rows = [
            Listed(port_id, glance.of_listed(port), vbrs.of(port_id)) for port_id, port in sorted(listing.ports.items())
        ]
        found = differences(rows, known, at=at, complete=listing.ports_complete)
        run = _Run(circuit=circuit, policy=policy, at=at, supposed=vbrs.supposed)
        healed = tuple(self._healed(found, run))
        if vbrs.astray and not self.dry_run:
            self.store.record([], outbox=[run.find(vbr_id) for vbr_id in vbrs.astray])
        report = CircuitReport(
            circuit=circuit,
            at=at,
            complete=looked,
            why=listing.why,
            listed=len(listing.ports),
            vbrs_seen_by_circuit=vbrs.seen_by_circuit,
            healed=healed,
            breaches=(
                *breaches_of(circuit, listing.ports.values(), policy),
                *overdue_of(listing.ports.values(), {one.port_id for one in known}, at),
                *(probe.overdue(listing.ports, known, vbrs.sight, vbrs.of) if looked else ()),
            ),
        )
        if not self.dry_run:
            self.store.reconciled(run_of(report))
        return report

    def port(self, circuit: Circuit, port_id: str) -> CircuitReport:
        """The targeted check: read one port with its VBRs, compare, and heal. No run of the circuit is kept of it.

        Raises StoreUnavailableError.
        """
        policy = self.policies.of(circuit.account_id)
        at, why, found = self.clock.now() - policy.consistency_window, "", tuple[Difference, ...]()
        listed, complete = 0, False
        try:
            read = self.cloud.read_port(account_id=circuit.account_id, region=circuit.region, port_id=port_id)
        except CloudCallError as error:
            why = f"{error.action}: {error.cloud_code}"
        else:
            at, listed, complete = read.date - policy.consistency_window, int(read.port is not None), True
            blind = not read.vbrs and self.store.vbr_visibility(circuit.account_id) is VbrVisibility.NONE
            vbrs = None if blind else glance.of_listed_vbrs(read.vbrs)
            rows = [] if read.port is None else [Listed(port_id, glance.of_listed(read.port), vbrs)]
            known = [one for one in self.store.known_ports(circuit.circuit_id) if one.port_id == port_id]
            found = tuple(differences(rows, known, at=at, complete=True))
        run = _Run(circuit=circuit, policy=policy, at=at, supposed={})
        return CircuitReport(
            circuit=circuit,
            at=at,
            complete=complete,
            why=why,
            listed=listed,
            vbrs_seen_by_circuit=None,
            healed=tuple(self._healed(found, run)),
            breaches=(),
        )

    def _keep_sight(self, circuit: Circuit, sight: Sight, at: datetime) -> None:
        """Keep where VBRs are seen when that is news (ruling 8)."""
        news = sight.visibility
        if news is not None and not self.dry_run and news is not self.store.vbr_visibility(circuit.account_id):
            self.store.put_vbr_visibility(circuit.account_id, news, evidence=sight.evidence, at=at)

    def _listed(self, circuit: Circuit) -> _Listing:
        place = {"account_id": circuit.account_id, "region": circuit.region, "circuit_id": circuit.circuit_id}
        listing = _Listing()
        try:
            for page in self.cloud.list_ports(**place):
                listing.started = page.started
                listing.ports |= {port.port_id: port for port in page.ports}
            listing.ports_complete = True
            listing.vbrs = self.cloud.list_vbrs(**place)
        except CloudCallError as error:
            listing.why = f"{error.action}: {error.cloud_code}"
        return listing

    def _healed(self, found: Iterable[Difference], run: _Run) -> Iterator[Healed]:
        if self.dry_run:
            yield from (_told(one, "found") for one in found)
            return
        stream = iter(found)
        while batch := list(islice(stream, BATCH)):
            unknown = [one for one in batch if one.kind is Kind.UNKNOWN]
            if unknown:
                self.store.record([], outbox=[run.read(one) for one in unknown])
            yield from (_told(one, "asked") for one in unknown)
            ours = {one.connection_id: one for one in batch if one.kind is not Kind.UNKNOWN}
            outcomes = self._saved(ours, run)
            yield from (_told(one, outcomes[one.connection_id]) for one in ours.values())

    def _saved(self, ours: dict[str, Difference], run: _Run) -> dict[str, str]:
        """How each difference ended, by connection. All are saved together; those that lost are decided again."""
        ended: dict[str, str] = {}
        for _ in range(MAX_ROUNDS):
            left = {each: one for each, one in ours.items() if each not in ended}
            if not left:
                break
            saves = self._decided(left, run, ended)
            for save, outcome in zip(saves, self._tried(saves), strict=True):
                if outcome is SaveOutcome.SAVED:
                    ended[save.connection.connection_id] = "healed"
        return {each: ended.get(each, "lost") for each in ours}

    def _tried(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        """Save all together, or one by one when a constraint broke, so that one connection cannot keep the others."""
        try:
            return self.store.save(saves) if saves else ()
        except IntegrityConflictError:
            if len(saves) == 1:
                return (SaveOutcome.LOST,)
            return [outcome for save in saves for outcome in self._tried([save])]

    def _decided(self, left: dict[str, Difference], run: _Run, ended: dict[str, str]) -> list[Save]:
        saves = []
        for connection_id, one in left.items():
            stored = self.store.get(connection_id)
            if stored is None:
                ended[connection_id] = "known"
                continue
            decision = decide(stored.connection, one.seen, run.policy)
            commands = (run.read(one),) if one.read else ()
            if decision.connection == stored.connection and not decision.findings and not commands:
                ended[connection_id] = "known"
                continue
            saves.append(save_of([decision], version=stored.version, at=self.clock.now(), outbox=commands))
        return saves


class _VbrsOf:
    """Which listed VBRs belong to which port. The list of a circuit's VBRs does not say on which port each hangs.

    A VBR that we know is on the port that we know. Another is supposed on the living port with its VLAN ID, which is
    the only one on the circuit (rule 2); that only makes us read the port. One without such a port is ``astray``: it
    must be found by its id.
    """

    def __init__(self, listing: _Listing, known: Iterable[Known]) -> None:
        self._visible = listing.vbrs is not None
        places = {vbr_id: one.port_id for one in known if one.vbrs for vbr_id in glance.vbr_ids(one.vbrs)}
        living = (port for port in listing.ports.values() if port.acceptance != Acceptance.DELETED)
        by_vlan = {port.vlan_id: port.port_id for port in living}
        self._known_ports = {one.port_id for one in known if one.vbrs}
        self._on: dict[str, list[VbrObservation]] = {}
        #: Port to the ids of VBRs that may hang on it.
        self.supposed: dict[str, list[str]] = {}
        #: Whether a VBR was listed that is known to hang on a port.
        self.known_shown = False
        #: Where VBRs are seen, once that was probed.
        self.sight = Sight(visibility=None)
        #: Ids of VBRs that no port is known or supposed for.
        self.astray: list[str] = []
        for vbr in listing.vbrs or ():
            port_id = places.get(vbr.vbr_id) or by_vlan.get(vbr.vlan_id)
            if port_id is None:
                self.astray.append(vbr.vbr_id)
                continue
            self._on.setdefault(port_id, []).append(vbr)
            self.known_shown |= vbr.vbr_id in places
            if vbr.vbr_id not in places:
                self.supposed.setdefault(port_id, []).append(vbr.vbr_id)

    @property
    def seen_by_circuit(self) -> bool | None:
        if not self._visible or not (self._on or self._known_ports):
            return None
        return bool(self._on)

    def of(self, port_id: str) -> str | None:
        """The glance of a port's VBRs; None when nobody could be asked for them."""
        if not self._visible:
            return None
        if self._on or self.sight.visibility is VbrVisibility.CIRCUIT:
            vbrs = self._on.get(port_id)
            return glance.of_listed_vbrs(vbrs) if vbrs else ""
        asked = self.sight.by_port.get(port_id)
        return None if asked is None else glance.of_listed_vbrs(asked)


def run_of(report: CircuitReport) -> CircuitRun:
    """The report as it is kept."""
    return CircuitRun(
        circuit_id=report.circuit.circuit_id,
        account_id=report.circuit.account_id,
        at=report.at,
        complete=report.complete,
        why=report.why,
        listed=report.listed,
        differences=tuple(difference_values(one) for one in report.healed),
        breaches=tuple(
            Finding(
                code=breach.code,
                subject=breach.subject,
                details={"port_ids": list(breach.port_ids), "evidence": breach.evidence},
            )
            for breach in report.breaches
        ),
    )


def difference_values(one: Healed) -> dict[str, Any]:
    """A difference and what became of it, as JSON values."""
    difference = one.difference
    return {
        "kind": str(difference.kind),
        "port_id": difference.port_id,
        "connection_id": difference.connection_id,
        "fields": list(difference.fields),
        "outcome": one.outcome,
        "missed_events": [
            {
                "event_name": gap.event_name,
                "party": None if gap.party is None else str(gap.party),
                "at": None if gap.at is None else gap.at.isoformat(),
            }
            for gap in one.gaps
        ],
    }


def breach_values(breach: CircuitBreach) -> dict[str, Any]:
    """A broken rule of a circuit as JSON values."""
    return {
        "code": breach.code,
        "subject": breach.subject,
        "port_ids": list(breach.port_ids),
        "evidence": breach.evidence,
    }


def _told(one: Difference, outcome: str) -> Healed:
    return Healed(difference=one, outcome=outcome, gaps=gaps_of(one))
