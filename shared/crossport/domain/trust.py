"""Rule 19: whose word counts. An event is believed for the account that the platform put on it, never for its body."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from crossport.domain.connection import Connection


def may_speak(account_id: str, connection: Connection, own_accounts: AbstractSet[str]) -> bool:
    """Whether an event of this account may say anything about the connection.

    ``account_id`` is what the platform set (aliyunoriginalaccountid, else aliyunaccountid). The connection's partner
    account may; its tenant may too, though a tenant's event moves nothing and only makes us read the port. Another of
    our own accounts may not, even where it is named as the tenant.
    """
    if account_id == connection.account_id:
        return True
    return account_id == connection.tenant_uid and account_id not in own_accounts
