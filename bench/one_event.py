"""One candidate on one database, in a process of its own.

``python -m bench.one_event seed NAME URL CONNECTIONS`` prepares the database; ``run NAME URL FIRST CONNECTIONS BATCH``
handles the deliveries of these connections and prints one line of JSON: seconds and CPU seconds of the handler.
``poison`` is ``run`` with an event in every batch that cannot be saved.
"""

from __future__ import annotations

import json
import os
import sys
import time

from bench import plain
from bench.candidates import CANDIDATES
from bench.work import batches, distinct, events, poisoned

#: Invocations that are not timed: plans, caches and pools come into being.
WARM_UP = 30


def seed(name: str, url: str, connections: int) -> None:
    """Make the tables and the connections."""
    if name == "crossport":
        from bench import ours

        ours.seed(url, connections)
        return
    database = plain.opened(url)
    database.create()
    with database.transaction():
        plain.seed(database, connections)
    if url.startswith("postgresql"):
        database.execute("ANALYZE")


def run(name: str, url: str, first: int, connections: int, batch: int, *, poison: bool = False) -> None:
    """Handle every delivery and say how long it took."""
    # The log is part of the work; what it is written to is not.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    handle = CANDIDATES[name](url)
    deliveries = events(connections, first)
    if batch > 1:
        deliveries = poisoned(deliveries, batch, first + connections) if poison else batches(deliveries, batch)
    warm_up = WARM_UP if batch == 1 else 2
    for body in deliveries[:warm_up]:
        handle(body)
    rest = deliveries[warm_up:]
    began, busy = time.perf_counter(), time.process_time()
    for body in rest:
        handle(body)
    count = len(rest) if batch == 1 else sum(len(json.loads(body)) for body in rest)
    result = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - busy, "events": count}
    print(json.dumps(result), file=answer, flush=True)
    os._exit(0)  # a peer's background threads need not be waited for


def check(name: str, url: str, connections: int) -> None:
    """Raises AssertionError when the end state is not the one that everybody must reach."""
    if name == "crossport":
        from bench import ours

        found = ours.end_state(url)
    else:
        database = plain.opened(url)
        if url.startswith("postgresql"):
            database.execute("SET search_path TO plain")
        found = plain.end_state(database)
        database.close()
    expected = {"done": connections, "inbox": distinct(connections), "audit": distinct(connections),
                "outbox": 4 * connections, "route": 3 * connections}  # fmt: skip
    if found != expected:
        raise AssertionError(f"{name}: {found} instead of {expected}")


if __name__ == "__main__":
    task, which, where, *numbers = sys.argv[1:]
    if task == "seed":
        seed(which, where, int(numbers[0]))
    else:
        run(which, where, *map(int, numbers), poison=task == "poison")
