"""The proof of exactly once in full (``make prove``): progress as it goes, and its result in docs/proofs.md.

python tests/prove.py             everything: hours on two cores
python tests/prove.py kills       one part (schedules, kills, failovers, races, mistakes, dropped)
python tests/prove.py 1000        as if the schedules in memory were so many, the rest in proportion; nothing is written

Each figure stands in the page with the date and the commit that it was found at: a part that did not run keeps its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.simulation.dropped_events import SHARES, lived, passed  # noqa: E402
from tests.simulation.mutants import MUTANTS, found_at  # noqa: E402
from tests.simulation.schedule import run  # noqa: E402

PAGE = ROOT / "docs" / "proofs.md"
BEGIN, END = "<!-- exactly once: begin -->", "<!-- exactly once: end -->"
HEAD = ("| What | Figure | Took | Found |", "|---|---|---:|---|")
#: Schedules on each engine, and how often everything else happens.
SCHEDULES = {"memory": 100_000, "sqlite": 3_000, "postgresql": 1_000}
KILLS = {"sqlite": 50, "postgresql": 500}
STOPS, TERMINATIONS, RACES = 20, 200, 10_000
#: Kinds of race on two engines; each is run equally often (tests/contract/test_store_contract_races.py).
KINDS = 16
#: Connections whose events are dropped.
DROPPED = 10_000
CHUNK, WORKERS = 50, 2
#: What was found: what, figure, seconds.
Figure = tuple[str, str, float]


def schedules(share: float) -> Iterator[Figure]:
    """Play schedules on each engine."""
    for engine, full in SCHEDULES.items():
        count, began, blows, done = max(CHUNK, int(full * share)), time.monotonic(), 0, 0
        with ProcessPoolExecutor(WORKERS) as pool:
            for found in pool.map(_chunk, [(engine, first) for first in range(0, count, CHUNK)]):
                blows, done = blows + found, done + CHUNK
                _say(f"{engine}: {done} of {count} schedules")
        yield f"schedules, {engine}", f"{done:,} with {blows:,} blows", time.monotonic() - began


def _chunk(what: tuple[str, int]) -> int:
    engine, first = what
    return sum(run(seed, engine).blows for seed in range(first, first + CHUNK))


def kills(share: float) -> Iterator[Figure]:
    """Kill processes at each statement once, and at random."""
    sizes = {f"KILLS_{engine.upper()}": _at_least_one(share, full) for engine, full in KILLS.items()}
    yield _tests(
        f"killed: each point once, and at random {sizes['KILLS_POSTGRESQL']} times on PostgreSQL, "
        f"{sizes['KILLS_SQLITE']} on SQLite",
        sizes,
        "tests/kills/test_kills.py",
    )


def failovers(share: float) -> Iterator[Figure]:
    """Stop PostgreSQL, terminate its backends, lose its answers."""
    sizes = {"STOPS": _at_least_one(share, STOPS), "TERMINATIONS": _at_least_one(share, TERMINATIONS)}
    yield _tests(
        f"PostgreSQL stopped at once {sizes['STOPS']} times, {sizes['TERMINATIONS']} backends terminated",
        sizes,
        "tests/kills/test_failovers.py",
    )


def races(share: float) -> Iterator[Figure]:
    """Let 2 to 8 processes want the same."""
    rounds = ceil(RACES * share / KINDS)
    what = f"races of 2 to 8 processes, {rounds} of each of {KINDS // 2} kinds on each engine"
    yield _tests(what, {"RACES": rounds}, "tests/contract/test_store_contract_races.py")


def mistakes(share: float) -> Iterator[Figure]:
    """Find every deliberate mistake. Raises AssertionError when one is not found."""
    with ProcessPoolExecutor(WORKERS) as pool:
        began = time.monotonic()
        for each, (seed, took) in zip(MUTANTS, pool.map(_found, range(len(MUTANTS))), strict=True):
            _say(f"mistake: {each.name}: schedule {seed}")
            assert seed is not None, f"{each.within} schedules have not found that {each.name}"
            yield f"mistake, {each.engine}: {each.name}", f"found by schedule {seed + 1}", took
        _say(f"{len(MUTANTS)} mistakes found in {time.monotonic() - began:,.0f} s")


def dropped(share: float) -> Iterator[Figure]:
    """Drop 1, 10, 50 and 100 % of all events. Raises AssertionError when one pass does not make up for it."""
    connections, began = max(250, int(DROPPED * share)), time.monotonic()
    with lived(1, connections) as lives:
        twin, told = passed(lives, 0), 0
        for each in SHARES:
            one = passed(lives, each)
            assert one.net == twin.net, f"billed otherwise with {each:.0%} of the events dropped"
            _say(f"{each:.0%} of {len(lives.records):,} events dropped: {one.differences:,} differences, none left")
            told += len(lives.records) - one.told
    figure = f"{connections:,} connections, {told:,} events dropped, each time all as in the cloud after one pass"
    yield "1, 10, 50 and 100 % of all events dropped", figure, time.monotonic() - began


def _found(number: int) -> tuple[int | None, float]:
    began = time.monotonic()
    return found_at(MUTANTS[number]), time.monotonic() - began


PARTS: dict[str, Callable[[float], Iterator[Figure]]] = {
    "schedules": schedules,
    "kills": kills,
    "failovers": failovers,
    "races": races,
    "mistakes": mistakes,
    "dropped": dropped,
}


def _at_least_one(share: float, full: int) -> int:
    return max(1, round(full * share))


def _tests(what: str, sizes: dict[str, int], path: str) -> Figure:
    """Run tests in their size as proof. Raises CalledProcessError when one fails."""
    began, told = time.monotonic(), ""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(WORKERS), path]
    environ = os.environ | {f"CROSSPORT_PROVE_{name}": str(number) for name, number in sizes.items()}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        told = line.strip() or told
    if process.wait() != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return what, re.sub(r" in [\d.]+s.*", "", told), time.monotonic() - began


def _say(text: str) -> None:
    print(text, flush=True)


def with_figures(page: str, figures: Iterable[Figure], found: str) -> str:
    """The page with these figures between its markers; what else was found before stays as it is."""
    head, _, rest = page.partition(BEGIN)
    block, _, tail = rest.partition(END)
    rows = {_kind(line): line for line in block.splitlines() if line.startswith("| ") and line != HEAD[0]}
    for what, figure, seconds in figures:
        line = f"| {what} | {figure} | {seconds:,.0f} s | {found} |"
        rows[_kind(line)] = line
    said = "Last results of `make prove`, each with the date and the commit that it was found at:"
    return "\n".join([f"{head}{BEGIN}", said, "", *HEAD, *rows.values(), f"{END}{tail}"])


def _kind(line: str) -> str:
    """What a row is about, whatever its size."""
    return re.sub(r"\d[\d,]*", "", line.split(" | ", maxsplit=1)[0])


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main(arguments: list[str]) -> int:
    """Prove, and write each part's result down once it is there. Returns 1 when a part failed, 2 for a bad call."""
    numbers = [each for each in arguments if each.isdigit()]
    named = [each for each in arguments if each not in numbers]
    if unknown := [each for each in named if each not in PARTS]:
        _say(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return 2
    share = int(numbers[0]) / SCHEDULES["memory"] if numbers else 1.0
    changed = _git("status", "--porcelain", "--", ".", ":!docs/proofs.md")
    commit = (
        f"{datetime.now(UTC):%Y-%m-%d}, `{_git('rev-parse', '--short', 'HEAD')}`{' and changes' if changed else ''}"
    )
    failed = []
    for name in named or PARTS:
        _say(f"--- {name}")
        try:
            figures = list(PARTS[name](share))
        except (AssertionError, subprocess.CalledProcessError) as error:
            _say(f"{name} FAILED: {error}")
            failed.append(name)
            continue
        for what, figure, seconds in figures:
            _say(f"{what}: {figure}, {seconds:,.0f} s")
        if share == 1:
            PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), figures, commit), encoding="utf-8")
    _say(f"FAILED: {', '.join(failed)}" if failed else "proven" if share == 1 else "proven, in small; nothing written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
