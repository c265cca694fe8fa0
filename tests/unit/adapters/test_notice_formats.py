"""How values are written for a reader."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crossport.adapters.notify.blocks import blocks_of, plain_text
from crossport.adapters.notify.formats import Times, language_of, masked, money_text, one_line, spec_text
from crossport.domain.places import zone_named

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("account_id", "shown"),
    [
        ("1290555577770011", "1290********0011"),
        ("129055557777", "1290****7777"),
        ("12905555777", "12*******77"),
        ("1234", "1**4"),
        ("12", "**"),
        ("", ""),
    ],
)
def test_account_ids_are_masked(account_id: str, shown: str) -> None:
    assert masked(account_id) == shown


@pytest.mark.parametrize(
    ("language", "zone", "text"),
    [
        ("en", "UTC", "1 July 2026, 12:00 (UTC)"),
        ("en", "Asia/Shanghai", "1 July 2026, 20:00 (Asia/Shanghai, UTC+08:00)"),
        ("en", "Asia/Kolkata", "1 July 2026, 17:30 (Asia/Kolkata, UTC+05:30)"),
        ("en", "America/St_Johns", "1 July 2026, 09:30 (America/St_Johns, UTC-02:30)"),
        ("zh-CN", "Asia/Shanghai", "2026年7月1日 20:00（Asia/Shanghai, UTC+08:00）"),
        ("zh-CN", "nowhere", "2026年7月1日 12:00（UTC）"),
        ("en", "../../etc/passwd", "1 July 2026, 12:00 (UTC)"),
        ("en", "", "1 July 2026, 12:00 (UTC)"),
    ],
)
def test_times_name_their_zone(language: str, zone: str, text: str) -> None:
    assert Times(language, zone_named(zone)).time(NOON) == text


def test_a_zone_without_offset_that_is_not_utc_keeps_its_name() -> None:
    winter = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    assert Times("en", zone_named("Europe/London")).time(winter) == "1 January 2026, 12:00 (Europe/London, UTC+00:00)"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("55", "USD", "USD 55.00"),
        ("1210.5", "EUR", "EUR 1,210.50"),
        ("1210", "JPY", "JPY 1,210"),
        ("0", "CNY", "CNY 0.00"),
    ],
)
def test_money_has_its_currency_and_the_currencys_decimals(amount: str, currency: str, text: str) -> None:
    assert money_text(Decimal(amount), currency, "en") == text
    assert money_text(Decimal(amount), currency, "zh-CN") == text


def test_specs_are_in_mbits() -> None:
    assert spec_text("50M", "en") == "50 Mbit/s (50M)"
    assert spec_text("10G", "zh-CN") == "10,000 Mbit/s（10G）"
    assert spec_text("7M", "en") == "7M"


@pytest.mark.parametrize(
    ("tag", "language"),
    [("zh-CN", "zh-CN"), ("zh_CN", "zh-CN"), ("ZH-hans", "zh-CN"), ("zh-TW", "en"), ("en-GB", "en"), ("", "en")],
)
def test_languages_are_matched(tag: str, language: str) -> None:
    assert language_of(tag) == language


def test_one_line_keeps_text_and_drops_controls() -> None:
    assert one_line(" 北风\t\r\n贸易\x07 \u202eabc\ufeff ") == "北风 贸易 abc"


def test_blocks_are_laid_out_as_text() -> None:
    body = "First.\n\n| A: 1: 2\n\n| B: \n# Next\n1. one\n\n2. two\n- x\nLast: 1.5"
    blocks = blocks_of(body, "en")
    assert [block.kind for block in blocks] == ["paragraph", "facts", "heading", "steps", "points", "paragraph"]
    assert blocks[1].rows == (("A", "1: 2"), ("B", ""))
    assert plain_text(blocks, "en") == "First.\n\nA: 1: 2\nB:\n\nNext\n----\n\n1. one\n2. two\n\n- x\n\nLast: 1.5\n"
