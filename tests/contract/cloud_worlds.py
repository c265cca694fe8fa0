"""The clouds that the contract of ``Cloud`` is checked on, and what happens in them without us."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from crossport.adapters.credentials import Credentials, EnvironmentCredentials
from crossport.adapters.vpc import VpcCloud
from crossport.application.ports import Cloud
from localcloud.accounts import AccessKey, Account, Directory
from localcloud.clock import Clock as CloudClock
from localcloud.journal import Journal
from localcloud.listener import Listener
from localcloud.vpc.faults import Fault as CloudFault
from localcloud.vpc.ids import Ids
from localcloud.vpc.service import Vpc
from tests.fakes import memory_cloud
from tests.fakes.manual_clock import ManualClock
from tests.fakes.memory_cloud import MemoryCloud
from tests.integration.localcloud.conftest import LoopThread

PARTNER, TENANT, STRANGER = "1000000000000001", "2000000000000002", "3000000000000003"
#: The cloud's clock in both models.
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class World(Protocol):
    """A cloud, whose it is, and what happens in it without us."""

    cloud: Cloud
    account_id: str
    region: str
    circuit_id: str
    tenant_uid: str

    def now(self) -> datetime:
        """The cloud's time."""
        ...

    def accept(self, port_id: str) -> None:
        """The tenant accepts the port."""
        ...

    def create_vbr(self, port_id: str, vlan_id: int) -> str:
        """The tenant creates a VBR on its port."""
        ...

    def push_vbr(self, vlan_id: int) -> str:
        """The partner gives the tenant a VBR directly on the circuit, without a cap, and the tenant confirms it."""
        ...

    def throttle_next(self, method: str) -> None:
        """The next call is throttled."""
        ...

    def lose_request(self, method: str) -> None:
        """The next call is lost on its way there."""
        ...

    def lose_answer(self, method: str) -> None:
        """The next call is done and its answer is lost."""
        ...

    def expire_privilege(self) -> None:
        """The next call to create a port meets an expired permission."""
        ...


