"""Signatures, rates, faults and ActionTrail of the VPC service, through the official SDK."""

from __future__ import annotations

import http.client
import json
from dataclasses import replace
from typing import Any

import pytest
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from alibabacloud_vpc20160428.client import Client
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from localcloud.vpc import Fault
from localcloud.vpc.throttle import Throttle
from tests.integration.localcloud.vpc_world import CIRCUIT, PARTNER, REGION, TENANT, Caller, World, pushed

CREATE = "create_virtual_physical_connection"


def generic(caller: Caller, action: str, **options: Any) -> Any:
    """A call through the SDK's generic entry, which sends what it is given."""
    form = options.pop("form", None)
    version = options.pop("version", "2016-04-28")
    params = Params(
        action=action,
        version=version,
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    return caller.client.call_api(params, OpenApiRequest(query=options, body=form), RuntimeOptions())


def test_a_wrong_secret_gets_the_clouds_own_error(vpc_world: World) -> None:
    world = vpc_world
    wrong = Caller(replace(world.partner.key, access_key_secret="wrong"), world.listener.address)
    assert wrong.refusal(CREATE, **pushed()) == ("SignatureDoesNotMatch", 400)
    unknown = Caller(replace(world.partner.key, access_key_id="LTAIunknown"), world.listener.address)
    assert unknown.refusal(CREATE, **pushed()) == ("InvalidAccessKeyId.NotFound", 404)
    assert world.vpc.ports() == []
    assert world.events == []


def test_an_error_has_the_fields_of_the_cloud(vpc_world: World) -> None:
    with pytest.raises(AlibabaCloudException) as caught:
        vpc_world.partner(CREATE, **pushed(vlan_id=3000))
    data = caught.value.data
    assert data["HostId"] == vpc_world.listener.address
    assert data["Code"] == "IllegalParam.VlanId"
    assert data["RequestId"] == caught.value.request_id
    assert data["Recommend"].startswith("https://api.aliyun.com/troubleshoot?q=IllegalParam.VlanId")


def test_an_unsigned_request_is_refused_and_dated_once(vpc_world: World) -> None:
    connection = http.client.HTTPConnection(vpc_world.listener.address, timeout=5)
    connection.request("POST", "/?RegionId=us-east-1", headers={"x-acs-action": "DescribeRegions"})
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    assert (response.status, body["Code"]) == (400, "MissingAccessKeyId")
    assert len(response.msg.get_all("date", [])) == 1


def test_parameters_may_come_in_a_form(vpc_world: World) -> None:
    answer = generic(
        vpc_world.partner, "ListVirtualPhysicalConnections", RegionId=REGION, form={"PhysicalConnectionId": CIRCUIT}
    )
    assert answer["body"]["TotalCount"] == 0


def test_what_is_not_implemented_says_so(vpc_world: World) -> None:
    with pytest.raises(AlibabaCloudException) as caught:
        vpc_world.partner("describe_vpcs")
    assert (caught.value.code, caught.value.status_code) == ("InvalidAction.NotImplemented", 501)
    assert vpc_world.journal.entries("vpc")[-1].what == "DescribeVpcs is not implemented"


def test_another_version_is_refused(vpc_world: World) -> None:
    with pytest.raises(AlibabaCloudException) as caught:
        generic(vpc_world.partner, "ListVirtualPhysicalConnections", RegionId=REGION, version="2014-05-26")
    assert caught.value.code == "InvalidVersion"


def test_rates_are_limited_by_operation_account_and_region(vpc_world: World) -> None:
    world = vpc_world
    time = [0.0]
    world.behind(setattr, world.vpc.application, "_throttle", Throttle(2, lambda: time[0]))
    listed = "list_virtual_physical_connections"
    for _ in range(2):
        world.partner(listed)
    assert world.partner.refusal(listed) == ("Throttling.User", 400)
    world.partner(listed, region_id="cn-hangzhou")
    world.partner("describe_physical_connections")
    world.tenant(listed)
    time[0] = 60.0
    world.partner(listed)


def test_a_time_out_before_the_effect_does_nothing(vpc_world: World) -> None:
    world = vpc_world
    world.vpc.faults.script("CreateVirtualPhysicalConnection", Fault.TIMEOUT_BEFORE_EFFECT)
    with pytest.raises(UnretryableException):
        world.push(token="t")
    assert world.vpc.ports() == []
    assert world.events == []
    world.push(token="t")


@pytest.mark.parametrize("fault", [Fault.TIMEOUT_AFTER_EFFECT, Fault.SERVER_ERROR_AFTER_EFFECT])
def test_after_an_unknown_outcome_the_same_token_finds_the_port(vpc_world: World, fault: Fault) -> None:
    world = vpc_world
    world.vpc.faults.script("CreateVirtualPhysicalConnection", fault)
    with pytest.raises((UnretryableException, AlibabaCloudException)):
        world.push(token="t")
    [port] = world.vpc.ports()
    assert [event["data"]["eventName"] for _, _, event in world.events] == ["CreateVirtualPhysicalConnection"]
    assert world.push(token="t") == port.port_id


def test_faults_come_in_their_order(vpc_world: World) -> None:
    world = vpc_world
    world.vpc.faults.script("CreateVirtualPhysicalConnection", Fault.SERVER_ERROR, Fault.NONE, Fault.THROTTLED)
    assert world.partner.refusal(CREATE, **pushed()) == ("ServiceUnavailable", 503)
    world.push()
    assert world.partner.refusal(CREATE, **pushed(vlan_id=2)) == ("Throttling.User", 400)
    world.push(vlan_id=2)


def test_a_write_is_recorded_for_its_caller_and_region(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.push(token="intent-1")
    [(account_id, region, event)] = world.events
    assert (account_id, region) == (PARTNER, REGION)
    data = event.pop("data")
    assert event == {
        "id": event["id"],
        "source": "acs.vpc",
        "specversion": "1.0",
        "type": "vpc:ActionTrail:ApiCall",
        "subject": f"acs.vpc:{REGION}:{PARTNER}:{port_id}",
        "time": event["time"],
        "datacontenttype": "application/json;charset=utf-8",
        "aliyunaccountid": PARTNER,
        "aliyunpublishtime": data["eventTime"],
        "aliyuneventbusname": "default",
        "aliyunregionid": REGION,
    }
    assert event["time"].startswith("2026-03-10T13:00:")
    assert event["time"].endswith("+08:00")
    assert data["eventTime"].startswith("2026-03-10T05:00:")
    assert data["requestParameters"]["VlanId"] == "100"
    assert data["requestParameters"]["VpconnAliUid"] == TENANT
    assert data["responseElements"] == {
        "RequestId": data["requestId"],
        "VirtualPhysicalConnection": port_id,
    }
    assert data["userIdentity"] == {
        "type": "root-account",
        "accountId": PARTNER,
        "principalId": PARTNER,
        "userName": "root",
    }
    named = {key: data[key] for key in ("eventName", "eventRW", "eventType", "serviceName", "acsRegion", "apiVersion")}
    assert named == {
        "eventName": "CreateVirtualPhysicalConnection",
        "eventRW": "Write",
        "eventType": "ApiCall",
        "serviceName": "Vpc",
        "acsRegion": REGION,
        "apiVersion": "2016-04-28",
    }
    assert (data["recipientAccountId"], data["sourceIpAddress"]) == (PARTNER, "127.0.0.1")
    assert "errorCode" not in data


def test_the_tenants_calls_are_on_the_tenants_bus(vpc_world: World) -> None:
    world = vpc_world
    port_id = world.enabled()
    vbr_id = world.add_vbr(port_id)
    names = [(account, event["data"]["eventName"]) for account, _, event in world.events]
    assert names == [
        (PARTNER, "CreateVirtualPhysicalConnection"),
        (TENANT, "ConfirmPhysicalConnection"),
        (TENANT, "CreatePhysicalConnectionOccupancyOrder"),
        (TENANT, "CreateVirtualBorderRouter"),
    ]
    vbr = world.data()[-1]
    assert vbr["responseElements"]["VbrId"] == vbr_id
    assert vbr["requestParameters"]["PhysicalConnectionId"] == port_id


def test_a_refused_write_is_recorded_with_its_error(vpc_world: World) -> None:
    world = vpc_world
    world.partner.refusal(CREATE, **pushed(vlan_id=3000))
    [data] = world.data()
    assert (data["errorCode"], data["eventName"]) == ("IllegalParam.VlanId", "CreateVirtualPhysicalConnection")
    assert "VlanId" in data["errorMessage"]
    assert "responseElements" not in data


def test_reads_and_dry_runs_are_not_recorded(vpc_world: World) -> None:
    world = vpc_world
    world.listed()
    world.partner.refusal(CREATE, **pushed(dry_run=True))
    world.tenant("get_physical_connection_service_status")
    assert world.events == []


def test_the_console_is_told_apart_by_its_user_agent(vpc_world: World) -> None:
    world = vpc_world
    config = Config(
        access_key_id=world.partner.key.access_key_id,
        access_key_secret=world.partner.key.access_key_secret,
        endpoint=world.listener.address,
        protocol="http",
        user_agent="vpc.console.aliyun.com",
    )
    world.partner.client = Client(config)
    world.push()
    [(_, _, event)] = world.events
    assert (event["type"], event["data"]["eventType"]) == ("vpc:ActionTrail:ConsoleOperation", "ConsoleOperation")


def test_no_secret_is_recorded(vpc_world: World) -> None:
    world = vpc_world
    world.enabled()
    recorded = json.dumps([event for _, _, event in world.events]) + repr(world.journal.entries())
    for caller in (world.partner, world.tenant):
        assert caller.key.access_key_secret not in recorded
        assert caller.key.access_key_id not in recorded


def test_unplugged_is_refused_and_plugged_in_again_goes_on(vpc_world: World, loop_thread: Any) -> None:
    world = vpc_world
    port_id = world.push()
    loop_thread.run(world.listener.unplug())
    with pytest.raises(UnretryableException):
        world.listed()
    loop_thread.run(world.listener.plug_in())
    assert world.listed()[0].physical_connection_id == port_id
