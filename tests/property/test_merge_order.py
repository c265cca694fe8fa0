"""The promise of ``decide``: any order and any repeats of the same observations end the same way."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.decide import decide
from crossport.domain.effects import effects_of
from crossport.domain.facts import PortFacts, VbrFacts, merge_port, merge_vbr
from crossport.domain.history import History
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.phase import phase_of
from crossport.domain.vocabulary import Source
from tests.effort import REPEATABLE, examples
from tests.property.lives import LIVES, MODES, STRAY, day, in_batches, ordered, told
from tests.unit.domain.examples import POLICY, WINDOW, port_read, port_seen, vbr_seen

RULES = settings(deadline=None, derandomize=REPEATABLE, print_blob=True)


@st.composite
def tellings(draw: st.DrawFn) -> tuple[str, int, list[Observation], list[list[Observation]]]:
    """Some of a life with strays, and the same again: shuffled, with repeats, cut into batches."""
    mode, vlan_id = draw(st.sampled_from(sorted(LIVES)))
    known = st.sampled_from(LIVES[mode, vlan_id])
    observations = draw(st.lists(known, min_size=1, max_size=16)) + draw(st.lists(STRAY, max_size=2))
    repeats = draw(st.lists(st.sampled_from(observations), max_size=3))
    shuffled = draw(st.permutations(observations + repeats))
    sizes = draw(st.lists(st.integers(1, 4), max_size=8))
    return mode, vlan_id, observations, [list(batch) for batch in in_batches(shuffled, sizes)]


@given(tellings())
@settings(RULES, max_examples=examples(2_000))
def test_any_order_with_any_repeats_ends_the_same(
    telling: tuple[str, int, list[Observation], list[list[Observation]]],
) -> None:
    mode, vlan_id, observations, batches = telling
    start = ordered(mode, vlan_id)

    in_turn = told(start, [[seen] for seen in sorted(observations, key=lambda seen: (seen.at, seen.source))])
    shuffled = told(start, batches)

    assert shuffled.facts() == in_turn.facts()
    assert shuffled.net() == in_turn.net()
    assert shuffled.effect_keys == in_turn.effect_keys
    assert phase_of(shuffled.connection, WINDOW) is phase_of(in_turn.connection, WINDOW)


@given(st.sampled_from(sorted(LIVES)), st.randoms(use_true_random=False))
@settings(RULES, max_examples=examples(25))
def test_whole_lives_end_the_same(kind: tuple[str, int], random: Any) -> None:
    shuffled = list(LIVES[kind])
    random.shuffle(shuffled)
    sizes = [random.randint(1, 5) for _ in range(12)]

    in_turn = told(ordered(*kind), [[seen] for seen in LIVES[kind]])
    at_random = told(ordered(*kind), in_batches(shuffled, sizes))

    assert at_random.facts() == in_turn.facts()
    assert at_random.net() == in_turn.net()
    assert at_random.effect_keys == in_turn.effect_keys
    assert len(in_turn.live) > 4
    assert len(in_turn.effect_keys) > 20


@given(tellings())
@settings(RULES, max_examples=examples(300))
def test_one_more_observation_takes_no_effect_back(
    telling: tuple[str, int, list[Observation], list[list[Observation]]],
) -> None:
    mode, vlan_id, _, batches = telling
    connection = ordered(mode, vlan_id)
    known = {effect.key for effect in effects_of(connection, POLICY)}
    for seen in itertools.chain.from_iterable(batches):
        connection = decide(connection, [seen], POLICY).connection
        keys = {effect.key for effect in effects_of(connection, POLICY)}
        assert keys >= known
        known = keys


@given(tellings())
@settings(RULES, max_examples=examples(200))
def test_merging_is_idempotent_commutative_and_associative(
    telling: tuple[str, int, list[Observation], list[list[Observation]]],
) -> None:
    *_, batches = telling
    observations = list(itertools.chain.from_iterable(batches))

    assert _merged(observations) == _merged(observations[::-1])
    assert _merged(observations) == _merged([*observations, *observations])
    for seen in observations:
        assert _merged([*observations, seen]) == _merged([seen, *observations]) == _merged(observations)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(Source), st.sampled_from("abc")), max_size=14),
    st.randoms(use_true_random=False),
)
@settings(RULES, max_examples=examples(400))
def test_a_history_is_a_set_and_its_runs_never_become_fewer(
    entries: list[tuple[int, Source, str]], random: Any
) -> None:
    shuffled = random.sample(entries, len(entries))
    history: History[str] = History()
    counts = dict.fromkeys("abc", 0)
    returns = dict.fromkeys("abc", 0)
    for hours, source, value in shuffled:
        history = history.add(day(0) + timedelta(hours=hours), source, value)
        for one in "abc":
            assert history.count_runs(one) >= counts[one]
            assert history.count_runs(one, after=set("abc") - {one}) >= returns[one]
            counts[one] = history.count_runs(one)
            returns[one] = history.count_runs(one, after=set("abc") - {one})
    again: History[str] = History()
    for hours, source, value in entries:
        again = again.add(day(0) + timedelta(hours=hours), source, value)
    assert again == history
    assert len(history.entries) == len(set(entries))


@pytest.mark.parametrize("mode", MODES)
def test_news_of_a_settled_past_is_a_finding_and_changes_nothing(mode: str) -> None:
    start = told(ordered(mode, 120), [[seen] for seen in LIVES[mode, 120][:20]])
    late: list[Observation] = [
        port_read(day(-3), acceptance="Confirmed", status="Enabled", vlan_id=7),
        port_seen(day(-3), Source.EVENT, acceptance="Deleted"),
        vbr_seen(day(-3), Source.EVENT, deleted=True),
        vbr_seen(day(-3), Source.EVENT, vbr_id="vbr-never-heard-of", port_id="pc-1"),
    ]
    after = decide(start.connection, [port_read(day(32.5), acceptance="Confirmed", order_mode=mode)], POLICY)

    told_late = decide(after.connection, late, POLICY)

    assert told_late.connection == after.connection
    assert [finding.code for finding in told_late.findings] == ["late_observation"] * len(late)
    assert {finding.subject for finding in told_late.findings} == {"pc-1", "vbr-1", "vbr-never-heard-of"}
    assert told_late == replace(told_late, effects=(), records=(), changes=())


def test_settling_keeps_effects_charges_and_phase() -> None:
    kind = (MODES[1], 120)
    before = told(ordered(*kind), [LIVES[kind]])
    years_later = decide(before.connection, [port_seen(day(800), status="Enabled")], POLICY)

    settled = decide(years_later.connection, [port_seen(day(800), status="Enabled")], POLICY).connection
    assert settled.port is not None
    assert before.connection.port is not None
    assert len(settled.port.business_status.entries) < len(before.connection.port.business_status.entries)
    assert settled.heads == before.connection.heads
    assert {effect.key for effect in years_later.effects} == {effect.key for effect in effects_of(settled, POLICY)} - (
        before.effect_keys | {effect.key for effect in effects_of(ordered(*kind), POLICY)}
    )


def _merged(observations: list[Observation]) -> tuple[PortFacts | None, dict[str, VbrFacts]]:
    port: PortFacts | None = None
    vbrs: dict[str, VbrFacts] = {}
    for seen in observations:
        if isinstance(seen, PortObservation):
            port = merge_port(port, seen)
        elif isinstance(seen, VbrObservation):
            vbrs[seen.vbr_id] = merge_vbr(vbrs.get(seen.vbr_id), seen)
    return port, vbrs


def test_times_are_one_instant_however_written() -> None:
    """Keys and digests spell times out, so an instant in another zone must not make another key."""
    zoned = port_read(day(1), end_time=day(30).astimezone(tz=None))
    plain = port_read(day(1), end_time=day(30))
    assert zoned == plain
    assert zoned.end_time is not None
    assert zoned.end_time.isoformat() == day(30).isoformat()
    assert replace(zoned, at=day(1).astimezone(tz=None)).at.isoformat() == day(1).isoformat()
