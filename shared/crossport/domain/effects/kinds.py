"""The three kinds of effects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crossport.domain.connection import Connection
from crossport.domain.vocabulary import Party, Phase

#: Phases in which a port or an order still may become a service.
ALIVE = frozenset(
    {Phase.ORDERED, Phase.PROVISIONING, Phase.OFFERED, Phase.ACCEPTED, Phase.ENABLED, Phase.ACTIVE, Phase.SUSPENDED}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that one party is to be told. ``details`` are JSON values for the text."""

    key: str
    kind: str
    connection_id: str
    party: Party
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """Something that the relay is to do: in the cloud, or with a hold when the cloud allows it."""

    key: str
    kind: str
    connection_id: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """The answer to an order or request, for the reply queue; ``details`` is the whole message."""

    key: str
    kind: str
    connection_id: str
    details: dict[str, Any] = field(default_factory=dict)


Effect = Notice | Command | Reply


def key_of(connection: Connection, *parts: str) -> str:
    """An effect's key: the connection, the kind, and what tells it from others of its kind."""
    return ":".join([connection.connection_id, *filter(None, parts)])
