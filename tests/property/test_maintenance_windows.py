"""However records are put down, a circuit's planned windows never overlap, and what is refused really clashes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from crossport.domain.maintenance import Maintenance, why_not_recorded
from tests.unit.domain.examples import NOW
from tests.unit.domain.test_maintenance import record

HOUR = timedelta(hours=1)
WINDOWS = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda w: record(begins=w[0], ends=w[0] + w[1]))


@given(st.lists(WINDOWS, max_size=12))
def test_accepted_windows_of_a_circuit_never_overlap(wanted: list[Maintenance]) -> None:
    kept: list[Maintenance] = []
    for number, one in enumerate(wanted):
        named = replace(one, record_id=f"mnt-{number}")
        refusals = why_not_recorded(named, kept, [])
        hours = {each.record_id for each in kept for hour in range(41) if _both(named, each, hour)}
        assert {each.subject for each in refusals} == hours
        if not refusals:
            kept.append(named)
    for hour in range(41):
        assert sum(one.in_force(NOW + hour * HOUR) for one in kept) <= 1


def _both(one: Maintenance, other: Maintenance, hour: int) -> bool:
    return one.in_force(NOW + hour * HOUR) and other.in_force(NOW + hour * HOUR)
