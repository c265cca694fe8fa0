"""A connection as one JSON document, and back, exactly.

This is on the path of every event, so it is plain code over lists and dictionaries. One read of the cloud fills some
ten histories with one time and source: such a pair is written once, under ``stamps``, and a history is a flat list of
stamp index, value, stamp index, value, ... Times keep their offset (``datetime.isoformat``), because keys of effects
are made of their text. Fields at their default are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from crossport.application.errors import UnreadableDocumentError
from crossport.domain.connection import Connection, Migration, Milestone, RecordHead, Refusal, Request, Terms
from crossport.domain.facts import EMPTY, PORT_FIELDS, VBR_FIELDS, PortFacts, VbrFacts
from crossport.domain.history import Entry, History
from crossport.domain.vocabulary import Flow, MilestoneName, OrderMode, Origin, RequestKind, Source

#: The layout's number; a document with another one was written by another release.
LAYOUT = 1
#: The histories whose values are times.
TIME_FIELDS = frozenset({"enabled_time", "end_time"})

_SOURCES = tuple(Source)
_ORDER_MODES = {str(mode): mode for mode in OrderMode}
_TEXTS = ("client_order_id", "contract_number", "purchase_order", "customer_reference", "tenant_region", "group_id")
_TIMES = ("intended_at", "withdrawn_at", "hold_released_at", "cease_recorded_at", "attested_at", "group_ready_at")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_parse_time = datetime.fromisoformat

#: A stamp as it is read: the time and the source.
Stamp = tuple[datetime, Source]


class _Stamps:
    """The stamps of one document while it is written."""

    __slots__ = ("_by_identity", "_by_text")

    def __init__(self) -> None:
        self._by_text: dict[tuple[str, int], int] = {}
        # Histories that were loaded or merged together share their time objects, which is quicker to see than to
        # format. Not by equality: equal times may have different offsets. The connection keeps the objects alive.
        self._by_identity: dict[tuple[int, int], int] = {}

    def index(self, at: datetime, source: Source) -> int:
        identity = (id(at), source)
        found = self._by_identity.get(identity)
        if found is None:
            by_text = self._by_text
            found = by_text.setdefault((at.isoformat(), int(source)), len(by_text))
            self._by_identity[identity] = found
        return found

    def flat(self) -> list[str | int]:
        return [part for stamp in self._by_text for part in stamp]


def dump(connection: Connection) -> str:
    """The connection as compact JSON text."""
    stamps = _Stamps()
    document: dict[str, Any] = {
        "layout": LAYOUT,
        "connection_id": connection.connection_id,
        "account_id": connection.account_id,
        "region": connection.region,
        "circuit_id": connection.circuit_id,
        "tenant_uid": connection.tenant_uid,
        "flow": connection.flow,
        "origin": connection.origin,
        "terms": [connection.terms.spec, connection.terms.vlan_id, connection.terms.order_mode],
        "created_at": connection.created_at.isoformat(),
    }
    _dump_optional(connection, document)
    if connection.heads:
        document["heads"] = [[head.fact, head.revision, head.digest, head.record] for head in connection.heads]
    if connection.port is not None:
        document["port"] = _dump_port(connection.port, stamps)
    if connection.vbrs:
        document["vbrs"] = [_dump_vbr(vbr, stamps) for vbr in connection.vbrs]
    flat = stamps.flat()
    if flat:
        document["stamps"] = flat
    return _encode(document)


def _dump_optional(connection: Connection, document: dict[str, Any]) -> None:
    """What orders and our own acts have left, where it is not at its default."""
    for name in _TEXTS:
        text = getattr(connection, name)
        if text:
            document[name] = text
    for name in _TIMES:
        time = getattr(connection, name)
        if time is not None:
            document[name] = time.isoformat()
    if connection.milestones:
        document["milestones"] = [[m.name, m.at.isoformat(), m.actor, m.evidence] for m in connection.milestones]
    if connection.requests:
        document["requests"] = [_dump_request(request) for request in connection.requests]
    if connection.migration is not None:
        moved = connection.migration
        document["migration"] = [moved.vbr_id, moved.bandwidth_mbps, moved.before, moved.after]
    if connection.refusals:
        document["refusals"] = [_dump_refusal(refusal) for refusal in connection.refusals]
    if connection.failure is not None:
        document["failure"] = _dump_refusal(connection.failure)


def load(text: str) -> Connection:
    """The connection that ``dump`` wrote. Raises UnreadableDocumentError for a layout that this release lacks."""
    document = json.loads(text)
    if document["layout"] != LAYOUT:
        raise UnreadableDocumentError(
            f"connection {document.get('connection_id')} is stored in layout {document['layout']}, not {LAYOUT}",
            layout=document["layout"],
        )
    get = document.get
    flat = get("stamps", ())
    stamps = [(_parse_time(flat[n]), _SOURCES[flat[n + 1]]) for n in range(0, len(flat), 2)]
    spec, vlan_id, order_mode = document["terms"]
    port, failure, migration = get("port"), get("failure"), get("migration")
    return Connection(
        connection_id=document["connection_id"],
        account_id=document["account_id"],
        region=document["region"],
        circuit_id=document["circuit_id"],
        tenant_uid=document["tenant_uid"],
        flow=Flow(document["flow"]),
        origin=Origin(document["origin"]),
        terms=Terms(spec=spec, vlan_id=vlan_id, order_mode=_ORDER_MODES.get(order_mode, order_mode)),
        created_at=_parse_time(document["created_at"]),
        milestones=tuple(
            Milestone(name=MilestoneName(name), at=_parse_time(at), actor=actor, evidence=evidence)
            for name, at, actor, evidence in get("milestones", ())
        ),
        requests=tuple(_load_request(request) for request in get("requests", ())),
        migration=None if migration is None else _load_migration(migration),
        refusals=tuple(_load_refusal(refusal) for refusal in get("refusals", ())),
        failure=None if failure is None else _load_refusal(failure),
        port=None if port is None else _load_port(port, stamps),
        vbrs=tuple(_load_vbr(vbr, stamps) for vbr in get("vbrs", ())),
        heads=tuple(
            RecordHead(fact=fact, revision=revision, digest=digest, record=record)
            for fact, revision, digest, record in get("heads", ())
        ),
        **_optional(document),
    )


def _optional(document: dict[str, Any]) -> dict[str, Any]:
    """The texts and times that are left out at their default."""
    found: dict[str, Any] = {name: document[name] for name in _TEXTS if name in document}
    for name in _TIMES:
        if name in document:
            found[name] = _parse_time(document[name])
    return found


def _dump_refusal(refusal: Refusal) -> list[str]:
    return [refusal.code, refusal.message, refusal.subject]


def _load_refusal(parts: list[str]) -> Refusal:
    code, message, subject = parts
    return Refusal(code=code, message=message, subject=subject)


def _dump_request(request: Request) -> list[Any]:
    at, asked = request.at.isoformat(), (request.spec, request.vlan_id, request.forced, request.vbr_id)
    return [request.request_id, request.kind, at, request.actor, *asked]


def _load_request(parts: list[Any]) -> Request:
    request_id, kind, at, actor, spec, vlan_id, forced, vbr_id = parts
    return Request(
        request_id=request_id,
        kind=RequestKind(kind),
        at=_parse_time(at),
        actor=actor,
        spec=spec,
        vlan_id=vlan_id,
        forced=forced,
        vbr_id=vbr_id,
    )


def _load_migration(parts: list[Any]) -> Migration:
    vbr_id, bandwidth_mbps, before, after = parts
    return Migration(vbr_id=vbr_id, bandwidth_mbps=bandwidth_mbps, before=before, after=after)


def _dump_port(port: PortFacts, stamps: _Stamps) -> dict[str, Any]:
    written: dict[str, Any] = {"port_id": port.port_id, "first_seen": port.first_seen.isoformat()}
    if port.confirmed_at is not None:
        written["confirmed_at"] = port.confirmed_at.isoformat()
    if port.deleted:
        written["deleted"] = True
    if port.unknown_acceptance:
        written["unknown_acceptance"] = sorted(port.unknown_acceptance)
    _dump_histories(port, PORT_FIELDS, written, stamps)
    return written


def _load_port(written: dict[str, Any], stamps: list[Stamp]) -> PortFacts:
    get = written.get
    return PortFacts(
        port_id=written["port_id"],
        first_seen=_parse_time(written["first_seen"]),
        confirmed_at=_parse_time(written["confirmed_at"]) if "confirmed_at" in written else None,
        deleted=get("deleted", False),
        unknown_acceptance=frozenset(get("unknown_acceptance", ())),
        **_load_histories(written, PORT_FIELDS, stamps),
    )


def _dump_vbr(vbr: VbrFacts, stamps: _Stamps) -> dict[str, Any]:
    written: dict[str, Any] = {"vbr_id": vbr.vbr_id, "first_seen": vbr.first_seen.isoformat()}
    if vbr.deleted:
        written["deleted"] = True
    _dump_histories(vbr, VBR_FIELDS, written, stamps)
    return written


def _load_vbr(written: dict[str, Any], stamps: list[Stamp]) -> VbrFacts:
    return VbrFacts(
        vbr_id=written["vbr_id"],
        first_seen=_parse_time(written["first_seen"]),
        deleted=written.get("deleted", False),
        **_load_histories(written, VBR_FIELDS, stamps),
    )


def _dump_histories(
    facts: PortFacts | VbrFacts, names: Iterable[str], written: dict[str, Any], stamps: _Stamps
) -> None:
    settled: dict[str, str] = {}
    index = stamps.index
    for name in names:
        history = getattr(facts, name)
        if history is EMPTY:
            continue
        flat: list[Any] = []
        for entry in history.entries:
            flat.append(index(entry.at, entry.source))
            flat.append(entry.value)
        if name in TIME_FIELDS:
            flat[1::2] = [value.isoformat() for value in flat[1::2]]
        if flat:
            written[name] = flat
        if history.settled_until is not None:
            settled[name] = history.settled_until.isoformat()
    if settled:
        written["settled"] = settled


def _load_histories(written: dict[str, Any], names: Iterable[str], stamps: list[Stamp]) -> dict[str, History[Any]]:
    settled = written.get("settled", {})
    histories: dict[str, History[Any]] = {}
    for name in names:
        flat = written.get(name)
        until = settled.get(name) if settled else None
        if flat is None and until is None:
            continue
        flat = flat or ()
        values = flat[1::2] if name not in TIME_FIELDS else map(_parse_time, flat[1::2])
        entries = []
        for index, value in zip(flat[::2], values, strict=True):
            at, source = stamps[index]
            entries.append(Entry(at, source, value))
        histories[name] = History(tuple(entries), None if until is None else _parse_time(until))
    return histories
