"""Processes are killed at every statement, call and commit of every step: nothing is lost and nothing happens twice."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.effort import size
from tests.kills.life import Job, again, essence, settle
from tests.kills.script import STEPS, Place, Postgresql, Sqlite, Zygote

ENGINES = ("sqlite", "postgresql")
#: Random kills of one life, and of all lives on an engine.
KILLS = 10
RANDOM = {"sqlite": size("KILLS_SQLITE", 40), "postgresql": size("KILLS_POSTGRESQL", 40)}


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(tmp_path, Sqlite(Path(request.getfixturevalue("database").removeprefix("sqlite:///"))))
    return Place(tmp_path, Postgresql(request.getfixturevalue("postgresql_url")))


@pytest.mark.parametrize("number", range(len(STEPS)), ids=lambda number: f"{number}-{STEPS[number][1]}")
@pytest.mark.parametrize("place", ENGINES, indirect=True)
def test_killed_at_every_step(place: Place, zygote: Zygote, number: int) -> None:
    place.begin()
    place.live(number)
    place.parties_act(number)
    place.mark()
    name = STEPS[number][1]
    assert zygote.run(Job(place.database.url, place.now, name)) == 0
    steps = place.files.steps()
    assert steps > 0
    right = _essences(place, name)
    for kill_at in range(1, steps + 1):
        place.back()
        assert zygote.run(Job(place.database.url, place.now, name, kill_at)) == signal.SIGKILL
        assert _same(place, name, right), f"killed at step {kill_at} of {steps}"


@pytest.mark.parametrize(
    ("place", "life"),
    [(engine, life) for engine, kills in RANDOM.items() for life in range(-(-kills // KILLS))],
    indirect=["place"],
)
def test_killed_at_random(place: Place, zygote: Zygote, life: int) -> None:
    place.begin()
    place.mark()
    place.live(len(STEPS))
    place.do(settle)
    right = essence(place.state(), place.files)
    place.back()
    kills = 0
    random = Random(life)
    for number, (_, name) in enumerate(STEPS):
        place.parties_act(number)
        if kills < KILLS and random.random() < 0.8:
            job = Job(place.database.url, place.now, name, random.randrange(1, 5))
            kills += zygote.run(job) == signal.SIGKILL
        place.do(lambda store, cloud, files, name=name: again(name, store, cloud, files))  # type: ignore[misc]
    place.do(settle)
    assert kills == KILLS
    assert essence(place.state(), place.files) == right
    _check_sent(place, kills)


def _essences(place: Place, name: str) -> tuple[object, object]:
    """What is right when the step comes again, and when all has settled."""
    place.do(lambda store, cloud, files: again(name, store, cloud, files))
    soon = essence(place.state(), place.files)
    place.do(settle)
    return soon, essence(place.state(), place.files)


def _same(place: Place, name: str, right: tuple[object, object]) -> bool:
    """Whether a killed step ends as one that was not: at once, or when all has settled."""
    place.do(lambda store, cloud, files: again(name, store, cloud, files))
    _check_sent(place, 1)
    if essence(place.state(), place.files) == right[0]:
        return True
    place.do(settle)
    assert essence(place.state(), place.files) == right[1]
    _check_sent(place, 1)
    return True


def _check_sent(place: Place, kills: int) -> None:
    """One more send at most for a kill between a send and its note."""
    extra = sum(count - 1 for count in Counter(place.files.sent()).values())
    assert extra <= kills, f"{extra} more sends than messages after {kills} kills"
