"""No order of observations, with the relay's turns anywhere between, keeps back what holds in the end.

A relay takes each outbox row in turn, as the real one does: what is moot is dropped for good, what is early waits, the
rest goes. The one that looks after every save drops the most; the one that looks once, at the end, the least.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from crossport.domain.connection import Connection
from crossport.domain.decide import decide
from crossport.domain.effects import Effect, Notice, effects_of, moot, too_early
from crossport.domain.observation import Observation
from tests.effort import examples
from tests.property.lives import LIVES, STRAY, in_batches, ordered
from tests.unit.domain.examples import POLICY


@dataclass
class Relay:
    """Outbox rows by key, with those that went and those that were dropped."""

    waiting: dict[str, Effect] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    dropped: dict[str, str] = field(default_factory=dict)

    def turn(self, connection: Connection) -> None:
        """One turn for each row that waits."""
        for key, effect in list(self.waiting.items()):
            reason = moot(effect, connection, POLICY)
            if reason is not None:
                self.dropped[key] = reason
            elif too_early(effect, connection, POLICY) is not None:
                continue
            else:
                self.gone.add(key)
            del self.waiting[key]


@st.composite
def tellings(draw: st.DrawFn) -> tuple[Connection, list[list[Observation]], list[bool]]:
    """Some of a life with strays, in any order and any batches, and after which of them the relay runs."""
    kind = draw(st.sampled_from(sorted(LIVES)))
    known = st.sampled_from(LIVES[kind])
    observations = draw(st.lists(known, min_size=1, max_size=16)) + draw(st.lists(STRAY, max_size=3))
    sizes = draw(st.lists(st.integers(1, 3), max_size=12))
    batches = [list(batch) for batch in in_batches(draw(st.permutations(observations)), sizes)]
    return ordered(*kind), batches, draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))


@given(tellings())
@settings(deadline=None, max_examples=examples(1_000), print_blob=True)
def test_what_holds_in_the_end_has_gone(telling: tuple[Connection, list[list[Observation]], list[bool]]) -> None:
    connection, batches, runs = telling
    relay = Relay({effect.key: effect for effect in effects_of(connection, POLICY)})
    for batch, run in zip(batches, runs, strict=True):
        decision = decide(connection, batch, POLICY)
        relay.waiting |= {effect.key: effect for effect in decision.effects}
        connection = decision.connection
        if run:
            relay.turn(connection)
    relay.turn(connection)

    for effect in effects_of(connection, POLICY):
        if moot(effect, connection, POLICY) is None and too_early(effect, connection, POLICY) is None:
            assert effect.key in relay.gone, f"{effect.key} holds and was dropped: {relay.dropped.get(effect.key)}"


@given(tellings())
@settings(deadline=None, max_examples=examples(500), print_blob=True)
def test_what_is_moot_once_is_moot_for_ever(telling: tuple[Connection, list[list[Observation]], list[bool]]) -> None:
    """The reason why nothing is lost: whether an effect is moot rests on facts that never go back."""
    connection, batches, _ = telling
    moots: dict[str, str] = {}
    for batch in batches:
        connection = decide(connection, batch, POLICY).connection
        now = {
            effect.key: reason
            for effect in effects_of(connection, POLICY)
            if isinstance(effect, Notice) and (reason := moot(effect, connection, POLICY)) is not None
        }
        assert now.keys() >= moots.keys(), f"not moot any more: {sorted(moots.keys() - now.keys())}"
        moots = now
