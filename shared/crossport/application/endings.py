"""How an input ended: what every use case that takes records returns, one for each record, in their order."""

from __future__ import annotations

from dataclasses import dataclass

from crossport.domain.vocabulary import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """The verdict on one record, with what an operator needs to find it again."""

    #: The record's inbox key; "" when it had none that could be trusted.
    key: str
    verdict: Verdict
    #: A stable code; "" when there is nothing to add to the verdict.
    reason: str = ""
    #: The command that must still answer before anything moves, such as ``read_port``; else "".
    pending: str = ""
    connection_id: str | None = None
    #: eventName of a cloud event, type of a message, name of a timer.
    name: str = ""
