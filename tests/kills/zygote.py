"""A process with everything imported that forks one process for each job: kills cost milliseconds, not start-ups.

Jobs come pickled on standard input, the exit status of each process (as of ``os.waitpid``) goes to standard output.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback

from tests.kills.life import work


def main() -> None:
    """Fork for jobs until there are no more."""
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                work(job)
                status = 0
            except BaseException:  # noqa: BLE001 - the parent must hear of it
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        pickle.dump(status, sys.stdout.buffer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
