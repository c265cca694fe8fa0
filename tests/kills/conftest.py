"""A migrated SQLite file for each life."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.simulation.engines import template


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of an empty migrated database of this test's own."""
    path = tmp_path / "crossport.db"
    shutil.copy(template(), path)
    return f"sqlite:///{path}"
