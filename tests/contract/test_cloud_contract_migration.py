"""A port made from a tenant's VBR, on the fake and through the official SDK against the local cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure, VbrRead
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


def read(world: World, vbr_id: str) -> VbrRead:
    return world.cloud.read_vbr(**place(world), vbr_id=vbr_id)


def cap(world: World, vbr_id: str, bandwidth_mbps: int = 200) -> None:
    world.cloud.set_vbr_bandwidth(
        **place(world), vbr_id=vbr_id, bandwidth_mbps=bandwidth_mbps, token=f"cap-{bandwidth_mbps}"
    )


def convert(world: World, vbr_id: str, token: str = "intent") -> str:
    mode = "PayByPhysicalConnectionOwner"
    return world.cloud.create_from_vbr(**place(world), vbr_id=vbr_id, order_mode=mode, token=token).value


def attach(world: World, vbr_id: str, port_id: str, token: str = "attach") -> None:
    world.cloud.attach_vbr(**place(world), vbr_id=vbr_id, port_id=port_id, token=token)


def converted(world: World) -> tuple[str, str]:
    """A VBR with a cap of 200 Mbit/s and the port made from it."""
    vbr_id = world.push_vbr(100)
    cap(world, vbr_id)
    return vbr_id, convert(world, vbr_id)


def enable(world: World, port_id: str) -> None:
    world.accept(port_id)
    world.cloud.pay_port(**place(world), port_id=port_id, months=1, auto_renew=False, token="pay")


def refused(call: Any) -> CloudFailure:
    with pytest.raises(CloudCallError) as caught:
        call()
    return caught.value.failure


def test_a_pushed_vbr_is_read_with_owner_circuit_vlan_id_and_cap(world: World) -> None:
    vbr_id = world.push_vbr(0)
    result = read(world, vbr_id)
    assert result.vbr is not None
    assert (result.vbr.port_id, result.vbr.owner_uid, result.vbr.vlan_id) == (world.circuit_id, world.tenant_uid, 0)
    assert (result.vbr.status, result.bandwidth_mbps, result.vbr.at) == ("active", None, result.date)
    assert json.loads(result.configuration)["VbrId"] == vbr_id
    cap(world, vbr_id, 500)
    assert read(world, vbr_id).bandwidth_mbps == 500
    assert read(world, vbr_id).configuration == result.configuration


def test_a_vbr_that_does_not_exist_is_not_shown(world: World) -> None:
    assert read(world, "vbr-doesnotexist").vbr is None


def test_a_vbr_without_a_cap_is_not_converted(world: World) -> None:
    vbr_id = world.push_vbr(100)
    assert refused(lambda: convert(world, vbr_id)) is CloudFailure.PERMANENT
    assert refused(lambda: cap(world, vbr_id, 123)) is CloudFailure.PERMANENT


def test_the_port_has_the_vbrs_tenant_vlan_id_and_cap(world: World) -> None:
    vbr_id, port_id = converted(world)
    port = world.cloud.read_port(**place(world), port_id=port_id).port
    assert port is not None
    assert (port.acceptance, port.tenant_uid, port.vlan_id, port.spec) == ("UnConfirmed", world.tenant_uid, 100, "200M")
    assert (port.circuit_id, port.order_mode) == (world.circuit_id, "PayByPhysicalConnectionOwner")
    found = read(world, vbr_id).vbr
    assert found is not None
    assert found.port_id == world.circuit_id, "the VBR stays where it is until it is attached"


def test_the_same_token_makes_one_port_and_another_none(world: World) -> None:
    vbr_id, port_id = converted(world)
    assert convert(world, vbr_id) == port_id
    assert refused(lambda: convert(world, vbr_id, token="other")) is CloudFailure.PERMANENT


def test_a_lost_answer_to_the_conversion_is_found_by_circuit_vlan_id_and_tenant(world: World) -> None:
    vbr_id = world.push_vbr(100)
    cap(world, vbr_id)
    world.lose_answer("create_from_vbr")
    assert refused(lambda: convert(world, vbr_id)) is CloudFailure.UNKNOWN
    found = world.cloud.find_port(
        **place(world), circuit_id=world.circuit_id, vlan_id=100, tenant_uid=world.tenant_uid
    ).port
    assert found is not None
    assert convert(world, vbr_id) == found.port_id


def test_a_vbr_is_attached_to_an_enabled_port_alone_and_keeps_its_configuration(world: World) -> None:
    vbr_id, port_id = converted(world)
    before = read(world, vbr_id).configuration
    assert refused(lambda: attach(world, vbr_id, port_id, token="too early")) is CloudFailure.PERMANENT
    enable(world, port_id)
    attach(world, vbr_id, port_id)
    after = read(world, vbr_id)
    assert after.vbr is not None
    assert (after.vbr.port_id, after.vbr.owner_uid) == (port_id, world.tenant_uid)
    assert after.configuration == before
    (on_port,) = world.cloud.read_port(**place(world), port_id=port_id).vbrs
    assert on_port.vbr_id == vbr_id


def test_a_vbr_that_is_attached_already_counts_as_attached(world: World) -> None:
    vbr_id, port_id = converted(world)
    enable(world, port_id)
    attach(world, vbr_id, port_id)
    attach(world, vbr_id, port_id, token="another")


def test_a_port_that_was_made_from_a_vbr_is_deleted_without_it(world: World) -> None:
    vbr_id, port_id = converted(world)
    world.cloud.delete_port(**place(world), port_id=port_id, token="delete")
    result = read(world, vbr_id)
    assert result.vbr is not None
    assert (result.vbr.port_id, result.vbr.status, result.bandwidth_mbps) == (world.circuit_id, "active", 200)
