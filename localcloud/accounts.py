"""Accounts and access keys of the local cloud."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Account:
    """A main account. ``site`` is the Alibaba Cloud site (``international`` or ``china``); cross-site pushes fail."""

    account_id: str
    name: str
    site: str = "international"


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """An access key of one account. The secret never appears in a repr."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    account: Account


class Directory:
    """All accounts and their keys."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, AccessKey] = {}

    def add(self, account: Account) -> AccessKey:
        """Register an account with one fresh access key; the secret is random in every run."""
        key = AccessKey(
            access_key_id=f"LTAIlocal{account.name.upper()}{secrets.token_hex(4)}",
            access_key_secret=secrets.token_hex(20),
            account=account,
        )
        self._accounts[account.account_id] = account
        self._keys[key.access_key_id] = key
        return key

    def account(self, account_id: str) -> Account | None:
        """The account with this id, or None."""
        return self._accounts.get(account_id)

    def key(self, access_key_id: str) -> AccessKey | None:
        """The access key with this id, or None."""
        return self._keys.get(access_key_id)

    def accounts(self) -> list[Account]:
        """All accounts, in the order in which they were added."""
        return list(self._accounts.values())