class MemoryWorld:
    """The fake."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.fake = MemoryCloud(self.clock)
        self.cloud: Cloud = self.fake
        self.account_id, self.region, self.circuit_id, self.tenant_uid = PARTNER, "us-east-1", "pc-circuit", TENANT
        self.fake.add_circuit(self.circuit_id, account_id=PARTNER, region=self.region, bandwidth_mbps=1_000)

    def now(self) -> datetime:
        return self.clock.now()

    def accept(self, port_id: str) -> None:
        self.fake.accept(port_id)

    def create_vbr(self, port_id: str, vlan_id: int) -> str:
        return self.fake.create_vbr(port_id, owner_uid=TENANT, vlan_id=vlan_id)

    def push_vbr(self, vlan_id: int) -> str:
        return self.fake.push_vbr(self.circuit_id, owner_uid=TENANT, vlan_id=vlan_id)

    def throttle_next(self, method: str) -> None:
        self.fake.script(method, memory_cloud.THROTTLED)

    def lose_request(self, method: str) -> None:
        self.fake.script(method, memory_cloud.LOST_REQUEST)

    def lose_answer(self, method: str) -> None:
        self.fake.script(method, memory_cloud.LOST_ANSWER)

    def expire_privilege(self) -> None:
        self.fake.script("create_port", memory_cloud.NO_PRIVILEGE)


_ACTIONS = {
    "create_port": "CreateVirtualPhysicalConnection",
    "pay_port": "CreatePhysicalConnectionOccupancyOrder",
    "create_from_vbr": "CreateVpconnFromVbr",
    "read_port": "ListVirtualPhysicalConnections",
    "find_port": "ListVirtualPhysicalConnections",
    "list_ports": "ListVirtualPhysicalConnections",
    "list_vbrs": "DescribeVirtualBorderRoutersForPhysicalConnection",
}


class LocalWorld:
    """``VpcCloud`` with the unmodified SDK over HTTP against the local cloud's VPC."""

    def __init__(self, thread: LoopThread) -> None:
        directory = Directory()
        self._partner = directory.add(Account(account_id=PARTNER, name="partner"))
        self._tenant = directory.add(Account(account_id=TENANT, name="tenant"))
        directory.add(Account(account_id=STRANGER, name="stranger"))
        self._clock = CloudClock(start=START)
        self._thread = thread
        self.account_id, self.region, self.circuit_id, self.tenant_uid = PARTNER, "us-east-1", "pc-circuit", TENANT

        def build() -> Vpc:
            vpc = Vpc(
                directory=directory,
                clock=self._clock,
                journal=Journal(self._clock),
                publish=lambda account_id, region, event: None,
                ids=Ids(seed=1),
            )
            vpc.add_circuit(self.circuit_id, PARTNER, self.region, 1_000)
            vpc.open_outbound_billing(TENANT, self.region)
            return vpc

        self._vpc = thread.call(build)
        self._listener = Listener(self._vpc.application)
        thread.run(self._listener.plug_in())
        self.partner_key, self.endpoint = self._partner, self._listener.address
        self.cloud: Cloud = VpcCloud(
            credentials=lambda account_id: _values(self._partner),
            endpoint=self._listener.address,
            # Far from the cloud's, so that a Date that is ignored shows.
            clock=ManualClock(START + timedelta(days=400)),
        )

    def close(self) -> None:
        self._thread.run(self._listener.unplug())

    def now(self) -> datetime:
        return self._clock.now()

    def accept(self, port_id: str) -> None:
        self._as_tenant("confirm_physical_connection", physical_connection_id=port_id)

    def create_vbr(self, port_id: str, vlan_id: int) -> str:
        made = self._as_tenant("create_virtual_border_router", physical_connection_id=port_id, vlan_id=vlan_id)
        return str(made.body.vbr_id)

    def push_vbr(self, vlan_id: int) -> str:
        connection = {"physical_connection_id": self.circuit_id}
        made = self._as(
            self._partner, "create_virtual_border_router", **connection, vlan_id=vlan_id, vbr_owner_id=TENANT
        )
        vbr_id = str(made.body.vbr_id)
        gateways = {"local_gateway_ip": "10.0.0.1", "peer_gateway_ip": "10.0.0.2"}
        mask = {"peering_subnet_mask": "255.255.255.252"}
        self._as_tenant("modify_virtual_border_router_attribute", vbr_id=vbr_id, **gateways, **mask)
        return vbr_id

    def throttle_next(self, method: str) -> None:
        self._script(method, CloudFault.THROTTLED)

    def lose_request(self, method: str) -> None:
        self._script(method, CloudFault.TIMEOUT_BEFORE_EFFECT)

    def lose_answer(self, method: str) -> None:
        self._script(method, CloudFault.TIMEOUT_AFTER_EFFECT)

    def expire_privilege(self) -> None:
        self._script("create_port", CloudFault.PRIVILEGE)

    def _script(self, method: str, fault: CloudFault) -> None:
        self._thread.call(self._vpc.faults.script, _ACTIONS[method], fault)

    def _as_tenant(self, operation: str, **parameters: Any) -> Any:
        return self._as(self._tenant, operation, **parameters)

    def _as(self, key: AccessKey, operation: str, **parameters: Any) -> Any:
        from crossport.adapters.vpc import sdk

        client = sdk.make_client(
            region=self.region,
            endpoint=self._listener.address,
            credentials=lambda: _values(key),
            connect_timeout_ms=5_000,
            read_timeout_ms=5_000,
        )
        return sdk.call(client, operation, {"region_id": self.region, **parameters})


@dataclass
class RealWorld:
    """The real cloud, for the tests that change nothing."""

    cloud: Cloud
    account_id: str
    region: str
    circuit_id: str
    tenant_uid: str

    def now(self) -> datetime:
        return datetime.now(UTC)


def _values(key: AccessKey) -> Credentials:
    return Credentials(access_key_id=key.access_key_id, access_key_secret=key.access_key_secret)


def real_world() -> RealWorld:
    names = [f"CROSSPORT_REAL_CLOUD_{name}" for name in ("ACCOUNT", "REGION", "CIRCUIT", "TENANT")]
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        pytest.skip(f"the real cloud is opt-in: {', '.join(missing)} not set")
    account_id, region, circuit_id, tenant_uid = (os.environ[name] for name in names)

    class SystemClock:
        def now(self) -> datetime:
            return datetime.now(UTC)

    cloud = VpcCloud(credentials=EnvironmentCredentials(account_id), endpoint=None, clock=SystemClock())
    return RealWorld(cloud, account_id, region, circuit_id, tenant_uid)
