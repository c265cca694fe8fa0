"""The field's words as enumerations, written as the cloud or the design writes them."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Source(IntEnum):
    """Where an observation comes from. At the same cloud time the higher one wins."""

    READ = 0
    EVENT = 1
    OWN_ANSWER = 2


class OrderMode(StrEnum):
    """Who pays the port (API parameter OrderMode of CreateVirtualPhysicalConnection)."""

    PARTNER_PAYS = "PayByPhysicalConnectionOwner"
    TENANT_PAYS = "PayByVirtualPhysicalConnectionOwner"


class Acceptance(StrEnum):
    """VirtualPhysicalConnectionStatus: the acceptance axis. It only ever moves forward."""

    UNCONFIRMED = "UnConfirmed"
    CONFIRMED = "Confirmed"
    DELETED = "Deleted"


class Flow(StrEnum):
    """How a connection comes to its shared port."""

    NEW = "new"
    MIGRATION = "migration"


class Origin(StrEnum):
    """What brought the connection to us."""

    ORDER = "order"
    CONSOLE = "console"
    IMPORT = "import"


class Party(StrEnum):
    """Who is told, who pays, or who is waited for."""

    PARTNER = "partner"
    TENANT = "tenant"


class Phase(StrEnum):
    """Where a connection stands; derived from the facts, first match wins (``domain.phase``)."""

    REJECTED = "rejected"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"
    RELEASED = "released"
    RELEASING = "releasing"
    SUSPENDED = "suspended"
    ACTIVE = "active"
    ENABLED = "enabled"
    ACCEPTED = "accepted"
    OFFERED = "offered"
    PROVISIONING = "provisioning"
    ORDERED = "ordered"


class MilestoneName(StrEnum):
    """Steps on the way to a service, in the order in which they usually happen; all but the last before the push."""

    QUOTED = "quoted"
    QUOTE_ACCEPTED = "quote_accepted"
    LAST_MILE_READY = "last_mile_ready"
    UID_CONFIRMED = "uid_confirmed"
    #: The tenant's word for its VBR on a port where we cannot see it (ruling 8).
    VBR_ATTESTED = "vbr_attested"


#: The milestones that may gate the push or come with an order.
BEFORE_PUSH = frozenset(MilestoneName) - {MilestoneName.VBR_ATTESTED}


class RequestKind(StrEnum):
    """What may be asked for once a connection exists."""

    CHANGE_SPEC = "change_spec"
    CHANGE_VLAN = "change_vlan"
    #: End the service (ruling 4).
    CEASE = "cease"
    #: Take the order or the open offer back.
    CANCEL = "cancel"
    #: Bring back what was terminated (ruling 4).
    RECOVER = "recover"


class Verdict(StrEnum):
    """How an input ended. Every input ends as exactly one of these."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    REJECTED = "rejected"
    RETRY = "retry"
    DEAD_LETTER = "dead_letter"


class Presence(StrEnum):
    """What an observation says about a thing's existence."""

    PRESENT = "present"
    NOT_LISTED = "not_listed"
    NOT_FOUND = "not_found"


#: ``Status`` values of a port that the API reference names (the billing and construction axis).
PORT_STATUSES = frozenset(
    {
        "Initial", "Approved", "Allocating", "Allocated", "Confirmed", "Enabled", "Rejected", "Canceled",
        "Allocation Failed", "AllocationFailed", "Terminating", "Terminated",
    }
)  # fmt: skip
#: ``BusinessStatus`` values that the API reference names.
BUSINESS_STATUSES = frozenset({"Normal", "FinancialLocked", "SecurityLocked"})
#: VBR ``Status`` values that are documented.
VBR_STATUSES = frozenset({"unconfirmed", "active", "terminating", "terminated", "recovering", "deleting"})
