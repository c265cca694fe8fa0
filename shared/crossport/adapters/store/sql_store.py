"""What the store does alike on every engine: reading, leases, sealing, receipts."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from crossport.adapters.store import observations, recent
from crossport.adapters.store.chain import GENESIS, seal_hash
from crossport.adapters.store.engines import Engine
from crossport.adapters.store.letters import Letters
from crossport.adapters.store.open_connections import open_page
from crossport.adapters.store.operations import NetworkReading, OperationsWriting
from crossport.adapters.store.rows import (
    circuit_of,
    completion_columns,
    contract_of,
    hold_of,
    outbox_columns,
    sealed_payload,
    stamp,
    tenant_of,
    time_of,
)
from crossport.adapters.store.sweeping import Sweeping
from crossport.application.ports import (
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
from crossport.domain.groups import Sibling
from crossport.domain.orders import Tenant

#: The lease of the ledger's one sealer.
SEAL_LEASE = "ledger:seal"
#: Where sealed records go.
RECORDS_TARGET = "queue:billing-records"


def utc_now() -> datetime:
    """The system's time."""
    return datetime.now(UTC)


class SqlStore(Letters, OperationsWriting, NetworkReading, Sweeping, ABC):
    """``Store`` (application.ports) over an engine, with the administrative changes beside it.

    One object holds one connection; threads may share it, processes may not. ``now`` is the seam for time; only
    ``record`` reads it, and only for commands that come without an input.
    """

    def __init__(self, engine: Engine, *, now: Callable[[], datetime]) -> None:
        super().__init__(engine)
        self._now = now

    def close(self) -> None:
        """Give back the connection."""
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        """See ``Store.save``.

        A broken constraint takes back the whole call, and IntegrityConflictError names the connection whose save did
        it: save the others again without it.
        """

    @abstractmethod
    def record(
        self, inputs: Sequence[InputRow], *, outbox: Sequence[OutboxRow] = (), unrouted: Sequence[Unrouted] = ()
    ) -> None:
        """See ``Store.record``. Commands date from their latest input, those without one from the present time."""

    def _asked_at(self, inputs: Sequence[InputRow]) -> datetime:
        return max((row.at for row in inputs), default=None) or self._now()

    # --- Reading ----------------------------------------------------------------------------------------------------

    def load(
        self, *, routes: Collection[str] = (), keys: Collection[str] = (), circuits: Collection[str] = ()
    ) -> Loaded:
        """See ``Store.load``: one statement, so all of it is of one moment."""
        texts = self._engine.texts
        rows = self._engine.rows("load", {"routes": texts(routes), "keys": texts(keys), "circuits": texts(circuits)})
        found: dict[str, Circuit] = {}
        inbox: dict[str, str] = {}
        unrouted: list[tuple[str, str, str, str]] = []
        for what, key, at, _, text in rows:
            if what == "inbox":
                inbox[key] = text
            elif what == "circuit":
                found[key] = circuit_of(json.loads(text))
            elif what == "unrouted":
                route, seen = json.loads(text)
                unrouted.append((at, key, route, seen))
        return Loaded(
            connections=_connections(rows),
            inbox=inbox,
            circuits=found,
            unrouted=tuple(
                Unrouted(key=key, route=route, observation=observations.load(seen), at=time_of(at))
                for at, key, route, seen in sorted(unrouted)
            ),
        )

    def get(self, connection_id: str) -> Stored | None:
        """See ``Store.get``."""
        row = self._engine.row("get_connection", {"connection_id": connection_id})
        return None if row is None else Stored(connection=recent.load(row[1]), version=row[0])

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
        """See ``Store.load_order``: one statement, so all of it is of one moment."""
        rows = self._engine.rows(
            "load_order",
            {
                "connection_id": connection_id,
                "account_id": account_id,
                "circuit_id": circuit_id,
                "tenant_uid": tenant_uid,
                "group_id": group_id,
                "keys": self._engine.texts(keys),
            },
        )
        values: dict[str, list[Any]] = {"circuit": [], "tenant": [], "contract": [], "hold": []}
        for what, _, _, _, text in rows:
            if what in values:
                values[what].append(json.loads(text))
        contracts = (contract_of(value) for value in values["contract"])
        holds = (hold_of(value) for value in values["hold"])
        return OrderContext(
            circuit=next((circuit_of(value) for value in values["circuit"]), None),
            tenant=next((tenant_of(value) for value in values["tenant"]), None),
            contracts=tuple(sorted(contracts, key=lambda contract: (contract.valid_from, contract.number))),
            connection=next(iter(_connections(rows).values()), None),
            holds=tuple(sorted(holds, key=lambda hold: hold.vlan_id)),
            siblings=tuple(
                Sibling(connection=recent.load(text), access_point=access_point)
                for what, access_point, _, _, text in sorted(rows, key=lambda row: str(row[2]))
                if what == "sibling"
            ),
            inbox={key: text for what, key, _, _, text in rows if what == "inbox"},
        )

    def tenant(self, tenant_uid: str) -> Tenant | None:
        """See ``Store.tenant``."""
        row = self._engine.row("get_tenant", {"tenant_uid": tenant_uid})
        return None if row is None else tenant_of(row)

    def circuit(self, circuit_id: str) -> Circuit | None:
        """See ``Store.circuit``."""
        row = self._engine.row("get_circuit", {"circuit_id": circuit_id})
        return None if row is None else circuit_of(row)

    def open_connections(self, *, after: str, limit: int) -> Sequence[OpenConnection]:
        """See ``Store.open_connections``."""
        return open_page(self._engine, after=after, limit=limit)

    def written(self, keys: Collection[str]) -> Collection[str]:
        """See ``Store.written``."""
        return frozenset(key for (key,) in self._engine.rows("written_keys", {"keys": self._engine.texts(keys)}))

    def bookmark(self, name: str) -> str:
        """See ``Store.bookmark``."""
        row = self._engine.row("get_bookmark", {"name": name})
        return "" if row is None else str(row[0])

    def put_bookmark(self, name: str, place: str, *, at: datetime) -> None:
        """See ``Store.put_bookmark``."""
        self._engine.change("put_bookmark", {"name": name, "place": place, "at": stamp(at)})

    def configuration(self) -> tuple[int, Mapping[str, Any]] | None:
        """See ``Store.configuration``."""
        row = self._engine.row("get_configuration")
        return None if row is None else (row[0], json.loads(row[1]))

    def has_receipt(self, key: str, channel: str) -> bool:
        """See ``Store.has_receipt``."""
        return self._engine.row("has_receipt", {"key": key, "channel": channel}) is not None

    # --- Working ----------------------------------------------------------------------------------------------------

    def take(self, *, now: datetime, lease_for: timedelta, lease: str, limit: int) -> Sequence[LeasedRow]:
        """See ``Store.take``. A row's age counts from when it became due, so a row put off does not go first again."""
        rows = self._engine.changed_rows(
            "take_outbox", {"lease": lease, "until": stamp(now + lease_for), "now": stamp(now), "limit": limit}
        )
        return tuple(_leased(row[2:], lease) for row in sorted(rows, key=lambda row: row[:2]))

    def finish(self, completion: Completion, *, at: datetime) -> bool:
        """See ``Store.finish``."""
        return self._engine.change("finish_outbox", completion_columns(completion, at)) == 1

    def receipt(self, *, key: str, channel: str, recipient: str, at: datetime, reference: str) -> bool:
        """See ``Store.receipt``."""
        columns = {"key": key, "channel": channel, "recipient": recipient, "at": stamp(at), "reference": reference}
        return self._engine.change("insert_receipt", columns) == 1

    def seal(self, *, now: datetime, holder: str, lease_for: timedelta, limit: int) -> int:
        """See ``Store.seal``; the chain is that of ``chain.seal_hash``."""
        with self._engine.writing():
            leased = {"name": SEAL_LEASE, "holder": holder, "until": stamp(now + lease_for), "now": stamp(now)}
            if self._engine.write("take_lease", leased) == 0:
                return 0
            seq, prev_hash = self._engine.row("last_seal") or (0, GENESIS)
            rows = self._engine.rows("unsealed_records", {"limit": limit})
            sealed, messages = [], []
            for key, revision, connection_id, record, reverses in rows:
                seq += 1
                hash_ = seal_hash(prev_hash=prev_hash, seq=seq, key=key, record=record, reverses=reverses)
                place = {"seq": seq, "prev_hash": prev_hash, "hash_": hash_, "reverses": reverses}
                message = OutboxRow(
                    key=f"billing-record:{key}",
                    kind="billing_record",
                    target=RECORDS_TARGET,
                    payload=sealed_payload(record, key=key, revision=revision, **place),
                    connection_id=connection_id,
                )
                sealed.append({"key": key, "seq": seq, "prev_hash": prev_hash, "hash": hash_})
                messages.append(outbox_columns(message, now))
                prev_hash = hash_
            self._engine.write_all("seal_record", sealed)
            self._engine.write_all("insert_outbox", messages)
            return len(rows)


def _connections(rows: Iterable[tuple[Any, ...]]) -> dict[str, Stored]:
    """Stored connections by route; one that several routes lead to is decoded once."""
    decoded: dict[str, Stored] = {}
    found: dict[str, Stored] = {}
    for what, route, connection_id, version, text in rows:
        if what != "connection":
            continue
        stored = decoded.get(connection_id)
        if stored is None:
            stored = decoded[connection_id] = Stored(connection=recent.load(text), version=version)
        found[route] = stored
    return found


def _leased(row: tuple[Any, ...], lease: str) -> LeasedRow:
    key, kind, target, payload, connection_id, not_before, attempts, reason, created_at = row
    return LeasedRow(
        row=OutboxRow(
            key=key,
            kind=kind,
            target=target,
            payload=json.loads(payload),
            connection_id=connection_id,
            not_before=None if not_before is None else time_of(not_before),
        ),
        lease=lease,
        attempts=attempts,
        reason=reason,
        created_at=time_of(created_at),
    )
