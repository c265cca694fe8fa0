"""The protocols that use cases speak to, and the values that cross them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection
from crossport.domain.decide import Finding
from crossport.domain.ledger import BillingRecord
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.orders import Contract, Hold, Tenant
from crossport.domain.policy import Policy
from crossport.domain.violations import Violation
from crossport.domain.vocabulary import Phase, Verdict


class Clock(Protocol):
    """The one seam for time."""

    def now(self) -> datetime:
        """The present time, aware, UTC."""
        ...


class Ids(Protocol):
    """The one seam for randomness: lease holders and the like."""

    def new(self) -> str:
        """A fresh random id of 32 hexadecimal digits."""
        ...


# --- What the store keeps -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRow:
    """How one input ended: a row of the audit trail and, when it ``claims`` its key, of the inbox.

    A refused input never claims a key, so that a forged one cannot suppress the genuine one that follows.
    """

    #: (account, source, id), joined; "" when the input had none that could be trusted.
    key: str
    #: SHA-256 over the canonical JSON of the innermost ``data``.
    digest: str
    claims: bool
    at: datetime
    #: The function that handled it: ``port_events``, ``orders``, ...
    function: str
    verdict: Verdict
    #: A stable code; "" when there is nothing to add to the verdict.
    reason: str = ""
    #: The command that must still answer, such as ``read_port``.
    pending: str = ""
    account_id: str = ""
    connection_id: str | None = None
    #: eventName of a cloud event, type of a message.
    name: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    #: False for a further inbox key of the same input: it is claimed, but has no row of its own in the audit trail.
    shown: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """Something to carry out after the commit, at least once, with its key as the receiver's idempotency key.

    ``target`` is ``cloud`` (a command), ``queue:notices`` (a notice to render) or ``queue:<name>`` (a message).
    """

    key: str
    kind: str
    target: str
    payload: Mapping[str, Any]
    connection_id: str | None = None
    not_before: datetime | None = None


class OutboxState(StrEnum):
    """Where an outbox row stands."""

    DUE = "due"
    DONE = "done"
    #: Moot when its turn came; the reason stands beside it.
    DROPPED = "dropped"
    #: Given up; the reason stands beside it.
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeasedRow:
    """An outbox row taken by one worker until the lease ends. ``attempts`` counts this one too."""

    row: OutboxRow
    lease: str
    attempts: int
    #: What the latest completion said; "" before the first.
    reason: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """The end of a leased row's turn, by compare-and-swap on its lease. DUE means: again at ``not_before``."""

    key: str
    lease: str
    state: OutboxState
    reason: str = ""
    not_before: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unrouted:
    """An observation that no connection is known for yet, kept under its route until one is."""

    key: str
    route: str
    observation: Observation
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A connection as it stands in the store, with the version that a save must name."""

    connection: Connection
    version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What one round trip brought. Keys that are unknown are simply missing."""

    #: Route to connection.
    connections: Mapping[str, Stored] = field(default_factory=dict)
    #: Inbox key to payload digest.
    inbox: Mapping[str, str] = field(default_factory=dict)
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    #: Observations waiting under the routes that were asked for.
    unrouted: Sequence[Unrouted] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderContext:
    """Everything that an order is decided on, from one round trip."""

    circuit: Circuit | None
    tenant: Tenant | None
    contracts: tuple[Contract, ...]
    #: The connection that the order's id has opened before, if any.
    connection: Stored | None
    #: The connection's live holds on the circuit, by VLAN ID.
    holds: tuple[Hold, ...] = ()
    #: Inbox key to payload digest, of the keys asked for.
    inbox: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Save:
    """One decision with everything that must stand or fall with it: ONE transaction.

    ``version`` None inserts a new connection. ``circuit``, when given, is swapped by its ``version`` (the version that
    was read; the store writes the next one) together with ``hold`` and ``release``. Nothing is written when any swap is
    lost.
    """

    connection: Connection
    phase: Phase
    violations: tuple[Violation, ...]
    version: int | None
    at: datetime
    inputs: tuple[InputRow, ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    records: tuple[BillingRecord, ...] = ()
    findings: tuple[Finding, ...] = ()
    hold: Hold | None = None
    #: Live holds to give back: their rows stay, as history, with the time of the release.
    release: tuple[Hold, ...] = ()
    circuit: Circuit | None = None
    #: Keys of unrouted observations that this save has folded in.
    folded: tuple[str, ...] = ()
    completion: Completion | None = None


class SaveOutcome(StrEnum):
    """How a save ended. Unless SAVED, nothing was written."""

    SAVED = "saved"
    #: Another writer was faster; load and decide again.
    LOST = "lost"
    #: An inbox key of the save is there already; load again to see which.
    DUPLICATE = "duplicate"


class Store(Protocol):
    """Crossport's memory. One contract suite runs on every implementation (tests/contract)."""

    def load(
        self, *, routes: Collection[str] = (), keys: Collection[str] = (), circuits: Collection[str] = ()
    ) -> Loaded:
        """Connections by route, known inbox keys, circuits and waiting observations, in one round trip, no lock."""
        ...

    def get(self, connection_id: str) -> Stored | None:
        """One connection, or None."""
        ...

    def load_order(
        self, *, connection_id: str, account_id: str, circuit_id: str, tenant_uid: str, keys: Collection[str] = ()
    ) -> OrderContext:
        """What an order or an adoption is decided on, in one round trip, no lock."""
        ...

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        """Write decisions, at most one for each connection, in one transaction; an outcome for each, in order.

        Of each save the connection's row comes first and the rest only if that was won: a save that is LOST or
        DUPLICATE writes nothing and does not disturb the others.
        """
        ...

    def record(
        self, inputs: Sequence[InputRow], *, outbox: Sequence[OutboxRow] = (), unrouted: Sequence[Unrouted] = ()
    ) -> None:
        """Write how inputs ended that changed no connection; with commands and waiting observations of theirs.

        A key that is claimed already, an outbox key or unrouted key that is there already, is skipped.
        """
        ...

    def take(self, *, now: datetime, lease_for: timedelta, lease: str, limit: int) -> Sequence[LeasedRow]:
        """Lease due rows, oldest first, none that another worker holds. Expired leases are due again."""
        ...

    def finish(self, completion: Completion, *, at: datetime) -> bool:
        """End a leased row's turn. False when the lease was lost meanwhile: nothing was written."""
        ...

    def tenant(self, tenant_uid: str) -> Tenant | None:
        """The tenant as declared, or None."""
        ...

    def circuit(self, circuit_id: str) -> Circuit | None:
        """The circuit, or None."""
        ...

    def seal(self, *, now: datetime, holder: str, lease_for: timedelta, limit: int) -> int:
        """Seal up to ``limit`` unsealed ledger rows as the single writer; 0 when another holds the lease.

        Rows get the next ``seq`` and the hash chain in (written_at, key) order; each sealed record becomes an outbox
        message to ``queue:billing-records`` in the same transaction. Returns how many were sealed.
        """
        ...

    def receipt(self, *, key: str, channel: str, recipient: str, at: datetime, reference: str) -> bool:
        """Note that a notice was handed over on a channel. False when that was noted before."""
        ...

    def has_receipt(self, key: str, channel: str) -> bool:
        """Whether the notice was handed over on this channel before."""
        ...

    def stale_orders(self, before: datetime, limit: int) -> Sequence[str]:
        """Ids of connections in phase ``ordered`` that were created before this time, the oldest first.

        They hold a VLAN ID and bandwidth for a port that nobody has asked the cloud for yet.
        """
        ...

    def configuration(self) -> tuple[int, Mapping[str, Any]] | None:
        """The applied configuration document with its version, or None before the first ``crossport apply``."""
        ...


# --- The cloud ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class CreatePort:
    """The parameters of CreateVirtualPhysicalConnection. ``token`` is the same for every try of one intent."""

    account_id: str
    region: str
    circuit_id: str
    tenant_uid: str
    vlan_id: int
    spec: str
    order_mode: str
    name: str
    token: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to a call of ours: its value and the cloud's Date."""

    value: str
    date: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """What a read showed. Observations are stamped with the answer's Date; the consistency window is not taken off."""

    date: datetime
    port: PortObservation | None
    vbrs: tuple[VbrObservation, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class VbrRead:
    """One VBR: what was observed, and its configuration as canonical JSON for the before and after of a migration.

    The configuration leaves out what a migration itself changes: what the VBR hangs on, its cap, what it costs, and the
    times of its activation, termination and recovery.
    """

    date: datetime
    vbr: VbrObservation | None
    configuration: str = ""
    #: The bandwidth cap in Mbit/s; None when the VBR has none.
    bandwidth_mbps: int | None = None


class CloudFailure(StrEnum):
    """What kind of failure a cloud call met, which decides what happens next."""

    #: Throttled, 5xx, or not reached at all: try again later. A 5xx may come after the effect of a write.
    RETRYABLE = "retryable"
    #: Time-out or a broken connection after sending: it may have happened.
    UNKNOWN = "unknown"
    #: The cloud said no, for good.
    PERMANENT = "permanent"
    #: The create privilege is not there (its window has closed): ask again for it, then go on (ruling 6).
    PRIVILEGE = "privilege"


class Cloud(Protocol):
    """The VPC API, as far as the partner's side needs it. Methods raise ``CloudCallError``."""

    def create_port(self, request: CreatePort, *, dry_run: bool) -> Answer:
        """CreateVirtualPhysicalConnection; the value is the port's id ("" for a dry run)."""
        ...

    def pay_port(
        self, *, account_id: str, region: str, port_id: str, months: int, auto_renew: bool, token: str
    ) -> Answer:
        """CreatePhysicalConnectionOccupancyOrder with AutoPay; the value is the order id."""
        ...

    def update_port(
        self, *, account_id: str, region: str, port_id: str, vlan_id: int, expect_spec: str, token: str
    ) -> Answer:
        """UpdateVirtualPhysicalConnection; ``expect_spec`` "" changes the VLAN ID alone; the value is empty."""
        ...

    def terminate_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """TerminatePhysicalConnection: asynchronous; a read must see Terminated."""
        ...

    def delete_port(self, *, account_id: str, region: str, port_id: str, token: str) -> Answer:
        """DeletePhysicalConnection. A port that is gone already counts as deleted."""
        ...

    def terminate_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """TerminateVirtualBorderRouter: only the circuit's owner may."""
        ...

    def delete_vbr(self, *, account_id: str, region: str, vbr_id: str, token: str) -> Answer:
        """DeleteVirtualBorderRouter. A VBR that is gone already counts as deleted."""
        ...

    def set_vbr_bandwidth(
        self, *, account_id: str, region: str, vbr_id: str, bandwidth_mbps: int, token: str
    ) -> Answer:
        """UpdateVirtualBorderBandwidth: the cap that a migration needs (ruling 16); the value is empty."""
        ...

    def create_from_vbr(self, *, account_id: str, region: str, vbr_id: str, order_mode: str, token: str) -> Answer:
        """CreateVpconnFromVbr; the value is the port's id."""
        ...

    def attach_vbr(self, *, account_id: str, region: str, vbr_id: str, port_id: str, token: str) -> Answer:
        """AttachVbrToVpconn. A VBR that is attached to this port already counts as attached (ruling 16)."""
        ...

    def read_vbr(self, *, account_id: str, region: str, vbr_id: str) -> VbrRead:
        """One VBR with its configuration, cross-account ones included; ``vbr`` is None when none is shown."""
        ...

    def read_port(self, *, account_id: str, region: str, port_id: str) -> Read:
        """The port by its id and the VBRs on it; ``port`` is None when a complete answer does not hold it."""
        ...

    def find_port(self, *, account_id: str, region: str, circuit_id: str, vlan_id: int, tenant_uid: str) -> Read:
        """The live port on this circuit with this VLAN ID and tenant, if there is one: did our create call happen?"""
        ...


class Queue(Protocol):
    """Message queues."""

    def send(self, queue: str, body: str) -> str:
        """Send one message; returns its message id. Raises CrossportError with ``retryable``."""
        ...


# --- Notices --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A rendered notice: plain text and HTML, in the recipient's language."""

    #: The notice's key: Message-ID and idempotency key.
    key: str
    subject: str
    text: str
    html: str
    language: str


class Sender(Protocol):
    """One channel that hands messages over."""

    @property
    def channel(self) -> str:
        """``mail``, ``dingtalk``, ..."""
        ...

    def send(self, recipient: str, message: Message) -> str:
        """Hand the message over; returns the channel's reference. Raises CrossportError with ``retryable``."""
        ...


class Policies(Protocol):
    """The policies of all partner accounts."""

    def of(self, account_id: str) -> Policy:
        """The account's policy. Raises KeyError for an account that is not ours."""
        ...

    def accounts(self) -> Iterable[str]:
        """Ids of all partner accounts."""
        ...

    def partner_contact(self, account_id: str) -> Tenant:
        """Who is told on the partner's side: name, e-mail address, language, zone."""
        ...
