"""Every scenario is played as a person would, and ends in the tables that it asserts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "events" / "scenarios"
#: Not stories of their own: the partner's configuration, and what ``localcloud invoke`` starts from.
NOT_PLAYED = {"partner.yaml", "seed.yaml"}
#: Played without a store: the way that a person begins with.
MAIN_JOB = FOLDER / "equinix-dc11.yaml"
STORIES = sorted(file for file in FOLDER.glob("*.yaml") if file.name not in NOT_PLAYED and file != MAIN_JOB)


def play(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``localcloud play`` to its end."""
    command = [str(Path(sys.executable).parent / "localcloud"), "play", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as ``play`` prepares one, by the same two commands, to be copied for each story."""
    file = tmp_path_factory.mktemp("prepared") / "prepared.db"
    crossport = str(Path(sys.executable).parent / "crossport")
    for words in (("migrate",), ("apply", str(FOLDER / "partner.yaml"), "--actor", "localcloud", "--reason", "a test")):
        subprocess.run([crossport, *words, "--db", f"sqlite:///{file}"], cwd=ROOT, check=True, capture_output=True)
    return file


@pytest.mark.parametrize("story", STORIES, ids=lambda file: file.stem)
def test_the_story_ends_as_it_says(story: Path, prepared: Path, tmp_path: Path) -> None:
    store = shutil.copy(prepared, tmp_path / "crossport.db")
    played = play(str(story), "--db", f"sqlite:///{store}")
    assert played.returncode == 0, played.stdout[-3000:] + played.stderr
    assert played.stdout.rstrip().endswith("OK")


def test_the_main_job_is_played_on_a_store_that_is_prepared_for_it() -> None:
    """As ``make run`` plays it: a new temporary store, migrated and seeded by Crossport's own commands."""
    played = play(str(MAIN_JOB))
    assert played.returncode == 0, played.stdout[-3000:] + played.stderr
    assert played.stdout.rstrip().endswith("OK")


def test_an_unplugged_endpoint_stops_the_story_and_loses_nothing(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'kept.db'}"
    played = play(str(FOLDER / "equinix-dc11.yaml"), "--unplug", "vpc", "--db", database)
    assert played.returncode == 1
    last = played.stdout.rstrip().splitlines()[-1]
    assert last.startswith("stopped")
    assert "unplugged: vpc at 127.0.0.1:" in last
    assert "Traceback" not in played.stdout + played.stderr
    # What was accepted is kept, with the command that waits and why.
    assert "provisioning" in played.stdout
    assert "create_port" in played.stdout
    assert "retryable:NotReached" in played.stdout


def test_a_failing_expectation_fails_the_run(tmp_path: Path) -> None:
    story = tmp_path / "wrong.yaml"
    story.write_text(
        "name: wrong\ntitle: Nothing was ordered\nstarts: 2026-03-02T09:00:00+08:00\n"
        "steps:\n  - title: A connection that nobody ordered\n    after: 0s\n"
        "    expect: {connections: [{find: {phase: active}}]}\n",
        encoding="utf-8",
    )
    played = play(str(story), "--config", str(FOLDER / "partner.yaml"))
    assert played.returncode == 1
    assert "0 rows have {'phase': 'active'}, not one" in played.stdout.rstrip().splitlines()[-1]


def test_a_misspelt_scenario_is_refused_in_one_line(tmp_path: Path) -> None:
    story = tmp_path / "misspelt.yaml"
    story.write_text(
        "name: x\ntitle: x\nstarts: 2026-03-02T09:00:00+08:00\nsteps:\n  - {title: x, after: 5m, expcet: {}}\n",
        encoding="utf-8",
    )
    played = play(str(story))
    assert played.returncode == 1
    assert played.stdout == ""
    assert played.stderr.count("\n") == 1
    assert "expcet" in played.stderr
