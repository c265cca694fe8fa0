"""Who does the unit of work, each as a function from event bytes to a verdict."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench import plain
from bench.plain import AUDIT, CLAIM, LOAD, OUTBOX, ROUTE, STEPS, UPDATE, Refused, decided, facts_of

Handle = Callable[[bytes], str]
ROOT = Path(__file__).resolve().parent.parent

_SQLITE_FLOOR = (
    """CREATE VIEW arrival AS SELECT NULL AS key, NULL AS digest, NULL AS name, NULL AS route, NULL AS new_route,
    NULL AS port_id, NULL AS vbr_id, NULL AS vlan_id, NULL AS before, NULL AS after, NULL AS document, NULL AS rows,
    NULL AS at""",
    """CREATE TRIGGER take INSTEAD OF INSERT ON arrival BEGIN
    UPDATE connection SET version = version + 1, state = new.after, port_id = coalesce(new.port_id, port_id),
        vbr_id = coalesce(new.vbr_id, vbr_id), document = new.document, updated_at = new.at
    WHERE id = (SELECT connection_id FROM route WHERE route = new.route) AND state = new.before
        AND vlan_id = coalesce(new.vlan_id, vlan_id) AND NOT EXISTS (SELECT 1 FROM inbox WHERE key = new.key);
    SELECT RAISE(IGNORE) WHERE changes() = 0;
    INSERT INTO inbox SELECT new.key, new.digest, 'applied', connection_id, new.at FROM route WHERE route = new.route;
    INSERT INTO audit (at, event_key, digest, verdict, connection_id, name, details)
        SELECT new.at, new.key, new.digest, 'applied', connection_id, new.name, new.document
        FROM route WHERE route = new.route;
    INSERT INTO outbox SELECT route.connection_id || value, 'notice', 'queue:notices', new.document,
        route.connection_id, 'due', new.at FROM json_each(new.rows) CROSS JOIN route WHERE route.route = new.route;
    INSERT INTO route SELECT new.new_route, connection_id FROM route
        WHERE route = new.route AND new.new_route IS NOT NULL;
    END""",
)
_SQLITE_ARRIVAL = """INSERT INTO arrival VALUES (:key, :digest, :name, :route, :new_route, :port_id, :vbr_id, :vlan_id,
    :before, :after, :document, :rows, :at)"""
_POSTGRES_ARRIVAL = """WITH u AS (
    UPDATE connection SET version = version + 1, state = :after, port_id = coalesce(:port_id::text, port_id),
        vbr_id = coalesce(:vbr_id::text, vbr_id), document = :document, updated_at = :at
    WHERE id = (SELECT connection_id FROM route WHERE route = :route) AND state = :before
        AND vlan_id = coalesce(:vlan_id::integer, vlan_id) AND NOT EXISTS (SELECT 1 FROM inbox WHERE key = :key)
    RETURNING id),
i AS (INSERT INTO inbox SELECT :key, :digest, 'applied', id, :at FROM u),
a AS (INSERT INTO audit (at, event_key, digest, verdict, connection_id, name, details)
    SELECT :at, :key, :digest, 'applied', id, :name, :document FROM u),
o AS (INSERT INTO outbox SELECT id || value, 'notice', 'queue:notices', :document, id, 'due', :at
    FROM u CROSS JOIN json_array_elements_text(:rows::json)),
r AS (INSERT INTO route SELECT :new_route, id FROM u WHERE :new_route::text IS NOT NULL)
SELECT count(*) FROM u"""
#: Trip two of the reference: everything is written from the row that the version check let through.
_POSTGRES_SAVE = """WITH u AS (UPDATE connection SET version = version + 1, state = :after, port_id = :port_id,
    vbr_id = :vbr_id, document = :document, updated_at = :at WHERE id = :id AND version = :version RETURNING id),
i AS (INSERT INTO inbox SELECT :key, :digest, 'applied', id, :at FROM u ON CONFLICT (key) DO NOTHING),
a AS (INSERT INTO audit (at, event_key, digest, verdict, connection_id, name, details)
    SELECT :at, :key, :digest, 'applied', id, :name, :details FROM u),
o AS (INSERT INTO outbox SELECT value, 'notice', 'queue:notices', :details, id, 'due', :at
    FROM u CROSS JOIN json_array_elements_text(:outbox::json)),
