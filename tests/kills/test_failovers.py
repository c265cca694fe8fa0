"""PostgreSQL goes away under a worker: stopped at once, its backend terminated, or the answer to a commit lost."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from crossport.adapters.migrations import migrate
from crossport.domain.errors import CrossportError
from tests.effort import size
from tests.kills.life import act, again, essence, opened, settle
from tests.kills.proxy import Proxy
from tests.kills.script import STEPS, Place, Postgresql
from tests.postgresql_server import PostgresServer

Moment = tuple[int, int]
#: One of each kind of input, for what costs less than a restart.
KINDS = [number for number, (_, name) in enumerate(STEPS) if not name.startswith("relay")]
#: Steps of the life that save much, and at which of their statements the server goes away.
HEAVY: list[Moment] = [(2, 3), (6, 8), (22, 5)]


def _moments(count: int, first: list[Moment]) -> list[Moment]:
    """So many (step, statement): the first ones, then each kind of input, a statement later in every round."""
    rounds = [(number, 3 + n) for n in range(-(-count // len(KINDS))) for number in KINDS]
    return [*first, *rounds][:count]


STOPS = _moments(size("STOPS", len(HEAVY)), HEAVY)
TERMINATIONS = _moments(size("TERMINATIONS", len(KINDS)), [])


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    """A server whose commits outlive it."""
    with PostgresServer(durable=True) as server:
        yield server


@pytest.fixture(scope="module")
def migrated_durable(durable: PostgresServer) -> str:
    name = durable.create_database()
    migrate(durable.url(name))
    return name


@pytest.fixture
def place(durable: PostgresServer, migrated_durable: str, tmp_path: Path) -> Place:
    durable.empty(migrated_durable)
    return Place(tmp_path, Postgresql(durable.url(migrated_durable)))


@pytest.mark.parametrize(("number", "moment"), STOPS)
def test_the_server_stops_at_once(durable: PostgresServer, place: Place, number: int, moment: int) -> None:
    def restart() -> None:
        durable.stop("immediate")
        durable.start()

    _interrupted(place, number, moment, restart)


@pytest.mark.parametrize(("number", "moment"), TERMINATIONS)
def test_the_backend_is_terminated(
    durable: PostgresServer, migrated_durable: str, place: Place, number: int, moment: int
) -> None:
    def terminate() -> None:
        durable.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            migrated_durable,
        )

    _interrupted(place, number, moment, terminate)


@pytest.mark.parametrize("number", KINDS)
def test_the_answer_to_a_commit_is_lost(
    durable: PostgresServer, migrated_durable: str, place: Place, number: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        proxy = Proxy(Path(folder), durable.socket)
        try:
            url = f"postgresql://{_user(durable.url())}@/{migrated_durable}?host={quote(folder, safe='')}"
            _interrupted(place, number, 1, proxy.swallow_next, url=url, at="commit")
        finally:
            proxy.close()
        assert proxy.swallowed == 1


def _user(url: str) -> str:
    return url.removeprefix("postgresql://").partition("@")[0]


def _interrupted(
    place: Place, number: int, moment: int, strike: Callable[[], None], *, url: str = "", at: str = ""
) -> None:
    """One step during which something strikes once; it comes again, and all is as if nothing had happened.

    A moment after the last statement of the step begins anew at its first.
    """
    name = STEPS[number][1]
    place.begin()
    place.live(number)
    place.parties_act(number)
    place.mark()
    made = 0

    def count(where: str) -> None:
        nonlocal made
        made += at in where

    place.do(lambda store, cloud, files: act(name, store, cloud, files, count), count)
    moment = (moment - 1) % made + 1
    place.do(lambda store, cloud, files: again(name, store, cloud, files))
    place.do(settle)
    right = essence(place.state(), place.files)
    place.back()
    passed = 0

    def step(where: str) -> None:
        nonlocal passed
        passed += at in where
        if passed == moment and at in where:
            strike()

    cloud = place.files.cloud()
    with opened(url or place.database.url, cloud.clock, step) as store, contextlib.suppress(CrossportError):
        act(name, store, cloud, place.files, step)
    assert passed >= moment, f"step {moment} was never reached"
    place.files.keep(cloud)
    place.do(lambda store, cloud, files: again(name, store, cloud, files))
    place.do(settle)
    assert essence(place.state(), place.files) == right
