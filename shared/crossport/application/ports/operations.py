"""What a network operations centre asks of the store, and what it puts on record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from crossport.domain.circuit import Circuit
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
