"""The Function Compute API, called by the official client over HTTP."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_fc20230330 import models
from alibabacloud_fc20230330.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.runtime import RuntimeOptions

from localcloud.accounts import AccessKey, Account, Directory
from localcloud.clock import Clock
from localcloud.fc.instance import Identity
from localcloud.fc.runtime import Functions
from localcloud.fc.template import AsyncConfig, FunctionDefinition, Hook
from localcloud.fc.wire import application
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.signing import Verifier

SOURCE = """
def initialize(context): pass
def handler(event, context):
    print("got", event)
    if event == b"bad":
        raise ValueError("bad VLAN")
    return event[::-1]
"""

Call = Callable[[Callable[..., Any]], Any]


class Served:
    """What a client needs to know about the API that serves."""

    def __init__(self, address: str, owner: AccessKey, stranger: AccessKey) -> None:
        self.address = address
        self.owner = owner
        self.stranger = stranger

    def client(self, key: AccessKey | None = None, secret: str | None = None) -> Client:
        key = key or self.owner
        return Client(
            Config(
                access_key_id=key.access_key_id,
                access_key_secret=secret or key.access_key_secret,
                endpoint=self.address,
                protocol="HTTP",
                region_id="us-east-1",
            )
        )

    def invoke(self, body: bytes, name: str = "f", client: Client | None = None, **headers: str) -> Any:
        return (client or self.client()).invoke_function_with_options(
            name,
            models.InvokeFunctionRequest(body=io.BytesIO(body)),
            models.InvokeFunctionHeaders(**headers),
            RuntimeOptions(),
        )


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Serves one function and calls the given code, in a thread, with the API."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)  # the SDK ignores NO_PROXY
    (tmp_path / "index.py").write_text(textwrap.dedent(SOURCE))

    def run(client_code: Callable[[Served], Any]) -> Any:
        async def main() -> Any:
            directory = Directory()
            owner = directory.add(Account(account_id="1234567890123456", name="partner"))
            stranger = directory.add(Account(account_id="6543210987654321", name="tenant"))
            clock = Clock()
            functions = Functions(
                [
                    FunctionDefinition(
                        name="f",
                        region="us-east-1",
                        runtime="python3.12",
                        handler="index.handler",
                        code=tmp_path,
                        timeout=30,
                        environment={"KEY": "value"},
                        initializer=Hook(handler="index.initialize", timeout=7),
                        async_config=AsyncConfig(task=True, retries=0),
                    )
                ],
                identity=Identity(
                    account_id=owner.account.account_id,
                    access_key_id=owner.access_key_id,
                    access_key_secret=owner.access_key_secret,
                ),
                clock=clock,
                journal=Journal(clock),
                send=lambda account, queue, body: None,
            )
            listener = Listener(application(functions, Verifier(directory)))
            await listener.plug_in()
            try:
                return await asyncio.to_thread(client_code, Served(listener.address, owner, stranger))
            finally:
                await listener.unplug()
                await functions.stop()

        return asyncio.run(main())

    return run


def test_a_synchronous_invocation(call: Call) -> None:
    def client_code(api: Served) -> None:
        answer = api.invoke(b"\x00abc\xff", x_fc_invocation_type="Sync", x_fc_log_type="Tail")
        assert answer.status_code == 200
        assert answer.body.read() == b"\xffcba\x00"
        assert answer.headers["x-fc-request-id"]
        assert "x-fc-error-type" not in answer.headers
        assert base64.b64decode(answer.headers["x-fc-log-result"]) == b"got b'\\x00abc\\xff'"

    call(client_code)


def test_a_failed_function_is_http_200_with_an_error_type(call: Call) -> None:
    def client_code(api: Served) -> None:
        answer = api.invoke(b"bad")
        assert answer.status_code == 200
        assert answer.headers["x-fc-error-type"] == "UnhandledInvocationError"
        document = json.loads(answer.body.read())
        assert (document["errorType"], document["errorMessage"]) == ("ValueError", "bad VLAN")

    call(client_code)


def test_an_asynchronous_task_is_accepted_once(call: Call) -> None:
    def client_code(api: Served) -> None:
        answer = api.invoke(b"x", x_fc_invocation_type="Async", x_fc_async_task_id="pc-1")
        assert (answer.status_code, answer.body.read()) == (202, b"")
        with pytest.raises(ClientException) as caught:
            api.invoke(b"x", x_fc_invocation_type="Async", x_fc_async_task_id="pc-1")
        assert caught.value.status_code == 409

    call(client_code)


@pytest.mark.parametrize(
    ("invoke", "status", "code"),
    [
        (lambda api: api.invoke(b"", name="nothing"), 404, "FunctionNotFound"),
        (lambda api: api.client().get_function("nothing", models.GetFunctionRequest()), 404, "FunctionNotFound"),
        (lambda api: api.invoke(b"", x_fc_invocation_type="Later"), 400, "InvalidArgument"),
        (
            lambda api: api.invoke(b"x" * 131_073, x_fc_invocation_type="Async"),
            413,
            "RequestEntityTooLarge",
        ),
        (lambda api: api.invoke(b"", client=api.client(secret="wrong")), 400, "SignatureDoesNotMatch"),
        (lambda api: api.invoke(b"", client=api.client(api.stranger)), 403, "AccessDenied"),
    ],
)
def test_refusals(call: Call, invoke: Callable[[Served], Any], status: int, code: str) -> None:
    def client_code(api: Served) -> None:
        with pytest.raises(ClientException) as caught:
            invoke(api)
        assert (caught.value.status_code, caught.value.code) == (status, code)

    call(client_code)


def test_get_function_tells_the_configuration(call: Call) -> None:
    def client_code(api: Served) -> None:
        function = api.client().get_function("f", models.GetFunctionRequest()).body
        assert function.function_arn == "acs:fc:us-east-1:1234567890123456:functions/f"
        assert (function.runtime, function.handler, function.timeout) == ("python3.12", "index.handler", 30)
        assert function.environment_variables == {"KEY": "value"}
        assert function.instance_lifecycle_config.initializer.timeout == 7

    call(client_code)


def test_what_is_not_played_fails_loudly(call: Call) -> None:
    def client_code(api: Served) -> None:
        with pytest.raises(ServerException) as caught:
            api.client().list_functions(models.ListFunctionsRequest())
        assert caught.value.status_code == 501

    call(client_code)
