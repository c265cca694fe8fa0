"""The EventBridge endpoint, spoken to by the official OpenAPI core with the wire form of the EventBridge SDK."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.runtime import RuntimeOptions

from localcloud.accounts import AccessKey, Account, Directory
from localcloud.clock import Clock
from localcloud.eventbridge.buses import Buses
from localcloud.eventbridge.rules import FUNCTION, Target
from localcloud.eventbridge.wire import EventBridgeApplication
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.signing import Verifier

REGION = "us-east-1"


@dataclass
class Cloud:
    """A running EventBridge endpoint; ``seen`` is what the function target got."""

    loop: asyncio.AbstractEventLoop
    listener: Listener
    buses: Buses
    partner: AccessKey
    tenant: AccessKey
    seen: list[dict[str, Any]]

    def call(self, key: AccessKey, action: str, *, secret: str = "", **parameters: str) -> dict[str, Any]:
        """One signed call; PutEvents in a form body and the others in the query, as the SDK sends them."""
        client = Client(
            Config(
                access_key_id=key.access_key_id,
                access_key_secret=secret or key.access_key_secret,
                endpoint=self.listener.address,
                protocol="http",
                region_id=REGION,
            )
        )
        params = Params(
            action=action,
            version="2020-04-01",
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        body = action == "PutEvents"
        request = OpenApiRequest(body=parameters) if body else OpenApiRequest(query=parameters)
        answer: dict[str, Any] = client.call_api(params, request, RuntimeOptions())["body"]
        return answer

    def settle(self) -> None:
        """Wait until every delivery has ended."""
        asyncio.run_coroutine_threadsafe(self.buses.idle(), self.loop).result(10)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)  # the OpenAPI core ignores NO_PROXY
    directory, clock = Directory(), Clock()
    partner = directory.add(Account(account_id="1000000000000001", name="partner"))
    tenant = directory.add(Account(account_id="2000000000000002", name="tenant"))
    seen: list[dict[str, Any]] = []

    async def invoke(_target: Target, event: dict[str, Any]) -> None:
        seen.append(event)

    buses = Buses(Journal(clock), clock, deliver={FUNCTION: invoke})
    listener = Listener(EventBridgeApplication(buses, Verifier(directory), REGION))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(listener.plug_in(), loop).result(10)
    try:
        yield Cloud(loop, listener, buses, partner, tenant, seen)
    finally:
        asyncio.run_coroutine_threadsafe(listener.unplug(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def targets(**constants: str) -> str:
    parameters = [{"ResourceKey": k, "Form": "CONSTANT", "Value": v} for k, v in constants.items()]
    return json.dumps([*parameters, {"ResourceKey": "Body", "Form": "ORIGINAL"}])


def function_target() -> str:
    target = {"Id": "1", "Type": FUNCTION, "ParamList": json.loads(targets(functionName="port_events"))}
    return json.dumps([target])


def bus_target(account_id: str, bus: str) -> str:
    target = {
        "Id": "1",
        "Type": "acs.eventbridge",
        "Endpoint": f"acs:eventbridge:{REGION}:{account_id}:eventbus/{bus}",
        "ParamList": json.loads(
            targets(AccountType="AnotherAccount", AccountId=account_id, EventBusName=bus, RAMRoleName="forward")
        ),
    }
    return json.dumps([target])


def entry(**attributes: Any) -> dict[str, Any]:
    made = {
        "Id": "e-1",
        "Source": "crossport.test",
        "SpecVersion": "1.0",
        "Type": "test:Event",
        "DataContentType": "application/json",
        "Data": '{"订单": 1}',
    }
    return made | attributes


def test_a_tenant_makes_a_rule_with_its_own_key_and_its_events_arrive_under_its_name(cloud: Cloud) -> None:
    partner_id, tenant_id = cloud.partner.account.account_id, cloud.tenant.account.account_id
    made = cloud.call(cloud.partner, "CreateEventBus", EventBusName="from-tenants")
    assert made["Data"]["EventBusARN"] == f"acs:eventbridge:{REGION}:{partner_id}:eventbus/from-tenants"
    cloud.call(
        cloud.partner,
        "CreateRule",
        EventBusName="from-tenants",
        RuleName="in",
        FilterPattern='{"source": [{"prefix": "crossport."}]}',
        EventTargets=function_target(),
    )
    cloud.call(cloud.tenant, "CreateEventBus", EventBusName="own")
    rule = cloud.call(
        cloud.tenant,
        "CreateRule",
        EventBusName="own",
        RuleName="out",
        FilterPattern="{}",
        EventTargets=bus_target(partner_id, "from-tenants"),
    )
    assert rule["Data"]["RuleARN"].endswith(f":{tenant_id}:eventbus/own/rule/out")
    cloud.loop.call_soon_threadsafe(cloud.buses.trust, partner_id, REGION, "from-tenants", tenant_id)
    forged = entry(aliyunoriginalaccountid=partner_id, aliyunaccountid=partner_id)
    answer = cloud.call(cloud.tenant, "PutEvents", EventBusName="own", EventList=json.dumps([forged]))
    assert answer["Data"]["FailedEntryCount"] == 0
    cloud.settle()
    [event] = cloud.seen
    assert event["data"] == {"订单": 1}
    assert event["aliyunoriginalaccountid"] == tenant_id
    assert event["aliyunaccountid"] == partner_id


def test_each_event_of_a_request_succeeds_or_fails_for_itself(cloud: Cloud) -> None:
    cloud.call(cloud.partner, "CreateEventBus", EventBusName="own")
    events = [entry(), entry(Id=""), entry(Data="{not json"), entry(Data=json.dumps("x" * 66_000))]
    answer = cloud.call(cloud.partner, "PutEvents", EventBusName="own", EventList=json.dumps(events))
    assert answer["Data"]["FailedEntryCount"] == 3
    codes = [each["ErrorCode"] for each in answer["Data"]["EntryList"]]
    assert codes == ["Success", "InvalidArgument", "InvalidArgument", "InvalidArgument"]


@pytest.mark.parametrize(
    ("action", "parameters", "status", "code"),
    [
        ("PutEvents", {"EventBusName": "nowhere", "EventList": json.dumps([entry()])}, 404, "EventBusNotExist"),
        ("PutEvents", {"EventBusName": "own", "EventList": "[]"}, 400, "InvalidArgument"),
        ("PutEvents", {"EventBusName": "own", "EventList": "{"}, 400, "InvalidArgument"),
        ("PutEvents", {"EventList": json.dumps([entry()])}, 400, "InvalidArgument"),
        ("CreateEventBus", {"EventBusName": "own"}, 409, "EventBusAlreadyExist"),
        (
            "CreateRule",
            {"EventBusName": "own", "RuleName": "r", "FilterPattern": '{"a": 1}', "EventTargets": function_target()},
            400,
            "InvalidArgument",
        ),
        (
            "CreateRule",
            {"EventBusName": "own", "RuleName": "r", "FilterPattern": "{}", "EventTargets": '[{"Type": "http"}]'},
            400,
            "InvalidArgument",
        ),
        ("DeleteEventBus", {"EventBusName": "own"}, 501, "NotImplemented"),
    ],
)
def test_what_is_wrong_gets_its_own_error(
    cloud: Cloud, action: str, parameters: dict[str, str], status: int, code: str
) -> None:
    cloud.call(cloud.partner, "CreateEventBus", EventBusName="own")
    with pytest.raises(AlibabaCloudException) as caught:
        cloud.call(cloud.partner, action, **parameters)
    assert (caught.value.status_code, caught.value.code) == (status, code)


def test_a_wrong_secret_gets_the_cloud_s_own_error(cloud: Cloud) -> None:
    with pytest.raises(AlibabaCloudException) as caught:
        cloud.call(cloud.partner, "CreateEventBus", secret="not-the-secret", EventBusName="own")
    assert caught.value.code == "SignatureDoesNotMatch"
