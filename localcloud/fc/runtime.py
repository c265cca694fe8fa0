"""All functions: synchronous and asynchronous invocations over a pool of warm instances."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from localcloud.clock import Clock
from localcloud.fc.errors import (
    FunctionNotFound,
    InvalidArgument,
    PayloadTooLarge,
    ResourceExhausted,
    TaskAlreadyExists,
)
from localcloud.fc.instance import Identity, Instance, Outcome
from localcloud.fc.template import FunctionDefinition
from localcloud.journal import Journal

SYNC_PAYLOAD_LIMIT = 32 * 1024 * 1024
ASYNC_PAYLOAD_LIMIT = 128 * 1024
"""Bytes of one event (FC, "Limits")."""

RETRY_DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""Seconds before each retry of a failed asynchronous invocation. FC publishes no figures [INF]."""

Sleep = Callable[[float], Awaitable[Any]]
Send = Callable[[str, str, str], Any]
"""``send(account_id, queue, body)``: how a destination message gets into a queue."""


@dataclass(frozen=True, kw_only=True)
class InvocationResult:
    """The answer to one invocation.

    For an asynchronous one it says only that it was accepted: ``payload`` is empty. ``error_type`` is what
    FC sends as X-Fc-Error-Type, None for success; ``cold`` tells whether a new instance was started.
    """

    request_id: str
    payload: bytes = b""
    error_type: str | None = None
    cold: bool = False
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Accepted:
    """An asynchronous invocation that waits, runs or is to be repeated."""

    definition: FunctionDefinition
    request_id: str
    payload: bytes
    accepted_at: datetime


