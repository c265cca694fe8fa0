"""Lives of one connection as the cloud could tell them, and what a store would hold after being told.

All times lie within the settlement age of one another, which is what the promise of order covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from crossport.domain.connection import Connection, Terms
from crossport.domain.decide import decide
from crossport.domain.effects import effects_of
from crossport.domain.ledger import BillingRecord
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import OrderMode, Presence, Source
from tests.unit.domain.examples import (
    CIRCUIT,
    NOW,
    POLICY,
    PORT,
    STRANGER,
    TENANT,
    connection,
    port_read,
    port_seen,
    vbr_read,
    vbr_seen,
)

ENABLED_AT = NOW + timedelta(days=2)
ENABLED_LATER = NOW + timedelta(days=11, hours=3)
END = datetime(2022, 9, 3, 16, 0, tzinfo=UTC)
#: The same instant as END, written in another zone.
END_ELSEWHERE = END.astimezone(timezone(timedelta(hours=8)))
RENEWED = datetime(2022, 10, 3, 16, 0, tzinfo=UTC)
OFF_GRID = datetime(2022, 9, 20, 5, 0, tzinfo=UTC)
MODES = (str(OrderMode.TENANT_PAYS), str(OrderMode.PARTNER_PAYS))


def day(days: float) -> datetime:
    """So many days into the life."""
    return NOW + timedelta(days=days)


def ordered(mode: str, vlan_id: int) -> Connection:
    """The connection as the order left it: VLAN held, create call intended."""
    return connection(terms=Terms(spec="100M", vlan_id=vlan_id, order_mode=mode))


def life(mode: str, vlan_id: int) -> tuple[Observation, ...]:
    """Everything that could be said of one connection in 34 days, awkward neighbours included."""
    agreed: dict[str, Any] = {"vlan_id": vlan_id, "order_mode": mode}
    created = {"acceptance": "UnConfirmed", "spec": "100M", "tenant_uid": TENANT, "circuit_id": CIRCUIT, **agreed}
    paid = {"status": "Enabled", "enabled_time": ENABLED_AT, "end_time": END, **agreed}
    running = {"acceptance": "Confirmed", **paid}
    other_vlan = vlan_id + 1
    return (
        # Created: by our own answer, by the event, and as a read shows it.
        port_seen(day(0), Source.OWN_ANSWER, presence=Presence.PRESENT, **created),
        port_seen(day(0), Source.EVENT, presence=Presence.PRESENT, **created),
        port_read(day(0.01), **agreed),
        # Accepted before it was paid, paid before it was accepted, and a read that lagged behind both.
        port_seen(day(1), Source.EVENT, acceptance="Confirmed"),
        port_read(day(1.01), acceptance="Confirmed", status="Confirmed", **agreed),
        port_read(day(1.02), **agreed),
        port_read(day(0.5), **paid),
        port_read(day(2.01), **running),
        port_read(day(2.02), **{**running, "end_time": END_ELSEWHERE}),
        port_read(day(2.02), **{**running, "end_time": END}),
        port_seen(day(2.02), Source.EVENT, enabled_time=ENABLED_AT, status="Enabled"),
        # The VBR: before the acceptance, after it, with the owner unnamed, not up yet, attached from the circuit.
        vbr_seen(day(0.2), Source.EVENT, port_id=PORT, vlan_id=vlan_id, presence=Presence.PRESENT),
        vbr_seen(day(2.5), Source.EVENT, port_id=PORT, vlan_id=vlan_id, owner_uid=TENANT),
        vbr_read(day(2.6), status="unconfirmed", vlan_id=vlan_id),
        vbr_read(day(2.7), vlan_id=vlan_id),
        vbr_read(day(2.3), port_id=CIRCUIT, vlan_id=vlan_id),
        vbr_seen(day(2.4), Source.OWN_ANSWER, port_id=PORT),
        # The same VBR and others, as they should not be.
        vbr_read(day(2.65), vlan_id=other_vlan),
        vbr_read(day(2.8), owner_uid=STRANGER, vlan_id=vlan_id),
        vbr_read(day(3), vbr_id="vbr-2", vlan_id=vlan_id),
        vbr_read(day(3.1), vbr_id="vbr-2", vlan_id=other_vlan),
        vbr_read(day(3.2), vbr_id="vbr-3", owner_uid=STRANGER, vlan_id=vlan_id),
        vbr_seen(day(3.5), Source.EVENT, vbr_id="vbr-2", deleted=True),
        vbr_seen(day(3.6), vbr_id="vbr-3", presence=Presence.NOT_LISTED),
        vbr_seen(day(3.7), vbr_id="vbr-3", presence=Presence.NOT_LISTED),
        vbr_read(day(3.65), vbr_id="vbr-3", owner_uid=STRANGER, vlan_id=vlan_id),
        vbr_seen(day(9), Source.EVENT, status="terminating"),
        vbr_read(day(9.1), status="terminated", vlan_id=vlan_id),
        vbr_read(day(9.2), status="recovering", vlan_id=vlan_id),
        vbr_read(day(9.3), status="reticulating", vlan_id=vlan_id),
        vbr_read(day(9.4), vlan_id=vlan_id),
        # Locked and unlocked, several times within an hour and over days.
        *(
            port_seen(day(5) + timedelta(minutes=7 * number), business_status=status)
            for number, status in enumerate(
                ("Normal", "FinancialLocked", "Normal", "FinancialLocked", "SecurityLocked", "Normal", "Odd", "Normal")
            )
        ),
        port_read(day(6), **{**running, "business_status": "FinancialLocked"}),
        port_read(day(7), **running),
        # Terminated by either side and recovered.
        port_seen(day(8), Source.EVENT, status="Terminating"),
        port_read(day(8.01), **{**running, "status": "Terminated"}),
        port_seen(day(8.02), Source.OWN_ANSWER, status="Terminated"),
        port_read(day(8.5), **running),
        port_read(day(8.6), **{**running, "status": "Terminated"}),
        port_read(day(8.7), **running),
        port_seen(day(8.8), status="Sublimated"),
        port_seen(day(8.9), acceptance="Considered"),
        # The spec, the VLAN ID, the payer and the tenant change, or seem to.
        port_seen(day(10), Source.EVENT, expect_spec="200M"),
        port_read(day(10.5), **{**running, "spec": "200M"}),
        port_seen(day(10.6), spec="7G"),
        port_seen(day(10.7), Source.EVENT, vlan_id=other_vlan),
        port_read(day(10.8), **running),
        port_seen(day(10.9), order_mode=MODES[mode == MODES[0]]),
        port_seen(day(10.95), tenant_uid=STRANGER, circuit_id="pc-elsewhere"),
        port_read(day(11), **running),
        # A new EnabledTime, an EndTime off the grid, renewals seen late and out of turn.
        port_read(day(12), **{**running, "enabled_time": ENABLED_LATER}),
        port_read(day(13), **{**running, "end_time": OFF_GRID}),
        port_read(day(20), **{**running, "end_time": RENEWED}),
        port_seen(day(20), end_time=END),
        port_read(day(33), **{**running, "end_time": RENEWED, "spec": "200M"}),
        # Locked when its term was over, renewed too late to be seen first.
        port_read(day(33.5), **{**running, "business_status": "FinancialLocked"}),
        vbr_read(day(8.9), status="terminated", vlan_id=vlan_id),
        # Missing, back again, and gone: by absence and by word.
        port_seen(day(25), presence=Presence.NOT_LISTED),
        port_seen(day(25.1), presence=Presence.NOT_LISTED),
        port_seen(day(25.2), presence=Presence.NOT_FOUND),
        port_seen(day(25.15), presence=Presence.PRESENT),
        port_seen(day(30), Source.EVENT, status="Canceled"),
        vbr_seen(day(33), Source.EVENT, deleted=True),
        port_seen(day(34), Source.EVENT, acceptance="Deleted"),
    )


LIVES = {(mode, vlan_id): life(mode, vlan_id) for mode in MODES for vlan_id in (0, 120)}

_TIMES = st.sampled_from([day(number / 4) for number in range(136)])
_SOURCES = st.sampled_from(Source)


def _maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((None, None, *values))


#: Observations that no life above contains: any words at any time from any source.
STRAY = st.one_of(
    st.builds(
        PortObservation,
        at=_TIMES,
        source=_SOURCES,
        port_id=st.just(PORT),
        acceptance=_maybe("UnConfirmed", "Confirmed"),
        status=_maybe("Enabled", "Terminated", "Allocated", "Unheard of"),
        business_status=_maybe("Normal", "FinancialLocked", "SecurityLocked"),
        spec=_maybe("100M", "200M"),
        vlan_id=_maybe(0, 120, 121),
        enabled_time=_maybe(ENABLED_AT, ENABLED_LATER),
        end_time=_maybe(END, END_ELSEWHERE, RENEWED, OFF_GRID),
        presence=_maybe(*Presence),
    ),
    st.builds(
        VbrObservation,
        at=_TIMES,
        source=_SOURCES,
        vbr_id=st.sampled_from(("vbr-1", "vbr-2")),
        port_id=_maybe(PORT, CIRCUIT),
        owner_uid=_maybe(TENANT, STRANGER),
        vlan_id=_maybe(0, 120, 121),
        status=_maybe("active", "terminated", "Unheard of"),
        presence=_maybe(*Presence),
    ),
)


@dataclass
class Told:
    """One connection being told observations: its facts, its effects and an append-only ledger, all checked."""

    connection: Connection
    policy: Policy = POLICY
    effect_keys: set[str] = field(default_factory=set)
    records: dict[str, BillingRecord] = field(default_factory=dict)
    #: Live record of each fact.
    live: dict[str, BillingRecord] = field(default_factory=dict)

    def tell(self, batch: Sequence[Observation]) -> None:
        """One decision and its save. Fails when an effect is repeated or the ledger's promise is broken."""
        decision = decide(self.connection, batch, self.policy)
        for effect in decision.effects:
            assert effect.key not in self.effect_keys, f"{effect.key} was called for twice"
            self.effect_keys.add(effect.key)
        for record in decision.records:
            self._append(record)
        self.connection = decision.connection

    def _append(self, record: BillingRecord) -> None:
        assert record.key not in self.records, f"{record.key} was written twice"
        self.records[record.key] = record
        if record.reverses is None:
            assert record.fact not in self.live, f"{record.fact} would have two live records"
            self.live[record.fact] = record
            return
        taken_back = self.live.pop(record.fact, None)
        assert taken_back is not None, f"{record.key} reverses nothing that lives"
        assert (taken_back.key, taken_back.record) == (record.reverses, record.record)

    def net(self) -> dict[str, str]:
        """The net ledger: what the live record of each fact says."""
        return {fact: record.record for fact, record in self.live.items()}

    def net_by_heads(self) -> dict[str, str]:
        """The same as the connection itself remembers it."""
        return {head.fact: head.record for head in self.connection.heads if head.digest}

    def facts(self) -> Connection:
        """The connection less its heads, whose revision numbers tell of the path."""
        return replace(self.connection, heads=())


def told(start: Connection, batches: Iterable[Sequence[Observation]], policy: Policy = POLICY) -> Told:
    """A connection that was told these batches, one save each."""
    listener = Told(start, policy)
    for batch in batches:
        listener.tell(batch)
    assert listener.net() == listener.net_by_heads()
    # The effects rules are monotone: what any step called for, the end calls for too, and nothing was skipped.
    assert listener.effect_keys >= {effect.key for effect in effects_of(listener.connection, policy)} - {
        effect.key for effect in effects_of(start, policy)
    }
    return listener


def in_batches(observations: Sequence[Observation], sizes: Sequence[int]) -> list[Sequence[Observation]]:
    """The observations cut into batches of these sizes; what is left over makes one more."""
    batches, rest = [], observations
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    return [batch for batch in (*batches, rest) if batch]
