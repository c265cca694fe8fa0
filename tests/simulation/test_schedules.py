"""Seeded schedules: workers die at any statement, commits end unknown, mail comes twice, late or never, time jumps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.schedule import run

ROOT = Path(__file__).resolve().parents[2]
#: Engine to (schedules, parts): the parts are shared out among the workers of pytest.
SIZES = {"memory": (10_000, 50), "sqlite": (300, 10), "postgresql": (100, 4)}


@pytest.mark.parametrize(
    ("engine", "first", "count"),
    [
        (engine, part * (total // parts), total // parts)
        for engine, (total, parts) in SIZES.items()
        for part in range(parts)
    ],
)
def test_nothing_is_lost_and_nothing_happens_twice(engine: str, first: int, count: int) -> None:
    blows = sum(run(seed, engine).blows for seed in range(first, first + count))
    assert blows > count, "a schedule meets more than one blow on the average"


def test_a_seed_replays_byte_for_byte() -> None:
    """The same transcripts in one process twice, and in another whose hashes are salted otherwise."""
    seeds = range(7_000, 7_020)
    here = [run(seed).digest for seed in seeds]
    assert [run(seed).digest for seed in seeds] == here
    assert _digests_elsewhere("1", seeds) == _digests_elsewhere("2", seeds) == here


def _digests_elsewhere(hash_seed: str, seeds: range) -> list[str]:
    program = f"from tests.simulation.schedule import run\nfor seed in {seeds!r}: print(run(seed).digest)"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.split()
