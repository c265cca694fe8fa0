"""The proof of exactly once in full (``make prove``): progress as it goes, and its result in docs/proofs.md.

python tests/prove.py             everything: hours on two cores
python tests/prove.py 1000        so many schedules in memory, and of the rest in proportion
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.simulation.mutants import MUTANTS, found_at  # noqa: E402
from tests.simulation.schedule import run  # noqa: E402

PAGE = ROOT / "docs" / "proofs.md"
BEGIN, END = "<!-- exactly once: begin -->", "<!-- exactly once: end -->"
#: Schedules on each engine.
FULL = {"memory": 100_000, "sqlite": 3_000, "postgresql": 1_000}
CHUNK = 50


def schedules(engine: str, count: int) -> str:
    """Play so many schedules; a line for the table."""
    began, blows, done = time.monotonic(), 0, 0
    with ProcessPoolExecutor(2) as pool:
        for found in pool.map(_chunk, [(engine, first) for first in range(0, count, CHUNK)]):
            blows, done = blows + found, done + CHUNK
            _say(f"{engine}: {done} of {count} schedules")
    return f"| schedules, {engine} | {done:,} with {blows:,} blows | {time.monotonic() - began:,.0f} s |"


def mutants() -> Iterator[str]:
    """Find every mistake; a line for each. Raises AssertionError when one is not found."""
    for number, each in enumerate(MUTANTS, start=1):
        seed = found_at(each)
        _say(f"mistake {number} of {len(MUTANTS)}: {each.name}: schedule {seed}")
        assert seed is not None, f"{each.within} schedules have not found that {each.name}"
        yield f"| {each.name} | {each.engine} | {seed + 1} |"


def _chunk(what: tuple[str, int]) -> int:
    engine, first = what
    return sum(run(seed, engine).blows for seed in range(first, first + CHUNK))


def _say(text: str) -> None:
    print(text, flush=True)


def _kills() -> str:
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "tests/kills"]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told = ended.stdout.strip().splitlines()[-1]
    _say(told)
    return f"| `tests/kills` | {told.partition(' in ')[0]} | {time.monotonic() - began:,.0f} s |"


def main(arguments: list[str]) -> int:
    """Prove, and write the result down."""
    share = int(arguments[0]) / FULL["memory"] if arguments else 1.0
    parts: list[Callable[[], str]] = [
        lambda engine=engine, full=full: schedules(engine, max(CHUNK, int(full * share)))  # type: ignore[misc]
        for engine, full in FULL.items()
    ]
    lines = [part() for part in parts]
    lines.append(_kills())
    found = list(mutants())
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    result = [
        f"Last result of `make prove`: {datetime.now(UTC):%Y-%m-%d}, at commit `{commit}`.",
        "",
        "| What | Figure | Took |",
        "|---|---|---|",
        *lines,
        "",
        "| Deliberate mistake | Engine | Schedules until it was found |",
        "|---|---|---:|",
        *found,
    ]
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(result) + f"\n{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
