"""A handler as one writes it first: every SDK and library imported at the top. The yardstick of the cold start."""

from __future__ import annotations

import json
import os
from typing import Any

if os.environ["BENCH_DATABASE"].startswith("postgresql"):
    import psycopg  # noqa: F401
from alibabacloud_fc20230330.client import Client as FcClient  # noqa: F401
from alibabacloud_tea_openapi.models import Config  # noqa: F401
from alibabacloud_vpc20160428 import models  # noqa: F401
from alibabacloud_vpc20160428.client import Client as VpcClient  # noqa: F401
from mns.account import Account  # noqa: F401
from pydantic import BaseModel
from sqlalchemy import create_engine, event, text

from bench.plain import LOAD, decided, facts_of


class CloudEvent(BaseModel):
    """The envelope."""

    id: str
    source: str
    specversion: str
    type: str
    aliyunaccountid: str
    data: dict[str, Any]


def handler(body: bytes, _context: Any) -> str:
    """Parse, load, decide and write in one transaction."""
    from bench.candidates import write_all

    parsed = CloudEvent.model_validate_json(body)
    facts = facts_of(parsed.model_dump())
    url = os.environ["BENCH_DATABASE"]
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    if url.startswith("sqlite"):
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=FULL"))
    with engine.begin() as connection:
        if url.startswith("postgresql"):
            connection.execute(text("SET search_path TO plain"))
        run = lambda statement, values: connection.execute(  # noqa: E731
            text(statement), {name: value for name, value in values.items() if f":{name}" in statement}
        )
        row = run(LOAD, {"key": facts.key, "route": facts.route}).one()
        write_all(run, decided(tuple(row), facts))
    return json.dumps({"verdict": "applied"})
