"""The shape of ``partner.yaml``: one frozen model for each of its parts, unknown keys refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from crossport.adapters.configuration.policies import price_list_of
from crossport.adapters.configuration.values import (
    AccountId,
    Amount,
    CircuitId,
    Count,
    Currency,
    Day,
    Email,
    Language,
    Line,
    Region,
    RoleArn,
    Site,
    Spec,
    Start,
    VlanRange,
    Zone,
)
from crossport.domain.circuit import Circuit
from crossport.domain.orders import Contract, Tenant
from crossport.domain.policy import Policy
from crossport.domain.prices import PriceList, zone_of
from crossport.domain.specs import MBPS, NEEDS_APPROVAL
from crossport.domain.vocabulary import BEFORE_PUSH, MilestoneName, OrderMode


def _before_push(name: MilestoneName) -> MilestoneName:
    if name not in BEFORE_PUSH:
        raise ValueError(f"{name} cannot be reached before the push")
    return name


class _Part(BaseModel):
    """A part of the document: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ContactSettings(_Part):
    """Someone who is told: where, in which language, and in which IANA zone dates are shown."""

    name: Line
    email: Email
    language: Language = "en"
    zone: Zone = "UTC"


class PartnerSettings(_Part):
    """The partner itself."""

    name: Line
    contacts: tuple[ContactSettings, ...] = ()


class PriceVersionSettings(_Part):
    """One version of a price list; amounts are decimal strings in ``currency``."""

    name: Line
    version: Line
    currency: Currency
    #: Price zone (``mainland``, ``outside``, ``riyadh``) and spec to the price of one calendar month.
    port_month: dict[Literal["mainland", "outside", "riyadh"], dict[Spec, Amount]]
    #: Region to the price of 1 GB (2^30 bytes) of outbound data transfer.
    outbound_gb: dict[Region, Amount] = Field(default_factory=dict)
    #: From when on it prices what begins; a day begins at 00:00 UTC+8, as billing periods do. None: since ever.
    effective_from: Start | None = None


class PriceListSettings(PriceVersionSettings):
    """What the partner charges tenants for partner-paid ports: the newest version, and all before it."""

    #: Oldest first; what has been in force stays here for good.
    earlier: tuple[PriceVersionSettings, ...] = ()

    @model_validator(mode="after")
    def _ascending(self) -> PriceListSettings:
        versions = (*self.earlier, self)
        repeated = [name for name, count in Counter(each.version for each in versions).items() if count > 1]
        if repeated:
            raise ValueError(f"version {', '.join(repeated)} is there more than once")
        for before, after in pairwise(versions):
            start, previous = after.effective_from, before.effective_from
            if start is None or (previous is not None and start <= previous):
                raise ValueError(
                    f"version {after.version} needs an effective_from later than that of version {before.version}"
                )
        return self

    def price_list(self) -> PriceList:
        """The domain's price list."""
        return price_list_of(self.model_dump(mode="json"))


_DEFAULT = Policy(account_id="")


class PolicySettings(_Part):
    """The fields of ``domain.policy.Policy`` that a partner chooses; the defaults are the domain's own."""

    specs: tuple[Spec, ...] = Field(default=tuple(s for s in MBPS if s in _DEFAULT.specs), min_length=1)
    approved_above_1g: bool = _DEFAULT.approved_above_1g
    vlan_pool: tuple[VlanRange, ...] = Field(default=_DEFAULT.vlan_pool, min_length=1)
    vlan_zero_is_exclusive: bool = _DEFAULT.vlan_zero_is_exclusive
    order_modes: tuple[OrderMode, ...] = Field(default=tuple(_DEFAULT.order_modes), min_length=1)
    push_after: Annotated[MilestoneName, AfterValidator(_before_push)] = _DEFAULT.push_after
    confirm_uid: bool = _DEFAULT.confirm_uid
    partner_pays_at: Literal["accepted", "created"] = "accepted"
    #: Months, 1 to 9 (API reference, CreatePhysicalConnectionOccupancyOrder, Period).
    pay_months: Count = Field(default=_DEFAULT.pay_months, ge=1, le=9)
    pay_auto_renew: bool = _DEFAULT.pay_auto_renew
    #: Seconds.
    consistency_window: Count = Field(default=30, ge=0, le=3_600)
    #: Days.
    settlement_age: Count = Field(default=35, ge=1, le=366)
    #: Days.
    offer_lifetime: Count = Field(default=14, ge=1, le=366)
    #: What becomes of an offer whose time is over.
    offer_expiry: Literal["keep", "withdraw"] = "keep"
    #: Days after an offer on which a tenant who has not accepted is reminded.
    offer_reminders: Annotated[tuple[Annotated[Count, Field(ge=1, le=366)], ...], Field(max_length=16)] = (1, 3, 7)
    #: Days.
    hold_lifetime: Count = Field(default=30, ge=1, le=366)
    #: Days.
    cool_down: Count = Field(default=7, ge=0, le=366)
    #: Days.
    group_deadline: Count = Field(default=7, ge=1, le=366)
    vbr_missing_after: Count = Field(default=3, ge=1, le=366)
    #: Seconds.
    longest_wait: Count = Field(default=3_600, ge=60, le=86_400)
    #: How often a record may end as ``retry`` before it becomes a dead letter.
    max_attempts: Count = Field(default=_DEFAULT.max_attempts, ge=1, le=1_000)


