"""A circuit's capacity and VLAN IDs: what orders decide on.

Observations never change a circuit. Orders reserve by compare-and-swap on ``version`` (design section 3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

#: The highest VLAN ID of a shared port (API reference: 0..2999; 0 is the whole-circuit routed mode).
MAX_VLAN_ID = 2_999
#: Status of a circuit that carries traffic and takes shared ports (API reference, DescribePhysicalConnections).
IN_SERVICE = "Enabled"
_VLAN_ZERO = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit:
    """One dedicated Express Connect circuit of a partner account."""

    circuit_id: str
    account_id: str
    region: str
    name: str
    access_point: str
    line_operator: str
    #: Mbit/s, decimal.
    bandwidth_mbps: int
    #: Status by the cloud; shared ports need ``Enabled``.
    status: str = IN_SERVICE
    #: Sum of all live holds, Mbit/s.
    held_mbps: int = 0
    #: Bit n is set while VLAN ID n is held. A cache: the hold rows are the truth.
    vlan_bitmap: int = 0
    version: int = 0

    @property
    def free_mbps(self) -> int:
        """Mbit/s that no hold takes; negative when the circuit is oversold."""
        return self.bandwidth_mbps - self.held_mbps

    def holds(self, vlan_id: int) -> bool:
        """Whether a live hold has the VLAN ID. False outside 0..2999."""
        return 0 <= vlan_id <= MAX_VLAN_ID and bool(self.vlan_bitmap >> vlan_id & 1)

    def clashes_with_zero(self, vlan_id: int) -> bool:
        """Whether VLAN 0 stands between: it is asked for beside others, or held while another is asked for."""
        return bool(self.vlan_bitmap & ~_VLAN_ZERO) if vlan_id == 0 else bool(self.vlan_bitmap & _VLAN_ZERO)

    def is_free(self, vlan_id: int, *, zero_is_exclusive: bool = True) -> bool:
        """Whether the VLAN ID can be held. VLAN 0 excludes every other and is excluded by any (ruling 18, [INF])."""
        if not 0 <= vlan_id <= MAX_VLAN_ID or self.holds(vlan_id):
            return False
        return not (zero_is_exclusive and self.clashes_with_zero(vlan_id))

    def lowest_free(self, pool: Iterable[tuple[int, int]], *, zero_is_exclusive: bool = True) -> int | None:
        """The lowest free VLAN ID of the pool (inclusive ranges), or None when it is used up.

        VLAN 0 is never picked by itself: it would take the whole circuit. While it is held, no other is free, unless
        ``zero_is_exclusive`` is switched off (ruling 18, [INF]).
        """
        if zero_is_exclusive and self.vlan_bitmap & _VLAN_ZERO:
            return None
        # Above the highest VLAN ID held every bit is free: there always is a lowest one, if only beyond the range.
        everything_free = ~self.vlan_bitmap
        for start, high in sorted(pool):
            low = max(start, 1)
            free = everything_free >> low
            vlan_id = low + (free & -free).bit_length() - 1
            if vlan_id <= high:
                return vlan_id
        return None

    def hold(self, vlan_id: int, mbps: int) -> Circuit:
        """The circuit with one VLAN ID and its bandwidth held. Raises ValueError when the VLAN ID is held already."""
        if self.vlan_bitmap >> vlan_id & 1:
            raise ValueError(f"VLAN {vlan_id} is held on {self.circuit_id}")
        return replace(self, vlan_bitmap=self.vlan_bitmap | 1 << vlan_id, held_mbps=self.held_mbps + mbps)

    def release(self, vlan_id: int, mbps: int) -> Circuit:
        """The circuit with a hold given back. Raises ValueError when the VLAN ID is not held."""
        if not self.vlan_bitmap >> vlan_id & 1:
            raise ValueError(f"VLAN {vlan_id} is not held on {self.circuit_id}")
        return replace(self, vlan_bitmap=self.vlan_bitmap & ~(1 << vlan_id), held_mbps=self.held_mbps - mbps)
