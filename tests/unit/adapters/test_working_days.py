"""Working days of the countries that ports are in; and that the library is loaded when one is asked for."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from crossport.adapters.working_days import HolidayCalendar
from crossport.domain.places import NOWHERE, known_regions, place_of, zone_named


@pytest.mark.parametrize(
    ("region", "day", "works"),
    [
        ("us-east-1", date(2026, 11, 25), True),
        ("us-east-1", date(2026, 11, 26), False),  # Thanksgiving
        ("us-east-1", date(2026, 7, 3), False),  # Independence Day falls on a Saturday
        ("cn-hangzhou", date(2026, 10, 1), False),  # National Day
        ("cn-hangzhou", date(2025, 9, 28), True),  # a Sunday on which people work for the holidays that follow
        ("cn-hongkong", date(2026, 10, 1), False),
        ("eu-central-1", date(2026, 5, 1), False),
        ("me-central-1", date(2026, 3, 6), False),  # Friday is the weekend in Riyadh,
        ("me-central-1", date(2026, 3, 8), True),  # and Sunday is not
        ("xx-unknown-1", date(2026, 12, 25), True),  # Monday to Friday where nothing is known
        ("xx-unknown-1", date(2026, 12, 26), False),
    ],
)
def test_people_work_as_their_country_does(region: str, day: date, works: bool) -> None:
    place = place_of(region)
    assert HolidayCalendar().is_working_day(place.country, place.subdivision, day) is works


def test_a_country_that_the_library_lacks_works_from_monday_to_friday() -> None:
    calendar = HolidayCalendar()
    assert [calendar.is_working_day("XX", "", date(2026, 3, day)) for day in (6, 7, 8, 9)] == [True, False, False, True]


@pytest.mark.parametrize("region", [*known_regions(), "cn-beijing"])
def test_every_place_has_a_zone_and_a_calendar(region: str) -> None:
    place = place_of(region)
    assert str(zone_named(place.zone)) == place.zone
    days = [
        HolidayCalendar().is_working_day(place.country, place.subdivision, date(2026, 3, day)) for day in range(1, 8)
    ]
    assert 3 <= sum(days) < 7


@pytest.mark.parametrize(
    ("region", "access_point", "zone"),
    [
        ("us-east-1", "DC11 Virginia", "America/New_York"),
        ("us-east-1", "ap-us-west-1-a", "America/Los_Angeles"),
        ("cn-hangzhou", "ap-cn-hongkong-MA-A", "Asia/Hong_Kong"),
        ("cn-hongkong", "ap-cn-shenzhen-ft-B", "Asia/Shanghai"),
        ("cn-wulanchabu", "", "Asia/Shanghai"),
        ("eu-central-1", "ap-southeast-1-x", "Europe/Berlin"),
    ],
)
def test_an_access_point_lies_where_its_id_says_else_where_its_circuit_does(
    region: str, access_point: str, zone: str
) -> None:
    assert place_of(region, access_point).zone == zone


def test_what_is_unknown_is_utc() -> None:
    assert place_of("xx-unknown-1") is NOWHERE
    assert str(zone_named("Mars/Olympus")) == "UTC"
    assert str(zone_named("")) == "UTC"


def test_the_library_is_loaded_when_a_day_is_asked_for() -> None:
    program = (
        "import sys\nfrom crossport.adapters.working_days import HolidayCalendar\n"
        "from crossport.application.deadlines import keep_deadlines\nfrom datetime import date\n"
        "before = 'holidays' in sys.modules\nHolidayCalendar().is_working_day('', '', date(2026, 3, 2))\n"
        "between = 'holidays' in sys.modules\nHolidayCalendar().is_working_day('US', 'VA', date(2026, 3, 2))\n"
        "print(before, between, 'holidays' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False", "True"]
