"""The seams for time, randomness and configuration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Protocol

from crossport.domain.orders import Tenant
from crossport.domain.policy import Policy


class Clock(Protocol):
    """The one seam for time."""

    def now(self) -> datetime:
        """The present time, aware, UTC."""
        ...


class Ids(Protocol):
    """The one seam for randomness: lease holders and the like."""

    def new(self) -> str:
        """A fresh random id of 32 hexadecimal digits."""
        ...


class Policies(Protocol):
    """The policies of all partner accounts."""

    def of(self, account_id: str) -> Policy:
        """The account's policy. Raises KeyError for an account that is not ours."""
        ...

    def accounts(self) -> Iterable[str]:
        """Ids of all partner accounts."""
        ...

    def partner_contact(self, account_id: str) -> Tenant:
        """Who is told on the partner's side: name, e-mail address, language, zone."""
        ...


class WorkingDays(Protocol):
    """The public holidays and weekends of the world's countries."""

    def is_working_day(self, country: str, subdivision: str, day: date) -> bool:
        """Whether people work on a day. A country that is not known works from Monday to Friday.

        ``country`` is ISO 3166-1 alpha-2, ``subdivision`` its code within the country, either "" when not known.
        """
        ...
