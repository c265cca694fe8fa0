"""Which notices follow from a connection."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from crossport.domain.connection import Connection, Request
from crossport.domain.effects.kinds import Notice, key_of
from crossport.domain.facts import PortFacts, VbrFacts
from crossport.domain.history import History
from crossport.domain.phase import VBR_OFF, VBR_UP
from crossport.domain.policy import Policy
from crossport.domain.recovery import tenant_must_act
from crossport.domain.violations import Violation, unknown_values
from crossport.domain.vocabulary import Origin, Party, Presence, RequestKind

_BOTH = (Party.TENANT, Party.PARTNER)
_LOCKS = frozenset({"FinancialLocked", "SecurityLocked"})


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
    yield from _violation_notices(connection, port)


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


def recovery_notices(connection: Connection, request: Request, policy: Policy) -> Iterator[Notice]:
    """What the tenant is told when we were asked to recover what only the tenant may bring back (ruling 4)."""
    if tenant_must_act(connection, policy.consistency_window) is not None:
        yield from _tell(connection, "recovery", (Party.TENANT,), request.request_id)


def _episodes(connection: Connection, port: PortFacts) -> Iterator[Notice]:
    """One notice for each separate time that the port was locked or terminated, and for each return.

    Episodes are counted, not dated: a late observation may move when an episode began, never how many there were.
    """
    for value in sorted(_LOCKS):
        for number in range(1, port.business_status.count_runs(value) + 1):
            yield from _tell(connection, "suspended", _BOTH, f"{value}:{number}", cause=value)
    for number in range(1, port.business_status.count_runs("Normal", after=_LOCKS) + 1):
        yield from _tell(connection, "resumed", _BOTH, f"Normal:{number}")
    for number in range(1, _times_off(port.status, "Terminated", up="Enabled") + 1):
        yield from _tell(connection, "suspended", _BOTH, f"Terminated:{number}", cause="Terminated")
    for number in range(1, port.status.count_runs("Enabled", after={"Terminated"}) + 1):
        yield from _tell(connection, "resumed", _BOTH, f"Enabled:{number}")
    for outlived in _ends_outlived(port):
        yield from _tell(connection, "suspended", _BOTH, f"expired:{outlived}", cause="expired", end_time=outlived)
    for vbr in connection.vbrs:
        if connection.ever_conformed(vbr):
            yield from _vbr_episodes(connection, vbr)
    for end in sorted(port.end_time.values()):
        yield from _tell(connection, "paid_until", (Party.PARTNER,), end.isoformat(), end_time=end.isoformat())


def _times_off(history: History[str], off: str, *, up: str) -> int:
    """How often the status went from up to off, whatever was seen on the way. Never falls when entries are added."""
    known = (entry.value for entry in history.entries if entry.value in (off, up))
    return sum(value == off for value, _ in groupby(known))


def _ends_outlived(port: PortFacts) -> list[str]:
    """Every EndTime after which the port was seen locked for billing; those since renewed are moot when sent."""
    locked = [entry.at for entry in port.business_status.entries if entry.value == "FinancialLocked"]
    return sorted(end.isoformat() for end in port.end_time.values() if locked and end <= locked[-1])


def _vbr_episodes(connection: Connection, vbr: VbrFacts) -> Iterator[Notice]:
    """The proper VBR was terminated, which only the circuit's owner can do, and came back."""
    for number in range(1, _times_off(vbr.status, VBR_OFF, up=VBR_UP) + 1):
        subject = f"{vbr.vbr_id}:{number}"
        yield from _tell(connection, "suspended", _BOTH, subject, cause="vbr_terminated", vbr_id=vbr.vbr_id)
    for number in range(1, vbr.status.count_runs(VBR_UP, after={VBR_OFF}) + 1):
        yield from _tell(connection, "resumed", _BOTH, f"{vbr.vbr_id}:{number}", cause="vbr", vbr_id=vbr.vbr_id)


def _ends(connection: Connection, port: PortFacts) -> Iterator[Notice]:
    """A port that is said or seen to be no more. One that was only missed once waits until its absence is proven."""
    if port.deleted or Presence.NOT_FOUND in port.presence.values():
        yield from _tell(connection, "port_gone", _BOTH, "")


def _violation_notices(connection: Connection, port: PortFacts) -> Iterator[Notice]:
    """A notice for every way in which the facts can be read as a violation; false ones are moot when sent.

    Violations themselves come and go with later facts, so their notices hang on pairs of values ever seen.
    """
    ids = sorted(vbr.vbr_id for vbr in connection.vbrs)
    subjects = [f"second_vbr:{vbr_id}" for vbr_id in ids] if len(ids) > 1 else []
    asked = {request.vlan_id for request in connection.requests if request.vlan_id is not None}
    vlans = port.vlan_id.values() | asked | {connection.terms.vlan_id}
    for vbr in connection.vbrs:
        subjects += [f"wrong_vbr_owner:{vbr.vbr_id}" for owner in vbr.owner_uid.values() - {connection.tenant_uid}][:1]
        if any(ours != theirs for ours in vlans for theirs in vbr.vlan_id.values()):
            subjects.append(f"wrong_vlan:{vbr.vbr_id}")
    for code, values, agreed in (
        ("wrong_port_owner", port.tenant_uid.values(), connection.tenant_uid),
        ("wrong_port_vlan", port.vlan_id.values(), connection.agreed_vlan_id),
        ("wrong_port_circuit", port.circuit_id.values(), connection.circuit_id),
        ("wrong_order_mode", port.order_mode.values(), str(connection.terms.order_mode)),
    ):
        if any(value != agreed for value in values):
            subjects.append(f"{code}:{port.port_id}")
    if connection.migration is not None and port.spec.values() - {connection.terms.spec}:
        subjects.append(f"wrong_port_spec:{port.port_id}")
    subjects += [f"unknown_status:{subject}" for subject, _ in unknown_values(connection)]
    for subject in dict.fromkeys(subjects):
        yield from _tell(connection, "violation", (Party.PARTNER,), subject, violation=subject)


def evidence(violation: Violation) -> dict[str, str]:
    """A violation as JSON values."""
    return {"code": violation.code, "subject": violation.subject, "evidence": violation.evidence}


def _tell(
    connection: Connection, kind: str, parties: tuple[Party, ...], subject: str, **details: Any
) -> Iterator[Notice]:
    for party in parties:
        key = key_of(connection, kind, subject, str(party))
        yield Notice(key=key, kind=kind, connection_id=connection.connection_id, party=party, details=details)
