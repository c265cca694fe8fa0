"""A pause: a person has stopped our commands to the cloud. Observation goes on, and so do notices and messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from crossport.domain.errors import aware

#: The account of a pause that is about all of them.
EVERY_ACCOUNT = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """One pause in force: since when, by whom and why."""

    #: ``EVERY_ACCOUNT`` for the pause of everything.
    account_id: str
    since: datetime
    actor: str
    reason: str

    def __post_init__(self) -> None:
        aware(self.since, "a pause's beginning")


def pause_of(account_id: str, pauses: Iterable[Pause]) -> Pause | None:
    """What keeps us from calling in this account: the pause of everything before that of the account, or None."""
    found = {pause.account_id: pause for pause in pauses if pause.account_id in (EVERY_ACCOUNT, account_id)}
    return found.get(EVERY_ACCOUNT) or found.get(account_id)
