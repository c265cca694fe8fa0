"""The installed command ``crossport`` as an operator runs it: processes, pipes and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

EXAMPLE = Path(__file__).parents[2] / "events" / "scenarios" / "partner.yaml"
COMMAND = Path(sysconfig.get_path("scripts")) / "crossport"
TENANT = "1290000000000011"


def crossport(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with nothing of ours in its environment but what is given."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("CROSSPORT_")}
    return subprocess.run(
        [COMMAND, *arguments], env={**ours, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def answer(*arguments: str, **environment: str) -> Any:
    """The JSON that a command ends well with."""
    done = crossport(*arguments, "--json", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_an_operators_first_day(tmp_path: Path) -> None:
    database = {"CROSSPORT_DB": f"sqlite:///{tmp_path / 'crossport.db'}"}
    before = crossport("connections", "list", **database)
    assert (before.returncode, before.stdout) == (1, "")
    assert before.stderr.endswith("run crossport migrate\n")
    assert list(tmp_path.iterdir()) == []

    assert answer("migrate", **database)["applied"]
    configured = {**database, "CROSSPORT_CONFIG": str(EXAMPLE)}
    assert len(answer("apply", "--dry-run", **configured)["differences"]) == 6
    assert answer("apply", "--actor", "noc", "--reason", "first day", **configured)["version"] == 1
    assert answer("apply", "--dry-run", **configured)["differences"] == []
    signed = answer(
        "contracts", "sign", "--number", "C-1", "--account", "1180000000000001", "--tenant", TENANT,
        "--from", "2026-01-01", "--until", "2027-12-31", "--zone", "America/New_York", "--signed-on", "2025-12-20",
        "--actor", "noc", "--reason", "signed", **database,
    )  # fmt: skip
    assert signed["changed"] is True
    for name in ("connections", "ledger", "notices", "events", "findings"):
        assert answer(name, "list", **database) == []
    assert crossport("connections", "list", **database).stdout == "No connections.\n"


def test_what_goes_wrong_is_told_on_stderr_alone(tmp_path: Path) -> None:
    for arguments, code in (
        (["connections", "list"], 2),
        (["connections", "list", "--db", "nonsense"], 2),
        (["apply", str(tmp_path / "nowhere.yaml"), "--db", f"sqlite:///{tmp_path}/x.db"], 2),
        (["connections", "show", "conn-x", "--db", f"sqlite:///{tmp_path}/x.db"], 1),
        (["nonsense"], 2),
    ):
        done = crossport(*arguments)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        assert done.stderr.startswith("crossport: ")
        assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_goes_away_leaves_no_traceback(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'crossport.db'}"
    assert crossport("migrate", "--db", url).returncode == 0
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [COMMAND, "connections", "list", "--json", "--db", url],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert done.returncode == 1
    assert done.stderr == ""
