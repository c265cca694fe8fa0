"""Functions in real worker processes: the runtime's contract, failures, retries, the pool."""

from __future__ import annotations

import asyncio
import json
import os
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.clock import Clock
from localcloud.fc.errors import (
    FunctionNotFound,
    InvalidArgument,
    PayloadTooLarge,
    ResourceExhausted,
    TaskAlreadyExists,
)
from localcloud.fc.instance import LOG_LINE_LIMIT, Identity
from localcloud.fc.runtime import ASYNC_PAYLOAD_LIMIT, RETRY_DELAYS, Functions, InvocationResult
from localcloud.fc.template import AsyncConfig, FunctionDefinition, Hook
from localcloud.journal import Journal

ACCOUNT = "1234567890123456"
IDENTITY = Identity(account_id=ACCOUNT, access_key_id="LTAIpartner", access_key_secret="hunter2")


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


@pytest.fixture
def function(tmp_path: Path) -> Callable[..., FunctionDefinition]:
    """Writes a function's ``index.py`` and defines it."""

    def define(source: str, name: str = "f", **changes: Any) -> FunctionDefinition:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "index.py").write_text(textwrap.dedent(source))
        definition = FunctionDefinition(
            name=name,
            region="us-east-1",
            runtime="python3.12",
            handler="index.handler",
            code=folder,
            timeout=30,
        )
        return replace(definition, **changes)

    return define


Define = Callable[..., FunctionDefinition]
INITIALIZER = Hook(handler="index.initialize", timeout=30)


def test_the_event_arrives_as_bytes_and_the_context_is_that_of_3_12(function: Define) -> None:
    cloud = Cloud(
        function(
            """
            def handler(event, context):
                assert type(event) is bytes
                logger = context.logger
                context.getLogger().info("logged")
                return {
                    "event": event.decode(), "before": logger is None, "after": context.logger is not None,
                    "function": vars(context.function), "account": context.account_id,
                    "region": context.region, "request_id": context.request_id,
                    "absent": [n for n in ("credentials", "service") if hasattr(context, n)],
                }
            """
        )
    )

    async def scenario(functions: Functions) -> None:
        result = await functions.invoke("f", '{"spec": "50M", "名": 1}'.encode())
        answer = json.loads(result.payload)
        assert answer == {
            "event": '{"spec": "50M", "名": 1}',
            "before": True,
            "after": True,
            "function": {
                "name": "f",
                "handler": "index.handler",
                "memory": 512,
                "timeout": 30,
                "version_id": "LATEST",
                "qualifier": "LATEST",
            },
            "account": ACCOUNT,
            "region": "us-east-1",
            "request_id": result.request_id,
            "absent": [],
        }
        assert [line for line in result.logs if "logged" in line and result.request_id in line]

    cloud.run(scenario)


def test_the_context_of_3_10_has_credentials_and_service(function: Define) -> None:
    cloud = Cloud(
        function(
            """
            def handler(event, context):
                return [context.credentials.access_key_secret, context.service.qualifier, hasattr(context, "logger")]
            """,
            runtime="python3.10",
        )
    )

    async def scenario(functions: Functions) -> None:
        result = await functions.invoke("f", b"")
        assert json.loads(result.payload) == ["hunter2", "LATEST", False]

    cloud.run(scenario)


def test_the_environment_is_exactly_what_the_cloud_and_the_function_set(
    function: Define, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "from the shell")
    definition = function(
        """
        import os, sys
        def handler(event, context):
            return {"env": dict(os.environ), "path": sys.path[0], "cwd": os.getcwd(), "pyc": sys.dont_write_bytecode}
        """,
        environment={"OWN": "1", "ENDPOINT": "https://real", "FC_REGION": "elsewhere"},
    )
    cloud = Cloud(
        definition,
        injected={"CLOCK": "/clock"},
        replaced={"ENDPOINT": "http://127.0.0.1:1", "FORGOTTEN_IN_S_YAML": "x"},
    )

    async def scenario(functions: Functions) -> None:
        answer = json.loads((await functions.invoke("f", b"")).payload)
        assert answer["path"] == answer["cwd"] == str(definition.code)
        assert answer["pyc"] is False
        environment = answer["env"]
        environment.pop("LC_CTYPE", None)  # the interpreter's own
        environment.pop("FC_INSTANCE_ID")
        assert environment == {
            "OWN": "1",
            "ENDPOINT": "http://127.0.0.1:1",
            "CLOCK": "/clock",
            "PATH": environment["PATH"],
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "FC_ACCOUNT_ID": ACCOUNT,
            "FC_REGION": "us-east-1",
            "FC_FUNCTION_NAME": "f",
            "FC_FUNCTION_HANDLER": "index.handler",
            "FC_FUNCTION_MEMORY_SIZE": "512",
            "FC_TIMEOUT": "30",
            "FC_RUNTIME": "python3.12",
            "FC_FUNC_CODE_PATH": str(definition.code),
            "FC_QUALIFIER": "LATEST",
            "FC_VERSION_ID": "LATEST",
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAIpartner",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "hunter2",
            "ALIBABA_CLOUD_SECURITY_TOKEN": "",
        }

    cloud.run(scenario)


