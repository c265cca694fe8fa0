"""What each function runs: records to use cases, refusals to rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from crossport.adapters.messages import OrderReply
from crossport.application.place_order import OrderMessage
from crossport.application.ports import InputRow, Message, OutboxRow, Policies
from crossport.application.send_notices import AnyNoticeContext
from crossport.domain.circuit import Circuit
from crossport.domain.orders import Contract, Tenant
from crossport.domain.pause import Pause
from crossport.domain.policy import Policy
from crossport.domain.vocabulary import RequestKind, Verdict
from crossport.entrypoints import dispatch
from crossport.entrypoints.clock import RandomIds
from crossport.entrypoints.envelope import open_envelope
from crossport.entrypoints.inputs import to_order
from crossport.entrypoints.invocation import Invocation
from crossport.entrypoints.settings import Settings
from crossport.entrypoints.wiring import App
from tests.fakes.memory_store import MemoryStore

PARTNER, TENANT = "1111111111111111", "2222222222222222"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOCK = SimpleNamespace(now=lambda: NOW)
INVOCATION = Invocation(function="the_function", request_id="r-1", deadline=60.0, now=lambda: 0.0)


class OnePartner:
    """Policies of one partner account."""

    def of(self, account_id: str) -> Policy:
        return {PARTNER: Policy(account_id=PARTNER)}[account_id]

    def accounts(self) -> tuple[str, ...]:
        return (PARTNER,)

    def partner_contact(self, account_id: str) -> Tenant:
        return Tenant(tenant_uid=account_id, name="NOC", email="noc@partner.example")


@dataclass
class Mailbox:
    """A sender that keeps what it is given."""

    channel: str = "mail"
    sent: list[tuple[str, str]] = field(default_factory=list)

    def send(self, recipient: str, message: Message) -> str:
        self.sent.append((recipient, message.key))
        return "ref"


@dataclass
class Sent:
    """A queue that keeps what it is given."""

    sent: list[tuple[str, Any]] = field(default_factory=list)

    def send(self, queue: str, body: str) -> str:
        self.sent.append((queue, json.loads(body)))
        return "m"


def plainly(context: AnyNoticeContext) -> Message:
    return Message(key=context.request.key, subject="s", text="t", html="", language="en")


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore(now=CLOCK.now)
    told: dict[str, Any] = {"actor": "test", "reason": "", "at": NOW}
    store.put_circuit(
        Circuit(
            circuit_id="pc-circuit",
            account_id=PARTNER,
            region="us-east-1",
            name="DC11",
            access_point="ap",
            line_operator="Equinix",
            bandwidth_mbps=10_000,
        ),
        **told,
    )
    store.put_tenant(Tenant(tenant_uid=TENANT, name="T", email="net@tenant.example"), **told)
    store.put_contract(
        Contract(number="C-1", account_id=PARTNER, tenant_uid=TENANT, signed_on=NOW.date(), valid_from=NOW.date()),
        **told,
    )
    return store


@pytest.fixture
def app(store: MemoryStore) -> App:
    policies: Policies = OnePartner()
    return App(
        settings=Settings(database_url="sqlite:///unused", region="us-east-1"),
        clock=CLOCK,
        ids=RandomIds(),
        environ={},
        given_store=store,
        given_policies=policies,
        given_queue=Sent(),
        given_render=plainly,
        given_senders=[Mailbox()],
    )


def message(body: Any, message_id: str = "m-1") -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"requestId": "r", "messageId": message_id, "messageBody": text}


def call(name: str, *, event_id: str = "e-1", kind: str = "vpc:ActionTrail:ApiCall", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "acs.vpc",
        "type": kind,
        "aliyunaccountid": PARTNER,
        "aliyunregionid": "us-east-1",
        "time": "2026-03-02T11:59:00Z",
        "data": {"eventName": name, "eventTime": "2026-03-02T11:59:00Z", "serviceName": "Vpc", **data},
    }


ORDER: dict[str, Any] = {
    "type": "order.new",
    "client_order_id": "PO-1",
    "account_id": PARTNER,
    "circuit_id": "pc-circuit",
    "tenant_uid": TENANT,
    "spec": "200M",
    "order_mode": "PayByVirtualPhysicalConnectionOwner",
    "vlan_id": 120,
}


def run(what: Any, app: App, *records: Any) -> list[tuple[str, str, str]]:
    event = records[0] if len(records) == 1 and isinstance(records[0], bytes) else json.dumps(list(records)).encode()
    endings = what(app, open_envelope(event), INVOCATION)
    return [(one.verdict.value, one.reason, one.name) for one in endings]


def last_row(store: MemoryStore) -> InputRow:
    return store.state.audit[-1]


def test_calls_keep_their_order_among_refused_ones(app: App, store: MemoryStore) -> None:
    created = call(
        "CreateVirtualPhysicalConnection",
        requestParameters={"PhysicalConnectionId": "pc-circuit", "VlanId": 7, "Spec": "50M"},
        responseElements={"VirtualPhysicalConnection": "pc-1"},
    )
    assert run(dispatch.observe_calls, app, 7, created, message("hello"), call("X", event_id="e-2")) == [
        ("rejected", "wrong_envelope", ""),
        ("applied", "unrouted", "CreateVirtualPhysicalConnection"),
        ("rejected", "wrong_envelope", ""),
        ("ignored", "unknown_event_name", "X"),
    ]
    assert len(store.state.audit) == 4
    assert {row.function for row in store.state.audit} == {"the_function"}


def test_refusal_has_a_row_that_says_why(app: App, store: MemoryStore) -> None:
    assert run(dispatch.observe_calls, app, b"\xff") == [("rejected", "not_json", "")]
    row = last_row(store)
    assert (row.verdict, row.reason, row.claims, row.key) == (Verdict.REJECTED, "not_json", False, "")
    assert row.details["kind"] == "unreadable"
    assert row.details["message"]


def test_event_that_is_not_ours_is_ignored_once_and_then_a_duplicate(app: App, store: MemoryStore) -> None:
    other = call("X", kind="vpc:Config:NonCompliantNotification")
    assert run(dispatch.observe_calls, app, other) == [("ignored", "unknown_event_type", "X")]
    assert last_row(store).claims
    assert run(dispatch.observe_calls, app, other) == [("duplicate", "", "X")]
    assert len(store.state.audit) == 1


def test_known_id_with_another_payload_is_an_alarm(app: App, store: MemoryStore) -> None:
    kind = "vpc:Config:NonCompliantNotification"
    run(dispatch.observe_calls, app, call("X", kind=kind))
    assert run(dispatch.observe_calls, app, call("Y", kind=kind)) == [("rejected", "payload_mismatch", "Y")]
    assert not last_row(store).claims


def test_rejected_event_claims_no_key(app: App, store: MemoryStore) -> None:
    """A forged event with a bad time must not suppress the genuine one of the same id."""
    forged = call("ConfirmPhysicalConnection", eventTime="soon")
    forged["time"] = "later"
    assert run(dispatch.observe_calls, app, forged)[0][:2] == ("rejected", "bad_time")
    assert store.state.inbox == {}


def test_order_is_placed_with_the_vlan_it_names(app: App, store: MemoryStore) -> None:
    assert run(dispatch.take_orders, app, message({**ORDER, "vlan_id": 0})) == [("applied", "", "order.new")]
    ((circuit_id, vlan_id),) = store.state.holds
    assert (circuit_id, vlan_id) == ("pc-circuit", 0)
    (stored,) = store.state.connections.values()
    assert stored.connection.created_at == NOW


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (message({**ORDER, "vlan_id": 3_000}), "vlan_out_of_range"),
        (message({**ORDER, "vlan_id": "12a"}), "vlan_malformed"),
        (message("hello"), "not_json"),
        (message({"type": "outbox.poke"}), "unknown_message_type"),
        (call("ConfirmPhysicalConnection"), "wrong_envelope"),
        (7, "wrong_envelope"),
    ],
)
def test_misread_order_is_rejected_and_changes_nothing(app: App, store: MemoryStore, record: Any, reason: str) -> None:
    ((verdict, said, _),) = run(dispatch.take_orders, app, record)
    assert (verdict, said) == ("rejected", reason)
    assert last_row(store).reason == reason
    assert store.state.connections == {}
    assert store.state.inbox == {}


def test_milestone_follows_its_order(app: App, store: MemoryStore) -> None:
    milestone = {"name": "quoted", "at": "2026-03-01T09:00:00Z", "actor": "sales", "evidence": "Q-1"}
    late = {"type": "order.milestone", "client_order_id": "PO-1", "account_id": PARTNER, "milestone": milestone}
    endings = run(dispatch.take_orders, app, message(late, "m-2"))
    assert endings == [("retry", "order_unknown", "order.milestone")]
    assert run(dispatch.take_orders, app, message(ORDER), message(late, "m-2")) == [
        ("applied", "", "order.new"),
        ("applied", "", "order.milestone"),
    ]
    (stored,) = store.state.connections.values()
    assert [one.actor for one in stored.connection.milestones] == ["sales"]


def test_a_request_reaches_its_connection_with_all_it_says(app: App, store: MemoryStore) -> None:
    cancel = {
        "type": "order.cancel",
        "client_order_id": "CX-1",
        "account_id": PARTNER,
        "order": "PO-1",
        "actor": "sales",
        "force_reason": "customer withdrew",
    }
    assert run(dispatch.take_orders, app, message(ORDER), message(cancel, "m-2")) == [
        ("applied", "", "order.new"),
        ("applied", "", "order.cancel"),
    ]
    (stored,) = store.state.connections.values()
    (request,) = stored.connection.requests
    assert (request.request_id, request.kind, request.at) == ("CX-1", RequestKind.CANCEL, NOW)
    assert (request.actor, request.forced, request.spec, request.vlan_id) == ("sales", "customer withdrew", "", None)
    assert store.state.holds == {}


def test_changes_carry_what_is_to_change(app: App) -> None:
    base = {"client_order_id": "CR-1", "account_id": PARTNER, "connection_id": "conn-1", "actor": "noc"}
    bodies = [{"type": "order.change_vlan", "vlan_id": 0, **base}, {"type": "order.change_spec", "spec": "1G", **base}]
    opened = open_envelope(json.dumps([message(body) for body in bodies]).encode())
    vlan, spec = (to_order(one, NOW) for one in opened)
    assert isinstance(vlan, OrderMessage)
    assert isinstance(spec, OrderMessage)
    assert vlan.request is not None
    assert spec.request is not None
    assert (vlan.request.kind, vlan.request.vlan_id, vlan.request.spec) == (RequestKind.CHANGE_VLAN, 0, "")
    assert (spec.request.kind, spec.request.vlan_id, spec.request.spec) == (RequestKind.CHANGE_SPEC, None, "1G")
    assert (vlan.target_order_id, vlan.target_connection_id) == ("", "conn-1")


def test_a_misread_order_is_answered_on_the_reply_queue(app: App, store: MemoryStore) -> None:
    run(dispatch.take_orders, app, message({**ORDER, "vlan_id": 3_000}), message("hello", "m-2"))
    (entry,) = store.state.outbox.values()
    assert (entry.row.target, entry.row.connection_id) == ("queue:order-replies", None)
    assert entry.row.payload["client_order_id"] == "PO-1"
    assert [reason["code"] for reason in entry.row.payload["reasons"]] == ["vlan_out_of_range"]
    OrderReply.model_validate(entry.row.payload)


def test_the_calendar_is_watched_by_a_timer_alone_and_takes_old_orders_back(app: App, store: MemoryStore) -> None:
    run(dispatch.take_orders, app, message(ORDER))
    later = SimpleNamespace(now=lambda: NOW + timedelta(days=31))
    app.clock = later
    run(dispatch.carry_out_commands, app, message({"type": "outbox.poke"}))
    timer = {"triggerTime": "2026-04-02T12:00:00Z", "triggerName": "hourly", "payload": ""}
    assert run(dispatch.carry_out_commands, app, timer)[0][2] == "hourly"
    (refused,) = run(dispatch.watch_the_calendar, app, message({"type": "outbox.poke"}, "m-9"))
    assert refused[:2] == ("rejected", "wrong_envelope")
    assert store.state.holds != {}
    assert run(dispatch.watch_the_calendar, app, timer) == [("applied", "", "hourly")]
    assert store.state.holds == {}
    assert run(dispatch.watch_the_calendar, app, timer) == [("ignored", "nothing_due", "hourly")]
    run(dispatch.carry_out_commands, app, message({"type": "outbox.poke"}))
    queue = app.queue()
    assert isinstance(queue, Sent)
    replies = [body for name, body in queue.sent if name == "order-replies"]
    assert [reply["state"] for reply in replies] == ["accepted", "waiting", "rejected"]
    for reply in replies:
        OrderReply.model_validate(reply)


def test_relay_runs_once_for_any_number_of_wake_ups(app: App, store: MemoryStore) -> None:
    store.record([], outbox=[OutboxRow(key="k", kind="x", target="queue:elsewhere", payload={"type": "x"})])
    timer = {"triggerTime": "2026-03-02T12:00:00Z", "triggerName": "every-minute", "payload": ""}
    poke = message({"type": "outbox.poke"})
    assert run(dispatch.carry_out_commands, app, poke, timer, message(ORDER, "m-2")) == [
        ("applied", "", "outbox.poke"),
        ("applied", "", "every-minute"),
        ("rejected", "unknown_message_type", "order.new"),
    ]
    queue = app.queue()
    assert isinstance(queue, Sent)
    assert queue.sent == [("elsewhere", {"type": "x"})]
    assert len(store.state.audit) == 1


def test_relay_with_nothing_to_do_says_so(app: App) -> None:
    assert run(dispatch.carry_out_commands, app, message({"type": "outbox.poke"})) == [
        ("ignored", "nothing_due", "outbox.poke")
    ]


def test_notice_goes_out_and_a_broken_one_is_refused(app: App, store: MemoryStore) -> None:
    run(dispatch.take_orders, app, message({**ORDER, "spec": "2G"}))
    (stored,) = store.state.connections.values()
    notice = {
        "type": "notice.send",
        "key": "k:order_refused:tenant",
        "kind": "order_refused",
        "connection_id": stored.connection.connection_id,
        "party": "tenant",
        "details": {"reasons": []},
    }
    broken = {**notice, "party": "nobody"}
    endings = run(dispatch.tell_parties, app, message(broken, "m-2"), message(notice, "m-3"))
    assert [verdict for verdict, _, _ in endings] == ["rejected", "applied"]
    (mailbox,) = app.senders()
    assert isinstance(mailbox, Mailbox)
    assert mailbox.sent == [("net@tenant.example", "k:order_refused:tenant")]


def test_billing_takes_timers_and_readings_together(app: App) -> None:
    timer = {"triggerTime": "2026-03-02T16:10:00Z", "triggerName": "daily", "payload": ""}
    reading = {
        "type": "usage.reported",
        "account_id": PARTNER,
        "port_id": "pc-unknown",
        "period_start": "2026-02-01T00:00:00+08:00",
        "period_end": "2026-03-01T00:00:00+08:00",
        "outbound_bytes": 5,
        "meter_reading_id": "r-1",
    }
    assert run(dispatch.keep_ledger, app, message(reading), timer, message("?", "m-2")) == [
        ("rejected", "unknown_port", "usage.reported"),
        ("ignored", "nothing_due", "daily"),
        ("rejected", "not_json", ""),
    ]


def test_a_pause_is_told_by_the_log_of_the_relay(
    app: App, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.pause(Pause(account_id="", since=NOW, actor="wang", reason="a fibre is cut"))
    run(dispatch.carry_out_commands, app, message({"type": "outbox.poke"}))
    (line,) = [record for record in caplog.records if record.message == "paused"]
    assert (vars(line)["actor"], vars(line)["reason"], line.levelname) == ("wang", "a fibre is cut", "WARNING")
