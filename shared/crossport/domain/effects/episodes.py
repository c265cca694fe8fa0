"""Episodes: how many separate times something was so, counted from histories.

Counted and not dated, so that no late observation can make a key that was used before mean something else: the
number of runs of a value never falls when entries are added, wherever they land (ADR 4).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.facts import PortFacts, VbrFacts
from crossport.domain.history import History
from crossport.domain.phase import VBR_OFF, VBR_UP
from crossport.domain.violations import unknown_values

#: The words of ``BusinessStatus`` for a lock.
LOCKS = frozenset({"FinancialLocked", "SecurityLocked"})


def port_episodes(port: PortFacts, value: str) -> int:
    """How many separate times the port was locked in this way, or ``Terminated``."""
    return (port.status if value == "Terminated" else port.business_status).count_runs(value)


def return_episodes(port: PortFacts, value: str) -> int:
    """How many times the port came back: ``Normal`` after a lock, ``Enabled`` after a termination."""
    if value == "Normal":
        return port.business_status.count_runs("Normal", after=LOCKS)
    return port.status.count_runs("Enabled", after={"Terminated"})


def vbr_episodes(vbr: VbrFacts) -> int:
    """How many separate times the VBR was seen terminated."""
    return vbr.status.count_runs(VBR_OFF)


def vbr_return_episodes(vbr: VbrFacts) -> int:
    """How many times the VBR came back from a termination."""
    return vbr.status.count_runs(VBR_UP, after={VBR_OFF})


def ends_outlived(port: PortFacts) -> list[str]:
    """Every EndTime at or after which the port was seen locked for billing: its subscription had expired."""
    locked = [entry.at for entry in port.business_status.entries if entry.value == "FinancialLocked"]
    return sorted(end.isoformat() for end in port.end_time.values() if locked and end <= locked[-1])


def payment_episodes(port: PortFacts, end: datetime) -> int:
    """How many separate times the port was paid until then."""
    return port.end_time.count_runs(end)


def violation_episodes(connection: Connection) -> dict[str, int]:
    """(code:subject) of every way in which the facts can be read as a violation: its latest episode, counted from 1.

    Violations come and go with pairs of values, so an episode begins with each new run of a value that one hangs on.
    That is never too few: one that clears and comes back has a new number. A breach that goes on while such a value
    changes has one too, for its evidence is another.
    """
    port = connection.port
    if port is None:
        return {}
    found = _of_vbrs(connection, port)
    for code, history, agreed in (
        ("wrong_port_owner", port.tenant_uid, connection.tenant_uid),
        ("wrong_port_vlan", port.vlan_id, connection.agreed_vlan_id),
        ("wrong_port_circuit", port.circuit_id, connection.circuit_id),
        ("wrong_order_mode", port.order_mode, str(connection.terms.order_mode)),
    ):
        if _ever_other(history, agreed):
            found[f"{code}:{port.port_id}"] = _runs(history)
    if connection.migration is not None and port.spec.values() - {connection.terms.spec}:
        found[f"wrong_port_spec:{port.port_id}"] = _runs(port.spec)
    return found | _of_unknown(connection, port)


def _ever_other(history: History[Any], agreed: object) -> bool:
    for entry in history.entries:  # noqa: SIM110  # every decision asks, and a generator costs more than the answer
        if entry.value != agreed:
            return True
    return False


def _of_vbrs(connection: Connection, port: PortFacts) -> dict[str, int]:
    found: dict[str, int] = {}
    asked = {request.vlan_id for request in connection.requests if request.vlan_id is not None}
    vlans = port.vlan_id.values() | asked | {connection.terms.vlan_id}
    comings = sum(vbr.port_id.count_runs(port.port_id) for vbr in connection.vbrs)
    for vbr in connection.vbrs:
        came = vbr.port_id.count_runs(port.port_id)
        if len(connection.vbrs) > 1:
            found[f"second_vbr:{vbr.vbr_id}"] = max(1, len(connection.vbrs) - 1, comings - 1)
        if vbr.owner_uid.values() - {connection.tenant_uid}:
            found[f"wrong_vbr_owner:{vbr.vbr_id}"] = max(1, _runs(vbr.owner_uid) + came - 1)
        if any(ours != theirs for ours in vlans for theirs in vbr.vlan_id.values()):
            runs = _runs(port.vlan_id) + _runs(vbr.vlan_id) + came
            found[f"wrong_vlan:{vbr.vbr_id}"] = max(1, runs - 2)
    return found


def _of_unknown(connection: Connection, port: PortFacts) -> dict[str, int]:
    histories: dict[str, tuple[History[str], ...]] = {port.port_id: (port.status, port.business_status)}
    histories |= {vbr.vbr_id: (vbr.status,) for vbr in connection.vbrs}
    found: dict[str, int] = {}
    for subject, value in unknown_values(connection):
        times = sum(history.count_runs(value) for history in histories[subject])
        said_once = subject == port.port_id and value in port.unknown_acceptance
        found[f"unknown_status:{subject}"] = found.get(f"unknown_status:{subject}", 0) + times + said_once
    return found


def _runs(history: History[str] | History[int]) -> int:
    return sum(1 for _ in history.runs())
