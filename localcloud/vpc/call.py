"""One call of the API, as the operations see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcloud.accounts import Account
from localcloud.vpc.parameters import Parameters

if TYPE_CHECKING:
    from localcloud.vpc.state import State


@dataclass(frozen=True, kw_only=True)
class Call:
    """Who calls what, where and when (the cloud's time)."""

    action: str
    account: Account
    region: str
    parameters: Parameters
    now: datetime
    privilege_expired: bool = False
    """A scripted fault: the caller's permission to create ports counts as expired in this call."""
    dry_run: bool = False
    """Whether the call only asks if it would succeed; the operations with ``Token`` know that."""

    @property
    def account_id(self) -> str:
        """The calling account."""
        return self.account.account_id


Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation of the API.

    ``idempotency`` names the parameter of its token. ``write`` operations are recorded by ActionTrail.
    """

    run: Callable[[State, Call], Answer]
    write: bool
    idempotency: str = "ClientToken"


def stamp(at: datetime | None) -> str:
    """A time as the API writes it: ``2026-11-24T11:10:47Z``, or empty."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def read(run: Callable[[State, Call], Answer]) -> Operation:
    """An operation that changes nothing."""
    return Operation(run=run, write=False)


def write(run: Callable[[State, Call], Answer], idempotency: str = "ClientToken") -> Operation:
    """An operation that changes something."""
    return Operation(run=run, write=True, idempotency=idempotency)
