"""The store: what of it every use case may count on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from crossport.application.ports.letters import DeadLetter, LetterState
from crossport.application.ports.operations import Operations
from crossport.application.ports.rows import (
    CircuitRun,
    Completion,
    InputRow,
    LeasedRow,
    Loaded,
    OpenConnection,
    OrderContext,
    OutboxRow,
    Save,
    SaveOutcome,
    Stored,
    Unrouted,
)
from crossport.domain.circuit import Circuit
from crossport.domain.differences import Known
from crossport.domain.orders import Tenant
from crossport.domain.quota import CallQuota
from crossport.domain.sweep import SweptCircuit
from crossport.domain.visibility import VbrVisibility


class Store(Operations, Protocol):
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
        self,
        *,
        connection_id: str,
        account_id: str,
        circuit_id: str,
        tenant_uid: str,
        group_id: str = "",
        keys: Collection[str] = (),
    ) -> OrderContext:
        """What an order or an adoption is decided on, in one round trip, no lock.

        ``group_id`` "" loads no siblings.
        """
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

    def known_ports(self, circuit_id: str) -> Iterable[Known]:
        """What lists should show of every port of ours on this circuit, ended ones included, in order of port id."""
        ...

    def reconciled(self, run: CircuitRun) -> None:
        """Keep what a reconciliation has found: the circuit's latest run, its findings, and, unless it found nothing
        new, a line of the audit trail."""
        ...

    def swept_circuits(self) -> Sequence[SweptCircuit]:
        """Every circuit with its latest complete reconciliation, by circuit id."""
        ...

    def vbr_visibility(self, account_id: str) -> VbrVisibility | None:
        """Where the account sees VBRs on its ports; None until something told."""
        ...

    def put_vbr_visibility(self, account_id: str, visibility: VbrVisibility, *, evidence: str, at: datetime) -> None:
        """Keep what was found out about that, and why."""
        ...

    def take_call(self, *, account_id: str, region: str, api: str, now: datetime, quota: CallQuota) -> bool:
        """Take one call from the budget that everybody shares; False when it is used up. One statement.

        No schedule of takers gets more than ``quota.calls`` in any ``quota.period``. A budget dated further ahead than
        that was written by a clock that was wrong, and counts as full.
        """
        ...

    def hold_calls(self, *, account_id: str, region: str, api: str, until: datetime) -> None:
        """Empty the budget; it refills from ``until`` on, or from a later time that was named before."""
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

    def open_connections(self, *, after: str, limit: int) -> Sequence[OpenConnection]:
        """The next connections that have not ended, in order of their ids, those beyond ``after``; "" from the start.

        Ended are rejected, failed, withdrawn, declined and released. Whoever asks with the last id of each page until
        none is left has seen every connection that was open all the while, and keeps one page in memory.
        """
        ...

    def written(self, keys: Collection[str]) -> Collection[str]:
        """Which of these outbox keys are there already, whatever has become of their rows."""
        ...

    def bookmark(self, name: str) -> str:
        """Where a long walk by this name has come to; "" at its beginning."""
        ...

    def put_bookmark(self, name: str, place: str, *, at: datetime) -> None:
        """Keep where a long walk has come to, for whoever goes on with it."""
        ...

    def attempted(self, key: str, *, at: datetime) -> int:
        """Count a try of a record that ended as ``retry``; how many there were by now. Old counts are forgotten."""
        ...

    def keep_dead_letter(
        self, letter: DeadLetter, *, alert: Callable[[int], OutboxRow], inputs: Sequence[InputRow] = ()
    ) -> bool:
        """Keep a letter with rows of the audit trail, in one transaction; False when it was kept before.

        When no other letter of its function, cause and source waits, ``alert`` makes the notice of it from the number
        of those that were settled before: one notice for each time that a cause comes up.
        """
        ...

    def dead_letter(self, key: str) -> DeadLetter | None:
        """The letter, whatever has become of it, or None."""
        ...

    def settle_dead_letter(
        self, letter: DeadLetter, state: LetterState, *, actor: str, reason: str, at: datetime
    ) -> bool:
        """Say what has become of a letter, audited; False when somebody else has since ``letter`` was read."""
        ...

    def configuration(self) -> tuple[int, Mapping[str, Any]] | None:
        """The applied configuration document with its version, or None before the first ``crossport apply``."""
        ...
