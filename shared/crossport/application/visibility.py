"""Where the VBRs of an account's ports can be seen: probed by looking, never assumed (ruling 8, [INF]).

The documentation contradicts itself about whether a circuit's owner is shown a tenant's VBR under the circuit, under
the port, or not at all. What the circuit's list does not show is asked for by port, some ports a run, in turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crossport.application.errors import CloudCallError
from crossport.application.ports import Cloud, Store
from crossport.domain.circuit import Circuit
from crossport.domain.circuit_audit import CircuitBreach
from crossport.domain.connection import Connection
from crossport.domain.differences import Known
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.policy import Policy
from crossport.domain.port_audit import vbr_missing, vbr_not_visible
from crossport.domain.sweep import SLOT
from crossport.domain.visibility import VbrVisibility, was_read
from crossport.domain.vocabulary import Acceptance

#: Ports that are asked in one run: where only asking by port shows VBRs, and where nothing was ever shown.
BY_PORT, PROBES = 20, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """Where VBRs are seen (None: nothing tells yet), why we think so, and what asking by port has shown."""

    visibility: VbrVisibility | None
    evidence: str = ""
    by_port: Mapping[str, tuple[VbrObservation, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One look at one circuit. ``at``: the listing's time less the consistency window."""

    store: Store
    cloud: Cloud
    circuit: Circuit
    policy: Policy
    at: datetime

    def sight(
        self, listed: Mapping[str, PortObservation], known: Sequence[Known], *, shown: bool, supposed: bool
    ) -> Sight:
        """Where VBRs are seen now.

        ``shown``: the circuit's list shows a VBR that is known to hang on one of its ports; ``supposed``: it shows one
        that may.
        """
        before = self.store.vbr_visibility(self.circuit.account_id)
        if shown:
            return Sight(visibility=VbrVisibility.CIRCUIT, evidence="a VBR on a port was listed by its circuit")
        if supposed:
            return Sight(visibility=before)
        by_port = self._asked(listed, {one.port_id: one for one in known}, before)
        if any(by_port.values()):
            return Sight(visibility=VbrVisibility.PORT, evidence="a VBR was listed by its port alone", by_port=by_port)
        if before is not None:
            return Sight(visibility=before, by_port={} if before is VbrVisibility.NONE else by_port)
        return self._first(by_port, known)

    def overdue(
        self,
        listed: Mapping[str, PortObservation],
        known: Sequence[Known],
        sight: Sight,
        vbrs: Callable[[str], str | None],
    ) -> tuple[CircuitBreach, ...]:
        """Ports that should have a VBR by now; where none can be seen that alone, once.

        ``vbrs`` gives the glance of what a list shows on a port, None where nobody could be asked.
        """
        if sight.visibility is VbrVisibility.NONE:
            due = any(map(_may_carry_one, listed.values()))
            return (vbr_not_visible(self.circuit.account_id),) if due else ()
        return tuple(self._missing(listed, (one for one in known if not one.vbrs and not vbrs(one.port_id))))

    def _missing(self, listed: Mapping[str, PortObservation], without: Iterable[Known]) -> Iterator[CircuitBreach]:
        latest = self.at - self.policy.vbr_missing_after
        for one in without:
            port = listed.get(one.port_id)
            if port is None or not _may_carry_one(port) or port.enabled_time is None or port.enabled_time > latest:
                continue
            stored = self.store.get(one.connection_id)
            # One that had a VBR and has none any more is the tenant's own doing, and was told as such.
            if stored is None or stored.connection.attested_at is not None or stored.connection.vbrs:
                continue
            waited = waited_for_vbr(stored.connection, self.at)
            if waited >= self.policy.vbr_missing_after:
                yield vbr_missing(one.port_id, waited)

    def _asked(
        self, listed: Mapping[str, PortObservation], known: Mapping[str, Known], before: VbrVisibility | None
    ) -> dict[str, tuple[VbrObservation, ...]]:
        """The VBRs of some ports that may carry one, in turns; what fails is not asked for again."""
        ports = [port_id for port_id, port in sorted(listed.items()) if _may_carry_one(port)]
        limit = BY_PORT if before is VbrVisibility.PORT else PROBES
        turn = int(self.at.timestamp() // SLOT.total_seconds()) * limit % max(len(ports), 1)
        in_turn = [*ports[turn:], *ports[:turn]]
        if before is not VbrVisibility.PORT:
            # A port whose VBR is known says more than one that may have none.
            in_turn.sort(key=lambda port_id: port_id not in known or not known[port_id].vbrs)
        found: dict[str, tuple[VbrObservation, ...]] = {}
        for port_id in in_turn[:limit]:
            try:
                found[port_id] = self.cloud.list_vbrs(
                    account_id=self.circuit.account_id, region=self.circuit.region, circuit_id=port_id
                )
            except CloudCallError:
                break
        return found

    def _first(self, by_port: Mapping[str, tuple[VbrObservation, ...]], known: Sequence[Known]) -> Sight:
        """Nothing was ever shown by a list: what else tells that there is a VBR, or should be one by now?"""
        for one in known:
            if one.port_id not in by_port:
                continue
            stored = self.store.get(one.connection_id)
            if stored is None:
                continue
            connection = stored.connection
            live = connection.live_vbrs(self.policy.consistency_window)
            if any(was_read(vbr) for vbr in live):
                evidence = "a VBR was read on its port"
                return Sight(visibility=VbrVisibility.PORT, evidence=evidence, by_port=by_port)
            if why := self._unseen(connection, has_vbr=bool(live)):
                return Sight(visibility=VbrVisibility.NONE, evidence=f"{one.port_id}: {why}")
        return Sight(visibility=None)

    def _unseen(self, connection: Connection, *, has_vbr: bool) -> str:
        if has_vbr:
            return "it has a VBR that no list shows"
        if connection.attested_at is not None:
            return "the tenant says that it has a VBR, and no list shows one"
        waited = waited_for_vbr(connection, self.at)
        return "enabled for long, and no list shows a VBR" if waited >= self.policy.vbr_missing_after else ""


def _may_carry_one(port: PortObservation) -> bool:
    return port.acceptance == Acceptance.CONFIRMED and port.status == "Enabled"


def waited_for_vbr(connection: Connection, at: datetime) -> timedelta:
    """How long a VBR could have been there: since acceptance and EnabledTime, whichever came later."""
    port = connection.port
    if port is None or port.confirmed_at is None or port.enabled_time.current is None:
        return timedelta(0)
    return max(at - max(port.confirmed_at, port.enabled_time.current), timedelta(0))
