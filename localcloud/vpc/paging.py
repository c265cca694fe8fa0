"""The two ways in which the API cuts long lists: ``NextToken``, and page numbers."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from localcloud.vpc.call import Answer, Call
from localcloud.vpc.errors import illegal

T = TypeVar("T")

PORTS_DEFAULT, PORTS_MAXIMUM = 20, 100
PAGE_DEFAULT, PAGE_MAXIMUM = 10, 50


def after_token(call: Call, items: Sequence[T], key: Callable[[T], str]) -> tuple[Sequence[T], str]:
    """The next ``MaxResults`` items after ``NextToken``, and the token for those that follow, empty at the end.

    ``items`` are in the order of their ids. The token names the last id that was shown, so that what is created or
    deleted between two calls neither repeats nor hides anything else.
    """
    limit = call.parameters.bounded("MaxResults", 1, PORTS_MAXIMUM)
    limit = PORTS_DEFAULT if limit is None else limit
    token = call.parameters.text("NextToken")
    if token:
        last = _decode(token)
        items = [item for item in items if key(item) > last]
    page = items[:limit]
    return page, _encode(key(page[-1])) if len(items) > limit else ""


def numbered(call: Call, items: Sequence[T]) -> tuple[Sequence[T], Answer]:
    """One page of items, and the fields that say which."""
    number = call.parameters.integer("PageNumber")
    number = 1 if number is None else number
    size = call.parameters.bounded("PageSize", 1, PAGE_MAXIMUM)
    size = PAGE_DEFAULT if size is None else size
    if number < 1:
        raise illegal("PageNumber", "less than 1")
    start = (number - 1) * size
    return items[start : start + size], {"TotalCount": len(items), "PageNumber": number, "PageSize": size}


def _encode(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode("ascii")


def _decode(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise illegal("NextToken", "not a token of this operation") from None
