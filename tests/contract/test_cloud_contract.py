"""What every ``Cloud`` promises: the in-memory fake, and the real SDK against the local cloud's VPC.

The tests that change nothing also run against the real cloud when CROSSPORT_REAL_CLOUD_ACCOUNT, _REGION, _CIRCUIT and
_TENANT are set, with the credentials that Function Compute uses (ALIBABA_CLOUD_ACCESS_KEY_ID, ...). VLAN ID 2999 of
that circuit must be free.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
import stamina

from crossport.adapters.credentials import Credentials, EnvironmentCredentials
from crossport.adapters.vpc import VpcCloud
from crossport.application.errors import CloudCallError
from crossport.application.ports import Answer, Cloud, CloudFailure, CreatePort, Read
from crossport.domain.vocabulary import Presence, Source
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
    "read_port": "ListVirtualPhysicalConnections",
    "find_port": "ListVirtualPhysicalConnections",
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
        from crossport.adapters.vpc import sdk

        client = sdk.make_client(
            region=self.region,
            endpoint=self._listener.address,
            credentials=lambda: _values(self._tenant),
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


def _real_world() -> RealWorld:
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


@pytest.fixture(autouse=True)
def one_attempt() -> Iterator[None]:
    """Scripted faults are for one call; repeated reads are tested with the adapter."""
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture(params=["memory", "local cloud"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
        return
    thread = LoopThread()
    local = LocalWorld(thread)
    yield local
    local.close()
    thread.stop()


@pytest.fixture(params=["memory", "local cloud", "real cloud"])
def any_world(request: pytest.FixtureRequest) -> Iterator[World | RealWorld]:
    if request.param == "real cloud":
        yield _real_world()
    elif request.param == "memory":
        yield MemoryWorld()
    else:
        thread = LoopThread()
        local = LocalWorld(thread)
        yield local
        local.close()
        thread.stop()


def wanted(world: World | RealWorld, **changes: Any) -> CreatePort:
    request = CreatePort(
        account_id=world.account_id,
        region=world.region,
        circuit_id=world.circuit_id,
        tenant_uid=world.tenant_uid,
        vlan_id=100,
        spec="200M",
        order_mode="PayByPhysicalConnectionOwner",
        name="order-1",
        token="intent-1",
    )
    return replace(request, **changes)


def create(world: World, **changes: Any) -> str:
    return world.cloud.create_port(wanted(world, **changes), dry_run=False).value


def read(world: World | RealWorld, port_id: str) -> Read:
    return world.cloud.read_port(account_id=world.account_id, region=world.region, port_id=port_id)


def find(world: World | RealWorld, vlan_id: int = 100, tenant_uid: str | None = None) -> Read:
    return world.cloud.find_port(
        account_id=world.account_id,
        region=world.region,
        circuit_id=world.circuit_id,
        vlan_id=vlan_id,
        tenant_uid=world.tenant_uid if tenant_uid is None else tenant_uid,
    )


def pay(world: World, port_id: str, **changes: Any) -> Answer:
    parameters: dict[str, Any] = {"months": 1, "auto_renew": False, "token": "pay-1", **changes}
    return world.cloud.pay_port(account_id=world.account_id, region=world.region, port_id=port_id, **parameters)


def failure(act: Callable[[], object]) -> CloudCallError:
    with pytest.raises(CloudCallError) as caught:
        act()
    return caught.value


def assert_recent(world: World | RealWorld, date: datetime) -> None:
    """A date is the cloud's, aware, and in whole seconds at worst."""
    assert date.utcoffset() == timedelta()
    assert abs(world.now() - date) < timedelta(minutes=5)


# --- What changes nothing ---------------------------------------------------------------------------------------------


def test_a_dry_run_that_passes_creates_nothing(any_world: World | RealWorld) -> None:
    answer = any_world.cloud.create_port(wanted(any_world, vlan_id=2999), dry_run=True)
    assert answer.value == ""
    assert find(any_world, vlan_id=2999).port is None


def test_a_port_that_does_not_exist_is_absent(any_world: World | RealWorld) -> None:
    result = read(any_world, "pc-doesnotexist")
    assert (result.port, result.vbrs) == (None, ())
    assert_recent(any_world, result.date)


def test_a_circuit_that_is_not_ours_is_refused_for_good(any_world: World | RealWorld) -> None:
    request = wanted(any_world, circuit_id="pc-doesnotexist")
    error = failure(lambda: any_world.cloud.create_port(request, dry_run=True))
    assert (error.failure, error.cloud_code) == (CloudFailure.PERMANENT, "ResourceNotFound.PhysicalConnectionId")
    assert error.action == "CreateVirtualPhysicalConnection"


# --- Creating ---------------------------------------------------------------------------------------------------------


def test_a_new_port_is_read_back_as_it_was_ordered(world: World) -> None:
    answer = world.cloud.create_port(wanted(world, vlan_id=0), dry_run=False)
    assert_recent(world, answer.date)
    result = read(world, answer.value)
    assert result.port is not None
    assert_recent(world, result.date)
    assert (result.port.port_id, result.port.at, result.port.source) == (answer.value, result.date, Source.READ)
    assert (result.port.circuit_id, result.port.tenant_uid, result.port.vlan_id) == ("pc-circuit", TENANT, 0)
    assert (result.port.spec, result.port.expect_spec) == ("200M", "")
    assert (result.port.order_mode, result.port.acceptance) == ("PayByPhysicalConnectionOwner", "UnConfirmed")
    assert (result.port.business_status, result.port.presence) == ("Normal", Presence.PRESENT)
    assert (result.port.enabled_time, result.port.end_time, result.vbrs) == (None, None, ())
    assert find(world, vlan_id=0).port == replace(result.port, at=find(world, vlan_id=0).date)


