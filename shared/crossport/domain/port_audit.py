"""What is wrong with single ports of ours, as a list shows them, that no event will ever tell: time alone brings it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from crossport.domain.circuit_audit import CircuitBreach
from crossport.domain.observation import PortObservation
from crossport.domain.vocabulary import Acceptance

#: Automatic renewal takes the money nine days before the end (ruling 13): what has less left was not renewed.
RENEWED_BY = timedelta(days=7)


def overdue_of(ports: Iterable[PortObservation], ours: Collection[str], at: datetime) -> tuple[CircuitBreach, ...]:
    """Ports of ours that end soon, or are Enabled without a period that charges could cover, at the run's time."""
    found = (breach for port in ports if port.status == "Enabled" for breach in _of_port(port, at))
    return tuple(sorted((each for each in found if each.subject in ours), key=lambda each: (each.subject, each.code)))


def vbr_missing(port_id: str, waited: timedelta) -> CircuitBreach:
    """An accepted and enabled port that has no VBR yet."""
    evidence = f"no VBR {waited.days} days after the port was accepted and enabled"
    return CircuitBreach(code="vbr_missing", subject=port_id, port_ids=(port_id,), evidence=evidence)


def vbr_not_visible(account_id: str) -> CircuitBreach:
    """An account to which no list shows the VBRs of its tenants."""
    evidence = "no list shows VBRs on shared ports: connections stay enabled until the tenant says that it has one"
    return CircuitBreach(code="vbr_not_visible", subject=account_id, port_ids=(), evidence=evidence)


def _of_port(port: PortObservation, at: datetime) -> Iterator[CircuitBreach]:
    end, gap = port.end_time, ""
    if port.acceptance == Acceptance.DELETED:
        return
    if port.enabled_time is None:
        gap = "the port is Enabled and no EnabledTime was read: nothing is charged"
    elif end is not None and end <= at:
        gap = f"the port is Enabled and its term ended at {end.isoformat()}: nothing is charged since"
    elif end is not None and end - at <= RENEWED_BY:
        evidence = f"the term ends at {end.isoformat()} and was not renewed"
        yield CircuitBreach(code="expiry_near", subject=port.port_id, port_ids=(port.port_id,), evidence=evidence)
    if gap:
        yield CircuitBreach(code="billing_gap", subject=port.port_id, port_ids=(port.port_id,), evidence=gap)