def test_an_instance_is_initialized_once_and_stays_warm(function: Define) -> None:
    cloud = Cloud(
        function(
            """
            import os
            calls = []
            def initialize(context): calls.append("initialize"); print("initializing")
            def handler(event, context): calls.append(event.decode()); return [os.getpid(), *calls]
            def pre_stop(context): print("goodbye after", calls)
            """,
            initializer=INITIALIZER,
            pre_stop=Hook(handler="index.pre_stop", timeout=30),
        )
    )

    async def scenario(functions: Functions) -> None:
        first = await functions.invoke("f", b"a")
        second = await functions.invoke("f", b"b")
        assert (first.cold, second.cold) == (True, False)
        assert first.logs == ("initializing",)
        assert second.logs == ()
        assert json.loads(second.payload) == [json.loads(first.payload)[0], "initialize", "a", "b"]

    cloud.run(scenario)
    stopped = cloud.journal.entries("fc")[-1]
    assert stopped.fields["logs"] == ["goodbye after ['initialize', 'a', 'b']"]


@pytest.mark.parametrize(
    ("expression", "payload"),
    [
        ("'text ü'", "text ü".encode()),
        ("b'\\x00\\xff'", b"\x00\xff"),
        ("{'a': [1, None]}", b'{"a": [1, null]}'),
        ("None", b"null"),
        ("b'x' * 3_000_000", b"x" * 3_000_000),
    ],
)
def test_what_a_handler_may_return(function: Define, expression: str, payload: bytes) -> None:
    cloud = Cloud(function(f"def handler(event, context): return {expression}"))

    async def scenario(functions: Functions) -> None:
        result = await functions.invoke("f", b"x" * 1_000_000)
        assert (result.payload == payload, result.error_type) == (True, None)

    cloud.run(scenario)


def test_an_exception_is_an_error_document_and_the_instance_goes_on(function: Define) -> None:
    definition = function(
        """
        def handler(event, context):
            if event == b"bad":
                check()
            return "ok"
        def check():
            raise KeyError("vlan")
        """
    )
    cloud = Cloud(definition)

    async def scenario(functions: Functions) -> None:
        failed = await functions.invoke("f", b"bad")
        file = f'File "{definition.code / "index.py"}"'
        assert failed.error_type == "UnhandledInvocationError"
        assert json.loads(failed.payload) == {
            "errorMessage": "'vlan'",
            "errorType": "KeyError",
            "stackTrace": [
                [file, "line 4", "in handler", "check()"],
                [file, "line 7", "in check", 'raise KeyError("vlan")'],
            ],
        }
        assert failed.logs[-1] == "KeyError: 'vlan'"
        assert not (await functions.invoke("f", b"good")).cold

    cloud.run(scenario)


def test_an_answer_that_is_no_json_is_the_functions_error(function: Define) -> None:
    cloud = Cloud(function("def handler(event, context): return {1, 2}"))

    async def scenario(functions: Functions) -> None:
        result = await functions.invoke("f", b"")
        assert json.loads(result.payload)["errorType"] == "TypeError"

    cloud.run(scenario)


@pytest.mark.parametrize(
    "death", ["sys.exit(0)", "os._exit(1)", "os.kill(os.getpid(), 9)", "os.closerange(3, 64); time.sleep(3600)"]
)
def test_a_process_that_ends_answers_and_the_next_invocation_gets_a_new_one(function: Define, death: str) -> None:
    cloud = Cloud(
        function(
            f"""
            import os, sys, time
            def handler(event, context):
                print("before")
                if event == b"die":
                    {death}
                return "alive"
            """
        )
    )

    async def scenario(functions: Functions) -> None:
        dead = await functions.invoke("f", b"die")
        assert dead.error_type == "UnhandledInvocationError"
        assert json.loads(dead.payload) == {"errorMessage": "Process exited unexpectedly before completing request"}
        assert dead.logs == ("before",)
        again = await functions.invoke("f", b"live")
        assert (again.payload, again.cold) == (b"alive", True)

    cloud.run(scenario)


