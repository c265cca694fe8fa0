"""The frame around every function: event bytes in, verdicts out, and no exception but ``RetryRecords``.

Source of the contract: Function Compute, "Python runtimes: event handlers, context, lifecycle hooks". Built-in Python
serves one request at a time in an instance, so what a warm instance keeps needs no lock.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from crossport.application.endings import Ending
from crossport.domain.errors import CrossportError
from crossport.domain.vocabulary import Verdict
from crossport.entrypoints.envelope import Opened, open_envelope
from crossport.entrypoints.errors import RetryRecords
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.logging import configure, say
from crossport.entrypoints.records import record_name
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import App, build

#: A use case as a function runs it: one ending for each opened record, in order.
Run = Callable[[App, Sequence[Opened], Invocation], Sequence[Ending]]
#: From an event to its records, at least one; never raises.
Opens = Callable[[bytes], Sequence[Opened]]
Handler = Callable[[bytes, Any], str]
Hook = Callable[[Any], None]

#: A poke is not worth a time-out.
_POKE_NEEDS = timedelta(seconds=3)
_WRITTEN = frozenset({Verdict.APPLIED, Verdict.REJECTED, Verdict.DEAD_LETTER})
_SEVERITY = {Verdict.RETRY: logging.WARNING, Verdict.REJECTED: logging.WARNING, Verdict.DEAD_LETTER: logging.ERROR}

_log = logging.getLogger("crossport.function")


def function(
    name: str,
    run: Run,
    *,
    needs: Collection[str] = (),
    pokes: bool = False,
    opens: Opens = open_envelope,
    gives_up: bool = True,
    environ: Mapping[str, str] | None = None,
    wire: Callable[[Settings, Mapping[str, str]], App] = build,
) -> tuple[Handler, Hook, Hook]:
    """``(handler, initialize, pre_stop)`` of one function.

    ``needs`` names environment variables that it cannot work without; ``pokes``: its commits may fill the outbox, so
    the relay is told. ``opens`` takes an event apart; ``gives_up``: a record that has been tried often enough becomes a
    dead letter. ``environ`` (default: the process's) and ``wire`` are seams for tests.
    """
    frame = _Frame(
        _Kind(name, run, frozenset(needs), pokes, opens, gives_up), os.environ if environ is None else environ, wire
    )
    return frame.handler, frame.initialize, frame.pre_stop


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells one function from another; see ``function``."""

    name: str
    run: Run
    needs: frozenset[str]
    pokes: bool
    opens: Opens
    gives_up: bool


class _Frame:
    """What a warm instance keeps: its ports, made once, or again when making them failed."""

    def __init__(
        self,
        kind: _Kind,
        environ: Mapping[str, str],
        wire: Callable[[Settings, Mapping[str, str]], App],
    ) -> None:
        self._kind = kind
        self._environ = environ
        self._wire = wire
        self._app: App | None = None

    def initialize(self, _context: Any) -> None:
        """Pay for imports and connections before the first event.

        What fails here is only logged: the handler meets it again and answers ``retry``, so that no event is lost.
        """
        configure(self._environ)
        try:
            app = self._ready()
            app.store()
            app.policies()
        except Exception as error:  # noqa: BLE001  # the handler meets it again
            _log.exception("initialize_failed", extra={"function": self._kind.name, "reason": _code(error)})

    def pre_stop(self, _context: Any) -> None:
        """Close what is open. Never raises."""
        try:
            if self._app is not None:
                self._app.close()
        except Exception:  # noqa: BLE001  # nobody is left to tell
            _log.exception("pre_stop_failed", extra={"function": self._kind.name})

    def handler(self, event: bytes, context: Any) -> str:
        """The JSON answer with one verdict for each record. Raises RetryRecords when a record must come again."""
        invocation = Invocation.of(self._kind.name, context)
        configure(self._environ)
        opened = self._kind.opens(event)
        endings = self._given_up(event, opened, self._endings(opened, invocation), invocation)
        for one, ending in zip(opened, endings, strict=True):
            _tell(invocation, one, ending)
        self._poke(endings, invocation)
        answer = answer_of(invocation, endings)
        if any(ending.verdict is Verdict.RETRY for ending in endings):
            raise RetryRecords(answer, endings)
        return answer

    def _ready(self) -> App:
        if self._app is None:
            self._app = self._wire(Settings.read(self._environ, needs=self._kind.needs), self._environ)
        return self._app

    def _endings(self, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
        """An ending for each record. A failed batch is run again record by record: inputs are idempotent, and one
        record that breaks the use case must not hide the others."""
        try:
            return self._batch(opened, invocation)
        except Exception as error:  # noqa: BLE001  # whatever it is, the records must get a verdict
            reason = _code(error)
            _log.exception("run_failed", extra={**_labels(invocation), "reason": reason, "records": len(opened)})
            # When the store or the settings are the trouble, every record would meet the same.
            shared = isinstance(error, CrossportError) and error.retryable
            if shared or len(opened) == 1:
                return [_again(one, reason) for one in opened]
            return [ending for one in opened for ending in self._alone(one, invocation)]

    def _batch(self, opened: Sequence[Opened], invocation: Invocation) -> list[Ending]:
        endings = list(self._kind.run(self._ready(), opened, invocation))
        if len(endings) != len(opened):
            raise AssertionError(f"{len(endings)} endings for {len(opened)} records")
        return endings

    def _alone(self, one: Opened, invocation: Invocation) -> list[Ending]:
        if not invocation.remaining():
            return [_again(one, "out_of_time")]
        return self._endings([one], invocation)

    def _given_up(
        self, event: bytes, opened: Sequence[Opened], endings: list[Ending], invocation: Invocation
    ) -> list[Ending]:
        """What cannot go on becomes a dead letter; rare, so it is imported only then."""
        ill = any(ending.verdict in (Verdict.RETRY, Verdict.DEAD_LETTER) for ending in endings)
        if not ill or not self._kind.gives_up or self._app is None:
            return endings
        from crossport.entrypoints.letters import give_up

        return give_up(self._app, invocation, event, opened, endings)

    def _poke(self, endings: Sequence[Ending], invocation: Invocation) -> None:
        written = any(ending.verdict in _WRITTEN for ending in endings)
        if self._kind.pokes and written and self._app is not None and invocation.remaining() >= _POKE_NEEDS:
            self._app.poke()


def answer_of(invocation: Invocation, endings: Sequence[Ending]) -> str:
    """The JSON answer of an invocation: ``{"function", "request_id", "verdicts": [...]}``."""
    verdicts = [
        {
            "key": ending.key,
            "verdict": str(ending.verdict),
            "reason": ending.reason,
            "pending": ending.pending,
            "connection_id": ending.connection_id,
            "name": ending.name,
        }
        for ending in endings
    ]
    return json.dumps({**_labels(invocation), "verdicts": verdicts})


def _labels(invocation: Invocation) -> dict[str, Any]:
    return {"function": invocation.function, "request_id": invocation.request_id}


def _tell(invocation: Invocation, one: Opened, ending: Ending) -> None:
    fields = {
        "function": invocation.function,
        "request_id": invocation.request_id,
        "kind": one.kind,
        "key": ending.key,
        "digest": one.digest,
        "record": ending.name,
        "verdict": ending.verdict.value,
        "reason": ending.reason,
        "pending": ending.pending,
        "connection_id": ending.connection_id,
    }
    say(_SEVERITY.get(ending.verdict, logging.INFO), "record", fields)


def _again(one: Opened, reason: str) -> Ending:
    return Ending(key=one.key, verdict=Verdict.RETRY, reason=reason, name=record_name(one))


def _code(error: Exception) -> str:
    return error.code if isinstance(error, CrossportError) else "internal_error"
