"""One candidate on one fresh database, in a process of its own: ``python -m bench.one_event NAME URL CONNECTIONS``.

Prints one line of JSON: seconds and CPU seconds of the handler over all deliveries, and the end state, asserted.
"""

from __future__ import annotations

import json
import os
import sys
import time

from bench import plain
from bench.candidates import CANDIDATES
from bench.work import distinct, events

#: Deliveries that are not timed: plans, caches and pools come into being.
WARM_UP = 30


def main(name: str, url: str, connections: int) -> None:
    """Seed, run and check."""
    if name == "crossport":
        from bench.ours import seed

        seed(url, connections)
    else:
        database = plain.opened(url)
        database.create()
        with database.transaction():
            plain.seed(database, connections)
        if url.startswith("postgresql"):
            database.execute("ANALYZE")
    # The log is part of the work; what it is written to is not.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    handle = CANDIDATES[name](url)
    deliveries = events(connections)
    for body in deliveries[:WARM_UP]:
        handle(body)
    rest = deliveries[WARM_UP:]
    began, busy = time.perf_counter(), time.process_time()
    for body in rest:
        handle(body)
    result = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - busy, "events": len(rest)}
    result["end"] = checked(name, url, connections)
    print(json.dumps(result), file=answer, flush=True)
    os._exit(0)  # a peer's background threads need not be waited for


def checked(name: str, url: str, connections: int) -> dict[str, int]:
    """The end state. Raises AssertionError when it is not the one that everybody must reach."""
    if name == "crossport":
        from bench.ours import end_state

        found = end_state(url)
    else:
        database = plain.opened(url)
        if url.startswith("postgresql"):
            database.execute("SET search_path TO plain")
        found = plain.end_state(database)
    expected = {"done": connections, "inbox": distinct(connections), "audit": distinct(connections),
                "outbox": 4 * connections, "route": 3 * connections}  # fmt: skip
    if found != expected:
        raise AssertionError(f"{name}: {found} instead of {expected}")
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