def test_a_function_out_of_time_is_killed_with_everything_it_started(function: Define, tmp_path: Path) -> None:
    cloud = Cloud(
        function(
            f"""
            import subprocess, sys, time
            def handler(event, context):
                if event == b"hang":
                    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
                    open({str(tmp_path / "pid")!r}, "w").write(str(child.pid))
                    time.sleep(3600)
                return "alive"
            """,
            timeout=1,
        )
    )

    async def scenario(functions: Functions) -> None:
        late = await functions.invoke("f", b"hang")
        assert json.loads(late.payload) == {"errorMessage": "Function timed out after 1 seconds"}
        assert late.error_type == "UnhandledInvocationError"
        again = await functions.invoke("f", b"")
        assert (again.payload, again.cold) == (b"alive", True)

    cloud.run(scenario)
    # The child was adopted by init, or is a zombie of whoever adopted it: in no case does it run.
    status = Path("/proc") / (tmp_path / "pid").read_text() / "status"
    assert not status.exists() or "\nState:\tZ" in status.read_text()


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("def initialize(context): raise OSError('no store')\ndef handler(e, c): ...", "OSError", "no store"),
        ("import nothing_of_this_name", "ModuleNotFoundError", "No module named 'nothing_of_this_name'"),
        ("def initialize(context): ...", "AttributeError", "module 'index' has no attribute 'handler'"),
        ("def handler(e, c)", "SyntaxError", "expected ':' (index.py, line 1)"),
    ],
)
def test_an_instance_that_does_not_start_fails_the_invocation_each_time(
    function: Define, source: str, error_type: str, message: str
) -> None:
    cloud = Cloud(function(source, initializer=INITIALIZER))

    async def scenario(functions: Functions) -> None:
        for _ in range(2):
            result = await functions.invoke("f", b"")
            document = json.loads(result.payload)
            assert result.error_type == "UnhandledInvocationError"
            assert (document["errorType"], document["errorMessage"]) == (error_type, message)
            assert result.cold

    cloud.run(scenario)


def test_an_initializer_out_of_time(function: Define) -> None:
    source = "import time\ndef initialize(c): time.sleep(3600)\ndef handler(e, c): ..."
    cloud = Cloud(function(source, initializer=Hook(handler="index.initialize", timeout=1)))

    async def scenario(functions: Functions) -> None:
        result = await functions.invoke("f", b"")
        assert b"initialization timed out after 1 seconds" in result.payload

    cloud.run(scenario)


def test_long_lines_and_bytes_that_are_no_text_are_logged_as_far_as_possible(function: Define) -> None:
    cloud = Cloud(
        function(
            """
            import os
            def handler(event, context):
                print("x" * 100_000)
                os.write(2, b"\\xff raw\\nunfinished")
            """
        )
    )

    async def scenario(functions: Functions) -> None:
        logs = (await functions.invoke("f", b"")).logs
        assert logs == ("x" * LOG_LINE_LIMIT, "\ufffd raw", "unfinished")

    cloud.run(scenario)


WAITING = """
import os, time
def handler(event, context):
    # Waits until the test has seen it run: a file system as a semaphore.
    folder = event.decode()
    open(os.path.join(folder, str(os.getpid())), "w").close()
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.002)
    return str(os.getpid())
"""


async def running(folder: Path, count: int) -> None:
    """``count`` instances are inside their handlers."""
    async with asyncio.timeout(30):
        while len(os.listdir(folder)) < count:  # noqa: ASYNC110, PTH208  # they are other processes
            await asyncio.sleep(0.002)


def test_an_instance_serves_one_request_at_a_time_and_the_pool_grows(function: Define, tmp_path: Path) -> None:
    cloud = Cloud(function(WAITING))
    signals = tmp_path / "signals"
    signals.mkdir()

    async def scenario(functions: Functions) -> None:
        tasks = [asyncio.create_task(functions.invoke("f", str(signals).encode())) for _ in range(3)]
        await running(signals, 3)
        assert functions.busy() == 3
        (signals / "go").touch()
        results = await asyncio.gather(*tasks)
        assert len({result.payload for result in results}) == 3
        assert functions.busy() == 0
        assert not (await functions.invoke("f", str(signals).encode())).cold

    cloud.run(scenario)


