"""What every ``Cloud`` promises: the in-memory fake, and the real SDK against the local cloud's VPC.

The tests that change nothing also run against the real cloud when CROSSPORT_REAL_CLOUD_ACCOUNT, _REGION, _CIRCUIT and
_TENANT are set, with the credentials that Function Compute uses (ALIBABA_CLOUD_ACCESS_KEY_ID, ...). VLAN ID 2999 of
that circuit must be free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina

from crossport.application.errors import CloudCallError
from crossport.application.ports import Answer, CloudFailure, CreatePort, Read
from crossport.domain.vocabulary import Presence, Source
from tests.contract.cloud_worlds import STRANGER, TENANT, LocalWorld, MemoryWorld, RealWorld, World, real_world
from tests.integration.localcloud.conftest import LoopThread


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
        yield real_world()
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


def test_a_port_carries_the_name_that_its_create_call_gave_it(world: World) -> None:
    port_id = create(world, name="order-PO-17")
    assert [read(world, port_id).name, find(world).name] == ["order-PO-17"] * 2
    by_hand = create(world, name="by-hand", vlan_id=101, token="intent-2")
    assert (read(world, by_hand).name, find(world, vlan_id=101).name) == ("by-hand", "by-hand")
    assert (find(world, vlan_id=102).port, find(world, vlan_id=102).name) == (None, None)


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