r AS (INSERT INTO route SELECT :new_route, id FROM u WHERE :new_route::text IS NOT NULL ON CONFLICT DO NOTHING)
SELECT count(*) FROM u"""


def floor(url: str) -> Handle:
    """One statement an event, with the rules in SQL: what no handler with rules in Python can beat."""
    database = plain.opened(url)
    lite = isinstance(database, plain.Sqlite)
    if lite:
        for statement in _SQLITE_FLOOR:
            database.execute(statement)
    arrival = _SQLITE_ARRIVAL if lite else _POSTGRES_ARRIVAL
    if not lite:
        database.execute("SET search_path TO plain")

    def handle(body: bytes) -> str:
        answer = database.execute(arrival, _arrival(facts_of(json.loads(body))))
        if lite:
            # What a trigger does is not counted; its last insert is.
            return "applied"
        return "applied" if answer.fetchone()[0] else "duplicate"

    return handle


def floor_pipelined(url: str) -> Handle:
    """The floor's statement for every event of a batch, pipelined, in one transaction."""
    database = plain.Postgres(url)
    database.execute("SET search_path TO plain")

    def handle(body: bytes) -> str:
        with database.pipeline():
            for event in json.loads(body):
                database.execute(_POSTGRES_ARRIVAL, _arrival(facts_of(event)))
        return "applied"

    return handle


def _arrival(facts: plain.Facts) -> dict[str, Any]:
    before, after, outbox = STEPS[facts.name]
    rows = json.dumps([f":{facts.name}:{number}" for number in range(outbox)])
    document = json.dumps({"state": after, "port": facts.port_id, "vbr": facts.vbr_id, "event": facts.key})
    values = {name: getattr(facts, name) for name in
              ("key", "digest", "name", "route", "new_route", "port_id", "vbr_id", "vlan_id")}  # fmt: skip
    return values | {"before": before, "after": after, "document": document, "rows": rows, "at": plain.NOW}


def two_trips(url: str) -> Handle:
    """The reference: read without a lock, rules in Python, then one statement that swaps by version."""
    database = plain.opened(url)
    database.execute("SET search_path TO plain")

    def handle(body: bytes) -> str:
        facts = facts_of(json.loads(body))
        row = database.execute(LOAD, {"key": facts.key, "route": facts.route}).fetchone()
        if row is None:
            raise Refused(facts.route)
        if row[-1] is not None:
            return "duplicate"
        values = decided(row, facts)
        values["outbox"] = json.dumps(values.pop("rows"))
        if not database.execute(_POSTGRES_SAVE, values).fetchone()[0]:
            raise Refused("lost")
        return "applied"

    return handle


def powertools(url: str) -> Handle:
    """AWS Lambda Powertools as its documentation puts them together: batch processor, parser, idempotency."""
    from bench.powertools import handler_on

    database = plain.opened(url)
    if isinstance(database, plain.Postgres):
        database.execute("SET search_path TO plain")
    handler = handler_on(database, lambda facts: _write(database, facts))

    def handle(body: bytes) -> str:
        answer = handler({"Records": [{"messageId": "1", "body": body.decode(), "eventSource": "aws:sqs"}]}, _context())
        if answer["batchItemFailures"]:
            raise Refused("a record failed")
        return "done"

    return handle


def dbos(url: str) -> Handle:
    """A DBOS workflow for each event, known by its id, with one datasource transaction."""
    from bench.workflows import workflow_on

    return workflow_on(url)


def ours(url: str) -> Handle:
    """Crossport: the handler that Function Compute calls, with its log and every check."""
    import os

    os.environ |= {"CROSSPORT_DB": url, "CROSSPORT_REGION": "us-east-1"}
    sys.path.insert(0, str(ROOT / "functions" / "port_events"))
    import index

    index.initialize(None)
    return lambda body: str(json.loads(index.handler(body, None))["verdicts"][0]["verdict"])


def _write(database: Any, facts: plain.Facts) -> str:
    """Load, decide and write in one transaction of plain statements."""
    with database.transaction():
        row = database.execute(LOAD, {"key": facts.key, "route": facts.route}).fetchone()
        if row is None:
            raise Refused(facts.route)
        values = decided(row, facts)
        write_all(database.execute, values)
    return "applied"


def write_all(execute: Callable[[str, dict[str, Any]], Any], values: dict[str, Any]) -> None:
    """The rows of one applied event, one statement after another."""
    execute(UPDATE, values)
    execute(CLAIM, values)
    execute(AUDIT, values)
    for row in values["rows"]:
        execute(OUTBOX, {**values, "row": row})
    if values["new_route"] is not None:
        execute(ROUTE, values)


def _context() -> Any:
    return SimpleNamespace(
        function_name="bench",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:1:function:bench",
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: 60_000,
    )


CANDIDATES: dict[str, Callable[[str], Handle]] = {
    "floor": floor,
    "floor, pipelined": floor_pipelined,
    "two trips": two_trips,
    "powertools": powertools,
    "dbos": dbos,
    "crossport": ours,
}
logging.getLogger("dbos").setLevel(logging.ERROR)
