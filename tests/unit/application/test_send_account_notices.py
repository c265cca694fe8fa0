"""Notices about a partner account as a whole: told to the partner, once, in its language."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from crossport.adapters.messages import NoticeSend, parse_message
from crossport.adapters.notify.formats import LANGUAGES
from crossport.adapters.notify.render import render
from crossport.application.dead_letters import keep
from crossport.application.ports import Message
from crossport.application.send_notices import NoticeRequest
from crossport.domain.orders import Tenant
from crossport.domain.vocabulary import Party, Verdict
from crossport.entrypoints.letters import letter_of
from tests.fakes.memory_store import MemoryStore
from tests.unit.adapters.notice_samples import PARTNER_ID, partner
from tests.unit.application.test_send_notices import NOW, OnePolicy, World, ends

LETTER = letter_of(b'{"type": "order.milestone", "x": "\\u001b[31m"}', NOW, cause="order_unknown")


def alert(**changes: Any) -> NoticeRequest:
    """The notice that the first letter of a cause makes, read as the function reads it."""
    store = MemoryStore()
    keep(LETTER, store=store, policies=OnePolicy(partner()))
    ((entry),) = store.state.outbox.values()
    message = parse_message(dict(entry.row.payload))
    assert isinstance(message, NoticeSend)
    request = NoticeRequest(
        key=message.key,
        kind=message.kind,
        connection_id=message.connection_id,
        account_id=message.account_id,
        party=message.party,
        details=message.details,
    )
    return replace(request, **changes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_partner_is_told_what_was_given_up_and_what_to_do(language: str) -> None:
    world = World(render=render, contact=partner(language))
    assert ends(world.run(alert())) == [(Verdict.APPLIED, "")]
    ((to, message),) = world.sent
    assert to == "noc@partner.example"
    assert message.language == language
    for text in (message.text, message.html):
        for said in (LETTER.key, "order_unknown", "orders", "order.milestone", "1290********0001"):
            assert said in text
        assert "crossport deadletters replay --cause order_unknown" in text
        assert PARTNER_ID not in text
    assert "13:00" in message.text  # of 18:00 UTC, in the partner's zone


def test_it_is_told_once_and_leaves_a_row_of_its_account() -> None:
    world = World()
    assert ends(world.run(alert(), alert())) == [(Verdict.APPLIED, ""), (Verdict.DUPLICATE, "")]
    (row,) = world.memory.rows
    assert (row.account_id, row.connection_id, row.name) == (PARTNER_ID, None, "dead_letters")
    assert len(world.sent) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"account_id": "1290000000000099"}, "unknown_account"),
        ({"account_id": ""}, "unknown_account"),
        ({"party": Party.TENANT}, "unknown_notice"),
        ({"kind": "offer"}, "unknown_notice"),
    ],
)
def test_what_cannot_be_told_is_rejected_and_claims_nothing(changes: dict[str, Any], reason: str) -> None:
    world = World(render=render)
    assert ends(world.run(alert(**changes))) == [(Verdict.REJECTED, reason)]
    assert not any(row.claims for row in world.memory.rows)


def test_a_partner_without_an_address_is_not_told() -> None:
    nobody = Tenant(tenant_uid=PARTNER_ID, name="NOC", email="")
    assert ends(World(contact=nobody).run(alert())) == [(Verdict.REJECTED, "no_address")]
    assert ends(World(channels=[]).run(alert())) == [(Verdict.REJECTED, "no_channel")]


def test_the_same_key_with_other_details_is_not_the_same_notice() -> None:
    world = World()
    world.run(alert())
    assert ends(world.run(alert(details={}))) == [(Verdict.REJECTED, "payload_mismatch")]


def test_a_cause_without_words_is_shown_as_its_code() -> None:
    world = World(render=render)
    details = {**alert().details, "cause": "something_new", "function": "", "source": "", "name": ""}
    world.run(alert(details=details))
    ((_, message),) = world.sent
    assert isinstance(message, Message)
    assert "Cause: something_new" in message.text
    assert "unknown" in message.text


def test_a_notice_names_a_connection_or_an_account() -> None:
    body = {"type": "notice.send", "key": "k", "kind": "dead_letters", "connection_id": "", "party": "partner"}
    problems = parse_message(body)
    assert isinstance(problems, list)
    assert [problem.code for problem in problems] == ["target_unclear"]
    assert isinstance(parse_message({**body, "account_id": PARTNER_ID}), NoticeSend)
    assert isinstance(parse_message({**body, "account_id": "12a"}), list)
