"""The API's own words for circuits, shared ports and VBRs.

Values are spelled as in the Alibaba Cloud API reference (Vpc, 2016-04-28), inconsistent capitals included: a port's
``Confirmed`` exists on two axes with two meanings, and a VBR's states are lower case.
"""

from __future__ import annotations

from enum import StrEnum

VERSION = "2016-04-28"


class Status(StrEnum):
    """The physical and billing state of a circuit or port (``Status``)."""

    INITIAL = "Initial"
    APPROVED = "Approved"
    ALLOCATING = "Allocating"
    ALLOCATED = "Allocated"
    CONFIRMED = "Confirmed"
    ENABLED = "Enabled"
    REJECTED = "Rejected"
    CANCELED = "Canceled"
    ALLOCATION_FAILED = "Allocation Failed"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"
    RECOVERING = "Recovering"


class Acceptance(StrEnum):
    """Whether the tenant has accepted a port (``VirtualPhysicalConnectionStatus``)."""

    UNCONFIRMED = "UnConfirmed"
    CONFIRMED = "Confirmed"
    DELETED = "Deleted"


class BusinessStatus(StrEnum):
    """Locks of a circuit, port or VBR (``BusinessStatus``)."""

    NORMAL = "Normal"
    FINANCIAL_LOCKED = "FinancialLocked"
    SECURITY_LOCKED = "SecurityLocked"


class OrderMode(StrEnum):
    """Who pays for a port. The tenant is "the virtual physical connection's owner"."""

    PARTNER = "PayByPhysicalConnectionOwner"
    TENANT = "PayByVirtualPhysicalConnectionOwner"


class VbrStatus(StrEnum):
    """The state of a VBR."""

    UNCONFIRMED = "unconfirmed"
    ACTIVE = "active"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    RECOVERING = "recovering"
    DELETING = "deleting"


class ProductType(StrEnum):
    """What tells a port from a circuit: both have ids that begin with ``pc-``."""

    CIRCUIT = "PhysicalConnection"
    PORT = "VirtualPhysicalConnection"


class OrderStatus(StrEnum):
    """The state of an order in the billing system; not part of the VPC API."""

    UNPAID = "Unpaid"
    PAID = "Paid"
    ABNORMAL = "Abnormal"
    CANCELED = "Cancelled"


SPECS: dict[str, int] = {
    "50M": 50,
    "100M": 100,
    "200M": 200,
    "300M": 300,
    "400M": 400,
    "500M": 500,
    "1G": 1000,
    "2G": 2000,
    "5G": 5000,
    "8G": 8000,
    "10G": 10000,
}
"""A port's bandwidth specs in Mbit/s, decimal on both sides of every sum."""

LARGE_SPECS = frozenset({"2G", "5G", "8G", "10G"})
"""Specs that the account manager must have approved."""

VBR_BANDWIDTH_SPECS: dict[int, str] = {
    50: "50M",
    100: "100M",
    200: "200M",
    300: "300M",
    400: "400M",
    500: "500M",
    1000: "1G",
    2048: "2G",
    5120: "5G",
    8192: "8G",
    10240: "10G",
}
"""The caps of a VBR in Mbit/s (CreateVirtualBorderRouter, ``Bandwidth``) that have a port spec."""

LARGE_VBR_BANDWIDTHS = frozenset({20480, 40960, 50120, 61440, 102400})
"""The further caps of a VBR; ``50120`` is the API reference's own spelling. No port has such a spec."""

VLAN_IDS = range(3000)
"""0 is the layer-3 routed interface: one VBR for the whole circuit. 1 to 2999 are sub-interfaces."""
