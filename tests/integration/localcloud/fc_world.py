"""What the tests of the function runtime share: tiny functions, and a cloud whose effects can be looked at."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from localcloud.clock import Clock
from localcloud.fc.instance import Identity
from localcloud.fc.runtime import Functions
from localcloud.fc.template import FunctionDefinition, Hook
from localcloud.journal import Journal

ACCOUNT = "1234567890123456"
IDENTITY = Identity(account_id=ACCOUNT, access_key_id="LTAIpartner", access_key_secret="hunter2")


Define = Callable[..., FunctionDefinition]
INITIALIZER = Hook(handler="index.initialize", timeout=30)


class Cloud:
    """Functions with a clock, a journal, destinations and sleeps that can be looked at."""

    def __init__(self, *definitions: FunctionDefinition, **options: Any) -> None:
        self.clock = Clock()
        self.journal = Journal(self.clock)
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.slept: list[float] = []
        self.functions = Functions(
            definitions,
            identity=IDENTITY,
            clock=self.clock,
            journal=self.journal,
            send=lambda account, queue, body: self.sent.append((account, queue, json.loads(body))),
            sleep=self.sleep,
            **options,
        )

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def settled(self) -> None:
        """All asynchronous invocations have ended for good."""
        async with asyncio.timeout(30):
            await self.functions.idle()

    def run(self, scenario: Callable[[Functions], Awaitable[None]]) -> None:
        """Run a scenario and stop all processes, whatever happens."""

        async def main() -> None:
            try:
                await scenario(self.functions)
            finally:
                await self.functions.stop()

        asyncio.run(main())


def definer(folder: Path) -> Define:
    """Writes a function's ``index.py`` below ``folder`` and defines it."""

    def define(source: str, name: str = "f", **changes: Any) -> FunctionDefinition:
        code = folder / name
        code.mkdir()
        (code / "index.py").write_text(textwrap.dedent(source))
        definition = FunctionDefinition(
            name=name,
            region="us-east-1",
            runtime="python3.12",
            handler="index.handler",
            code=code,
            timeout=30,
        )
        return replace(definition, **changes)

    return define
