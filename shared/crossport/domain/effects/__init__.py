"""Effects: the notices, replies and commands that follow from merged facts.

Each effect has a deterministic key. The rules here are monotone: more observations can only add keys, whatever
their order, so every path to the same facts ends with the same keys. What can never matter again when its turn comes
is dropped then, with the reason (``moot``), and what may still come true waits (``too_early``); skipping a phase
therefore skips no effect, and no order of observations keeps a notice back whose premise holds in the end.
"""

from __future__ import annotations

from crossport.domain.connection import Connection
from crossport.domain.effects.commands import commands_of, gates, ready_to_push
from crossport.domain.effects.early import too_early
from crossport.domain.effects.kinds import ALIVE, Command, Effect, Notice, Reply
from crossport.domain.effects.moot import moot
from crossport.domain.effects.notices import evidence, notices_of
from crossport.domain.effects.replies import replies_of
from crossport.domain.policy import Policy

__all__ = [
    "ALIVE", "Command", "Effect", "Notice", "Reply", "effects_of", "evidence", "gates", "moot", "ready_to_push",
    "too_early",
]  # fmt: skip


def effects_of(connection: Connection, policy: Policy) -> tuple[Effect, ...]:
    """Every effect that the facts call for, in a stable order. Saving inserts those whose key is new."""
    return (*commands_of(connection, policy), *notices_of(connection), *replies_of(connection, policy))
