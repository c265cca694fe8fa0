"""The policies of all partner accounts, from the applied document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossport.adapters.configuration.reading import read_configuration
from crossport.domain.orders import Tenant
from crossport.domain.policy import Policy


class ConfiguredPolicies:
    """``ports.Policies`` over an applied document, as ``Store.configuration`` returns it.

    Raises ConfigurationError when the document is not one that this version can read.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        configuration = read_configuration(document)
        self._accounts = {account.account_id: account for account in configuration.accounts}
        self._policies = {account.account_id: account.domain_policy() for account in configuration.accounts}

    def of(self, account_id: str) -> Policy:
        """The account's policy. Raises KeyError for an account that is not ours."""
        return self._policies[account_id]

    def accounts(self) -> tuple[str, ...]:
        """Ids of all partner accounts, in the order of the document."""
        return tuple(self._accounts)

    def regions(self, account_id: str) -> tuple[str, ...]:
        """The account's regions. Raises KeyError for an account that is not ours."""
        return self._accounts[account_id].regions

    def role_arn(self, account_id: str) -> str:
        """The role to assume in the account, "" for the function's own. Raises KeyError like ``of``."""
        return self._accounts[account_id].role_arn

    def partner_contact(self, account_id: str) -> Tenant:
        """Who is told on the partner's side. Raises KeyError for an account that is not ours."""
        account = self._accounts[account_id]
        contact = account.contact
        return Tenant(
            tenant_uid=account_id,
            name=contact.name,
            site=account.site,
            language=contact.language,
            email=contact.email,
            zone=contact.zone,
        )
