"""Records that break a function are kept and replayed after the fix: the end is as if none had been poisoned."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from crossport.domain.vocabulary import Phase
from tests.effort import size
from tests.fakes.memory_letters import MemoryLetters
from tests.simulation.poisoned import Day, history, ids_of


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


SEEDS = range(size("POISONED", 40))


@pytest.mark.parametrize("seed", SEEDS)
def test_after_the_replay_all_is_as_if_never_poisoned(seed: int) -> None:
    chance = random.Random(seed)
    arrivals = history(chance)
    plain = Day()
    # A milestone before its order is given up, too: that is nobody's bug, and ends alike.
    plain.take(arrivals)
    plain.replayed()
    plain.ended()
    poison = frozenset(each for each in ids_of(arrivals) if chance.random() < 0.3)
    crashes = frozenset(number for number in range(len(arrivals)) if chance.random() < 0.15)
    day = Day(poison=poison, crashes=crashes)
    day.take(arrivals)
    assert len(day.world.memory.state.letters) > len(plain.world.memory.state.letters)
    day.mended = True
    assert day.replayed() > 0
    day.ended()
    expected, outcome = plain.outcome(), day.outcome()
    for name, kept in expected.items():
        assert outcome[name] == kept, name


def test_the_days_have_something_to_lose() -> None:
    """What is compared is there: active ports with records, waiting orders, and alerts that are one for a cause."""
    arrivals = history(random.Random(1))
    day = Day(poison=frozenset(ids_of(arrivals)))
    day.take(arrivals)
    poisoned = day.outcome()
    assert not any(phase is Phase.ACTIVE for phase in poisoned["phases"].values())
    letters = day.world.memory.state.letters.values()
    alerts = [e.row for e in day.world.memory.state.outbox.values() if e.row.kind == "dead_letters"]
    assert len(alerts) == len({letter.same_cause for letter in letters}) < len(letters) / 3
    day.mended = True
    day.replayed()
    day.ended()
    phases = Counter(day.outcome()["phases"].values())
    assert phases == {Phase.ACTIVE: 4, Phase.ORDERED: 6}
    assert len(day.outcome()["ledger"]) >= 12


def test_letters_that_are_lost_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = history(random.Random(2))
    poison = frozenset(ids_of(arrivals)[::2])
    plain, careless = Day(), Day(poison=poison)
    plain.take(arrivals)
    monkeypatch.setattr(MemoryLetters, "keep_dead_letter", lambda self, letter, **_: True)
    careless.take(arrivals)
    careless.mended = True
    for day in (plain, careless):
        day.ended()
    assert careless.outcome() != plain.outcome()
