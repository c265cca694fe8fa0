"""A whole story on the production engine: functions, relay and commands, each a process of its own, on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgresql_server import PostgresServer

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]


def test_a_story_ends_on_postgresql_as_on_sqlite(postgresql_server: PostgresServer) -> None:
    """The database is empty: the local cloud migrates and configures it, as an operator would."""
    database = postgresql_server.url(postgresql_server.create_database())
    command = [str(Path(sys.executable).parent / "localcloud"), "play", "events/scenarios/console-port.yaml"]
    played = subprocess.run(
        [*command, "--db", database], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert played.returncode == 0, played.stdout[-3000:] + played.stderr
    assert played.stdout.rstrip().endswith("OK")
