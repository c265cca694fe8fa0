"""Which timers are due when the clock moves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.fc.template import FunctionDefinition, TimerTrigger
from localcloud.fc.timers import Firing, Timers

START = datetime(2026, 11, 24, 10, 0, 30, tzinfo=UTC)


def timers(*expressions: str, enabled: bool = True) -> Timers:
    triggers = tuple(
        TimerTrigger(name=f"t{number}", expression=expression, payload="", enabled=enabled)
        for number, expression in enumerate(expressions)
    )
    definition = FunctionDefinition(
        name="f",
        region="us-east-1",
        runtime="python3.12",
        handler="index.handler",
        code=Path(),
        triggers=triggers,
    )
    return Timers([definition], START)


def test_a_timer_is_due_once_at_its_time() -> None:
    every = timers("@every 1m")
    due = START + timedelta(minutes=1)
    assert every.upcoming() == due
    assert every.due(due - timedelta(microseconds=1)) == []
    assert every.due(due) == [Firing(function="f", trigger="t0", at=due, payload="")]
    assert every.due(due) == []
    assert every.upcoming() == due + timedelta(minutes=1)


@pytest.mark.parametrize(
    "jump", [timedelta(days=35, seconds=17), timedelta(minutes=2), timedelta(minutes=3, seconds=59)]
)
def test_a_jump_over_many_ticks_fires_once_at_the_last(jump: timedelta) -> None:
    (firing,) = timers("@every 1m").due(START + jump)
    assert firing.at == START + jump - (jump % timedelta(minutes=1))


def test_a_jump_over_many_days_fires_a_daily_timer_at_the_last_day() -> None:
    (firing,) = timers("CRON_TZ=Asia/Shanghai 0 10 0 * * *").due(datetime(2026, 12, 25, 16, 9, 59, tzinfo=UTC))
    assert firing.at == datetime(2026, 12, 24, 16, 10, tzinfo=UTC)


def test_firings_come_in_order_of_time() -> None:
    both = timers("0 0 12 * * *", "0 0 11 * * *").due(START + timedelta(hours=3))
    assert [firing.trigger for firing in both] == ["t1", "t0"]


def test_disabled_timers_are_never_due() -> None:
    none = timers("@every 1m", enabled=False)
    assert none.upcoming() is None
    assert none.due(START + timedelta(days=1)) == []


def test_the_event_has_the_documented_form() -> None:
    firing = Firing(function="f", trigger="timer-trigger", at=datetime(2023, 12, 26, 7, 49, tzinfo=UTC), payload="名")
    assert firing.event().decode() == (
        '{"triggerTime": "2023-12-26T07:49:00Z", "triggerName": "timer-trigger", "payload": "名"}'
    )
