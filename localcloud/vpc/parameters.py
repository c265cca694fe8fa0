"""Reads the parameters of an RPC call: flat strings, lists as ``Name.1``, structures as ``Tag.1.Key``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from localcloud.vpc.errors import illegal, missing

_NAME = re.compile(r"(?!https?://)[A-Za-z\u4e00-\u9fff][\w\u4e00-\u9fff-]{1,127}")
_DESCRIPTION = re.compile(r"(?!https?://)[A-Za-z\u4e00-\u9fff].{1,255}", re.DOTALL)
_INTEGER = re.compile(r"-?[0-9]{1,20}")


class Parameters:
    """The parameters of one call. Every accessor raises VpcError for a value that the API excludes."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def as_sent(self) -> dict[str, str]:
        """A copy of all parameters, as they were sent."""
        return dict(self._values)

    def text(self, name: str) -> str:
        """An optional string; absent is the empty string."""
        return self._values.get(name, "")

    def required(self, name: str) -> str:
        """A required string."""
        value = self._values.get(name, "")
        if not value:
            raise missing(name)
        return value

    def integer(self, name: str) -> int | None:
        """An optional whole number."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if not _INTEGER.fullmatch(value):
            raise illegal(name, "not a whole number")
        return int(value)

    def bounded(self, name: str, low: int, high: int) -> int | None:
        """An optional whole number of a range that includes both ends."""
        value = self.integer(name)
        if value is not None and not low <= value <= high:
            raise illegal(name, f"not in {low} to {high}")
        return value

    def required_bounded(self, name: str, low: int, high: int) -> int:
        """A required whole number of a range that includes both ends. Zero is a number."""
        value = self.bounded(name, low, high)
        if value is None:
            raise missing(name)
        return value

    def flag(self, name: str) -> bool | None:
        """An optional truth value; SDKs differ in the capital letter."""
        value = self._values.get(name, "").lower()
        if value not in {"", "true", "false"}:
            raise illegal(name, "neither true nor false")
        return None if not value else value == "true"

    def name(self, parameter: str = "Name") -> str:
        """An optional name: 2 to 128 characters, a letter first."""
        return self._matching(parameter, _NAME, "not 2 to 128 characters that start with a letter")

    def description(self) -> str:
        """An optional description: 2 to 256 characters, a letter first."""
        return self._matching("Description", _DESCRIPTION, "not 2 to 256 characters that start with a letter")

    def listed(self, name: str) -> list[str]:
        """The elements of a list parameter, in order."""
        elements: list[str] = []
        while (value := self._values.get(f"{name}.{len(elements) + 1}")) is not None:
            elements.append(value)
        return elements

    def tags(self, name: str) -> tuple[tuple[str, str], ...]:
        """Tags: at most 20, keys not empty and without the reserved prefixes."""
        tags: list[tuple[str, str]] = []
        while (key := self._values.get(f"{name}.{len(tags) + 1}.Key")) is not None:
            tags.append((key, self._values.get(f"{name}.{len(tags) + 1}.Value", "")))
        if len(tags) > 20:
            raise illegal(name, "more than 20 tags")
        for key, value in tags:
            if not key or len(key) > 128 or len(value) > 128 or key.startswith(("aliyun", "acs:")):
                raise illegal(name, f"the tag {key!r} is not allowed")
        return tuple(tags)

    def filters(self, allowed: frozenset[str]) -> list[tuple[str, list[str]]]:
        """The ``Filter`` parameter: at most five keys, each with its values."""
        filters: list[tuple[str, list[str]]] = []
        while (key := self._values.get(f"Filter.{len(filters) + 1}.Key")) is not None:
            if key not in allowed:
                raise illegal("Filter", f"the key {key!r} is not supported")
            filters.append((key, self.listed(f"Filter.{len(filters) + 1}.Value")))
        if len(filters) > 5:
            raise illegal("Filter", "more than five keys")
        return filters

    def _matching(self, name: str, pattern: re.Pattern[str], why: str) -> str:
        value = self._values.get(name, "")
        if value and not pattern.fullmatch(value):
            raise illegal(name, why)
        return value
