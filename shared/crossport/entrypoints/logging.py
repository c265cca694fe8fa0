"""Logs as JSON lines on stdout: Function Compute ships stdout to Simple Log Service, which indexes the fields.

Every line passes a redaction of its whole text: secrets arrive in tracebacks and URLs, not only in fields that have
their name.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, TextIO

#: Function Compute cuts a log line at 32 KB.
MAX_LINE = 30_000
#: The root of all our loggers.
ROOT = "crossport"
_root = logging.getLogger(ROOT)

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_HIDDEN = "***"
_SENSITIVE = (
    r"(?:access[_-]?key[_-]?(?:id|secret)?|security[_-]?token|sts[_-]?token|session[_-]?token|access[_-]?token"
    r"|[a-z_-]*secret[a-z_-]*|[a-z_-]*passw(?:or)?d|authorization|signature|x-acs-security-token)"
)
#: What every name in ``_SENSITIVE`` has one of.
_WORDS = ("access", "token", "secret", "passw", "authorization", "signature")
#: Marks without one of which (in lower case) the pattern cannot match, the pattern, and what takes its place.
_PATTERNS = (
    # user:password@ in URLs; the user is of no use in a log either. A backslash ends it: the text is JSON.
    (("://",), re.compile(r"(?<=://)[^/\s\"'\\@]*:[^/\s\"'\\]*(?=@)"), _HIDDEN),
    # name=value in queries and connection strings; "token" alone only here, because a create call's Token is no secret.
    (_WORDS, re.compile(rf"(?i)\b({_SENSITIVE}|token)=[^&\s\"'\\]+"), rf"\1={_HIDDEN}"),
    # "name": "value", escaped or not.
    (_WORDS, re.compile(rf"(?i)(\\?[\"']{_SENSITIVE}\\?[\"']\s*:\s*\\?[\"'])[^\"'\\]+"), rf"\1{_HIDDEN}"),
    # Access key ids, of users and of temporary credentials, wherever they stand.
    (("ltai", "sts."), re.compile(r"\b(?:LTAI|STS\.)[0-9A-Za-z]{12,}"), _HIDDEN),
)


_SECRET_NAME = re.compile(r"SECRET|SECURITY_TOKEN|PASSWORD|^ALIBABA_CLOUD_ACCESS_KEY_ID$")


class Redaction:
    """Hides secrets in text: by their form, and these very values."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        # As JSON writes them, because that is the text that is searched. Short ones would blot out ordinary words.
        self._values = tuple(json.dumps(value)[1:-1] for value in values if len(value) >= 8)

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for value in self._values:
            text = text.replace(value, _HIDDEN)
        lowered = text.lower()
        for marks, pattern, replacement in _PATTERNS:
            # A search for a few words is many times quicker than the patterns, and every event writes a line.
            for mark in marks:
                if mark in lowered:
                    text = pattern.sub(replacement, text)
                    break
        return text


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, event, the fields given as ``extra``, and a traceback if any."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def format(self, record: logging.LogRecord) -> str:
        """The line. A value that JSON does not know is written as its text."""
        line = _head(record.created, record.levelno, record.getMessage())
        line.update((name, value) for name, value in record.__dict__.items() if name not in _STANDARD)
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            # The end tells what happened; the beginning is our own frames.
            line["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))[-MAX_LINE // 4 :]
        return self.text(line)

    def text(self, line: Mapping[str, Any]) -> str:
        """The fields of a line as its text: without secrets, and not longer than is kept of it."""
        text = self._redaction(_dumped(line))
        # The text is ASCII: as many bytes as characters.
        if len(text) > MAX_LINE:
            short = {name: str(value)[:500] for name, value in line.items()}
            text = self._redaction(_dumped(short))[:MAX_LINE]
        return text


def _head(created: float, level: int, event: str) -> dict[str, Any]:
    """What every line begins with."""
    at = datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds")
    return {"time": at, "level": logging.getLevelName(level).lower(), "event": event}


def _dumped(line: Mapping[str, Any]) -> str:
    # ASCII: nothing that comes in, not even half a surrogate pair, can break a log line.
    return _encode(line)


_encode = json.JSONEncoder(default=str, ensure_ascii=True, separators=(",", ":")).encode


class _Lines(logging.StreamHandler[TextIO]):
    """The handler of our root logger, which knows what it was set up with."""

    def __init__(self, stream: TextIO, secrets: Sequence[str], level: str) -> None:
        super().__init__(stream)
        self._lines = JsonLines(Redaction(secrets))
        self.setFormatter(self._lines)
        self._asked = (secrets, level)

    def put(self, line: Mapping[str, Any]) -> None:
        """Write one line, as ``emit`` would."""
        try:
            with self.lock or nullcontext():
                self.stream.write(f"{self._lines.text(line)}\n")
                self.flush()
        except Exception:  # noqa: BLE001  # as in ``emit``: a log that fails must not fail what it tells of
            self.handleError(logging.makeLogRecord({"msg": line}))

    def fits(self, stream: TextIO, secrets: Sequence[str], level: str) -> bool:
        return self.stream is stream and self._asked == (secrets, level)


def say(level: int, event: str, fields: Mapping[str, Any]) -> None:
    """Write a line of the root of our loggers, as its ``log`` with ``extra`` does.

    Every record of every event has such a line, and a ``LogRecord`` gathers three times as much as the line shows.
    """
    if not _root.isEnabledFor(level):
        return
    handlers = _root.handlers
    if len(handlers) == 1 and isinstance(lines := handlers[0], _Lines):
        lines.put({**_head(time.time(), level, event), **fields})
    else:
        _root.log(level, event, extra=dict(fields))


def configure(environ: Mapping[str, str], stream: TextIO | None = None) -> logging.Logger:
    """Set up our root logger on stdout (or ``stream``), once or again; other libraries' logs stay as they are.

    Every event calls it, because credentials change while an instance is warm and their new values must be hidden,
    too; as long as nothing has changed it does nothing.
    """
    logger = _root
    out = sys.stdout if stream is None else stream
    secrets = [value for name in _secret_names(environ) if (value := environ.get(name))]
    level = environ.get("CROSSPORT_LOG_LEVEL", "INFO").upper()
    present = logger.handlers[0] if len(logger.handlers) == 1 else None
    if isinstance(present, _Lines) and present.fits(out, secrets, level):
        return logger
    logger.handlers[:] = [_Lines(out, secrets, level)]
    logger.setLevel(level if level in logging.getLevelNamesMapping() else logging.INFO)
    logger.propagate = False
    return logger


def _secret_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the variables with secrets. Those of the process are searched again only when their number changes."""
    global _of_process
    if environ is not os.environ:
        return tuple(filter(_SECRET_NAME.search, environ))
    if _of_process[0] != len(environ):
        _of_process = len(environ), tuple(filter(_SECRET_NAME.search, environ))
    return _of_process[1]


_of_process: tuple[int, tuple[str, ...]] = (-1, ())
