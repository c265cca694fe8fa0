"""The document codec: what goes in comes out, whatever it is."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossport.adapters.store import document, observations
from crossport.application.errors import UnreadableDocumentError
from crossport.domain.connection import Connection, Migration, Milestone, RecordHead, Refusal, Request, Terms
from crossport.domain.facts import EMPTY, PORT_FIELDS, VBR_FIELDS, PortFacts, VbrFacts
from crossport.domain.history import Entry, History
from crossport.domain.observation import Observation, PortObservation, VbrObservation
from crossport.domain.vocabulary import Flow, MilestoneName, OrderMode, Origin, Presence, RequestKind, Source

#: Fixed offsets: a zone with daylight saving is no zone of the cloud, and its name is not kept.
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8), "UTC+8"), timezone(-timedelta(hours=3, minutes=30))])
TIMES = st.datetimes(datetime(2015, 1, 1), datetime(2045, 1, 1), timezones=ZONES)  # noqa: DTZ001 - bounds are naive by contract
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
#: Known words of the cloud and words that nobody has documented.
WORDS = st.sampled_from(["Enabled", "Confirmed", "FinancialLocked", "", "状态未知", "Brand New Status"])
VLANS = st.integers(-1, 4_095)


def histories(values: st.SearchStrategy[Any]) -> st.SearchStrategy[History[Any]]:
    """Mostly short ones, and empty ones: twenty of them make one example."""
    entries = st.lists(st.builds(Entry, TIMES, st.sampled_from(Source), values), max_size=3)
    filled = st.builds(lambda found, until: History(tuple(sorted(found)), until), entries, st.none() | TIMES)
    return st.just(EMPTY) | filled


def _values(name: str) -> st.SearchStrategy[Any]:
    if name in document.TIME_FIELDS:
        return TIMES
    return VLANS if name == "vlan_id" else WORDS


PORTS = st.builds(
    PortFacts,
    port_id=TEXTS,
    first_seen=TIMES,
    confirmed_at=st.none() | TIMES,
    deleted=st.booleans(),
    unknown_acceptance=st.frozensets(WORDS),
    **{name: histories(_values(name)) for name in PORT_FIELDS},
)
VBRS = st.builds(
    VbrFacts,
    vbr_id=TEXTS,
    first_seen=TIMES,
    deleted=st.booleans(),
    **{name: histories(_values(name)) for name in VBR_FIELDS},
)
REQUESTS = st.builds(
    Request,
    request_id=TEXTS,
    kind=st.sampled_from(RequestKind),
    at=TIMES,
    actor=TEXTS,
    spec=WORDS,
    vlan_id=st.none() | VLANS,
    forced=TEXTS,
    vbr_id=TEXTS,
)
MIGRATIONS = st.builds(Migration, vbr_id=TEXTS, bandwidth_mbps=st.integers(0, 10_000), before=TEXTS, after=TEXTS)
REFUSALS = st.builds(Refusal, code=TEXTS, message=TEXTS, subject=TEXTS)
CONNECTIONS = st.builds(
    Connection,
    connection_id=TEXTS,
    account_id=st.from_regex(r"\d{16}", fullmatch=True),
    region=TEXTS,
    circuit_id=TEXTS,
    tenant_uid=TEXTS,
    flow=st.sampled_from(Flow),
    origin=st.sampled_from(Origin),
    terms=st.builds(Terms, spec=WORDS, vlan_id=VLANS, order_mode=st.sampled_from(OrderMode) | TEXTS),
    created_at=TIMES,
    client_order_id=TEXTS,
    contract_number=TEXTS,
    purchase_order=TEXTS,
    customer_reference=TEXTS,
    tenant_region=TEXTS,
    milestones=st.lists(
        st.builds(Milestone, name=st.sampled_from(MilestoneName), at=TIMES, actor=TEXTS, evidence=TEXTS), max_size=3
    ).map(tuple),
    requests=st.lists(REQUESTS, max_size=3).map(tuple),
    migration=st.none() | MIGRATIONS,
    group_id=TEXTS,
    group_ready_at=st.none() | TIMES,
    refusals=st.lists(REFUSALS, max_size=2).map(tuple),
    intended_at=st.none() | TIMES,
    failure=st.none() | REFUSALS,
    withdrawn_at=st.none() | TIMES,
    hold_released_at=st.none() | TIMES,
    cease_recorded_at=st.none() | TIMES,
    attested_at=st.none() | TIMES,
    port=st.none() | PORTS,
    vbrs=st.lists(VBRS, max_size=2).map(tuple),
    heads=st.lists(
        st.builds(RecordHead, fact=TEXTS, revision=st.integers(0, 99), digest=TEXTS, record=TEXTS), max_size=2
    ).map(tuple),
)


def test_the_strategies_below_know_every_field() -> None:
    """A field that is new in the domain must not slip through the properties at its default."""
    assert {each.name for each in fields(Connection) if each.compare} == {
        "connection_id", "account_id", "region", "circuit_id", "tenant_uid", "flow", "origin", "terms", "created_at",
        "client_order_id", "contract_number", "purchase_order", "customer_reference", "tenant_region", "milestones",
        "requests", "migration", "group_id", "refusals", "intended_at", "failure", "withdrawn_at", "cease_recorded_at",
        "hold_released_at", "attested_at", "group_ready_at", "port", "vbrs", "heads",
    }  # fmt: skip
    assert set(Request.__dataclass_fields__) == {
        "request_id", "kind", "at", "actor", "spec", "vlan_id", "forced", "vbr_id",
    }  # fmt: skip
    assert set(Migration.__dataclass_fields__) == {"vbr_id", "bandwidth_mbps", "before", "after"}
    assert set(PortFacts.__dataclass_fields__) == {
        "port_id", "first_seen", "confirmed_at", "deleted", "unknown_acceptance", *PORT_FIELDS,
    }  # fmt: skip
    assert set(VbrFacts.__dataclass_fields__) == {"vbr_id", "first_seen", "deleted", *VBR_FIELDS}


@given(CONNECTIONS)
def test_a_connection_comes_back_as_it_was(connection: Connection) -> None:
    text = document.dump(connection)
    back = document.load(text)
    assert back == connection
    assert document.dump(back) == text
    assert [type(mode) for mode in (back.flow, back.origin)] == [Flow, Origin]


@given(TIMES)
def test_times_keep_their_text(at: datetime) -> None:
    """Effect keys are made of ``isoformat``: an offset that changed on the way would make a notice twice."""
    port = PortFacts(port_id="pc-1", first_seen=at, end_time=History((Entry(at, Source.READ, at),)))
    back = document.load(document.dump(_bare(port=port)))
    assert back.port is not None
    assert back.port.first_seen.isoformat() == at.isoformat()
    assert [entry.value.isoformat() for entry in back.port.end_time.entries] == [at.isoformat()]


def test_enumerations_come_back_as_members() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    milestone = Milestone(name=MilestoneName.QUOTED, at=at, actor="wang")
    port = PortFacts(port_id="pc-1", first_seen=at, status=History((Entry(at, Source.OWN_ANSWER, "Terminated"),)))
    asked = Request(request_id="R-1", kind=RequestKind.CHANGE_VLAN, at=at, actor="wang", vlan_id=0)
    back = document.load(document.dump(_bare(port=port, milestones=(milestone,), requests=(asked,))))
    assert back.milestone(MilestoneName.QUOTED) == milestone
    assert back.request(RequestKind.CHANGE_VLAN) == asked
    assert back.agreed_vlan_id == 0
    assert back.port is not None
    assert back.port.status.entries[0].source is Source.OWN_ANSWER
    assert back.terms.order_mode is OrderMode.TENANT_PAYS


def test_one_read_is_stamped_once() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    seen: dict[str, Any] = {
        name: History((Entry(at, Source.READ, "x"),)) for name in ("status", "spec", "tenant_uid", "circuit_id")
    }
    written = json.loads(document.dump(_bare(port=PortFacts(port_id="pc-1", first_seen=at, **seen))))
    assert written["stamps"] == [at.isoformat(), int(Source.READ)]
    assert written["port"]["status"] == [0, "x"]


def test_a_document_of_another_layout_is_refused() -> None:
    written = json.loads(document.dump(_bare())) | {"layout": document.LAYOUT + 1}
    with pytest.raises(UnreadableDocumentError, match="layout 2"):
        document.load(json.dumps(written))


def test_a_document_from_before_requests_were_kept_loads() -> None:
    """Layout 1 as the first release wrote it."""
    before = json.loads(document.dump(_bare()))
    assert set(before) == {
        "layout", "connection_id", "account_id", "region", "circuit_id", "tenant_uid", "flow", "origin", "terms",
        "created_at",
    }  # fmt: skip
    back = document.load(json.dumps(before))
    assert (back.requests, back.migration, back.group_id) == ((), None, "")


PRESENCES = st.none() | st.sampled_from(Presence)
OBSERVATIONS = st.builds(
    PortObservation,
    at=TIMES,
    source=st.sampled_from(Source),
    port_id=TEXTS,
    acceptance=st.none() | WORDS,
    status=st.none() | WORDS,
    business_status=st.none() | WORDS,
    spec=st.none() | WORDS,
    expect_spec=st.none() | WORDS,
    vlan_id=st.none() | VLANS,
    tenant_uid=st.none() | TEXTS,
    order_mode=st.none() | TEXTS,
    circuit_id=st.none() | TEXTS,
    enabled_time=st.none() | TIMES,
    end_time=st.none() | TIMES,
    presence=PRESENCES,
) | st.builds(
    VbrObservation,
    at=TIMES,
    source=st.sampled_from(Source),
    vbr_id=TEXTS,
    port_id=st.none() | TEXTS,
    owner_uid=st.none() | TEXTS,
    vlan_id=st.none() | VLANS,
    status=st.none() | WORDS,
    deleted=st.booleans(),
    presence=PRESENCES,
)


@given(OBSERVATIONS)
def test_an_observation_comes_back_as_it_was(observation: Observation) -> None:
    back = observations.load(observations.dump(observation))
    assert back == observation
    assert type(back.source) is Source
    assert back.presence is None or type(back.presence) is Presence


def _bare(**rest: Any) -> Connection:
    given_: dict[str, Any] = {
        "connection_id": "conn-1",
        "account_id": "1",
        "region": "us-east-1",
        "circuit_id": "pc-circuit",
        "tenant_uid": "2",
        "flow": Flow.NEW,
        "origin": Origin.ORDER,
        "terms": Terms(spec="50M", vlan_id=0, order_mode=OrderMode.TENANT_PAYS),
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
    }
    return Connection(**given_ | rest)
