"""Pages of the connections that have not ended, for the walk over all of them and for lists of what comes due."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from crossport.adapters.store import document
from crossport.adapters.store.engines import Engine
from crossport.adapters.store.rows import tenant_of
from crossport.application.ports import OpenConnection, Stored
from crossport.domain.decide import Finding


def open_page(engine: Engine, *, after: str, limit: int) -> tuple[OpenConnection, ...]:
    """See ``Store.open_connections``. A walk keeps nothing: what events are about must stay at hand instead."""
    rows = engine.rows("open_connections", {"after": after, "limit": limit})
    return tuple(
        _open(version, text, access_point, tenant, found) for version, text, access_point, *tenant, found in rows
    )


def _open(version: int, text: str, access_point: str, tenant: Sequence[Any], found: str | None) -> OpenConnection:
    connection = document.load(text)
    return OpenConnection(
        stored=Stored(connection=connection, version=version),
        tenant=None if tenant[0] is None else tenant_of(tenant),
        access_point=access_point,
        half_provisioned=None
        if found is None
        else Finding(code="half_provisioned", subject=connection.group_id, details=json.loads(found)),
    )
