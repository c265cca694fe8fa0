"""Reading ``partner.yaml`` so that every mistake in it is told at once, each with its place.

Two looks at the same raw document: pydantic checks the shape, ``_cross_checks`` the references between its parts,
and the second bears with parts that are malformed. What is legal but probably not meant is a warning
(``Configuration.warnings``), not a problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ValidationError

from crossport.adapters.configuration.document import Configuration
from crossport.domain.errors import CrossportError

_Model = TypeVar("_Model", bound=BaseModel)


class ConfigurationError(CrossportError):
    """A configuration cannot be used. ``problems`` holds one sentence for each mistake, with its place."""

    code: ClassVar[str] = "configuration_invalid"

    def __init__(self, problems: Iterable[str], **fields: object) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems), problems=self.problems, **fields)


def load_configuration(path: Path) -> Configuration:
    """Read and check a ``partner.yaml``. Raises ConfigurationError with every problem; needs PyYAML."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError([f"{path} is not UTF-8 text"]) from None
    except OSError as error:
        raise ConfigurationError([f"{path} cannot be read: {error.strerror or error}"]) from None
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise ConfigurationError([f"{place}not YAML: {getattr(error, 'problem', None) or error}"]) from None
    except ValueError as error:  # such as the date 2026-02-30
        raise ConfigurationError([f"not YAML: {error}"]) from None
    return read_configuration(raw, more=_repeated_keys(root))


def read_configuration(raw: Any, *, more: Iterable[str] = ()) -> Configuration:
    """Check a document of plain values. Raises ConfigurationError with every problem, after those of ``more``."""
    if not isinstance(raw, Mapping):
        raise ConfigurationError([*more, "the document is not a mapping with version, partner and accounts"])
    problems = list(more)
    configuration = None
    try:
        configuration = read_part(Configuration, raw)
    except ConfigurationError as error:
        problems += error.problems
    problems += _cross_checks(raw)
    if configuration is None or problems:
        raise ConfigurationError(dict.fromkeys(problems))
    return configuration


def read_part(model: type[_Model], values: Mapping[str, Any]) -> _Model:
    """Check one part of the document alone. Raises ConfigurationError with every problem of its shape."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors()
    places = [detail["loc"] for detail in details]
    raise ConfigurationError(
        _sentence(detail["loc"], detail["type"], detail["msg"])
        for detail in details
        # pydantic also calls a list too short whose only members are wrong: that is told already.
        if not (detail["type"] == "too_short" and any(_within(place, detail["loc"]) for place in places))
    )


def _within(place: tuple[int | str, ...], whole: tuple[int | str, ...]) -> bool:
    return len(place) > len(whole) and place[: len(whole)] == whole


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if kind == "missing":
        return f"{place}: is missing"
    if kind == "extra_forbidden":
        return f"{place}: is not a known key"
    text = message.removeprefix("Value error, ")
    return f"{place}: {text[0].lower()}{text[1:]}" if text.startswith("Input") else f"{place}: {text}"


def _repeated_keys(root: Any) -> list[str]:
    """Keys that stand twice in one mapping: YAML would silently keep the last one."""
    problems, waiting, visited = [], [root], set()
    while waiting:
        node = waiting.pop()
        children = getattr(node, "value", None)
        if not isinstance(children, list) or id(node) in visited:  # an alias may lead back to its own anchor
            continue
        visited.add(id(node))
        if node.id == "sequence":
            waiting += children
            continue
        seen: set[str] = set()
        for key, value in children:
            if str(key.value) in seen:
                problems.append(f"line {key.start_mark.line + 1}: {key.value} stands here a second time")
            seen.add(str(key.value))
            waiting.append(value)
    return sorted(problems)


@dataclass(frozen=True)
class _Row:
    place: str
    values: Mapping[str, Any]

    def rows(self, key: str) -> list[_Row]:
        found = self.values.get(key)
        if not isinstance(found, list | tuple):
            return []
        prefix = f"{self.place}.{key}" if self.place else key
        return [_Row(f"{prefix}[{n}]", row) for n, row in enumerate(found) if isinstance(row, Mapping)]


def _cross_checks(raw: Mapping[str, Any]) -> list[str]:
    root = _Row("", raw)
    accounts, tenants, contracts = root.rows("accounts"), root.rows("tenants"), root.rows("contracts")
    circuits = [(account, circuit) for account in accounts for circuit in account.rows("circuits")]
    problems = [
        *_repeats(accounts, "account_id"),
        *_repeats([circuit for _, circuit in circuits], "circuit_id"),
        *_repeats(tenants, "tenant_uid"),
        *_repeats(contracts, "account_id", "number"),
    ]
    for account, circuit in circuits:
        region, regions = circuit.values.get("region"), account.values.get("regions")
        if isinstance(regions, list | tuple) and region is not None and region not in regions:
            problems.append(f"{circuit.place}.region: {region} is not one of the account's regions")
    for account in accounts:
        role, account_id = account.values.get("role_arn"), account.values.get("account_id")
        if role and f"::{account_id}:" not in str(role):
            problems.append(f"{account.place}.role_arn: the role belongs to another account")
    known = {str(row.values.get("account_id")) for row in accounts}
    for contract in contracts:
        problems += _contract_problems(contract, known)
    return problems


def _contract_problems(contract: _Row, accounts: set[str]) -> Iterator[str]:
    # A tenant need not be in the file: tenants are rows, and may have been added by command.
    account_id = contract.values.get("account_id")
    if account_id is not None and str(account_id) not in accounts:
        yield f"{contract.place}.account_id: {account_id} is not one of the accounts"
    first, last = str(contract.values.get("valid_from")), contract.values.get("valid_until")
    if last is not None and str(last) < first:
        yield f"{contract.place}.valid_until: {last} is before valid_from, {first}"


def _repeats(rows: list[_Row], *keys: str) -> Iterator[str]:
    """A problem for each row that shares the values of ``keys``, its name, with another; ``keys[-1]`` is told."""
    names = [tuple(str(row.values.get(key)) for key in keys) for row in rows]
    counts = Counter(names)
    for row, name in zip(rows, names, strict=True):
        if counts[name] > 1 and keys[-1] in row.values:
            yield f"{row.place}.{keys[-1]}: {name[-1]} is there more than once"
