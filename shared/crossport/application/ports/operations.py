"""What a network operations centre asks of the store, and what it puts on record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from crossport.application.ports.rows import OutboxRow
from crossport.domain.circuit import Circuit
from crossport.domain.maintenance import Maintenance
from crossport.domain.pause import Pause
from crossport.domain.placement import Placement


class Operations(Protocol):
    """The part of ``Store`` that is about the network as a whole."""

    def circuits(self) -> Sequence[Circuit]:
        """Every circuit on record, of all accounts, by id."""
        ...

    def placements(self, circuit_id: str | None = None) -> Iterable[Placement]:
        """Where connections run, by connection id: those of a circuit with the other members of their redundancy
        groups, on whatever circuit these are; all connections, ended ones too, when it is None."""
        ...

    def pauses(self) -> Sequence[Pause]:
        """The pauses in force, that of everything first."""
        ...

    def pause(self, pause: Pause) -> bool:
        """Stop commands to the cloud; audited. False when ``account_id`` was paused already: the first pause
        stands."""
        ...

    def resume(self, account_id: str, *, actor: str, reason: str, at: datetime) -> bool:
        """End a pause; audited. Commands that waited for it are due at once. False when there was none.

        ``account_id`` as in ``Pause``: the pause of everything and that of an account are ended apart.
        """
        ...

    def open_maintenance(self) -> Sequence[Maintenance]:
        """Records of maintenance and outages that are not cleared, of all circuits, by their beginning."""
        ...

    def add_maintenance(self, record: Maintenance, *, seen: Collection[str], outbox: Sequence[OutboxRow]) -> bool:
        """Put a record down with the notices of it; audited.

        False, and nothing written, when a record of the circuit is open that is not among ``seen``, on which this one
        was decided: decide again.
        """
        ...

    def clear_maintenance(self, record: Maintenance, *, outbox: Sequence[OutboxRow]) -> bool:
        """Clear an open record, with the notices of it; audited. ``record`` says when, by whom and why.

        What waited for its end, and what it kept quiet, is due at once. False when no open record has its id.
        """
        ...
