"""Price lists: what a port costs a month and what a gigabyte of outbound transfer costs.

Money is Decimal with an ISO 4217 currency. The published list is a reference; Alibaba Cloud's buy page is
authoritative ("Resource usage fee" and "Outbound data transfer fees", read in April 2026).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from crossport.domain.errors import aware
from crossport.domain.specs import MBPS

#: Regions priced as mainland China; every other region except Riyadh is "outside the mainland".
_MAINLAND = frozenset(
    {
        "cn-hangzhou", "cn-shanghai", "cn-qingdao", "cn-beijing", "cn-zhangjiakou", "cn-huhehaote", "cn-wulanchabu",
        "cn-shenzhen", "cn-heyuan", "cn-guangzhou", "cn-chengdu", "cn-nanjing", "cn-fuzhou", "cn-wuhan-lr",
    }
)  # fmt: skip
_RIYADH = "me-central-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceList:
    """The newest version of a named price list in one currency, with the versions before it.

    ``port_month`` maps zone (``mainland``, ``outside``, ``riyadh``) and spec to the price of one calendar month;
    ``outbound_gb`` maps region to the price of 1 GB (2^30 bytes) of outbound data transfer. Raises ValueError when
    the versions' dates do not ascend, or a later version has none.
    """

    name: str
    version: str
    currency: str
    port_month: Mapping[str, Mapping[str, Decimal]]
    outbound_gb: Mapping[str, Decimal]
    #: From when on this version prices what begins, aware. The first version prices all that began before the second.
    effective_from: datetime | None = None
    #: The versions before this one, oldest first; none of them has earlier versions of its own.
    earlier: tuple[PriceList, ...] = ()

    def __post_init__(self) -> None:
        starts = [version.effective_from for version in self.versions()]
        for start in starts:
            if start is not None:
                aware(start, "a price list's effective date")
        later = starts[1:]
        known = [start for start in starts if start is not None]
        if None in later or any(one >= other for one, other in pairwise(known)):
            raise ValueError("each version of a price list begins after the one before it")

    def versions(self) -> tuple[PriceList, ...]:
        """All versions, oldest first."""
        return (*self.earlier, self)

    def at(self, at: datetime) -> PriceList:
        """The version in force at a time: the last that had begun, else the first (ruling 7)."""
        began = [v for v in self.versions() if v.effective_from is not None and v.effective_from <= at]
        return began[-1] if began else self.versions()[0]

    @property
    def label(self) -> str:
        """Name and version, as a billing record names its price list."""
        return f"{self.name}/{self.version}"

    def keeps(self, older: PriceList) -> bool:
        """Whether whatever ``older`` priced, this version prices alike; it may price more."""
        return (
            (self.name, self.version, self.currency) == (older.name, older.version, older.currency)
            and _within(older.outbound_gb, self.outbound_gb)
            and all(_within(months, self.port_month.get(zone, {})) for zone, months in older.port_month.items())
        )

    def port(self, region: str, spec: str) -> Decimal | None:
        """The price of the port for one month, or None when the list does not know it."""
        return self.port_month.get(zone_of(region), {}).get(spec)

    def outbound(self, region: str) -> Decimal | None:
        """The price of one GB outbound, or None when the list does not know the region."""
        return self.outbound_gb.get(region)


def _within(older: Mapping[str, Decimal], newer: Mapping[str, Decimal]) -> bool:
    return all(newer.get(name) == price for name, price in older.items())


def broken_promises(before: PriceList | None, after: PriceList | None, now: datetime) -> Iterator[str]:
    """Why ``after`` cannot take the place of ``before``, a sentence each; nothing when it can.

    What has been in force stays as it was, since records name it, and what is new begins in the future: no record of a
    period that has begun may change (rulings 3 and 7). A version that has not begun yet may still change or go.
    """
    if before is None:
        return
    versions = before.versions()
    begun = [v for v in versions if v is versions[0] or (v.effective_from is not None and v.effective_from <= now)]
    kept = {} if after is None else {version.version: version for version in after.versions()}
    for old in begun:
        new = kept.pop(old.version, None)
        if new is None:
            yield f"version {old.version} has been in force: keep it under earlier"
        elif not new.keeps(old) or (old is not versions[0] and new.effective_from != old.effective_from):
            yield f"version {old.version} has been in force and cannot change: write a new version"
    latest = begun[-1].effective_from
    for new in kept.values():
        if new.effective_from is None or (latest is not None and new.effective_from <= latest):
            since = "the first" if latest is None else latest.isoformat()
            yield f"version {new.version} needs an effective_from later than that of the version in force ({since})"
        elif new.effective_from <= now:
            yield f"version {new.version} begins in the past: periods since {new.effective_from.isoformat()} are priced"


def zone_of(region: str) -> str:
    """The price zone of a region."""
    if region in _MAINLAND:
        return "mainland"
    return "riyadh" if region == _RIYADH else "outside"


#: Alibaba Cloud's published prices in USD.
ALIBABA_CLOUD = PriceList(
    name="alibaba-cloud-published",
    version="2026-04",
    currency="USD",
    port_month={
        zone: dict(zip(MBPS, map(Decimal, prices), strict=True))
        for zone, prices in (
            ("mainland", (20, 30, 40, 45, 55, 60, 85, 150, 375, 600, 720)),
            ("outside", (20, 40, 55, 85, 115, 140, 210, 475, 1100, 1400, 1600)),
            ("riyadh", (24, 48, 66, 102, 138, 168, 252, 570, 1320, 1680, 1920)),
        )
    },
    outbound_gb={
        **dict.fromkeys(_MAINLAND, Decimal("0.0130")),
        **dict.fromkeys(
            (
                "cn-hongkong", "ap-southeast-1", "ap-southeast-3", "ap-northeast-1", "ap-northeast-2",
                "ap-southeast-6", "ap-southeast-7",
            ),
            Decimal("0.0390"),
        ),
        "ap-southeast-5": Decimal("0.0780"),
        **dict.fromkeys(("us-west-1", "us-east-1", "eu-central-1", "eu-west-1"), Decimal("0.0190")),
        **dict.fromkeys(("me-east-1", _RIYADH), Decimal("0.0860")),
    },
)  # fmt: skip
