"""Rule 4: how long a VLAN ID rests after its port or VBR is gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from crossport.domain.connection import Connection
from crossport.domain.vocabulary import Presence

#: The cloud keeps the VLAN ID of a terminated VBR for so long (API reference, ModifyVirtualBorderRouterAttribute).
CLOUD_COOL_DOWN = timedelta(days=7)
#: From this long after a VBR's termination on, whoever recovers it is warned that the VLAN ID may be lost (ruling 15).
SAFE_TO_RECOVER = timedelta(days=5)


def cool_down_ends(connection: Connection, ours: timedelta) -> datetime | None:
    """When the VLAN ID may be used again; None at once: an offer never accepted leaves nothing behind (ruling 15).

    Ours runs from the last time that the port or a VBR was seen; the cloud's, 7 days, from a VBR's termination.
    """
    port = connection.port
    if port is None or (not port.confirmed and not connection.vbrs):
        return None
    seen = [e.at for e in port.presence.entries if e.value == Presence.PRESENT] or [port.first_seen]
    for vbr in connection.vbrs:
        seen += [e.at for e in vbr.presence.entries if e.value == Presence.PRESENT]
    ends = [max(seen) + ours]
    for vbr in connection.vbrs:
        ends += [e.at + CLOUD_COOL_DOWN for e in vbr.status.runs() if e.value == "terminated"]
    return max(ends)


def vlan_at_risk_from(connection: Connection) -> datetime | None:
    """From when on recovering the terminated VBR may find its VLAN ID lost; None while no VBR is terminated.

    Counted from when the termination was first seen, which the cloud's own TerminationTime can only precede.
    """
    since = [
        list(vbr.status.runs())[-1].at
        for vbr in connection.vbrs
        if vbr.status.current == "terminated" and not vbr.deleted
    ]
    return min(since) + SAFE_TO_RECOVER if since else None
