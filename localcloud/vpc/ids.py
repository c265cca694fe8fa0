"""Ids of resources, orders, requests and events."""

from __future__ import annotations

import random
import uuid
from collections import Counter


class Ids:
    """Makes ids: resource ids count up, so that a timeline is readable; request and event ids are random.

    With a ``seed`` everything repeats from run to run.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311  # ids, not secrets
        self._counts: Counter[str] = Counter()

    def resource(self, prefix: str) -> str:
        """The next id with a prefix such as ``pc`` or ``vbr``: the prefix, a hyphen and 17 characters."""
        self._counts[prefix] += 1
        return f"{prefix}-local{self._counts[prefix]:012d}"

    def order(self) -> str:
        """The next order id: 15 digits, as the billing system's."""
        self._counts["order"] += 1
        return f"2{self._counts['order']:014d}"

    def request(self) -> str:
        """A request or event id: an upper-case UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4)).upper()