def test_at_the_limit_the_cloud_refuses_or_the_caller_waits(function: Define, tmp_path: Path) -> None:
    definition = function(WAITING)
    signals = tmp_path / "signals"
    signals.mkdir()
    event = str(signals).encode()

    async def refused(functions: Functions) -> None:
        first = asyncio.create_task(functions.invoke("f", event))
        await running(signals, 1)
        with pytest.raises(ResourceExhausted):
            await functions.invoke("f", event)
        (signals / "go").touch()
        await first

    async def waited(functions: Functions) -> None:
        (signals / "go").unlink()
        first = asyncio.create_task(functions.invoke("f", event))
        await running(signals, 2)
        second = asyncio.create_task(functions.invoke("f", event))
        await asyncio.sleep(0)
        assert not second.done()
        (signals / "go").touch()
        assert (await first).payload == (await second).payload

    Cloud(definition, instance_limit=1).run(refused)
    Cloud(definition, instance_limit=1, wait_at_limit=True).run(waited)


def test_an_idle_instance_of_another_function_makes_room(function: Define) -> None:
    source = "def handler(e, c): return c.function.name\ndef pre_stop(c): print('making room')"
    hook = Hook(handler="index.pre_stop", timeout=30)
    cloud = Cloud(function(source, "a", pre_stop=hook), function(source, "b"), instance_limit=1)

    async def scenario(functions: Functions) -> None:
        for name, cold in (("a", True), ("b", True), ("b", False), ("a", True)):
            result = await functions.invoke(name, b"")
            assert (result.payload, result.cold) == (name.encode(), cold)

    cloud.run(scenario)
    assert [e.what for e in cloud.journal.entries("fc") if e.fields["logs"]] == ["a stopped", "a stopped"]


