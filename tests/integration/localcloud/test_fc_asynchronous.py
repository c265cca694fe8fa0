"""Asynchronous invocations: retries, destinations, task ids and limits."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud.fc.errors import (
    FunctionNotFound,
    InvalidArgument,
    PayloadTooLarge,
    TaskAlreadyExists,
)
from localcloud.fc.runtime import ASYNC_PAYLOAD_LIMIT, RETRY_DELAYS, Functions, InvocationResult
from localcloud.fc.template import AsyncConfig
from tests.integration.localcloud.fc_world import ACCOUNT, Cloud, Define, definer


@pytest.fixture
def function(tmp_path: Path) -> Define:
    return definer(tmp_path)


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
