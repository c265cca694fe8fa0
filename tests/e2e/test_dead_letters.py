"""From a record that cannot succeed to its replay, as an operator lives it on the local cloud.

The official SDK invokes the functions, the operator's command is a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloud import LocalCloud
from localcloud.fc.errors import FcError
from localcloud.operator import Operator
from localcloud.session import CHECKOUT, DEFAULT_CONFIG, session
from localcloud.world import read_world

pytestmark = pytest.mark.e2e

PARTNER = read_world(DEFAULT_CONFIG).partner.account_id
#: Tries after which the default policy gives a record up.
MAX_ATTEMPTS = 8
PERSON = ("--yes", "--actor", "noc", "--reason", "the order has arrived")


def message(name: str, message_id: str, **changes: Any) -> tuple[bytes, dict[str, Any]]:
    """A batch with one message of the catalogue, and its body."""
    (event,) = json.loads((CHECKOUT / "events" / name).read_text(encoding="utf-8"))["event"]
    body = {**json.loads(event["data"]["messageBody"]), **changes}
    event["id"] = event["data"]["messageId"] = message_id
    event["data"]["messageBody"] = json.dumps(body)
    return json.dumps([event]).encode(), body


class World:
    """A local cloud and what an operator types."""

    def __init__(self, cloud: LocalCloud, operator: Operator) -> None:
        self.cloud = cloud
        self.operator = operator

    async def verdict(self, function: str, event: bytes) -> tuple[str, str]:
        """How the only record of an invocation ended."""
        result = await self.cloud.functions.invoke(function, event)
        answer = json.loads(result.payload)
        verdicts = json.loads(answer["errorMessage"])["verdicts"] if result.error_type else answer["verdicts"]
        return verdicts[0]["verdict"], verdicts[0]["reason"]

    async def crossport(self, *words: str, code: int = 0) -> Any:
        """One command with the partner's key and the cloud's endpoints in its environment."""
        variables = self.cloud.environment()
        key = {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": variables["PARTNER_ACCESS_KEY_ID"],
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": variables["PARTNER_ACCESS_KEY_SECRET"],
        }
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "crossport"),
            *words,
            "--json",
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **variables, **key},
        )
        said, _ = await process.communicate()
        assert process.returncode == code, said
        return json.loads(said)

    async def letters(self, state: str = "kept") -> list[dict[str, Any]]:
        """The letters in a state, oldest first."""
        listed: list[dict[str, Any]] = await self.crossport("deadletters", "list", "--state", state)
        return listed

    async def settled(self) -> None:
        """A minute passes, and all is quiet again."""
        await self.cloud.advance(timedelta(minutes=1))
        await self.cloud.settle()

    def alerts(self) -> list[str]:
        """The subjects of the partner's mails about dead letters."""
        return [str(m["Subject"]) for m in self.cloud.mail.messages() if "could not process" in str(m["Subject"])]


def test_a_record_is_given_up_told_and_taken_once_its_cause_is_mended(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'crossport.db'}"

    async def story() -> None:
        async with session(config=DEFAULT_CONFIG, database=database) as (cloud, operator):
            await _story(World(cloud, operator))

    asyncio.run(story())


async def _story(world: World) -> None:
    early, _ = message("orders.order-milestone.order-unknown.json", "m-early", client_order_id="LATE-1")
    order, order_body = message("orders.order-new.waiting.json", "m-order", client_order_id="LATE-1")
    # A milestone comes before its order, again and again, until its batch would be held up no longer.
    ends = [await world.verdict("orders", early) for _ in range(MAX_ATTEMPTS)]
    assert ends == [("retry", "order_unknown")] * (MAX_ATTEMPTS - 1) + [("dead_letter", "order_unknown")]
    # Meanwhile something unreadable and a failed timer end in the queue, the latter twice.
    failed = json.dumps(
        {
            "requestContext": {"functionArn": f"acs:fc:us-east-1:{PARTNER}:functions/relay", "requestId": "1-1"},
            "requestPayload": '{"triggerTime":"2026-03-02T15:09:00Z","triggerName":"every-minute","payload":""}',
            "responsePayload": '{"errorMessage":"Function timed out after 120 seconds"}',
        }
    )
    for body in ("Hello?", failed, failed):
        world.cloud.queues.send(PARTNER, "dead-letters", body)
    await world.settled()
    kept = await world.letters()
    causes = {(row["function"], row["cause"]): row["key"] for row in kept}
    assert set(causes) == {("orders", "order_unknown"), ("", "unreadable"), ("relay", "function_timed_out")}
    assert len(kept) == len(world.alerts()) == 3
    shown = await world.crossport("deadletters", "show", causes["orders", "order_unknown"])
    assert shown["name"] == "order.milestone"
    # Nothing is mended yet: the letter stays.
    (again,) = (await world.crossport("deadletters", "replay", "--cause", "order_unknown", *PERSON, code=1))["letters"]
    assert (again["outcome"], again["reason"]) == ("not taken", "dead_letter, order_unknown")
    # The order arrives; a rehearsal sends nothing, a replay does.
    await world.operator.run(
        *("contracts", "sign", "--number", "C-1", "--account", PARTNER, "--tenant", order_body["tenant_uid"]),
        *("--from", "2026-01-01", "--signed-on", "2026-01-01", "--actor", "noc", "--reason", "signed"),
    )
    assert await world.verdict("orders", order) == ("applied", "")
    rehearsed = await world.crossport("deadletters", "replay", "--cause", "order_unknown")
    assert (rehearsed["dry_run"], rehearsed["letters"][0]["outcome"]) == (True, "would be sent")
    assert len(await world.letters()) == 3
    (sent,) = (await world.crossport("deadletters", "replay", "--cause", "order_unknown", *PERSON))["letters"]
    assert (sent["outcome"], sent["reason"]) == ("replayed", "applied")
    await world.crossport("deadletters", "replay", "--cause", "function_timed_out", *PERSON)
    await world.crossport("deadletters", "discard", causes["", "unreadable"], *PERSON)
    assert await world.letters() == []
    assert await world.verdict("orders", early) == ("duplicate", "")
    await world.settled()
    assert len(world.alerts()) == 3


def test_a_replay_to_a_function_that_is_not_there_says_so(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'crossport.db'}"

    async def story() -> None:
        async with session(config=DEFAULT_CONFIG, database=database) as (cloud, operator):
            world = World(cloud, operator)
            cloud.queues.send(PARTNER, "dead-letters", "Hello?")
            await world.settled()
            told = await world.crossport("deadletters", "replay", "--all", "--to", "nobody", *PERSON, code=1)
            assert told["letters"][0]["reason"].startswith("function_refused: function nobody: FunctionNotFound")
            with pytest.raises(FcError):
                await cloud.functions.invoke("nobody", b"")

    asyncio.run(story())
