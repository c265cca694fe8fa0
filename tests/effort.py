"""How much of a thorough test runs: all of it; a share where the same tests run thousands of times; more as proof.

``make mutants`` sets ``CROSSPORT_TEST_SHARE``, so that a mutant takes about a second; everything else runs all.
``make prove`` sets ``CROSSPORT_PROVE_..`` to repeat some tests more often.
"""

from __future__ import annotations

import os

#: Above 0, at most 1.
SHARE = float(os.environ.get("CROSSPORT_TEST_SHARE", "1"))
#: A share of the examples is the same each time, so that a figure can be repeated.
REPEATABLE = SHARE < 1
_FEW = 5


def examples(full: int) -> int:
    """How many of ``full`` examples to try: never none."""
    return full if SHARE >= 1 else max(_FEW, int(full * SHARE))


def stride(full: int) -> int:
    """The step through a product of ``full`` cases: 1 for all of them, else odd, to meet the values of all factors."""
    return 1 if SHARE >= 1 else max(1, full // max(_FEW, int(full * SHARE))) | 1


def size(name: str, small: int) -> int:
    """How often a proof is made: ``small`` in ``make test``, what ``make prove`` has set instead."""
    return int(os.environ.get(f"CROSSPORT_PROVE_{name}", small))