class Functions:
    """The functions of one account, run in processes of this host.

    ``replaced`` are new values for variables that ``s.yaml`` gives a function (endpoints, the store); a function
    without the variable does not get it, so that what is forgotten in ``s.yaml`` is missed here and not in the
    cloud. ``injected`` is laid over every function's environment (the clock file). ``send`` puts a message into
    an MNS queue, for destinations. ``instance_limit`` is the account's limit of instances in
    one region (FC's default: 100); at the limit an idle instance of another function makes room, otherwise
    the invocation is refused with ResourceExhausted, or waits if ``wait_at_limit``, which suits a small host.

    Raises FileNotFoundError for a function whose code folder does not exist: better now than at its first event.
    """

    def __init__(
        self,
        definitions: Iterable[FunctionDefinition],
        *,
        identity: Identity,
        clock: Clock,
        journal: Journal,
        send: Send,
        injected: Mapping[str, str] | None = None,
        replaced: Mapping[str, str] | None = None,
        instance_limit: int = 100,
        wait_at_limit: bool = False,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.account_id = identity.account_id
        self._definitions = {definition.name: _with_values(definition, replaced or {}) for definition in definitions}
        for definition in self._definitions.values():
            if not definition.code.is_dir():
                raise FileNotFoundError(f"function {definition.name}: no code folder {definition.code}")
        self._identity = identity
        self._clock = clock
        self._journal = journal
        self._send = send
        self._injected = dict(injected or {})
        self._limit = instance_limit
        self._wait_at_limit = wait_at_limit
        self._sleep = sleep
        self._idle: dict[str, list[Instance]] = {name: [] for name in self._definitions}
        self._count: dict[str, int] = dict.fromkeys(self._definitions, 0)
        self._live: set[Instance] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._task_ids: set[tuple[str, str]] = set()
        self._under_way = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def definitions(self) -> list[FunctionDefinition]:
        """All functions, in the order of ``s.yaml``."""
        return list(self._definitions.values())

    def definition(self, name: str) -> FunctionDefinition:
        """The function with this name. Raises FunctionNotFound."""
        try:
            return self._definitions[name]
        except KeyError:
            raise FunctionNotFound(name) from None

    def busy(self) -> int:
        """Invocations that run, or were accepted and have not ended for good (retries included)."""
        return self._under_way

    async def idle(self) -> None:
        """Return when nothing is under way; at once if that is so now."""
        await self._quiet.wait()

    async def invoke(
        self, name: str, payload: bytes, *, asynchronous: bool = False, task_id: str | None = None
    ) -> InvocationResult:
        """Invoke a function; ``payload`` is the event, byte for byte.

        Synchronous: returns when the function has ended; its failure is in the result, not an exception, and
        is never repeated. Asynchronous: returns at once; failures are repeated as configured, then the
        destination is told. A ``task_id`` counts only where the function is configured with ``asyncTask``.

        Raises FunctionNotFound, PayloadTooLarge, InvalidArgument (a bad task id), TaskAlreadyExists and,
        synchronous only, ResourceExhausted.
        """
        definition = self.definition(name)
        request_id = f"1-{uuid.uuid4()}"
        limit = ASYNC_PAYLOAD_LIMIT if asynchronous else SYNC_PAYLOAD_LIMIT
        if len(payload) > limit:
            raise PayloadTooLarge(limit)
        if not asynchronous:
            self._begin()
            try:
                return await self._run(definition, request_id, payload, wait=self._wait_at_limit)
            finally:
                self._finish()
        if task_id is not None and definition.async_config.task:
            self._remember(name, task_id)
        accepted = _Accepted(
            definition=definition, request_id=request_id, payload=payload, accepted_at=self._clock.now()
        )
        task = asyncio.create_task(self._until_settled(accepted), name=f"fc {name} {request_id}")
        self._begin()
        self._tasks.add(task)
        task.add_done_callback(self._settled)
        return InvocationResult(request_id=request_id)

    async def stop(self) -> None:
        """Cancel what is queued, run the pre-stop hook of every idle instance, and end all processes."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        idle = [instance for instances in self._idle.values() for instance in instances]
        for instances in self._idle.values():
            instances.clear()
        await asyncio.gather(*(self._end(instance) for instance in idle))
        await asyncio.gather(*(instance.kill() for instance in list(self._live)))

    def _remember(self, name: str, task_id: str) -> None:
        valid = task_id.isascii() and task_id.replace("-", "_").isidentifier() and not task_id.startswith("-")
        if not valid or len(task_id) > 128:
            raise InvalidArgument(f"the async task id {task_id!r} is malformed")
        if (name, task_id) in self._task_ids:
            raise TaskAlreadyExists(task_id)
        self._task_ids.add((name, task_id))

    def _begin(self) -> None:
        self._under_way += 1
        self._quiet.clear()

    def _finish(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._quiet.set()

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._finish()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._journal.write("fc", f"asynchronous invocation lost: {error!r}")

    async def _until_settled(self, accepted: _Accepted) -> None:
        """Run an accepted invocation, again after a failure, and report how it ended."""
        config = accepted.definition.async_config
        for attempt in range(config.retries + 1):
            result = await self._run(accepted.definition, accepted.request_id, accepted.payload, wait=True)
            last = attempt == config.retries
            if result.error_type is None or last:
                break
            await self._sleep(RETRY_DELAYS[attempt])
            if (self._clock.now() - accepted.accepted_at).total_seconds() > config.max_age:
                break
        failed = result.error_type is not None
        queue = config.on_failure if failed else config.on_success
        if queue is not None:
            body = _destination_message(accepted, result, attempt + 1, self.account_id, self._clock.now())
            self._send(self.account_id, queue, body)
        elif failed:
            self._journal.write(
                "fc", f"{accepted.definition.name}: event lost, no destination", request_id=accepted.request_id
            )

    async def _run(
        self, definition: FunctionDefinition, request_id: str, payload: bytes, *, wait: bool
    ) -> InvocationResult:
        """One attempt on a free instance, written to the journal."""
        instance, started = await self._instance(definition, request_id, wait)
        if started is not None and started.error_type is not None:
            outcome = started
        else:
            outcome = await self._on(instance, request_id, payload)
            if started is not None:
                outcome = replace(outcome, logs=started.logs + outcome.logs)
        result = InvocationResult(
            request_id=request_id,
            payload=outcome.payload,
            error_type=outcome.error_type,
            cold=started is not None,
            logs=outcome.logs,
        )
        self._journal.write(
            "fc",
            f"{definition.name} {'failed' if result.error_type else 'ended'}",
            function=definition.name,
            request_id=request_id,
            error_type=result.error_type,
            answer=result.payload.decode("utf-8", "replace"),
            cold=result.cold,
            logs=list(result.logs),
        )
        return result

    async def _on(self, instance: Instance, request_id: str, payload: bytes) -> Outcome:
        """Invoke on an instance that is ours alone, and give it back."""
        try:
            return await instance.invoke(request_id, payload)
        except BaseException:
            await instance.kill()  # cancelled in the middle of a request: nobody knows what it is doing
            raise
        finally:
            if instance.alive:
                self._idle[instance.definition.name].append(instance)
                self._wake()
            else:
                self._gone(instance)

    async def _instance(
        self, definition: FunctionDefinition, request_id: str, wait: bool
    ) -> tuple[Instance, Outcome | None]:
        """A free instance; with the outcome of its start if it is new. Raises ResourceExhausted."""
        name = definition.name
        while True:
            if self._idle[name]:
                # The most recently used first, so that surplus ones stay idle and make room for others.
                return self._idle[name].pop(), None
            own_limit = definition.instance_limit
            if own_limit is None or self._count[name] < own_limit:
                if sum(self._count.values()) < self._limit:
                    break
                if (surplus := self._surplus()) is not None:
                    await self._end(surplus)
                    continue
            if not wait:
                raise ResourceExhausted(name)
            freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(freed)
            await freed
        self._count[name] += 1
        try:
            instance, outcome = await Instance.start(definition, self._identity, self._injected, request_id)
        except BaseException:
            self._freed(name)
            raise
        self._live.add(instance)
        if not instance.alive:
            self._gone(instance)
        return instance, outcome

    def _surplus(self) -> Instance | None:
        """The longest idle instance of the function that has most of them."""
        instances = max(self._idle.values(), key=len)
        return instances.pop(0) if instances else None

    async def _end(self, instance: Instance) -> None:
        logs = await instance.stop()
        if logs:
            self._journal.write(
                "fc", f"{instance.definition.name} stopped", function=instance.definition.name, logs=list(logs)
            )
        self._gone(instance)

    def _gone(self, instance: Instance) -> None:
        if instance in self._live:
            self._live.remove(instance)
            self._freed(instance.definition.name)

    def _freed(self, name: str) -> None:
        self._count[name] -= 1
        self._wake()

    def _wake(self) -> None:
        """Let everyone who waits for room look again: which of them can use it depends on the function."""
        waiting, self._waiting = self._waiting, []
        for freed in waiting:
            if not freed.done():
                freed.set_result(None)


def _with_values(definition: FunctionDefinition, values: Mapping[str, str]) -> FunctionDefinition:
    """The definition with new values for those of its variables that have one."""
    environment = {name: values.get(name, value) for name, value in definition.environment.items()}
    return replace(definition, environment=environment)


def _destination_message(
    accepted: _Accepted, result: InvocationResult, attempts: int, account_id: str, now: datetime
) -> str:
    """What a destination gets (FC, "Result callback"); both payloads are JSON *strings*."""
    definition = accepted.definition
    response: dict[str, Any] = {"statusCode": 200}
    if result.error_type is not None:
        response["functionError"] = result.error_type
    return json.dumps(
        {
            "timestamp": int(now.timestamp() * 1000),
            "requestContext": {
                "requestId": accepted.request_id,
                "functionArn": f"acs:fc:{definition.region}:{account_id}:functions/{definition.name}",
                "condition": result.error_type or "Success",
                "approximateInvokeCount": attempts,
            },
            "requestPayload": accepted.payload.decode("utf-8", "replace"),
            "responseContext": response,
            "responsePayload": result.payload.decode("utf-8", "replace"),
        },
        ensure_ascii=False,
    )
