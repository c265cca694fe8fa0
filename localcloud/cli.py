"""The command ``localcloud``: ``up`` serves, ``play`` plays a scenario, ``invoke`` calls one function once."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Coroutine
from datetime import timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from localcloud.cloud import NotQuietError
from localcloud.fc.errors import FcError
from localcloud.fc.instance import Identity
from localcloud.fc.runtime import Functions, InvocationResult
from localcloud.fc.template import TemplateError, read_template
from localcloud.operator import CommandError, Operator
from localcloud.scenario.event_files import event_in
from localcloud.scenario.model import Scenario, ScenarioError, read_scenario
from localcloud.scenario.player import Player, StoryStopped
from localcloud.scenario.timeline import Timeline, verdicts_of
from localcloud.session import CHECKOUT, DEFAULT_CONFIG, session
from localcloud.vpc.settings import settings_of, with_settings
from localcloud.vpc.switches import Switches
from localcloud.world import WorldError

app = typer.Typer(
    help="A loopback stand-in for the parts of Alibaba Cloud that Crossport talks to. Never deployed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
#: The story that brings a new cloud to where every file in ``events/`` ends as it expects.
SEED = CHECKOUT / "events" / "scenarios" / "seed.yaml"
#: What an env-file must hold for one function to be invoked.
_NEEDED = ("CROSSPORT_DB", "PARTNER_ACCOUNT_ID", "PARTNER_ACCESS_KEY_ID", "PARTNER_ACCESS_KEY_SECRET")


class Service(StrEnum):
    """What can be unplugged."""

    VPC = "vpc"
    MNS = "mns"
    EVENTBRIDGE = "eventbridge"
    FC = "fc"


class EnvironmentFileError(ValueError):
    """An env-file does not name what is needed; the message says what."""


_EXPECTED = (
    EnvironmentFileError,
    StoryStopped,
    ScenarioError,
    WorldError,
    CommandError,
    NotQuietError,
    TemplateError,
    FcError,
    OSError,
)

Database = Annotated[str | None, typer.Option("--db", help="Crossport's store; default: a new temporary file.")]
Config = Annotated[Path | None, typer.Option("--config", help="The partner's configuration.", show_default=False)]
Switch = Annotated[
    list[str] | None,
    typer.Option("--switch", metavar="NAME=VALUE", help="A switch of the VPC; docs/local-cloud.md lists them."),
]
EnvFile = Annotated[Path | None, typer.Option("--env-file", help="File of KEY=VALUE lines.", show_default=False)]


@app.command()
def up(
    port: Annotated[int, typer.Option(help="First of five ports; 0 lets the system choose.", min=0, max=65530)] = 0,
    db: Database = None,
    env_file: EnvFile = None,
    config: Config = None,
    switch: Switch = None,
) -> None:
    """Serve until stopped. Writes endpoints, accounts and keys to the env-file and prints `ready`."""
    _run(_up(port, db, env_file, (config or DEFAULT_CONFIG).resolve(), _settings(switch)))


@app.command()
def play(
    scenario: Annotated[Path, typer.Argument(help="The scenario's YAML file.")],
    db: Database = None,
    config: Config = None,
    unplug: Annotated[list[Service] | None, typer.Option(help="A service to unplug before the first step.")] = None,
    switch: Switch = None,
) -> None:
    """Play a scenario with a live timeline; prints tables and `OK`, or says where the story stopped and exits 1."""
    try:
        story = read_scenario(scenario)
    except ScenarioError as error:
        _fail(error)
    _run(_play(story, db, (config or scenario.parent / story.config).resolve(), unplug or [], _settings(switch)))


@app.command()
def invoke(
    function: Annotated[str, typer.Argument(help="A function of s.yaml.")],
    event: Annotated[Path, typer.Argument(help="The event's JSON file: an event, or a file of events/.")],
    env_file: EnvFile = None,
    db: Database = None,
    config: Config = None,
    switch: Switch = None,
) -> None:
    """Invoke one function once, as Function Compute does, and print its verdicts as one JSON object.

    Exits 0 whatever the verdicts are, 2 when the handler raised. Without an env-file a local cloud is started for this
    call and brought to the state in which the files of events/ end as they expect.
    """
    try:
        payload = event_in(event)
    except OSError as error:
        _fail(error)
    _run(_invoke(function, payload, env_file, db, (config or DEFAULT_CONFIG).resolve(), _settings(switch)))


def _settings(words: list[str] | None) -> dict[str, str]:
    """The switches as given. What is wrong with them is said before anything is started."""
    try:
        settings = settings_of(words or ())
        with_settings(Switches(), settings)
    except ValueError as error:
        _fail(error)
    return settings


async def _up(port: int, db: str | None, env_file: Path | None, config: Path, settings: dict[str, str]) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with session(config=config, database=db, port=port) as (cloud, _):
        cloud.vpc.switches = with_settings(cloud.vpc.switches, settings)
        lines = "".join(f"{name}={value}\n" for name, value in cloud.environment().items())
        _publish(lines, env_file)
        typer.echo("ready")
        await stopped.wait()
    return 0


def _publish(lines: str, env_file: Path | None) -> None:
    """Write the lines to the env-file, which holds secrets and so is nobody else's to read; else to stdout."""
    if env_file is None:
        typer.echo(lines, nl=False)
        return
    env_file.touch()
    env_file.chmod(0o600)
    env_file.write_text(lines, encoding="utf-8")


