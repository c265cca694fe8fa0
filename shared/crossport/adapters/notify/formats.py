"""How values are written for a reader: times with their zone, money with its currency, Mbit/s, masked account ids."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from crossport.domain.specs import MBPS

#: Languages that texts exist in; the first serves recipients whose language has none.
LANGUAGES = ("en", "zh-CN")
_BABEL_LOCALE = {"en": "en", "zh-CN": "zh_Hans_CN"}
_TIME_PATTERN = {"en": "d MMMM y, HH:mm", "zh-CN": "y年M月d日 HH:mm"}
#: A zone is named in full (ruling 21); brackets as the language writes them.
_ZONED = {"en": "{time} ({zone})", "zh-CN": "{time}（{zone}）"}
#: Unicode categories that have no place in one line of text: controls, formats (among them the marks that turn the
#: direction of writing), surrogates, private use, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
#: Ids this long or longer are account ids in full; shorter digits are something else.
MASKED_FROM = 12


def language_of(wanted: str) -> str:
    """The language that serves a recipient: ``zh-CN`` for any simplified Chinese tag, else ``en``."""
    tag = wanted.replace("_", "-").lower()
    return "zh-CN" if tag in ("zh", "zh-cn", "zh-hans", "zh-hans-cn", "zh-sg") else LANGUAGES[0]


def one_line(value: object) -> str:
    """A value as one line of printable text: no control character, line break or direction mark survives."""
    spaced = "".join(" " if char.isspace() else char for char in str(value) if char.isspace() or _printable(char))
    return " ".join(spaced.split())


def _printable(char: str) -> bool:
    return unicodedata.category(char) not in _UNPRINTABLE


def masked(account_id: str) -> str:
    """An account id with its middle hidden: four digits on each side, two when it is short, and never all of it."""
    text = one_line(account_id)
    shown = 4 if len(text) >= MASKED_FROM else min(2, len(text) // 4)
    hidden = len(text) - 2 * shown
    return text[:shown] + "*" * hidden + text[len(text) - shown :]


def spec_text(spec: str, language: str) -> str:
    """A spec in Mbit/s with the cloud's own name for it; a spec that no table lists is shown as it is."""
    mbps = MBPS.get(spec)
    if mbps is None:
        return one_line(spec)
    from babel.numbers import format_decimal

    number = format_decimal(mbps, locale=_BABEL_LOCALE[language])
    return f"{number} Mbit/s（{spec}）" if language == "zh-CN" else f"{number} Mbit/s ({spec})"


def money_text(amount: Decimal, currency: str, language: str) -> str:
    """An amount with its ISO 4217 code before it and the currency's own number of decimals: ``USD 1,210.00``."""
    from babel.numbers import format_currency

    return str(format_currency(amount, currency, format="¤¤ #,##0.00", locale=_BABEL_LOCALE[language]))


@dataclass(frozen=True, slots=True)
class Times:
    """Writes times for one reader, each with the name of its zone (ruling 21)."""

    language: str
    zone: tzinfo

    def time(self, at: datetime) -> str:
        """To the minute: ``8 December 2026, 21:41 (Asia/Shanghai, UTC+08:00)``."""
        from babel.dates import format_datetime

        local = at.astimezone(self.zone)
        text = format_datetime(
            local.replace(tzinfo=None), _TIME_PATTERN[self.language], locale=_BABEL_LOCALE[self.language]
        )
        return _ZONED[self.language].format(time=text, zone=_zone_text(local))


def _zone_text(local: datetime) -> str:
    """``Asia/Shanghai, UTC+08:00``; a zone without a name of its own is its offset alone."""
    offset = local.utcoffset() or timedelta()
    name = getattr(local.tzinfo, "key", "")
    if not offset and name in ("UTC", "Etc/UTC", ""):
        return "UTC"
    minutes = int(offset.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    text = f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    return f"{name}, {text}" if name else text
