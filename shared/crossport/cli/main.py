"""The entry point of ``crossport``: its commands, and how each of them may end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from crossport.cli.failures import MISUSE, RUNTIME_FAILURE, MisuseError, complain, detail
from crossport.domain.errors import CrossportError

#: Codes of errors that mean the command or its input is wrong, not the world.
_MISUSES = frozenset({MisuseError.code, "configuration_invalid", "orders_invalid", "unknown_store"})

#: Where each command or group is made, in the order in which help lists them.
COMMANDS = {
    "status": ("status", "status"),
    "migrate": ("administration", "migrate"),
    "apply": ("administration", "apply"),
    "import": ("imports", "import_ports"),
    "reconcile": ("reconcile", "reconcile"),
    "obligations": ("obligations", "obligations"),
    "pause": ("pause", "pause"),
    "resume": ("pause", "resume"),
    "circuits": ("circuits", "circuits_app"),
    "maintenance": ("maintenance", "maintenance_app"),
    "connections": ("listings", "connections_app"),
    "vlans": ("vlans", "vlans_app"),
    "ledger": ("listings", "ledger_app"),
    "notices": ("listings", "notices_app"),
    "outbox": ("listings", "outbox_app"),
    "events": ("listings", "events_app"),
    "findings": ("listings", "findings_app"),
    "deadletters": ("deadletters", "deadletters_app"),
    "orders": ("orders", "orders_app"),
    "contracts": ("administration", "contracts_app"),
    "tenants": ("administration", "tenants_app"),
    "rules": ("rules", "rules_app"),
}


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line with what these arguments need: one command or group when they begin with it, else all.

    A shell starts a process for each command, and importing and describing the others is half of what that costs.
    """
    app = typer.Typer(
        name="crossport",
        help="Run the partner's side of Alibaba Cloud Express Connect shared ports.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_group)  # a group even with one command in it
    wanted = [arguments[0]] if arguments and arguments[0] in COMMANDS else COMMANDS
    for name in wanted:
        module, attribute = COMMANDS[name]
        made = getattr(import_module(f"crossport.cli.{module}"), attribute)
        if isinstance(made, typer.Typer):
            app.add_typer(made, name=name)
        else:
            app.command(name)(made)
    return app


def _group() -> None:
    """Run the partner's side of Alibaba Cloud Express Connect shared ports."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it could not be done, 2 it was not understood."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments:
        main(["--help"])
        return MISUSE
    try:
        return int(app_for(arguments)(args=arguments, prog_name="crossport", standalone_mode=False) or 0)
    except typer.TyperException as error:
        command = getattr(getattr(error, "ctx", None), "command_path", "crossport")
        complain(f"{error.format_message().replace('Value error, ', '')} Try: {command} --help")
        return error.exit_code
    except typer.Abort:
        complain("stopped")
        return RUNTIME_FAILURE
    except CrossportError as error:
        return _told(error)
    except BrokenPipeError:
        # The reader of a pipe has gone (``| head``). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return RUNTIME_FAILURE
    except Exception as error:  # noqa: BLE001 - an operator gets a sentence, never a traceback
        complain(f"{type(error).__name__}: {error}")
        return RUNTIME_FAILURE


def _told(error: CrossportError) -> int:
    problems, file = error.fields.get("problems", ()), error.fields.get("file")
    if len(problems) > 1:
        complain(f"{len(problems)} problems in {file}:" if file else f"{len(problems)} problems:")
        for problem in problems:
            detail(problem)
    elif file and str(file) not in error.message:
        complain(f"{file}: {error.message}")
    else:
        complain(error.message)
    return MISUSE if error.code in _MISUSES else RUNTIME_FAILURE
