"""Dead letters: kept byte for byte, told once for each cause, sent to their function again or put aside by a person.

Nothing here can lose one: a letter that could not be kept stays where it is, and comes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from crossport.application.endings import Ending
from crossport.application.errors import StoreUnavailableError
from crossport.application.ports import (
    DeadLetter,
    Functions,
    InputRow,
    LetterState,
    OutboxRow,
    Policies,
    Store,
)
from crossport.domain.errors import CrossportError
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Party, Verdict

#: The function's name in the audit trail.
FUNCTION = "dead_letters"
#: Reasons of a ``retry`` that every record would meet: they pass by themselves and count as no try of any record.
PASSING = frozenset(
    {
        "clock_file", "function_unavailable", "not_configured", "out_of_time", "queue_unavailable", "send_failed",
        "settings_invalid", "store_not_migrated", "store_unavailable",
    }
)  # fmt: skip
#: Verdicts with which a function has taken a letter: it need not come again.
_TAKEN = frozenset({Verdict.APPLIED, Verdict.DUPLICATE, Verdict.IGNORED, Verdict.REJECTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A letter as it came out of the queue ``dead-letters``."""

    #: The message's id, or "": the letter was handed over without one.
    message_id: str
    digest: str
    letter: DeadLetter


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """What became of a letter that was sent to its function again."""

    letter: DeadLetter
    function: str
    taken: bool
    #: The verdicts that the function gave, or none when it could not be asked.
    verdicts: tuple[str, ...] = ()
    #: Why it was not taken, or the reasons of the verdicts.
    reason: str = ""


def keep_letters(arrivals: Sequence[Arrival], *, store: Store, policies: Policies) -> list[Ending]:
    """Keep letters from the queue; one ending for each, in order.

    ``applied``: kept now. ``duplicate``: kept before. ``retry``: the store could not be reached, the letter stays in
    the queue.
    """
    return [_kept(arrival, store, policies) for arrival in arrivals]


def keep(letter: DeadLetter, *, store: Store, policies: Policies, inputs: Sequence[InputRow] = ()) -> bool:
    """Keep one letter, its partner told if its cause is new; False when it was kept before."""
    owned = replace(letter, account_id=told_account(letter.account_id, policies.accounts()))
    return store.keep_dead_letter(owned, alert=lambda settled: _alert(owned, settled), inputs=inputs)


def told_account(account_id: str, accounts: Iterable[str]) -> str:
    """The partner account that is told of a letter: the one it is about, else the first one; "" when there is none."""
    ours = tuple(accounts)
    return account_id if account_id in ours else next(iter(ours), "")


def tries_of(account_id: str, policies: Policies) -> int:
    """After how many tries a record of this account is given up (policy, ``max_attempts``)."""
    known = told_account(account_id, policies.accounts())
    return policies.of(known).max_attempts if known else Policy(account_id="").max_attempts


def replay(
    letter: DeadLetter, *, functions: Functions, store: Store, function: str, actor: str, reason: str, at: datetime
) -> Replay:
    """Send a letter's bytes to a function as its whole event and, when it takes them, settle the letter.

    A crash in between leaves the letter kept; sending it again is safe, because inputs are idempotent.
    """
    try:
        answer = functions.invoke(function, input_of(letter))
    except CrossportError as error:
        return Replay(letter=letter, function=function, taken=False, reason=f"{error.code}: {error.message}")
    verdicts, reasons = verdicts_of(answer.payload)
    if answer.error_type:
        why = ", ".join(reasons) or answer.error_type
        return Replay(letter=letter, function=function, taken=False, verdicts=verdicts, reason=why)
    taken = bool(verdicts) and all(verdict in _TAKEN for verdict in verdicts)
    if taken:
        store.settle_dead_letter(letter, LetterState.REPLAYED, actor=actor, reason=reason, at=at)
    return Replay(letter=letter, function=function, taken=taken, verdicts=verdicts, reason=", ".join(reasons))


def discard(letter: DeadLetter, *, store: Store, actor: str, reason: str, at: datetime) -> bool:
    """Put a letter aside; its bytes stay. False when somebody else has settled it meanwhile."""
    return store.settle_dead_letter(letter, LetterState.DISCARDED, actor=actor, reason=reason, at=at)


def input_of(letter: DeadLetter) -> bytes:
    """What the function was given, to the byte: a destination's envelope holds it as text, everything else is it."""
    if letter.form == "destination":
        try:
            payload = json.loads(letter.body)["requestPayload"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return letter.body
        if isinstance(payload, str):
            return payload.encode("utf-8", "surrogatepass")
    return letter.body


def verdicts_of(payload: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Verdicts and distinct reasons of a function's answer, or of the error that holds one; empty when there are none.

    Never raises.
    """
    try:
        document = json.loads(payload)
        if isinstance(document, dict) and "errorMessage" in document:
            document = json.loads(str(document["errorMessage"]))
        each = [(str(one["verdict"]), str(one["reason"])) for one in document["verdicts"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return (), ()
    return tuple(verdict for verdict, _ in each), tuple(dict.fromkeys(reason for _, reason in each if reason))


def _kept(arrival: Arrival, store: Store, policies: Policies) -> Ending:
    letter = arrival.letter
    row = InputRow(
        key=arrival.message_id,
        digest=arrival.digest,
        claims=False,
        at=letter.at,
        function=FUNCTION,
        verdict=Verdict.APPLIED,
        account_id=letter.account_id,
        name=letter.form,
        details={"letter": letter.key, "function": letter.function, "cause": letter.cause},
    )
    ending = Ending(key=arrival.message_id, verdict=Verdict.APPLIED, name=letter.form)
    try:
        fresh = keep(letter, store=store, policies=policies, inputs=(row,))
    except StoreUnavailableError as error:
        return replace(ending, verdict=Verdict.RETRY, reason=error.code)
    return ending if fresh else replace(ending, verdict=Verdict.DUPLICATE)


def _alert(letter: DeadLetter, settled: int) -> OutboxRow:
    """The notice of a cause that has come up; ``settled`` tells this time from earlier ones."""
    key = ":".join(["dead_letters", letter.function or "-", letter.cause, letter.source or "-", str(settled)])
    payload = {
        "type": "notice.send",
        "version": 1,
        "key": key,
        "kind": "dead_letters",
        "connection_id": "",
        "account_id": letter.account_id,
        "party": str(Party.PARTNER),
        "details": {
            "letter": letter.key,
            "function": letter.function,
            "cause": letter.cause,
            "source": letter.source,
            "name": letter.name,
            "at": letter.at.isoformat(),
        },
    }
    return OutboxRow(key=key, kind="dead_letters", target="queue:notices", payload=payload)
