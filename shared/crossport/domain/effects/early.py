"""When an effect must wait for its time; asked right before its turn.

An effect has one key for ever, so what is dropped is never called for again. ``moot`` drops what cannot matter any
more; what may matter later waits here.
"""

from __future__ import annotations

from crossport.domain.connection import Connection
from crossport.domain.effects.kinds import Effect
from crossport.domain.effects.moot import moot
from crossport.domain.facts import port_gone
from crossport.domain.policy import Policy
from crossport.domain.violations import violations_of
from crossport.domain.vocabulary import Flow


def too_early(effect: Effect, connection: Connection, policy: Policy) -> str | None:
    """Why an effect must wait, or None when it may go now. What is moot is not early.

    A port is told to be gone when its absence is proven, which one look that missed it does not. A tenant is asked to
    accept only what is as it was ordered. The call that makes a port from a VBR says neither spec
    nor VLAN ID, so both are read back first (ruling 16).
    """
    if effect.kind == "port_gone":
        gone = connection.port is not None and port_gone(connection.port, policy.consistency_window)
        return None if gone else "port_not_gone"
    if effect.kind != "offer" or moot(effect, connection, policy) is not None:
        return None
    port = connection.port
    if port is None or (connection.flow is Flow.MIGRATION and None in (port.spec.current, port.vlan_id.current)):
        return "port_not_read"
    standing = [v.code for v in violations_of(connection, policy.consistency_window) if v.subject == port.port_id]
    return f"violation:{standing[0]}" if standing else None
