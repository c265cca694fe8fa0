"""Dead letters as the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class LetterState(StrEnum):
    """What has become of a dead letter."""

    KEPT = "kept"
    #: Its function has taken it since.
    REPLAYED = "replayed"
    #: A person decided that nobody needs it; its bytes stay.
    DISCARDED = "discarded"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """An input that was given up, byte for byte, and what is known of why.

    ``key`` tells letters apart: the same record of the same function has the same one, however often it comes.
    """

    key: str
    #: When it was kept.
    at: datetime
    #: The function that gave it up, or that it was meant for; "" when nothing says which.
    function: str
    #: Where it came from: a queue, a bus, a trigger; "" when nothing says so.
    source: str
    #: A stable code: the reason of the last try, or what the service that gave it up said.
    cause: str
    #: The envelope around the record: destination, queue_event, cloud_event, message, timer, http, batch, unreadable.
    form: str
    #: The partner account that is told of it.
    account_id: str
    #: eventName of a cloud event, type of a message; "" when it has none.
    name: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = field(repr=False)
    state: LetterState = LetterState.KEPT

    @property
    def same_cause(self) -> tuple[str, str, str]:
        """What the partner is told once of: function, cause and source."""
        return self.function, self.cause, self.source
