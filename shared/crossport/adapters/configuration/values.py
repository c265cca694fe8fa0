"""The kinds of values in ``partner.yaml``, each with its check and a sentence that says how to write it."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from crossport.domain.billing import BILLING_ZONE
from crossport.domain.circuit import MAX_VLAN_ID
from crossport.domain.specs import MBPS


def _quoted(value: Any) -> Any:
    # An unquoted id is a number to YAML, and one with a leading zero would silently change.
    if isinstance(value, int | float):
        raise ValueError(f"put {value} in quotes: it is text, not a number")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _not_a_number(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("write a date as YYYY-MM-DD")  # noqa: TRY004 - pydantic wants ValueError
    return value


def _start(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) == len("YYYY-MM-DD") else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is neither YYYY-MM-DD nor a time with its offset") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs its offset, such as 2027-01-01T00:00:00+08:00")
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=BILLING_ZONE)
    raise ValueError("write a day as YYYY-MM-DD")


def _known_spec(value: str) -> str:
    if value not in MBPS:
        raise ValueError(f"{value} is not a spec of the API; these are: {', '.join(MBPS)}")
    return value


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value} is not an IANA time zone, such as Asia/Shanghai") from None
    return value


def _vlan_range(value: tuple[int, int]) -> tuple[int, int]:
    low, high = value
    if not 0 <= low <= high <= MAX_VLAN_ID:
        raise ValueError(f"a range is [low, high] with 0 <= low <= high <= {MAX_VLAN_ID}, not [{low}, {high}]")
    return value


def _matching(pattern: str, form: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(f"{value!r} is not {form}")
        return value

    return AfterValidator(check)


_Quoted = BeforeValidator(_quoted)

#: One line of text, 1 to 200 characters.
Line = Annotated[str, _Quoted, Field(max_length=200), _matching(r"[^\x00-\x1f\x7f]+", "one line of text")]
#: A main account's id, which is also a tenant's UID: digits, a string (ruling 11).
AccountId = Annotated[str, _Quoted, _matching(r"[0-9]{1,32}", "an account id: digits alone")]
#: The id of a dedicated circuit.
CircuitId = Annotated[str, _Quoted, _matching(r"pc-[A-Za-z0-9-]{1,61}", "a circuit id, such as pc-bp1xxxx")]
#: A region of Alibaba Cloud. Any value of this form: the cloud opens regions more often than Crossport is released.
Region = Annotated[str, _Quoted, _matching(r"[a-z0-9]+(-[a-z0-9]+)+", "a region id, such as us-east-1")]
#: A RAM role, or "" for none.
RoleArn = Annotated[
    str, _matching(r"(acs:ram::[0-9]+:role/[A-Za-z0-9._-]+)?", "a role ARN, such as acs:ram::123:role/crossport")
]
Email = Annotated[str, Field(max_length=254), _matching(r"[^@\s<>,;]+@[^@\s<>,;]+", "an e-mail address")]
Currency = Annotated[str, _matching(r"[A-Z]{3}", "an ISO 4217 currency, such as USD")]
#: Alibaba Cloud site.
Site = Literal["international", "china"]
Language = Literal["en", "zh-CN"]
#: IANA time zone.
Zone = Annotated[str, AfterValidator(_known_zone)]
#: A spec of CreateVirtualPhysicalConnection (API reference).
Spec = Annotated[str, _Quoted, AfterValidator(_known_spec)]
#: Money, written as text: YAML would read 0.1 as a binary fraction.
Amount = Annotated[Decimal, _Quoted, Field(ge=0, max_digits=18, decimal_places=8)]
#: When something begins: an aware time, or a day, which begins at 00:00 UTC+8.
Start = Annotated[datetime, BeforeValidator(_start)]
Day = Annotated[date, BeforeValidator(_not_a_number)]
#: A whole number; no text, no boolean.
Count = Annotated[int, Field(strict=True)]
#: Inclusive range of VLAN IDs within 0..2999 (API reference).
VlanRange = Annotated[tuple[Count, Count], AfterValidator(_vlan_range)]
