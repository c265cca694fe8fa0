"""Clocks and ids of a process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crossport.entrypoints.clock import OffsetClock, RandomIds, SystemClock
from crossport.entrypoints.errors import ClockFileError


def test_system_clock_is_real_and_in_utc() -> None:
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta()


def test_offset_clock_follows_its_file(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    clock = OffsetClock(file)
    for days in (0.0, 31.5, -400.0):
        file.write_text(repr(timedelta(days=days).total_seconds()), encoding="ascii")
        before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
        assert before <= now - timedelta(days=days) <= after


@pytest.mark.parametrize("content", ["", "soon", "nan", "1e300"])
def test_file_without_an_offset_is_an_error_with_a_code(tmp_path: Path, content: str) -> None:
    file = tmp_path / "clock"
    file.write_text(content, encoding="ascii")
    with pytest.raises(ClockFileError):
        OffsetClock(file).now()


def test_missing_file_is_an_error_with_a_code(tmp_path: Path) -> None:
    with pytest.raises(ClockFileError):
        OffsetClock(tmp_path / "none").now()


def test_ids_differ_and_are_32_hexadecimal_digits() -> None:
    made = {RandomIds().new() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 32 and int(one, 16) >= 0 for one in made)
