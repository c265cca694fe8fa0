"""Functions in real worker processes: the contract of the runtime, and how functions fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcloud.fc.instance import LOG_LINE_LIMIT
from localcloud.fc.runtime import Functions
from localcloud.fc.template import Hook
from tests.integration.localcloud.fc_world import ACCOUNT, IDENTITY, INITIALIZER, Cloud, Define, definer


@pytest.fixture
def function(tmp_path: Path) -> Define:
    return definer(tmp_path)


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


def test_a_function_without_its_code_folder_is_found_at_once(function: Define, tmp_path: Path) -> None:
    definition = function("def handler(event, context): ...", code=tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="function f: no code folder"):
        Cloud(definition)


def test_neither_identity_nor_definition_shows_secrets() -> None:
    assert "hunter2" not in repr(IDENTITY)
