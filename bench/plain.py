"""The unit of work on plain tables, for the floor, the reference and the peers: the same rows that Crossport writes."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.work import ACCOUNT, BEGAN, TENANT, subjects

NOW = BEGAN.isoformat()
#: eventName to (state before, state after, outbox rows): as many as Crossport writes for it.
STEPS = {
    "CreateVirtualPhysicalConnection": ("ordered", "created", 2),
    "ConfirmPhysicalConnection": ("created", "accepted", 2),
    "CreateVirtualBorderRouter": ("accepted", "vbr", 0),
}
TABLES = """
CREATE TABLE connection (id TEXT PRIMARY KEY, version INTEGER NOT NULL, account_id TEXT NOT NULL,
    circuit_id TEXT NOT NULL, tenant_uid TEXT NOT NULL, vlan_id INTEGER NOT NULL, port_id TEXT UNIQUE, vbr_id TEXT,
    state TEXT NOT NULL, document TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE route (route TEXT PRIMARY KEY, connection_id TEXT NOT NULL REFERENCES connection (id));
CREATE TABLE inbox (key TEXT PRIMARY KEY, digest TEXT NOT NULL, verdict TEXT NOT NULL, connection_id TEXT,
    received_at TEXT NOT NULL);
CREATE INDEX inbox_by_time ON inbox (received_at);
CREATE TABLE audit (id {serial}, at TEXT NOT NULL, event_key TEXT NOT NULL, digest TEXT NOT NULL,
    verdict TEXT NOT NULL, connection_id TEXT, name TEXT NOT NULL, details TEXT NOT NULL);
CREATE INDEX audit_by_connection ON audit (connection_id);
CREATE TABLE outbox (key TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, payload TEXT NOT NULL,
    connection_id TEXT, state TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE INDEX outbox_due ON outbox (created_at) WHERE state = 'due';
CREATE TABLE idempotency (id TEXT PRIMARY KEY, status TEXT NOT NULL, expiry BIGINT, in_progress_expiry BIGINT,
    data TEXT, payload_hash TEXT)
"""
UPDATE = """UPDATE connection SET version = version + 1, state = :after, port_id = :port_id, vbr_id = :vbr_id,
    document = :document, updated_at = :at WHERE id = :id AND version = :version"""
CLAIM = "INSERT INTO inbox VALUES (:key, :digest, 'applied', :id, :at) ON CONFLICT (key) DO NOTHING"
AUDIT = """INSERT INTO audit (at, event_key, digest, verdict, connection_id, name, details)
    VALUES (:at, :key, :digest, 'applied', :id, :name, :details)"""
OUTBOX = "INSERT INTO outbox VALUES (:row, 'notice', 'queue:notices', :details, :id, 'due', :at)"
ROUTE = "INSERT INTO route VALUES (:new_route, :id) ON CONFLICT (route) DO NOTHING"
LOAD = """SELECT c.id, c.version, c.circuit_id, c.tenant_uid, c.vlan_id, c.port_id, c.vbr_id, c.state,
    (SELECT digest FROM inbox WHERE key = :key)
    FROM route JOIN connection c ON c.id = route.connection_id WHERE route.route = :route"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an event says, as far as the work needs it."""

    key: str
    digest: str
    name: str
    route: str
    new_route: str | None
    port_id: str | None
    vbr_id: str | None
    circuit_id: str | None
    tenant_uid: str | None
    vlan_id: int | None


class Refused(Exception):  # noqa: N818  # the word that the verdicts have
    """The step is not legal, or something is not as it was ordered."""


def facts_of(event: Mapping[str, Any]) -> Facts:
    """The facts of a parsed CloudEvent. Raises KeyError and Refused for what is none of ours."""
    data = event["data"]
    name, request, response = data["eventName"], data["requestParameters"], data["responseElements"]
    if event["specversion"] != "1.0" or name not in STEPS or event["aliyunaccountid"] != ACCOUNT:
        raise Refused(name)
    digest = hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    key = f"{ACCOUNT}|{event['source']}|{event['id']}"
    if name == "CreateVirtualPhysicalConnection":
        port_id = response["VirtualPhysicalConnection"]
        route, new_route = f"token:{request['Token']}", f"port:{port_id}"
        seen = (port_id, None, request["PhysicalConnectionId"], request["VpconnAliUid"], int(request["VlanId"]))
    elif name == "ConfirmPhysicalConnection":
        route, new_route = f"port:{request['PhysicalConnectionId']}", None
        seen = (request["PhysicalConnectionId"], None, None, None, None)
    else:
        route, new_route = f"port:{request['PhysicalConnectionId']}", f"vbr:{response['VbrId']}"
        port_id = request["PhysicalConnectionId"]
        seen = (port_id, response["VbrId"], None, request["VbrOwnerId"], int(request["VlanId"]))
    return Facts(key, digest, name, route, new_route, *seen)


def decided(row: tuple[Any, ...], facts: Facts) -> dict[str, Any]:
    """The parameters of the writing statements. Raises Refused when the rules say no."""
    connection_id, version, circuit_id, tenant_uid, vlan_id, port_id, vbr_id, state, _ = row
    before, after, outbox = STEPS[facts.name]
    for ordered, seen in ((circuit_id, facts.circuit_id), (tenant_uid, facts.tenant_uid), (vlan_id, facts.vlan_id)):
        if seen is not None and ordered != seen:
            raise Refused(f"{seen} is not {ordered}")
    if state != before or (facts.vbr_id is not None and vbr_id is not None):
        raise Refused(f"{facts.name} in {state}")
    document = json.dumps({"state": after, "port": facts.port_id, "vbr": facts.vbr_id, "at": NOW, "event": facts.key})
    return {
        "id": connection_id,
        "version": version,
        "after": after,
        "port_id": facts.port_id or port_id,
        "vbr_id": facts.vbr_id or vbr_id,
        "document": document,
        "key": facts.key,
        "digest": facts.digest,
        "name": facts.name,
        "details": document,
        "new_route": facts.new_route,
        "rows": [f"{connection_id}:{facts.name}:{number}" for number in range(outbox)],
        "at": NOW,
    }


def seed(database: Any, connections: int) -> None:
    """Ordered connections with the route of their Token."""
    for one in subjects(connections):
        values = (one.connection_id, 1, ACCOUNT, one.circuit_id, TENANT, one.vlan_id, None, None, "ordered", "{}", NOW)
        database.execute(f"INSERT INTO connection VALUES ({', '.join([database.mark] * 11)})", values)
        route = (f"token:crossport-{one.connection_id}", one.connection_id)
        database.execute(f"INSERT INTO route VALUES ({database.mark}, {database.mark})", route)


def end_state(database: Any) -> dict[str, int]:
    """What must be the same for everyone: connections at the end of their way, and rows of each kind."""
    counts = {
        "done": "SELECT count(*) FROM connection WHERE state = 'vbr' AND vbr_id IS NOT NULL",
        **{name: f"SELECT count(*) FROM {name}" for name in ("inbox", "audit", "outbox", "route")},
    }
    return {name: database.execute(query, ()).fetchone()[0] for name, query in counts.items()}


class Sqlite:
    """SQLite as Crossport opens it: WAL, a flush at every commit."""

    mark = "?"

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=FULL")
        self.execute("PRAGMA foreign_keys=ON")

    def create(self) -> None:
        """Make the tables."""
        for statement in TABLES.format(serial="INTEGER PRIMARY KEY AUTOINCREMENT").split(";"):
            self.execute(statement)

    def execute(self, statement: str, values: Any = ()) -> Any:
        return self._connection.execute(statement, values)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")


class Postgres:
    """PostgreSQL through psycopg, autocommit, statements prepared."""

    mark = "%s"

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=1)
        self._translated: dict[str, str] = {}

    def create(self) -> None:
        """Make the tables anew."""
        self.execute("DROP SCHEMA IF EXISTS plain CASCADE")
        self.execute("CREATE SCHEMA plain")
        self.execute("SET search_path TO plain")
        for statement in TABLES.format(serial="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY").split(";"):
            self.execute(statement)

    def execute(self, statement: str, values: Any = ()) -> Any:
        query = self._translated.get(statement)
        if query is None:
            query = self._translated[statement] = re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", statement)
        return self._connection.execute(query, values or None)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            yield

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """One transaction whose statements are sent without waiting for the answers."""
        with self._connection.pipeline(), self._connection.transaction():
            yield


def opened(url: str) -> Sqlite | Postgres:
    """The database of a URL such as ``sqlite:////tmp/x.db`` or ``postgresql://...``."""
    if url.startswith("sqlite:///"):
        return Sqlite(url.removeprefix("sqlite:///"))
    return Postgres(url)
