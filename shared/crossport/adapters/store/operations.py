"""What a network operations centre asks: circuits, and where connections run. For the store and the views alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossport.adapters.store.engines import Engine
from crossport.adapters.store.rows import circuit_of, time_of
from crossport.domain import glance
from crossport.domain.circuit import Circuit
from crossport.domain.placement import Placement
from crossport.domain.vocabulary import Phase

_PLACEMENT = (
    "connection_id", "account_id", "region", "circuit_id", "access_point", "tenant_uid", "group_id", "phase",
    "port_id", "vlan_id", "spec",
)  # fmt: skip


class NetworkReading:
    """``ports.Operations``, as far as it reads."""

    _engine: Engine

    def circuits(self) -> tuple[Circuit, ...]:
        """See ``Operations.circuits``."""
        return tuple(circuit_of(row) for row in self._engine.rows("circuits"))

    def placements(self, circuit_id: str | None = None) -> Iterator[Placement]:
        """See ``Operations.placements``."""
        return (_placement(row) for row in self._engine.rows("placements", {"circuit_id": circuit_id}))


def _placement(row: tuple[Any, ...]) -> Placement:
    *columns, port_glance, over, updated_at = row
    values: dict[str, Any] = dict(zip(_PLACEMENT, columns, strict=True))
    port = None
    if port_glance is not None and not over:
        port = glance.port_difference(values["port_id"], "", port_glance, time_of(updated_at))
    return Placement(**{**values, "phase": Phase(values["phase"])}, port=port)
