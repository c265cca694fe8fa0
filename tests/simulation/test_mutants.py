"""The simulation finds deliberate mistakes: those that need few schedules here, all of them in ``make prove``."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, SOON, Mutant, found_at


@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.within == SOON], ids=lambda each: each.name)
def test_a_mistake_is_found(mutant: Mutant) -> None:
    assert found_at(mutant) is not None, f"{mutant.within} schedules have not found that {mutant.name}"


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= 20
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
