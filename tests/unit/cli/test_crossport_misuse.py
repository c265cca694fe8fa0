"""How a command ends that was not understood, or that fails in a way nobody foresaw."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from crossport.cli import listings

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["conections"],
            "No such command 'conections'. Did you mean 'connections', 'contracts'? Try: crossport --help",
        ),
        (["connections"], "Missing command. Try: crossport connections --help"),
        (["connections", "show"], "Missing argument 'ID'. Try: crossport connections show --help"),
        (["ledger", "list", "--nonsense"], "No such option: --nonsense Try: crossport ledger list --help"),
    ],
)
def test_misuse_is_told_in_one_line(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"crossport: {message}\n"


def test_without_arguments_the_help_is_shown(run: Run) -> None:
    result = run()
    assert result.code == 2
    assert result.out == run("--help").out
    assert "connections" in result.out


def test_help_of_every_command_ends_well(run: Run) -> None:
    for command in ("migrate", "apply", "connections show", "contracts sign", "tenants add", "tenants put"):
        assert run(*command.split(), "--help").code == 0


def test_a_failure_that_nobody_foresaw_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_url: str) -> None:
        raise ZeroDivisionError("first line\nsecond line")

    monkeypatch.setattr(listings, "open_views", broken)
    result = run("events", "list", "--db", "sqlite:////x")
    assert (result.code, result.err) == (1, "crossport: ZeroDivisionError: first line second line\n")


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = ("pydantic", "sqlalchemy", "alembic", "rich", "yaml", "sqlite3", "alibabacloud_vpc20160428")
    code = (
        "import sys; from crossport.cli.main import main; main(['--help']); "
        f"sys.exit(str([name for name in {heavy!r} if name in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() in {"", "[]"}
