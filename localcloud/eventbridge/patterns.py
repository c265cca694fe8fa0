"""Event patterns: which events a rule wants.

Source: EventBridge user guide, "Event patterns". A pattern has the structure of the events it matches; its leaves are
arrays. All keys must match, of the values in an array one; an object with several operators wants all of them.
[INF] When the event's own value is an array, one matching element is enough.
"""

from __future__ import annotations

import ipaddress
import json
import operator
from collections.abc import Callable, Mapping
from typing import Any

EXPRESSION_LIMIT = 5
"""Most expressions of one field (API reference, CreateRule, FilterPattern)."""

_MISSING = object()
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_Test = Callable[[Any], bool]


class InvalidPattern(ValueError):  # noqa: N818 - the name of the cloud's own error
    """A pattern that uses something which the documentation does not have."""


class Pattern:
    """A checked event pattern.

    ``Pattern({})`` matches every event. Raises InvalidPattern for an undocumented operator or a wrong structure, so
    that a misspelt rule fails when it is made and does not silently match nothing.
    """

    def __init__(self, source: Mapping[str, Any]) -> None:
        self.source = source
        self._fields = {key: _compile(value, key) for key, value in source.items()}

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """From JSON text, as FilterPattern has it. Raises InvalidPattern."""
        try:
            source = json.loads(text)
        except json.JSONDecodeError as problem:
            raise InvalidPattern(f"the event pattern is not JSON: {problem}") from None
        if not isinstance(source, dict):
            raise InvalidPattern("the event pattern is not a JSON object")
        return cls(source)

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether the event has every field of the pattern with one of its values. Case matters."""
        return all(test(event.get(key, _MISSING)) for key, test in self._fields.items())


def _compile(value: Any, path: str) -> _Test:
    if isinstance(value, Mapping):
        nested = {key: _compile(inner, f"{path}.{key}") for key, inner in value.items()}
        return lambda found: all(
            test(found.get(key, _MISSING) if isinstance(found, Mapping) else _MISSING) for key, test in nested.items()
        )
    if not isinstance(value, list) or not value:
        raise InvalidPattern(f"{path}: a value must be a non-empty array or an object")
    if len(value) > EXPRESSION_LIMIT:
        raise InvalidPattern(f"{path}: more than {EXPRESSION_LIMIT} expressions")
    tests = [_expression(each, path) for each in value]
    return lambda found: any(test(found) for test in tests)


def _expression(expression: Any, path: str) -> _Test:
    if isinstance(expression, Mapping):
        if not expression:
            raise InvalidPattern(f"{path}: an expression without an operator")
        parts = [_operator(name, operand, path) for name, operand in expression.items()]
        return lambda found: all(part(found) for part in parts)
    if isinstance(expression, list):
        raise InvalidPattern(f"{path}: an array inside an array")
    return _any_element(lambda found: _same(found, expression))


def _operator(name: str, operand: Any, path: str) -> _Test:
    match name, operand:
        case "exists", bool():
            return lambda found: (found is not _MISSING) is operand
        case "prefix" | "suffix" | "contains", str():
            return _any_element(_text(name, operand))
        case "anything-but", {"prefix": str() as prefix, **others} if not others:
            test = _text("prefix", prefix)
            return _no_element(test)
        case "anything-but", str() | int() | float():
            return _no_element(lambda found: _same(found, operand))
        case "anything-but", list() if operand and all(isinstance(o, (str, int, float)) for o in operand):
            return _no_element(lambda found: any(_same(found, each) for each in operand))
        case "numeric", list():
            return _any_element(_numeric(operand, path))
        case "cidr", str():
            return _any_element(_cidr(operand, path))
        case _:
            raise InvalidPattern(f"{path}: {json.dumps({name: operand})} is not a documented operator")


def _any_element(test: _Test) -> _Test:
    def applied(found: Any) -> bool:
        if found is _MISSING:
            return False
        return any(test(each) for each in found) if isinstance(found, list) else test(found)

    return applied


def _no_element(test: _Test) -> _Test:
    matched = _any_element(test)
    return lambda found: found is not _MISSING and not matched(found)


def _same(found: Any, wanted: Any) -> bool:
    # JSON's true is not 1, Python's is.
    return isinstance(found, bool) is isinstance(wanted, bool) and bool(found == wanted)


def _text(name: str, operand: str) -> _Test:
    if name == "prefix":
        return lambda found: isinstance(found, str) and found.startswith(operand)
    if name == "suffix":
        return lambda found: isinstance(found, str) and found.endswith(operand)
    return lambda found: isinstance(found, str) and operand in found


def _numeric(operand: list[Any], path: str) -> _Test:
    pairs = list(zip(operand[::2], operand[1::2], strict=False))
    sound = len(operand) in {2, 4} and all(
        sign in _COMPARISONS and isinstance(bound, (int, float)) and not isinstance(bound, bool)
        for sign, bound in pairs
    )
    if not sound:
        raise InvalidPattern(f"{path}: numeric needs one or two pairs of a comparison and a number")

    def test(found: Any) -> bool:
        number = isinstance(found, (int, float)) and not isinstance(found, bool)
        return number and all(_COMPARISONS[sign](found, bound) for sign, bound in pairs)

    return test


def _cidr(operand: str, path: str) -> _Test:
    try:
        network = ipaddress.IPv4Network(operand)
    except ValueError as problem:
        raise InvalidPattern(f"{path}: {problem}") from None

    def test(found: Any) -> bool:
        try:
            return isinstance(found, str) and ipaddress.IPv4Address(found) in network
        except ValueError:
            return False

    return test