class CircuitSettings(_Part):
    """A dedicated circuit of the account. ``bandwidth_mbps`` is decimal Mbit/s; ``status`` is the cloud's word."""

    circuit_id: CircuitId
    region: Region
    name: Line
    access_point: Line
    line_operator: Line
    bandwidth_mbps: Count = Field(ge=1, le=1_000_000)
    status: Line = "Enabled"

    def circuit(self, account_id: str) -> Circuit:
        """The domain's circuit, with nothing held on it: holds are the store's to keep."""
        return Circuit(account_id=account_id, **self.model_dump())


class AccountSettings(_Part):
    """One partner account (ruling 10): cross-site pushes are refused, so many partners hold several."""

    account_id: AccountId
    name: Line
    site: Site
    regions: tuple[Region, ...] = Field(min_length=1)
    #: The RAM role that Crossport assumes in this account; empty: the function's own role.
    role_arn: RoleArn = ""
    currency: Currency = "USD"
    contact: ContactSettings
    policy: PolicySettings = PolicySettings()
    partner_price_list: PriceListSettings | None = None
    circuits: tuple[CircuitSettings, ...] = ()

    def warnings(self) -> Iterator[str]:
        """What is legal here but probably not meant."""
        place = f"account {self.account_id}"
        unapproved = [s for s in self.policy.specs if s in NEEDS_APPROVAL]
        if unapproved and not self.policy.approved_above_1g:
            yield f"{place}: {', '.join(unapproved)} will be refused until approved_above_1g is true"
        if not self.circuits:
            yield f"{place}: no circuits, so that every order will be refused"
        if OrderMode.PARTNER_PAYS not in self.policy.order_modes:
            return
        prices = self.partner_price_list
        if prices is None:
            yield f"{place}: {OrderMode.PARTNER_PAYS} is offered without a partner_price_list: no charge can be written"
            return
        if prices.currency != self.currency:
            yield f"{place}: the partner_price_list is in {prices.currency}, the account in {self.currency}"
        months = prices.price_list().port_month
        for zone in sorted({zone_of(region) for region in self.regions}):
            unpriced = [s for s in self.policy.specs if s not in months.get(zone, {})]
            if unpriced:
                yield f"{place}: the partner_price_list has no {zone} price for {', '.join(unpriced)}"


class TenantSettings(_Part):
    """A tenant as declared."""

    tenant_uid: AccountId
    name: Line
    site: Site = "international"
    language: Language = "en"
    email: Email
    zone: Zone = "UTC"

    def tenant(self) -> Tenant:
        """The domain's tenant."""
        return Tenant(**self.model_dump())


class ContractSettings(_Part):
    """A contract between a partner account and a tenant; all dates are inclusive and in ``zone`` (ruling 21)."""

    number: Line
    account_id: AccountId
    tenant_uid: AccountId
    signed_on: Day | None = None
    valid_from: Day
    valid_until: Day | None = None
    zone: Zone = "UTC"

    def contract(self) -> Contract:
        """The domain's contract."""
        return Contract(**self.model_dump())


class Configuration(_Part):
    """A whole ``partner.yaml``, version 1."""

    version: Literal[1]
    partner: PartnerSettings
    accounts: tuple[AccountSettings, ...] = Field(min_length=1)
    tenants: tuple[TenantSettings, ...] = ()
    contracts: tuple[ContractSettings, ...] = ()

    def document(self) -> dict[str, Any]:
        """The configuration as JSON values, complete with defaults: what the store keeps and compares."""
        return self.model_dump(mode="json")

    def warnings(self) -> tuple[str, ...]:
        """What is legal but probably not meant, a sentence each."""
        found = [warning for account in self.accounts for warning in account.warnings()]
        own, sites = {a.account_id for a in self.accounts}, {a.site for a in self.accounts}
        for tenant in self.tenants:
            if tenant.tenant_uid in own:
                found.append(f"tenant {tenant.tenant_uid}: this is a partner account")
            if tenant.site not in sites:
                found.append(f"tenant {tenant.tenant_uid}: no account is on site {tenant.site}; orders will be refused")
        return tuple(found)
