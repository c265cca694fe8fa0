"""Each command is a process: it must not pay for importing and describing the others."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

import pytest
import typer
import typer.main

from crossport.cli.main import COMMANDS, app_for

#: What a list as JSON has no use for. pydantic is not among them: the command line's own library coerces with it.
HEAVY = ("rich", "yaml", "sqlalchemy", "alembic", "jinja2", "babel", "alibabacloud_vpc20160428", "mns", "requests")
OTHERS = ("crossport.cli.administration", "crossport.cli.orders", "crossport.cli.rules", "crossport.domain.rules")


def loaded_by(*arguments: str) -> set[str]:
    """Which of the modules above a command has loaded when it ends."""
    code = (
        "import sys; from crossport.cli.main import main; main(sys.argv[1:]); "
        f"print('loaded', *sorted(set({HEAVY + OTHERS!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("listing", ["connections", "ledger", "notices", "outbox", "events", "findings"])
def test_a_list_imports_no_other_command_and_nothing_heavy(listing: str, empty: str) -> None:
    assert loaded_by(listing, "list", "--json", "--db", empty) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_alone_is_the_command_among_all(name: str) -> None:
    alone, among_all = app_for([name]), app_for(["--help"])
    assert _described(alone) == {name: _described(among_all)[name]}


def test_without_a_command_all_are_described() -> None:
    assert list(_described(app_for([]))) == list(COMMANDS)


def _described(app: typer.Typer) -> dict[str, list[str]]:
    """Each command with the names of its own commands and options."""
    group = cast("Any", typer.main.get_command(app))
    return {name: _names(command) for name, command in group.commands.items()}


def _names(command: Any) -> list[str]:
    return [*getattr(command, "commands", {}), *(str(param.name) for param in command.params)]
