"""One warm instance: a process that serves one invocation at a time and is thrown away when it misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.bootstrap import frame
from localcloud.fc.template import FunctionDefinition

LOG_LINE_LIMIT = 32 * 1024
"""Longest log line in bytes that is kept (FC, "Limits": 32 KB)."""

LOG_LINES_LIMIT = 10_000
"""Most log lines that are kept for one invocation; a local bound, so that a loop cannot fill the memory."""

UNHANDLED = "UnhandledInvocationError"
"""The only error type a Python function can end with (FC, "Error handling")."""

_NO_HOOK_SECONDS = 60
# What loading the handler may take without an initializer, and ending the process without a pre-stop hook.

_EXIT_SECONDS = 2
# What a process that has run its pre-stop hook may take for its atexit handlers.


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a function runs as. The secret parts never appear in a repr."""

    account_id: str
    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one invocation ended: ``error_type`` is None for success, ``payload`` the answer or error document."""

    payload: bytes
    error_type: str | None
    logs: tuple[str, ...]


class Logs:
    """The lines that a process prints, read whenever the loop has time and completely at the end of a call."""

    def __init__(self) -> None:
        self._read, self.write_end = os.pipe()
        os.set_blocking(self._read, False)
        self._partial = b""
        self._lines: list[str] = []
        self._dropped = 0

    def attach(self) -> None:
        """The child holds the write end now: close ours and start reading."""
        os.close(self.write_end)
        self.write_end = -1
        asyncio.get_running_loop().add_reader(self._read, self._drain)

    def take(self) -> tuple[str, ...]:
        """Everything printed since the last call.

        What the process wrote before it answered is in the pipe already, so nothing needs to be waited for.
        """
        self._drain()
        if self._partial:
            self._keep(self._partial)
            self._partial = b""
        if self._dropped:
            self._lines.append(f"({self._dropped} more lines were dropped)")
        lines, self._lines, self._dropped = tuple(self._lines), [], 0
        return lines

    def close(self) -> None:
        """Stop reading; what was not taken is lost."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1
        if self._read >= 0:
            asyncio.get_running_loop().remove_reader(self._read)
            os.close(self._read)
            self._read = -1

    def _drain(self) -> None:
        while self._read >= 0:
            try:
                data = os.read(self._read, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._read)
                return
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                self._keep(line)
            if len(self._partial) > LOG_LINE_LIMIT:
                self._partial = self._partial[: LOG_LINE_LIMIT + 1]

    def _keep(self, line: bytes) -> None:
        if len(self._lines) >= LOG_LINES_LIMIT:
            self._dropped += 1
        else:
            self._lines.append(line[:LOG_LINE_LIMIT].decode("utf-8", "replace"))


