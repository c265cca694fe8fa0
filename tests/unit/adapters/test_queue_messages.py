"""Messages of our own queues."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crossport.adapters.messages import (
    NoticeSend,
    OrderCancel,
    OrderCease,
    OrderChangeSpec,
    OrderChangeVlan,
    OrderMilestone,
    OrderNew,
    OutboxPoke,
    Problem,
    UsageReported,
    addressee,
    parse_message,
)
from crossport.domain.vocabulary import MilestoneName, Party

ORDER: dict[str, Any] = {
    "type": "order.new",
    "version": 1,
    "client_order_id": "PO-1",
    "account_id": "1111111111111111",
    "circuit_id": "pc-circuit",
    "tenant_uid": "2222222222222222",
    "spec": "200M",
    "order_mode": "PayByVirtualPhysicalConnectionOwner",
    "vlan_id": 120,
    "tenant_region": "cn-beijing",
    "purchase_order": "4500012345",
    "customer_reference": "DC11 to Beijing, 專線",
    "milestones": [{"name": "quoted", "at": "2026-01-05T09:00:00+08:00", "actor": "sales", "evidence": "Q-77"}],
}
USAGE: dict[str, Any] = {
    "type": "usage.reported",
    "account_id": "1",
    "port_id": "pc-1",
    "period_start": "2026-01-01T00:00:00+08:00",
    "period_end": "2026-02-01T00:00:00+08:00",
    "outbound_bytes": 0,
    "meter_reading_id": "m-1",
}


def problems(body: Any) -> list[tuple[str, str]]:
    found = parse_message(body)
    assert isinstance(found, list)
    assert found
    assert all(type(one) is Problem and one.message for one in found)
    return [(one.code, one.field) for one in found]


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def test_order() -> None:
    order = parse_message(ORDER)
    assert isinstance(order, OrderNew)
    assert order.vlan_id == 120
    (milestone,) = order.milestones
    assert milestone.name is MilestoneName.QUOTED
    assert milestone.at == datetime(2026, 1, 5, 1, tzinfo=UTC)


def test_order_with_only_what_it_needs() -> None:
    optional = ("version", "vlan_id", "tenant_region", "purchase_order", "customer_reference", "milestones")
    order = parse_message(without(ORDER, *optional))
    assert isinstance(order, OrderNew)
    assert order.vlan_id is None


@pytest.mark.parametrize("vlan_id", [0, 1, 2_999])
def test_vlan_ids_of_the_api_are_valid_zero_included(vlan_id: int) -> None:
    order = parse_message({**ORDER, "vlan_id": vlan_id})
    assert isinstance(order, OrderNew)
    assert order.vlan_id == vlan_id


@pytest.mark.parametrize(
    ("vlan_id", "code"),
    [
        (3_000, "vlan_out_of_range"),
        (-1, "vlan_out_of_range"),
        ("12a", "vlan_malformed"),
        ("120", "vlan_malformed"),
        (1.5, "vlan_malformed"),
        (True, "vlan_malformed"),
        ([], "vlan_malformed"),
    ],
)
def test_bad_vlan_ids(vlan_id: Any, code: str) -> None:
    assert problems({**ORDER, "vlan_id": vlan_id}) == [(code, "vlan_id")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"vlan": 1}, ("unknown_field", "vlan")),
        ({"version": 2}, ("malformed", "version")),
        ({"client_order_id": ""}, ("out_of_range", "client_order_id")),
        ({"client_order_id": "x" * 65}, ("out_of_range", "client_order_id")),
        ({"client_order_id": 7}, ("wrong_type", "client_order_id")),
        ({"client_order_id": "a\nBcc: x@example.com"}, ("malformed", "client_order_id")),
        ({"tenant_uid": "22x"}, ("tenant_uid_malformed", "tenant_uid")),
        ({"tenant_uid": "٢٢"}, ("tenant_uid_malformed", "tenant_uid")),
        ({"tenant_uid": 22}, ("tenant_uid_malformed", "tenant_uid")),
        ({"purchase_order": "\ud800"}, ("wrong_type", "purchase_order")),
        ({"milestones": {}}, ("wrong_type", "milestones")),
        ({"milestones": [{"name": "done"}]}, ("malformed", "milestones.0.name")),
    ],
)
def test_bad_fields(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in problems({**ORDER, **change})


def test_all_problems_at_once() -> None:
    body = {**without(ORDER, "spec"), "vlan_id": "12a", "extra": 1}
    assert sorted(problems(body)) == [
        ("missing_field", "spec"),
        ("unknown_field", "extra"),
        ("vlan_malformed", "vlan_id"),
    ]


@pytest.mark.parametrize("at", ["2026-01-05T09:00:00", "today", 1767600000, "1767600000", None])
def test_times_have_a_zone(at: Any) -> None:
    milestone = {"name": "quoted", "at": at, "actor": "sales"}
    body = {"type": "order.milestone", "client_order_id": "PO-1", "account_id": "1", "milestone": milestone}
    assert problems(body) == [("bad_time", "milestone.at")]


def test_milestone() -> None:
    milestone = {"name": "last_mile_ready", "at": "2026-01-05T09:00:00Z", "actor": "field engineering"}
    message = parse_message(
        {"type": "order.milestone", "client_order_id": "PO-1", "account_id": "1", "milestone": milestone}
    )
    assert isinstance(message, OrderMilestone)
    assert message.milestone.evidence == ""


def test_usage_of_nothing_is_usage() -> None:
    message = parse_message(USAGE)
    assert isinstance(message, UsageReported)
    assert message.outbound_bytes == 0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"outbound_bytes": -1}, ("out_of_range", "outbound_bytes")),
        ({"outbound_bytes": 1 << 63}, ("out_of_range", "outbound_bytes")),
        ({"outbound_bytes": "5"}, ("wrong_type", "outbound_bytes")),
        ({"outbound_bytes": 1.0}, ("wrong_type", "outbound_bytes")),
        ({"period_end": USAGE["period_start"]}, ("out_of_range", "period_end")),
        ({"period_end": "2026-02-01T00:00:00"}, ("bad_time", "period_end")),
    ],
)
def test_bad_usage(change: dict[str, Any], expected: tuple[str, str]) -> None:
    assert problems({**USAGE, **change}) == [expected]


def test_notice() -> None:
    body = {
        "type": "notice.send",
        "version": 1,
        "key": "c-1:offer",
        "kind": "offer",
        "connection_id": "c-1",
        "party": "tenant",
        "details": {"vlan_id": 0},
    }
    message = parse_message(body)
    assert isinstance(message, NoticeSend)
    assert (message.party, message.details) == (Party.TENANT, {"vlan_id": 0})
    assert problems({**body, "party": "neighbour"}) == [("malformed", "party")]


def test_poke() -> None:
    assert isinstance(parse_message({"type": "outbox.poke"}), OutboxPoke)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("hello", "not_json"),
        (None, "not_an_object"),
        ([ORDER], "not_an_object"),
        (7, "not_an_object"),
        ({}, "unknown_message_type"),
        ({"type": "order.delete"}, "unknown_message_type"),
        ({"type": ["order.new"]}, "unknown_message_type"),
        ({"type": None}, "unknown_message_type"),
    ],
)
def test_what_is_no_message(body: Any, code: str) -> None:
    assert problems(body)[0] == (code, "")


REQUEST: dict[str, Any] = {"client_order_id": "CR-1", "account_id": "1", "order": "PO-1", "actor": "noc"}


@pytest.mark.parametrize(
    ("kind", "more", "model"),
    [
        ("order.change_spec", {"spec": "500M"}, OrderChangeSpec),
        ("order.change_vlan", {"vlan_id": 0, "force_reason": "renumbering"}, OrderChangeVlan),
        ("order.cease", {}, OrderCease),
        ("order.cancel", {}, OrderCancel),
    ],
)
def test_requests(kind: str, more: dict[str, Any], model: type) -> None:
    message = parse_message({"type": kind, **REQUEST, **more})
    assert isinstance(message, model)
    by_id = {**without(REQUEST, "order"), "connection_id": "conn-1"}
    assert isinstance(parse_message({"type": kind, **by_id, **more}), model)
    both = {"type": kind, **REQUEST, **more, "connection_id": "conn-1"}
    assert problems(both) == [("target_unclear", "")]
    assert problems({"type": kind, **without(REQUEST, "order"), **more}) == [("target_unclear", "")]


def test_a_request_without_a_target_is_told_its_other_problems_too() -> None:
    body = {"type": "order.change_vlan", **without(REQUEST, "order", "actor"), "vlan_id": 3_000}
    assert sorted(problems(body)) == [
        ("missing_field", "actor"),
        ("target_unclear", ""),
        ("vlan_out_of_range", "vlan_id"),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "order.new", "account_id": "1", "client_order_id": "PO-1"}, ("1", "PO-1")),
        ({"type": "order.no_such", "account_id": "1", "client_order_id": "PO-1"}, ("1", "PO-1")),
        ({"type": "order.new", "account_id": "1x", "client_order_id": "PO-1"}, ("", "")),
        ({"type": "order.new", "account_id": "1", "client_order_id": "PO\n1"}, ("", "")),
        ({"type": "order.new", "account_id": "1"}, ("", "")),
        ({"type": "notice.send", "account_id": "1", "client_order_id": "PO-1"}, ("", "")),
        ({"type": 7}, ("", "")),
        ("hello", ("", "")),
        (None, ("", "")),
    ],
)
def test_whom_to_answer_when_a_message_was_not_understood(body: Any, expected: tuple[str, str]) -> None:
    assert addressee(body) == expected


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tenant_uid": "tenant-7"}, "must be an account id: 1 to 32 digits"),
        ({"vlan_id": "12a"}, "must be a whole number"),
        ({"vlan_id": 3000}, "must be at most 2999"),
        ({"vlan_id": -1}, "must be at least 0"),
        ({"spec": ""}, "must have at least 1 characters"),
        ({"purchase_order": "9" * 300}, "must have at most 256 characters"),
        ({"vlan": 5}, "is no field of this message"),
        ({"milestones": {}}, "must be a list"),
        ({"type": "order.foo{x}"}, "there is no message order.foo{x}"),
    ],
)
def test_a_problem_is_told_in_words_for_who_wrote_the_message(changes: dict[str, Any], sentence: str) -> None:
    problems = parse_message({**ORDER, **changes})
    assert isinstance(problems, list)
    (problem,) = problems
    assert problem.message.startswith(sentence)


def test_what_is_not_there_is_missing() -> None:
    problems = parse_message({name: value for name, value in ORDER.items() if name not in {"spec", "order_mode"}})
    assert problems == [Problem("missing_field", name, "is missing") for name in ("spec", "order_mode")]
