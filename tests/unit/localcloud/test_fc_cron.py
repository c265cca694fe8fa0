"""When timer triggers fire."""

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.fc.cron import parse_schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 4 * * *", "2026-11-24T03:59:59", "2026-11-24T04:00:00"),
        ("0 0 4 * * *", "2026-11-24T04:00:00", "2026-11-25T04:00:00"),
        ("CRON_TZ=Asia/Shanghai 0 10 0 * * *", "2026-11-24T16:09:59", "2026-11-24T16:10:00"),
        ("CRON_TZ=Asia/Shanghai 0 10 0 * * *", "2026-11-24T16:10:00", "2026-11-25T16:10:00"),
        ("CRON_TZ=Asia/Shanghai 0 0 4 1 * *", "2026-11-24T00:00:00", "2026-11-30T20:00:00"),
        ("*/15 * * * * *", "2026-11-24T00:00:44", "2026-11-24T00:00:45"),
        ("30 5-7 * * * *", "2026-11-24T00:07:30", "2026-11-24T01:05:30"),
        ("0 0 9 ? * MON-FRI", "2026-11-27T09:00:00", "2026-11-30T09:00:00"),
        ("0 0 0 29 FEB *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        # Both day fields restricted: either of them is enough. 24 November 2026 is a Tuesday.
        ("0 0 0 13 * 5", "2026-11-24T00:00:00", "2026-11-27T00:00:00"),
        ("0 0 0 13 * 5", "2026-12-12T00:00:00", "2026-12-13T00:00:00"),
        ("0 0 0 1,15 1 *", "2026-01-01T00:00:00", "2026-01-15T00:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:58", "2026-12-31T23:59:59"),
    ],
)
def test_cron_expression(expression: str, after: str, expected: str) -> None:
    assert parse_schedule(expression).following(at(after)) == at(expected)


def test_a_local_time_that_summer_time_skips_does_not_fire() -> None:
    schedule = parse_schedule("CRON_TZ=America/New_York 0 30 2 * * *")
    # 8 March 2026: 02:00 becomes 03:00. The day before fires at 02:30 EST, the day after at 02:30 EDT.
    assert schedule.following(at("2026-03-07T07:30:00")) == at("2026-03-09T06:30:00")


def test_a_local_time_that_occurs_twice_fires_once() -> None:
    schedule = parse_schedule("CRON_TZ=America/New_York 0 30 1 * * *")
    first = schedule.following(at("2026-11-01T00:00:00"))
    assert first == at("2026-11-01T05:30:00")
    assert schedule.following(first) == at("2026-11-02T06:30:00")


@pytest.mark.parametrize(
    ("expression", "interval"),
    [
        ("@every 1m", timedelta(minutes=1)),
        ("@every 1h30m", timedelta(minutes=90)),
        ("@every 45s", timedelta(seconds=45)),
    ],
)
def test_every_keeps_the_phase_of_its_start(expression: str, interval: timedelta) -> None:
    start = at("2026-11-24T10:00:07")
    schedule = parse_schedule(expression, start)
    assert schedule.following(start) == start + interval
    assert schedule.following(start + interval) == start + 2 * interval
    assert schedule.following(start + 5 * interval - timedelta(microseconds=1)) == start + 5 * interval
    assert schedule.following(start - timedelta(days=1)) == start + interval


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 4 * *",
        "0 4 * * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "5-3 * * * * *",
        "*/0 * * * * *",
        "a * * * * *",
        "-1 * * * * *",
        "0 0 0 30 2 *",
        "CRON_TZ=Mars/Olympus 0 0 4 * * *",
        "@every 0s",
        "@every 1 minute",
        "@daily",
        "",
    ],
)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_schedule(expression)
