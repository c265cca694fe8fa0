"""What every ``Cloud`` promises of the list of a circuit's ports: every port, page by page, or a failure."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from crossport.application.errors import CloudCallError
from crossport.application.ports import CloudFailure, PortPage
from tests.contract.cloud_worlds import LocalWorld, MemoryWorld, World
from tests.contract.test_cloud_contract import create, read, wanted
from tests.integration.localcloud.conftest import LoopThread


@pytest.fixture(autouse=True)
def one_attempt() -> Iterator[None]:
    """Scripted faults are for one call."""
    with stamina.set_testing(True, attempts=1):
        yield


@pytest.fixture(params=["memory", "local cloud"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Worlds with two ports on a page."""
    if request.param == "memory":
        memory = MemoryWorld()
        memory.fake.page_size = 2
        yield memory
        return
    monkeypatch.setattr("crossport.adapters.vpc.reads._PORTS_A_PAGE", 2)
    thread = LoopThread()
    local = LocalWorld(thread)
    yield local
    local.close()
    thread.stop()


def pages(world: World, circuit_id: str = "") -> Iterator[PortPage]:
    return world.cloud.list_ports(
        account_id=world.account_id, region=world.region, circuit_id=circuit_id or world.circuit_id
    )


def make(world: World, number: int) -> list[str]:
    return [create(world, vlan_id=100 + n, spec="50M", token=f"intent-{n}") for n in range(number)]


def test_a_circuit_without_ports_has_one_empty_page(world: World) -> None:
    (page,) = pages(world)
    assert (page.ports, page.total) == ((), 0)


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_every_port_is_listed_to_the_end(world: World, number: int) -> None:
    made = make(world, number)
    listed = list(pages(world))
    assert sorted(port.port_id for page in listed for port in page.ports) == sorted(made)
    assert [len(page.ports) for page in listed] == [2] * (number // 2) + [1] * (number % 2)
    assert {page.total for page in listed} == {number}
    assert len({page.started for page in listed}) == 1


def test_a_listed_port_is_as_it_would_be_read(world: World) -> None:
    (port_id,) = make(world, 1)
    (page,) = pages(world)
    (port,) = page.ports
    found = read(world, port_id)
    assert found.port is not None
    assert (port.spec, port.vlan_id, port.tenant_uid, port.status) == ("50M", 100, world.tenant_uid, found.port.status)
    assert port.at >= page.started


def test_ports_of_another_circuit_are_not_listed(world: World) -> None:
    make(world, 1)
    assert [port for page in pages(world, "pc-elsewhere") for port in page.ports] == []


def test_a_page_that_fails_makes_the_rest_unknown(world: World) -> None:
    make(world, 3)
    listing = pages(world)
    assert len(next(listing).ports) == 2
    world.throttle_next("list_ports")
    with pytest.raises(CloudCallError) as caught:
        next(listing)
    assert caught.value.failure is CloudFailure.RETRYABLE


def test_listing_makes_nothing(world: World) -> None:
    made = make(world, 1)
    list(pages(world))
    assert create(world, token="intent-0", spec="50M") == made[0]
    assert wanted(world).vlan_id == 100


def vbr_ids(world: World) -> list[str]:
    """The VBRs of the circuit as its owner is shown them."""
    found = world.cloud.list_vbrs(account_id=world.account_id, region=world.region, circuit_id=world.circuit_id)
    assert {vbr.port_id for vbr in found} <= {None}
    return sorted(vbr.vbr_id for vbr in found)


def test_the_vbrs_of_a_circuit_and_of_its_ports_are_listed_together(world: World) -> None:
    assert vbr_ids(world) == []
    port_id = create(world, vlan_id=100, spec="50M", token="intent-1")
    world.accept(port_id)
    world.cloud.pay_port(
        account_id=world.account_id, region=world.region, port_id=port_id, months=1, auto_renew=False, token="pay"
    )
    made = [world.create_vbr(port_id, 100), world.push_vbr(200)]
    assert vbr_ids(world) == sorted(made)


def test_a_list_of_vbrs_that_fails_raises(world: World) -> None:
    world.throttle_next("list_vbrs")
    with pytest.raises(CloudCallError) as raised:
        vbr_ids(world)
    assert raised.value.failure is CloudFailure.RETRYABLE


def test_a_vbr_that_a_list_shows_without_a_place_is_found_by_its_id_on_its_port(world: World) -> None:
    port_id = create(world, vlan_id=100, spec="50M", token="intent-1")
    world.accept(port_id)
    world.cloud.pay_port(
        account_id=world.account_id, region=world.region, port_id=port_id, months=1, auto_renew=False, token="pay"
    )
    vbr_id = world.create_vbr(port_id, vlan_id=100)
    read = world.cloud.read_vbr(account_id=world.account_id, region=world.region, vbr_id=vbr_id)
    assert read.vbr is not None
    assert (read.vbr.port_id, read.vbr.vlan_id, read.vbr.owner_uid) == (port_id, 100, world.tenant_uid)
