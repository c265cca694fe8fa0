"""ActionTrail records out of opened cloud events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from crossport.adapters.instants import instant
from crossport.application.actiontrail import CloudRecord
from crossport.domain.connection import Refusal
from crossport.entrypoints.envelope import Opened
from crossport.entrypoints.records import record_name, to_record

DATA: dict[str, Any] = {
    "acsRegion": "us-east-1",
    "eventName": "CreateVirtualPhysicalConnection",
    "eventRW": "Write",
    "eventTime": "2025-07-07T01:39:09Z",
    "eventVersion": "1",
    "serviceName": "Vpc",
    "requestParameters": {"PhysicalConnectionId": "pc-circuit", "VlanId": "120", "Spec": "200M"},
    "responseElements": {"VirtualPhysicalConnection": "pc-1"},
    "userIdentity": {"type": "ram-user", "accountId": "1663676968115556", "userName": "shami"},
    "someFieldOfTomorrow": {"x": 1},
}
EVENT = Opened(
    kind="cloud_event",
    key="1|acs.vpc|e",
    digest="d" * 64,
    source="acs.vpc",
    id="e",
    type="vpc:ActionTrail:ApiCall",
    time="2025-07-07T01:39:10Z",
    account_id="1",
    own_account_id="1",
    region="eu-central-1",
    data=DATA,
)


def with_data(**changes: Any) -> Opened:
    data = {**DATA, **changes}
    return replace(EVENT, data={name: value for name, value in data.items() if value is not ...})


def recorded(opened: Opened) -> CloudRecord:
    record = to_record(opened)
    assert isinstance(record, CloudRecord)
    return record


def refused(opened: Opened) -> str:
    refusal = to_record(opened)
    assert isinstance(refusal, Refusal)
    return refusal.code


def test_everything_is_unpacked() -> None:
    assert recorded(EVENT) == CloudRecord(
        key="1|acs.vpc|e",
        digest="d" * 64,
        account_id="1",
        region="us-east-1",
        name="CreateVirtualPhysicalConnection",
        at=datetime(2025, 7, 7, 1, 39, 9, tzinfo=UTC),
        request=DATA["requestParameters"],
        response=DATA["responseElements"],
        error_code="",
        write=True,
        actor="ram-user:1663676968115556:shami",
        claimed_region="us-east-1",
    )


def test_the_documented_minimum_is_enough() -> None:
    """The documentation's own sample has no requestParameters, no responseElements and no account."""
    record = recorded(replace(EVENT, data={"eventName": "DeleteDisk", "eventTime": "2022-10-22T21:52:00Z"}))
    assert (record.request, record.response, record.actor) == ({}, {}, "")
    assert (record.region, record.write) == ("eu-central-1", True)


@pytest.mark.parametrize("kind", ["vpc:ActionTrail:ApiCall", "vpc:ActionTrail:ConsoleOperation"])
def test_both_kinds_of_call(kind: str) -> None:
    assert recorded(replace(EVENT, type=kind)).name == "CreateVirtualPhysicalConnection"


@pytest.mark.parametrize(
    "opened",
    [
        replace(EVENT, type="vpc:ActionTrail:AliyunServiceEvent"),
        replace(EVENT, type="vpc:Config:ConfigurationItemChangeNotification"),
        replace(EVENT, type="ecs:ActionTrail:ApiCall"),
        replace(EVENT, type=":ActionTrail:ApiCall"),
        with_data(serviceName="Ecs"),
    ],
)
def test_other_events_are_not_ours(opened: Opened) -> None:
    assert refused(opened) == "unknown_event_type"


@pytest.mark.parametrize("value", ["CreateVirtualPhysicalConnection", 7])
def test_names_are_text(value: Any) -> None:
    assert recorded(with_data(eventName=value)).name == str(value)


@pytest.mark.parametrize("value", [..., "", "  ", None, True, ["x"]])
def test_without_a_name_there_is_no_record(value: Any) -> None:
    assert refused(with_data(eventName=value)) == "no_event_name"


def test_without_an_account_there_is_no_record() -> None:
    assert refused(replace(EVENT, account_id="")) == "no_account"


@pytest.mark.parametrize(
    "value", [..., None, "", "2025-07-07T01:39:09", "soon", 1751852349, "9999-12-31T23:59:59-23:59"]
)
def test_odd_time_falls_back_to_the_envelope(value: Any) -> None:
    assert recorded(with_data(eventTime=value)).at == datetime(2025, 7, 7, 1, 39, 10, tzinfo=UTC)


@pytest.mark.parametrize("time", ["", "2020-11-19T21:04:42.179PRC", "2025-07-07T01:39:09"])
def test_without_any_time_it_is_refused(time: str) -> None:
    assert refused(replace(with_data(eventTime=...), time=time)) == "bad_time"


def test_times_of_other_zones_become_utc() -> None:
    assert instant("2020-11-19T21:04:41+08:00") == datetime(2020, 11, 19, 13, 4, 41, tzinfo=UTC)
    assert instant(" 2025-07-07T01:39:09.123456789Z ") == datetime(2025, 7, 7, 1, 39, 9, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"requestParameters": '{"VlanId": 0}'}, {"VlanId": 0}),
        ({"requestParameters": ..., "requestParameterJson": '{"VlanId": "0"}'}, {"VlanId": "0"}),
        ({"requestParameters": "no JSON"}, {}),
        ({"requestParameters": [1]}, {}),
        ({"requestParameters": None}, {}),
    ],
)
def test_parameters_as_text_or_not_at_all(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert recorded(with_data(**fields)).request == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"errorCode": "Forbidden.VlanConflict"}, "Forbidden.VlanConflict"),
        ({"errorCode": "", "errorMessage": "failed"}, "unnamed"),
        ({"errorCode": None}, ""),
        ({"errorCode": 403}, "403"),
    ],
)
def test_failed_calls_say_so(fields: dict[str, Any], expected: str) -> None:
    assert recorded(with_data(**fields)).error_code == expected


@pytest.mark.parametrize(
    ("value", "write"), [("Write", True), ("write", True), (..., True), ("", True), ("Read", False), ("Other", False)]
)
def test_read_calls_are_told_apart(value: Any, write: bool) -> None:
    assert recorded(with_data(eventRW=value)).write is write


@pytest.mark.parametrize("identity", [None, "root", [1], {"type": ["x"]}])
def test_odd_identity_is_no_actor(identity: Any) -> None:
    assert recorded(with_data(userIdentity=identity)).actor == ""


def test_other_kinds_are_a_wrong_envelope() -> None:
    assert refused(Opened(kind="timer", key="", digest="")) == "wrong_envelope"
    assert refused(Opened(kind="unreadable", key="", digest="", reason="too_deep")) == "too_deep"


def test_record_has_a_name_even_when_it_is_refused() -> None:
    assert record_name(EVENT) == "CreateVirtualPhysicalConnection"
    assert record_name(with_data(eventName=...)) == "vpc:ActionTrail:ApiCall"
    assert record_name(Opened(kind="message", key="", digest="", body={"type": "order.new"})) == "order.new"
    assert record_name(Opened(kind="message", key="", digest="", body="text")) == ""
