"""Price lists: what a port costs a month and what a gigabyte of outbound transfer costs.

Money is Decimal with an ISO 4217 currency. The published list is a reference; Alibaba Cloud's buy page is
authoritative ("Resource usage fee" and "Outbound data transfer fees", read in April 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

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
    """A named, versioned price list in one currency.

    ``port_month`` maps zone (``mainland``, ``outside``, ``riyadh``) and spec to the price of one calendar month;
    ``outbound_gb`` maps region to the price of 1 GB (2^30 bytes) of outbound data transfer.
    """

    name: str
    version: str
    currency: str
    port_month: Mapping[str, Mapping[str, Decimal]]
    outbound_gb: Mapping[str, Decimal]

    def port(self, region: str, spec: str) -> Decimal | None:
        """The price of the port for one month, or None when the list does not know it."""
        return self.port_month.get(zone_of(region), {}).get(spec)

    def outbound(self, region: str) -> Decimal | None:
        """The price of one GB outbound, or None when the list does not know the region."""
        return self.outbound_gb.get(region)


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
