"""What a person sees while a scenario is played: a live timeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Any

from rich.console import Console
from rich.text import Text

from localcloud.journal import Entry

_COLOURS = {"vpc": "cyan", "eventbridge": "magenta", "fc": "green", "smtp": "yellow", "mns": "blue", "scenario": "bold"}
_NAMES = {"vpc": "VPC", "eventbridge": "EventBridge", "fc": "function", "smtp": "mail", "mns": "queue", "scenario": ""}
_VERDICT_COLOURS = {
    "applied": "green",
    "duplicate": "dim",
    "ignored": "dim",
    "rejected": "red",
    "retry": "yellow",
    "dead_letter": "red",
}
#: Reads and plumbing that a person does not follow.
_QUIET_ACTIONS = ("Describe", "List", "Get")
#: Wake-ups; the tick that starts shards says nothing by itself, what the shards found does.
_UNSAID = ("outbox.poke", "timer", "every-ten-minutes")


class Timeline:
    """Prints the journal as it grows, in the scenario's own time zone; and remembers nothing."""

    def __init__(self, console: Console, zone: tzinfo | None = None) -> None:
        self._console = console
        self._zone = zone or UTC

    def entry(self, entry: Entry) -> None:
        """Print one entry of the journal, if it is one that a person follows."""
        line = _line(entry)
        if line is None:
            return
        time = entry.at.astimezone(self._zone).strftime("%m-%d %H:%M:%S")
        label = _NAMES.get(entry.service, entry.service)
        text = Text.assemble((f"{time}  ", "dim"), (f"{label:<12}", _COLOURS.get(entry.service, "")), line)
        self._console.print(text, soft_wrap=True)

    def step(self, number: int, of: int, title: str) -> None:
        """Print the heading of a step."""
        self._console.print()
        self._console.print(Text.assemble((f"{number:>2}/{of}  ", "dim"), (title, "bold")), soft_wrap=True)


def _line(entry: Entry) -> Text | None:
    fields = entry.fields
    if entry.service == "fc":
        return _function_line(entry)
    if entry.service == "mns":
        return Text(entry.what) if "lost" in entry.what or "moved" in entry.what else None
    if entry.service == "vpc" and str(fields.get("action", "")).startswith(_QUIET_ACTIONS):
        return None if not fields.get("error") else Text(entry.what, style="red")
    if entry.service == "vpc" and fields.get("error"):
        return Text(entry.what, style="red")
    return Text(entry.what)


def _function_line(entry: Entry) -> Text | None:
    """A function's verdicts, one after another; an invocation that had nothing to do stays unsaid."""
    name, answer = entry.fields.get("function"), entry.fields.get("answer")
    if name is None or answer is None:
        return Text(entry.what, style="red" if "lost" in entry.what else "")
    if entry.fields.get("error_type"):
        return Text.assemble((f"{name} failed: ", "red"), _message(answer))
    told = [_verdict(v) for v in verdicts_of(answer) if v.get("reason") != "nothing_due" and _speaks(v)]
    if not told:
        return None
    line = Text(f"{name}: ")
    for number, verdict in enumerate(told):
        line.append_text(Text(", ") if number else Text(""))
        line.append_text(verdict)
    return line


def _speaks(verdict: Mapping[str, Any]) -> bool:
    return bool(verdict.get("name")) and verdict.get("name") not in _UNSAID


def _verdict(verdict: Mapping[str, Any]) -> Text:
    word = str(verdict.get("verdict"))
    text = Text.assemble(f"{verdict.get('name')} ", (word, _VERDICT_COLOURS.get(word, "")))
    details = [str(verdict[k]) for k in ("reason", "pending") if verdict.get(k)]
    return text.append(f" ({', '.join(details)})", style="dim") if details else text


def verdicts_of(answer: str) -> list[dict[str, Any]]:
    """The verdicts in a function's answer; none when it is not such an answer."""
    try:
        document = json.loads(answer)
    except ValueError:
        return []
    verdicts = document.get("verdicts") if isinstance(document, dict) else None
    return [v for v in verdicts if isinstance(v, dict)] if isinstance(verdicts, list) else []


def _message(answer: str) -> str:
    try:
        document = json.loads(answer)
    except ValueError:
        return answer[:200]
    message = str(document.get("errorMessage", answer)) if isinstance(document, dict) else answer
    reasons = {str(v.get("reason")) for v in verdicts_of(message) if v.get("verdict") == "retry"}
    return ", ".join(sorted(reasons)) or message[:200]
