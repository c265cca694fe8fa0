"""The aggregate: one tenant's shared port with everything that belongs to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from crossport.domain.errors import aware
from crossport.domain.facts import PortFacts, VbrFacts, vbr_gone
from crossport.domain.vocabulary import Flow, MilestoneName, OrderMode, Origin, RequestKind

#: How the Name of a port that our create call made begins.
_PORT_NAME = "order-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One reason why something was refused or gave up: a stable code, a sentence, and what it is about."""

    code: str
    message: str
    subject: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Milestone:
    """A step before the push, with who said so and on what evidence (ruling 5)."""

    name: MilestoneName
    at: datetime
    actor: str
    evidence: str = ""

    def __post_init__(self) -> None:
        aware(self.at, "a milestone's time")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What was ordered. The payer is fixed at creation (rule 9)."""

    spec: str
    vlan_id: int
    order_mode: OrderMode | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A change, cease or cancellation that was accepted. Requests are first come, first served."""

    #: The orderer's own id of this request: unique within the partner account.
    request_id: str
    kind: RequestKind
    at: datetime
    actor: str
    #: For a change of spec.
    spec: str = ""
    #: For a change of VLAN.
    vlan_id: int | None = None
    #: Why a rule that may be overruled was overruled; "" when none was.
    forced: str = ""
    #: For a recovery: the VBR that was off when it was accepted; "" when it was the port alone.
    vbr_id: str = ""

    def __post_init__(self) -> None:
        aware(self.at, "a request's time")


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """What a migration starts from: the VBR that was pushed across accounts, and what was agreed (ruling 16)."""

    vbr_id: str
    #: The bandwidth cap that the VBR must have before it is converted, Mbit/s.
    bandwidth_mbps: int
    #: The VBR's configuration as read before anything was done, canonical JSON; "" until it was read.
    before: str = ""
    #: The same, as read after the VBR was attached to its port; "" until then.
    after: str = ""

    @property
    def untouched(self) -> bool | None:
        """Whether the VBR came through unchanged; None until both snapshots are there."""
        return self.before == self.after if self.before and self.after else None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordHead:
    """The live billing record of one billing fact: which revision it is, and the digest of what it charges."""

    fact: str
    revision: int
    digest: str
    #: The record itself as it was written, so that a reversal repeats it exactly.
    record: str


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One tenant's shared port: what was agreed, what we did, and what the cloud was seen to do.

    ``port`` and ``vbrs`` are merged facts and do not depend on the order of observations; what orders and our own
    acts leave (milestones, intent, failure) is first come, first served.
    """

    connection_id: str
    #: The partner account; every key, lock and row carries it (ruling 10).
    account_id: str
    region: str
    circuit_id: str
    tenant_uid: str
    flow: Flow
    origin: Origin
    terms: Terms
    created_at: datetime
    #: The orderer's own idempotency key; "" for an adopted port.
    client_order_id: str = ""
    contract_number: str = ""
    purchase_order: str = ""
    customer_reference: str = ""
    #: Where the tenant's VPC is, when that is another region than the port's (ruling 20).
    tenant_region: str = ""
    milestones: tuple[Milestone, ...] = ()
    #: Accepted requests, in the order in which they came.
    requests: tuple[Request, ...] = ()
    #: Set for the flow ``migration``.
    migration: Migration | None = None
    #: The redundancy group that the connection belongs to (ruling 17); "" for none.
    group_id: str = ""
    #: When the group had two valid orders, this one among them; the create call waits for it (ruling 17).
    group_ready_at: datetime | None = None
    #: Why the order was refused; empty unless it was.
    refusals: tuple[Refusal, ...] = ()
    #: When the create call was recorded as intended; its Token follows from the connection id.
    intended_at: datetime | None = None
    #: Why provisioning gave up.
    failure: Refusal | None = None
    #: When we took the offer back.
    withdrawn_at: datetime | None = None
    #: When VLAN ID and bandwidth were given back because the order, taken back, had no port.
    hold_released_at: datetime | None = None
    #: When the end of the service was recorded (ruling 4).
    cease_recorded_at: datetime | None = None
    #: When the tenant attested a VBR that we cannot see (ruling 8).
    attested_at: datetime | None = None
    port: PortFacts | None = None
    vbrs: tuple[VbrFacts, ...] = ()
    heads: tuple[RecordHead, ...] = field(default=())
    #: What was derived from this very value, by name, kept by whoever derives it and may need it again. A connection
    #: never changes, so it cannot be out of date; it is no part of the value and is not copied with it.
    derived: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def known_between(self) -> tuple[datetime, datetime] | None:
        """The times of the earliest and the latest entry of all histories; None while they are empty."""
        kept: tuple[datetime, datetime] | None = self.derived.get("known_between")
        if kept is None:
            histories = [history for facts in (self.port, *self.vbrs) if facts for history in facts.histories()]
            entries = [history.entries for history in histories if history.entries]
            if entries:
                kept = min([e[0].at for e in entries]), max([e[-1].at for e in entries])
                self.derived["known_between"] = kept
        return kept

    def but(self, **changes: Any) -> Connection:
        """The connection with other values in these fields: ``dataclasses.replace`` in a tenth of its time.

        A connection has some thirty fields and every event changes one or two. Raises TypeError for a field that it
        does not have.
        """
        if changes.keys() - _FIELDS:
            raise TypeError(f"a connection has no {', '.join(sorted(changes.keys() - _FIELDS))}")
        other = object.__new__(Connection)
        # No check is left out: a connection has none of its own.
        vars(other).update(vars(self), **changes, derived={})
        return other

    @property
    def port_id(self) -> str | None:
        """The shared port's id, once it is known."""
        return self.port.port_id if self.port else None

    @property
    def port_name(self) -> str:
        """The Name that our create call gives the port: the order number only (ruling 11).

        "" where no call of ours names one: an adopted port, and one made from a VBR.
        """
        return f"{_PORT_NAME}{self.client_order_id}" if self.client_order_id and self.migration is None else ""

    @property
    def came_late(self) -> bool:
        """Whether the port turned up when nothing was held for one any more: its order had been refused, had failed,
        or had been taken back. Monotone."""
        given_up = bool(self.refusals) or self.failure is not None or self.hold_released_at is not None
        return self.port is not None and given_up

    @property
    def token(self) -> str:
        """The idempotency Token of the create call: at most 64 ASCII characters, one for each intent (rule 11)."""
        return token_of(self.connection_id)

    @property
    def vlan_id(self) -> int:
        """The port's VLAN ID as the cloud last said, else as ordered. 0 is a valid value."""
        seen = self.port.vlan_id.current if self.port else None
        return self.terms.vlan_id if seen is None else seen

    @property
    def spec(self) -> str:
        """The port's spec as the cloud last said, else as ordered."""
        seen = self.port.spec.current if self.port else None
        return self.terms.spec if seen is None else seen

    @property
    def order_mode(self) -> str:
        """Who pays, as the cloud last said, else as ordered."""
        seen = self.port.order_mode.current if self.port else None
        return str(self.terms.order_mode) if seen is None else seen

    @property
    def agreed_vlan_id(self) -> int:
        """The VLAN ID that the port should have: of the latest accepted change, else as ordered."""
        changes = [request.vlan_id for request in self.requests if request.vlan_id is not None]
        return changes[-1] if changes else self.terms.vlan_id

    @property
    def expired(self) -> bool:
        """Whether the order waited so long that we took it back ourselves."""
        if not self.requests:
            return False
        own = expiry_id(self.connection_id)
        return any(request.request_id == own for request in self.requests)

    @property
    def offer_expired(self) -> bool:
        """Whether the tenant waited so long with the offer that we took it back ourselves."""
        return any(request.request_id == offer_expiry_id(self.connection_id) for request in self.requests)

    def request(self, kind: RequestKind) -> Request | None:
        """The latest accepted request of this kind, or None."""
        return next((request for request in reversed(self.requests) if request.kind is kind), None)

    def milestone(self, name: MilestoneName) -> Milestone | None:
        """The milestone of this name, or None while it has not been reached."""
        return next((m for m in self.milestones if m.name is name), None)

    def live_vbrs(self, window: timedelta) -> tuple[VbrFacts, ...]:
        """The VBRs that hang on the port now: not said deleted, not gone, not moved elsewhere."""
        return tuple(
            vbr
            for vbr in self.vbrs
            if not vbr.deleted
            and not vbr_gone(vbr.presence, window)
            and vbr.port_id.current in (None, self.port_id)
            and vbr.status.current != "deleting"
        )

    def conforms(self, vbr: VbrFacts) -> bool:
        """Whether a VBR is the one that the contract speaks of: the tenant's, on this port, with its VLAN ID.

        An owner that the cloud did not name is not held against the VBR.
        """
        return (
            vbr.owner_uid.current in (None, self.tenant_uid)
            and vbr.port_id.current == self.port_id
            and vbr.vlan_id.current == self.vlan_id
        )

    def ever_conformed(self, vbr: VbrFacts) -> bool:
        """Whether the VBR was at some time seen to be the port's proper one.

        Monotone, so effects and charges may hang on it: only what was said counts here. What was not said yet (the
        owner, the port's VLAN ID) may still be said otherwise.
        """
        return (
            self.port is not None
            and self.tenant_uid in vbr.owner_uid.values()
            and self.port_id in vbr.port_id.values()
            and not self.port.vlan_id.values().isdisjoint(vbr.vlan_id.values())
        )

    def accepted_vbr(self, window: timedelta) -> VbrFacts | None:
        """The earliest conforming VBR that lives, or None (the one-VBR rule: rule 14)."""
        if not self.vbrs:
            return None
        fitting = [vbr for vbr in self.live_vbrs(window) if self.conforms(vbr)]
        return min(fitting, key=lambda vbr: (vbr.first_seen, vbr.vbr_id), default=None)