def test_a_cancelled_invocation_takes_its_instance_with_it(function: Define, tmp_path: Path) -> None:
    cloud = Cloud(function(WAITING), instance_limit=1)
    signals = tmp_path / "signals"
    signals.mkdir()

    async def scenario(functions: Functions) -> None:
        task = asyncio.create_task(functions.invoke("f", str(signals).encode()))
        await running(signals, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (signals / "go").touch()
        assert (await functions.invoke("f", str(signals).encode())).cold

    cloud.run(scenario)


FAILS_TWICE = """
import pathlib
def handler(event, context):
    file = pathlib.Path(__file__).with_name("attempts")
    attempts = int(file.read_text()) + 1 if file.exists() else 1
    file.write_text(str(attempts))
    if attempts <= 2:
        raise RuntimeError(f"attempt {attempts}")
    return f"done {context.request_id}"
"""


def test_an_asynchronous_invocation_is_repeated_until_it_succeeds(function: Define) -> None:
    cloud = Cloud(function(FAILS_TWICE, async_config=AsyncConfig(on_success="done", on_failure="dead")))

    async def scenario(functions: Functions) -> None:
        accepted = await functions.invoke("f", b'{"port": 1}', asynchronous=True)
        assert accepted == InvocationResult(request_id=accepted.request_id)
        assert functions.busy() == 1
        await cloud.settled()
        assert cloud.slept == list(RETRY_DELAYS[:2])
        ((account, queue, message),) = cloud.sent
        assert (account, queue) == (ACCOUNT, "done")
        assert isinstance(message.pop("timestamp"), int)
        assert message == {
            "requestContext": {
                "requestId": accepted.request_id,
                "functionArn": f"acs:fc:us-east-1:{ACCOUNT}:functions/f",
                "condition": "Success",
                "approximateInvokeCount": 3,
            },
            "requestPayload": '{"port": 1}',
            "responseContext": {"statusCode": 200},
            "responsePayload": f"done {accepted.request_id}",
        }

    cloud.run(scenario)


def test_when_the_retries_are_exhausted_the_destination_is_told(function: Define) -> None:
    cloud = Cloud(function(FAILS_TWICE, async_config=AsyncConfig(retries=1, on_failure="dead")))

    async def scenario(functions: Functions) -> None:
        await functions.invoke("f", b"{}", asynchronous=True)
        await cloud.settled()
        ((_, queue, message),) = cloud.sent
        assert queue == "dead"
        assert message["requestContext"]["condition"] == "UnhandledInvocationError"
        assert message["requestContext"]["approximateInvokeCount"] == 2
        assert message["responseContext"] == {
            "statusCode": 200,
            "functionError": "UnhandledInvocationError",
        }
        assert json.loads(message["responsePayload"])["errorMessage"] == "attempt 2"

    cloud.run(scenario)


def test_an_event_that_is_too_old_is_not_repeated(function: Define) -> None:
    cloud = Cloud(function(FAILS_TWICE, async_config=AsyncConfig(max_age=60, on_failure="dead")))

    async def long_sleep(seconds: float) -> None:
        cloud.clock.advance(timedelta(seconds=61))

    cloud.functions._sleep = long_sleep

    async def scenario(functions: Functions) -> None:
        await functions.invoke("f", b"{}", asynchronous=True)
        await cloud.settled()
        assert cloud.sent[0][2]["requestContext"]["approximateInvokeCount"] == 1

    cloud.run(scenario)


def test_an_event_lost_without_a_destination_is_in_the_journal(function: Define) -> None:
    cloud = Cloud(function(FAILS_TWICE, async_config=AsyncConfig(retries=0)))

    async def scenario(functions: Functions) -> None:
        accepted = await functions.invoke("f", b"{}", asynchronous=True)
        await cloud.settled()
        last = cloud.journal.entries("fc")[-1]
        assert (last.what, last.fields["request_id"]) == (
            "f: event lost, no destination",
            accepted.request_id,
        )

    cloud.run(scenario)


def test_a_task_id_is_accepted_once_where_tasks_are_configured(function: Define) -> None:
    source = "def handler(event, context): ..."
    cloud = Cloud(function(source, "task", async_config=AsyncConfig(task=True)), function(source, "plain"))

    async def scenario(functions: Functions) -> None:
        await functions.invoke("task", b"", asynchronous=True, task_id="pc-1_offer")
        with pytest.raises(TaskAlreadyExists) as caught:
            await functions.invoke("task", b"", asynchronous=True, task_id="pc-1_offer")
        assert caught.value.status == 409
        await functions.invoke("task", b"", asynchronous=True, task_id="pc-2_offer")
        for bad in ("", "1a", "-a", "a b", "a" * 129, "ü"):
            with pytest.raises(InvalidArgument):
                await functions.invoke("task", b"", asynchronous=True, task_id=bad)
        for _ in range(2):
            await functions.invoke("plain", b"", asynchronous=True, task_id="pc-1_offer")
        await cloud.settled()
        assert sum(entry.what.endswith("ended") for entry in cloud.journal.entries("fc")) == 4

    cloud.run(scenario)


def test_limits_of_payloads_and_unknown_functions(function: Define) -> None:
    cloud = Cloud(function("def handler(event, context): return str(len(event))"))

    async def scenario(functions: Functions) -> None:
        with pytest.raises(PayloadTooLarge):
            await functions.invoke("f", b"x" * (ASYNC_PAYLOAD_LIMIT + 1), asynchronous=True)
        await functions.invoke("f", b"x" * ASYNC_PAYLOAD_LIMIT, asynchronous=True)
        result = await functions.invoke("f", b"x" * (ASYNC_PAYLOAD_LIMIT + 1))
        assert result.payload == str(ASYNC_PAYLOAD_LIMIT + 1).encode()
        with pytest.raises(FunctionNotFound):
            await functions.invoke("g", b"")

    cloud.run(scenario)


def test_a_function_without_its_code_folder_is_found_at_once(function: Define, tmp_path: Path) -> None:
    definition = function("def handler(event, context): ...", code=tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="function f: no code folder"):
        Cloud(definition)


def test_stopping_ends_running_and_waiting_invocations(function: Define, tmp_path: Path) -> None:
    cloud = Cloud(function(WAITING))
    signals = tmp_path / "signals"
    signals.mkdir()

    async def scenario(functions: Functions) -> None:
        running_one = asyncio.create_task(functions.invoke("f", str(signals).encode()))
        await functions.invoke("f", str(signals).encode(), asynchronous=True)
        await running(signals, 2)
        await functions.stop()
        assert (await running_one).error_type == "UnhandledInvocationError"
        assert functions.busy() == 0

    cloud.run(scenario)


def test_neither_identity_nor_definition_shows_secrets() -> None:
    assert "hunter2" not in repr(IDENTITY)
