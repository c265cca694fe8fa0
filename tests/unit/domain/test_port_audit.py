"""What time alone brings to a port: an end that nobody has moved, and a term that nothing charges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crossport.domain.observation import PortObservation
from crossport.domain.port_audit import RENEWED_BY, overdue_of
from crossport.domain.vocabulary import Acceptance, Source

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PORT = PortObservation(
    at=NOW,
    source=Source.READ,
    port_id="pc-1",
    acceptance=Acceptance.CONFIRMED,
    status="Enabled",
    enabled_time=NOW - 20 * DAY,
    end_time=NOW + 11 * DAY,
)


@pytest.mark.parametrize(
    ("port", "codes"),
    [
        (PORT, []),
        (replace(PORT, end_time=NOW + RENEWED_BY + timedelta(seconds=1)), []),
        (replace(PORT, end_time=NOW + RENEWED_BY), ["expiry_near"]),
        (replace(PORT, end_time=NOW + timedelta(seconds=1)), ["expiry_near"]),
        (replace(PORT, end_time=NOW), ["billing_gap"]),
        (replace(PORT, enabled_time=None), ["billing_gap"]),
        (replace(PORT, end_time=None), []),
        (replace(PORT, end_time=NOW, status="Terminated"), []),
        (replace(PORT, end_time=NOW, acceptance=Acceptance.DELETED), []),
    ],
)
def test_each_state_has_its_finding(port: PortObservation, codes: list[str]) -> None:
    assert [breach.code for breach in overdue_of([port], {"pc-1"}, NOW)] == codes


def test_only_ports_of_ours_count_and_in_a_stable_order() -> None:
    ended = [replace(PORT, port_id=name, end_time=NOW) for name in ("pc-3", "pc-1", "pc-2")]
    assert [breach.subject for breach in overdue_of(ended, {"pc-1", "pc-3"}, NOW)] == ["pc-1", "pc-3"]
