"""Runs the parts of ``make test`` one after another and says at the end what each took.

Parts: static checks; unit, property and contract tests; simulation; kills; end to end. The last line is the test
runner's summary over all parts: ``N passed, N failed``, with skipped ones when there are any.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = ("ruff check --quiet .", "ruff format --check --quiet .", "lint-imports --no-cache", "mypy")
#: Part to the folders that it runs; only what exists is run.
PARTS = {
    "unit and property": ("tests/unit", "tests/property", "tests/contract", "tests/integration"),
    "simulation": ("tests/simulation",),
    "kills": ("tests/kills",),
    "end to end": ("tests/e2e",),
}
#: What takes too long for every run; only when it is named (``make prove``).
PROOFS = {"packages": ("tests/packages",)}
#: Workers of pytest-xdist; two cores are what a small machine has.
WORKERS = "2"
#: Of the test runner's short summary: how often, where, and why something was skipped.
_SKIPPED = re.compile(r"SKIPPED \[(\d+)\] [^:]+:\d+: (.+)")
_COUNT = re.compile(r"(\d+) (passed|failed|error|errors|skipped|xfailed|xpassed)")


@dataclass
class Result:
    """How one part ended."""

    name: str
    seconds: float
    ok: bool
    counts: Counter[str] = field(default_factory=Counter)
    #: Reason to number of tests.
    skipped: Counter[str] = field(default_factory=Counter)


def checks() -> Result:
    """Run the static checks side by side; print what the failing ones say."""
    began = time.monotonic()
    running = [
        subprocess.Popen(
            [str(BIN / program), *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for program, *arguments in (check.split() for check in CHECKS)
    ]
    ok = True
    for name, process in zip(CHECKS, running, strict=True):
        output, _ = process.communicate()
        print(f"{name}: {'clean' if process.returncode == 0 else 'FAILED'}", flush=True)
        if process.returncode != 0:
            ok = False
            print(output, flush=True)
    return Result("static checks", time.monotonic() - began, ok)


def pytest(name: str, folders: tuple[str, ...]) -> Result | None:
    """Run pytest over the folders that exist; None when there is none."""
    present = [folder for folder in folders if (ROOT / folder).is_dir()]
    if not present:
        return None
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-n", WORKERS, *present]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tail = ""
    skipped: Counter[str] = Counter()
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if _COUNT.search(line):
            tail = line
        if reason := _SKIPPED.match(line):
            skipped[reason[2].strip()] += int(reason[1])
    code = process.wait()
    counts = Counter({kind.rstrip("s") if kind == "errors" else kind: int(n) for n, kind in _COUNT.findall(tail)})
    return Result(name, time.monotonic() - began, code == 0, counts, skipped)


def report(results: list[Result]) -> int:
    """Print what each part took and the summary; returns the exit code."""
    print("\nwhat each part took")
    setup = ROOT / ".venv" / ".ready"
    if setup.is_file():
        print(f"  {'set-up (when it ran)':<24}{float(setup.read_text() or 0):8.1f} s")
    for result in results:
        print(f"  {result.name:<24}{result.seconds:8.1f} s  {'ok' if result.ok else 'FAILED'}")
    reasons = sum((result.skipped for result in results), Counter[str]())
    if reasons:
        print('\nwhat was skipped, and why (README, "Tests")')
    for reason, number in reasons.items():
        print(f"  {number:4} {reason}")
    total = sum((result.counts for result in results), Counter[str]())
    failed = total["failed"] + total["error"] + sum(1 for r in results if not r.ok and not r.counts)
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"\n{total['passed']} passed, {failed} failed{skipped}")
    return 0 if all(result.ok for result in results) else 1


def main(only: list[str]) -> int:
    """Run the parts named, or all of them; a failing part does not keep the next from running."""
    results = [checks()] if not only or "checks" in only else []
    for name, folders in (PARTS | PROOFS).items():
        if name in only or (not only and name in PARTS):
            result = pytest(name, folders)
            if result is not None:
                results.append(result)
    return report(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
