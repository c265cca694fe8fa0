"""What a network operations centre asks of the store, and what it puts on record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from crossport.domain.circuit import Circuit
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
