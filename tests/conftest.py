"""Turns tests down where only a share of them is asked for (``tests/effort.py``)."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.effort import REPEATABLE, examples

if REPEATABLE:
    settings.register_profile("share", max_examples=examples(100), derandomize=True, database=None)
    settings.load_profile("share")

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        """Put the thorough tests last: most mutants fall to the plain ones."""
        items.sort(key=lambda item: ("/domain/" not in str(item.path), "enumeration" in item.path.name))
