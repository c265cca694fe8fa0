"""Every file of ``events/`` goes to the real function process on a seeded local cloud and ends as the file expects."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from localcloud.cli import SEED, error_of
from localcloud.operator import sqlite_file
from localcloud.scenario.event_files import event_in
from localcloud.scenario.model import read_scenario
from localcloud.scenario.player import Player
from localcloud.session import CHECKOUT, DEFAULT_CONFIG, session

pytestmark = pytest.mark.e2e

FILES = sorted((CHECKOUT / "events").glob("*.json"))


class SeededCloud:
    """A local cloud after the seed story, whose triggers rest: only the test invokes functions.

    Warm functions keep their connections to the store, so between two invocations the store's *content* is put back,
    in one transaction, and not its file.
    """

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._live = folder / "crossport.db"
        self._seeded = folder / "seeded.db"

    def start(self) -> None:
        """Start, play the seed, and keep a copy of the store."""
        self._runner.run(self._start())
        self._copy(self._live, self._seeded)

    def invoke(self, function: str, payload: bytes) -> list[dict[str, Any]]:
        """The verdicts of one invocation on the seeded store."""
        self._copy(self._seeded, self._live)
        result = self._runner.run(self._cloud.functions.invoke(function, payload))
        answer = result.payload.decode()
        verdicts: list[dict[str, Any]] = (
            error_of(answer)["verdicts"] if result.error_type else json.loads(answer)["verdicts"]
        )
        return verdicts

    def put_back(self) -> None:
        """Make the store what it was after the seed."""
        self._copy(self._seeded, self._live)

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with closing(sqlite3.connect(self._live)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {table: database.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}

    def stop(self) -> None:
        """Stop everything."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def _start(self) -> None:
        seed = read_scenario(SEED)
        url = f"sqlite:///{self._live}"
        assert sqlite_file(url) == self._live
        entered = session(config=DEFAULT_CONFIG, database=url, start=seed.starts)
        self._cloud, operator = await self._stack.enter_async_context(entered)
        await Player(seed, self._cloud, operator).play()
        await self._cloud.triggers.stop()

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source)) as content, closing(sqlite3.connect(target)) as place:
            content.backup(place)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeededCloud]:
    """One seeded cloud for all files."""
    cloud = SeededCloud(tmp_path_factory.mktemp("seeded"))
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_file_ends_as_it_expects(seeded: SeededCloud, file: Path) -> None:
    expected = json.loads(file.read_text(encoding="utf-8"))
    verdicts = seeded.invoke(expected["function"], event_in(file))
    told = [{name: verdict[name] for name in ("verdict", "reason", "pending")} for verdict in verdicts]
    assert told == expected["expect"]["verdicts"]


REFUSED = [
    file
    for file in FILES
    if {one["verdict"] for one in json.loads(file.read_text(encoding="utf-8"))["expect"]["verdicts"]}
    <= {"rejected", "ignored", "duplicate"}
]
#: What input may leave when it is refused: rows that say why. A message to the queue of orders also has a reply, and a
#: refused order its connection and notices.
OWN_ROWS = {"audit", "inbox", "sqlite_sequence"}
OF_A_REFUSED_REQUEST = OWN_ROWS | {"outbox"}
OF_A_REFUSED_ORDER = OF_A_REFUSED_REQUEST | {"connection", "route", "finding"}


def may_leave(file: Path) -> set[str]:
    """The tables to which a refused input may add rows."""
    if file.stem.startswith(("orders.order-new", "orders.order-migrate", "orders.batch.mixed")):
        return OF_A_REFUSED_ORDER
    return OF_A_REFUSED_REQUEST if file.stem.startswith("orders.order-") else OWN_ROWS


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_a_refused_input_changes_nothing_but_its_own_rows(seeded: SeededCloud, file: Path) -> None:
    """Every table is the same, row for row, but for those that say how the input ended."""
    entry = json.loads(file.read_text(encoding="utf-8"))
    seeded.put_back()
    before = seeded.content()
    seeded.invoke(entry["function"], event_in(file))
    after = seeded.content()
    changed = {table for table in before if before[table] != after[table]}
    assert changed <= may_leave(file)
    for table in changed - {"sqlite_sequence"}:
        assert set(before[table]) < set(after[table]), f"{table}: rows were changed, not added"
    # A duplicate writes nothing, and a wake-up that found nothing to do is no input.
    silent = all(v["verdict"] == "duplicate" or v["reason"] == "nothing_due" for v in entry["expect"]["verdicts"])
    assert ("audit" in changed) is not silent
