"""VpcCloud and the real SDK against a loopback server: what is sent and what is believed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import stamina

from crossport.adapters.credentials import Credentials
from crossport.adapters.tea import is_loopback
from crossport.adapters.vpc import VpcCloud
from crossport.adapters.vpc.answers import answered_at, moment, vlan
from crossport.adapters.vpc.sdk import make_client
from crossport.application.ports import CloudFailure
from crossport.domain.observation import PortObservation, VbrObservation
from crossport.domain.vocabulary import Presence, Source
from tests.fakes.loopback_server import LoopbackServer, Reply
from tests.fakes.manual_clock import ManualClock
from tests.unit.adapters.vpc_samples import (
    ACCOUNT,
    CLOUD_DATE,
    CLOUD_TIME,
    CREATED,
    REGION,
    TENANT,
    cloud_at,
    create,
    failure,
    find,
    port_item,
    ports,
    read,
    refusal,
    vbrs,
)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def no_waiting_between_attempts() -> Iterator[None]:
    """Two attempts as in production, without the pause between them."""
    with stamina.set_testing(True, attempts=2):
        yield


# --- Writes -----------------------------------------------------------------------------------------------------------


def test_a_port_is_created_with_vlan_id_zero_and_the_token_of_the_intent(server: LoopbackServer) -> None:
    server.answer(CREATED)
    answer = create(cloud_at(server))
    assert (answer.value, answer.date) == ("pc-port", CLOUD_TIME)
    (request,) = server.requests
    assert request.headers["x-acs-action"] == "CreateVirtualPhysicalConnection"
    assert request.parameters == {
        "RegionId": REGION,
        "PhysicalConnectionId": "pc-circuit",
        "VpconnAliUid": TENANT,
        "VlanId": "0",
        "Spec": "200M",
        "OrderMode": "PayByPhysicalConnectionOwner",
        "Name": "order-1",
        "Token": "intent-0001",
    }


@pytest.mark.parametrize(
    "passed", [refusal(400, "DRYRUN.SUCCESS"), Reply(body='{"RequestId": "R-1"}')], ids=["as a code", "as an answer"]
)
def test_a_dry_run_passes_with_the_documented_code_or_with_a_request_id(server: LoopbackServer, passed: Reply) -> None:
    server.answer(passed)
    assert create(cloud_at(server), dry_run=True).value == ""
    assert server.requests[0].parameters["DryRun"] == "True"


def test_the_code_of_a_dry_run_is_no_success_of_a_real_call(server: LoopbackServer) -> None:
    server.answer(refusal(400, "DRYRUN.SUCCESS"))
    assert failure(lambda: create(cloud_at(server))).failure is CloudFailure.PERMANENT


def test_an_order_for_a_port_is_paid_at_once_from_the_balance(server: LoopbackServer) -> None:
    server.answer(Reply(body='{"RequestId": "R", "Data": {"OrderId": "21234"}}', date=CLOUD_DATE))
    answer = cloud_at(server).pay_port(
        account_id=ACCOUNT, region=REGION, port_id="pc-port", months=3, auto_renew=False, token="pay-1"
    )
    assert (answer.value, answer.date) == ("21234", CLOUD_TIME)
    assert server.requests[0].headers["x-acs-action"] == "CreatePhysicalConnectionOccupancyOrder"
    assert server.requests[0].parameters == {
        "RegionId": REGION,
        "PhysicalConnectionId": "pc-port",
        "InstanceChargeType": "PrePaid",
        "PricingCycle": "Month",
        "Period": "3",
        "AutoPay": "True",
        "AutoRenew": "False",
        "ClientToken": "pay-1",
    }


@pytest.mark.parametrize(
    "body",
    [
        '{"RequestId": "R-1", "VirtualPhysicalConnection": 7}',
        '{"RequestId": "R-1", "VirtualPhysicalConnection": ""}',
        '{"RequestId": "R-1"}',
        "[]",
        '"pc-port"',
        "null",
    ],
)
def test_an_answer_to_a_write_that_is_not_as_documented_leaves_it_open_what_happened(
    server: LoopbackServer, body: str
) -> None:
    server.answer(Reply(body=body))
    error = failure(lambda: create(cloud_at(server)))
    assert (error.failure, error.cloud_code) == (CloudFailure.UNKNOWN, "BadAnswer")


# --- Reads ------------------------------------------------------------------------------------------------------------


def test_a_port_and_its_vbrs_become_observations_dated_with_the_first_answer(server: LoopbackServer) -> None:
    paid = port_item(
        VirtualPhysicalConnectionStatus="Confirmed",
        Status="Enabled",
        ExpectSpec="500M",
        EnabledTime="2026-11-20T03:04:05Z",
        EndTime="2026-12-20T16:00Z",
    )
    vbr = {"VbrId": "vbr-1", "VbrOwnerUid": int(TENANT), "VlanId": 0, "Status": "active"}
    server.answer(ports(paid), vbrs(vbr))
    result = read(cloud_at(server))
    assert result.date == CLOUD_TIME
    assert result.port == PortObservation(
        at=CLOUD_TIME,
        source=Source.READ,
        port_id="pc-port",
        acceptance="Confirmed",
        status="Enabled",
        business_status="Normal",
        spec="200M",
        expect_spec="500M",
        vlan_id=0,
        tenant_uid=TENANT,
        order_mode="PayByPhysicalConnectionOwner",
        circuit_id="pc-circuit",
        enabled_time=datetime(2026, 11, 20, 3, 4, 5, tzinfo=UTC),
        end_time=datetime(2026, 12, 20, 16, 0, tzinfo=UTC),
        presence=Presence.PRESENT,
    )
    assert result.vbrs == (
        VbrObservation(
            at=CLOUD_TIME,
            source=Source.READ,
            vbr_id="vbr-1",
            port_id="pc-port",
            owner_uid=TENANT,
            vlan_id=0,
            status="active",
            presence=Presence.PRESENT,
        ),
    )
    assert server.requests[0].parameters["VirtualPhysicalConnectionIds.1"] == "pc-port"
    assert server.requests[1].parameters["PhysicalConnectionId"] == "pc-port"


def test_values_that_nobody_documented_are_kept_and_absent_ones_are_not_invented(server: LoopbackServer) -> None:
    odd = port_item(Status="Hibernating", BusinessStatus="Frozen", VlanId="", ExpectSpec=None, EnabledTime="soon")
    server.answer(ports(odd), vbrs({"VbrId": "vbr-1", "Status": "sleeping"}))
    result = read(cloud_at(server))
    assert result.port is not None
    assert (result.port.status, result.port.business_status) == ("Hibernating", "Frozen")
    assert (result.port.vlan_id, result.port.expect_spec, result.port.enabled_time) == (None, "", None)
    assert (result.vbrs[0].status, result.vbrs[0].owner_uid, result.vbrs[0].vlan_id) == ("sleeping", None, None)


def test_a_port_that_a_complete_list_does_not_hold_is_absent(server: LoopbackServer) -> None:
    server.answer(ports())
    result = read(cloud_at(server))
    assert (result.port, result.vbrs, result.date) == (None, (), CLOUD_TIME)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"RequestId": "R"}',
        '{"RequestId": "R", "TotalCount": 0, "VirtualPhysicalConnections": 5}',
        '{"RequestId": "R", "TotalCount": "0", "VirtualPhysicalConnections": []}',
        '{"RequestId": "R", "TotalCount": 1, "VirtualPhysicalConnections": []}',
        '{"RequestId": "R", "TotalCount": 1, "VirtualPhysicalConnections": ["pc-port"]}',
        '{"RequestId": "R", "TotalCount": 1, "VirtualPhysicalConnections": [{"PhysicalConnectionId": 5}]}',
        '{"RequestId": "R", "TotalCount": 1, "VirtualPhysicalConnections": [{"Status": "Enabled"}]}',
        "[]",
    ],
)
def test_a_list_that_is_not_as_documented_never_means_that_a_port_is_absent(server: LoopbackServer, body: str) -> None:
    server.answer(Reply(body=body))
    error = failure(lambda: read(cloud_at(server)))
    assert (error.failure, error.cloud_code) == (CloudFailure.RETRYABLE, "BadAnswer")
    assert error.action == "ListVirtualPhysicalConnections"


def test_both_lists_are_read_to_their_end(server: LoopbackServer) -> None:
    first = [{"VbrId": f"vbr-{n}", "Status": "active"} for n in range(50)]
    server.answer(
        ports(port_item(PhysicalConnectionId="pc-other"), total=2, token="page-2"),
        ports(port_item(), total=2, date="Tue, 24 Nov 2026 11:10:55 GMT"),
        vbrs(*first, total=51),
        vbrs({"VbrId": "vbr-50", "Status": "active"}, total=51),
    )
    result = read(cloud_at(server))
    assert result.date == CLOUD_TIME
    assert result.port is not None
    assert result.port.port_id == "pc-port"
    assert [vbr.vbr_id for vbr in result.vbrs] == [f"vbr-{n}" for n in range(51)]
    assert server.requests[1].parameters["NextToken"] == "page-2"
    assert server.requests[3].parameters["PageNumber"] == "2"


def test_lists_that_do_not_end_or_end_too_early_are_no_answer(server: LoopbackServer) -> None:
    endless = ports(port_item(), total=9, token="again")
    server.answer(endless, endless)
    assert "does not end" in str(failure(lambda: read(cloud_at(server))))
    server.script.clear()
    server.answer(ports(port_item()), vbrs({"VbrId": "vbr-1"}, total=2), vbrs(total=2))
    assert "shorter" in str(failure(lambda: read(cloud_at(server))))


def test_a_port_is_found_by_circuit_vlan_id_and_tenant_and_no_other_is_believed(server: LoopbackServer) -> None:
    server.answer(
        ports(
            port_item(PhysicalConnectionId="pc-gone", VirtualPhysicalConnectionStatus="Deleted"),
            port_item(PhysicalConnectionId="pc-vlan", VlanId="7"),
            port_item(PhysicalConnectionId="pc-tenant", AliUid="3000000000000003"),
            port_item(PhysicalConnectionId="pc-elsewhere", ParentPhysicalConnectionId="pc-circuit-2"),
            port_item(PhysicalConnectionId="pc-older", CreationTime="2026-01-01T00:00:00Z"),
            port_item(),
        )
    )
    result = find(cloud_at(server))
    assert result.port is not None
    assert (result.port.port_id, result.port.at) == ("pc-port", CLOUD_TIME)
    sent = server.requests[0].parameters
    assert (sent["PhysicalConnectionId"], sent["VlanIds.1"]) == ("pc-circuit", "0")
    assert sent["VirtualPhysicalConnectionAliUids.1"] == TENANT


def test_without_a_date_our_own_clock_is_used(server: LoopbackServer) -> None:
    server.answer(ports(date=None))
    assert read(cloud_at(server)).date == ManualClock().now()


@pytest.mark.parametrize(
    "value", ["", "yesterday", "Tue, 24 Nov 2026 11:10:47 -0000", f"{CLOUD_DATE}, {CLOUD_DATE}", 7, None]
)
def test_an_odd_date_is_not_believed(value: object) -> None:
    assert answered_at({"date": value}, ManualClock().now) == ManualClock().now()
    assert answered_at(None, ManualClock().now) == ManualClock().now()


@pytest.mark.parametrize(
    ("value", "expected"), [("0", 0), (0, 0), ("2999", 2999), (" 12 ", 12), ("", None), (None, None), ("a1", None)]
)
def test_a_vlan_id_is_a_number_or_was_not_said(value: str | int | None, expected: int | None) -> None:
    assert vlan(value) == expected


def test_times_are_utc_whatever_zone_they_name(caplog: pytest.LogCaptureFixture) -> None:
    assert moment("2026-01-01T08:00:00+08:00") == datetime(2026, 1, 1, tzinfo=UTC)
    assert moment("2026-01-01T00:00:00") == datetime(2026, 1, 1, tzinfo=UTC)
    assert moment("") is None
    with caplog.at_level(logging.WARNING):
        assert moment("next week") is None
    assert "next week" in caplog.text


# --- The client -------------------------------------------------------------------------------------------------------


def test_rotated_credentials_are_used_by_the_next_call(server: LoopbackServer) -> None:
    server.answer(ports())
    current = [Credentials(access_key_id="LTAIfirst", access_key_secret="s")]
    asked: list[str] = []

    def provide(account_id: str) -> Credentials:
        asked.append(account_id)
        return current[0]

    cloud = VpcCloud(credentials=provide, endpoint=server.address, clock=ManualClock())
    read(cloud)
    current[0] = Credentials(access_key_id="LTAIsecond", access_key_secret="s", security_token="st-2")
    read(cloud)
    first, second = (request.headers for request in server.requests)
    assert "Credential=LTAIfirst" in first["authorization"]
    assert "x-acs-security-token" not in first
    assert "Credential=LTAIsecond" in second["authorization"]
    assert second["x-acs-security-token"] == "st-2"
    assert set(asked) == {ACCOUNT}


def test_each_account_is_called_with_its_own_credentials(server: LoopbackServer) -> None:
    server.answer(ports())
    cloud = VpcCloud(
        credentials=lambda account_id: Credentials(access_key_id=f"LTAI{account_id}", access_key_secret="s"),
        endpoint=server.address,
        clock=ManualClock(),
    )
    for account_id in ("111", "222"):
        cloud.read_port(account_id=account_id, region=REGION, port_id="pc-port")
    assert ["LTAI111" in r.headers["authorization"] for r in server.requests] == [True, False]
    assert ["LTAI222" in r.headers["authorization"] for r in server.requests] == [False, True]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_calls_to_loopback_never_go_through_a_proxy(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server.answer(ports())
    with LoopbackServer() as proxy:
        proxy.answer(Reply(status=407))
        monkeypatch.setenv(name, f"http://{proxy.address}")
        assert read(cloud_at(server)).port is None
        assert proxy.requests == []
    assert server.requests[0].target.startswith("/?")


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("127.0.0.1:8000", True),
        ("127.8.8.8:1", True),
        ("localhost:8000", True),
        ("[::1]:8000", True),
        ("vpc.us-east-1.aliyuncs.com", False),
        ("10.0.0.1:80", False),
        ("localhost.example.com:80", False),
    ],
)
def test_only_this_machine_is_spoken_to_without_tls(endpoint: str, expected: bool) -> None:
    assert is_loopback(endpoint) is expected


@pytest.mark.parametrize(
    ("endpoint", "protocol", "spoken_to"),
    [
        (None, "https", "vpc.us-east-1.aliyuncs.com"),
        ("", "https", "vpc.us-east-1.aliyuncs.com"),
        ("vpc-vpc.us-east-1.aliyuncs.com", "https", "vpc-vpc.us-east-1.aliyuncs.com"),
        ("127.0.0.1:9", "http", "127.0.0.1:9"),
    ],
)
def test_only_loopback_is_spoken_to_in_http(endpoint: str | None, protocol: str, spoken_to: str) -> None:
    client = make_client(
        region=REGION,
        endpoint=endpoint,
        credentials=lambda: Credentials(access_key_id="a", access_key_secret="b"),
        connect_timeout_ms=1,
        read_timeout_ms=1,
    )
    assert (client._protocol, client._endpoint) == (protocol, spoken_to)


def test_the_clock_of_the_cloud_may_be_far_from_ours(server: LoopbackServer) -> None:
    server.answer(CREATED)
    assert create(cloud_at(server)).date - ManualClock().now() > timedelta(days=200)
