"""Cold start (P6): from the start of the process to the first committed event, byte code present.

Ours is the function file as it is deployed. Both get one event on standard input and say when the handler returned,
on the clock that all processes share.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from bench.report import Bar, Report
from bench.work import Subject, event

ROOT = Path(__file__).resolve().parent.parent
_CODE = {
    "crossport": f"import sys; sys.path.insert(0, {str(ROOT / 'functions' / 'port_events')!r}); import index as naive",
    "naive": "import sys; from bench import naive",
}
_RUN = "; answer = naive.handler(sys.stdin.buffer.read(), None); import time; print(time.monotonic()); print(answer)"


def start(name: str, url: str, number: int) -> tuple[float, float]:
    """Seconds from process start to commit, and CPU seconds of the whole process, of one cold start."""
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'shared'}",
        "CROSSPORT_DB": url,
        "CROSSPORT_REGION": "us-east-1",
        "BENCH_DATABASE": url,
    }
    busy = _cpu()
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-c", _CODE[name] + _RUN],
        input=event(Subject(number), "created"),
        capture_output=True,
        env=environment,
        check=True,
    )
    spent = _cpu() - busy
    lines = [line for line in result.stdout.decode().splitlines() if not line.startswith('{"time"')]
    if "applied" not in lines[1]:
        raise AssertionError(f"{name}: {lines[1]}")
    return float(lines[0]) - began, spent


def compare(report: Report, engine: str, most: float, urls: dict[str, str], rounds: int) -> None:
    """Cold starts of ours and the naive handler in turns, each round a connection of its own."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, url in urls.items():
            result = start(name, url, number)
            if number:  # the first one may have written the byte code
                found[name].append(result)
    wall = {name: statistics.median(seconds for seconds, _ in found[name]) for name in urls}
    busy = {name: statistics.median(seconds for _, seconds in found[name]) for name in urls}
    ratio = wall["crossport"] / wall["naive"]
    report.bars.append(
        Bar(number="P6", what=f"cold start, {engine}: crossport / naive handler", most=most, measured=ratio)
    )
    report.tables[f"Cold start to the first committed event, {engine}"] = [
        ("candidate", "ms", "CPU ms", "x naive", "x naive, CPU"),
        *(
            (name, f"{wall[name] * 1e3:,.0f}", f"{busy[name] * 1e3:,.0f}", f"{wall[name] / wall['naive']:.2f}",
             f"{busy[name] / busy['naive']:.2f}")
            for name in urls
        ),
    ]  # fmt: skip
    report.charts[f"cold start, ms, {engine}"] = [(name, wall[name] * 1e3) for name in urls]


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
