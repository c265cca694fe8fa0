"""Recover what was terminated: what stands in the way, and whose it is to do (ruling 4).

The partner guide gives a partner the right to recover a port "when you are the payer"; the tenant guide sends a tenant
whose port was stopped to the partner ([INF], so only by force). A VBR is recovered by the circuit's owner alone (API
reference, RecoverVirtualBorderRouter). A lock is not recovered: it is settled, renewed or cleared.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crossport.domain.connection import Connection, Refusal, Request
from crossport.domain.cool_down import vlan_at_risk_from
from crossport.domain.phase import Suspension, phase_of, suspension
from crossport.domain.vocabulary import OrderMode, Party, Phase, RequestKind

#: What a recover call cannot lift.
LOCKS = frozenset({"expired", "locked_financial", "locked_security"})


def recovery_allowed(connection: Connection, window: timedelta, *, forced: bool) -> Iterator[Refusal]:
    """Why the partner may not recover the connection now; nothing when it may."""
    if connection.request(RequestKind.CEASE) is not None:
        yield Refusal(code="cease_recorded", message="the end of the service is recorded")
    found = suspension(connection, window)
    if found is None or phase_of(connection, window) is not Phase.SUSPENDED:
        yield Refusal(code="nothing_to_recover", message="neither the port nor its VBR was terminated")
    elif found.reason in LOCKS:
        message = f"it is {found.reason}: the {found.waiting_for} must {found.way_back}"
        yield Refusal(code="locked_not_terminated", message=message, subject=found.reason)
    elif _tenants_port(connection) and not forced:
        message = "the tenant pays for the port and has been told how to recover it; a reason has us try all the same"
        yield Refusal(code="recovery_is_the_tenants", message=message, subject=connection.port_id or "")


def tenant_must_act(connection: Connection, window: timedelta) -> Suspension | None:
    """The suspension that the tenant alone may end, or None."""
    found = suspension(connection, window)
    if found is None:
        return None
    return (
        found
        if found.waiting_for is Party.TENANT or (found.reason not in LOCKS and _tenants_port(connection))
        else None
    )


def vlan_at_risk(connection: Connection, request: Request) -> bool:
    """Whether recovering may find the VLAN ID lost: asked for five days or more after the VBR's termination."""
    begins = vlan_at_risk_from(connection)
    return request.kind is RequestKind.RECOVER and begins is not None and request.at >= begins


def _tenants_port(connection: Connection) -> bool:
    """Whether it is the port that is terminated, and the tenant that pays for it."""
    port = connection.port
    terminated = port is not None and port.status.current != "Enabled"
    return terminated and connection.order_mode != OrderMode.PARTNER_PAYS