_FIELDS = frozenset(each.name for each in fields(Connection)) - {"derived"}


def made_by_hand(connection: Connection, name: str | None) -> bool:
    """Whether a port with this Name was not made by the connection's own create call. A Name unsaid says nothing."""
    return bool(connection.port_name) and name is not None and name != connection.port_name


def order_of_port_name(name: str | None) -> str:
    """The client order id that a port's Name carries when a create call of ours has named it; else ""."""
    return name.removeprefix(_PORT_NAME) if name is not None and name.startswith(_PORT_NAME) else ""


def connection_id_for(account_id: str, kind: str, key: str) -> str:
    """The id of the connection that an order (by client order id) or an adopted port (by port id) opens.

    Derived, so that the same input opens the same connection however often it arrives.
    """
    digest = hashlib.sha256(f"{account_id}\n{kind}\n{key}".encode()).hexdigest()
    return f"conn-{digest[:16]}"


def expiry_id(connection_id: str) -> str:
    """The id of our own request that takes an order back when its hold has timed out."""
    return f"hold-expired:{connection_id}"


def offer_expiry_id(connection_id: str) -> str:
    """The id of our own request that takes an offer back when it was not accepted in time."""
    return f"offer-expired:{connection_id}"


def token_of(connection_id: str) -> str:
    """The create call's Token for a connection; 64 ASCII characters at most (API reference, parameter Token)."""
    return f"crossport-{connection_id}"
