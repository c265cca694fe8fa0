"""JSON from strangers: strict, bounded parsing, and one canonical form to take digests of.

Standard library only: a function reads its envelope before anything heavier is imported.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from typing import Any, NoReturn

#: JSON deeper than this is refused; ActionTrail records are some ten levels deep.
MAX_DEPTH = 64
#: Integers longer than this are refused; the longest of the field are account ids and byte counts of 20 digits.
MAX_DIGITS = 40

#: What no store can keep in text: NUL and halves of surrogate pairs.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


class NotJsonError(ValueError):
    """The text is not JSON within the limits; ``reason`` is ``not_json``, ``too_deep`` or ``bad_number``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def parse(text: str) -> Any:
    """The JSON value of ``text``. Raises NotJsonError and nothing else.

    NaN, Infinity and numbers beyond a double or MAX_DIGITS are refused, because no two parsers agree on them. Of
    equal keys the last one wins. Characters that no store can keep become U+FFFD.
    """
    try:
        value = _decode(text)
        return value if _is_plain(text) else _storable(value, MAX_DEPTH)
    except NotJsonError:
        raise
    except RecursionError:
        raise NotJsonError("too_deep", f"deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise NotJsonError("not_json", str(error)[:200]) from None


def parse_body(text: str) -> Any:
    """The JSON object or array in ``text``, plain or in base64. Raises NotJsonError for anything else.

    Plain is tried first. Base64 counts only when an object or an array comes out of it: many a plain word is valid
    base64, too.
    """
    try:
        value = parse(text)
    except NotJsonError as error:
        if error.reason != "not_json" or (decoded := _from_base64(text)) is None:
            raise
        value = parse(decoded)
    if isinstance(value, str):
        # JSON in a JSON string, plain or in base64; each layer is shorter than the one around it.
        return parse_body(value)
    if not isinstance(value, dict | list):
        raise NotJsonError("not_json", f"neither an object nor an array but {type(value).__name__}")
    return value


def canonical(value: Any) -> str:
    """One text for equal JSON values: keys sorted, no blanks, ASCII."""
    return _encode(value)


def digest_of(value: Any) -> str:
    """SHA-256 over the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def storable(text: str) -> str:
    """The text with U+FFFD for NUL and halves of surrogate pairs."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def _is_plain(text: str) -> bool:
    """Whether nothing in the text can be too deep or unstorable, so that its value need not be walked through.

    What ``_UNSTORABLE`` names stands in JSON as itself or as an escape.
    """
    brackets = text.count("{") + text.count("[")
    if brackets > MAX_DEPTH or "\\u" in text:
        return False
    # A look whether all of it is ASCII is a hundred times quicker than a search for what is not.
    return "\x00" not in text if text.isascii() else _UNSTORABLE.search(text) is None


def _storable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict | list):
        if depth == 0:
            raise NotJsonError("too_deep", f"deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return {storable(name): _storable(inner, depth - 1) for name, inner in value.items()}
        return [_storable(inner, depth - 1) for inner in value]
    return value


def _from_base64(text: str) -> str | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonError("bad_number", f"{name} is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotJsonError("bad_number", "a number is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise NotJsonError("bad_number", f"a number has more than {MAX_DIGITS} digits")
    return int(text)


_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_float, parse_int=_int).decode
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode
