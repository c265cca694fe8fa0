"""``localcloud up`` and ``localcloud invoke`` as processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
COMMAND = str(Path(sys.executable).parent / "localcloud")
NAMES = {
    "CROSSPORT_REGION", "CROSSPORT_VPC_ENDPOINT", "CROSSPORT_FC_ENDPOINT", "CROSSPORT_MNS_ENDPOINT", "CROSSPORT_DB",
    "CROSSPORT_CONFIG", "CIRCUIT_ID",
    *(f"{who}_{what}" for who in ("PARTNER", "TENANT1", "TENANT2")
      for what in ("ACCOUNT_ID", "ACCESS_KEY_ID", "ACCESS_KEY_SECRET")),
}  # fmt: skip


class Up:
    """A running ``localcloud up`` with its env-file."""

    def __init__(self, folder: Path) -> None:
        self.env_file = folder / "env"
        self.process = subprocess.Popen(
            [COMMAND, "up", "--env-file", str(self.env_file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        lines = self.env_file.read_text(encoding="utf-8").splitlines()
        self.environment = dict(line.split("=", 1) for line in lines)

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up"))
    yield running
    running.stop()


def invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [COMMAND, "invoke", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def verdicts(invoked: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(invoked.stdout)["verdicts"]
    return found


def test_the_env_file_names_what_a_client_needs(up: Up) -> None:
    assert up.environment.keys() >= NAMES
    assert up.environment["CROSSPORT_VPC_ENDPOINT"].startswith("127.0.0.1:")
    assert up.environment["CROSSPORT_FC_ENDPOINT"].startswith("127.0.0.1:")
    assert up.environment["CROSSPORT_MNS_ENDPOINT"].startswith("http://127.0.0.1:")
    assert up.env_file.stat().st_mode & 0o077 == 0, "it holds secrets"


def test_a_function_is_invoked_on_a_running_cloud(up: Up) -> None:
    file = str(ROOT / "events" / "port_events.not-json.json")
    invoked = invoke("port_events", file, "--env-file", str(up.env_file))
    assert invoked.returncode == 0, invoked.stderr
    (verdict,) = verdicts(invoked)
    assert (verdict["verdict"], verdict["reason"]) == ("rejected", "not_json")


def test_a_handler_that_raises_exits_with_2_and_still_tells_its_verdicts(up: Up, tmp_path: Path) -> None:
    """A store that was never migrated: the records are for another time, so the function raises RetryRecords."""
    file = str(ROOT / "events" / "port_events.port-accepted.forwarded.json")
    invoked = invoke("port_events", file, "--env-file", str(up.env_file), "--db", f"sqlite:///{tmp_path / 'no.db'}")
    assert invoked.returncode == 2
    assert {verdict["verdict"] for verdict in verdicts(invoked)} == {"retry"}
    assert json.loads(invoked.stdout)["error_type"]


def test_without_an_env_file_a_seeded_cloud_is_started_for_the_call() -> None:
    file = ROOT / "events" / "port_events.port-accepted.forwarded.json"
    invoked = invoke("port_events", str(file))
    assert invoked.returncode == 0, invoked.stderr
    told = [{name: one[name] for name in ("verdict", "reason", "pending")} for one in verdicts(invoked)]
    assert told == json.loads(file.read_text(encoding="utf-8"))["expect"]["verdicts"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no_such_function", "events/port_events.not-json.json"), "no_such_function"),
        (("port_events", "no-such-file.json"), "no-such-file.json"),
    ],
)
def test_a_mistake_is_one_line(up: Up, arguments: tuple[str, ...], said: str) -> None:
    invoked = invoke(*arguments, "--env-file", str(up.env_file))
    assert invoked.returncode == 1
    assert invoked.stderr.count("\n") == 1
    assert said in invoked.stderr


def test_a_port_that_is_taken_is_one_line() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [COMMAND, "up", "--port", port]
        started = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert started.returncode == 1
    assert started.stderr.count("\n") == 1
    assert "in use" in started.stderr


def test_it_stops_when_asked(tmp_path: Path) -> None:
    running = Up(tmp_path)
    assert running.stop() == 0
