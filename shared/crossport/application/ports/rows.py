"""What the store keeps: the rows of a save, and the values that it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection
from crossport.domain.decide import Finding
from crossport.domain.differences import Known
from crossport.domain.groups import Sibling
from crossport.domain.ledger import BillingRecord
from crossport.domain.observation import Observation
from crossport.domain.orders import Contract, Hold, Tenant
from crossport.domain.violations import Violation
from crossport.domain.vocabulary import Phase, Verdict


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
    """The end of a leased row's turn, by compare-and-swap on its lease. DUE means: again at ``not_before``.

    ``seen``: the version at which the row's connection was judged. When it has moved on since, the row is due at once:
    the change that it waits for may be among what came. Of no account in a save, which swaps that version itself.
    """

    key: str
    lease: str
    state: OutboxState
    reason: str = ""
    not_before: datetime | None = None
    seen: int | None = None


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
class OpenConnection:
    """A connection that has not ended, with everything that its deadlines hang on."""

    stored: Stored
    #: None for a tenant that is not on record.
    tenant: Tenant | None
    #: Where its circuit ends; "" when the circuit's row is not there.
    access_point: str
    #: The open finding that its redundancy group is half provisioned, with the deadline in its details.
    half_provisioned: Finding | None = None


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
    #: The other connections of the redundancy group that was asked for, by their ids; refused orders among them.
    siblings: tuple[Sibling, ...] = ()
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
    #: What lists should show of the connection's port, for reconciliation; None while there is no port.
    known: Known | None = None
    #: (code, subject) of the connection's findings that are settled now; those that are not open are skipped.
    #: Never one of ``findings``.
    cleared: tuple[tuple[str, str], ...] = ()
    hold: Hold | None = None
    #: Live holds to give back: their rows stay, as history, with the time of the release.
    release: tuple[Hold, ...] = ()
    circuit: Circuit | None = None
    #: Routes that the version before had; the save need not write them again.
    routed: frozenset[str] = frozenset()
    #: Keys of unrouted observations that this save has folded in.
    folded: tuple[str, ...] = ()
    completion: Completion | None = None
    #: Whether the connection has changed in a way that others may wait for: its rows whose reason begins with
    #: ``waiting:`` or ``too_early:``, but for the one of ``completion``, are due at once.
    wakes: bool = False


class SaveOutcome(StrEnum):
    """How a save ended. Unless SAVED, nothing was written."""

    SAVED = "saved"
    #: Another writer was faster; load and decide again.
    LOST = "lost"
    #: An inbox key of the save is there already; load again to see which.
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitRun:
    """What one reconciliation of a circuit leaves behind. ``differences`` are JSON values, one for each."""

    circuit_id: str
    account_id: str
    at: datetime
    complete: bool
    #: Why a list broke off; "" when none did.
    why: str
    listed: int
    differences: tuple[Mapping[str, Any], ...]
    #: What is wrong on the circuit as a whole; findings that are not among these any more are cleared.
    breaches: tuple[Finding, ...]
