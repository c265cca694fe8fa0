"""Histories: the current value, settling, absence; and the small values they are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.errors import CrossportError, NaiveTimeError, UnknownSpecError
from crossport.domain.facts import gone, merge_port, merge_vbr, missing_since, vbr_gone
from crossport.domain.history import History
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.specs import MBPS, NEEDS_APPROVAL, mbps
from crossport.domain.vocabulary import Acceptance, Presence, Source
from tests.unit.domain.examples import NOW, WINDOW, port_read, vbr_read

READ, EVENT, OWN = Source.READ, Source.EVENT, Source.OWN_ANSWER
NOWHERE = datetime(2022, 1, 1)  # noqa: DTZ001
ENTRIES = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(Source), st.sampled_from("abc")), max_size=30)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def told(*entries: tuple[float, Source, str]) -> History[str]:
    history: History[str] = History()
    for hours, source, value in entries:
        history = history.add(at(hours), source, value)
    return history


@pytest.mark.parametrize(
    ("entries", "current"),
    [
        ([], None),
        ([(2, READ, "new"), (1, OWN, "old")], "new"),
        ([(1, OWN, "own"), (1, EVENT, "event"), (1, READ, "read")], "own"),
        ([(1, READ, "read"), (1, EVENT, "event")], "event"),
        ([(1, READ, "a"), (1, READ, "b")], "b"),
    ],
)
def test_the_current_value_is_the_greatest_by_time_source_and_value(
    entries: list[tuple[float, Source, str]], current: str | None
) -> None:
    assert told(*entries).current == told(*reversed(entries)).current == current


def test_the_value_at_a_time_is_the_last_before_it_else_the_first() -> None:
    history = told((1, READ, "a"), (3, READ, "b"))
    assert [history.value_at(at(hours)) for hours in (0, 1, 2, 3, 4)] == ["a", "a", "a", "b", "b"]
    assert told().value_at(NOW) is None


def test_times_of_one_value_within_a_day_are_told_apart() -> None:
    flapping = told(*((minute / 60, READ, "locked" if minute % 2 else "normal") for minute in range(10)))
    assert (flapping.count_runs("locked"), flapping.count_runs("normal", after={"locked"})) == (5, 4)


@given(ENTRIES, st.integers(0, 60))
@settings(deadline=None)
def test_settling_bounds_the_past_and_keeps_all_that_is_asked_of_it(
    entries: list[tuple[int, Source, str]], hours: int
) -> None:
    history = told(*entries)
    settled = history.settle(at(hours))
    assert settled.settle(at(hours)) == settled
    assert settled.settle(at(hours - 1)) == settled
    assert settled.current == history.current
    assert settled.values() == history.values()
    for value in "abc":
        assert settled.count_runs(value) == history.count_runs(value)
        others = set("abc") - {value}
        assert settled.count_runs(value, after=others) == history.count_runs(value, after=others)
        assert {e.source for e in settled.entries if e.value == value} == {
            e.source for e in history.entries if e.value == value
        }
    assert all(settled.value_at(at(hour)) == history.value_at(at(hour)) for hour in range(-1, 62))
    assert [e for e in settled.entries if e.at >= at(hours)] == [e for e in history.entries if e.at >= at(hours)]
    past = [e for e in settled.entries if e.at < at(hours)]
    runs = 1 + sum(one.value != other.value for one, other in pairwise(past))
    assert len(past) <= 2 * len(Source) * runs


def test_a_settled_past_takes_no_more() -> None:
    settled = told((1, READ, "a"), (2, READ, "b")).settle(at(2))
    assert settled.add(at(1), EVENT, "late") is settled
    assert settled.add(at(2), EVENT, "in time").current == "in time"
    assert (settled.admits(at(1.9)), settled.admits(at(2))) == (False, True)


def test_what_is_of_the_settled_instant_is_not_past_yet() -> None:
    history = told((0, READ, "a"), (1, READ, "a"), (2, READ, "a"), (3, READ, "a"))
    settled = history.settle(at(2))
    assert [entry.at for entry in settled.entries] == [at(0), at(1), at(2), at(3)]
    assert settled.settle(at(2)) is settled
    assert history.settle(at(0)) is history
    assert [entry.at for entry in settled.settle(at(4)).entries] == [at(0), at(3)]


def test_acceptance_only_moves_forward() -> None:
    words = ("Confirmed", "UnConfirmed", "Deleted", "Confirmed", "Considered")
    port = merge_port(None, port_read(acceptance=None))
    assert port.acceptance is Acceptance.UNCONFIRMED
    met = []
    for number, word in enumerate(words):
        port = merge_port(port, port_read(at(number), acceptance=word))
        met.append(port.acceptance)
    assert met == [Acceptance.CONFIRMED] * 2 + [Acceptance.DELETED] * 3
    assert (port.confirmed, port.unknown_acceptance) == (True, frozenset({"Considered"}))


def test_facts_are_of_one_thing() -> None:
    with pytest.raises(ValueError, match="merged into"):
        merge_port(merge_port(None, port_read()), port_read(port_id="pc-2"))
    with pytest.raises(ValueError, match="merged into"):
        merge_vbr(merge_vbr(None, vbr_read()), vbr_read(vbr_id="vbr-2"))


SEEN, UNLISTED, UNFOUND = Presence.PRESENT, Presence.NOT_LISTED, Presence.NOT_FOUND


@pytest.mark.parametrize(
    ("sightings", "port_is_gone", "vbr_is_gone"),
    [
        ([], False, False),
        ([(0, UNLISTED)], False, False),
        ([(0, UNLISTED), (30, UNLISTED)], False, True),
        ([(0, UNLISTED), (29, UNLISTED), (40, UNFOUND)], False, True),
        ([(0, UNLISTED), (29, UNLISTED)], False, False),
        ([(0, UNLISTED), (30, UNLISTED), (40, UNFOUND)], True, True),
        ([(0, UNFOUND), (10, UNFOUND), (90, UNFOUND)], False, True),
        ([(0, UNLISTED), (30, UNLISTED), (40, UNFOUND), (50, SEEN)], False, False),
        ([(0, UNLISTED), (10, SEEN), (30, UNLISTED), (40, UNFOUND)], False, False),
        ([(0, SEEN), (10, UNLISTED), (50, UNLISTED), (60, UNFOUND)], True, True),
    ],
)
def test_absence_means_gone_only_after_two_listings_a_window_apart(
    sightings: list[tuple[int, Presence]], port_is_gone: bool, vbr_is_gone: bool
) -> None:
    """Design: two complete listings at least one window apart and a targeted read that finds nothing."""
    presence: History[str] = History()
    for seconds, value in reversed(sightings):
        presence = presence.add(NOW + timedelta(seconds=seconds), READ, str(value))
    assert (gone(presence, WINDOW), vbr_gone(presence, WINDOW)) == (port_is_gone, vbr_is_gone)


def test_one_look_proves_no_absence_even_without_a_window() -> None:
    once = told((0, READ, UNLISTED))
    assert not vbr_gone(once, timedelta(0))
    assert not gone(once.add(at(1), READ, UNFOUND), timedelta(0))


def test_missing_since_starts_over_with_each_sighting() -> None:
    history = told((0, READ, SEEN), (1, READ, UNLISTED), (2, READ, UNFOUND))
    assert missing_since(history) == at(1)
    assert missing_since(history.add(at(3), READ, SEEN)) is None
    assert missing_since(history.add(at(1.5), READ, SEEN)) == at(2)
    assert missing_since(told((1, READ, UNLISTED), (2, READ, UNLISTED))) == at(1)
    assert missing_since(told()) is None


def test_times_without_a_zone_are_refused_at_the_door() -> None:
    for name, build in (
        ("an observation's at", lambda: PortObservation(at=NOWHERE, source=READ, port_id="pc-1")),
        (
            "an observation's enabled_time",
            lambda: PortObservation(at=NOW, source=READ, port_id="pc-1", enabled_time=NOWHERE),
        ),
        ("an observation's end_time", lambda: PortObservation(at=NOW, source=READ, port_id="pc-1", end_time=NOWHERE)),
        ("an observation's at", lambda: VbrObservation(at=NOWHERE, source=READ, vbr_id="vbr-1")),
        ("an entry's time", lambda: told().add(NOWHERE, READ, "a")),
    ):
        with pytest.raises(NaiveTimeError) as caught:
            build()
        assert (caught.value.code, caught.value.retryable) == ("naive_time", False)
        assert str(caught.value) == caught.value.message == f"{name} has no time zone"
        assert caught.value.fields == {"name": name}


def test_times_of_observations_are_kept_in_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=8)))
    port = PortObservation(at=elsewhere, source=READ, port_id="pc-1", enabled_time=elsewhere, end_time=elsewhere)
    vbr = VbrObservation(at=elsewhere, source=READ, vbr_id="vbr-1")
    assert port.enabled_time is not None
    assert port.end_time is not None
    for kept in (port.at, port.enabled_time, port.end_time, vbr.at):
        assert kept == NOW
        assert kept.tzinfo is UTC


def test_specs_are_the_eleven_of_the_api_in_decimal_mbits() -> None:
    assert [mbps(spec) for spec in MBPS] == [50, 100, 200, 300, 400, 500, 1_000, 2_000, 5_000, 8_000, 10_000]
    assert {spec for spec in MBPS if mbps(spec) > 1_000} == NEEDS_APPROVAL
    with pytest.raises(UnknownSpecError) as caught:
        mbps("20G")
    assert isinstance(caught.value, CrossportError)
    assert caught.value.fields == {"spec": "20G"}
    assert "20G" in caught.value.message
