"""Reconciliation races handlers, the relay and itself, and nothing is lost or doubled."""

from __future__ import annotations

import pytest

from tests.simulation.dropped_events import lived, passed
from tests.simulation.mutants import statement
from tests.simulation.racing import Race

#: Connections of one race, and races in all: how often somebody else acts between two steps of a reconciliation.
CONNECTIONS, RACES = 40, 1_000


def raced(seed: int, races: int) -> None:
    """Race until somebody else has acted so often."""
    with lived(seed, CONNECTIONS) as lives:
        twin, done, number = passed(lives, 0), 0, 0
        while done < races:
            race = Race(lives, seed * 1_000 + number)
            assert race.run() == twin.net, f"race {number} of the lives from {seed} has billed otherwise"
            done, number = done + race.races, number + 1


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nothing_is_lost_or_doubled(seed: int) -> None:
    raced(seed, RACES // 4)


def test_a_store_that_does_not_compare_versions_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    statement("update_connection", " AND version = :version", "")(monkeypatch)
    with pytest.raises(AssertionError):
        raced(1, RACES)
