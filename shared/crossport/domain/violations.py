"""Violations: where the cloud is not as it should be. A flag beside the phase, with evidence; it clears by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from crossport.domain.connection import Connection
from crossport.domain.facts import PortFacts, VbrFacts
from crossport.domain.history import History
from crossport.domain.vocabulary import BUSINESS_STATUSES, PORT_STATUSES, VBR_STATUSES

#: The codes of breaches of the one-VBR rule.
ONE_VBR_CODES = frozenset({"second_vbr", "wrong_vbr_owner", "wrong_vlan"})


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Violation:
    """One breach: a stable code, what it is about, and the evidence in one sentence."""

    code: str
    subject: str
    evidence: str

    @property
    def key(self) -> str:
        """What tells it from other violations of the same connection."""
        return f"{self.code}:{self.subject}"


def violations_of(connection: Connection, window: timedelta) -> tuple[Violation, ...]:
    """All violations that the connection's own facts show now, sorted.

    Circuit-wide ones (a VLAN clash, over capacity) need other connections and are found by reconciliation.
    """
    found = [*one_vbr_a_port(connection, window), *as_agreed(connection), *_unknown(connection)]
    return tuple(sorted(found))


def one_vbr_a_port(connection: Connection, window: timedelta) -> list[Violation]:
    """Rule 14: one live VBR, the tenant's, with the port's VLAN ID. What else hangs on the port is flagged."""
    live = connection.live_vbrs(window)
    accepted = connection.accepted_vbr(window)
    found = []
    for vbr in live:
        if vbr is accepted:
            continue
        if accepted is not None or vbr is not live[0]:
            found.append(
                Violation(
                    code="second_vbr",
                    subject=vbr.vbr_id,
                    evidence=f"port {connection.port_id} carries {len(live)} VBRs; a shared port has one",
                )
            )
        found.extend(_misfit(connection, vbr))
    return found


class OneVbr(StrEnum):
    """What can be said of the rule that a port carries one VBR, the tenant's (rule 14; ruling 8)."""

    KEPT = "kept"
    BROKEN = "broken"
    #: Active by the tenant's word alone, or VBRs cannot be seen: nothing was seen that could be checked.
    CANNOT_CHECK = "cannot check"
    #: There is no VBR yet, or no service any more.
    NOT_DUE = "not due"


def one_vbr_result(*, active: bool, accepted_vbr: bool, codes: Collection[str], blind: bool = False) -> OneVbr:
    """The result of ``one_vbr_a_port`` for a connection with these violation codes.

    ``blind``: it may have a VBR, and nobody could see it (ruling 8).
    """
    if not ONE_VBR_CODES.isdisjoint(codes):
        return OneVbr.BROKEN
    if accepted_vbr:
        return OneVbr.KEPT
    return OneVbr.CANNOT_CHECK if active or blind else OneVbr.NOT_DUE


def _misfit(connection: Connection, vbr: VbrFacts) -> list[Violation]:
    found = []
    owner, vlan_id = vbr.owner_uid.current, vbr.vlan_id.current
    if owner not in (None, connection.tenant_uid):
        found.append(
            Violation(
                code="wrong_vbr_owner",
                subject=vbr.vbr_id,
                evidence=f"the VBR belongs to {owner}, the port to {connection.tenant_uid}",
            )
        )
    if vlan_id is not None and vlan_id != connection.vlan_id:
        found.append(
            Violation(
                code="wrong_vlan",
                subject=vbr.vbr_id,
                evidence=f"the VBR has VLAN {vlan_id}, the port has VLAN {connection.vlan_id}",
            )
        )
    return found


def as_agreed(connection: Connection) -> list[Violation]:
    """Rule 15 and the terms: the port has the tenant, VLAN ID, circuit and order mode that were agreed."""
    port = connection.port
    if port is None:
        return []
    found = []
    pairs = (
        ("wrong_port_owner", port.tenant_uid.current, connection.tenant_uid, "the port was pushed to {}, not to {}"),
        (
            "wrong_port_vlan",
            port.vlan_id.current,
            _expected_vlan(connection, port),
            "the port has VLAN {}, agreed is {}",
        ),
        ("wrong_port_circuit", port.circuit_id.current, connection.circuit_id, "the port is on {}, not on {}"),
        ("wrong_order_mode", port.order_mode.current, connection.terms.order_mode, "the port is {}, the order {}"),
    )
    for code, seen, agreed, sentence in pairs:
        if seen is not None and seen != agreed:
            found.append(Violation(code=code, subject=port.port_id, evidence=sentence.format(seen, agreed)))
    spec = port.spec.current
    if connection.migration is not None and spec is not None and spec not in agreed_specs(connection):
        # The call that makes a port from a VBR takes no spec (ruling 16).
        evidence = f"the port has {spec}, agreed is {connection.terms.spec}"
        found.append(Violation(code="wrong_port_spec", subject=port.port_id, evidence=evidence))
    return found


def agreed_specs(connection: Connection) -> frozenset[str]:
    """Every spec that was ever agreed: as ordered, and of each accepted change, which takes effect when it is paid."""
    return frozenset({connection.terms.spec, *(r.spec for r in connection.requests if r.spec)})


def _expected_vlan(connection: Connection, port: PortFacts) -> int:
    """The VLAN ID that the port should have now. A change that the port has never shown has not happened yet."""
    asked = [request.vlan_id for request in connection.requests if request.vlan_id is not None]
    seen = port.vlan_id.values()
    return next((vlan_id for vlan_id in reversed(asked) if vlan_id in seen), connection.terms.vlan_id)


def _unknown(connection: Connection) -> list[Violation]:
    port = connection.port
    current = {(vbr.vbr_id, vbr.status.current) for vbr in connection.vbrs}
    if port is not None:
        said = (port.status.current, port.business_status.current, *port.unknown_acceptance)
        current |= {(port.port_id, value) for value in said}
    return [
        Violation(code="unknown_status", subject=subject, evidence=f"the cloud says {value}")
        for subject, value in unknown_values(connection)
        if (subject, value) in current
    ]


def unknown_values(connection: Connection) -> tuple[tuple[str, str], ...]:
    """(port or VBR id, value) of every status ever seen that no documentation lists. Monotone."""
    port = connection.port
    seen: set[tuple[str, str]] = set()
    if port is not None:
        strange = _strange(port.status, PORT_STATUSES) + _strange(port.business_status, BUSINESS_STATUSES)
        seen.update((port.port_id, value) for value in (*strange, *port.unknown_acceptance))
    for vbr in connection.vbrs:
        seen.update((vbr.vbr_id, value) for value in _strange(vbr.status, VBR_STATUSES))
    return tuple(sorted(seen)) if seen else ()


def _strange(history: History[str], documented: frozenset[str]) -> list[str]:
    return [entry.value for entry in history.entries if entry.value not in documented]
