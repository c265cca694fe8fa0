"""Whatever stands in the queue of dead letters: it is opened without raising, and its bytes come out unchanged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.application.dead_letters import input_of, verdicts_of
from crossport.entrypoints.letters import elements, letter_of, open_letters
from tests.effort import examples

NOW = datetime(2026, 3, 2, tzinfo=UTC)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
#: Names that envelopes are recognised by, with anything in them.
NAMES = st.sampled_from(
    ["requestContext", "requestPayload", "responsePayload", "functionArn", "messageId", "messageBody", "specversion",
     "source", "id", "type", "data", "subject", "triggerTime", "triggerName", "rawPath", "TopicOwner", "Message"]
)  # fmt: skip
ENVELOPES = st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON, max_size=4), max_size=6)
BODIES = st.text() | st.builds(json.dumps, ENVELOPES | JSON) | st.builds(lambda v: json.dumps(json.dumps(v)), ENVELOPES)


def delivery(body: str, number: int, *, raw: bool) -> dict[str, Any]:
    """A message as the queue's trigger pushes it, in either schema."""
    data = {"requestId": "r", "messageId": f"m-{number}", "messageBody": body}
    if raw:
        return data
    subject = "acs:mns:us-east-1:1:queues/dead-letters"
    return {
        "specversion": "1.0",
        "id": f"m-{number}",
        "source": "acs:mns",
        "type": "t",
        "subject": subject,
        "data": data,
    }


@settings(max_examples=examples(150))
@given(bodies=st.lists(BODIES, min_size=1, max_size=4), raw=st.booleans(), indent=st.sampled_from([None, 1]))
def test_every_message_is_one_letter_with_its_body_to_the_byte(
    bodies: list[str], raw: bool, indent: int | None
) -> None:
    batch = [delivery(body, number, raw=raw) for number, body in enumerate(bodies)]
    opened = open_letters(json.dumps(batch, indent=indent).encode())
    assert [one.body for one in opened] == [body.encode("utf-8", "surrogatepass") for body in bodies]
    for one in opened:
        letter = letter_of(one.body, NOW)
        assert letter.body == one.body
        assert letter == letter_of(one.body, NOW)
        assert isinstance(input_of(letter), bytes)


@settings(max_examples=examples(150))
@given(st.binary() | st.builds(lambda body: body.encode("utf-8", "surrogatepass"), BODIES))
def test_any_bytes_are_opened_and_classified(event: bytes) -> None:
    opened = open_letters(event)
    assert opened
    for one in opened:
        letter = letter_of(one.body, NOW)
        assert letter.key.startswith("dl-")
        assert letter.cause
        json.dumps(letter.details, allow_nan=False)
    verdicts_of(event)


@settings(max_examples=examples(150))
@given(st.lists(JSON, min_size=1, max_size=5), st.sampled_from([", ", ",", " ,\n\t"]))
def test_the_elements_of_a_batch_are_its_own_bytes(values: list[Any], comma: str) -> None:
    texts = [json.dumps(value, indent=number % 3 or None) for number, value in enumerate(values)]
    assert elements(f"[ {comma.join(texts)}]\n".encode()) == [text.encode() for text in texts]
