"""Compares what a scenario expects with what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from localcloud.scenario.model import Mail, Row


class Missed(AssertionError):  # noqa: N818  # what happened, as a person would say it
    """Something is not as the scenario expects."""


def one_row(listing: str, rows: Sequence[Mapping[str, Any]], expected: Row) -> Mapping[str, Any]:
    """The one row that has what ``find`` says, with all its values as expected. Raises Missed."""
    found = [row for row in rows if covers(row, expected.find)]
    if len(found) != 1:
        raise Missed(f"{listing}: {len(found)} rows have {expected.find}, not one")
    differences = [
        f"{name} is {_at(found[0], name)!r}, not {value!r}"
        for name, value in expected.values.items()
        if not _same(_at(found[0], name), value)
    ]
    if differences:
        raise Missed(f"{listing} {expected.find}: {'; '.join(differences)}")
    return found[0]


def no_row(listing: str, rows: Sequence[Mapping[str, Any]], unwanted: Mapping[str, Any]) -> None:
    """Raises Missed when a row has what ``unwanted`` says."""
    if any(covers(row, unwanted) for row in rows):
        raise Missed(f"{listing}: a row has {dict(unwanted)}, which must not be")


def covers(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether the row has all these values; a dotted name reaches into an object."""
    return all(_same(_at(row, name), value) for name, value in wanted.items())


def one_mail(messages: Sequence[EmailMessage], expected: Mail) -> EmailMessage:
    """A mail to the address, with the words in its subject and all the phrases in its text. Raises Missed."""
    to_them = [m for m in messages if expected.to in str(m["To"])]
    fitting = [m for m in to_them if expected.subject in str(m["Subject"])]
    if not fitting:
        subjects = [str(m["Subject"]) for m in to_them]
        raise Missed(f"no mail to {expected.to} about {expected.subject!r}; there are {subjects}")
    missing: list[str] = []
    for message in fitting:
        text = text_of(message)
        missing = [phrase for phrase in expected.says if phrase not in text]
        if not missing:
            return message
    raise Missed(f"the mail to {expected.to} about {expected.subject!r} does not say {missing}")


def text_of(message: EmailMessage) -> str:
    """The plain text of a mail, its lines joined by single blanks so that wrapping does not matter."""
    part = message.get_body(preferencelist=("plain",))
    return " ".join(str(part.get_content()).split()) if part is not None else ""


def _at(row: Mapping[str, Any], name: str) -> Any:
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _same(found: Any, wanted: Any) -> bool:
    """Equal, and of one type: VLAN 0 is neither False nor "0"."""
    if isinstance(wanted, bool) is not isinstance(found, bool):
        return False
    return bool(found == wanted)
