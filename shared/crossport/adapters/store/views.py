"""Read-only views for the command line and the console: plain dictionaries of JSON values."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from crossport.adapters.store import document
from crossport.adapters.store.engines import open_engine
from crossport.adapters.store.operations import NetworkReading
from crossport.adapters.store.portrait import facts, portrait, suspension_of
from crossport.adapters.store.rows import circuit_of, stamp_or_none, tenant_of
from crossport.domain.orders import Tenant
from crossport.domain.violations import one_vbr_result
from crossport.domain.visibility import VbrVisibility, vbr_told
from crossport.domain.vocabulary import Phase

#: How many rows a view returns unless told otherwise.
DEFAULT_LIMIT = 1_000
#: More rows than any view has; the engines have no common word for "no limit".
EVERYTHING = 2**62

_CONNECTION = (
    "id", "version", "phase", "violations", "vbr_id", "document", "created_at", "updated_at", "vbr_visibility",
)  # fmt: skip
_LEDGER = (
    "key", "fact", "revision", "digest", "connection_id", "record", "reverses", "written_at", "seq", "prev_hash",
    "hash",
)  # fmt: skip
_OUTBOX = (
    "key", "kind", "target", "payload", "connection_id", "state", "reason", "attempts", "not_before", "created_at",
    "finished_at",
)  # fmt: skip
_AUDIT = (
    "id", "at", "kind", "function", "event_key", "digest", "verdict", "reason", "pending", "account_id",
    "connection_id", "name", "actor", "details",
)  # fmt: skip
_FINDING = ("key", "connection_id", "code", "subject", "details", "at", "cleared_at")
_DEAD_LETTER = (
    "key", "at", "function", "source", "cause", "form", "account_id", "name", "details", "state", "settled_at", "actor",
    "reason", "size",
)  # fmt: skip
_HOLD = ("circuit_id", "vlan_id", "mbps", "held_at", "released_at")
_MEMBER = ("connection_id", "phase", "circuit_id", "access_point", "port_id")
_VLAN = (*_HOLD, "connection_id", "phase", "port_id", "tenant_uid", "tenant")

#: What the command that gives a hold back waits for, while a cool-down runs.
COOL_DOWN = "cool_down"

Row = dict[str, Any]


class Views(NetworkReading):
    """What stands in a store, without the right to change it.

    Raises the same errors as the store, such as StoreNotMigratedError where there are no tables.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url, read_only=True)

    def close(self) -> None:
        """Give back the connection."""
        self._engine.close()

    def __enter__(self) -> Views:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connections(self, phase: str | None = None, limit: int = DEFAULT_LIMIT) -> list[Row]:
        """Connections, newest first; only those in ``phase`` when it is given.

        Each has connection_id, version, phase, flow, origin, account_id, region, circuit_id, port_id, vlan_id, vbr_id
        (the accepted VBR), tenant_uid, spec, order_mode, violations, the fields of ``portrait``, suspension (reason,
        waiting_for, fee, way_back), vbr (see ``vbr_told``), attested (active by the tenant's word for a VBR that we
        cannot see), one_vbr (kept, broken, cannot check, not due), created_at and updated_at.
        """
        rows = self._engine.rows("view_connections", {"phase": phase, "limit": limit})
        return [_connection(row) for row in rows]

    def connection(self, connection_id: str) -> Row | None:
        """One connection with facts, audit, records, outbox, findings, holds and group, or None.

        ``group`` are the other connections of its redundancy group: connection_id, phase, circuit_id, access_point and
        port_id; refused orders are not among them.
        """
        row = self._engine.row("view_connection", {"connection_id": connection_id})
        if row is None:
            return None
        of = {"connection_id": connection_id, "limit": EVERYTHING, "target": None, "cleared": True}
        receipts = _by_key(self._engine.rows("view_receipts_of", of))
        return {
            **_connection(row),
            "facts": facts(document.load(row[_CONNECTION.index("document")])),
            "audit": [_audit(each) for each in self._engine.rows("view_audit_of", of)],
            "records": [_record(each) for each in self._engine.rows("view_ledger", of)],
            "outbox": [_outbox(each, receipts) for each in self._engine.rows("view_outbox", of)],
            "findings": [_finding(each) for each in self._engine.rows("view_findings", of)],
            "holds": [_named(_HOLD, each) for each in self._engine.rows("view_holds_of", of)],
            "group": [_named(_MEMBER, each) for each in self._engine.rows("view_group_of", of)],
        }

    def ledger(self, connection_id: str | None = None, limit: int = DEFAULT_LIMIT) -> list[Row]:
        """Billing records in the order in which they were written, with every field of their text.

        ``sign`` is -1 for a reversal; ``seq`` and ``hash`` are None until the record is sealed.
        """
        return [
            _record(row) for row in self._engine.rows("view_ledger", {"connection_id": connection_id, "limit": limit})
        ]

    def notices(self, limit: int = DEFAULT_LIMIT) -> list[Row]:
        """Notices in the order in which they arose: payload, state, reason, attempts and ``receipts`` by channel."""
        return self.outbox(target="queue:notices", limit=limit)

    def outbox(
        self, *, target: str | None = None, connection_id: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> list[Row]:
        """Rows of the outbox (commands, notices, messages) in the order in which they arose."""
        wanted = {"target": target, "connection_id": connection_id, "limit": limit}
        receipts = _by_key(self._engine.rows("view_receipts"))
        return [_outbox(row, receipts) for row in self._engine.rows("view_outbox", wanted)]

    def events(self, limit: int = DEFAULT_LIMIT) -> list[Row]:
        """How inputs ended, newest first: key, function, verdict, reason, pending, name, connection, details."""
        return [_audit(row) for row in self._engine.rows("view_inputs", {"limit": limit})]

    def findings(self, *, cleared: bool = False, limit: int = DEFAULT_LIMIT) -> list[Row]:
        """Open findings, oldest first; with ``cleared`` also those that are settled."""
        wanted = {"connection_id": None, "cleared": cleared, "limit": limit}
        return [_finding(row) for row in self._engine.rows("view_findings", wanted)]

    def dead_letters(
        self,
        *,
        state: str | None = None,
        cause: str | None = None,
        function: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> list[Row]:
        """Dead letters without their bytes, oldest first; ``size`` in bytes, ``details`` by the kind of their cause."""
        wanted = {"state": state, "cause": cause, "function": function, "limit": limit}
        return [_named(_DEAD_LETTER, row, parsed="details") for row in self._engine.rows("view_dead_letters", wanted)]

    def vlan_history(
        self,
        circuit_id: str | None = None,
        vlan_id: int | None = None,
        at: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Row]:
        """Who held which VLAN ID on a circuit, by circuit, VLAN ID and time.

        With ``at`` only who held it at that moment; with ``until`` as well, who held it at some time from ``at`` to
        before ``until``. Each row has circuit_id, vlan_id, mbps, held_at, released_at (None: held now), connection_id,
        phase (its present one), port_id, tenant_uid and tenant (the name, None when the tenant is not on record). A
        change of spec ends one row and begins the next; the second VLAN ID of a change holds 0 Mbit/s.
        """
        if at is not None and until is None:
            until = at + timedelta(microseconds=1)  # times are kept to the microsecond
        wanted = {"circuit_id": circuit_id, "vlan_id": vlan_id}
        rows = self._engine.rows("view_vlans", {**wanted, "since": stamp_or_none(at), "until": stamp_or_none(until)})
        return [_named(_VLAN, row) for row in rows]

    def vlans(self, circuit_id: str) -> Row | None:
        """The circuit with bandwidth_mbps, held_mbps, free_mbps and its live ``holds`` by VLAN ID; None if unknown.

        A hold has the fields of ``vlan_history``, and of the command that will give it back ``release`` (what that
        waits for, such as ``waiting:port_gone`` or ``cool_down``; None while nothing has ended) and ``release_after``
        (the end of the cool-down; None while it does not run).
        """
        circuit = self._engine.row("get_circuit", {"circuit_id": circuit_id})
        if circuit is None:
            return None
        known = circuit_of(circuit)
        return {
            "circuit_id": known.circuit_id,
            "name": known.name,
            "account_id": known.account_id,
            "region": known.region,
            "status": known.status,
            "bandwidth_mbps": known.bandwidth_mbps,
            "held_mbps": known.held_mbps,
            "free_mbps": known.free_mbps,
            "holds": [_live_vlan(row) for row in self._engine.rows("view_live_vlans", {"circuit_id": circuit_id})],
        }

    def tenant(self, tenant_uid: str) -> Tenant | None:
        """The tenant as declared, or None."""
        row = self._engine.row("get_tenant", {"tenant_uid": tenant_uid})
        return None if row is None else tenant_of(row)

    def configuration(self) -> tuple[int, Mapping[str, Any]] | None:
        """The configuration in force with its version, or None."""
        row = self._engine.row("get_configuration")
        return None if row is None else (row[0], json.loads(row[1]))

    def standing(self) -> Row:
        """How everything stands, in numbers: connections by phase, open findings by code, what the outbox has left.

        ``outbox`` has commands (to the cloud), notices and messages, each with due, since (the oldest due row), waits
        (how many for which reason; a reason's own details are left out) and failed. ``circuits`` are those known, those
        compared with the cloud, those whose lists broke off, and the oldest comparison. ``configuration`` is the
        version in force, or None.
        """
        runs = self._engine.rows("view_circuit_runs")
        applied = self._engine.row("get_configuration")
        return {
            "connections": dict(self._engine.rows("view_phases")),
            "findings": dict(sorted(Counter(row["code"] for row in self.findings(limit=EVERYTHING)).items())),
            "outbox": _backlog(self._engine.rows("view_backlog")),
            "circuits": {
                "known": len(self.circuits()),
                "compared": len(runs),
                "broken_off": sum(1 for run in runs if not run[3]),
                "oldest": min((run[2] for run in runs), default=None),
            },
            "configuration": None if applied is None else applied[0],
        }


def _backlog(rows: Iterable[tuple[Any, ...]]) -> dict[str, Row]:
    found: dict[str, Row] = {
        what: {"due": 0, "since": None, "waits": {}, "failed": 0} for what in ("commands", "notices", "messages")
    }
    for what, state, reason, count, since in rows:
        backlog = found[what]
        if state == "failed":
            backlog["failed"] += count
            continue
        backlog["due"] += count
        backlog["since"] = min(filter(None, (backlog["since"], since)))
        if reason:
            # Behind it stand the time or the id of one row.
            short = reason.partition("@")[0]
            backlog["waits"][short] = backlog["waits"].get(short, 0) + count
    return found


def _named(names: tuple[str, ...], row: tuple[Any, ...], *, parsed: str = "") -> Row:
    named = dict(zip(names, row, strict=True))
    if parsed:
        named[parsed] = json.loads(named[parsed])
    return named


def _connection(row: tuple[Any, ...]) -> Row:
    columns = _named(_CONNECTION, row, parsed="violations")
    connection, phase, vbr_id = document.load(columns["document"]), columns["phase"], columns["vbr_id"]
    visibility = None if columns["vbr_visibility"] is None else VbrVisibility(columns["vbr_visibility"])
    shown = ("version", "phase", "violations", "vbr_id", "created_at", "updated_at")
    return {
        **portrait(connection),
        "suspension": suspension_of(connection, phase),
        "attested": phase == Phase.ACTIVE and vbr_id is None,
        "vbr": vbr_told(phase, seen=vbr_id is not None, visibility=visibility),
        "one_vbr": str(
            one_vbr_result(
                active=phase == Phase.ACTIVE,
                blind=phase == Phase.ENABLED and visibility is VbrVisibility.NONE,
                accepted_vbr=vbr_id is not None,
                codes={violation["code"] for violation in columns["violations"]},
            )
        ),
        **{name: columns[name] for name in shown},
    }


def _live_vlan(row: tuple[Any, ...]) -> Row:
    *hold, reason, not_before = row
    # A command that nobody has looked at yet has no reason.
    release = None if reason is None else reason or "due"
    return {
        **_named(_VLAN, tuple(hold)),
        "release": release,
        "release_after": not_before if release == COOL_DOWN else None,
    }


def _record(row: tuple[Any, ...]) -> Row:
    columns = _named(_LEDGER, row)
    content = json.loads(columns.pop("record"))
    return {**content, **columns, "sign": 1 if columns["reverses"] is None else -1}


def _outbox(row: tuple[Any, ...], receipts: Mapping[str, list[Row]]) -> Row:
    columns = _named(_OUTBOX, row, parsed="payload")
    return {**columns, "receipts": receipts.get(columns["key"], [])}


def _audit(row: tuple[Any, ...]) -> Row:
    return _named(_AUDIT, row, parsed="details")


def _finding(row: tuple[Any, ...]) -> Row:
    return _named(_FINDING, row, parsed="details")


def _by_key(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for key, channel, recipient, at, reference in rows:
        found[key].append({"channel": channel, "recipient": recipient, "at": at, "reference": reference})
    return found