async def _play(
    scenario: Scenario, db: str | None, config: Path, unplug: list[Service], settings: dict[str, str]
) -> int:
    console = Console(highlight=False)
    zone = timezone(scenario.starts.utcoffset() or timedelta())
    timeline = Timeline(console, zone)
    console.print(f"[bold]{scenario.title}[/bold]")
    if scenario.description:
        console.print(scenario.description.strip(), style="dim")
    async with session(
        config=config,
        database=db,
        start=scenario.starts,
    ) as (cloud, operator):
        cloud.journal.listen(timeline.entry)
        for name in unplug:
            await cloud.listeners[name].unplug()
        player = Player(scenario, cloud, operator, timeline.step, settings)
        try:
            await player.play()
        except (StoryStopped, NotQuietError, CommandError) as stopped:
            await _show(console, operator, ended=False)
            console.print(f"\n[bold red]stopped[/bold red]  {stopped}", soft_wrap=True)
            return 1
        await _show(console, operator, ended=True)
    console.print("\n[bold green]OK[/bold green]")
    return 0


async def _show(console: Console, operator: Operator, *, ended: bool) -> None:
    """What an operator would look at next: Crossport's own tables, and what still waits when a story was stopped."""
    commands: list[tuple[str, ...]] = [("connections", "list"), ("notices", "list"), ("ledger", "list")]
    if not ended:
        commands.append(("outbox", "list", "--state", "due"))
    tables = await asyncio.gather(*(operator.run(*c, coloured=console.is_terminal) for c in commands))
    for command, table in zip(commands, tables, strict=True):
        console.print(f"\n[dim]$ crossport {' '.join(command)}[/dim]")
        console.out(table, highlight=False, end="")


async def _invoke(
    name: str, payload: bytes, env_file: Path | None, db: str | None, config: Path, settings: dict[str, str]
) -> int:
    if env_file is not None:
        return _answer(await _invoke_at(name, payload, read_env_file(env_file), db))
    seed = read_scenario(SEED)
    async with session(config=config, database=db, start=seed.starts) as (cloud, operator):
        await Player(seed, cloud, operator, settings=settings).play()
        return _answer(await cloud.functions.invoke(name, payload))


async def _invoke_at(name: str, payload: bytes, environment: dict[str, str], db: str | None) -> InvocationResult:
    """Invoke a function of this checkout in the environment of a cloud that runs elsewhere."""
    from localcloud.clock import Clock
    from localcloud.journal import Journal

    missing = [name for name in _NEEDED if not environment.get(name)]
    if missing:
        raise EnvironmentFileError(f"the env-file lacks {', '.join(missing)}")
    ours = {key: value for key, value in environment.items() if key.startswith("CROSSPORT_")}
    if db is not None:
        ours["CROSSPORT_DB"] = db
    identity = Identity(
        account_id=environment["PARTNER_ACCOUNT_ID"],
        access_key_id=environment["PARTNER_ACCESS_KEY_ID"],
        access_key_secret=environment["PARTNER_ACCESS_KEY_SECRET"],
    )
    definitions = read_template(CHECKOUT / "s.yaml", ours, identity.account_id)
    clock = Clock()
    functions = Functions(
        definitions.values(),
        identity=identity,
        clock=clock,
        journal=Journal(clock),
        send=lambda *_: None,
        # As the local cloud does it: a function gets the variables that s.yaml gives it, and the clock.
        replaced=ours,
        injected={name: ours[name] for name in ("CROSSPORT_CLOCK",) if name in ours},
    )
    try:
        return await functions.invoke(name, payload)
    finally:
        await functions.stop()


def _answer(result: InvocationResult) -> int:
    answer = result.payload.decode("utf-8", "replace")
    if result.error_type is None:
        typer.echo(answer)
        return 0
    typer.echo(json.dumps({"error_type": result.error_type, **error_of(answer)}, ensure_ascii=False))
    for line in result.logs:
        typer.echo(line, err=True)
    return 2


def error_of(answer: str) -> dict[str, Any]:
    """What a failed function said: its message, and the verdicts when the message carries them."""
    try:
        document = json.loads(answer)
    except ValueError:
        document = {}
    message = str(document.get("errorMessage", answer)) if isinstance(document, dict) else answer
    return {"error": message, "verdicts": verdicts_of(message)}


def read_env_file(file: Path) -> dict[str, str]:
    """KEY=VALUE lines. Raises OSError."""
    pairs = (line.partition("=") for line in file.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run to the end; what may go wrong is one line on stderr, not a traceback."""
    try:
        code = asyncio.run(work)
    except _EXPECTED as error:
        _fail(error)
    except KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"localcloud: {error}", err=True)
    raise typer.Exit(1)


def main() -> None:
    """The console script."""
    app()
