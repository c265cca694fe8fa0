"""One VBR as DescribeVirtualBorderRouters describes it, and the part of it that a migration must leave alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from crossport.adapters.vpc.answers import Answered, Count, Id, vlan
from crossport.domain.observation import VbrObservation
from crossport.domain.vocabulary import Presence, Source

#: What a migration itself changes. The VBR hangs on the port and no longer on the circuit; the port has the bandwidth;
#: the partner stops paying for the VBR (partner guide, "Add a shared port to an existing connection").
CHANGED_BY_A_MIGRATION = frozenset(
    {
        "PhysicalConnectionId",
        "PhysicalConnectionOwnerUid",
        "PhysicalConnectionStatus",
        "PhysicalConnectionBusinessStatus",
        "AssociatedPhysicalConnections",
        "Bandwidth",
        "PConnVbrChargeType",
        "PConnVbrExpireTime",
        "ActivationTime",
        "TerminationTime",
        "RecoveryTime",
    }
)


class VbrDetail(Answered):
    """A VBR in DescribeVirtualBorderRouters; ``physical_connection_id`` is the circuit or port that it hangs on.

    ``bandwidth`` is Mbit/s, 0 without a cap. The list does not name the VBR's owner.
    """

    vbr_id: Id
    physical_connection_id: Id
    vlan_id: str | int | None
    status: str | None
    bandwidth: int | None
    #: The whole VBR with the names of the wire.
    to_map: Callable[[], dict[str, Any]]

    def observed(self, at: datetime, owner_uid: str | None) -> VbrObservation:
        """What this says about the VBR at that time, with the owner that another list names."""
        return VbrObservation(
            at=at,
            source=Source.READ,
            vbr_id=self.vbr_id,
            port_id=self.physical_connection_id,
            owner_uid=owner_uid,
            vlan_id=vlan(self.vlan_id),
            status=self.status,
            presence=Presence.PRESENT,
        )


class _VbrSet(Answered):
    virtual_border_router_type: list[VbrDetail]


class VbrDetails(Answered):
    """One page of DescribeVirtualBorderRouters."""

    total_count: Count
    virtual_border_router_set: _VbrSet

    @property
    def items(self) -> list[VbrDetail]:
        """The VBRs of the page."""
        return self.virtual_border_router_set.virtual_border_router_type


def configuration(described: Mapping[str, Any]) -> str:
    """Everything that a described VBR says, as canonical JSON, less what a migration itself changes.

    Two descriptions that differ in the order of names or of lists only are the same.
    """
    kept = {name: _ordered(value) for name, value in described.items() if name not in CHANGED_BY_A_MIGRATION}
    return _canonical(kept)


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _ordered(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted((_ordered(inner) for inner in value), key=_canonical)
    return value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
