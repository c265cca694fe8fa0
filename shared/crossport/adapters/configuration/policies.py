"""The policies of all partner accounts, from the applied document.

The document in the store was checked in full when it was applied, and a function reads it at every cold start: it is
taken as it is, without pydantic. Only one that is not complete in this release's own layout is checked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from crossport.domain.orders import Tenant
from crossport.domain.policy import Policy
from crossport.domain.prices import PriceList
from crossport.domain.vocabulary import MilestoneName, OrderMode

#: ``version`` of the documents that this release writes.
LAYOUT = 1
_ACCOUNT = frozenset(
    {"account_id", "name", "site", "regions", "role_arn", "currency", "contact", "policy", "partner_price_list",
     "circuits"}
)  # fmt: skip
_CONTACT = frozenset({"name", "email", "language", "zone"})
_VERSION = frozenset({"name", "version", "effective_from", "currency", "port_month", "outbound_gb"})
_PRICES = _VERSION | {"earlier"}
_POLICY = frozenset(
    {"specs", "approved_above_1g", "vlan_pool", "vlan_zero_is_exclusive", "order_modes", "push_after", "confirm_uid",
     "partner_pays_at", "pay_months", "pay_auto_renew", "consistency_window", "settlement_age", "offer_lifetime",
     "offer_expiry", "offer_reminders", "hold_lifetime", "cool_down", "group_deadline", "vbr_missing_after",
     "longest_wait", "max_attempts"}
)  # fmt: skip


class ConfiguredPolicies:
    """``ports.Policies`` over an applied document, as ``Store.configuration`` returns it.

    Raises ConfigurationError when the document is not one that this version can read.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        complete = document if is_complete(document) else _checked(document)
        self._accounts = {account["account_id"]: account for account in complete["accounts"]}
        self._policies = {account_id: policy_of(account) for account_id, account in self._accounts.items()}

    def of(self, account_id: str) -> Policy:
        """The account's policy. Raises KeyError for an account that is not ours."""
        return self._policies[account_id]

    def accounts(self) -> tuple[str, ...]:
        """Ids of all partner accounts, in the order of the document."""
        return tuple(self._accounts)

    def regions(self, account_id: str) -> tuple[str, ...]:
        """The account's regions. Raises KeyError for an account that is not ours."""
        return tuple(self._accounts[account_id]["regions"])

    def circuits(self, account_id: str) -> tuple[str, ...]:
        """Ids of the account's circuits. Raises KeyError like ``of``."""
        return tuple(circuit["circuit_id"] for circuit in self._accounts[account_id]["circuits"])

    def role_arn(self, account_id: str) -> str:
        """The role to assume in the account, "" for the function's own. Raises KeyError like ``of``."""
        return str(self._accounts[account_id]["role_arn"])

    def partner_contact(self, account_id: str) -> Tenant:
        """Who is told on the partner's side. Raises KeyError for an account that is not ours."""
        account = self._accounts[account_id]
        return Tenant(tenant_uid=account_id, site=account["site"], **account["contact"])


def is_complete(document: Any) -> bool:
    """Whether every account of the document has all parts of this release's layout and nothing else.

    The values are not looked at: they were checked when the document was applied.
    """
    if not isinstance(document, Mapping) or document.get("version") != LAYOUT:
        return False
    accounts = document.get("accounts")
    return isinstance(accounts, list) and bool(accounts) and all(_is_complete_account(account) for account in accounts)


def _is_complete_account(account: Any) -> bool:
    if not _has(account, _ACCOUNT):
        return False
    prices = account["partner_price_list"]
    return (
        _has(account["policy"], _POLICY)
        and _has(account["contact"], _CONTACT)
        and (prices is None or (_has(prices, _PRICES) and all(_has(each, _VERSION) for each in prices["earlier"])))
    )


def _has(part: Any, names: frozenset[str]) -> bool:
    return isinstance(part, Mapping) and part.keys() == names


def _checked(document: Any) -> Mapping[str, Any]:
    """The document with the defaults of this release. Raises ConfigurationError."""
    from crossport.adapters.configuration.reading import read_configuration

    return read_configuration(document).document()


def policy_of(account: Mapping[str, Any]) -> Policy:
    """The policy of an account of a complete document."""
    chosen, prices = account["policy"], account["partner_price_list"]
    return Policy(
        account_id=account["account_id"],
        site=account["site"],
        specs=frozenset(chosen["specs"]),
        approved_above_1g=chosen["approved_above_1g"],
        vlan_pool=tuple((low, high) for low, high in chosen["vlan_pool"]),
        vlan_zero_is_exclusive=chosen["vlan_zero_is_exclusive"],
        order_modes=frozenset(OrderMode(mode) for mode in chosen["order_modes"]),
        push_after=MilestoneName(chosen["push_after"]),
        confirm_uid=chosen["confirm_uid"],
        partner_pays_at=chosen["partner_pays_at"],
        pay_months=chosen["pay_months"],
        pay_auto_renew=chosen["pay_auto_renew"],
        consistency_window=timedelta(seconds=chosen["consistency_window"]),
        settlement_age=timedelta(days=chosen["settlement_age"]),
        offer_lifetime=timedelta(days=chosen["offer_lifetime"]),
        offer_expiry=chosen["offer_expiry"],
        offer_reminders=tuple(sorted(set(chosen["offer_reminders"]))),
        hold_lifetime=timedelta(days=chosen["hold_lifetime"]),
        cool_down=timedelta(days=chosen["cool_down"]),
        group_deadline=timedelta(days=chosen["group_deadline"]),
        vbr_missing_after=timedelta(days=chosen["vbr_missing_after"]),
        longest_wait=timedelta(seconds=chosen["longest_wait"]),
        max_attempts=chosen["max_attempts"],
        partner_price_list=None if prices is None else price_list_of(prices),
    )


def price_list_of(prices: Mapping[str, Any]) -> PriceList:
    """The price list of a complete document, or one of its earlier versions."""
    start = prices["effective_from"]
    return PriceList(
        name=prices["name"],
        version=prices["version"],
        currency=prices["currency"],
        port_month={zone: _amounts(months) for zone, months in prices["port_month"].items()},
        outbound_gb=_amounts(prices["outbound_gb"]),
        effective_from=None if start is None else datetime.fromisoformat(start),
        earlier=tuple(price_list_of(version) for version in prices.get("earlier", ())),
    )


def _amounts(texts: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in texts.items()}
