"""``FunctionCompute`` on the local cloud, through the official SDK: accepted, taken before, out of reach, refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crossport.adapters.credentials import Credentials
from crossport.adapters.fc import FunctionCompute, FunctionRefusedError
from crossport.application.errors import FunctionUnavailableError
from localcloud.accounts import AccessKey, Account, Directory
from localcloud.clock import Clock
from localcloud.fc.instance import Identity
from localcloud.fc.runtime import Functions
from localcloud.fc.template import AsyncConfig, FunctionDefinition
from localcloud.fc.wire import application
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.signing import Verifier

SOURCE = """
import pathlib
def handler(event, context):
    with pathlib.Path(__file__).with_name("events").open("ab") as file:
        file.write(event + b"\\n")
    return ""
"""


@dataclass
class Served:
    """A running Function Compute with the function ``reconcile``."""

    address: str
    key: AccessKey
    stranger: AccessKey

    def functions(self, key: AccessKey | None = None, address: str = "") -> FunctionCompute:
        owner = key or self.key
        values = Credentials(access_key_id=owner.access_key_id, access_key_secret=owner.access_key_secret)
        return FunctionCompute(region="us-east-1", endpoint=address or self.address, credentials=lambda: values)


Serve = Callable[[Callable[[Served], Any]], list[str]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serves the function while the given code runs in a thread; returns the events that it got."""
    # A proxy must not stand between us and loopback, whatever the environment says.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (tmp_path / "index.py").write_text(SOURCE)

    async def main(code: Callable[[Served], Any]) -> None:
        directory, clock = Directory(), Clock()
        owner = directory.add(Account(account_id="1234567890123456", name="partner"))
        stranger = directory.add(Account(account_id="6543210987654321", name="tenant"))
        definition = FunctionDefinition(
            name="reconcile",
            region="us-east-1",
            runtime="python3.12",
            handler="index.handler",
            code=tmp_path,
            timeout=30,
            async_config=AsyncConfig(task=True, retries=0),
        )
        identity = Identity(
            account_id=owner.account.account_id,
            access_key_id=owner.access_key_id,
            access_key_secret=owner.access_key_secret,
        )
        functions = Functions(
            [definition], identity=identity, clock=clock, journal=Journal(clock), send=lambda *_: None
        )
        listener = Listener(application(functions, Verifier(directory)))
        await listener.plug_in()
        try:
            await asyncio.to_thread(code, Served(listener.address, owner, stranger))
            await functions.idle()
        finally:
            await listener.unplug()
            await functions.stop()

    def run(code: Callable[[Served], Any]) -> list[str]:
        asyncio.run(main(code))
        events = tmp_path / "events"
        return events.read_text().splitlines() if events.exists() else []

    return run


def test_a_task_is_started_once_however_often_it_is_asked_for(serve: Serve) -> None:
    def code(served: Served) -> None:
        functions = served.functions()
        assert functions.start("reconcile", b'{"shard": 1}', task_id="reconcile-1")
        assert not functions.start("reconcile", b'{"shard": 1}', task_id="reconcile-1")
        assert functions.start("reconcile", b'{"shard": 2}', task_id="reconcile-2")

    assert sorted(serve(code)) == ['{"shard": 1}', '{"shard": 2}']


def test_a_refusal_names_its_code_and_no_secret(serve: Serve) -> None:
    def code(served: Served) -> None:
        with pytest.raises(FunctionRefusedError, match="AccessDenied") as refused:
            served.functions(served.stranger).start("reconcile", b"{}", task_id="t")
        assert served.stranger.access_key_id not in str(refused.value)
        with pytest.raises(FunctionRefusedError, match="FunctionNotFound"):
            served.functions().start("nothing", b"{}", task_id="t")

    assert serve(code) == []


def test_a_service_out_of_reach_may_be_tried_again(serve: Serve) -> None:
    def code(served: Served) -> None:
        with pytest.raises(FunctionUnavailableError) as refused:
            served.functions(address="127.0.0.1:9").start("reconcile", b"{}", task_id="t")
        assert refused.value.retryable

    assert serve(code) == []
