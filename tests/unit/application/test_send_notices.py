"""The use case of notices: what is sent, what is not, and what is written down about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from crossport.application.endings import Ending
from crossport.application.errors import SendFailedError, SendRefusedError, StoreUnavailableError
from crossport.application.ports import InputRow, Loaded, Message, Sender, Store, Stored
from crossport.application.send_notices import (
    AnyNoticeContext,
    NoticeNotRenderedError,
    NoticeRequest,
    UnknownNoticeError,
    send_notices,
)
from crossport.domain.circuit import Circuit
from crossport.domain.connection import Connection
from crossport.domain.errors import CrossportError
from crossport.domain.orders import Tenant
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import Party, Verdict
from tests.unit.adapters.notice_samples import (
    ACCEPTED,
    CIRCUIT,
    PARTNER_ID,
    POLICY,
    adopted,
    after,
    context_of,
    notice_of,
    offered,
    partner,
    states,
    tenant,
)

NOW = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


@dataclass
class Memory:
    """The part of a store that the use case asks for."""

    connections: dict[str, Connection] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    rows: list[InputRow] = field(default_factory=list)
    receipts: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    down_at: str = ""

    def _up(self, step: str) -> None:
        if step == self.down_at:
            raise StoreUnavailableError("the database is locked")

    def get(self, connection_id: str) -> Stored | None:
        self._up("get")
        found = self.connections.get(connection_id)
        return Stored(connection=found, version=1) if found else None

    def load(
        self, *, routes: Collection[str] = (), keys: Collection[str] = (), circuits: Collection[str] = ()
    ) -> Loaded:
        return Loaded(inbox={row.key: row.digest for row in self.rows if row.claims and row.key in keys})

    def tenant(self, tenant_uid: str) -> Tenant | None:
        return self.tenants.get(tenant_uid)

    def circuit(self, circuit_id: str) -> Circuit | None:
        return CIRCUIT if circuit_id == CIRCUIT.circuit_id else None

    def has_receipt(self, key: str, channel: str) -> bool:
        return (key, channel) in self.receipts

    def receipt(self, *, key: str, channel: str, recipient: str, at: datetime, reference: str) -> bool:
        self._up("receipt")
        assert at == NOW
        self.receipts[key, channel] = (recipient, reference)
        return True

    def record(self, inputs: Sequence[InputRow], *, outbox: Sequence[Any] = (), unrouted: Sequence[Any] = ()) -> None:
        self._up("record")
        self.rows += inputs


@dataclass
class Post:
    """A channel that keeps what it is given, or fails as told."""

    channel: str = "mail"
    error: CrossportError | None = None
    sent: list[tuple[str, Message]] = field(default_factory=list)

    def send(self, recipient: str, message: Message) -> str:
        if self.error is not None:
            raise self.error
        self.sent.append((recipient, message))
        return f"<{len(self.sent)}>"


class OnePolicy:
    """The policies of one partner account."""

    def __init__(self, contact: Tenant) -> None:
        self.contact = contact

    def of(self, account_id: str) -> Policy:
        return {PARTNER_ID: POLICY}[account_id]

    def accounts(self) -> Iterable[str]:
        return [PARTNER_ID]

    def partner_contact(self, account_id: str) -> Tenant:
        return {PARTNER_ID: self.contact}[account_id]


class FixedClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


def spoken(context: AnyNoticeContext) -> Message:
    """A text that shows who it was made for."""
    return Message(
        key=context.request.key,
        subject=context.request.kind,
        text=context.recipient.name,
        html="",
        language=context.recipient.language,
    )


@dataclass
class World:
    """A use case with everything around it."""

    memory: Memory = field(default_factory=Memory)
    channels: list[Post] = field(default_factory=lambda: [Post()])
    contact: Tenant = field(default_factory=partner)
    render: Any = spoken

    def add(self, connection: Connection, record: Tenant | None = None) -> Connection:
        self.memory.connections[connection.connection_id] = connection
        self.memory.tenants[connection.tenant_uid] = record or tenant("zh-CN")
        return connection

    def run(self, *requests: NoticeRequest) -> list[Ending]:
        return send_notices(
            requests,
            store=cast(Store, self.memory),
            policies=OnePolicy(self.contact),
            render=self.render,
            senders=cast(Sequence[Sender], self.channels),
            clock=FixedClock(),
        )

    @property
    def sent(self) -> list[tuple[str, Message]]:
        return self.channels[0].sent


def request_of(connection: Connection, kind: str, party: Party) -> NoticeRequest:
    return context_of(notice_of(connection, kind, party), connection).request


def ends(endings: list[Ending]) -> list[tuple[Verdict, str]]:
    return [(ending.verdict, ending.reason) for ending in endings]


@pytest.fixture
def world() -> World:
    return World()


def test_both_parties_are_told_in_their_languages(world: World) -> None:
    connection = world.add(offered())
    requests = [request_of(connection, "offer", party) for party in Party]
    endings = world.run(*requests)
    assert ends(endings) == [(Verdict.APPLIED, ""), (Verdict.APPLIED, "")]
    assert [ending.key for ending in endings] == [request.key for request in requests]
    assert {ending.connection_id for ending in endings} == {connection.connection_id}
    assert {ending.name for ending in endings} == {"offer"}
    assert {(to, m.language) for to, m in world.sent} == {
        ("noc@partner.example", "en"),
        ("net@tenant.example", "zh-CN"),
    }
    assert {request.key for request in requests} == {key for key, _ in world.memory.receipts}


def test_each_first_arrival_has_a_row_that_claims_its_key(world: World) -> None:
    connection = world.add(offered())
    request = request_of(connection, "offer", Party.TENANT)
    world.run(request)
    (row,) = world.memory.rows
    assert row.claims
    assert row.key == f"{PARTNER_ID}|crossport.notices|{request.key}"
    assert (row.function, row.name, row.verdict, row.at) == ("notices", "offer", Verdict.APPLIED, NOW)
    assert (row.account_id, row.connection_id) == (PARTNER_ID, connection.connection_id)
    assert row.details == {"notice": request.key, "party": "tenant", "channels": {"mail": "<1>"}}


def test_a_duplicate_writes_nothing_and_sends_nothing(world: World) -> None:
    connection = world.add(offered())
    request = request_of(connection, "offer", Party.TENANT)
    assert ends(world.run(request, request)) == [(Verdict.APPLIED, ""), (Verdict.DUPLICATE, "")]
    assert ends(world.run(request)) == [(Verdict.DUPLICATE, "")]
    assert len(world.sent) == len(world.memory.rows) == 1


def test_the_same_key_with_other_words_is_refused_and_claims_nothing(world: World) -> None:
    connection = world.add(offered())
    request = request_of(connection, "offer", Party.TENANT)
    forged = replace(request, details={"price": "0"})
    assert ends(world.run(request, forged)) == [(Verdict.APPLIED, ""), (Verdict.REJECTED, "payload_mismatch")]
    assert [row.claims for row in world.memory.rows] == [True, False]
    assert len(world.sent) == 1


def test_a_moot_notice_is_ignored_with_the_reason(world: World) -> None:
    connection = offered()
    request = request_of(connection, "offer", Party.TENANT)
    world.add(after(connection, ACCEPTED))
    assert ends(world.run(request)) == [(Verdict.IGNORED, "already_accepted")]
    assert world.sent == []
    assert world.memory.rows[0].reason == "already_accepted"
    assert ends(world.run(request)) == [(Verdict.DUPLICATE, "")]


@pytest.mark.parametrize("known", [None, tenant(email="")])
def test_no_address_is_recorded_and_can_be_replayed_once_there_is_one(world: World, known: Tenant | None) -> None:
    connection = world.add(offered())
    request = request_of(connection, "offer", Party.TENANT)
    world.memory.tenants = {connection.tenant_uid: known} if known else {}
    assert ends(world.run(request)) == [(Verdict.REJECTED, "no_address")]
    assert [(row.verdict, row.claims) for row in world.memory.rows] == [(Verdict.REJECTED, False)]
    world.memory.tenants = {connection.tenant_uid: tenant()}
    assert ends(world.run(request)) == [(Verdict.APPLIED, "")]


def test_the_partner_without_an_address_is_recorded_too(world: World) -> None:
    world.contact = replace(partner(), email="")
    request = request_of(world.add(offered()), "offer", Party.PARTNER)
    assert ends(world.run(request)) == [(Verdict.REJECTED, "no_address")]


def test_without_any_channel_it_is_said_so(world: World) -> None:
    world.channels.clear()
    request = request_of(world.add(offered()), "offer", Party.PARTNER)
    assert ends(world.run(request)) == [(Verdict.REJECTED, "no_channel")]


def test_a_channel_that_fails_is_tried_again(world: World) -> None:
    request = request_of(world.add(offered()), "offer", Party.TENANT)
    world.channels[0].error = SendFailedError("the server could not be used")
    assert ends(world.run(request)) == [(Verdict.RETRY, "send_failed")]
    assert world.memory.receipts == {}
    assert not world.memory.rows[0].claims
    world.channels[0].error = None
    assert ends(world.run(request)) == [(Verdict.APPLIED, "")]


def test_a_channel_that_refuses_ends_it_with_what_was_said(world: World) -> None:
    request = request_of(world.add(offered()), "offer", Party.TENANT)
    world.channels[0].error = SendRefusedError("the server said 550 no such user")
    assert ends(world.run(request)) == [(Verdict.REJECTED, "send_refused")]
    assert world.memory.rows[0].details["channels"] == {"mail": "the server said 550 no such user"}


def test_a_failing_notice_does_not_hold_back_the_next(world: World) -> None:
    connection = world.add(offered())
    lost = replace(request_of(connection, "offer", Party.TENANT), connection_id="conn-unknown", key="lost")
    endings = world.run(lost, request_of(connection, "offer", Party.PARTNER))
    assert ends(endings) == [(Verdict.REJECTED, "unknown_connection"), (Verdict.APPLIED, "")]
    assert world.memory.rows[0].connection_id is None
    assert world.memory.rows[0].key == ""


def test_a_receipt_without_a_row_is_completed_without_sending_again(world: World) -> None:
    request = request_of(world.add(offered()), "offer", Party.TENANT)
    assert ends(world.run(request)) == [(Verdict.APPLIED, "")]
    world.memory.rows.clear()
    assert ends(world.run(request)) == [(Verdict.APPLIED, "sent_before")]
    assert len(world.sent) == 1
    assert len(world.memory.rows) == 1


def test_a_channel_that_the_recipient_has_no_address_on_is_not_used(world: World) -> None:
    request = request_of(world.add(offered()), "offer", Party.TENANT)
    world.channels.append(Post(channel="dingtalk", error=SendFailedError("not for you")))
    assert ends(world.run(request)) == [(Verdict.APPLIED, "")]


@pytest.mark.parametrize("step", ["get", "receipt", "record"])
def test_without_a_store_it_is_tried_again(world: World, step: str) -> None:
    request = request_of(world.add(offered()), "offer", Party.TENANT)
    world.memory.down_at = step
    assert ends(world.run(request)) == [(Verdict.RETRY, "store_unavailable")]
    assert world.memory.rows == []
    world.memory.down_at = ""
    again = "sent_before" if step == "record" else ""
    assert ends(world.run(request)) == [(Verdict.APPLIED, again)]
    # Between the hand-over and its receipt a crash sends again, under the same key: at least once.
    assert len(world.sent) == (2 if step == "receipt" else 1)
    assert {message.key for _, message in world.sent} == {request.key}


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (UnknownNoticeError("there is no text"), Verdict.REJECTED),
        (NoticeNotRenderedError("a template failed"), Verdict.RETRY),
    ],
)
def test_a_text_that_cannot_be_made(world: World, error: CrossportError, verdict: Verdict) -> None:
    def render(context: AnyNoticeContext) -> Message:
        raise error

    world.render = render
    assert ends(world.run(request_of(world.add(offered()), "offer", Party.TENANT))) == [(verdict, error.code)]
    assert world.memory.rows[0].details["message"] == error.message


@pytest.mark.parametrize(("kind", "missing"), [("paid_until", "end_time"), ("violation", "violation")])
def test_incomplete_details_are_refused(world: World, kind: str, missing: str) -> None:
    connection = world.add(states()["second VBR"])
    details: Mapping[str, Any] = {}
    request = replace(request_of(connection, kind, Party.PARTNER), details=details)
    assert ends(world.run(request)) == [(Verdict.REJECTED, "incomplete_details")]
    assert world.memory.rows[0].details["missing"] == missing


def test_an_account_that_is_not_ours_is_refused(world: World) -> None:
    connection = world.add(replace(offered(), account_id="1999"))
    assert ends(world.run(request_of(connection, "offer", Party.PARTNER))) == [(Verdict.REJECTED, "unknown_account")]


def test_a_tenant_is_told_of_an_adopted_port_only_under_a_contract(world: World) -> None:
    connection = world.add(adopted(contracts=()))
    requests = [request_of(connection, "port_adopted", party) for party in (Party.TENANT, Party.PARTNER)]
    assert ends(world.run(*requests)) == [(Verdict.IGNORED, "no_contract"), (Verdict.APPLIED, "")]
    known = World()
    assert ends(known.run(request_of(known.add(adopted()), "port_adopted", Party.TENANT))) == [(Verdict.APPLIED, "")]


def test_the_digest_tells_requests_apart_and_ignores_the_order_of_details() -> None:
    request = NoticeRequest(key="k", kind="offer", connection_id="c", party=Party.TENANT, details={"a": 1, "b": 2})
    assert request.digest == replace(request, details={"b": 2, "a": 1}).digest
    changes: list[dict[str, Any]] = [{"kind": "x"}, {"party": Party.PARTNER}, {"details": {}}, {"connection_id": "d"}]
    assert len({request.digest, *(replace(request, **change).digest for change in changes)}) == 5
