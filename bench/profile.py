"""Where the handler's CPU time goes, by part of the project: ``python -m bench.profile URL CONNECTIONS``."""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import time
from collections import Counter

from bench.candidates import ours
from bench.ours import seed
from bench.work import events

_PARTS = (
    ("crossport/domain", "domain: merge, phase, violations, effects"),
    ("crossport/application", "application: observe, commit"),
    ("crossport/adapters/store", "store adapter: document, rows"),
    ("crossport/entrypoints/logging", "log line"),
    ("crossport/entrypoints", "entrypoints: envelope, record, frame"),
    ("crossport/adapters", "other adapters"),
    ("/logging/", "log line"),
    ("/json/", "JSON"),
    ("dataclasses", "dataclasses.replace"),
    ("/re/", "regular expressions"),
)


def by_part(url: str, connections: int) -> dict[str, float]:
    """Part to its share of the CPU time, builtins with whoever calls them."""
    seed(url, connections)
    handle = ours(url)
    deliveries = events(connections)
    for body in deliveries[:30]:
        handle(body)
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for body in deliveries[30:]:
        handle(body)
    profile.disable()
    spent: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if file != "~":
            spent[_part(file)] += own
        elif "sqlite3" in name or "psycopg" in name:
            spent["database driver"] += own
        else:
            for (caller, _, _), (_, _, within, _) in callers.items():
                spent[_part(caller)] += within
    total = sum(spent.values())
    return {part: seconds / total for part, seconds in spent.most_common()}


def _part(file: str) -> str:
    return next((name for place, name in _PARTS if place in file), "other: standard library")


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for part, share in by_part(sys.argv[1], int(sys.argv[2])).items():
        print(f"{share:.3f}\t{part}", file=answer)
