"""Runs Crossport's own command as an operator would: a process of its own, told everything by arguments."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any


class CommandError(Exception):
    """A ``crossport`` command failed; the message is what it said."""


class Operator:
    """An operator with a shell, a database and the cloud's clock."""

    def __init__(self, database: str, config: Path, clock_file: Path) -> None:
        self.database = database
        self._config = config
        self._clock_file = clock_file

    async def run(self, *arguments: str, coloured: bool = False) -> str:
        """Run one command to its end and return its output. Raises CommandError when it fails."""
        process = await asyncio.create_subprocess_exec(
            *_command(),
            *arguments,
            "--db",
            self.database,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment() | ({"FORCE_COLOR": "1"} if coloured else {}),
        )
        output, problems = await process.communicate()
        if process.returncode != 0:
            said = problems.decode(errors="replace").strip() or output.decode(errors="replace").strip()
            raise CommandError(f"crossport {' '.join(arguments)}: {said}")
        return output.decode()

    async def rows(self, listing: str) -> list[dict[str, Any]]:
        """The rows of ``crossport <listing> list --json``."""
        rows: list[dict[str, Any]] = json.loads(await self.run(listing, "list", "--json"))
        return rows

    async def prepare(self) -> bool:
        """Migrate and seed an empty store; leave a filled one alone. Returns whether it was empty."""
        if not await self._is_empty():
            return False
        await self.run("migrate")
        await self.run("apply", str(self._config), "--actor", "localcloud", "--reason", "a new local cloud")
        return True

    async def _is_empty(self) -> bool:
        file = sqlite_file(self.database)
        if file is not None:
            return not file.exists() or file.stat().st_size == 0
        try:
            await self.run("findings", "list", "--json")
        except CommandError:
            return True
        return False

    def _environment(self) -> dict[str, str]:
        """This process's environment without Crossport's variables: a command must not learn anything by chance."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("CROSSPORT_")}
        return {**inherited, "CROSSPORT_CLOCK": str(self._clock_file), "COLUMNS": "120"}


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite URL, or None for another engine."""
    prefix = "sqlite:///"
    return Path(url.removeprefix(prefix)) if url.startswith(prefix) else None


def _command() -> tuple[str, ...]:
    script = Path(sys.executable).parent / "crossport"
    return (str(script),) if script.exists() else (sys.executable, "-m", "crossport.cli.main")
