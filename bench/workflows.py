"""DBOS on the unit of work: a durable workflow for each event, its id the event's, with one datasource transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID, SQLAlchemyDatasource

from bench.candidates import write_all
from bench.plain import LOAD, Facts, Refused, decided, facts_of


def workflow_on(url: str) -> Callable[[bytes], str]:
    """A handler that runs one workflow to its end for each event."""
    address = url.replace("postgresql://", "postgresql+psycopg://")
    system = url + ".system" if url.startswith("sqlite") else address
    config: DBOSConfig = {"name": "bench", "system_database_url": system, "log_level": "ERROR"}
    DBOS(config=config)
    options: dict[str, Any] = {} if url.startswith("sqlite") else {
        "engine_kwargs": {"connect_args": {"options": "-c search_path=plain"}}
    }  # fmt: skip
    datasource = SQLAlchemyDatasource.create(address, **options)
    if url.startswith("sqlite"):
        sa.event.listen(datasource.engine, "connect", _durable)
    known: dict[str, sa.TextClause] = {}

    def run(session: Any, statement: str, values: dict[str, Any]) -> Any:
        if statement not in known:
            known[statement] = sa.text(statement)
        bound = {name: value for name, value in values.items() if f":{name}" in statement}
        return session.execute(known[statement], bound)

    def write(body: str) -> str:
        session = datasource.sql_session()
        facts: Facts = facts_of(json.loads(body))
        row = run(session, LOAD, {"key": facts.key, "route": facts.route}).first()
        if row is None:
            raise Refused(facts.route)
        write_all(lambda statement, values: run(session, statement, values), decided(tuple(row), facts))
        return "applied"

    @DBOS.workflow()
    def apply(body: str) -> str:
        return datasource.run_tx_step({"name": "write"}, write, body)

    DBOS.launch()

    def handle(body: bytes) -> str:
        event = json.loads(body)
        with SetWorkflowID(f"{event['aliyunaccountid']}|{event['source']}|{event['id']}"):
            return str(apply(body.decode()))

    return handle


def _durable(connection: Any, _record: Any) -> None:
    """The same durability as everyone else's."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
