"""A local cloud for one command: a folder for its files, a prepared store, start and stop."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from localcloud.cloud import LocalCloud
from localcloud.operator import Operator
from localcloud.scenario.acts import without_proxies
from localcloud.world import read_world

#: The checkout that this package stands in: s.yaml, functions/ and events/ are beside it.
CHECKOUT = Path(__file__).resolve().parent.parent
#: The partner that is used when no configuration is named.
DEFAULT_CONFIG = CHECKOUT / "events" / "scenarios" / "partner.yaml"


@asynccontextmanager
async def session(
    *,
    config: Path,
    database: str | None = None,
    start: datetime | None = None,
    port: int = 0,
) -> AsyncIterator[tuple[LocalCloud, Operator]]:
    """A started local cloud and an operator on its store.

    Without ``database`` the store is a new temporary file, removed in the end. An empty store is migrated and seeded
    by Crossport's own command; a filled one is left alone. Raises WorldError, CommandError, OSError.
    """
    without_proxies()
    with tempfile.TemporaryDirectory(prefix="localcloud-") as folder:
        url = database or f"sqlite:///{Path(folder) / 'crossport.db'}"
        clock_file = Path(folder) / "clock"
        cloud = LocalCloud(
            read_world(config),
            checkout=CHECKOUT,
            clock_file=clock_file,
            injected={"CROSSPORT_DB": url, "CROSSPORT_CONFIG": str(config)},
            start=start,
            port=port,
        )
        operator = Operator(url, config, clock_file)
        await operator.prepare()
        try:
            await cloud.start()
            yield cloud, operator
        finally:
            await cloud.stop()
