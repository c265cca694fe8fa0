"""What every store promises of dead letters: bytes unchanged, each kept once, one alert for each cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from crossport.application.ports import DeadLetter, InputRow, LetterState, OutboxRow
from crossport.domain.vocabulary import Verdict
from tests.contract.store_examples import MINUTE, NOW, PARTNER
from tests.contract.store_insight import Stores

ODD_BYTES = b'\x00\xff{"a": "\xed\xa0\x80\xe4\xb8\xad"}\r\n\x1b[31m\\'


def letter(number: int = 1, cause: str = "internal_error", body: bytes = ODD_BYTES) -> DeadLetter:
    return DeadLetter(
        key=f"dl-{number}",
        at=NOW,
        function="orders",
        source="orders",
        cause=cause,
        form="message",
        account_id=PARTNER,
        name="order.new",
        details={"tries": 8},
        body=body,
    )


def keep(stores: Stores, one: DeadLetter) -> bool:
    def made(settled: int) -> OutboxRow:
        return OutboxRow(key=f"{one.cause}:{settled}", kind="dead_letters", target="queue:notices", payload={})

    return stores.store.keep_dead_letter(one, alert=made)


def alerts(stores: Stores) -> list[str]:
    """Keys of the alerts that nobody has sent yet; taking them sends them."""
    rows = stores.store.take(now=NOW + MINUTE, lease_for=timedelta(days=1), lease="test", limit=100)
    return [leased.row.key for leased in rows]


@pytest.mark.parametrize("body", [ODD_BYTES, b"", "中文".encode(), bytes(range(256)) * 300])
def test_the_bytes_come_back_as_they_were(stores: Stores, body: bytes) -> None:
    assert keep(stores, letter(body=body))
    assert stores.other.dead_letter("dl-1") == letter(body=body)
    assert stores.store.dead_letter("dl-2") is None


def test_a_letter_is_kept_once(stores: Stores) -> None:
    assert keep(stores, letter())
    assert not keep(stores, replace(letter(), body=b"other bytes", cause="other"))
    assert stores.store.dead_letter("dl-1") == letter()
    assert alerts(stores) == ["internal_error:0"]


def test_a_cause_is_told_once_and_again_when_it_comes_up_anew(stores: Stores) -> None:
    assert all(keep(stores, letter(number)) for number in (1, 2, 3))
    assert keep(stores, letter(4, cause="order_unknown"))
    assert sorted(alerts(stores)) == ["internal_error:0", "order_unknown:0"]
    for number in (1, 2):
        settled(stores, number)
    keep(stores, letter(5))
    assert alerts(stores) == []
    for number in (3, 5):
        settled(stores, number)
    keep(stores, letter(6))
    assert alerts(stores) == ["internal_error:4"]


def settled(stores: Stores, number: int) -> None:
    known = stores.store.dead_letter(f"dl-{number}")
    assert known is not None
    assert stores.other.settle_dead_letter(known, LetterState.REPLAYED, actor="ops", reason="fixed", at=NOW)


def test_a_letter_is_settled_by_one_person(stores: Stores) -> None:
    keep(stores, letter())
    known = letter()
    assert stores.store.settle_dead_letter(known, LetterState.DISCARDED, actor="a", reason="spam", at=NOW)
    assert not stores.other.settle_dead_letter(known, LetterState.REPLAYED, actor="b", reason="fixed", at=NOW)
    after = stores.store.dead_letter("dl-1")
    assert after == replace(known, state=LetterState.DISCARDED)
    assert stores.other.settle_dead_letter(after, LetterState.REPLAYED, actor="b", reason="after all", at=NOW)


def test_the_rows_that_say_why_stand_and_fall_with_the_letter(stores: Stores) -> None:
    row = InputRow(
        key="m-1",
        digest="d",
        claims=False,
        at=NOW,
        function="orders",
        verdict=Verdict.DEAD_LETTER,
        reason="internal_error",
    )

    def made(settled: int) -> OutboxRow:
        return OutboxRow(key=f"k{settled}", kind="dead_letters", target="queue:notices", payload={})

    for _ in range(2):
        stores.store.keep_dead_letter(letter(), alert=made, inputs=(row,))
    told = [(each["event_key"], str(each["verdict"])) for each in stores.insight.audit()]
    assert told == [("m-1", "dead_letter")]


def test_tries_are_counted_for_each_record(stores: Stores) -> None:
    assert [stores.store.attempted("a", at=NOW), stores.other.attempted("a", at=NOW + MINUTE)] == [1, 2]
    assert stores.store.attempted("b", at=NOW) == 1
    assert stores.store.attempted("a", at=NOW + MINUTE) == 3
