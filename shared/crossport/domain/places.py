"""Where regions and access points lie: their time zone, and the country whose holidays people there keep.

One table for all of it. An access point of Alibaba Cloud carries its region in its id (``ap-us-east-1-...``), which may
be another region than its circuit's; a name that a partner has given says nothing, and its circuit's region counts.
Sources: "Regions and zones" (the city of each region), the IANA time zone database, ISO 3166.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A time zone (IANA), a country (ISO 3166-1 alpha-2, "" for one that is not known) and its subdivision, or ""."""

    zone: str
    country: str
    subdivision: str = ""


#: What a region of no known city is taken for: its working days are Monday to Friday.
NOWHERE = Place(zone="UTC", country="")
_MAINLAND = Place(zone="Asia/Shanghai", country="CN")
_PLACES = {
    "cn-hongkong": Place(zone="Asia/Hong_Kong", country="HK"),
    "ap-southeast-1": Place(zone="Asia/Singapore", country="SG"),
    "ap-southeast-3": Place(zone="Asia/Kuala_Lumpur", country="MY", subdivision="14"),
    "ap-southeast-5": Place(zone="Asia/Jakarta", country="ID"),
    "ap-southeast-6": Place(zone="Asia/Manila", country="PH"),
    "ap-southeast-7": Place(zone="Asia/Bangkok", country="TH"),
    "ap-northeast-1": Place(zone="Asia/Tokyo", country="JP"),
    "ap-northeast-2": Place(zone="Asia/Seoul", country="KR"),
    "us-west-1": Place(zone="America/Los_Angeles", country="US", subdivision="CA"),
    "us-east-1": Place(zone="America/New_York", country="US", subdivision="VA"),
    "us-southeast-1": Place(zone="America/New_York", country="US", subdivision="GA"),
    "na-south-1": Place(zone="America/Mexico_City", country="MX"),
    "eu-central-1": Place(zone="Europe/Berlin", country="DE", subdivision="HE"),
    "eu-west-1": Place(zone="Europe/London", country="GB", subdivision="ENG"),
    "me-east-1": Place(zone="Asia/Dubai", country="AE"),
    "me-central-1": Place(zone="Asia/Riyadh", country="SA"),
}


def place_of(region: str, access_point: str = "") -> Place:
    """Where an access point lies: by the region in its own id, else by its circuit's region."""
    for known in sorted(_PLACES, key=len, reverse=True):
        if access_point.startswith(f"ap-{known}"):
            return _PLACES[known]
    if access_point.startswith("ap-cn-"):
        return _MAINLAND
    return _PLACES.get(region, _MAINLAND if region.startswith("cn-") else NOWHERE)


def known_regions() -> tuple[str, ...]:
    """Every region with a row of its own; further regions of mainland China need none."""
    return tuple(_PLACES)


def zone_named(name: str) -> tzinfo:
    """The IANA zone of this name; UTC when it is none that is known."""
    # Every event function imports the domain, and few of them ask for a zone.
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
