"""What changes and ends a port, on the fake and through the official SDK against the local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure, CreatePort, Read
from tests.contract.cloud_worlds import LocalWorld, MemoryWorld, World
from tests.integration.localcloud.conftest import LoopThread


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


def place(world: World) -> dict[str, Any]:
    return {"account_id": world.account_id, "region": world.region}


def created(world: World, *, order_mode: str = "PayByPhysicalConnectionOwner", vlan_id: int = 100) -> str:
    request = CreatePort(
        **place(world),
        circuit_id=world.circuit_id,
        tenant_uid=world.tenant_uid,
        vlan_id=vlan_id,
        spec="200M",
        order_mode=order_mode,
        name="order-1",
        token=f"intent-{vlan_id}",
    )
    return world.cloud.create_port(request, dry_run=False).value


def enabled(world: World) -> str:
    """A port that the partner pays, accepted and paid."""
    port_id = created(world)
    world.accept(port_id)
    world.cloud.pay_port(**place(world), port_id=port_id, months=1, auto_renew=True, token="pay")
    return port_id


def read(world: World, port_id: str) -> Read:
    return world.cloud.read_port(**place(world), port_id=port_id)


def refused(call: Any) -> CloudFailure:
    with pytest.raises(CloudCallError) as caught:
        call()
    return caught.value.failure


def test_a_vlan_id_is_changed_and_the_spec_stays(world: World) -> None:
    port_id = created(world)
    world.cloud.update_port(**place(world), port_id=port_id, vlan_id=0, expect_spec="", token="change")
    port = read(world, port_id).port
    assert port is not None
    assert (port.vlan_id, port.spec, port.expect_spec) == (0, "200M", "")


def test_a_spec_is_expected_until_it_is_paid(world: World) -> None:
    port_id = created(world)
    world.cloud.update_port(**place(world), port_id=port_id, vlan_id=100, expect_spec="500M", token="change")
    port = read(world, port_id).port
    assert port is not None
    assert (port.vlan_id, port.spec, port.expect_spec) == (100, "200M", "500M")


def test_a_vlan_id_of_another_port_is_refused_for_good(world: World) -> None:
    port_id = created(world)
    created(world, vlan_id=101)

    def take() -> None:
        world.cloud.update_port(**place(world), port_id=port_id, vlan_id=101, expect_spec="", token="change")

    assert refused(take) is CloudFailure.PERMANENT


def test_an_open_offer_is_deleted_and_once_more_is_no_error(world: World) -> None:
    port_id = created(world)
    for token in ("delete", "delete again"):
        assert world.cloud.delete_port(**place(world), port_id=port_id, token=token).value == ""
    assert read(world, port_id).port is None


def test_a_port_ends_in_the_documented_order(world: World) -> None:
    """VBR, then termination, then deletion (TerminatePhysicalConnection and DeletePhysicalConnection)."""
    port_id = enabled(world)
    vbr_id = world.create_vbr(port_id, 100)
    end = {**place(world), "port_id": port_id}
    assert refused(lambda: world.cloud.terminate_port(**end, token="early")) is CloudFailure.PERMANENT
    world.cloud.terminate_vbr(**place(world), vbr_id=vbr_id, token="stop")
    world.cloud.delete_vbr(**place(world), vbr_id=vbr_id, token="end")
    world.cloud.delete_vbr(**place(world), vbr_id=vbr_id, token="end again")
    assert refused(lambda: world.cloud.delete_port(**end, token="early")) is CloudFailure.PERMANENT
    world.cloud.terminate_port(**end, token="terminate")
    port = read(world, port_id).port
    assert port is not None
    assert port.status == "Terminated"
    world.cloud.delete_port(**end, token="delete")
    assert read(world, port_id).port is None


def test_a_terminated_port_comes_back_and_only_a_terminated_one(world: World) -> None:
    """RecoverPhysicalConnection."""
    port_id = enabled(world)
    call = {**place(world), "port_id": port_id}
    assert refused(lambda: world.cloud.recover_port(**call, token="early")) is CloudFailure.PERMANENT
    world.cloud.terminate_port(**call, token="terminate")
    for _ in range(2):
        assert world.cloud.recover_port(**call, token="recover").value == ""
    port = read(world, port_id).port
    assert port is not None
    assert port.status == "Enabled"


def test_a_terminated_vbr_comes_back_and_only_a_terminated_one(world: World) -> None:
    """RecoverVirtualBorderRouter: the circuit's owner alone."""
    vbr_id = world.create_vbr(enabled(world), 100)
    call = {**place(world), "vbr_id": vbr_id}
    assert refused(lambda: world.cloud.recover_vbr(**call, token="early")) is CloudFailure.PERMANENT
    world.cloud.terminate_vbr(**call, token="stop")
    for _ in range(2):
        assert world.cloud.recover_vbr(**call, token="recover").value == ""
    read_back = world.cloud.read_vbr(**call).vbr
    assert read_back is not None
    assert read_back.status == "active"
    no_vbr = {**call, "vbr_id": "vbr-none"}
    assert refused(lambda: world.cloud.recover_vbr(**no_vbr, token="none")) is CloudFailure.PERMANENT


def test_an_accepted_port_that_the_tenant_pays_is_not_ours_to_delete(world: World) -> None:
    port_id = created(world, order_mode="PayByVirtualPhysicalConnectionOwner")
    world.accept(port_id)
    call = {**place(world), "port_id": port_id, "token": "delete"}
    assert refused(lambda: world.cloud.delete_port(**call)) is CloudFailure.PERMANENT
