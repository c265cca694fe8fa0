"""What a network operations centre asks: circuits, and where connections run. For the store and the views alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from crossport.adapters.store.administration import Administration
from crossport.adapters.store.engines import Engine
from crossport.adapters.store.rows import circuit_of, stamp, time_of
from crossport.application.pausing import PAUSED
from crossport.domain import glance
from crossport.domain.circuit import Circuit
from crossport.domain.pause import Pause
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

    def pauses(self) -> tuple[Pause, ...]:
        """See ``Operations.pauses``."""
        return tuple(
            Pause(account_id=account_id, since=time_of(since), actor=actor, reason=reason)
            for account_id, since, actor, reason in self._engine.rows("pauses")
        )


class OperationsWriting(Administration):
    """``ports.Operations``, as far as it writes."""

    def pause(self, pause: Pause) -> bool:
        """See ``Operations.pause``."""
        columns = {"account_id": pause.account_id, "actor": pause.actor, "reason": pause.reason}
        with self._engine.writing():
            if self._engine.write("insert_pause", {**columns, "since": stamp(pause.since)}) == 0:
                return False
            self._audit(
                "pause",
                {"account_id": pause.account_id},
                actor=pause.actor,
                reason=pause.reason,
                at=pause.since,
                account_id=pause.account_id,
            )
        return True

    def resume(self, account_id: str, *, actor: str, reason: str, at: datetime) -> bool:
        """See ``Operations.resume``."""
        with self._engine.writing():
            if self._engine.write("delete_pause", {"account_id": account_id}) == 0:
                return False
            self._engine.write("wake_by_reason", {"waits_for": PAUSED})
            details = {"account_id": account_id}
            self._audit("resume", details, actor=actor, reason=reason, at=at, account_id=account_id)
        return True


def _placement(row: tuple[Any, ...]) -> Placement:
    *columns, port_glance, over, updated_at = row
    values: dict[str, Any] = dict(zip(_PLACEMENT, columns, strict=True))
    port = None
    if port_glance is not None and not over:
        port = glance.port_difference(values["port_id"], "", port_glance, time_of(updated_at))
    return Placement(**{**values, "phase": Phase(values["phase"])}, port=port)
