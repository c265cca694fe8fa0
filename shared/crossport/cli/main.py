"""The entry point of ``crossport``: its commands, and how each of them may end."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from crossport.cli.administration import apply, contracts_app, migrate, tenants_app
from crossport.cli.failures import MISUSE, RUNTIME_FAILURE, MisuseError, complain, detail
from crossport.cli.imports import import_ports
from crossport.cli.listings import connections_app, events_app, findings_app, ledger_app, notices_app, outbox_app
from crossport.cli.orders import orders_app
from crossport.cli.rules import rules_app
from crossport.cli.vlans import vlans_app
from crossport.domain.errors import CrossportError

#: Codes of errors that mean the command or its input is wrong, not the world.
_MISUSES = frozenset({MisuseError.code, "configuration_invalid", "orders_invalid", "unknown_store"})

app = typer.Typer(
    name="crossport",
    help="Run the partner's side of Alibaba Cloud Express Connect shared ports.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(migrate)
app.command()(apply)
app.command("import")(import_ports)
app.add_typer(connections_app, name="connections")
app.add_typer(vlans_app, name="vlans")
app.add_typer(ledger_app, name="ledger")
app.add_typer(notices_app, name="notices")
app.add_typer(outbox_app, name="outbox")
app.add_typer(events_app, name="events")
app.add_typer(findings_app, name="findings")
app.add_typer(orders_app, name="orders")
app.add_typer(contracts_app, name="contracts")
app.add_typer(tenants_app, name="tenants")
app.add_typer(rules_app, name="rules")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 it could not be done, 2 it was not understood."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments:
        main(["--help"])
        return MISUSE
    try:
        return int(app(args=arguments, prog_name="crossport", standalone_mode=False) or 0)
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
