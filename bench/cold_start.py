"""Cold start (P6): from the start of the process to the first committed event, byte code present.

Ours is the function file as it is deployed. Both get one event on standard input and say when the handler returned,
on the clock that all processes share.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from bench import plain
from bench.work import Subject, event

ROOT = Path(__file__).resolve().parent.parent
_CODE = {
    "crossport": f"import sys; sys.path.insert(0, {str(ROOT / 'functions' / 'port_events')!r}); import index as naive",
    "naive": "import sys; from bench import naive",
}
_RUN = "; answer = naive.handler(sys.stdin.buffer.read(), None); import time; print(time.monotonic()); print(answer)"


def prepared(url: str, name: str, connections: int) -> None:
    """A database with so many connections, one for each start."""
    if name == "crossport":
        from bench.ours import seed

        seed(url, connections)
        return
    database = plain.opened(url)
    database.create()
    with database.transaction():
        plain.seed(database, connections)


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


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
