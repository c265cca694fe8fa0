"""A VpcCloud on a loopback server, and answers of the VPC API as they stand on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from crossport.adapters.credentials import Credentials
from crossport.adapters.vpc import VpcCloud
from crossport.application.errors import CloudCallError
from crossport.application.ports import Answer, CreatePort, Read
from tests.fakes.loopback_server import LoopbackServer, Reply
from tests.fakes.manual_clock import ManualClock

ACCOUNT, TENANT, REGION = "1000000000000001", "2000000000000002", "us-east-1"
SECRETS = ("LTAIunit", "unit-secret", "unit-security-token")
#: The clock of the cloud is not ours.
CLOUD_DATE = "Tue, 24 Nov 2026 11:10:47 GMT"
CLOUD_TIME = datetime(2026, 11, 24, 11, 10, 47, tzinfo=UTC)
CREATE = CreatePort(
    account_id=ACCOUNT,
    region=REGION,
    circuit_id="pc-circuit",
    tenant_uid=TENANT,
    vlan_id=0,
    spec="200M",
    order_mode="PayByPhysicalConnectionOwner",
    name="order-1",
    token="intent-0001",
)
CREATED = Reply(body='{"RequestId": "R-1", "VirtualPhysicalConnection": "pc-port"}', date=CLOUD_DATE)


def cloud_at(server: LoopbackServer, *, security_token: str = "", read_timeout_ms: int = 5_000) -> VpcCloud:
    values = Credentials(access_key_id=SECRETS[0], access_key_secret=SECRETS[1], security_token=security_token)
    return VpcCloud(
        credentials=lambda account_id: values,
        endpoint=server.address,
        clock=ManualClock(),
        connect_timeout_ms=2_000,
        read_timeout_ms=read_timeout_ms,
    )


def port_item(**changes: object) -> dict[str, object]:
    return {
        "PhysicalConnectionId": "pc-port",
        "ParentPhysicalConnectionId": "pc-circuit",
        "AliUid": TENANT,
        "VirtualPhysicalConnectionStatus": "UnConfirmed",
        "Status": "Allocated",
        "BusinessStatus": "Normal",
        "Spec": "200M",
        "VlanId": "0",
        "OrderMode": "PayByPhysicalConnectionOwner",
        "CreationTime": "2026-11-20T00:00:00Z",
        "EnabledTime": "",
        "EndTime": "",
        **changes,
    }


def ports(*items: object, total: int | None = None, token: str = "", date: str | None = CLOUD_DATE) -> Reply:
    count = len(items) if total is None else total
    body = {"RequestId": "R", "Count": len(items), "TotalCount": count, "NextToken": token}
    return Reply(body=json.dumps({**body, "VirtualPhysicalConnections": list(items)}), date=date)


def vbrs(*items: object, total: int | None = None) -> Reply:
    count = len(items) if total is None else total
    body = {
        "RequestId": "R",
        "TotalCount": count,
        "VirtualBorderRouterForPhysicalConnectionSet": {"VirtualBorderRouterForPhysicalConnectionType": list(items)},
    }
    return Reply(body=json.dumps(body), date="Tue, 24 Nov 2026 11:10:59 GMT")


def refusal(status: int, code: str, message: str = "No.", **headers: str) -> Reply:
    body = {"RequestId": "R-9", "HostId": "vpc", "Code": code, "Message": message, "Recommend": "https://x"}
    return Reply(status=status, body=json.dumps(body), headers=tuple(headers.items()))


def failure(act: Callable[[], object]) -> CloudCallError:
    with pytest.raises(CloudCallError) as caught:
        act()
    return caught.value


def create(cloud: VpcCloud, *, dry_run: bool = False) -> Answer:
    return cloud.create_port(CREATE, dry_run=dry_run)


def read(cloud: VpcCloud) -> Read:
    return cloud.read_port(account_id=ACCOUNT, region=REGION, port_id="pc-port")


def find(cloud: VpcCloud) -> Read:
    return cloud.find_port(account_id=ACCOUNT, region=REGION, circuit_id="pc-circuit", vlan_id=0, tenant_uid=TENANT)