def test_the_same_token_makes_one_port(world: World) -> None:
    assert create(world) == create(world)
    assert failure(lambda: create(world, token="intent-2")).failure is CloudFailure.PERMANENT


def test_the_same_token_with_other_parameters_is_refused_for_good(world: World) -> None:
    create(world)
    error = failure(lambda: create(world, vlan_id=101))
    assert (error.failure, error.cloud_code) == (CloudFailure.PERMANENT, "IdempotentParameterMismatch")
    assert find(world, vlan_id=101).port is None


def test_a_dry_run_does_not_use_up_the_token(world: World) -> None:
    world.cloud.create_port(wanted(world), dry_run=True)
    assert create(world)


def test_a_vlan_id_in_use_and_too_much_bandwidth_are_refused_for_good(world: World) -> None:
    create(world)
    for changes in ({"vlan_id": 100}, {"vlan_id": 0}, {"vlan_id": 101, "spec": "1G"}):
        request = wanted(world, token="intent-2", **changes)
        for dry_run in (True, False):
            error = failure(lambda r=request, d=dry_run: world.cloud.create_port(r, dry_run=d))  # type: ignore[misc]
            assert error.failure is CloudFailure.PERMANENT
    assert find(world, vlan_id=101).port is None


def test_an_expired_permission_is_its_own_kind_of_failure(world: World) -> None:
    world.expire_privilege()
    assert failure(lambda: create(world)).failure is CloudFailure.PRIVILEGE
    assert find(world).port is None
    assert create(world)


# --- What went wrong on the way ---------------------------------------------------------------------------------------


def test_a_throttled_call_did_not_happen(world: World) -> None:
    world.throttle_next("create_port")
    assert failure(lambda: create(world)).failure is CloudFailure.RETRYABLE
    assert find(world).port is None
    assert create(world)


def test_a_lost_request_is_unknown_until_a_read_finds_nothing(world: World) -> None:
    world.lose_request("create_port")
    assert failure(lambda: create(world)).failure is CloudFailure.UNKNOWN
    assert find(world).port is None
    assert create(world)


def test_a_lost_answer_is_unknown_until_a_read_finds_the_port(world: World) -> None:
    world.lose_answer("create_port")
    assert failure(lambda: create(world)).failure is CloudFailure.UNKNOWN
    found = find(world).port
    assert found is not None
    assert create(world) == found.port_id, "the same call with the same token is the same port"


def test_reads_are_worth_a_retry_whatever_happened_to_them(world: World) -> None:
    port_id = create(world)
    world.throttle_next("read_port")
    assert failure(lambda: read(world, port_id)).failure is CloudFailure.RETRYABLE
    assert read(world, port_id).port is not None


# --- Finding ----------------------------------------------------------------------------------------------------------


def test_a_port_is_found_by_circuit_vlan_id_and_tenant_together(world: World) -> None:
    port_id = create(world)
    create(world, vlan_id=101, token="intent-2")
    found = find(world).port
    assert found is not None
    assert found.port_id == port_id
    assert find(world, vlan_id=102).port is None
    assert find(world, tenant_uid=STRANGER).port is None


# --- Paying, accepting, VBRs ------------------------------------------------------------------------------------------


def test_a_paid_and_accepted_port_is_enabled_for_its_term(world: World) -> None:
    port_id = create(world)
    world.accept(port_id)
    answer = pay(world, port_id, months=3)
    assert answer.value
    assert_recent(world, answer.date)
    port = read(world, port_id).port
    assert port is not None
    assert (port.acceptance, port.status) == ("Confirmed", "Enabled")
    assert port.enabled_time is not None
    assert port.end_time is not None
    assert_recent(world, port.enabled_time)
    # Three months from 1 March, to 00:00 UTC+8 of the day after.
    assert port.end_time == datetime(2026, 6, 1, 16, 0, tzinfo=UTC)


def test_the_same_token_makes_one_order(world: World) -> None:
    port_id = create(world)
    assert pay(world, port_id).value == pay(world, port_id).value
    assert failure(lambda: pay(world, port_id, months=2)).cloud_code == "IdempotentParameterMismatch"
    assert failure(lambda: pay(world, port_id, token="pay-2")).failure is CloudFailure.PERMANENT


def test_a_port_that_the_tenant_pays_is_not_ours_to_pay(world: World) -> None:
    port_id = create(world, order_mode="PayByVirtualPhysicalConnectionOwner")
    assert failure(lambda: pay(world, port_id)).failure is CloudFailure.PERMANENT
    assert failure(lambda: pay(world, "pc-doesnotexist", token="pay-2")).failure is CloudFailure.PERMANENT


def test_a_tenants_vbr_is_read_with_its_port(world: World) -> None:
    port_id = create(world)
    pay(world, port_id)
    world.accept(port_id)
    vbr_id = world.create_vbr(port_id, 100)
    result = read(world, port_id)
    (vbr,) = result.vbrs
    assert (vbr.vbr_id, vbr.port_id, vbr.owner_uid, vbr.vlan_id) == (vbr_id, port_id, TENANT, 100)
    assert (vbr.status, vbr.source, vbr.at, vbr.deleted) == ("active", Source.READ, result.date, False)
    assert vbr.presence is Presence.PRESENT