class Instance:
    """A worker process of one function. Create it with :meth:`start`."""

    def __init__(self, definition: FunctionDefinition) -> None:
        self.definition = definition
        self.instance_id = f"c-{secrets.token_hex(8)}"
        self.alive = False
        self._logs = Logs()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    async def start(
        cls, definition: FunctionDefinition, identity: Identity, injected: Mapping[str, str], request_id: str
    ) -> tuple[Instance, Outcome]:
        """A new process with its initializer run. A failure is an Outcome, and the instance is not ``alive``.

        ``injected`` wins over the function's own variables: endpoints and the store of this run. The process
        sees no other environment than these and what Function Compute sets.
        """
        instance = cls(definition)
        try:
            await instance._spawn(_environment(definition, identity, injected, instance.instance_id))
            outcome = await instance._initialize(request_id)
            if outcome.error_type is not None:
                await instance.kill()
        except BaseException:
            await instance.kill()
            raise
        return instance, outcome

    async def invoke(self, request_id: str, payload: bytes) -> Outcome:
        """One invocation. After a time-out or the end of the process the instance is not ``alive``."""
        timeout = self.definition.timeout
        head = {"do": "invoke", "request_id": request_id}
        # The wording of both messages is Function Compute's ("How to handle an execution timeout error").
        return await self._call(head, payload, timeout, f"Function timed out after {timeout} seconds")

    async def stop(self) -> tuple[str, ...]:
        """Run the pre-stop hook, end the process and return what it still printed."""
        if not self.alive:
            await self.kill()
            return ()
        hook = self.definition.pre_stop
        head = {
            "do": "stop",
            "request_id": secrets.token_hex(16),
            "hook": None if hook is None else hook.handler,
        }
        timeout = _NO_HOOK_SECONDS if hook is None else hook.timeout
        outcome = await self._call(head, b"", timeout, f"PreStop timed out after {timeout} seconds")
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_SECONDS):
                    await self._process.wait()
        await self.kill()
        return outcome.logs

    async def kill(self) -> None:
        """End the process and everything it started, at once."""
        self.alive = False
        process, self._process = self._process, None
        if process is not None:
            # The whole session: a function's own children end with it, as they do in the cloud.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None
        self._logs.close()

    async def _spawn(self, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=1 << 20)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "localcloud.bootstrap",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=self._logs.write_end,
                stderr=self._logs.write_end,
                pass_fds=[theirs.fileno()],
                env=environment,
                cwd=self.definition.code,
                start_new_session=True,
            )
        self._logs.attach()
        self.alive = True

    async def _initialize(self, request_id: str) -> Outcome:
        hook = self.definition.initializer
        head = {
            "do": "start",
            "request_id": request_id,
            "name": self.definition.name,
            "handler": self.definition.handler,
            "runtime": self.definition.runtime,
            "memory": self.definition.memory,
            "timeout": self.definition.timeout,
            "hook": None if hook is None else hook.handler,
        }
        timeout = _NO_HOOK_SECONDS if hook is None else hook.timeout
        return await self._call(head, b"", timeout, f"Function initialization timed out after {timeout} seconds")

    async def _call(self, head: dict[str, Any], payload: bytes, seconds: int, too_late: str) -> Outcome:
        try:
            async with asyncio.timeout(seconds):
                answer, result = await self._exchange(head, payload)
        except TimeoutError:
            return await self._lost(too_late)
        except (OSError, EOFError):
            return await self._lost("Process exited unexpectedly before completing request")
        return Outcome(payload=result, error_type=None if answer["ok"] else UNHANDLED, logs=self._logs.take())

    async def _exchange(self, head: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        if self._reader is None or self._writer is None:
            raise EOFError
        self._writer.write(frame(head, payload))
        await self._writer.drain()
        lengths = await self._reader.readexactly(8)
        answer = await self._reader.readexactly(int.from_bytes(lengths[:4], "big"))
        result = await self._reader.readexactly(int.from_bytes(lengths[4:], "big"))
        return json.loads(answer), result

    async def _lost(self, message: str) -> Outcome:
        """The process is of no further use: end it and answer as Function Compute does."""
        self.alive = False
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        logs = self._logs.take()
        await self.kill()
        return Outcome(payload=json.dumps({"errorMessage": message}).encode(), error_type=UNHANDLED, logs=logs)


def _environment(
    definition: FunctionDefinition, identity: Identity, injected: Mapping[str, str], instance_id: str
) -> dict[str, str]:
    """The whole environment of a function's process (FC, "Environment variables")."""
    cloud = {
        "PATH": os.defpath,
        "HOME": "/tmp",  # noqa: S108  # as in the cloud, the only writable place
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "FC_ACCOUNT_ID": identity.account_id,
        "FC_REGION": definition.region,
        "FC_FUNCTION_NAME": definition.name,
        "FC_FUNCTION_HANDLER": definition.handler,
        "FC_FUNCTION_MEMORY_SIZE": str(definition.memory),
        "FC_TIMEOUT": str(definition.timeout),
        "FC_RUNTIME": definition.runtime,
        "FC_FUNC_CODE_PATH": str(definition.code),
        "FC_INSTANCE_ID": instance_id,
        "FC_QUALIFIER": "LATEST",
        "FC_VERSION_ID": "LATEST",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": identity.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": identity.access_key_secret,
        "ALIBABA_CLOUD_SECURITY_TOKEN": identity.security_token,
    }
    return {**definition.environment, **injected, **cloud}
