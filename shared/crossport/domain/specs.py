"""The one decimal spec table, used on both sides of every capacity sum (rule 5).

The API's own ``Bandwidth`` field counts 1G as 1000 in one place and 1024 in another; it is never mixed in here.
"""

from __future__ import annotations

from crossport.domain.errors import UnknownSpecError

#: Spec to Mbit/s: the eleven values of CreateVirtualPhysicalConnection (API reference).
MBPS = {
    "50M": 50, "100M": 100, "200M": 200, "300M": 300, "400M": 400, "500M": 500,
    "1G": 1_000, "2G": 2_000, "5G": 5_000, "8G": 8_000, "10G": 10_000,
}  # fmt: skip
#: Spec to the bandwidth cap of a VBR, Mbit/s, from which a port of that spec is made: binary above 1G (API reference,
#: CreateVirtualBorderRouter, parameter Bandwidth; that these belong together is [INF]).
VBR_MBPS = {spec: value if value <= 1_000 else value // 1_000 * 1_024 for spec, value in MBPS.items()}
#: Specs that the account manager must approve (API reference, parameter Spec).
NEEDS_APPROVAL = frozenset({"2G", "5G", "8G", "10G"})


def mbps(spec: str) -> int:
    """The spec in Mbit/s. Raises UnknownSpecError for a value that the API does not list."""
    try:
        return MBPS[spec]
    except KeyError:
        raise UnknownSpecError(f"{spec} is not a spec of the API", spec=spec) from None
