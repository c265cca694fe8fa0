"""Which notices follow from a connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossport.domain.connection import Connection, Request
from crossport.domain.effects.episodes import (
    LOCKS,
    ends_outlived,
    payment_episodes,
    port_episodes,
    return_episodes,
    vbr_episodes,
    vbr_return_episodes,
    violation_episodes,
)
from crossport.domain.effects.kinds import Notice, key_of
from crossport.domain.facts import PortFacts, VbrFacts
from crossport.domain.phase import VBR_OFF, VBR_UP
from crossport.domain.policy import Policy
from crossport.domain.recovery import tenant_must_act
from crossport.domain.violations import Violation
from crossport.domain.vocabulary import Origin, Party, Presence, RequestKind

_BOTH = (Party.TENANT, Party.PARTNER)


def notices_of(connection: Connection) -> Iterator[Notice]:
    """Every notice that the facts call for."""
    if connection.refusals:
        yield from _tell(connection, "order_refused", _BOTH, "", reasons=[r.code for r in connection.refusals])
    if connection.failure is not None:
        yield from _tell(connection, "provisioning_failed", (Party.PARTNER,), "", reasons=[connection.failure.code])
    if connection.expired:
        yield from _tell(connection, "order_expired", _BOTH, "")
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
    yield from _of_requests(connection)
    for vbr in connection.vbrs:
        up = "Enabled" in port.status.values() and VBR_UP in vbr.status.values()
        if port.confirmed and up and connection.ever_conformed(vbr):
            yield from _tell(connection, "active", _BOTH, vbr.vbr_id, vbr_id=vbr.vbr_id)
    yield from _episodes(connection, port)
    yield from _ends(connection, port)
    yield from _violation_notices(connection)


def _of_requests(connection: Connection) -> Iterator[Notice]:
    """What parties must do or know about accepted requests; each request is told once."""
    for request in connection.requests:
        if request.kind is RequestKind.CHANGE_SPEC:
            yield from _tell(connection, "spec_change", _BOTH, request.request_id, spec=request.spec)
        elif request.kind is RequestKind.CHANGE_VLAN:
            yield from _tell(
                connection, "vlan_change", _BOTH, request.request_id, vlan_id=request.vlan_id, forced=request.forced
            )
        elif request.kind is RequestKind.CEASE:
            # Tenant-paid: the tenant gets the numbered task list, for only it may end its port (ruling 4).
            yield from _tell(connection, "cease", _BOTH, request.request_id)


def _episodes(connection: Connection, port: PortFacts) -> Iterator[Notice]:
    """One notice for each separate time that the port was locked, terminated, back, or paid until another day."""
    for value in (*sorted(LOCKS), "Terminated"):
        for number in range(1, port_episodes(port, value) + 1):
            yield from _tell(connection, "suspended", _BOTH, f"{value}:{number}", cause=value, episode=number)
    for value in ("Normal", "Enabled"):
        for number in range(1, return_episodes(port, value) + 1):
            yield from _tell(connection, "resumed", _BOTH, f"{value}:{number}", cause=value, episode=number)
    for outlived in ends_outlived(port):
        yield from _tell(connection, "suspended", _BOTH, f"expired:{outlived}", cause="expired", end_time=outlived)
    for vbr in connection.vbrs:
        if connection.ever_conformed(vbr):
            yield from _vbr_episodes(connection, vbr)
    for end in sorted(port.end_time.values()):
        said = end.isoformat()
        for number in range(1, payment_episodes(port, end) + 1):
            yield from _tell(
                connection, "paid_until", (Party.PARTNER,), f"{said}:{number}", end_time=said, episode=number
            )


def _vbr_episodes(connection: Connection, vbr: VbrFacts) -> Iterator[Notice]:
    """The proper VBR was terminated, which only the circuit's owner can do, and came back."""
    told: dict[str, Any] = {"cause": VBR_OFF, "vbr_id": vbr.vbr_id}
    for number in range(1, vbr_episodes(vbr) + 1):
        yield from _tell(connection, "suspended", _BOTH, f"{vbr.vbr_id}:{number}", **told, episode=number)
    for number in range(1, vbr_return_episodes(vbr) + 1):
        yield from _tell(connection, "resumed", _BOTH, f"{vbr.vbr_id}:{number}", **told, episode=number)


def recovery_notices(connection: Connection, request: Request, policy: Policy) -> Iterator[Notice]:
    """What the tenant is told when we were asked to recover what only the tenant may bring back (ruling 4)."""
    if tenant_must_act(connection, policy.consistency_window) is not None:
        yield from _tell(connection, "recovery", (Party.TENANT,), request.request_id)


def _ends(connection: Connection, port: PortFacts) -> Iterator[Notice]:
    """A port that is said or seen to be no more. One that was only missed once waits until its absence is proven."""
    if port.deleted or Presence.NOT_FOUND in port.presence.values():
        yield from _tell(connection, "port_gone", _BOTH, "")


def _violation_notices(connection: Connection) -> Iterator[Notice]:
    """A notice for each episode of every way in which the facts can be read as a violation.

    False ones wait, and are dropped with their connection or when a newer episode has come.
    """
    for subject, episodes in violation_episodes(connection).items():
        for number in range(1, episodes + 1):
            yield from _tell(
                connection, "violation", (Party.PARTNER,), f"{subject}:{number}", violation=subject, episode=number
            )


def evidence(violation: Violation) -> dict[str, str]:
    """A violation as JSON values."""
    return {"code": violation.code, "subject": violation.subject, "evidence": violation.evidence}


def _tell(
    connection: Connection, kind: str, parties: tuple[Party, ...], subject: str, **details: Any
) -> Iterator[Notice]:
    for party in parties:
        key = key_of(connection, kind, subject, str(party))
        yield Notice(key=key, kind=kind, connection_id=connection.connection_id, party=party, details=details)
